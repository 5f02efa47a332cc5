"""A convolution as one product of two matrices: the filters as rows, the windows as columns."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from convlab.figures.canvas import (
    HIGHLIGHT,
    INPUT,
    KERNEL,
    MAX_CELLS,
    OUTPUT,
    PADDING,
    canvas,
    cell,
    check_limit,
    check_page_width,
    drawing,
    given,
    tint,
    write,
)
from convlab.shape import Shape, output_shape, pads
from convlab.spec import ConvSpec, exact_int


class Im2col(NamedTuple):
    """A layer with one input channel, its input's shape, and the window to mark, counted row by row from 0."""

    spec: ConvSpec
    input_shape: Shape
    window: int = 0


def _grids(data):
    """Return the padded image, numbered from 1 with 0 for padding, its windows as columns, and where one is marked."""
    if not isinstance(data, Im2col):
        raise TypeError(f"{given(data)}; wanted an Im2col, such as Im2col(ConvSpec(1, 2, 3), (1, 1, 4, 4))")
    spec, shape, window = data
    _, _, rows, columns = output_shape(spec, shape)
    if (shape[0], spec.in_channels) != (1, 1):
        raise ValueError(f"{spec} on {tuple(shape)}; wanted one image with one channel")
    check_limit("output numbers of one filter", rows * columns, MAX_CELLS // 2)
    check_limit("products of one output number", prod(spec.kernel_size), MAX_CELLS // 2)
    if exact_int("window", window, 0) >= rows * columns:
        raise ValueError(f"window={window}; wanted a number from 0 to {rows * columns - 1}")
    image = np.pad(np.arange(1, prod(shape) + 1).reshape(shape[2:]), pads(spec))
    (kh, kw), (sh, sw), (dh, dw) = spec.kernel_size, spec.stride, spec.dilation
    starts = [(i * sh, j * sw) for i in range(rows) for j in range(columns)]
    span = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    windows = [image[y : y + span[0] : dh, x : x + span[1] : dw] for y, x in starts]
    return image, np.stack([taps.ravel() for taps in windows], axis=1), (*starts[window], *span)


def _title(data):
    _, columns, _ = _grids(data)
    filters, (n, b) = data.spec.out_channels, columns.shape
    product = f"{filters} · {n} · {b} = {filters * n * b} multiplications"
    return f"Filters times windows, ({filters} × {n}) · ({n} × {b}): {product}"


def describe_im2col(data: Im2col) -> str:
    """Say the sizes of the three matrices, and the numbers of the marked window."""
    image, columns, _ = _grids(data)
    marked = ", ".join(map(str, columns[:, data.window]))
    return (
        f"{_title(data)}. The output is {data.spec.out_channels} × {columns.shape[1]}. The marked column holds the "
        f"numbers {marked} of the {image.shape[0]} × {image.shape[1]} image."
    )


def _draw_grid(ax, x, y, grid, color, marked):
    """Draw a matrix of numbers, 0 for padding and −1 for an empty cell; outline (top, left, height, width) of it."""
    for (r, c), number in np.ndenumerate(grid):
        look = {"hatch": "////"} if number == 0 else {}
        cell(ax, x + c, y + r, tint(color if number else PADDING, 0.6), str(number) if number >= 0 else "", **look)
    if marked:
        top, left, height, width = marked
        look = {"facecolor": "none", "edgecolor": HIGHLIGHT, "linewidth": 3, "zorder": 5}
        ax.add_patch(Rectangle((x + left, y + top), width, height, **look))


@drawing(describe_im2col)
def draw_im2col(data: Im2col, ax: Axes | None = None) -> Axes:
    """Draw an image, and the product of filters (a row each) and windows (a column each) that convolves it.

    Raises:
        TypeError: no Im2col.
        ValueError: several images or channels, a window that is not there, more than 10 rows or columns to draw, or a
            panel narrower than the page.
    """
    image, columns, window = _grids(data)
    check_page_width(ax, "a matrix product")
    (n, b), filters = columns.shape, data.spec.out_channels
    check_limit("out_channels", filters, MAX_CELLS // 2)
    high, x = max(image.shape[0], n), -1.3
    parts = [
        ("", image, INPUT, f"image\n{image.shape[0]} × {image.shape[1]}", window),
        ("", np.full((filters, n), -1), KERNEL, f"filters, one a row\n{filters} × {n}", None),
        ("·", columns, INPUT, f"windows,\none a column\n{n} × {b}", (0, data.window, n, 1)),
        ("=", np.full((filters, b), -1), OUTPUT, f"output\n{filters} × {b}", (0, data.window, filters, 1)),
    ]
    for sign, grid, color, name, marked in parts:
        x, y = x + 1.5, (high - len(grid)) / 2
        write(ax, x - 0.75, high / 2, sign, size=16)
        _draw_grid(ax, x, y, grid, color, marked)
        write(ax, x + grid.shape[1] / 2, high + 0.3, name, va="top")
        x += grid.shape[1]
    canvas(ax, x + 0.3, high + 2.2, _title(data))
    return ax
