"""Matrices beside their targets: a picture of a learner's array, with each wrong cell marked."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from convlab.figures.canvas import (
    HIGHLIGHT,
    INK,
    KERNEL,
    MAX_CELLS,
    PAPER,
    canvas,
    cell,
    check_limit,
    drawing,
    entry,
    given,
    number_cells,
    tint,
    write,
)
from convlab.spec import Pair


class MatrixPanel(NamedTuple):
    """A titled 2-D array of booleans or numbers, None for "not yet", and the array it should equal, if any."""

    title: str
    array: Any
    target: Any = None


def _grids(panel):
    """Return a panel's array and its target as 2-D numpy arrays, None as None."""
    if not isinstance(panel, MatrixPanel):
        raise TypeError(f"{given(panel)}; wanted a MatrixPanel, such as MatrixPanel('yours', array)")
    grids = [None if array is None else np.asarray(array) for array in (panel.array, panel.target)]
    for grid in grids:
        if grid is None:
            continue
        if grid.ndim != 2 or not grid.size:
            raise ValueError(f"the array has shape {grid.shape}; wanted rows and columns, with at least one cell")
        check_limit("cells on one side of the array", max(grid.shape), MAX_CELLS)
    return grids


def wrong_cells(panel: MatrixPanel) -> list[Pair]:
    """Return the (row, column) of each cell that differs from the target, if there is one to compare.

    >>> wrong_cells(MatrixPanel("yours", [[1, 2], [3, 5]], target=[[1, 2], [3, 4]]))
    [(1, 1)]
    """
    array, target = _grids(panel)
    if array is None or target is None or array.shape != target.shape:
        return []
    return [(int(r), int(c)) for r, c in np.argwhere(~np.isclose(array.astype(float), target.astype(float)))]


def describe_matrix(panel: MatrixPanel) -> str:
    """Say what the panel's array is and how many cells differ from the target."""
    array, target = _grids(panel)
    if array is None or target is not None:
        return f"{_title(panel)}."
    filled = f", {array.sum()} of {array.size} filled" if array.dtype == bool else ""
    return f"{panel.title}: {array.shape[0]} × {array.shape[1]} cells{filled}."


def _title(panel):
    array, target = _grids(panel)
    if array is None:
        return f"{panel.title}: not yet"
    if target is None:
        return f"{panel.title}: {array.sum()} of {array.size} filled" if array.dtype == bool else panel.title
    if array.shape != target.shape:
        return "{}: {} × {} cells, wanted {} × {}".format(panel.title, *array.shape, *target.shape)
    wrong = len(wrong_cells(panel))
    return f"{panel.title}: " + (f"{wrong} of {array.size} cells differ" if wrong else f"all {array.size} cells right")


@drawing(describe_matrix)
def draw_matrix(panel: MatrixPanel, ax: Axes | None = None) -> Axes:
    """Draw a 2-D array: booleans, output by input channel, as filled or empty cells, numbers as shades of grey.

    Zeros and ones are drawn like booleans where the target is boolean. Cells that differ from `panel.target` get a
    thick outline and a cross.

    Raises:
        TypeError: no MatrixPanel.
        ValueError: an array that has not two axes, or more than 20 cells on one.
    """
    array, target = _grids(panel)
    grids = [grid for grid in (array, target) if grid is not None]
    rows, columns = grids[0].shape if grids else (3, 4)
    canvas(ax, columns + 2.1, rows + 1.2, panel.title if array is None else _title(panel))
    if array is None:
        ax.add_patch(Rectangle((1.9, 1), columns, rows, facecolor="none", edgecolor=INK, linestyle="--"))
        write(ax, 1.9 + columns / 2, 1 + rows / 2, "not yet")
        return ax
    is_mask, wrong = grids[-1].dtype == bool and np.isin(array, (0, 1)).all(), wrong_cells(panel)
    seen = np.concatenate([grid.ravel() for grid in grids]).astype(float)
    seen = seen[np.isfinite(seen)]  # one scale of grey for both; a nan stays white
    low, span = (seen.min(), np.ptp(seen) or 1) if seen.size else (0, 1)
    for (r, c), value in np.ndenumerate(array):
        if is_mask:
            face, number = KERNEL if value else PAPER, ""
        else:
            shade = 0.75 * (float(value) - low) / span if isfinite(value) else 0
            face, number = tint(PAPER, shade, INK), entry(float(value), 4)
        cell(ax, 1.9 + c, 1 + r, face, number)
        if (r, c) in wrong:
            cell(ax, 1.9 + c, 1 + r, "none", edgecolor=HIGHLIGHT, linewidth=3.5, zorder=3)
            x, y, look = (2.4, 1.5, {"size": 18}) if is_mask else (2.74, 1.15, {"weight": "bold"})  # beside a number
            write(ax, x + c, y + r, "×", face, **look)
    names = ("output channel", "input channel") if is_mask else ("row", "column")
    number_cells(ax, 1.9, 1, range(rows), range(columns), names)
    return ax
