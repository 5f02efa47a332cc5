"""The figures of the course: every drawing is a function on one Axes, and `show` makes a picture of it.

`draw_*(data, ax=None, **options)` draws on `ax`, or on a new one, and returns it. Its twin `describe_*(data)`,
with the same options, says in one or two sentences what the drawing shows, from the same data: the alt text.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise, product
from math import floor, isfinite, log2, log10
from numbers import Real
from reprlib import repr as short_repr
from string import ascii_uppercase
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle

from convlab.cost import mac_count
from convlab.picture import (
    HIGHLIGHT,
    INK,
    INPUT,
    KERNEL,
    OUTPUT,
    PADDING,
    PAGE_INCHES,
    PAPER,
    UNIT_INCHES,
    arrow,
    canvas,
    cell,
    drawing,
    minus,
    node,
    number_cells,
    panel_inches,
    show,
    tint,
    unit_inches,
    write,
)
from convlab.shape import Shape, check_spec, output_shape, pads
from convlab.spec import ConvSpec, Pair, check_groups, exact_int
from convlab.table import cost_table, layer_kind, named_layers

__all__ = [
    "MaskPanel",
    "WindowStep",
    "describe_cost_bars",
    "describe_mask",
    "describe_separable_share",
    "describe_shuffle",
    "describe_volumes",
    "describe_window",
    "describe_wiring",
    "draw_cost_bars",
    "draw_mask",
    "draw_separable_share",
    "draw_shuffle",
    "draw_volumes",
    "draw_window",
    "draw_wiring",
    "kernel_pairs",
    "separable_share",
    "show",
    "shuffle_order",
    "window_steps",
    "window_taps",
    "wrong_cells",
]

BESIDE_INCHES = 3.5  # a panel this wide has its two parts side by side, a narrower one below each other
WEIGHT_INCHES, WEIGHT_LETTERS = 0.38, 4  # a tap this large has room for a weight and a number this long
MAX_CHANNELS, MAX_CELLS, MAX_LAYERS = 16, 20, 4  # more would be too small to read
MAX_NUMBERS = 9  # more would make the alt text a list
FILTERS = [2**n for n in range(11)]  # 1 to 1,024, the numbers of filters on an axis
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def _percent(share):
    return f"{100 * share:.3g} %"


def _entry(number, digits=3):
    """Write one number of an array: an integer as it is, another to a few digits."""
    return minus(f"{number:.{6 if float(number).is_integer() else digits}g}")


def _given(value):
    """Quote a value of the wrong kind, in one line."""
    return f"{' '.join(short_repr(value).split())} is a {type(value).__name__}"


def _check_pair(value, wanted, name=""):
    """Raise an error unless `value` is a tuple or list of two."""
    if not isinstance(value, tuple | list):
        raise TypeError(f"{name}{_given(value)}; wanted {wanted}")
    if len(value) != 2:
        raise ValueError(f"{name}{value!r} has length {len(value)}; wanted {wanted}")


def _check_limit(name, number, limit):
    if number > limit:
        raise ValueError(f"{name}={number} is too many to draw; wanted at most {limit}")


# --- one step of the window ---------------------------------------------------------------------------------


class WindowStep(NamedTuple):
    """One position of the window: the layer, its input shape (N, C, H, W) and the output cell (i, j).

    `values` are the H×W numbers of one input channel, `kernel` the weights that they are multiplied by.
    """

    spec: ConvSpec
    input_shape: Shape
    position: Pair
    values: Any = None
    kernel: Any = None


def window_steps(
    spec: ConvSpec, input_shape: Shape, count: int | None = None, values=None, kernel=None
) -> list[WindowStep]:
    """Return the first `count` positions of the window in reading order, all if `count` is left out.

    Raises:
        TypeError: a count that is no integer.
        ValueError: a count below 1.

    >>> [step.position for step in window_steps(ConvSpec(1, 1, 3, stride=2), (1, 1, 7, 7), count=4)]
    [(0, 0), (0, 1), (0, 2), (1, 0)]
    """
    height, width = output_shape(spec, input_shape)[2:]
    count = height * width if count is None else min(exact_int("count", count, 1), height * width)
    return [WindowStep(spec, input_shape, divmod(n, width), values, kernel) for n in range(count)]


def _position(step):
    """Return the output cell of a step, checked, as two integers."""
    if not isinstance(step, WindowStep):
        raise TypeError(f"{_given(step)}; wanted a WindowStep, such as WindowStep(spec, (1, 1, 5, 5), position=(0, 0))")
    sizes, position = output_shape(step.spec, step.input_shape)[2:], step.position
    _check_pair(position, "the (row, column) of an output cell", "position=")
    row, column = (exact_int(f"position's {axis}", at, 0) for axis, at in zip(("row", "column"), position))
    for axis, at, size in zip(("row", "column"), (row, column), sizes):
        if at >= size:
            raise ValueError(f"position={(row, column)} has {axis} {at}; wanted 0 to {size - 1}")
    return row, column


def window_taps(step: WindowStep) -> tuple[list[int], list[int]]:
    """Return the input rows and columns that the window reads, i·s − p + u·d; outside the image is padding.

    >>> window_taps(WindowStep(ConvSpec(1, 1, 3, stride=2, padding=1), (1, 1, 5, 5), (0, 1)))
    ([-1, 0, 1], [1, 2, 3])
    """
    position, spec = _position(step), step.spec
    starts = (at * s - before for at, s, (before, _) in zip(position, spec.stride, pads(spec)))
    return tuple([start + d * u for u in range(k)] for start, k, d in zip(starts, spec.kernel_size, spec.dilation))


def _span(name, taps):
    """Name the taps of one axis: "row 4", "rows 0 to 2", "rows 0, 2, 4"."""
    name += "s" * (len(taps) > 1)
    if len(taps) > 2 and taps[1] - taps[0] == 1:
        return f"{name} {minus(taps[0])} to {minus(taps[-1])}"
    return f"{name} {', '.join(map(minus, taps))}"


def _padded(step):
    """Return the numbers of the input with its padding, None if the step has none."""
    if step.values is None:
        return None
    values, size = np.asarray(step.values), tuple(step.input_shape[2:])
    if values.shape != size:
        raise ValueError(f"values has shape {values.shape}; wanted {size}, the height and width of the input")
    return np.pad(values.astype(float), pads(step.spec))


def _kernel(step):
    """Return the weights of the kernel as an array, None if the step has none."""
    if step.kernel is None:
        return None
    kernel, size = np.asarray(step.kernel), step.spec.kernel_size
    if kernel.shape != size:
        raise ValueError(f"kernel has shape {kernel.shape}; wanted {size}, the kernel_size of the layer")
    if step.values is None:
        raise ValueError("kernel is given and values is None; wanted both: the numbers of the input and their weights")
    return kernel.astype(float)


def _numbers_read(step):
    """Return the numbers under the window, K×K, with the zeros of the padding."""
    (rows, columns), ((top, _), (left, _)) = window_taps(step), pads(step.spec)
    return _padded(step)[np.ix_([top + r for r in rows], [left + c for c in columns])]


def _output(step):
    """Return the sum of products of the numbers under the window and the weights, free of float noise."""
    return round(float((_numbers_read(step) * _kernel(step)).sum()), 9) + 0.0  # no −0


def _matrix(numbers):
    return "; ".join(", ".join(map(_entry, line)) for line in numbers)


def describe_window(step: WindowStep) -> str:
    """Say what one output cell is computed from: rows and columns, then numbers and result if known."""
    (rows, columns), (height, width) = window_taps(step), step.input_shape[2:]
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    read, kernel, numbers = len(rows) * len(columns), _kernel(step), ""
    zeros = read - sum(0 <= r < height for r in rows) * sum(0 <= c < width for c in columns)
    few = read <= MAX_NUMBERS
    if step.values is not None and few:
        numbers = f" The numbers, row by row: {_matrix(_numbers_read(step))}."
    if kernel is not None:
        weights = f" {_matrix(kernel)}" * few
        numbers += f" The sum of products with the weights{weights} gives {_entry(_output(step))}."
    return (
        f"Output {_position(step)} of {out_height} × {out_width} is computed from {_span('row', rows)} and "
        f"{_span('column', columns)} of the {height} × {width} input; "
        f"padding zeros among the {read} numbers read: {zeros}.{numbers}"
    )


@drawing(describe_window)
def draw_window(step: WindowStep, ax: Axes | None = None) -> Axes:
    """Draw the input with its padding, the taps of the window at one position, and the output cell they give.

    The output stands beside the input where there is room, else below. Only one channel is drawn. With values and
    a kernel, the outputs so far are written into their cells, and the weights where the taps are large enough.

    Raises:
        TypeError: no WindowStep, or a position that holds something else than integers.
        ValueError: a position outside the output, values of another size than the input, a kernel of another size
            than the layer's or without values, or an input of more than 20 cells a side, padding included.
    """
    (rows, columns), (height, width), (i, j) = window_taps(step), step.input_shape[2:], _position(step)
    values, kernel = _padded(step), _kernel(step)
    (top, bottom), (left, right) = pads(step.spec)
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    high, wide = height + top + bottom, width + left + right
    _check_limit("cells on one side of the padded input", max(high, wide), MAX_CELLS)

    beside = panel_inches(ax) >= BESIDE_INCHES
    head = 1 if beside else 2  # rows above the grid: the column numbers and, if the output is below, a caption
    lane = 0.5 * (kernel is not None)  # room beside the output for an arrow that goes around its numbers
    if beside:
        ox, oy, below = wide + 3.5, 1 + max(0, (high - out_height) / 2), lane + 0.2
    else:
        ox, oy, below = 1 + max(0, (wide - out_width) / 2), high + head + 1.5, 0.2
    sheet = max(wide + 1.2, ox + out_width + lane + 0.2), max(high + head + 0.2, oy + out_height + below)
    weights = {}  # of the taps, as text; none if there is no room
    if kernel is not None and unit_inches(panel_inches(ax), *sheet) >= WEIGHT_INCHES:
        weights = {(r, c): f"×{_entry(kernel[u, v])}" for u, r in enumerate(rows) for v, c in enumerate(columns)}
        if max(map(len, [*weights.values(), *map(_entry, values.flat)])) > WEIGHT_LETTERS:
            weights = {}
    for y, x in product(range(high), range(wide)):
        r, c = y - top, x - left
        inside, tap = 0 <= r < height and 0 <= c < width, r in rows and c in columns
        face = KERNEL if tap else tint(INPUT, 0.75) if inside else PADDING
        number = ("" if inside else "0") if values is None else _entry(values[y, x])
        look = {"linewidth": 2, "zorder": 3} if tap else {}
        cell(ax, 1 + x, head + y, face, number, weights.get((r, c), ""), hatch=None if inside else "////", **look)
    number_cells(ax, 1, head, range(-top, height + bottom), range(-left, width + right))

    for at in product(range(out_height), range(out_width)):
        face = HIGHLIGHT if at == (i, j) else tint(OUTPUT, 0.55) if at < (i, j) else PAPER
        look = {"linewidth": 2, "zorder": 3} if face == HIGHLIGHT else {"zorder": 2}
        number = "" if kernel is None or at > (i, j) else _entry(_output(step._replace(position=at)))
        cell(ax, ox + at[1], oy + at[0], face, number, **look)

    # The arrow crosses no number: it starts at the edge of an input with numbers and comes in through empty cells.
    x0, y0, blank = 1 + left, head + top, values is None  # (x0, y0) is the corner of the image
    x, y = x0 + (columns[0] + columns[-1] + 1) / 2, y0 + (rows[0] + rows[-1] + 1) / 2
    x1 = x0 + columns[-1] + 1 if blank and not right else 1 + wide
    y1 = y0 + rows[-1] + 1 if blank and not bottom else head + high
    if beside and (kernel is None or j == 0):
        arrow(ax, (x1, y), (ox + j, oy + i + 0.5))
    elif beside:
        turn, end = (ox - 0.7, oy + i + 1.5), (ox + j + 0.5, oy + i + 1)
        arrow(ax, (x1, y), (turn[0], y), turn, (end[0], turn[1]), end)
    elif kernel is None or i == 0:
        arrow(ax, (x, y1), (ox + j + 0.5, oy + i))
    else:
        turn, end = (ox + out_width + 0.5, oy - 0.6), (ox + j + 1, oy + i + 0.5)
        arrow(ax, (x, y1), (x, turn[1]), turn, (turn[0], end[1]), end)
    padded = ", padded" if high * wide > height * width else ""
    caption = (1, high + 1.2) if beside else (1, 0.5)
    ax.text(*caption, f"input {height} × {width}{padded}", va="top" if beside else "center")
    ax.text(ox, oy + out_height + below, f"output {out_height} × {out_width}", va="top")
    title = [f"output {(i, j)}:", f"{_span('row', rows)},", _span("column", columns)]
    title = " ".join(part.replace(" ", "\xa0") for part in title)  # breaks between the parts only
    canvas(ax, *sheet, title)
    return ax


# --- which input channel reaches which output channel -------------------------------------------------------


def kernel_pairs(spec: ConvSpec) -> list[Pair]:
    """Return the (output channel, input channel) pairs that have a kernel: those of the same group.

    >>> kernel_pairs(ConvSpec(4, 2, 3, groups=2))
    [(0, 0), (0, 1), (1, 2), (1, 3)]
    """
    each_out, each_in = spec.out_channels // spec.groups, spec.in_channels // spec.groups
    return [(m, c) for m in range(spec.out_channels) for c in range(spec.in_channels) if m // each_out == c // each_in]


def _wiring_title(spec):
    kind, pairs = layer_kind(spec, (1, spec.in_channels, 2, 2)), spec.out_channels * spec.in_channels
    return f"{kind}, g = {spec.groups}: {len(kernel_pairs(spec))} of {pairs} channel pairs have a kernel"


def describe_wiring(spec: ConvSpec) -> str:
    """Say how many of the channel pairs have a kernel."""
    each = check_spec(spec).in_channels // spec.groups
    return (
        f"From {spec.in_channels} to {spec.out_channels} channels, {_wiring_title(spec)}; "
        f"each output channel reads {each} input channel{'s' * (each > 1)}."
    )


def _group_look(group, groups):
    """Return the shade of one group, from the kernel's colour towards ink, and its dash."""
    return tint(KERNEL, 0.1 + 0.5 * group / max(1, groups - 1), INK), DASHES[group % len(DASHES)]


