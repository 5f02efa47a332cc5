"""A table of costs, one row a layer, with the total; and how any DataFrame becomes HTML that reads well everywhere.

A notebook that is not trusted loses its style sheets, so every style stands in its own tag, and no colour is set: a
table has those of the page, light or dark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from html import escape
from itertools import groupby
from textwrap import fill
from types import EllipsisType
from typing import TYPE_CHECKING, NamedTuple

from convlab.spec import exact_int
from convlab.wording import listed, printable

if TYPE_CHECKING:
    from pandas import DataFrame

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


NUMBER = re.compile(r"[<>≈~±×+−-]? ?\d[\d,.]*(?: ?%| ?[^\W\d]{1,8})?(?: \([^)]*\))?")  # 1,234 or 3 KiB or 2 (1 to 3)
CAPTION = {"caption-side": "bottom", "text-align": "left", "color": "inherit", "padding": "5px"}


def _text(value) -> str:
    """Return a value as a cell shows it, an integer with separators; what is missing in a DataFrame is blank."""
    if value is None or value != value:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _are_numbers(texts: Iterable[str]) -> bool:
    """Say whether the texts of a column are numbers, with their units; – and blanks say nothing."""
    said = [text for text in texts if text not in ("", "–")]
    return bool(said) and all(map(NUMBER.fullmatch, said))


def _spans(labels: list[tuple], level: int) -> list[tuple[int, int]]:
    """Return (start, length) of the runs of labels that are equal up to a level; the last level has no runs."""
    is_last, spans, start = level == len(labels[0]) - 1 if labels else True, [], 0
    for _, run in groupby(enumerate(labels), lambda pair: pair[0] if is_last else pair[1][: level + 1]):
        length = len([*run])
        spans.append((start, length))
        start += length
    return spans


class StyledTable:
    """A DataFrame as a table: text when printed, HTML in Jupyter, with numbers at the right and words at the left.

    Args:
        frame: the cells; a row of several levels, or a column, is headed by each level once.
        looks: more styles for "" (the table), "th", "td", "caption", and ".col0" (a column with its heading).
        text: what is printed; `frame` if left out.
        names: of the levels of the index, one for each; the index is not shown if left out.
        bold: the rows in bold, by number.
    """

    def __init__(
        self,
        frame: DataFrame,
        looks: Mapping[str, str] | None = None,
        text: str | None = None,
        names: Iterable[str] = (),
        bold: Iterable[int] = (),
    ):
        self.frame, self.text, self.names, self.bold = frame, text, tuple(names), {*bold}
        self.looks = [({*where.replace(" ", "").split(",")}, rules) for where, rules in (looks or {}).items()]
        self.caption = ""

    def set_caption(self, html: str) -> StyledTable:
        """Put a note below the table, as HTML."""
        self.caption = html
        return self

    def __repr__(self) -> str:
        return repr(self.frame) if self.text is None else self.text

    def _repr_html_(self) -> str:
        return self.to_html()

    def _tag(self, tag: str, html: str, places: Iterable[str], style: Mapping[str, str], **attributes) -> str:
        """Return an element with its style, to which the looks of its places are added; a span of 1 is not written."""
        style = dict(style)
        for where, rules in self.looks:
            if where & {*places}:
                style |= (map(str.strip, rule.split(":", 1)) for rule in rules.split(";"))
        said = {name: str(value) for name, value in attributes.items() if value not in ("", 1)}
        said |= {"style": ";".join(f"{name}:{value}" for name, value in style.items())} if style else {}
        attributes = "".join(f' {name}="{escape(value)}"' for name, value in said.items())
        return f"<{tag}{attributes}>{html}</{tag}>"

    def _head(self, aligned: list[str]) -> list[list[str]]:
        """Return the rows of headings: those of the columns, and at the left the names of what heads each row."""
        labels = [label if isinstance(label, tuple) else (label,) for label in self.frame.columns]
        levels, axes = self.frame.columns.nlevels, self.frame.columns.names
        is_named = bool(self.names) and all(name is not None for name in axes)
        left = {"text-align": "left"}
        corner = [self._tag("th", escape(name), ["th"], left, rowspan=1 if is_named else levels) for name in self.names]
        rows = []
        for level in range(levels):
            last = level == levels - 1
            axis = {"text-align": "right", "font-style": "italic"}
            row = [self._tag("th", escape(str(axes[level])), ["th"], axis, colspan=len(self.names))] * is_named
            row += corner if not is_named and not level else []
            for start, length in _spans(labels, level):
                places = ["th", f".col{start}"] if last else ["th"]
                style = {"text-align": aligned[start] if length == 1 else "center", "vertical-align": "top"}
                spans = {"colspan": length, "rowspan": 2 if last and is_named else 1}
                row.append(self._tag("th", escape(str(labels[start][level])), places, style, scope="col", **spans))
            rows.append(row)
        return [*rows, corner] if is_named else rows

    def to_html(self) -> str:
        """Return the table, without any style sheet, and with every heading named."""
        lines = [[_text(value) for value in line] for line in self.frame.itertuples(index=False, name=None)]
        columns = [*zip(*lines)] or [()] * len(self.frame.columns)
        aligned = ["right" if _are_numbers(column) else "left" for column in columns]
        heads = [label if isinstance(label, tuple) else (label,) for label in self.frame.index] if self.names else []
        body = [[] for _ in lines]
        for level in range(len(self.names)):
            for start, length in _spans(heads, level):
                style = {"text-align": "left", "vertical-align": "top"}
                html = escape(str(heads[start][level]))
                body[start].append(self._tag("th", html, ["th"], style, scope="row", rowspan=length))
        for n, line in enumerate(lines):
            bold = {"font-weight": "bold"} if n in self.bold else {}
            for column, text in enumerate(line):
                style = {"text-align": aligned[column], **bold}
                body[n].append(self._tag("td", escape(text), ["td", f".col{column}"], style))
        caption = self._tag("caption", self.caption, ["caption"], CAPTION) if self.caption else ""
        head, body = ("\n".join(f"<tr>{''.join(row)}</tr>" for row in rows) for rows in (self._head(aligned), body))
        inside = f"{caption}\n<thead>\n{head}\n</thead>\n<tbody>\n{body}\n</tbody>\n"
        ignored = {"class": "mathjax_ignore tex2jax_ignore"}  # a $ in a name begins no formula
        return self._tag("table", inside, [""], {}, **ignored)


def show_table(frame: DataFrame, *names: str, caption: str = "") -> StyledTable:
    """Return a DataFrame as a table for a notebook, with its index and a name over each level of it.

    Args:
        frame: the cells, texts or integers.
        names: what the rows are, one name for each level of the index; the index's own if left out.
        caption: a note below the table.

    Raises:
        ValueError: another number of names than the index has levels, or a level without a name.

    >>> from pandas import DataFrame
    >>> show_table(DataFrame({"MACs": [4800, 49_152]}, index=["depthwise", "pointwise"]), "layer")
                MACs
    depthwise   4800
    pointwise  49152
    """
    wanted = "wanted what the rows are, such as show_table(frame, 'network')"
    levels = [*frame.index.names]
    if names and len(names) != len(levels):
        raise ValueError(f"{len(names)} names, {listed([*map(repr, names)])}, for {len(levels)} levels; {wanted}")
    names = names or levels
    if not all(names):
        raise ValueError(f"the rows' names are {names}; {wanted}")
    return StyledTable(frame, names=map(str, names)).set_caption(escape(caption))


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
        looks = {"th, td": "padding: 3px 5px; white-space: nowrap"}  # narrow, to fit beside a notebook's prompt
        table = StyledTable(self._display_frame(), looks, str(self), bold=[len(self.rows)])
        return table.set_caption("<br>".join(map(escape, self._below()))).to_html()
