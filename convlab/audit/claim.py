"""A claim: what a text prints, what holds, and the verdict that follows from comparing the two.

What holds is computed each time it is asked for; neither it nor the verdict is stored.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from convlab.shape import output_shape
from convlab.spec import ConvSpec
from convlab.table import StyledTable
from convlab.wording import format_number, listed

if TYPE_CHECKING:
    from IPython.display import HTML
    from pandas import DataFrame

DOCUMENTS = {
    "D0": "Standard, grouped and depthwise-separable convolution: concepts and parameters "
    "(普通卷积、分组卷积和深度分离卷积概念以及参数量计算)",
    "D1": "Understanding separable convolution (理解Seperable Convolution), by daimashiren, 2022",
    "D2": "Depthwise-separable convolution (深度分离卷积)",
    "D3": "How to compute the parameters and the work of a convolutional network "
    "(卷积神经网络参数量和计算量的计算方法), by chen_znn",
    "D4": "Grouped convolution (Group Convolution(分组卷积))",
    "S1": "README of thop (github.com/Lyken17/pytorch-OpCounter)",
    "S2": "Dive into Deep Learning, AlexNet (github.com/d2l-ai/d2l-en)",
}
VERDICTS = {
    "right": "holds as it is printed",
    "wrong": "fails under the condition it names; if it names none, under every one",
    "typo": "a slip: the meaning is clear and holds, the print does not",
    "unstated": "holds only under a condition that the text leaves out",
    "measure": "about time or accuracy: counting cannot settle it",
    "missing": "promised, and not in the copy we read",
}
COLUMNS = "id", "document", "statement", "printed", "holds", "verdict", "why"
WIDTHS = {"id": 60, "claim": 200, "what holds": 260, "verdict": 240}  # in HTML, in pixels


def evaluate(formula: str, spec: ConvSpec, shape) -> Any:
    """Return the exact value of a formula for one layer, or None if it has a symbol that nobody defined.

    >>> evaluate("2·K²·C/g − 1", ConvSpec(6, 4, 3, groups=2), (1, 6, 7, 10))
    Fraction(53, 1)
    """
    symbols = {"K": spec.kernel_size[0], "C": spec.in_channels, "M": spec.out_channels, "g": spec.groups}
    symbols |= zip("HW", output_shape(spec, shape)[2:])
    symbols |= {"D": shape[2]} if shape[2] == shape[3] else {}
    code = re.sub("[0-9]+", r"Fraction(\g<0>)", formula)
    for sign, operator in {"·": "*", "×": "*", "−": "-", "²": "**2"}.items():
        code = code.replace(sign, operator)
    try:
        return eval(code, {"__builtins__": {}, "Fraction": Fraction}, {n: Fraction(v) for n, v in symbols.items()})
    except NameError:
        return None


@dataclass(frozen=True)
class Formula:
    """A formula that holds. Called, it returns what `count(spec, shape)` counts on each of its layers.

    Raises:
        ArithmeticError: the formula gives something else than the count.
    """

    text: str
    count: Callable
    layers: tuple
    bias: bool = False

    def __call__(self) -> list:
        counts = [self.count(replace(spec, bias=self.bias), shape) for spec, shape in self.layers]
        values = [evaluate(self.text, *layer) for layer in self.layers]
        if values != counts:
            raise ArithmeticError(f"{self.text} gives {format_value(values)}; the count is {format_value(counts)}")
        return counts


@dataclass(frozen=True)
class Says:
    """A claim in words; `test(value)` says whether a value agrees with it. Without a test, counting cannot say."""

    text: str
    test: Callable | None = None


def format_value(value) -> str:
    """Write a value as the table does: a tuple is a shape, a list holds several values.

    >>> format_value(13_176_900), format_value((1, 6, 2, 2)), format_value([64, 16, 32]), format_value(Fraction(9, 64))
    ('13,176,900', '1×6×2×2', '64, 16 and 32', '0.140625')
    """
    if value is None:
        return "(not in the copy)"
    if isinstance(value, str | Says):
        return getattr(value, "text", value)
    if isinstance(value, tuple):
        return "×".join(map(format_value, value))
    if isinstance(value, list):
        return listed([format_value(number) for number in value])
    return format_number(value, digits=7)


@dataclass(frozen=True, repr=False)
class Claim:
    """One statement of a text that can be checked.

    Args:
        id: the text's label and a number, such as D0-3.
        statement: what it is about, in our words.
        printed: a value, a formula as text, a `Says`, or None. In a dict, the text itself names the condition of
            each, or shows it in a calculation or in code. Else it names none, and what is printed is compared under
            every condition of `holds`.
        holds: for each condition or convention a function that computes what holds, often a `Formula`.
        why: where a difference comes from.
        meant: what a misprint plainly means.

    >>> row = Claim("D0-2", "parameters of 6 filters, 11×11×3", 2178, {"no bias": lambda: 2178, "bias": lambda: 2184})
    >>> row.verdict, replace(row, printed={"no bias": 2178}).verdict
    ('unstated', 'right')
    """

    id: str
    statement: str
    printed: Any
    holds: dict[str, Callable]
    why: str = ""
    meant: Any = None

    @property
    def document(self) -> str:
        """The title of the text."""
        return DOCUMENTS[self.id[:2]]

    def recompute(self) -> dict[str, Any]:
        """Return the value that holds under each condition; of a formula, its value on each of its layers."""
        return {condition: function() for condition, function in self.holds.items()}

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: from whether what is printed agrees with what holds always, sometimes or never."""
        return self.judge(self.recompute())

    def judge(self, values: dict[str, Any]) -> str:
        """Return the verdict, given what `recompute` returned."""
        if self.printed is None:
            return "missing"
        if isinstance(self.printed, Says) and self.printed.test is None:
            return "measure"
        names_conditions = isinstance(self.printed, dict)
        printed = self.printed if names_conditions else dict.fromkeys(values, self.printed)
        agreed = [self._agrees(condition, said, values[condition]) for condition, said in printed.items()]
        if all(agreed):
            return "right"
        if self.meant is not None and replace(self, printed=self.meant, meant=None).judge(values) == "right":
            return "typo"
        return "unstated" if any(agreed) and not names_conditions else "wrong"

    def _agrees(self, condition: str, printed, value) -> bool:
        if isinstance(printed, Says):
            return all(map(printed.test, value if isinstance(value, list) else [value]))
        if isinstance(printed, str):
            printed = [evaluate(printed, *layer) for layer in self.holds[condition].layers]
        return printed == value

    def texts(self) -> dict[str, str]:
        """Return the row of the table: each column's text."""
        values, (title, _, _) = self.recompute(), self.document.partition(" (")
        printed = self._format(self.printed) if isinstance(self.printed, dict) else format_value(self.printed)
        holds = {name: getattr(self.holds[name], "text", value) for name, value in values.items()}
        row = self.id, title, self.statement, printed, self._format(holds), self.judge(values), self.why
        return dict(zip(COLUMNS, row, strict=True))

    def _format(self, values: dict[str, Any]) -> str:
        """Return "condition: value; …"; a formula that is about one layer alone has its value beside it."""
        texts = []
        for condition, value in values.items():
            layers = getattr(self.holds[condition], "layers", ()) if isinstance(value, str) else ()
            gives = f" (gives {format_value(evaluate(value, *layers[0]))})" if len(layers) == 1 else ""
            texts.append(f"{condition}: {format_value(value)}{gives}")
        return "; ".join(texts)

    def __repr__(self) -> str:
        return "\n".join(f"{column}: {text}" for column, text in self.texts().items())