@drawing(describe_wiring)
def draw_wiring(spec: ConvSpec, ax: Axes | None = None) -> Axes:
    """Draw a line for each pair of channels that has a kernel, and the same pairs as cells of an M×C matrix.

    Raises:
        ValueError: more than 16 channels on a side.
    """
    ins, outs, groups = check_spec(spec).in_channels, spec.out_channels, spec.groups
    _check_limit("in_channels", ins, MAX_CHANNELS)
    _check_limit("out_channels", outs, MAX_CHANNELS)
    letters = ascii_uppercase if groups > 1 else [""]
    high, xs = 1 + max(ins, outs), (1.5, 6.0)
    tops = (1 + (high - 1 - ins) / 2, 1 + (high - 1 - outs) / 2)
    x0, y0 = (9.6, tops[1]) if panel_inches(ax) >= BESIDE_INCHES else (2.0, high + 3.5)  # the corner of the matrix
    for x, top, count, face, side in zip(xs, tops, (ins, outs), (INPUT, OUTPUT), ("input", "output")):
        for n in range(count):
            node(ax, x, top + n + 0.5, str(n), face)
        for group in range(groups):
            outer = x - 0.9 if side == "input" else x + 0.9
            write(ax, outer, top + (group + 0.5) * (count // groups), letters[group], weight="bold")
        write(ax, x, high + 0.2, f"{side}\nchannel", va="top")
    pairs = kernel_pairs(spec)
    for m, c in product(range(outs), range(ins)):
        group, wired = m * groups // outs, (m, c) in pairs
        if wired:
            color, dash = _group_look(group, groups)
            ax.plot(xs, (tops[0] + c + 0.5, tops[1] + m + 0.5), color=color, linestyle=dash, linewidth=1.2)
        cell(ax, x0 + c, y0 + m, tint(KERNEL, 0.25) if wired else PAPER, letters[group] if wired else "")
    names = ("output channel" if outs > 4 else "output\nchannel", "input channel" if ins > 2 else "input\nchannel")
    number_cells(ax, x0, y0, range(outs), range(ins), names)
    canvas(ax, max(xs[1] + 1.2, x0 + ins + 0.2), max(high, y0 + outs) + 0.2, _wiring_title(spec))
    return ax


# --- a learner's matrix beside the target -------------------------------------------------------------------


class MaskPanel(NamedTuple):
    """A titled 2-D array of booleans or numbers, None for "not yet", and the array it should equal, if any."""

    title: str
    mask: Any
    target: Any = None


def _check_panel(panel):
    if not isinstance(panel, MaskPanel):
        raise TypeError(f"{_given(panel)}; wanted a MaskPanel, such as MaskPanel('yours', array)")
    return panel


def _grid(array):
    """Return a panel's array as a 2-D numpy array, None as None."""
    if array is None:
        return None
    array = np.asarray(array)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"the array has shape {array.shape}; wanted 2 axes, rows and columns, and at least one cell")
    _check_limit("cells on one side of the array", max(array.shape), MAX_CELLS)
    return array


def wrong_cells(panel: MaskPanel) -> list[Pair]:
    """Return the (row, column) of each cell that differs from the target, if there is one to compare.

    >>> wrong_cells(MaskPanel("yours", [[1, 2], [3, 5]], target=[[1, 2], [3, 4]]))
    [(1, 1)]
    """
    mask, target = _grid(_check_panel(panel).mask), _grid(panel.target)
    if mask is None or target is None or mask.shape != target.shape:
        return []
    return [(int(r), int(c)) for r, c in np.argwhere(~np.isclose(mask.astype(float), target.astype(float)))]


def describe_mask(panel: MaskPanel) -> str:
    """Say what the panel's array is and how many cells differ from the target."""
    return _mask_title(_check_panel(panel), shape=True) + "."


def _mask_title(panel, shape=False):
    mask, target = _grid(panel.mask), _grid(panel.target)
    if mask is None:
        return f"{panel.title}: not yet"
    size = "{} × {} cells".format(*mask.shape)
    if target is None:
        parts = [size] * shape + [f"{mask.sum()} of {mask.size} filled"] * (mask.dtype == bool)
        return panel.title + ": " * bool(parts) + ", ".join(parts)
    if mask.shape != target.shape:
        return f"{panel.title}: {size}, wanted {target.shape[0]} × {target.shape[1]}"
    wrong = len(wrong_cells(panel))
    return f"{panel.title}: " + (f"{wrong} of {mask.size} cells differ" if wrong else f"all {mask.size} cells right")


@drawing(describe_mask)
def draw_mask(panel: MaskPanel, ax: Axes | None = None) -> Axes:
    """Draw a 2-D array: booleans, output by input channel, as filled or empty cells, numbers as shades of grey.

    Zeros and ones are drawn like booleans where the target is boolean. Cells that differ from `panel.target` get a
    thick outline and a cross.

    Raises:
        TypeError: no MaskPanel.
        ValueError: an array that has not two axes, or more than 20 cells on one.
    """
    grids = [grid for grid in (_grid(_check_panel(panel).mask), _grid(panel.target)) if grid is not None]
    rows, columns = grids[0].shape if grids else (3, 4)
    canvas(ax, columns + 2.1, rows + 1.2, panel.title if panel.mask is None else _mask_title(panel))
    if panel.mask is None:
        ax.add_patch(Rectangle((1.9, 1), columns, rows, facecolor="none", edgecolor=INK, linestyle="--"))
        write(ax, 1.9 + columns / 2, 1 + rows / 2, "not yet")
        return ax
    filled, wrong = grids[-1].dtype == bool and np.isin(grids[0], (0, 1)).all(), wrong_cells(panel)
    seen = np.concatenate([grid.ravel() for grid in grids]).astype(float)
    seen = seen[np.isfinite(seen)]  # one scale of grey for both; a nan stays white
    low, span = (seen.min(), np.ptp(seen) or 1) if seen.size else (0, 1)
    for (r, c), value in np.ndenumerate(grids[0]):
        shade = 0.75 * (float(value) - low) / span if isfinite(value) else 0
        face = (KERNEL if value else PAPER) if filled else tint(PAPER, shade, INK)
        cell(ax, 1.9 + c, 1 + r, face, "" if filled else _entry(float(value), 4))
        if (r, c) in wrong:
            cell(ax, 1.9 + c, 1 + r, "none", edgecolor=HIGHLIGHT, linewidth=3.5, zorder=3)
            x, y, look = (2.4, 1.5, {"size": 18}) if filled else (2.74, 1.15, {"weight": "bold"})  # beside a number
            write(ax, x + c, y + r, "×", face, **look)
    names = ("output channel", "input channel") if filled else ("row", "column")
    number_cells(ax, 1.9, 1, range(rows), range(columns), names)
    return ax


# --- feature maps as boxes ----------------------------------------------------------------------------------


def _stages(chain):
    """Return (name, kernel, MACs, (height, width, channels)) for the input and each layer's output."""
    _check_pair(chain, "(layers, input shape), such as ([ConvSpec(3, 16, 3)], (1, 3, 32, 32))")
    layers, input_shape = chain
    pairs = named_layers(layers)
    _check_limit("layers", len(pairs), MAX_LAYERS)
    stages = [("input", "", 0, input_shape)]
    for n, ((name, spec), row) in enumerate(zip(pairs, cost_table(pairs, input_shape).rows), 1):
        name = row.kind if name == f"layer {n}" else name  # the kind says more than "layer 1"
        stages.append((name, "{}×{}".format(*spec.kernel_size), row.macs, row.output_shape))
    return [(name, kernel, macs, (*shape[2:], shape[1])) for name, kernel, macs, shape in stages]


def _volume_label(size):
    height, width, channels = size
    return f"{height} × {width}, {channels:,} channel{'s' * (channels > 1)}"


def describe_volumes(chain) -> str:
    """Say the size of each feature map and the MACs of each layer between them."""
    (*_, size), *layers = _stages(chain)
    steps = "; ".join(
        f"{name} ({kernel} kernel, {macs:,} MACs) gives {_volume_label(out)}" for name, kernel, macs, out in layers
    )
    total = sum(macs for _, _, macs, _ in layers)
    return f"Input of {_volume_label(size)}; {steps}. In all {total:,} MACs."


@drawing(describe_volumes)
def draw_volumes(chain, ax: Axes | None = None) -> Axes:
    """Draw the feature maps of a chain of layers as boxes, with each layer and its MACs on the arrow between.

    Args:
        chain: (layers, input shape), the two arguments of `cost_table`. MACs count the whole batch.

    Raises: what `cost_table` raises, a TypeError for no pair, and a ValueError for more than 4 layers.
    """
    stages = _stages(chain)
    edges = [[log2(1 + n) for n in size] for *_, size in stages]
    wide, text = sum(w + 0.35 * c for _, w, c in edges), (1.5, 0.7)  # units; inches for the text on an arrow
    unit = min(UNIT_INCHES, max(1.0, panel_inches(ax) - text[0] * len(edges[1:]) - 0.3) / wide)
    gap = max(5.0, text[0] / unit)
    middles = [min(before[0], after[0]) / 2 for before, after in pairwise(edges)]
    base = max(*(h + 0.35 * c for h, _, c in edges), *(middle + text[1] / unit for middle in middles)) + 0.3
    x = 0.2
    for n, ((name, kernel, macs, size), (h, w, c)) in enumerate(zip(stages, edges)):
        if n:
            y = base - middles[n - 1]
            arrow(ax, (x + 0.08 * gap, y), (x + 0.92 * gap, y))
            lines = f"{fill(name, 18)}\n{kernel} kernel\n{macs:,} MACs"
            write(ax, x + gap / 2, y - 0.05 / unit, lines, va="bottom")
            x += gap
        front = [(x, base - h), (x + w, base - h), (x + w, base), (x, base)]
        back = [(px + 0.35 * c, py - 0.35 * c) for px, py in front]  # cabinet projection
        top, side = [front[0], front[1], back[1], back[0]], [front[1], front[2], back[2], back[1]]
        for corners, amount in ((front, 0.35), (top, 0.6), (side, 0.1)):
            face = tint(OUTPUT if n else INPUT, amount)
            ax.add_patch(Polygon(corners, facecolor=face, edgecolor=INK, linewidth=1, joinstyle="round"))
        label = ("" if n else "input\n") + _volume_label(size).replace(", ", ",\n", 1)
        write(ax, x, base + 0.08 / unit, label, ha="left", va="top")
        x += w + 0.35 * c
    names, total = " + ".join(stage[0] for stage in stages[1:]), sum(stage[2] for stage in stages)
    canvas(ax, x + 0.3, base + 0.3, f"{names}: {total:,} MACs (edges drawn on a log scale)")
    return ax


# --- charts -------------------------------------------------------------------------------------------------


def _costs(costs):
    """Return the costs as a dictionary, label to count."""
    try:
        costs = dict(costs)
    except (TypeError, ValueError):
        raise TypeError(f"{_given(costs)}; wanted labels with their counts, such as {{'standard': 75}}") from None
    for label, count in costs.items():
        if not isinstance(count, Real) or isinstance(count, bool):
            raise TypeError(f"{label!r} costs {count!r}, a {type(count).__name__}; wanted a positive number")
        if not (isfinite(count) and count > 0):
            raise ValueError(f"{label!r} costs {count}; wanted a positive number")
    if not costs:
        raise ValueError("no costs to draw; wanted at least one label with its count")
    return costs


def _number(count):
    return f"{int(count):,}" if count == int(count) else f"{count:,.3g}"


def _cost_title(costs, unit):
    least, most = min(costs, key=costs.get), max(costs, key=costs.get)
    if costs[least] == costs[most]:
        return f"{', '.join(map(str, costs))}: {_number(costs[most])} {unit}" + " each" * (len(costs) > 1)
    return f"{least}: {_percent(costs[least] / costs[most])} of {most}"


def describe_cost_bars(costs, unit: str = "MACs", log: bool = False) -> str:
    """Say every count, and the smallest as a share of the largest."""
    costs = _costs(costs)
    listed = "; ".join(f"{label} {_number(count)}" for label, count in costs.items())
    return f"{_cost_title(costs, unit)}. Bars in {unit}{' (log scale)' * log}: {listed}."


@drawing(describe_cost_bars)
def draw_cost_bars(costs, ax: Axes | None = None, unit: str = "MACs", log: bool = False) -> Axes:
    """Draw one bar a cost, with its number and its share of the largest.

    Args:
        costs: label → count, or (label, count) pairs, in the order to draw.
        unit: what is counted, for the axis.
        log: whether the axis is logarithmic; bars then start at a power of ten, not at 0.

    Raises:
        TypeError: no labels with counts, or a count that is no real number; a bool is none.
        ValueError: no cost, or one that is not positive and finite.
    """
    costs = _costs(costs)
    most, counts = max(costs.values()), list(costs.values())
    scale, word = next(((n, w) for n, w in ((1e9, "billion "), (1e6, "million ")) if most >= n and not log), (1, ""))
    ax.barh(range(len(costs)), [n / scale for n in counts], color=tint(KERNEL, 0.25), edgecolor=INK, height=0.6)
    for y, count in enumerate(counts):
        note = _number(count) + f"  ({_percent(count / most)})" * (len(costs) > 1)
        ax.annotate(note, (count / scale, y), (5, 0), textcoords="offset points", va="center")
    share = max(0.35, 1 - 1.7 / (panel_inches(ax) - 1))  # of the longest bar; its number takes 1.7 inches
    if log:
        ax.set_xscale("log")
        start = 10.0 ** (floor(log10(min(counts))) - 1)
        ax.set_xlim(start, start * (most / start) ** (1 / share))
    else:
        ax.xaxis.set_major_formatter("{x:,g}")
        whole = scale == 1 and all(float(n).is_integer() for n in counts)  # no tick at half a MAC
        ax.locator_params(axis="x", nbins=5 * min(1.0, panel_inches(ax) / PAGE_INCHES) + 1, integer=whole)
        ax.set_xlim(0, most / scale / share)
    ax.set(xlabel=f"{word}{unit}" + " (log scale)" * log, ylim=(len(costs) - 0.4, -0.6))
    ax.set_yticks(range(len(costs)), [fill(str(label), 24) for label in costs])
    ax.tick_params(axis="y", length=0)
    ax.set_box_aspect(0.08 + 0.085 * len(costs))
    ax.set_title(_cost_title(costs, unit), loc="left")
    return ax


def separable_share(kernel_size: int, out_channels: int) -> float:
    """Return the MACs of a separable layer as a share of the standard layer's: 1/M + 1/K².

    The share depends neither on the input channels nor on the image, so any will do.

    >>> round(separable_share(5, 256), 4)  # 1/256 + 1/25
    0.0439

    Source: Howard et al. 2017 (MobileNets), section 3.1.
    """
    options = {"in_channels": 3, "out_channels": out_channels, "kernel_size": kernel_size, "padding": "same"}
    shape = (1, 3, 32, 32)
    return cost_table(ConvSpec.separable(**options), shape).total.macs / mac_count(ConvSpec(**options), shape)


def _separable_title(saving):
    if saving:
        return "However many filters, a separable K×K layer saves less than a factor of K²"
    return "However many filters, a separable K×K layer costs more than 1/K² of the standard one"


def _kernel_sizes(kernel_sizes):
    """Return the kernel sizes as a list of integers."""
    if not isinstance(kernel_sizes, Collection):
        raise TypeError(f"kernel_sizes={_given(kernel_sizes)}; wanted a list of integers, such as (3, 5)")
    if not len(kernel_sizes):
        raise ValueError(f"kernel_sizes={kernel_sizes!r} has no kernel size; wanted at least one, such as (3, 5)")
    return [exact_int(f"kernel_sizes[{n}]", k, 1) for n, k in enumerate(kernel_sizes)]


def describe_separable_share(kernel_sizes, saving: bool = False) -> str:
    """Say where each kernel size arrives, and its limit."""
    parts = []
    for k in _kernel_sizes(kernel_sizes):
        share = separable_share(k, FILTERS[-1])
        reached = f"a factor of {1 / share:.3g}" if saving else _percent(share)
        limit = f"ceiling {k * k}" if saving else f"floor {_percent(1 / k**2)}"
        parts.append(f"{k}×{k} {reached} ({limit})")
    return f"{_separable_title(saving)}. With {FILTERS[-1]:,} filters: {'; '.join(parts)}."


@drawing(describe_separable_share)
def draw_separable_share(kernel_sizes, ax: Axes | None = None, saving: bool = False) -> Axes:
    """Draw a separable layer's share of the standard layer's MACs over the number of filters, for each K.

    Args:
        kernel_sizes: the K to draw, one line each.
        saving: draw standard ÷ separable, with its ceiling K², not the share with its floor 1/K².

    Raises:
        TypeError: no list, or a kernel size that is no integer.
        ValueError: no kernel size, or one below 1.
    """
    kernel_sizes = _kernel_sizes(kernel_sizes)
    for n, k in enumerate(kernel_sizes):
        values = [separable_share(k, m) ** (-1 if saving else 1) for m in FILTERS]
        limit = k**2 if saving else 1 / k**2
        color, dash = tint(KERNEL, 0.2 + 0.5 * n / len(kernel_sizes), INK), DASHES[n % len(DASHES)]
        ax.plot(FILTERS, values, color=color, linestyle=dash, marker="osD^v"[n % 5], markersize=5, linewidth=1.8)
        ax.plot((1, FILTERS[-1]), (limit, limit), color=tint(INK, 0.45), linewidth=0.8, zorder=1)
        text = f"ceiling {k}² = {k * k}" if saving else f"floor 1/{k * k} = {_percent(limit)}"
        ax.annotate(f"{k}×{k}: {text}", (FILTERS[-1], limit), (10, 0), textcoords="offset points", va="center")
    ax.set_xscale("log", base=2)
    ax.set_xticks(FILTERS, [f"{m:,}" for m in FILTERS])
    ax.set(xlabel="number of filters M", xlim=(0.9, 1.1 * FILTERS[-1]))
    if saving:
        ax.set(ylabel="standard ÷ separable MACs", ylim=(0, None))
    else:
        ax.set(yscale="log", ylabel="separable ÷ standard MACs")
        ticks = [t for t in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if t > 0.6 / max(kernel_sizes) ** 2]
        ax.set_yticks(ticks, [_percent(t) for t in ticks])
        ax.minorticks_off()
    ax.set_box_aspect(0.5)
    ax.set_title(_separable_title(saving), loc="left")
    return ax


# --- channel shuffle ----------------------------------------------------------------------------------------


def shuffle_order(channels: int, groups: int) -> list[int]:
    """Return which channel stands at each place after the shuffle: reshape to (g, C/g), transpose, flatten.

    >>> shuffle_order(6, 2)
    [0, 3, 1, 4, 2, 5]

    Source: Zhang et al. 2018 (ShuffleNet), section 3.1.
    """
    check_groups(exact_int("channels", channels, 1), channels, exact_int("groups", groups, 1))
    each = channels // groups
    return [group * each + n for n in range(each) for group in range(groups)]


def _shuffle(data):
    _check_pair(data, "(channels, groups), such as (8, 2)")
    return data


def _shuffle_title(data):
    channels, groups = data
    order, each = shuffle_order(channels, groups), channels // groups
    met = min(len({channel // each for channel in order[n : n + each]}) for n in range(0, channels, each))
    return (
        f"shuffle of {channels} channels, g = {groups}: each new group has channels from {met} of the {groups} old ones"
    )


def describe_shuffle(data) -> str:
    """Say the new order of the channels and how many old groups meet in each new one."""
    order = ", ".join(map(str, shuffle_order(*_shuffle(data))))
    title = _shuffle_title(data)
    return f"{title[0].upper()}{title[1:]}. New order: {order}."


@drawing(describe_shuffle)
def draw_shuffle(data, ax: Axes | None = None) -> Axes:
    """Draw where each channel goes in a channel shuffle.

    Args:
        data: (channels, groups).

    Raises:
        TypeError: no pair of integers.
        ValueError: groups that do not divide the channels, or more than 16 channels.
    """
    channels, groups = _shuffle(data)
    order, each, xs = shuffle_order(channels, groups), channels // groups, (1.6, 7.1)
    _check_limit("channels", channels, MAX_CHANNELS)
    for place, channel in enumerate(order):
        group = channel // each
        color, dash = _group_look(group, groups)
        face = tint(OUTPUT, 0.75 * group / max(1, groups - 1))
        ax.plot(xs, (channel + 0.5, place + 0.5), color=color, linestyle=dash, linewidth=1.4)
        for x, y in zip(xs, (channel, place)):
            node(ax, x, y + 0.5, f"{ascii_uppercase[group]}{channel}", face)
    for x in xs:
        for group in range(groups):
            frame = {"facecolor": "none", "edgecolor": INK, "linestyle": "--", "linewidth": 1}
            ax.add_patch(Rectangle((x - 0.6, group * each + 0.04), 1.2, each - 0.08, **frame))
    write(ax, xs[0], channels + 0.2, "before", va="top")
    write(ax, xs[1], channels + 0.2, "after", va="top")
    canvas(ax, xs[1] + 1.6, channels + 0.2, _shuffle_title(data))
    return ax
