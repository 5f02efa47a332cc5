"""Charts of labelled points: live ones beside recorded ones, told apart without colour, and no label over another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator
from matplotlib.transforms import Bbox

from convlab.figures.canvas import INK, OUTPUT, PAPER, check_limit, check_page_width, given

MAX_POINTS = 10
AXES_INCHES = np.array((7.0, 3.6))  # width, height
LETTER_INCHES = np.array((0.078, 0.17))  # of a label
DISTANCES = (0.14, 0.3, 0.5, 0.75, 1.0, 1.3)  # of a label from its point, in inches
AROUND = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, 1), (1, 1), (-1, -1))  # right, left, below, above …
RECORDED_MARKERS = "sD^v<>phXP"


class Point(NamedTuple):
    """A labelled point with a bar from `low` to `high`, nan for none; the source is "live" or where it is from."""

    label: str
    source: str
    x: float
    y: float
    low: float
    high: float


def check_rows(rows, kind, name, limit=MAX_POINTS):
    """Return one row, a list of them, or the values of a dictionary as a list of what was wanted."""
    found = list(rows.values() if isinstance(rows, Mapping) else rows if isinstance(rows, Collection) else [rows])
    for row in found or [rows]:
        if not isinstance(row, kind):
            raise TypeError(f"{given(row)}; wanted at least one {kind.__name__}")
    check_limit(name, len(found), limit)
    return found


def draw_points(ax, what, points, lines=(), inside=(), log_y=True):
    """Draw points and lines over a logarithmic x axis, a legend above them, and each label where it hides nothing.

    Args:
        ax: as wide as the page; what has a label there is in the legend too.
        what: is drawn, for the error if `ax` is narrower.
        points: `Point`s, in the units of the two axes.
        lines: (function of x, dash, label for the legend).
        inside: further (x, y) that are to be on the chart.
        log_y: whether the y axis is logarithmic too.
    """
    check_page_width(ax, what)
    sources = sorted({point.source for point in points}, key=lambda source: (source != "live", source))
    entries = len(ax.get_legend_handles_labels()[0]) + len(lines) + len(sources)
    room = AXES_INCHES - (0, 0.2 * entries + 0.15)  # below the legend
    _set_axes(ax, points, lines, inside, log_y, AXES_INCHES[1] / room[1])
    xs = [point.x for point in points]
    steps = np.sort([*np.geomspace(*ax.get_xlim(), 500), *xs, *np.nextafter(xs, 0)])  # a step at a point is upright
    drawn = []
    for line, dash, label in lines:
        heights = [line(x) for x in steps]
        drawn += ax.plot(steps, heights, color=INK, linestyle=dash, linewidth=1.2, label=label, zorder=1)
    recorded = iter(RECORDED_MARKERS)
    for source in sources:
        # A disc shows inside a larger hollow marker at the same place.
        marker, face, size = ("o", OUTPUT, 5.5) if source == "live" else (next(recorded), "none", 9)
        x, y, low, high = np.transpose([point[2:] for point in points if point.source == source])
        look = {"markerfacecolor": face, "markeredgecolor": INK, "ecolor": INK, "markersize": size}
        ax.errorbar(x, y, abs(np.array((y - low, high - y))), fmt=marker, label=source, capsize=3, zorder=3, **look)
    ax.legend(loc="upper left", frameon=False, borderaxespad=0.2, labelspacing=0.3, handlelength=2.6)
    _write_labels(ax, points, drawn, room)


def _set_axes(ax, points, lines, inside, log_y, taller):
    """Give both axes their limits and ticks; the y axis is so many times as long as its values need."""
    xlim = _limits([x for _, _, x, *_ in points] + [x for x, _ in inside], is_log=True)
    heights = [y for point in points for y in point[3:]] + [y for _, y in inside]
    heights += [line(x) for line, *_ in lines for x in xlim]
    bottom, top = _limits([y for y in heights if np.isfinite(y)], log_y)
    top = bottom * (top / bottom) ** taller if log_y else bottom + (top - bottom) * taller
    ax.set(xscale="log", xlim=xlim, yscale="log" if log_y else "linear", ylim=(bottom, top))
    ax.set_box_aspect(AXES_INCHES[1] / AXES_INCHES[0])
    for axis, (low, high) in ((ax.xaxis, xlim), (ax.yaxis, (bottom, top))):
        if axis.get_scale() == "log":
            ticks = LogLocator(subs=(1,) if high > 300 * low else (1, 2, 5)).tick_values(low, high)
            axis.set_ticks([tick for tick in ticks if low <= tick <= high])
        axis.set_major_formatter("{x:,g}")
    ax.minorticks_off()


def _limits(values, is_log):
    """Return the ends of an axis, clear of the values: at least a decade apart on a log scale, else 1."""
    low, high = np.log10([min(values), max(values)]) if is_log else (min(values), max(values))
    pad = 0.08 * (high - low) + max(0, 1 - (high - low)) / 2
    return (10 ** (low - pad), 10 ** (high + pad)) if is_log else (low - pad, high + pad)


def _write_labels(ax, points, lines, room):
    """Write each label at the first place around its point that is free, with a line to the point if it is far.

    Everything is in inches from the lower left corner of the axes; `room` is the width and the height to write in.
    """

    def place(xy):
        return (ax.transScale + ax.transLimits).transform(xy) * AXES_INCHES

    taken = []  # what no label may cover
    for line in lines:
        xy = line.get_xydata()
        taken += [Bbox.from_bounds(*at, 0.03, 0.03) for at in place(xy[np.isfinite(xy[:, 1])])]
    for _, _, x, y, *bar in points:
        taken.append(Bbox.from_bounds(*(place((x, y)) - 0.08), 0.16, 0.16))
        if np.isfinite(bar).all():
            taken.append(Bbox(np.add(place([(x, min(bar)), (x, max(bar))]), [(-0.06, 0), (0.06, 0)])))
    labelled = []
    for label, _, *xy, _, _ in points:
        at = place(xy)
        if any(label == other and np.hypot(*(at - there)) < 0.15 for other, there in labelled):
            continue  # one label for a live and a recorded point at one place
        labelled.append((label, at))
        half = LETTER_INCHES * (len(label), 1) / 2
        offsets = [np.array(side) * (distance + half) for distance, side in product(DISTANCES, AROUND)]
        boxes = [Bbox([at + offset - half, at + offset + half]) for offset in offsets]
        free = [(box.min >= 0).all() and (box.max <= room).all() and not box.count_overlaps(taken) for box in boxes]
        chosen = free.index(True) if any(free) else 0
        taken.append(boxes[chosen])
        is_far = chosen >= len(AROUND)
        leader = {"arrowstyle": "-", "color": INK, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 5} if is_far else None
        look = {"path_effects": [withStroke(linewidth=2, foreground=PAPER)], "zorder": 4, "arrowprops": leader}
        ax.annotate(label, xy, 72 * offsets[chosen], textcoords="offset points", ha="center", va="center", **look)
