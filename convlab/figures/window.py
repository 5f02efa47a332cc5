"""Figures of numbers in cells: the window on an image, and a matrix beside its target."""

from __future__ import annotations

from itertools import product
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from convlab.figures.canvas import (
    BESIDE_INCHES,
    HIGHLIGHT,
    INK,
    INPUT,
    KERNEL,
    MAX_CELLS,
    OUTPUT,
    PADDING,
    PAPER,
    arrow,
    canvas,
    cell,
    check_limit,
    check_pair,
    drawing,
    entry,
    given,
    minus,
    number_cells,
    panel_inches,
    tint,
    unit_inches,
    write,
)
from convlab.shape import Shape, output_shape, pads
from convlab.spec import ConvSpec, Pair, exact_int

WEIGHT_INCHES, WEIGHT_LETTERS = 0.38, 4  # a tap this large has room for a weight and a number this long
MAX_NUMBERS = 9  # more would make the alt text a list


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
        raise TypeError(f"{given(step)}; wanted a WindowStep, such as WindowStep(spec, (1, 1, 5, 5), position=(0, 0))")
    sizes, position = output_shape(step.spec, step.input_shape)[2:], step.position
    check_pair(position, "the (row, column) of an output cell", "position=")
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
    return "; ".join(", ".join(map(entry, line)) for line in numbers)


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
        numbers += f" The sum of products with the weights{weights} gives {entry(_output(step))}."
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
    check_limit("cells on one side of the padded input", max(high, wide), MAX_CELLS)

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
        weights = {(r, c): f"×{entry(kernel[u, v])}" for u, r in enumerate(rows) for v, c in enumerate(columns)}
        if max(map(len, [*weights.values(), *map(entry, values.flat)])) > WEIGHT_LETTERS:
            weights = {}
    for y, x in product(range(high), range(wide)):
        r, c = y - top, x - left
        inside, tap = 0 <= r < height and 0 <= c < width, r in rows and c in columns
        face = KERNEL if tap else tint(INPUT, 0.75) if inside else PADDING
        number = ("" if inside else "0") if values is None else entry(values[y, x])
        look = {"linewidth": 2, "zorder": 3} if tap else {}
        cell(ax, 1 + x, head + y, face, number, weights.get((r, c), ""), hatch=None if inside else "////", **look)
    number_cells(ax, 1, head, range(-top, height + bottom), range(-left, width + right))

    for at in product(range(out_height), range(out_width)):
        face = HIGHLIGHT if at == (i, j) else tint(OUTPUT, 0.55) if at < (i, j) else PAPER
        look = {"linewidth": 2, "zorder": 3} if face == HIGHLIGHT else {"zorder": 2}
        number = "" if kernel is None or at > (i, j) else entry(_output(step._replace(position=at)))
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


class MatrixPanel(NamedTuple):
    """A titled 2-D array of booleans or numbers, None for "not yet", and the array it should equal, if any."""

    title: str
    mask: Any
    target: Any = None


def _check_panel(panel):
    if not isinstance(panel, MatrixPanel):
        raise TypeError(f"{given(panel)}; wanted a MatrixPanel, such as MatrixPanel('yours', array)")
    return panel


def _grid(array):
    """Return a panel's array as a 2-D numpy array, None as None."""
    if array is None:
        return None
    array = np.asarray(array)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"the array has shape {array.shape}; wanted 2 axes, rows and columns, and at least one cell")
    check_limit("cells on one side of the array", max(array.shape), MAX_CELLS)
    return array


def wrong_cells(panel: MatrixPanel) -> list[Pair]:
    """Return the (row, column) of each cell that differs from the target, if there is one to compare.

    >>> wrong_cells(MatrixPanel("yours", [[1, 2], [3, 5]], target=[[1, 2], [3, 4]]))
    [(1, 1)]
    """
    mask, target = _grid(_check_panel(panel).mask), _grid(panel.target)
    if mask is None or target is None or mask.shape != target.shape:
        return []
    return [(int(r), int(c)) for r, c in np.argwhere(~np.isclose(mask.astype(float), target.astype(float)))]


def describe_matrix(panel: MatrixPanel) -> str:
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


@drawing(describe_matrix)
def draw_matrix(panel: MatrixPanel, ax: Axes | None = None) -> Axes:
    """Draw a 2-D array: booleans, output by input channel, as filled or empty cells, numbers as shades of grey.

    Zeros and ones are drawn like booleans where the target is boolean. Cells that differ from `panel.target` get a
    thick outline and a cross.

    Raises:
        TypeError: no MatrixPanel.
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
        cell(ax, 1.9 + c, 1 + r, face, "" if filled else entry(float(value), 4))
        if (r, c) in wrong:
            cell(ax, 1.9 + c, 1 + r, "none", edgecolor=HIGHLIGHT, linewidth=3.5, zorder=3)
            x, y, look = (2.4, 1.5, {"size": 18}) if filled else (2.74, 1.15, {"weight": "bold"})  # beside a number
            write(ax, x + c, y + r, "×", face, **look)
    names = ("output channel", "input channel") if filled else ("row", "column")
    number_cells(ax, 1.9, 1, range(rows), range(columns), names)
    return ax
