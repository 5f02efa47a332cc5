"""Every row of the ledger agrees with a second list, typed here by hand; a verdict follows from comparing."""

import re
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import CodeType

import nbformat
import pytest
import torch
from strategies import raises

from convlab import ConvSpec, check, mac_count
from convlab.audit import write_ups
from convlab.audit.claim import COLUMNS, DOCUMENTS, VERDICTS, Claim, ClaimTable, Formula, Says, evaluate
from convlab.audit.write_ups import CLAIMS, GROUPED, STANDARD, claim, claims, macs_by_loops, pass_macs


def code(formula: str) -> CodeType:
    return compile(formula, formula, "eval")


def right(values: dict) -> tuple:
    return "right", values, values


BARE, BIASED = "without bias", "with bias"
ONE_OF_G = code("Fraction(1, g)")
MACS = code("K**2 * (C // g) * M * H * W")
FLOPS = code("(2 * K**2 * C // g - 1) * M * H * W"), code("2 * K**2 * (C // g) * M * H * W")  # without and with bias
TWO_AND_ONE = code("(2 * K**2 * C // g + 1) * M * H * W")
PARAMS = code("M * C // g * K * K"), code("M * C // g * K * K + M")
ALL_FOUR = "parameters without bias", "parameters with bias", "FLOPs without bias", "FLOPs with bias"
LINEAR = code("C * M"), code("(C + 1) * M"), code("(2 * C - 1) * M"), code("2 * C * M")

