"""Every row of the ledger agrees with a second list, typed here by hand, and a changed value is noticed."""

import re
import sys
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser

import pytest
import torch
from strategies import raises

from convlab import ConvSpec, mac_count
from convlab.audit.claim import COLUMNS, DOCUMENTS, VERDICTS, WIDTHS, Claim, ClaimTable, Formula, Says, evaluate
from convlab.audit.write_ups import CLAIMS, GROUPED, STANDARD, claim, claims, macs, pass_macs

BARE, BIASED = "without bias", "with bias"


def of_g(K, C, M, g, H, W):
    return Fraction(1, g)


def bare_flops(K, C, M, g, H, W):
    return (2 * K**2 * C // g - 1) * M * H * W


def biased_flops(K, C, M, g, H, W):
    return 2 * K**2 * (C // g) * M * H * W


def grouped_macs(K, C, M, g, H, W):
    return K**2 * (C // g) * M * H * W


def bare_params(K, C, M, g, H, W):
    return M * C // g * K * K


def biased_params(K, C, M, g, H, W):
    return M * C // g * K * K + M


def d0_flops(K, C, M, g, H, W):
    return (2 * K**2 * C // g + 1) * H * W * M


def d2_ratio(K, C, M, g, H, W):
    return Fraction(M, K**2 + M)


def ratio(K, C, M, g, H, W):
    return Fraction(K**2 * M, K**2 + M)


# id: (verdict, what is printed, what holds); a function is a formula, and what is not compared here is left out
ROWS = {
    "D0-1": (
        "unstated",
        (1, 6, 55, 55),
        {"stride 4, padding 0": (1, 6, 55, 55), "stride 1, padding 0": (1, 6, 217, 217)},
    ),
    "D0-2": ("right", {BARE: 2178}, {BARE: 2178, BIASED: 2184}),
    "D0-3": ("unstated", 13176900, {"FLOPs with bias": 13176900, "FLOPs without bias": 13158750, "MACs": 6588450}),
    "D0-4": ("right", {BARE: lambda *_: -1, BIASED: lambda *_: 0}, {BARE: lambda *_: -1, BIASED: lambda *_: 0}),
    "D0-5": ("right", of_g, {"weights": of_g}),
    "D0-6": ("typo", "N·(C/g)·K·K", {"weights": bare_params}),
    "D0-7": (
        "wrong",
        d0_flops,
        {"FLOPs without bias": bare_flops, "FLOPs with bias": biased_flops, "MACs": grouped_macs},
    ),
    "D0-8": ("right", {BARE: 726}, {BARE: 726, BIASED: 732}),
    "D0-9": (
        "wrong",
        2205225,
        {
            "FLOPs with bias": 4392300,
            "FLOPs without bias": 4374150,
            "MACs": 2196150,
            "by D0-7's formula": 4410450,
        },
    ),
    "D0-10": (
        "missing",
        None,
        {
            "parameters, depthwise and pointwise": [363, 18],
            "parameters": 381,
            "MACs, depthwise and pointwise": [1098075, 54450],
            "MACs": 1152525,
            "share of the standard MACs": [Fraction(1, 6) + Fraction(1, 121)],
        },
    ),
    "D1-1": (
        "right",
        {"1 filter": (1, 1, 8, 8), "256 filters": (1, 256, 8, 8)},
        {"1 filter": (1, 1, 8, 8), "256 filters": (1, 256, 8, 8)},
    ),
    "D1-2": ("right", 1228800, {"MACs": 1228800}),
    "D1-3": ("right", {BARE: 19200}, {BARE: 19200, BIASED: 19456}),
    "D1-4": ("right", {"multiplications": 4800, "parameters": 75}, {"multiplications": 4800, "parameters": 75}),
    "D1-5": ("unstated", lambda *_: Fraction(1, 3), {"C = 3": [Fraction(1, 3)], "C = 4": [Fraction(1, 4)]}),
    "D1-6": ("right", {"multiplications": 49152, "parameters": 768}, {"multiplications": 49152, "parameters": 768}),
    "D1-7": (
        "right",
        {"sum": 53952, "share": "4.39 %"},
        {
            "sum": 53952,
            "share": [Fraction(1, 256) + Fraction(1, 25)],
            "share of the parameters": Fraction(843, 19200),
        },
    ),
    "D1-8": (
        "right",
        "weigh each channel once, then mix M times",
        {"share of outputs that a layer with kernels P[i, c]·D[c] gives too": 1, "rank of one channel's M kernels": 1},
    ),
    "D2-1": (
        "unstated",
        "C·M·K²·D²",
        {
            "stride 1, same padding (H = W = D)": grouped_macs,
            "stride 2, or no padding (H = W < D)": grouped_macs,
        },
    ),
    "D2-2": (
        "right",
        {
            "depthwise": lambda K, C, M, g, H, W: C * K * K * H * W,
            "pointwise": lambda K, C, M, g, H, W: C * M * H * W,
            "total": lambda K, C, M, g, H, W: C * K * K * H * W + C * M * H * W,
        },
        {
            "depthwise": lambda K, C, M, g, H, W: C * K * K * H * W,
            "pointwise": lambda K, C, M, g, H, W: C * M * H * W,
            "total": lambda K, C, M, g, H, W: C * K * K * H * W + C * M * H * W,
        },
    ),
    "D2-3": (
        "wrong",
        {"in general": d2_ratio, "3→16, 3×3": d2_ratio},
        {"in general": ratio, "3→16, 3×3": [Fraction("5.76")]},
    ),
    "D2-4": (
        "unstated",
        "very clear",
        {
            "3×3, M = 16": Fraction("5.76"),
            "3×3, M = 256": Fraction(9 * 256, 265),
            "3×3, M = 10⁶": Fraction(9 * 10**6, 10**6 + 9),
            "1×1, M = 10⁶": Fraction(10**6, 10**6 + 1),
        },
    ),
    "D2-5": (
        "right",
        {"standard": (1, 16, 32, 32), "separable": (1, 16, 32, 32)},
        {
            "standard": (1, 16, 32, 32),
            "separable": (1, 16, 32, 32),
            "parameters, standard": 448,
            "parameters, separable": 30 + 64,
            "MACs, standard": 442368,
            "MACs, separable": 76800,
        },
    ),
    "D2-6": ("unstated", 1, {"depth multiplier 1": 1, "depth multiplier 2": 2}),
    "D3-1": ("typo", {BARE: bare_params, BIASED: "(K²·C× +1)·M"}, {BARE: bare_params, BIASED: biased_params}),
    "D3-2": ("right", {BARE: bare_flops, BIASED: biased_flops}, {BARE: bare_flops, BIASED: biased_flops}),
    "D3-3": (
        "wrong",
        lambda K, C, M, g, H, W: (g * C, M, K, K),
        {"PyTorch": lambda K, C, M, g, H, W: (M, C // g, K, K)},
    ),
    "D3-4": (
        "right",
        {
            "parameters without bias": bare_params,
            "parameters with bias": biased_params,
            "FLOPs without bias": bare_flops,
            "FLOPs with bias": biased_flops,
        },
        {
            "parameters without bias": bare_params,
            "parameters with bias": biased_params,
            "FLOPs without bias": bare_flops,
            "FLOPs with bias": biased_flops,
        },
    ),
    "D3-5": ("unstated", (1, 6, 2, 2), {"stride 3": (1, 6, 2, 2), "stride 1": (1, 6, 4, 4)}),
    "D3-6": (
        "right",
        {"FLOPs with bias": 1296},
        {"FLOPs with bias": 1296, "FLOPs without bias": 1272, "MACs": 648},
    ),
    "D3-7": ("wrong", {"print": lambda *_: 1296, "value": 432}, {"print": [432], "value": 432}),
    "D3-8": (
        "wrong",
        {"g = 1": 1296, "g = 3": 432},
        {"g = 1": 648, "g = 3": 216, "g = 1, inputs=(x)": 1296, "g = 3, inputs=(x)": 432},
    ),
    "D3-9": (
        "measure",
        "faster in theory only: too few FLOPs for each byte",
        {"FLOPs for each byte, standard": 166.0, "FLOPs for each byte, depthwise": 2.2},
    ),
    "D3-10": (
        "right",
        {
            "parameters without bias": lambda K, C, M, g, H, W: C * M,
            "parameters with bias": lambda K, C, M, g, H, W: (C + 1) * M,
            "FLOPs without bias": lambda K, C, M, g, H, W: (2 * C - 1) * M,
            "FLOPs with bias": lambda K, C, M, g, H, W: 2 * C * M,
        },
        {
            "parameters without bias": lambda K, C, M, g, H, W: C * M,
            "parameters with bias": lambda K, C, M, g, H, W: (C + 1) * M,
            "FLOPs without bias": lambda K, C, M, g, H, W: (2 * C - 1) * M,
            "FLOPs with bias": lambda K, C, M, g, H, W: 2 * C * M,
        },
    ),
    "D4-1": (
        "unstated",
        [64, 16, 32],
        {"1×1, without bias": [64, 16, 32], "1×1, with bias": [72, 20, 40], "3×3, without bias": [576, 144, 288]},
    ),
    "D4-2": (
        "wrong",
        {"2 groups": (1, 16, 1, 1), "without groups": (1, 16, 1, 1)},
        {"2 groups": (1, 6, 1, 1), "without groups": (1, 6, 1, 1)},
    ),
    "D4-3": ("wrong", [24, 48], {BARE: [12, 24], BIASED: [15, 30]}),
    "D4-4": ("right", {BARE: 48}, {BARE: 48, BIASED: 54}),
    "D4-5": (
        "right",
        "less, forward and backward",
        {"MACs forward, as a part of those without groups": of_g, "backward": of_g},
    ),
    "D4-6": ("measure", "more efficient", {"MACs, as a part of those without groups": of_g}),
    "D4-7": (
        "unstated",
        "saved",
        {"weights, as a part of those without groups": of_g, "input and output": lambda *_: 1},
    ),
}


def by_hand(formula, layers) -> list:
    """Evaluate a formula of this file on layers; the output's size is torch's."""
    values = []
    for spec, shape in layers:
        H, W = torch.nn.Conv2d(**vars(spec), device="meta")(torch.empty(shape, device="meta")).shape[2:]
        values.append(formula(spec.kernel_size[0], spec.in_channels, spec.out_channels, spec.groups, H, W))
    return values


def differences(row: Claim) -> list[str]:
    """Return in what a claim differs from the list above."""
    verdict, printed, holds = ROWS[row.id]
    try:
        values, found = row.recompute(), [] if row.verdict == verdict else [row.verdict]
    except ArithmeticError as error:
        return [str(error)]
    for condition, wanted in holds.items():
        wanted = by_hand(wanted, row.holds[condition].layers) if callable(wanted) else wanted
        found += [] if values[condition] == wanted else [condition]
    named = isinstance(printed, dict)
    if isinstance(row.printed, dict) != named or (named and row.printed.keys() != printed.keys()):
        return [*found, "the conditions of what is printed"]
    for condition, wanted in printed.items() if named else dict.fromkeys(holds, printed).items():
        given = row.printed[condition] if named else row.printed
        if callable(wanted):
            layers = row.holds[condition].layers
            given, wanted = [evaluate(given, *layer) for layer in layers], by_hand(wanted, layers)
        given = given.text if isinstance(given, Says) else given
        found += [] if given == wanted else [f"printed, {condition}"]
    return found


def changed(value):
    """Return a value or a formula that differs a little."""
    if isinstance(value, str):
        return value.replace("C", "2·C", 1) if "C" in value else f"{value} + 1"
    if isinstance(value, tuple | list):
        return type(value)([*value[:-1], changed(value[-1])])
    if isinstance(value, Says):
        return Says(f"not {value.text}", value.test)
    return 1 if value is None else value + 1


def mutants():
    """Yield (what, claim) for every claim with one printed value or one value that holds changed."""
    for row in CLAIMS:
        printed = row.printed if isinstance(row.printed, dict) else {None: row.printed}
        for condition, value in printed.items():
            new = {**printed, condition: changed(value)}
            yield f"{row.id} printed {condition}", replace(row, printed=new if condition is not None else new[None])
        for condition, function in row.holds.items():
            new = lambda function=function: changed(function())  # noqa: E731
            if isinstance(function, Formula):
                new = replace(function, text=changed(function.text))
            yield f"{row.id} holds {condition}", replace(row, holds={**row.holds, condition: new})


MUTANTS = dict(mutants())


# The rows


def test_every_row_is_in_the_ledger_and_in_this_list():
    assert [row.id for row in CLAIMS] == list(ROWS)
    assert len(ROWS) == 10 + 8 + 6 + 10 + 7


@pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row.id)
def test_every_row_recomputes_to_what_is_listed_here(row):
    assert differences(row) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_changed_value_fails(name):
    assert differences(MUTANTS[name]) != []


def test_every_value_of_the_ledger_is_compared_with_this_list():
    for row in CLAIMS:
        assert set(row.holds) == set(ROWS[row.id][2])


def test_a_changed_count_fails_its_formula():
    formula = claim("D0-7").holds["MACs"]
    with raises(ArithmeticError, "K²·C/g·H·W·M gives", "the count is"):
        replace(formula, count=lambda spec, shape: macs(spec, shape) + 1)()


@pytest.mark.parametrize(("spec", "shape"), GROUPED)
def test_the_backward_pass_takes_twice_the_macs_of_the_forward_pass(spec, shape):  # D4-5
    assert pass_macs(spec, shape) == mac_count(spec, shape)
    assert pass_macs(spec, shape, backward=True) == 2 * mac_count(spec, shape)


def test_the_saving_grows_and_never_passes_the_square_of_the_kernel():  # D2-4
    small, middle, large, one_by_one = claim("D2-4").recompute().values()
    assert small < middle < large < 9
    assert one_by_one < 1


def test_the_ledger_needs_thop_for_one_claim_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "thop", None)
    for row in CLAIMS:
        if row.id != "D3-8":
            assert row.recompute()
    with pytest.raises(ImportError):
        claim("D3-8").recompute()


@pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row.id)
def test_a_claim_explains_every_verdict_but_right(row):
    assert row.statement
    assert row.why or row.verdict == "right"
    assert row.document == DOCUMENTS[row.id[:2]]


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


def test_every_verdict_is_given():
    assert {row.verdict for row in CLAIMS} == set(VERDICTS)


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


class Cells(HTMLParser):
    """The texts of a table's cells, row by row, and the tags of the page."""

    def __init__(self, html: str):
        super().__init__()
        self.rows, self.tags, self.inside = [], set(), False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.inside = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        if self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def table() -> ClaimTable:
    return claims(document="D0")


def test_claims_without_a_filter_are_the_whole_ledger():
    assert claims().claims == CLAIMS


@pytest.mark.parametrize("verdict", VERDICTS)
def test_claims_are_filtered_by_verdict(verdict):
    assert [row.id for row in claims(verdict).claims] == [id for id, row in ROWS.items() if row[0] == verdict]


def test_claims_are_filtered_by_document_and_by_both():
    assert [row.id for row in claims(document="D2").claims] == [f"D2-{n}" for n in range(1, 7)]
    assert [row.id for row in claims("wrong", "D4").claims] == ["D4-2", "D4-3"]
    assert claims("missing", "D1").claims == ()
    assert Cells(claims("missing", "D1")._repr_html_()).rows[0] == list(WIDTHS)


def test_a_filter_that_there_is_not_is_an_error_that_lists_those_there_are():
    with raises(ValueError, "verdict='false'", "right, wrong, typo, unstated, measure, missing"):
        claims("false")
    with raises(ValueError, "document='D5'", "D0, D1, D2, D3, D4"):
        claims(document="D5")
    with raises(ValueError, "id='D0-11'", "D0-1, D0-2"):
        claim("D0-11")


def test_a_claim_is_found_by_its_id():
    assert claim("D3-8") is CLAIMS[31]


def test_the_text_names_every_column_of_every_claim(table):
    blocks = repr(table).split("\n\n")
    assert len(blocks) == 10
    for block, row in zip(blocks, table.rows, strict=True):
        assert [line.partition(": ")[0] for line in block.splitlines()] == list(COLUMNS)
        assert [line.partition(": ")[2] for line in block.splitlines()] == list(row.values())
    assert repr(table.claims[0]) == blocks[0]


def test_to_pandas_has_the_same_texts(table):
    frame = table.to_pandas()
    assert tuple(frame.columns) == COLUMNS
    assert frame.to_dict("records") == table.rows


def test_the_texts_have_the_values():
    row = claim("D0-9").texts()
    assert row["printed"] == "2,205,225"
    assert "FLOPs with bias: 4,392,300; MACs: 2,196,150; by D0-7's formula: 4,410,450" in row["holds"]
    row = claim("D2-3").texts()
    assert row["printed"] == "in general: M/(K² + M); 3→16, 3×3: M/(K² + M) (gives 0.64)"
    assert row["holds"] == "in general: K²·M/(K² + M); 3→16, 3×3: K²·M/(K² + M) (gives 5.76)"
    assert claim("D0-10").texts()["printed"] == "(cut off)"
    assert claim("D1-7").texts()["printed"] == "sum: 53,952; share: 4.39 %"
    assert claim("D4-1").texts()["printed"] == "64, 16 and 32"
    assert "1×16×1×1" in claim("D4-2").texts()["printed"]


def test_html_has_the_same_texts_but_the_document(table):
    heading, *lines = Cells(table._repr_html_()).rows
    assert heading == list(WIDTHS) == [name for name in COLUMNS if name != "document"]
    for line, row in zip(lines, table.rows, strict=True):
        shown = {
            name: text.replace(";\n", "; ").replace("\u00a0", " ") for name, text in zip(heading, line, strict=True)
        }
        assert {"document": row["document"], **shown} == row


def test_html_leaves_out_a_verdict_that_all_rows_share():
    wrong = claims("wrong")
    heading, *lines = Cells(wrong._repr_html_()).rows
    assert heading == ["id", "statement", "printed", "holds", "why"]
    assert [(line[0], line[-1]) for line in lines] == [(row["id"], row["why"]) for row in wrong.rows]


@pytest.mark.parametrize("verdict", [None, "wrong"])
def test_html_wraps_its_text_and_fits_a_page(verdict):
    style = claims(verdict, "D0")._repr_html_().partition("</style>")[0]
    assert "table-layout: fixed" in style and "width: 100%" in style
    assert int(re.search(r"max-width: (\d+)px", style)[1]) <= 780
    assert "nowrap" not in style and "hidden" not in style
    widths = [float(width) for width in re.findall(r"\.col\d \{\s*width: ([\d.]+)%", style)]
    assert len(widths) == len(WIDTHS) - (verdict is not None)
    assert sum(widths) == pytest.approx(100, abs=0.1)


def test_html_escapes_the_texts():
    text = "<b>a & b</b><script>"
    row = replace(claim("D0-2"), statement=text, printed=Says(text, bool), holds={text: lambda: 1}, why=text)
    page = Cells(ClaimTable([row])._repr_html_())
    assert not {"b", "script"} & page.tags
    assert page.rows[1][1:] == [text, text, f"{text}: 1", text]


def test_the_same_table_gives_the_same_html_and_two_tables_share_no_id(table):
    ids = [set(re.findall(r'id="(\w+)"', shown._repr_html_())) for shown in (table, claims(document="D1"))]
    assert not ids[0] & ids[1]
    assert table._repr_html_() == claims(document="D0")._repr_html_()
