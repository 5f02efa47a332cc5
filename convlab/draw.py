"""The figures of the course. Every drawing is a function on one Axes; `show` puts several into one picture.

`draw_*(data, ax=None, **options)` draws on `ax`, or on a new one, and returns it. Its twin `describe_*(data)`
says in one or two sentences what the drawing shows, from the same data: the alt text of the picture.

One colour per role (Okabe & Ito 2008), the same in every figure. No meaning rests on colour alone: padding is
hatched, groups have a letter and a dash, wrong cells a cross.
"""

from __future__ import annotations

from base64 import b64encode
from functools import wraps
from html import escape
from inspect import signature
from io import BytesIO
from itertools import pairwise
from math import ceil, floor, isfinite, log2, log10
from string import ascii_uppercase
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Polygon, Rectangle

from convlab.cost import mac_count
from convlab.shape import Shape, check_spec, output_shape, pads
from convlab.spec import ConvSpec, Pair, check_groups, exact_int
from convlab.table import cost_table, layer_kind, named_layers

INPUT, KERNEL, OUTPUT, PADDING, HIGHLIGHT = "#0072B2", "#E69F00", "#009E73", "#BBBBBB", "#D55E00"
INK, PAPER = "#222222", "#FFFFFF"
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
STYLE = {
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.color": "#888888",
}
PAGE_INCHES, DOTS_PER_INCH = 8.0, 100  # 800 px, the width of a notebook's output
UNIT_INCHES, TALL_INCHES, NARROW_INCHES = 0.42, 5.5, 2.3  # largest cell, tallest and narrowest panel
BESIDE_INCHES = 3.5  # a panel this wide has its two parts side by side, a narrower one below each other
MAX_CHANNELS, MAX_CELLS, MAX_LAYERS = 16, 20, 4  # more would be too small to read


class Picture:
    """A finished figure: a PNG with its alt text. Jupyter shows the image, `print` the text."""

    def __init__(self, png: bytes, alt: str):
        self.png, self.alt = png, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        source = b64encode(self.png).decode()
        return f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{source}" style="max-width:100%">'


def drawing(describe):
    """Link a draw function to its describe twin; give it the course's style, and an Axes if it gets none."""

    def link(draw):
        @wraps(draw)
        def styled(data, ax=None, **options) -> Axes:
            with style.context(["default", STYLE]):
                ax = Figure(figsize=(PAGE_INCHES, PAGE_INCHES / 2)).add_subplot() if ax is None else ax
                draw(data, ax, **options)
            return ax

        styled.describe = describe
        return styled

    return link


def show(draw, *items, columns: int | None = None, width: float = PAGE_INCHES, **options) -> Picture:
    """Return a picture with one panel an item, in reading order.

    Args:
        draw: one of this module's `draw_*` functions.
        items: what it draws, one for each panel.
        columns: panels in a row; all of them if left out.
        width: the most that the picture takes, in inches (100 px each).
        options: passed on to `draw`, and to its describe twin where that has them.

    Raises:
        TypeError: `draw` is none of the draw functions.
        ValueError: no item.
    """
    if not hasattr(draw, "describe"):
        names = ", ".join(name for name, value in globals().items() if hasattr(value, "describe"))
        raise TypeError(f"{draw!r} is no draw function; wanted one of {names}")
    if not items:
        raise ValueError(f"nothing to draw; wanted at least one item, as in show({draw.__name__}, item)")
    columns = min(exact_int("columns", len(items) if columns is None else columns, 1), len(items))
    rows = ceil(len(items) / columns)
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(width, width), dpi=DOTS_PER_INCH, layout="constrained")
        figure.get_layout_engine().set(h_pad=0.1)
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for ax, item in zip(panels, items):
            draw(item, ax, **options)
        for ax in list(panels)[len(items) :]:
            ax.remove()
        _fit(figure, columns)
        png = BytesIO()
        figure.savefig(png, format="png", bbox_inches="tight", pad_inches=0.06, metadata={"Software": None})
    known = {name: value for name, value in options.items() if name in signature(draw.describe).parameters}
    return Picture(png.getvalue(), " ".join(draw.describe(item, **known) for item in items))