# fmt: off
ROWS = {  # id: verdict, what is printed, what holds; a string is a text, and a code is a formula
    "D0-1": ("unstated", (1, 6, 55, 55),
             {"stride 4, padding 0": (1, 6, 55, 55), "stride 4, padding 1": (1, 6, 55, 55),
              "stride 1, padding 0": (1, 6, 217, 217)}),
    "D0-2": ("right", {BARE: 2178}, {BARE: 2178, BIASED: 2184}),
    "D0-3": ("right", {"FLOPs with bias": 13176900},
             {"FLOPs with bias": 13176900, "FLOPs without bias": 13158750, "MACs": 6588450}),
    "D0-4": right({BARE: code("-1"), BIASED: code("0")}),
    "D0-5": ("right", ONE_OF_G, {"weights": ONE_OF_G}),
    "D0-6": ("typo", "N·(C/g)·K·K", {"weights": PARAMS[0]}),
    "D0-7": ("wrong", dict.fromkeys(("FLOPs without bias", "FLOPs with bias"), TWO_AND_ONE),
             {"FLOPs without bias": FLOPS[0], "FLOPs with bias": FLOPS[1], "2 × MACs + bias additions": TWO_AND_ONE}),
    "D0-8": ("right", {BARE: 726}, {BARE: 726, BIASED: 732}),
    "D0-9": ("wrong", 2205225, {"FLOPs with bias": 4392300, "FLOPs without bias": 4374150, "MACs": 2196150,
                                "2 × MACs + bias additions": 4410450}),
    "D0-10": ("missing", None,
              {"parameters, depthwise and pointwise": [363, 18], "parameters": 381,
               "MACs, depthwise and pointwise": [1098075, 54450], "MACs": 1152525,
               "share of the standard MACs": [Fraction(1, 6) + Fraction(1, 121)]}),
    "D0-11": ("right", PARAMS[0], {"weights": PARAMS[0]}),
    "D0-12": ("missing", None, {"parameters without bias": PARAMS[0], "FLOPs without bias": FLOPS[0],
                                "FLOPs with bias": FLOPS[1]}),
    "D1-1": right({"1 filter": (1, 1, 8, 8), "256 filters": (1, 256, 8, 8)}),
    "D1-2": ("right", 1228800, {"MACs": 1228800}),
    "D1-3": ("right", {BARE: 19200}, {BARE: 19200, BIASED: 19456}),
    "D1-4": right({"multiplications": 4800, "parameters": 75}),
    "D1-5": ("right", {"C = 3": code("Fraction(1, 3)")}, {"C = 3": [Fraction(1, 3)], "C = 4": [Fraction(1, 4)]}),
    "D1-6": right({"multiplications": 49152, "parameters": 768}),
    "D1-7": ("right", {"sum": 53952, "share": "4.39 %"},
             {"sum": 53952, "share": [Fraction(1, 256) + Fraction(1, 25)],
              "share of the parameters": Fraction(843, 19200)}),
    "D1-8": ("right", "weigh each channel once, then mix M times",
             {"share of outputs that a layer with kernels P[i, c]·D[c] gives too": 1,
              "rank of one channel's M kernels": 1}),
    "D1-9": ("right", "the first step of the standard convolution: weigh each channel, do not add",
             {"share of one filter's outputs that it gives, if its channels are added": 1}),
    "D2-1": ("unstated", "C·M·K²·D²",
             {"stride 1, same padding (H = W = D)": MACS, "stride 2, or no padding (H = W < D)": MACS}),
    "D2-2": ("unstated", "(C·K²·D², C·M·D², C·K²·D² + C·M·D²)",
             dict.fromkeys(("stride 1, same padding (H = W = D)", "stride 2, or no padding (H = W < D)"),
                           code("(C * K * K * H * W, C * M * H * W, C * K * K * H * W + C * M * H * W)"))),
    "D2-3": ("wrong", dict.fromkeys(("in general", "3→16, 3×3"), code("Fraction(M, K**2 + M)")),
             {"in general": code("Fraction(K**2 * M, K**2 + M)"), "3→16, 3×3": [Fraction("5.76")]}),
    "D2-4": ("right", "very clear",
             {"3×3, M = 16": Fraction("5.76"), "3×3, M = 256": Fraction(9 * 256, 265),
              "3×3, M = 1,000,000": Fraction(9 * 10**6, 10**6 + 9),
              "2×2, M = 1,000,000": Fraction(4 * 10**6, 10**6 + 4)}),
    "D2-5": ("missing", None,
             {"standard": (1, 16, 32, 32), "separable": (1, 16, 32, 32),
              "parameters, standard": 448, "parameters, separable": 30 + 64,
              "MACs, standard": 442368, "MACs, separable": 76800}),
    "D2-6": ("right", {"depth multiplier 1": 1}, {"depth multiplier 1": 1, "depth multiplier 2": 2}),
    "D2-7": ("measure", "raises the efficiency of networks further",
             {"MACs of its 3×3 layers of 728 channels, as a part of standard ones":
                  [Fraction(1, 728) + Fraction(1, 9)]}),
    "D2-8": ("right", {"standard / separable": "clearly fewer"},
             {"standard / separable": Fraction(448, 30 + 64), "for a layer 3→1": Fraction(28, 30 + 4)}),
    "D2-9": ("unstated", "it is decomposed into two steps",
             {"rank of one channel's M kernels, P[i, c]·D[c]": 1, "rank of other kernels": 4}),
    "D3-1": ("typo", {BARE: PARAMS[0], BIASED: "(K²·C× +1)·M"}, {BARE: PARAMS[0], BIASED: PARAMS[1]}),
    "D3-2": right({BARE: FLOPS[0], BIASED: FLOPS[1]}),
    "D3-3": ("typo", {"inputs first": code("(g * C, M, K, K)")},
             {"inputs first": code("(C // g, M, K, K)"), "outputs first (PyTorch)": code("(M, C // g, K, K)")}),
    "D3-4": right(dict(zip(ALL_FOUR, PARAMS + FLOPS))),
    "D3-5": ("right", {"stride 3": (1, 6, 2, 2)}, {"stride 3": (1, 6, 2, 2), "stride 1": (1, 6, 4, 4)}),
    "D3-6": ("right", {"FLOPs with bias": 1296}, {"FLOPs with bias": 1296, "FLOPs without bias": 1272, "MACs": 648}),
    "D3-7": ("typo", {"print": code("1296"), "value": 432}, {"print": [432], "value": 432}),
    "D3-8": ("wrong", "thop's number is the FLOPs",
             {f"thop / FLOPs on 6×6 and 12×12, g = {g}, inputs=({x})": parts
              for x, parts in (("x", [1, 2]), ("x,", [Fraction(1, 2)] * 2)) for g in (1, 3)}),
    "D3-9": ("measure", "faster in theory only: too few FLOPs for each byte",
             {"FLOPs for each byte, standard": 166.0, "FLOPs for each byte, depthwise": 2.2}),
    "D3-10": right(dict(zip(ALL_FOUR, LINEAR))),
    "D3-11": ("unstated", ONE_OF_G,
              {BARE: ONE_OF_G, BIASED: code("Fraction(K**2 * C // g + 1, K**2 * C + 1)")}),
    "D3-12": ("right", {"inputs first": code("(C, M, K, K)")},
              {"inputs first": code("(C, M, K, K)"), "outputs first (PyTorch)": code("(M, C, K, K)")}),
    "D3-13": ("unstated", (3, 6, 3, 3), {"g = 1": (3, 6, 3, 3), "g = 3": (1, 6, 3, 3)}),
    "D4-1": ("right", {"1×1, without bias": [64, 16, 32]},
             {"1×1, without bias": [64, 16, 32], "1×1, with bias": [72, 20, 40],
              "3×3, without bias": [576, 144, 288]}),
    "D4-2": ("wrong", {"2 groups": (1, 16, 1, 1), "without groups": (1, 16, 1, 1)},
             {"2 groups": (1, 6, 1, 1), "without groups": (1, 6, 1, 1)}),
    "D4-3": ("wrong", [24, 48], {BARE: [12, 24], BIASED: [15, 30]}),
    "D4-4": ("wrong", {BIASED: 48}, {BARE: 48, BIASED: 54}),
    "D4-5": ("right", "less, forward and backward",
             {"MACs forward, as a part of those without groups": ONE_OF_G, "backward": ONE_OF_G}),
    "D4-6": ("measure", "more efficient", {"MACs, as a part of those without groups": ONE_OF_G}),
    "D4-7": ("right", {"weights, input and output": "saved"},
             {"weights, input and output": [Fraction(420 + 216 + 160, 420 + 432 + 160),
                                            Fraction(210 + 72 + 135, 210 + 216 + 135)],
              "weights": ONE_OF_G, "input and output": code("1")}),
    "D4-8": ("right", {"parts that share no input": "more, as each group can be computed on its own"},
             {"parts that share no input": code("g"), "output numbers": code("1")}),
    "D4-9": ("measure", "faster", {"MACs, as a part of those without groups": ONE_OF_G}),
    "D4-10": ("right", code("(C // g, M // g)"), {"PyTorch": code("(C // g, M // g)")}),
    "D4-11": ("right", {"output shapes": "the same", "parameters": "fewer"},
              {"output shapes": 1, "parameters": Fraction(30, 54)}),
    "S1-1": ("right", {"parameters": "138.36 million"}, {"parameters": 138357544}),
    "S1-2": ("wrong", {"MACs": "15.61 billion"},
             {"MACs": 15470264320}),
    "S2-1": ("wrong", dict.fromkeys(("AlexNet, bytes", "the book's AlexNet, bytes"), "nearly 1 GB"),
             {"AlexNet, bytes": 4 * 4096 * (9216 + 4096), "the book's AlexNet, bytes": 4 * 4096 * (6400 + 4096)}),
    "S2-2": ("unstated", "164 MB", {"MB = 2²⁰ bytes": 164, "MB = 10⁶ bytes": Fraction("171.966464")}),
    "S2-3": ("wrong", "81 MFLOPs",
             {"FLOPs without bias, M = 2²⁰": Fraction(2 * 42991616 - 8192, 2**20), "MACs, M = 2²⁰": 41,
              "FLOPs with bias, M = 2²⁰": 82, "FLOPs without bias, M = 10⁶": Fraction("85.97504"),
              "FLOPs with bias, M = 10⁶": Fraction("85.983232"), "MACs, M = 10⁶": Fraction("42.991616")}),
    "S2-4": ("right", "more than 40 million", {BARE: 42991616, BIASED: 42991616 + 2 * 4096}),
}
# fmt: on
every_row = pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row.id)


