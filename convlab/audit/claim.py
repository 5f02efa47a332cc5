"""A claim: what a write-up prints, what holds, and the verdict that follows from comparing the two.

What holds is computed each time it is asked for; neither it nor the verdict is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from convlab.shape import output_shape
from convlab.spec import ConvSpec
from convlab.table import styled

if TYPE_CHECKING:
    from pandas import DataFrame

DOCUMENTS = {
    "D0": "Standard, grouped and depthwise-separable convolution: concepts and parameters "
    "(普通卷积、分组卷积和深度分离卷积概念以及参数量计算)",
    "D1": "Understanding separable convolution (理解Seperable Convolution), by daimashiren, 2022",
    "D2": "Depthwise-separable convolution (深度分离卷积)",
    "D3": "How to compute the parameters and the work of a convolutional network "
    "(卷积神经网络参数量和计算量的计算方法), by chen_znn",
    "D4": "Grouped convolution (Group Convolution(分组卷积))",
}
VERDICTS = {
    "right": "holds as it is printed",
    "wrong": "fails under the condition it names; if it names none, under every one",
    "typo": "a slip: the meaning is clear and holds, the print does not",
    "unstated": "holds only under a condition that the write-up leaves out",
    "measure": "about time: counting cannot settle it",
    "missing": "promised, and not in the copy we read",
}
COLUMNS = "id", "document", "statement", "printed", "holds", "verdict", "why"
WIDTHS = {"id": 60, "statement": 150, "printed": 155, "holds": 195, "verdict": 75, "why": 145}  # in HTML, in pixels


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
            raise ArithmeticError(f"{self.text} gives {shown(values)}; the count is {shown(counts)}")
        return counts


@dataclass(frozen=True)
class Says:
    """A claim in words; `test(value)` says whether a value agrees with it. Without a test, counting cannot say."""

    text: str
    test: Callable | None = None


def shown(value) -> str:
    """Return a value as the table writes it: a tuple is a shape, a list holds several values.

    >>> shown(13_176_900), shown((1, 6, 2, 2)), shown([64, 16, 32]), shown(Fraction(281, 6400))
    ('13,176,900', '1×6×2×2', '64, 16 and 32', '0.04390625')
    """
    if value is None or isinstance(value, str | Says):
        return getattr(value, "text", value) or "(cut off)"
    if isinstance(value, tuple):
        return "×".join(map(shown, value))
    if isinstance(value, list):
        return ", ".join(map(shown, value[:-1])) + " and " * (len(value) > 1) + shown(value[-1])
    return f"{int(value):,}" if value == int(value) else f"{float(value):.7g}"


@dataclass(frozen=True, repr=False)
class Claim:
    """One statement of a write-up that can be checked.

    Args:
        id: the write-up's label and a number, such as D0-3.
        statement: what it is about, in our words.
        printed: a value, a formula as text, a `Says`, or None. In a dict, the write-up itself names the condition of
            each. Else it names none, and what is printed is compared under every condition of `holds`.
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
        """The title of the write-up."""
        return DOCUMENTS[self.id[:2]]

    def recompute(self) -> dict[str, Any]:
        """Return the value that holds under each condition; of a formula, its value on each of its layers."""
        return {condition: function() for condition, function in self.holds.items()}

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: from whether what is printed agrees with what holds always, sometimes or never."""
        if self.printed is None:
            return "missing"
        if isinstance(self.printed, Says) and self.printed.test is None:
            return "measure"
        named, values = isinstance(self.printed, dict), self.recompute()
        printed = self.printed if named else dict.fromkeys(values, self.printed)
        agreed = [self._agrees(condition, said, values[condition]) for condition, said in printed.items()]
        if all(agreed):
            return "right"
        if self.meant is not None and replace(self, printed=self.meant, meant=None).verdict == "right":
            return "typo"
        return "unstated" if any(agreed) and not named else "wrong"

    def _agrees(self, condition: str, printed, value) -> bool:
        if isinstance(printed, Says):
            return all(map(printed.test, value if isinstance(value, list) else [value]))
        if isinstance(printed, str):
            printed = [evaluate(printed, *layer) for layer in self.holds[condition].layers]
        return printed == value

    def texts(self) -> dict[str, str]:
        """Return the row of the table: each column's text."""
        title, _, _ = self.document.partition(" (")
        printed = self._listed(self.printed) if isinstance(self.printed, dict) else shown(self.printed)
        holds = {
            condition: getattr(self.holds[condition], "text", value) for condition, value in self.recompute().items()
        }
        row = self.id, title, self.statement, printed, self._listed(holds), self.verdict, self.why
        return dict(zip(COLUMNS, row, strict=True))

    def _listed(self, values: dict[str, Any]) -> str:
        """Return "condition: value; …"; a formula that is about one layer alone has its value beside it."""
        texts = []
        for condition, value in values.items():
            layers = getattr(self.holds[condition], "layers", ()) if isinstance(value, str) else ()
            gives = f" (gives {shown(evaluate(value, *layers[0]))})" if len(layers) == 1 else ""
            texts.append(f"{condition}: {shown(value)}{gives}")
        return "; ".join(texts)

    def __repr__(self) -> str:
        return "\n".join(f"{column}: {text}" for column, text in self.texts().items())


class ClaimTable:
    """Claims as a table, computed when it is made: text when printed, HTML in Jupyter, a DataFrame on request.

    HTML leaves out the document, which the id names, and a verdict that all rows share.
    """

    def __init__(self, claims):
        self.claims = tuple(claims)
        self.rows = [claim.texts() for claim in self.claims]

    def to_pandas(self) -> DataFrame:
        """Return the rows as a DataFrame of texts."""
        from pandas import DataFrame  # here, so that the ledger can be read without it

        return DataFrame(self.rows, columns=list(COLUMNS))

    def __repr__(self) -> str:
        return "\n\n".join("\n".join(f"{name}: {text}" for name, text in row.items()) for row in self.rows)

    def _repr_html_(self) -> str:
        shared = {"verdict"} if len({row["verdict"] for row in self.rows}) == 1 else set()
        widths = {name: width for name, width in WIDTHS.items() if name not in shared}
        frame = self.to_pandas()[list(widths)]
        breaks = {"; ": ";\n", " ([−+]) ": "\u00a0\\1\u00a0"}  # each condition on a line, no break inside a sum
        frame = frame.replace({name: breaks for name in ("printed", "holds")}, regex=True)
        total = sum(widths.values())
        rules = {
            "": f"table-layout: fixed; width: 100%; max-width: {total}px",
            "th, td": "text-align: left; vertical-align: top; white-space: pre-line; overflow-wrap: anywhere",
            **{f".col{n}": f"width: {width / total:.2%}" for n, width in enumerate(widths.values())},
        }
        return styled(frame, rules, repr(self)).to_html()