def _fit(figure, columns):
    """Give all panels one scale, wrap their titles, and set the figure's size to what they need."""
    panel, axes = figure.get_figwidth() / columns, figure.axes
    rows = [axes[n : n + columns] for n in range(0, len(axes), columns)]
    if axes[0].get_box_aspect():  # a chart
        heights = [panel * max(ax.get_box_aspect() for ax in row) for row in rows]
    else:
        wide = max(np.ptp(ax.get_xlim()) for ax in axes)
        tall = [max(np.ptp(ax.get_ylim()) for ax in row) for row in rows]
        unit = min(UNIT_INCHES, TALL_INCHES / max(tall), (panel - 0.2) / wide)  # inches
        panel, heights = min(panel, max(unit * wide + 0.3, NARROW_INCHES)), [unit * units for units in tall]
        for row, units in zip(rows, tall):
            for ax in row:
                ax.set(xlim=(0, (panel - 0.2) / unit), ylim=(units, 0))
    room = panel if columns > 1 else figure.get_figwidth()  # a lone title may be wider than its drawing
    titles = [fill(ax.get_title(loc="left"), int(12 * (room - 0.15))) for ax in axes]  # 12 letters an inch
    for ax, title in zip(axes, titles):
        ax.set_title(title, loc="left")
    lines = 1 + max(title.count("\n") for title in titles)
    axes[0].get_gridspec().set_height_ratios(heights)
    figure.set_size_inches(panel * columns, sum(heights) + len(rows) * (0.2 * lines + 0.8))


def _canvas(ax, width, height, title):
    """Turn `ax` into a sheet of width × height units, the origin at the top left."""
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", anchor="NW")
    ax.axis("off")
    ax.set_title(title, loc="left")


def _panel_inches(ax):
    """Return the width that `ax` has on the page, with its margins."""
    place = ax.get_subplotspec()
    return ax.figure.get_figwidth() / (place.get_gridspec().ncols if place else 1)


def _tint(color, amount, toward=PAPER):
    """Return `color`, mixed with `toward`: 0 is the colour itself, 1 is `toward`."""
    return to_hex([(1 - amount) * a + amount * b for a, b in zip(to_rgb(color), to_rgb(toward))])


def _text(ax, x, y, text, face=PAPER, **options):
    """Write in ink, or in white on a dark face."""
    dark = np.dot(to_rgb(face), (0.299, 0.587, 0.114)) < 0.38
    settings = {"ha": "center", "va": "center", "linespacing": 1.15, "color": PAPER if dark else INK}
    ax.text(x, y, text, **{**settings, **options})


def _cell(ax, x, y, face=PAPER, text="", **options):
    """Draw a unit square with its top left corner at (x, y)."""
    settings = {"facecolor": face, "edgecolor": INK, "linewidth": 0.8}
    ax.add_patch(Rectangle((x, y), 1, 1, **{**settings, **options}))
    if text:
        _text(ax, x + 0.5, y + 0.5, text, face, zorder=4)


def _number_cells(ax, x, y, rows, columns, names=()):
    """Number the rows and columns of a grid whose corner is at (x, y), and name the two axes."""
    for n, row in enumerate(rows):
        _text(ax, x - 0.2, y + n + 0.5, _minus(row), ha="right")
    for n, column in enumerate(columns):
        _text(ax, x + n + 0.5, y - 0.45, _minus(column))
    if names:
        _text(ax, x - 1.4, y + len(rows) / 2, names[0], rotation=90)
        _text(ax, x + len(columns) / 2, y + len(rows) + 0.2, names[1], va="top")


def _node(ax, x, y, text, face):
    ax.add_patch(Circle((x, y), 0.4, facecolor=face, edgecolor=INK, linewidth=0.8, zorder=3))
    _text(ax, x, y, text, face, zorder=4)


def _arrow(ax, start, end):
    look = {"arrowstyle": "-|>", "mutation_scale": 13, "linewidth": 1.6, "color": INK, "zorder": 5}
    ax.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _minus(number: int) -> str:
    return str(number).replace("-", "−")


def _check_limit(name: str, number: int, limit: int) -> None:
    if number > limit:
        raise ValueError(f"{name}={number} is too many to draw; wanted at most {limit}")


# --- one step of the window ---------------------------------------------------------------------------------