def by_hand(formula: CodeType, layers) -> list:
    """Evaluate a formula of this file on layers; the output's size is torch's."""
    values = []
    for spec, shape in layers:
        H, W = torch.nn.Conv2d(**vars(spec), device="meta")(torch.empty(shape, device="meta")).shape[2:]
        sizes = {"K": spec.kernel_size[0], "C": spec.in_channels, "M": spec.out_channels, "g": spec.groups}
        values.append(eval(formula, {"Fraction": Fraction, "H": H, "W": W} | sizes))
    return values


# The rows


def test_every_row_is_in_the_ledger_and_in_this_list():
    assert [row.id for row in CLAIMS] == list(ROWS)
    assert len(ROWS) == 12 + 9 + 9 + 13 + 11 + 2 + 4


@every_row
def test_what_holds_is_what_is_listed_here(row):
    verdict, _, holds = ROWS[row.id]
    values = row.recompute()
    assert row.verdict == verdict and values.keys() == holds.keys()
    for condition, wanted in holds.items():
        is_formula = isinstance(wanted, CodeType)
        assert values[condition] == (by_hand(wanted, row.holds[condition].layers) if is_formula else wanted), condition


@every_row
def test_what_is_printed_is_what_is_listed_here(row):
    _, printed, holds = ROWS[row.id]
    named = isinstance(printed, dict)
    assert isinstance(row.printed, dict) == named and (not named or row.printed.keys() == printed.keys())
    for condition, wanted in printed.items() if named else dict.fromkeys(holds, printed).items():
        given = row.printed[condition] if named else row.printed
        if isinstance(wanted, CodeType):
            layers = row.holds[condition].layers
            given, wanted = [evaluate(given, *layer) for layer in layers], by_hand(wanted, layers)
        assert getattr(given, "text", given) == wanted, condition


