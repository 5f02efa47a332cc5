"""A table of costs, one row a layer, with the total."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from html import escape
from textwrap import fill
from types import EllipsisType
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from convlab.spec import exact_int
from convlab.wording import printable

if TYPE_CHECKING:
    from pandas import DataFrame
    from pandas.io.formats.style import Styler

HEADINGS = {
    "name": "layer",
    "kind": "kind",
    "output_shape": "output shape",
    "params": "parameters",
    "macs": "MACs",
    "two_macs": "2 × MACs",
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
    style = style.set_table_attributes('class="mathjax_ignore tex2jax_ignore"')  # a $ in a name begins no formula
    return style.set_table_styles([{"selector": where, "props": props} for where, props in looks.items()])


class CostTable:
    """Rows of `LayerCost` and their total: text when printed, a table in Jupyter, a DataFrame on request.

    Args:
        rows: the layers.
        note: what the table counts, shown below it.
        uncounted: the names of operations whose work is missing, shown below it.
        group: what the rows are if they are no layers: the heading of their names.
        output_shape: of all rows together, None if there is none; if left out, that of the last row that has one.
        two_macs: whether 2 × MACs, which many call FLOPs, have a column too.
    """

    def __init__(
        self,
        rows: Iterable[LayerCost],
        note: str = "",
        uncounted: tuple[str, ...] = (),
        group: str = "",
        output_shape: tuple[int, ...] | EllipsisType | None = ...,
        two_macs: bool = False,
    ):
        self.rows, self.note, self.uncounted, self.group = tuple(rows), note, uncounted, group
        self.output_shape, self.two_macs = output_shape, two_macs
        if not self.rows:
            raise ValueError("a CostTable has no rows; wanted at least one LayerCost")

    @cached_property
    def total(self) -> LayerCost:
        """The sum of the rows; its output shape is that of the model, or of the last layer of a chain."""
        shape = self.output_shape
        if shape is ...:
            shape = next((row.output_shape for row in reversed(self.rows) if row.output_shape), None)
        return self._sum("total", "", self.rows, shape)

    @staticmethod
    def _sum(name, kind, rows, shape=None) -> LayerCost:
        params, macs, flops = (sum(getattr(row, column) for row in rows) for column in ("params", "macs", "flops"))
        return LayerCost(name, kind, shape, params, macs, flops)

    def grouped(self, by: str | Callable[[LayerCost], str] = "kind", depth: int | None = None) -> CostTable:
        """Return a table with one row for each kind of layer, or for each value of another column or of a function.

        A row is named after its group and has no output shape; its kind is the number of layers it sums.

        Args:
            by: a column, or a function of a row.
            depth: group by so many parts of the names instead: 1 puts `stage2.0.conv1` under `stage2`.

        Raises:
            TypeError, ValueError: no such column, or a depth that is no integer of at least 1.

        >>> rows = [LayerCost("a.0", "conv", (1, 2, 3, 3), 20, 162, 324), LayerCost("a.1", "conv", None, 5, 0, 0)]
        >>> CostTable(rows).grouped(depth=1).rows
        (LayerCost(name='a', kind='2', output_shape=None, params=25, macs=162, flops=324),)
        """
        if depth is not None:
            parts = exact_int("depth", depth, 1)
            by = lambda row: ".".join(row.name.split(".")[:parts])  # noqa: E731
        if not callable(by) and by not in LayerCost._fields:
            columns = ", ".join(LayerCost._fields)
            raise ValueError(f"by={by!r} is no column; wanted a function of a row, or one of {columns}")
        groups = {}
        for row in self.rows:
            groups.setdefault(str(by(row) if callable(by) else getattr(row, by)), []).append(row)
        sums = [self._sum(name, f"{len(rows):,}", rows) for name, rows in groups.items()]
        heading = HEADINGS[by] if by in ("name", "kind", "output_shape") else "group"
        return CostTable(sums, self.note, self.uncounted, heading, two_macs=self.two_macs)

    def to_pandas(self) -> DataFrame:
        """Return the rows, without the total, as a DataFrame; `share` is a layer's share of the MACs, 0 to 1."""
        return self._frame(self.rows)

    def _frame(self, rows) -> DataFrame:
        from pandas import DataFrame  # here, so that importing convlab stays fast

        frame = DataFrame(rows, columns=LayerCost._fields)
        if self.total.flops >= 2**63:  # beyond pandas' integers: keep Python's, whose sums stay exact
            frame = frame.astype({name: object for name in ("params", "macs", "flops")})
        if self.two_macs:
            frame.insert(frame.columns.get_loc("macs") + 1, "two_macs", 2 * frame["macs"])
        return frame.assign(share=[row.macs / (self.total.macs or 1) for row in rows])

    def _display_frame(self) -> DataFrame:
        """Return rows and total as the text of a table, with readable headings: – stands for what is not there."""
        frame = self._frame((*self.rows, self.total))
        frame["name"] = [printable(str(name)) for name in frame["name"]]
        for name in frame.columns.intersection(["params", "macs", "two_macs", "flops", "share"]):
            form = "{:.2%}" if name == "share" else "{:,}"
            frame[name] = [form.format(value) if value else "–" for value in frame[name]]
        frame["output_shape"] = ["–" if shape is None else str(shape) for shape in frame["output_shape"]]
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
