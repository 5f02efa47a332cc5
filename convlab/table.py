"""A table of costs, one row a layer, with the total."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from pandas import DataFrame
    from pandas.io.formats.style import Styler

HEADINGS = {
    "name": "layer",
    "kind": "kind",
    "output_shape": "output shape",
    "params": "parameters",
    "macs": "MACs",
    "flops": "FLOPs",
    "share": "share of MACs",
}


class LayerCost(NamedTuple):
    """What one layer costs: exact integers, for the whole batch.

    `params` counts parameters, `macs` multiplications with their accumulation, `flops` multiplications plus additions.
    `output_shape` is None for several layers together, and for one that did not run.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    params: int
    macs: int
    flops: int


def styled(frame: DataFrame, looks: dict[str, str], text: str) -> Styler:
    """Return a DataFrame without index, escaped, with CSS rules; a table of the same text has the same HTML."""
    style = frame.style.hide(axis="index").format(escape="html").set_uuid(f"{crc32(text.encode()):x}")
    return style.set_table_styles([{"selector": where, "props": props} for where, props in looks.items()])


class CostTable:
    """Rows of `LayerCost` and their total: text when printed, a table in Jupyter, a DataFrame on request.

    Args:
        rows: the layers.
        note: what the table counts, shown below it.
        uncounted: the names of operations whose work is missing, shown below it.
        group: what the rows are if they are no layers: the heading of their names.
        output_shape: of all rows together; if left out, that of the last row that has one.
    """

    def __init__(
        self,
        rows: Iterable[LayerCost],
        note: str = "",
        uncounted: tuple[str, ...] = (),
        group: str = "",
        output_shape: tuple[int, ...] | None = None,
    ):
        self.rows, self.note, self.uncounted, self.group = tuple(rows), note, uncounted, group
        self.output_shape = output_shape
        if not self.rows:
            raise ValueError("a CostTable has no rows; wanted at least one LayerCost")

    @cached_property
    def total(self) -> LayerCost:
        """The sum of the rows; its output shape is that of the model, or of the last layer of a chain."""
        last = next((row.output_shape for row in reversed(self.rows) if row.output_shape), None)
        return self._sum("total", "", self.rows, self.output_shape or last)

    @staticmethod
    def _sum(name, kind, rows, shape=None) -> LayerCost:
        params, macs, flops = (sum(getattr(row, column) for row in rows) for column in ("params", "macs", "flops"))
        return LayerCost(name, kind, shape, params, macs, flops)

    def grouped(self, by: str | Callable[[LayerCost], str] = "kind") -> CostTable:
        """Return a table with one row for each kind of layer, or for each value of another column or of a function.

        A row is named after its group and has no output shape; its kind is the number of layers it sums.

        Raises:
            ValueError: no such column.

        >>> rows = [LayerCost("a", "standard", (1, 2, 3, 3), 20, 162, 324), LayerCost("b", "standard", None, 5, 0, 0)]
        >>> CostTable(rows).grouped().rows
        (LayerCost(name='standard', kind='2', output_shape=None, params=25, macs=162, flops=324),)
        """
        if not callable(by) and by not in LayerCost._fields:
            columns = ", ".join(LayerCost._fields)
            raise ValueError(f"by={by!r} is no column; wanted a function of a row, or one of {columns}")
        groups = {}
        for row in self.rows:
            groups.setdefault(str(by(row) if callable(by) else getattr(row, by)), []).append(row)
        sizes = [(name, f"{len(rows):,}", rows) for name, rows in groups.items()]
        heading = "group" if callable(by) else HEADINGS[by]
        return CostTable((self._sum(*group) for group in sizes), self.note, self.uncounted, heading)

    def to_pandas(self) -> DataFrame:
        """Return the rows, without the total, as a DataFrame; `share` is a layer's share of the MACs, 0 to 1."""
        return self._frame(self.rows)

    def _frame(self, rows) -> DataFrame:
        from pandas import DataFrame  # here, so that importing convlab stays fast

        frame = DataFrame(rows, columns=LayerCost._fields)
        if self.total.flops >= 2**63:  # beyond pandas' integers: keep Python's, whose sums stay exact
            frame = frame.astype({name: object for name in ("params", "macs", "flops")})
        return frame.assign(share=[row.macs / (self.total.macs or 1) for row in rows])

    def _display_frame(self) -> DataFrame:
        """Return rows and total as the text of a table, with readable headings: – stands for what is not there."""
        frame = self._frame((*self.rows, self.total))
        for name, form in (("params", "{:,}"), ("macs", "{:,}"), ("flops", "{:,}"), ("share", "{:.2%}")):
            frame[name] = [form.format(value) if value else "–" for value in frame[name]]
        frame["output_shape"] = [str(shape) if shape else "–" for shape in frame["output_shape"]]
        if not any(row.output_shape for row in self.rows):
            frame = frame.drop(columns="output_shape")
        return frame.rename(columns=HEADINGS | ({"name": self.group, "kind": "layers"} if self.group else {}))

    def _below(self) -> list[str]:
        return [self.note] * bool(self.note) + [f"NOT COUNTED: {name}" for name in self.uncounted]

    def __str__(self) -> str:
        return "\n".join([self._display_frame().to_string(index=False), *(fill(line, 90) for line in self._below())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        looks = {
            "th, td": "text-align: right; padding: 3px 5px",  # narrow, to fit beside a notebook's prompt
            "td": "white-space: nowrap",
            ".col0, .col1": "text-align: left",
            "caption": "caption-side: bottom; text-align: left",
        }
        style = styled(self._display_frame(), looks, str(self))
        if below := self._below():
            style = style.set_caption("<br>".join(map(escape, below)))
        return style.apply(lambda row: ["font-weight: bold"] * len(row), axis=1, subset=([len(self.rows)],)).to_html()