@every_row
def test_a_claim_explains_every_verdict_but_right(row):
    assert row.statement
    assert row.why or row.verdict == "right"
    assert row.document == DOCUMENTS[row.id[:2]]


def test_a_changed_count_fails_its_formula():
    formula = claim("D2-1").holds["stride 1, same padding (H = W = D)"]
    with raises(ArithmeticError, "C·M·K²·H·W gives", "the count is"):
        replace(formula, count=lambda spec, shape: macs_by_loops(spec, shape) + 1)()


@pytest.mark.parametrize(("spec", "shape"), GROUPED)
def test_the_backward_pass_takes_twice_the_macs_of_the_forward_pass(spec, shape):  # D4-5
    assert pass_macs(spec, shape) == mac_count(spec, shape)
    assert pass_macs(spec, shape, backward=True) == 2 * mac_count(spec, shape)


def test_the_ledger_needs_thop_for_one_claim_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "thop", None)
    for row in CLAIMS:
        if row.id != "D3-8":
            assert row.recompute()
    with pytest.raises(ImportError):
        claim("D3-8").recompute()


# The verdict


LAYERS = (ConvSpec(6, 4, 3, groups=2), (2, 6, 7, 10)), (ConvSpec(6, 9, 2, groups=3), (1, 6, 5, 7))
TWO = {"a": lambda: 2, "b": lambda: 3}


