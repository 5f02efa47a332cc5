"""The figure of the window: which input cells one output cell is computed from, and by which products."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from convlab.figures.canvas import (
    BESIDE_INCHES,
    HIGHLIGHT,
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
    number_cells,
    panel_inches,
    tint,
    write,
)
from convlab.shape import Shape, output_shape, pads
from convlab.spec import ConvSpec, Pair, exact_int
from convlab.wording import minus

ROW_INCHES = 6.0  # a panel this wide has kernel, products and output in a row


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
    for axis, at, size in zip(("row", "column"), position, sizes):
        if exact_int(f"position's {axis}", at, 0) >= size:
            raise ValueError(f"position={position} has {axis} {at}; wanted 0 to {size - 1}")
    return tuple(map(int, position))


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
    name += "s" if len(taps) > 1 else ""
    if len(taps) > 2 and taps[1] - taps[0] == 1:
        return f"{name} {minus(taps[0])} to {minus(taps[-1])}"
    return f"{name} {', '.join(map(minus, taps))}"


def _arrays(step):
    """Return the padded input and the kernel of a step as arrays, None for what it has not."""
    values, kernel = (None if numbers is None else np.asarray(numbers, float) for numbers in (step.values, step.kernel))
    wanted = ("values", values, tuple(step.input_shape[2:])), ("kernel", kernel, step.spec.kernel_size)
    for name, array, size in wanted:
        if array is not None and array.shape != size:
            raise ValueError(f"{name} has shape {array.shape}; wanted {size}, as the layer and its input have")
    if kernel is not None and values is None:
        raise ValueError("kernel is given and values is None; wanted both: the numbers of the input and their weights")
    return None if values is None else np.pad(values, pads(step.spec)), kernel


def _numbers_read(step):
    """Return the numbers under the window, K×K, with the zeros of the padding."""
    (rows, columns), ((top, _), (left, _)) = window_taps(step), pads(step.spec)
    return _arrays(step)[0][np.ix_([top + r for r in rows], [left + c for c in columns])]


def _products(step):
    """Return the products of the numbers under the window and the weights, K×K, free of float noise."""
    return np.round(_numbers_read(step) * _arrays(step)[1], 9) + 0.0  # no −0


def _output(step):
    """Return the sum of the products, free of float noise."""
    return round(float(_products(step).sum()), 9) + 0.0


def _matrix(numbers):
    return "; ".join(", ".join(map(entry, line)) for line in numbers)


def describe_window(step: WindowStep) -> str:
    """Say what one output cell is computed from: rows and columns, then numbers and result if known."""
    (rows, columns), (height, width) = window_taps(step), step.input_shape[2:]
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    read, (values, kernel), numbers = len(rows) * len(columns), _arrays(step), ""
    zeros = read - sum(0 <= r < height for r in rows) * sum(0 <= c < width for c in columns)
    if values is not None:
        numbers = f" The numbers, row by row: {_matrix(_numbers_read(step))}."
    if kernel is not None:
        products = f"{_matrix(kernel)} are {_matrix(_products(step))}; their sum is {entry(_output(step))}"
        numbers += f" Their products with the weights {products}."
    return (
        f"Output {_position(step)} of {out_height} × {out_width} is computed from {_span('row', rows)} and "
        f"{_span('column', columns)} of the {height} × {width} input; "
        f"padding zeros among the {read} numbers read: {zeros}.{numbers}"
    )


def _most_in_a_row(steps):
    """Two windows with their products fill a row of the page."""
    return 2 if any(getattr(step, "kernel", None) is not None for step in steps) else len(steps)


@drawing(describe_window, most_in_a_row=_most_in_a_row)
def draw_window(step: WindowStep, ax: Axes | None = None) -> Axes:
    """Draw the input with its padding, the taps of the window at one position, and the output cell they give.

    The output stands beside the input where there is room, else below. Only one channel is drawn. With values and
    a kernel, the weights and their products with the numbers under the window stand between the two, and the outputs
    so far are written into their cells.

    Raises:
        TypeError: no WindowStep, or a position that holds something else than integers.
        ValueError: a position outside the output, values of another size than the input, a kernel of another size
            than the layer's or without values, or an input of more than 20 cells a side, padding included.
    """
    (rows, columns), (height, width), (high, wide) = window_taps(step), step.input_shape[2:], _padded_size(step)
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    check_limit("cells on one side of the padded input", max(high, wide), MAX_CELLS)
    padded = ", padded" if high * wide > height * width else ""
    said = f"input {height} × {width}{padded}"
    if step.kernel is not None:
        _arrays(step)
        corner = _draw_products(ax, step, said)
    elif panel_inches(ax) >= BESIDE_INCHES:
        corner = wide + 3.5, 1 + max(0, (high - out_height) / 2)
        _draw_input(ax, step, 1, said)
        arrow(ax, *_way_right(step, 1), _left_of_row(step, *corner))
    else:
        corner = 1 + max(0, (wide - out_width) / 2), high + 3.5
        _draw_input(ax, step, 2, said)
        arrow(ax, *_way_down(step, 2), (corner[0] + _position(step)[1] + 0.5, corner[1]))
    _draw_outputs(ax, step, *corner)
    parts = f"output {_position(step)}:", f"{_span('row', rows)},", _span("column", columns)
    title = " ".join(part.replace(" ", "\xa0") for part in parts)  # breaks between the parts only
    right = max(text.get_position()[0] + 0.2 for text in ax.texts)
    cells = [patch.get_bbox() for patch in ax.patches if isinstance(patch, Rectangle)]
    canvas(ax, max(right, *(c.x1 + 0.2 for c in cells)), max(c.y1 for c in cells) + 1.1, title)
    return ax


def _left_of_row(step, ox, oy):
    """Return the point at the left edge of an output with its corner at (ox, oy), in the row of the current cell."""
    return ox, oy + _position(step)[0] + 0.5


def _way_right(step, y):
    """Return the way from the right edge of the window, on a line between two rows, to that of the input at (1, y)."""
    (rows, columns), ((top, _), (left, _)) = window_taps(step), pads(step.spec)
    line = y + top + (rows[0] + rows[-1] + 1) // 2
    return (2 + left + columns[-1], line), (1 + _padded_size(step)[1], line)


def _way_down(step, y):
    """Return the way from the lower edge of the window, on a line between two columns, to that of the input."""
    (rows, columns), ((top, _), (left, _)) = window_taps(step), pads(step.spec)
    line = 1 + left + (columns[0] + columns[-1] + 1) // 2
    return (line, y + top + rows[-1] + 1), (line, y + _padded_size(step)[0])


def _draw_products(ax, step, said):
    """Draw the input, the kernel, their products, and the way from each to the next; return the output's corner.

    All in a row where there is room for it, else the products below the kernel and the output below the input.
    """
    (high, wide), (k_high, k_wide), (i, _) = _padded_size(step), step.spec.kernel_size, _position(step)
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    is_row = panel_inches(ax) >= ROW_INCHES
    kx = 1 + (wide + 2 if is_row else max(wide + 2, out_width + 3.6))
    ky = 1 + max(0, (high - k_high) / 2)
    total = entry(_output(step))
    _draw_input(ax, step, 1, said)
    _draw_matrix(ax, kx, ky, step.kernel, KERNEL, f"kernel {k_high} × {k_wide}")
    *way, edge = _way_right(step, 1)
    end = min(max(edge[1], ky + 0.5), ky + k_high - 0.5)  # a level line, if there is one
    arrow(ax, *way, edge, (kx, end))
    write(ax, (edge[0] + kx) / 2, min(edge[1], end) - 0.5, "×")
    if is_row:
        px, py = kx + k_wide + 2, ky
        ox, oy = px + k_wide + 3.4, 1 + max(0, (high - out_height) / 2)
        arrow(ax, (kx + k_wide, ky + k_high / 2), (px, py + k_high / 2))
        write(ax, px - 1, py + k_high / 2 - 0.5, "=")
        start, end = (px + k_wide, py + k_high / 2), _left_of_row(step, ox, oy)
    else:
        px, py = kx, max(ky + k_high + 2, high + 2.4)
        ox, oy = 1, py + max(0, (k_high - out_height) / 2)
        arrow(ax, (kx + k_wide / 2, ky + k_high + 0.95), (px + k_wide / 2, py))
        write(ax, px + k_wide / 2 + 0.5, py - 0.55, "=")
        start, end = (px, py + k_high / 2), (ox + out_width, oy + i + 0.5)
    _draw_matrix(ax, px, py, _products(step), PAPER, "products")
    arrow(ax, start, end)
    write(ax, (start[0] + end[0]) / 2, min(start[1], end[1]) - 0.55, f"sum {total}")
    return ox, oy


def _draw_matrix(ax, x, y, numbers, face, said):
    """Draw numbers in cells with their corner at (x, y), and below them what they are."""
    for (r, c), number in np.ndenumerate(np.asarray(numbers, float)):
        cell(ax, x + c, y + r, face, entry(number))
    ax.text(x, y + len(numbers) + 0.2, said, va="top")


def _padded_size(step):
    return tuple(size + before + after for size, (before, after) in zip(step.input_shape[2:], pads(step.spec)))


def _draw_input(ax, step, y, said):
    """Draw the padded input with its corner at (1, y), its numbers, zeros in the padding, and the window's taps.

    What it is stands below it, or above if there is room above.
    """
    (rows, columns), (height, width), (values, _) = window_taps(step), step.input_shape[2:], _arrays(step)
    (top, bottom), (left, right) = pads(step.spec)
    for r, c in product(range(-top, height + bottom), range(-left, width + right)):
        is_inside, is_tap = 0 <= r < height and 0 <= c < width, r in rows and c in columns
        face, hatch, number = (tint(INPUT, 0.75), None, "") if is_inside else (PADDING, "////", "0")
        if values is not None:
            number = entry(values[top + r, left + c])
        look = {"face": KERNEL, "linewidth": 2, "zorder": 3} if is_tap else {"face": face}
        cell(ax, 1 + left + c, y + top + r, text=number, hatch=hatch, **look)
    number_cells(ax, 1, y, range(-top, height + bottom), range(-left, width + right))
    below = {"y": y + top + height + bottom + 0.2, "va": "top"}
    ax.text(x=1, s=said, **({"y": 0.5, "va": "center"} if y > 1 else below))


def _draw_outputs(ax, step, x, y):
    """Draw the output with its corner at (x, y): the cells done, with their numbers if known, and the current one."""
    out_height, out_width = output_shape(step.spec, step.input_shape)[2:]
    current = _position(step)
    for at in product(range(out_height), range(out_width)):
        look = {"face": tint(OUTPUT, 0.55) if at < current else PAPER, "zorder": 2}
        if at == current:
            look = {"face": HIGHLIGHT, "linewidth": 2, "zorder": 3}
        number = "" if step.kernel is None or at > current else entry(_output(step._replace(position=at)))
        cell(ax, x + at[1], y + at[0], text=number, **look)
    ax.text(x, y + out_height + 0.2, f"output {out_height} × {out_width}", va="top")
