"""The cost of a chain of layers, one row a layer, with the total."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from convlab.cost import flop_count, mac_count, param_count
from convlab.shape import Shape, check_shape, output_shape
from convlab.spec import ConvSpec

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


def conv_kind(in_channels: int, groups: int, kernel_size: tuple[int, ...]) -> str:
    """Return the usual name of a convolution: standard, grouped, depthwise or pointwise.

    With more than one group, one for each input channel, it is depthwise, whatever its kernel.

    >>> conv_kind(8, 1, (1, 1)), conv_kind(8, 2, (1, 1)), conv_kind(8, 8, (3, 3))
    ('pointwise', 'grouped', 'depthwise')
    """
    if groups > 1:
        return "depthwise" if groups == in_channels else "grouped"
    return "pointwise" if set(kernel_size) == {1} else "standard"


def layer_kind(spec: ConvSpec, input_shape: Shape) -> str:
    """Return the usual name of a layer: standard, grouped, depthwise, pointwise or linear.

    A pointwise layer from a 1×1 image to a 1×1 image is a linear (fully connected) layer.

    >>> layer_kind(ConvSpec(8, 6, 1), (1, 8, 4, 4)), layer_kind(ConvSpec(8, 6, 1), (1, 8, 1, 1))
    ('pointwise', 'linear')
    """
    kind = conv_kind(spec.in_channels, spec.groups, spec.kernel_size)
    alone = tuple(input_shape[2:]) == (1, 1) == output_shape(spec, input_shape)[2:]
    return "linear" if kind == "pointwise" and alone else kind


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
    """

    def __init__(self, rows: Iterable[LayerCost], note: str = "", uncounted: tuple[str, ...] = (), group: str = ""):
        self.rows, self.note, self.uncounted, self.group = tuple(rows), note, uncounted, group
        if not self.rows:
            raise ValueError("a CostTable has no rows; wanted at least one LayerCost")

    @property
    def total(self) -> LayerCost:
        """The sum of the rows; its output shape is that of the last layer that has one."""
        shape = next((row.output_shape for row in reversed(self.rows) if row.output_shape), None)
        return self._sum("total", "", self.rows, shape)

    @staticmethod
    def _sum(name, kind, rows, shape=None) -> LayerCost:
        params, macs, flops = (sum(getattr(row, column) for row in rows) for column in ("params", "macs", "flops"))
        return LayerCost(name, kind, shape, params, macs, flops)

    def grouped(self, by: str | Callable[[LayerCost], str] = "kind") -> CostTable:
        """Return a table with one row for each kind of layer, or for each value of another column or of a function.

        A row is named after its group and has no output shape; its kind is the number of layers it sums.

        Raises:
            ValueError: no such column.

        >>> table = chain_cost_table([ConvSpec(3, 8, 3), ConvSpec(8, 8, 3), ConvSpec(8, 4, 1)], (1, 3, 12, 12))
        >>> [(row.name, row.kind, row.params) for row in table.grouped().rows]
        [('standard', '2', 808), ('pointwise', '1', 36)]
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


def named_layers(layers) -> list[tuple[str, ConvSpec]]:
    """Return `layers` as (name, spec) pairs; a layer without a name is called "layer 1", "layer 2", …

    Raises:
        TypeError: not a sequence, or an item that is neither a ConvSpec nor a (name, ConvSpec) pair.
        ValueError: no layer at all.
    """
    wanted = "wanted a list of ConvSpec or of (name, ConvSpec) pairs"
    if isinstance(layers, str | ConvSpec) or not isinstance(layers, Iterable):
        raise TypeError(f"layers={layers!r} is a {type(layers).__name__}; {wanted}")
    pairs = []
    for number, layer in enumerate(layers, 1):
        is_pair = isinstance(layer, tuple | list) and len(layer) == 2 and isinstance(layer[0], str)
        name, spec = layer if is_pair else (f"layer {number}", layer)
        if not isinstance(spec, ConvSpec):
            raise TypeError(f"layer {number} is {layer!r}; {wanted}")
        pairs.append((name, spec))
    if not pairs:
        raise ValueError(f"layers={layers!r} has no layer; {wanted}")
    return pairs


def chain_cost_table(layers, input_shape: Shape) -> CostTable:
    """Return what each layer of a chain costs; each layer's input is the output of the one before.

    Args:
        layers: ConvSpecs or (name, ConvSpec) pairs, in order.
        input_shape: (N, C, H, W) of the first layer's input.

    Raises:
        TypeError: something that is no layer, or a shape that holds no integers.
        ValueError: no layer, a shape of the wrong length, or a layer that does not fit its input; the message
            names the layer.

    >>> table = chain_cost_table(ConvSpec.separable(3, 256, 5, bias=False), (1, 3, 12, 12))
    >>> [row.macs for row in table.rows], table.total.macs  # 75 * 64 + 3 * 256 * 64
    ([4800, 49152], 53952)
    """
    pairs, rows, shape = named_layers(layers), [], check_shape(input_shape)
    for name, spec in pairs:
        try:
            out = output_shape(spec, shape)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        kind = layer_kind(spec, shape)
        rows.append(LayerCost(name, kind, out, param_count(spec), mac_count(spec, shape), flop_count(spec, shape)))
        shape = out
    return CostTable(rows)


def separable_share(kernel_size: int, out_channels: int, multiplier: int = 1) -> float:
    """Return the MACs of a separable layer as a share of the standard layer's: m·(1/M + 1/K²).

    The share depends neither on the input channels nor on the image, so any will do.

    >>> round(separable_share(5, 256), 4)  # 1/256 + 1/25
    0.0439

    Source: Howard et al. 2017 (MobileNets), section 3.1.
    """
    options = {"in_channels": 3, "out_channels": out_channels, "kernel_size": kernel_size, "padding": "same"}
    shape = (1, 3, 32, 32)
    separable = chain_cost_table(ConvSpec.separable(**options, multiplier=multiplier), shape)
    return separable.total.macs / mac_count(ConvSpec(**options), shape)