class ClaimTable:
    """Claims as a table, computed when it is made: text when printed, HTML in Jupyter, a DataFrame on request.

    HTML has four columns: what is printed stands below what it is about, and why beside the verdict.

    Args:
        claims: each is computed once.
        verdict: only the claims of this verdict are kept; all, if left out.
    """

    def __init__(self, claims: Iterable[Claim], verdict: str | None = None):
        computed = [(claim, claim.texts()) for claim in claims]
        kept = [(claim, row) for claim, row in computed if verdict in (None, row["verdict"])]
        self.claims = tuple(claim for claim, _ in kept)
        self.rows = [row for _, row in kept]

    def to_pandas(self) -> DataFrame:
        """Return the rows as a DataFrame of texts."""
        from pandas import DataFrame  # here, so that the ledger can be read without it

        return DataFrame(self.rows, columns=list(COLUMNS))

    def folded(self) -> HTML:
        """Return the table for Jupyter, the claims of each text behind a line to click on."""
        from IPython.display import HTML  # here, as it comes with the lessons and not with the package

        return HTML("".join(_folded(label, [*rows]) for label, rows in groupby(self.rows, _label)))

    def __repr__(self) -> str:
        return "\n\n".join("\n".join(f"{name}: {text}" for name, text in row.items()) for row in self.rows)

    def _repr_html_(self) -> str:
        return _table(self.rows)


def _label(row: dict[str, str]) -> str:
    """Return the label of the text that a row is about."""
    return row["id"].partition("-")[0]


def _folded(label: str, rows: list[dict[str, str]]) -> str:
    """Return one text's rows as HTML, behind a line with their number of each verdict."""
    found = Counter(row["verdict"] for row in rows)
    counts = listed([f"{found[verdict]} {verdict}" for verdict in VERDICTS if verdict in found])
    line = escape(f"{label}, {rows[0]['document']}: {counts}")
    return f"<details><summary>{line}</summary>{_table(rows)}</details>"


def _table(rows: list[dict[str, str]]) -> str:
    """Return rows as an HTML table: each condition on a line, no break inside a sum."""
    from pandas import DataFrame

    lines = []
    for row in rows:
        printed, holds = (
            re.sub(" ([−+]) ", "\u00a0\\1\u00a0", row[name].replace("; ", ";\n")) for name in COLUMNS[3:5]
        )
        verdict = f"{row['verdict']}: {row['why']}" if row["why"] else row["verdict"]
        lines.append((row["id"], f"{row['statement']}:\n{printed}", holds, verdict))
    total = sum(WIDTHS.values())
    rules = {
        "": f"table-layout: fixed; width: 100%; max-width: {total}px",
        "th, td": "text-align: left; vertical-align: top; white-space: pre-line; overflow-wrap: anywhere",
        **{f".col{n}": f"width: {width / total:.2%}" for n, width in enumerate(WIDTHS.values())},
    }
    return StyledTable(DataFrame(lines, columns=[*WIDTHS]), rules).to_html()