class WindowStep(NamedTuple):
    """One position of the window: the layer, its input shape (N, C, H, W), and the output cell (i, j)."""

    spec: ConvSpec
    input_shape: Shape
    position: Pair


def window_steps(spec: ConvSpec, input_shape: Shape, count: int | None = None) -> list[WindowStep]:
    """Return the first `count` positions of the window in reading order, all if `count` is left out.

    >>> [step.position for step in window_steps(ConvSpec(1, 1, 3, stride=2), (1, 1, 7, 7), count=4)]
    [(0, 0), (0, 1), (0, 2), (1, 0)]
    """
    height, width = output_shape(spec, input_shape)[2:]
    return [WindowStep(spec, input_shape, divmod(n, width)) for n in range(height * width)][:count]


def window_taps(step: WindowStep) -> tuple[list[int], list[int]]:
    """Return the input rows and columns that the window reads, i·s − p + u·d; outside the image is padding.

    >>> window_taps(WindowStep(ConvSpec(1, 1, 3, stride=2, padding=1), (1, 1, 5, 5), (0, 1)))
    ([-1, 0, 1], [1, 2, 3])
    """
    spec, input_shape, position = step
    for axis, at, size in zip(("row", "column"), position, output_shape(spec, input_shape)[2:]):
        if not 0 <= at < size:
            raise ValueError(f"position={position} has {axis} {at}; wanted 0 to {size - 1}")
    starts = (at * s - before for at, s, (before, _) in zip(position, spec.stride, pads(spec)))
    return tuple([start + d * u for u in range(k)] for start, k, d in zip(starts, spec.kernel_size, spec.dilation))


def _span(name, taps):
    """Name the taps of one axis: "row 4", "rows 0 to 2", "rows 0, 2, 4"."""
    if len(taps) == 1:
        return f"{name} {_minus(taps[0])}"
    if taps[1] - taps[0] == 1 and len(taps) > 2:
        return f"{name}s {_minus(taps[0])} to {_minus(taps[-1])}"
    return f"{name}s {', '.join(map(_minus, taps))}"


def describe_window(step: WindowStep) -> str:
    """Say which rows and columns one output cell is computed from."""
    (rows, columns), (height, width) = window_taps(step), step.input_shape[2:]
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    inside = sum(0 <= r < height for r in rows) * sum(0 <= c < width for c in columns)
    zeros = len(rows) * len(columns) - inside
    return (
        f"Output {step.position} of {out_height} × {out_width} is computed from {_span('row', rows)} and "
        f"{_span('column', columns)} of the {height} × {width} input; "
        f"padding zeros among the {zeros + inside} numbers read: {zeros}."
    )


@drawing(describe_window)
def draw_window(step: WindowStep, ax: Axes | None = None) -> Axes:
    """Draw the input with its padding, the taps of the window at one position, and the output cell they give.

    The output stands beside the input where there is room, else below. Only one channel is drawn.

    Raises:
        ValueError: a position outside the output, or an input of more than 20 cells a side, padding included.
    """
    (rows, columns), (height, width) = window_taps(step), step.input_shape[2:]
    (top, bottom), (left, right) = pads(step.spec)
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    high, wide = height + top + bottom, width + left + right
    _check_limit("cells on one side of the padded input", max(high, wide), MAX_CELLS)

    beside = _panel_inches(ax) >= BESIDE_INCHES
    head = 1 if beside else 2  # rows above the grid: the column numbers and, if the output is below, a caption
    x0, y0 = 1 + left, head + top  # the corner of the image; the padding lies around it
    for r in range(-top, height + bottom):
        for c in range(-left, width + right):
            padding, tap = not (0 <= r < height and 0 <= c < width), r in rows and c in columns
            face = KERNEL if tap else PADDING if padding else _tint(INPUT, 0.75)
            hatch = "////" if padding and not tap else None
            _cell(ax, x0 + c, y0 + r, face, "0" if padding else "", hatch=hatch)
            if tap:
                _cell(ax, x0 + c, y0 + r, "none", linewidth=2, zorder=3)
    _number_cells(ax, 1, head, range(-top, height + bottom), range(-left, width + right))

    i, j = step.position
    ox, oy = 1 + max(0, (wide - out_width) / 2), high + head + 1.5
    if beside:
        ox, oy = wide + 3.5, 1 + max(0, (high - out_height) / 2)
    for n in range(out_height * out_width):
        r, c = divmod(n, out_width)
        now, done = n == i * out_width + j, n < i * out_width + j
        face = HIGHLIGHT if now else _tint(OUTPUT, 0.55) if done else PAPER
        _cell(ax, ox + c, oy + r, face, linewidth=2 if now else 0.8, zorder=3 if now else 2)
    middle = (x0 + (columns[0] + columns[-1] + 1) / 2, y0 + (rows[0] + rows[-1] + 1) / 2)
    if beside:
        _arrow(ax, (x0 + columns[-1] + 1, middle[1]), (ox + j, oy + i + 0.5))
    else:
        _arrow(ax, (middle[0], y0 + rows[-1] + 1), (ox + j + 0.5, oy + i))
    padded = ", padded" if high * wide > height * width else ""
    caption = (1, high + 1.2) if beside else (1, 0.5)
    ax.text(*caption, f"input {height} × {width}{padded}", va="top" if beside else "center")
    ax.text(ox, oy + out_height + 0.2, f"output {out_height} × {out_width}", va="top")
    title = [f"output {step.position}:", f"{_span('row', rows)},", _span("column", columns)]
    title = " ".join(part.replace(" ", "\xa0") for part in title)  # breaks between the parts only
    _canvas(ax, max(wide + 1.2, ox + out_width + 0.2), max(high + head + 0.2, oy + out_height + 0.2), title)
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
    return _tint(KERNEL, 0.1 + 0.5 * group / max(1, groups - 1), INK), DASHES[group % len(DASHES)]