@pytest.mark.parametrize(
    ("verdict", "printed", "holds"),
    [
        ("right", 2, {"a": lambda: 2}),
        ("right", {"a": 2}, TWO),
        ("right", {"a": 2, "b": 3}, TWO),
        ("wrong", 4, TWO),
        ("wrong", {"b": 2}, TWO),
        ("wrong", {"a": 2, "b": 2}, TWO),
        ("unstated", 2, TWO),
        ("unstated", 3, TWO),
        ("missing", None, TWO),
        ("measure", Says("fast"), TWO),
        ("right", Says("small", lambda value: value < 4), TWO),
        ("unstated", Says("even", lambda value: value % 2 == 0), TWO),
        ("wrong", Says("large", lambda value: value > 4), TWO),
        ("wrong", Says("even", lambda value: value % 2 == 0), {"a": lambda: [2, 3]}),
        ("right", "6/g", {"a": Formula("C/g", lambda spec, shape: spec.in_channels // spec.groups, LAYERS)}),
        ("wrong", "3", {"a": Formula("C/g", lambda spec, shape: spec.in_channels // spec.groups, LAYERS)}),
    ],
)
def test_the_verdict_follows_from_the_comparison(verdict, printed, holds):
    assert Claim("D0-0", "", printed, holds).verdict == verdict


def test_a_misprint_is_a_typo_only_if_what_is_meant_holds():
    assert Claim("D0-0", "", 4, TWO, meant={"a": 2}).verdict == "typo"
    assert Claim("D0-0", "", 4, TWO, meant={"a": 3}).verdict == "wrong"


# Formulas


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("C/g/M", Fraction(3, 4)),
        ("2·K²×H − W", 82),
        ("(M, C/g, K, K)", (4, 3, 3, 3)),
        ("1/3", Fraction(1, 3)),
        ("6/4·2", 3),
        ("N·K", None),
        ("D", None),
    ],
)
def test_a_formula_is_evaluated_exactly(formula, value):
    assert evaluate(formula, *LAYERS[0]) == value


def test_a_square_input_has_a_side():
    assert evaluate("D − H", ConvSpec(3, 5, 4), (1, 3, 9, 9)) == 3


@pytest.mark.parametrize("layers", [STANDARD, GROUPED])
def test_the_layers_of_the_formulas_are_unequal(layers):
    for spec, shape in layers:
        out = torch.nn.Conv2d(**vars(spec), device="meta")(torch.empty(shape, device="meta")).shape
        assert out[2] != out[3]
        assert len({spec.in_channels, spec.out_channels, spec.groups}) == 3
        assert layers is STANDARD or 1 < spec.groups < min(spec.in_channels, spec.out_channels)


# The table


@pytest.mark.parametrize("verdict", VERDICTS)
def test_claims_are_filtered_by_verdict(verdict):
    assert [row.id for row in claims(verdict).claims] == [id for id, row in ROWS.items() if row[0] == verdict] != []


def test_claims_are_filtered_by_document_and_by_both():
    assert claims().claims == CLAIMS
    assert [row.id for row in claims(document="D2").claims] == [f"D2-{n}" for n in range(1, 10)]
    assert [row.id for row in claims("wrong", "D4").claims] == ["D4-2", "D4-3", "D4-4"]
    assert claims("missing", "D1").claims == () and "verdict</th>" in claims("missing", "D1")._repr_html_()


@pytest.mark.parametrize("verdict", [None, "wrong"])
def test_claims_compute_each_claim_once(monkeypatch, verdict):
    calls, run = [], write_ups.conv2d_loops
    monkeypatch.setattr(write_ups, "conv2d_loops", lambda *layer, **options: calls.append(1) or run(*layer, **options))
    for row in CLAIMS:
        row.recompute()
    once = len(calls)
    claims(verdict)._repr_html_()
    assert len(calls) == 2 * once > 0


def test_a_filter_that_there_is_not_is_an_error_that_lists_those_there_are():
    with raises(ValueError, "verdict='false'", "right, wrong, typo, unstated, measure, missing"):
        claims("false")
    with raises(ValueError, "document='D5'", "D0, D1, D2, D3, D4, S1, S2"):
        claims(document="D5")
    with raises(ValueError, "id='D0-13'", "D0-1, D0-2"):
        claim("D0-13")


def test_text_and_DataFrame_have_every_column_of_every_claim():
    table = claims(document="D0")
    frame, blocks = table.to_pandas(), repr(table).split("\n\n")
    assert tuple(frame.columns) == COLUMNS and frame.to_dict("records") == table.rows
    assert [block.splitlines() for block in blocks] == [[f"{k}: {v}" for k, v in row.items()] for row in table.rows]
    assert repr(table.claims[0]) == blocks[0]


def test_html_puts_what_is_printed_below_what_it_is_about_and_why_beside_the_verdict():
    html = claims(document="D0")._repr_html_()
    assert re.findall(r">([\w ]+)</th>", html) == ["id", "claim", "what holds", "verdict"]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in html.split("<tr>")[2:]]
    row = claim("D0-8").texts()
    assert rows[7] == ["D0-8", f"{row['statement']}:\n{row['printed']}", row["holds"].replace("; ", ";\n"), "right"]
    assert rows[5][3] == f"typo: {claim('D0-6').why}"


def test_a_folded_ledger_has_a_line_for_each_text_that_counts_its_verdicts():
    lines = re.findall(r"<details><summary>([^<]*)</summary><table", claims().folded().data)
    assert [line.split(",")[0] for line in lines] == list(DOCUMENTS)
    for label, line in zip(DOCUMENTS, lines):
        found = [row.verdict for row in CLAIMS if row.id.startswith(label)]
        assert DOCUMENTS[label].split(" (")[0] in line
        assert {(int(n), word) for n, word in re.findall(r"(\d+) (\w+)", line.rpartition(": ")[2])} == {
            (found.count(verdict), verdict) for verdict in found
        }


def test_html_escapes_the_texts():
    text = "<b>a & b</b><script>"
    row = replace(claim("D0-2"), statement=text, printed=Says(text, bool), holds={text: lambda: 1}, why=text)
    html = ClaimTable([row])._repr_html_()
    assert html.count("&lt;b&gt;a &amp; b&lt;/b&gt;&lt;script&gt;") == 4
    assert "<script>" not in ClaimTable([row]).folded().data
    assert "<b>" not in html and "<script>" not in html


def test_the_same_table_gives_the_same_html_with_its_widths_and_without_a_style_sheet():
    first, again, other = (claims(document=label)._repr_html_() for label in ("D4", "D4", "D1"))
    assert first == again != other
    assert "<style" not in first and "id=" not in first
    assert first.count("text-align:left") == first.count("</td>") + first.count("</th>")
    widths = [float(width) for width in re.findall(r"<th[^>]*;width:([\d.]+)%", first)]
    assert len(widths) == 4 and sum(widths) == pytest.approx(100, abs=0.1)


# Lesson 09


def words_of_lesson_09() -> str:
    path = next(Path(__file__).parent.parent.glob("notebooks/09-*.ipynb"))
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def test_the_summary_of_the_lesson_counts_the_verdicts_of_the_ledger():
    found = Counter(row.verdict for row in CLAIMS)
    shown = re.search(
        r"Of (\d+) claims, (\d+) are right as printed, (\d+) are wrong, and (\d+) hold only under a condition .*\. "
        r"(\w+) are misprinted, (\w+) are about time or accuracy, and (\w+) are missing\.",
        words_of_lesson_09(),
    ).groups()
    numbers = [
        int(n) if n.isdigit() else ["Zero", "One", "Two", "Three", "Four", "Five"].index(n.capitalize()) for n in shown
    ]
    order = "right", "wrong", "unstated", "typo", "measure", "missing"
    assert numbers == [len(CLAIMS), *[found[verdict] for verdict in order]]


def test_the_habits_of_the_lesson_would_have_caught_every_flaw():
    habits = words_of_lesson_09().split("## How to see it without a computer")[1].split("## Your turn")[0]
    flawed = {row.id for row in CLAIMS if row.verdict in ("wrong", "unstated", "typo")}
    assert {*re.findall(r"[DS]\d-\d+", habits)} == flawed


def test_the_text_with_no_wrong_claim_that_the_lesson_names_is_the_only_write_up():
    with_wrong = {row.id[:2] for row in CLAIMS if row.verdict == "wrong"}
    assert {*DOCUMENTS} - with_wrong == {"D1"}
    assert "D1 has no wrong claim." in words_of_lesson_09()


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ("judge_parameters", "D0-6 D3-11"),
        ("judge_groups", "D4-10 D4-3"),
        ("judge_steps", "D1-9 D2-7"),
        ("judge_shapes", "D3-5 D0-1"),
        ("judge_readme", "S1-1 S1-2"),
        ("judge_book", "S2-1 S2-2 S2-3"),
    ],
)
def test_the_verdict_that_a_reader_is_told_is_the_ledgers(question, ids):
    letters = [right for right, _ in getattr(check, question).questions]
    assert [[*VERDICTS]["abcdef".index(letter)] for letter in letters] == [claim(id).verdict for id in ids.split()]
