"""A learner's array beside its target, matrix by matrix, with what differs marked whatever the shape."""

from __future__ import annotations

import numpy as np

from convlab.figures.canvas import MAX_CELLS, Picture, show
from convlab.figures.matrix import MatrixPanel, draw_matrix
from convlab.wording import plural

AXES = ("filter", "channel", "row", "column")  # the last axes of an array
MOST = 4  # matrices of one array


def draw_beside(target: np.ndarray, mine: np.ndarray | None, when: str = "") -> Picture:
    """Draw a target and, beside it, the learner's array, None for "not yet": two matrices in a row.

    What both have is compared, from the first row, column and channel on. A row or column too many is marked whole,
    and one that is missing is named in the title. Of more than 4 matrices, the first that differ are drawn.
    """
    wanted = target.shape
    target = _with_axes(target, max(2, 2 if mine is None else mine.ndim))
    title, both = "yours", target.shape[:-2]
    if mine is not None:
        if mine.shape != wanted:
            title += f", of shape {mine.shape}; wanted {wanted}"
        mine = _with_axes(mine, target.ndim)
        both = tuple(map(min, mine.shape[:-2], both))
        if differing := ", ".join(_too_many_or_missing(mine.shape, target.shape)):
            title += f": {differing}"
    places = [*np.ndindex(both)]
    drawn = places
    if len(places) > MOST:
        drawn = [at for at in places if mine is not None and _differs(mine[at], target[at])] or places
        drawn = drawn[:MOST]
        title += f", {len(drawn)} of {len(places)} matrices drawn"
    panels = []
    for number, at in enumerate(drawn):
        of = "".join(f", {axis} {n}" for axis, n in zip(AXES[-2 - len(at) : -2], at)) if len(places) > 1 else ""
        panels.append(MatrixPanel(f"target{of}{when if not number else ''}", _visible(target[at])))
        array = None if mine is None else _visible(mine[at])
        compared = None if mine is None else _compared(array, _visible(target[at]))
        panels.append(MatrixPanel(f"yours{of}{title.removeprefix('yours') if not number else ''}", array, compared))
    return show(draw_matrix, *panels, columns=2)


def _with_axes(array, count):
    """Return an array with so many axes at least, the new ones in front."""
    return array.reshape((1,) * (count - array.ndim) + array.shape)


def _visible(matrix):
    return matrix[:MAX_CELLS, :MAX_CELLS]


def _differs(mine, target):
    return mine.shape != target.shape or not np.allclose(mine, target)


def _too_many_or_missing(given, wanted):
    """Yield "1 row missing" and the like, for each axis in which two shapes differ."""
    for axis, has, needs in zip(AXES[-len(given) :], given[-len(AXES) :], wanted[-len(AXES) :]):
        if has != needs:
            yield f"{plural(abs(has - needs), axis)} {'missing' if has < needs else 'too many'}"


def _compared(mine, target):
    """Return what to compare a matrix with, cell by cell: the target, and nothing equal where that has no cell."""
    compared = np.full(mine.shape, np.nan)
    both = tuple(map(slice, map(min, mine.shape, target.shape)))
    compared[both] = target[both]
    if target.dtype != bool:
        return compared
    return np.where(np.isnan(compared), mine == 0, compared).astype(bool)