@drawing(describe_wiring)
def draw_wiring(spec: ConvSpec, ax: Axes | None = None, matrix: bool = True) -> Axes:
    """Draw a line for each pair of channels that has a kernel, and the same pairs as cells of an M×C matrix.

    Raises:
        ValueError: more than 16 channels on a side.
    """
    ins, outs, groups = check_spec(spec).in_channels, spec.out_channels, spec.groups
    _check_limit("in_channels", ins, MAX_CHANNELS)
    _check_limit("out_channels", outs, MAX_CHANNELS)
    high, apart = 1 + max(ins, outs), 4.5
    xs, tops = (1.5, 1.5 + apart), (1 + (high - 1 - ins) / 2, 1 + (high - 1 - outs) / 2)
    for m, c in kernel_pairs(spec):
        color, dash = _group_look(m * groups // outs, groups)
        ax.plot(xs, (tops[0] + c + 0.5, tops[1] + m + 0.5), color=color, linestyle=dash, linewidth=1.2)
    for x, top, count, face, side in zip(xs, tops, (ins, outs), (INPUT, OUTPUT), (-1, 1)):
        for n in range(count):
            _node(ax, x, top + n + 0.5, str(n), face)
        for group in range(groups if groups > 1 else 0):
            each = count // groups
            _text(ax, x + side * 0.9, top + (group + 0.5) * each, ascii_uppercase[group], weight="bold")
        _text(ax, x, high + 0.2, "input\nchannel" if side < 0 else "output\nchannel", va="top")
    wide = xs[1] + 1.2
    if matrix:
        x0, y0 = (xs[1] + 3.6, tops[1]) if _panel_inches(ax) >= BESIDE_INCHES else (2.0, high + 3.5)
        filled = set(kernel_pairs(spec))
        for m in range(outs):
            for c in range(ins):
                letter = ascii_uppercase[m * groups // outs] if groups > 1 else ""
                _cell(ax, x0 + c, y0 + m, *((_tint(KERNEL, 0.25), letter) if (m, c) in filled else ()))
        names = ("output channel" if outs > 4 else "output\nchannel", "input channel")
        _number_cells(ax, x0, y0, range(outs), range(ins), names)
        wide, high = max(wide, x0 + ins + 0.2), max(high, y0 + outs)
    _canvas(ax, wide, high + 0.2, _wiring_title(spec))
    return ax


# --- a learner's matrix beside the target -------------------------------------------------------------------


class MaskPanel(NamedTuple):
    """A titled 2-D array of booleans or numbers, None for "not yet", and the array it should equal, if any."""

    title: str
    mask: Any
    target: Any = None


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
    mask, target = _grid(panel.mask), _grid(panel.target)
    if mask is None or target is None or mask.shape != target.shape:
        return []
    return [(int(r), int(c)) for r, c in np.argwhere(~np.isclose(mask.astype(float), target.astype(float)))]


def describe_mask(panel: MaskPanel) -> str:
    """Say what the panel's array is and how many cells differ from the target."""
    return _mask_title(panel, shape=True) + "."


def _mask_title(panel, shape=False):
    mask, target = _grid(panel.mask), _grid(panel.target)
    if mask is None:
        return f"{panel.title}: not yet"
    rows, columns = mask.shape
    size = f"{rows} × {columns} cells" if shape else ""
    if target is None:
        filled = f"{int(mask.sum())} of {mask.size} filled" if mask.dtype == bool else ""
        return f"{panel.title}: " + ", ".join(filter(None, (size, filled))) if size or filled else panel.title
    if mask.shape != target.shape:
        return f"{panel.title}: {rows} × {columns} cells, wanted {target.shape[0]} × {target.shape[1]}"
    wrong = len(wrong_cells(panel))
    finding = f"{wrong} of {mask.size} cells differ" if wrong else f"all {mask.size} cells right"
    return f"{panel.title}: {finding}"


@drawing(describe_mask)
def draw_mask(panel: MaskPanel, ax: Axes | None = None, labels: tuple[str, str] | None = None) -> Axes:
    """Draw a 2-D array: booleans as filled or empty cells, numbers as shades of grey with their value.

    Cells that differ from `panel.target` get a thick outline and a cross.

    Args:
        labels: the names of the two axes, rows first; output and input channel for booleans if left out.

    Raises:
        ValueError: an array that has not two axes, or more than 20 cells on one.
    """
    mask, title = _grid(panel.mask), _mask_title(panel)
    if mask is None:
        rows, columns = (3, 4) if panel.target is None else _grid(panel.target).shape
        ax.add_patch(Rectangle((1.9, 1), columns, rows, facecolor="none", edgecolor=INK, linestyle="--"))
        _text(ax, 1.9 + columns / 2, 1 + rows / 2, "not yet")
        _canvas(ax, columns + 2.1, rows + 1.2, panel.title)
        return ax
    (rows, columns), filled = mask.shape, mask.dtype == bool
    seen = np.concatenate([mask.ravel(), *([] if panel.target is None else [_grid(panel.target).ravel()])])
    seen = seen[np.isfinite(seen)]  # one scale of grey for both; a nan stays white
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    wrong = set(wrong_cells(panel))
    for (r, c), value in np.ndenumerate(mask):
        shade = 0.6 * (float(value) - low) / ((high - low) or 1) if isfinite(value) else 0
        face = (KERNEL if value else PAPER) if filled else _tint(PAPER, shade, INK)
        _cell(ax, 1.9 + c, 1 + r, face, "" if filled else _minus(f"{value:.4g}"))
        if (r, c) in wrong:
            _cell(ax, 1.9 + c, 1 + r, "none", edgecolor=HIGHLIGHT, linewidth=3.5, zorder=3)
            if filled:
                _text(ax, 2.4 + c, 1.5 + r, "×", face, size=18)
            else:  # in the corner, to leave the number free
                _text(ax, 2.74 + c, 1.15 + r, "×", face, weight="bold")
    labels = labels or (("output channel", "input channel") if filled else ("row", "column"))
    _number_cells(ax, 1.9, 1, range(rows), range(columns), labels)
    _canvas(ax, columns + 2.1, rows + 1.2, title)
    return ax


# --- feature maps as boxes ----------------------------------------------------------------------------------


def _stages(chain):
    """Return (name, kernel, MACs, (height, width, channels)) for the input and each layer's output."""
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

    Raises: what `cost_table` raises, and a ValueError for more than 4 layers.
    """
    stages = _stages(chain)
    edges = [[log2(1 + n) for n in size] for *_, size in stages]
    wide, text = sum(w + 0.35 * c for _, w, c in edges), (1.5, 0.7)  # units; inches for the text on an arrow
    unit = min(UNIT_INCHES, max(1.0, _panel_inches(ax) - text[0] * len(edges[1:]) - 0.3) / wide)
    gap = max(5.0, text[0] / unit)
    middles = [min(before[0], after[0]) / 2 for before, after in pairwise(edges)]
    base = max(*(h + 0.35 * c for h, _, c in edges), *(middle + text[1] / unit for middle in middles)) + 0.3
    x = 0.2
    for n, ((name, kernel, macs, size), (h, w, c)) in enumerate(zip(stages, edges)):
        if n:
            y = base - middles[n - 1]
            _arrow(ax, (x + 0.08 * gap, y), (x + 0.92 * gap, y))
            lines = f"{fill(name, 18)}\n{kernel} kernel\n{macs:,} MACs"
            _text(ax, x + gap / 2, y - 0.05 / unit, lines, va="bottom")
            x += gap
        front = [(x, base - h), (x + w, base - h), (x + w, base), (x, base)]
        back = [(px + 0.35 * c, py - 0.35 * c) for px, py in front]  # cabinet projection
        top, side = [front[0], front[1], back[1], back[0]], [front[1], front[2], back[2], back[1]]
        for corners, amount in ((front, 0.35), (top, 0.6), (side, 0.1)):
            face = _tint(OUTPUT if n else INPUT, amount)
            ax.add_patch(Polygon(corners, facecolor=face, edgecolor=INK, linewidth=1, joinstyle="round"))
        label = ("" if n else "input\n") + _volume_label(size).replace(", ", ",\n", 1)
        _text(ax, x, base + 0.08 / unit, label, ha="left", va="top")
        x += w + 0.35 * c
    names, total = " + ".join(stage[0] for stage in stages[1:]), sum(stage[2] for stage in stages)
    _canvas(ax, x + 0.3, base + 0.3, f"{names}: {total:,} MACs (edges drawn on a log scale)")
    return ax


# --- charts -------------------------------------------------------------------------------------------------


def _costs(costs):
    """Return the costs as a dictionary, label to count."""
    costs = dict(costs)
    for label, count in costs.items():
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
        return f"{', '.join(costs)}: {_number(costs[most])} {unit}" + " each" * (len(costs) > 1)
    return f"{least}: {_percent(costs[least] / costs[most])} of {most}"


def describe_cost_bars(costs, unit: str = "MACs") -> str:
    """Say every count, and the smallest as a share of the largest."""
    costs = _costs(costs)
    listed = "; ".join(f"{label} {_number(count)}" for label, count in costs.items())
    return f"{_cost_title(costs, unit)}. Bars in {unit}: {listed}."


@drawing(describe_cost_bars)
def draw_cost_bars(costs, ax: Axes | None = None, unit: str = "MACs", log: bool = False) -> Axes:
    """Draw one bar a cost, with its number and its share of the largest.

    Args:
        costs: label → count, or (label, count) pairs, in the order to draw.
        unit: what is counted, for the axis.
        log: whether the axis is logarithmic; bars then start at a power of ten, not at 0.

    Raises:
        ValueError: no cost, or one that is not positive.
    """
    costs = _costs(costs)
    most, counts = max(costs.values()), list(costs.values())
    scale, word = next(((n, w) for n, w in ((1e9, "billion "), (1e6, "million ")) if most >= n and not log), (1, ""))
    ax.barh(range(len(costs)), [n / scale for n in counts], color=_tint(KERNEL, 0.25), edgecolor=INK, height=0.6)
    for y, count in enumerate(counts):
        note = _number(count) + f"  ({_percent(count / most)})" * (len(costs) > 1)
        ax.annotate(note, (count / scale, y), (5, 0), textcoords="offset points", va="center")
    share = max(0.35, 1 - 1.7 / (_panel_inches(ax) - 1))  # of the longest bar; its number takes 1.7 inches
    if log:
        ax.set_xscale("log")
        start = 10.0 ** (floor(log10(min(counts))) - 1)
        ax.set_xlim(start, start * (most / start) ** (1 / share))
    else:
        ax.xaxis.set_major_formatter("{x:,g}")
        ax.locator_params(axis="x", nbins=5 * min(1.0, _panel_inches(ax) / PAGE_INCHES) + 1)
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


def _filter_counts(max_out_channels):
    return [2**n for n in range(exact_int("max_out_channels", max_out_channels, 2).bit_length())]


def describe_separable_share(kernel_sizes, max_out_channels: int = 1024, saving: bool = False) -> str:
    """Say where each kernel size arrives, and its limit."""
    most, parts = _filter_counts(max_out_channels)[-1], []
    for k in kernel_sizes:
        share = separable_share(k, most)
        reached = f"a factor of {1 / share:.3g}" if saving else _percent(share)
        limit = f"ceiling {k * k}" if saving else f"floor {_percent(1 / k**2)}"
        parts.append(f"{k}×{k} {reached} ({limit})")
    return f"{_separable_title(saving)}. With {most:,} filters: {'; '.join(parts)}."


@drawing(describe_separable_share)
def draw_separable_share(
    kernel_sizes, ax: Axes | None = None, max_out_channels: int = 1024, saving: bool = False
) -> Axes:
    """Draw a separable layer's share of the standard layer's MACs over the number of filters, for each K.

    Args:
        kernel_sizes: the K to draw, one line each.
        max_out_channels: the largest M.
        saving: draw standard ÷ separable, with its ceiling K², not the share with its floor 1/K².
    """
    filters = _filter_counts(max_out_channels)
    for n, k in enumerate(kernel_sizes):
        values = [separable_share(k, m) ** (-1 if saving else 1) for m in filters]
        limit = k**2 if saving else 1 / k**2
        color, dash = _tint(KERNEL, 0.2 + 0.5 * n / len(kernel_sizes), INK), DASHES[n % len(DASHES)]
        ax.plot(filters, values, color=color, linestyle=dash, marker="osD^v"[n % 5], markersize=5, linewidth=1.8)
        ax.plot((1, filters[-1]), (limit, limit), color=INK, linestyle=(0, (2, 3)), linewidth=1)
        text = f"ceiling {k}² = {k * k}" if saving else f"floor 1/{k * k} = {_percent(limit)}"
        ax.annotate(f"{k}×{k}: {text}", (filters[-1], limit), (10, 0), textcoords="offset points", va="center")
    ax.set_xscale("log", base=2)
    ax.set_xticks(filters, [f"{m:,}" for m in filters])
    ax.set(xlabel="number of filters M", xlim=(0.9, 1.1 * filters[-1]))
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


def _shuffle_title(data):
    channels, groups = data
    order, each = shuffle_order(channels, groups), channels // groups
    met = min(len({channel // each for channel in order[n : n + each]}) for n in range(0, channels, each))
    return (
        f"shuffle of {channels} channels, g = {groups}: each new group has channels from {met} of the {groups} old ones"
    )


def describe_shuffle(data) -> str:
    """Say the new order of the channels and how many old groups meet in each new one."""
    order = ", ".join(map(str, shuffle_order(*data)))
    title = _shuffle_title(data)
    return f"{title[0].upper()}{title[1:]}. New order: {order}."


@drawing(describe_shuffle)
def draw_shuffle(data, ax: Axes | None = None) -> Axes:
    """Draw where each channel goes in a channel shuffle.

    Args:
        data: (channels, groups).

    Raises:
        ValueError: groups that do not divide the channels, or more than 16 channels.
    """
    channels, groups = data
    order, each, xs = shuffle_order(channels, groups), channels // groups, (1.6, 7.1)
    _check_limit("channels", channels, MAX_CHANNELS)
    for place, channel in enumerate(order):
        group = channel // each
        color, dash = _group_look(group, groups)
        face = _tint(OUTPUT, 0.75 * group / max(1, groups - 1))
        ax.plot(xs, (channel + 0.5, place + 0.5), color=color, linestyle=dash, linewidth=1.4)
        for x, y in zip(xs, (channel, place)):
            _node(ax, x, y + 0.5, f"{ascii_uppercase[group]}{channel}", face)
    for x in xs:
        for group in range(groups):
            frame = {"facecolor": "none", "edgecolor": INK, "linestyle": "--", "linewidth": 1}
            ax.add_patch(Rectangle((x - 0.6, group * each + 0.04), 1.2, each - 0.08, **frame))
    _text(ax, xs[0], channels + 0.2, "before", va="top")
    _text(ax, xs[1], channels + 0.2, "after", va="top")
    _canvas(ax, xs[1] + 1.6, channels + 0.2, _shuffle_title(data))
    return ax
