"""Charts of labelled points: live ones beside recorded ones, told apart without colour, and no label over another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import product

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator
from matplotlib.transforms import Bbox

from convlab.figures.canvas import INK, OUTPUT, PAPER, check_limit, check_page_width, given

MAX_POINTS = 10
INCHES = np.array((7.0, 3.6))  # of the axes
AROUND = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, 1), (1, 1), (-1, -1))  # of a point: right, left, below …


def checked(rows, kind, name, limit=MAX_POINTS):
    """Return a list, or the values of a dictionary, as a list of what was wanted."""
    listed = list(rows.values() if isinstance(rows, Mapping) else rows if isinstance(rows, Collection) else [rows])
    for row in listed or [rows]:
        if not isinstance(row, kind):
            raise TypeError(f"{given(row)}; wanted at least one {kind.__name__}")
    check_limit(name, len(listed), limit)
    return listed


def _limits(values, is_log):
    """Return the ends of an axis, clear of the values: at least a decade apart on a log scale, else 1."""
    low, high = np.log10([min(values), max(values)]) if is_log else (min(values), max(values))
    pad = 0.08 * (high - low) + max(0, 1 - (high - low)) / 2
    return (10 ** (low - pad), 10 ** (high + pad)) if is_log else (low - pad, high + pad)


def draw_points(ax, what, x, y, sources, labels, lines=(), also=(), log_y=True):
    """Draw a point at x and y[0] with a bar from y[1] to y[2] for each label; x is on a log scale.

    Args:
        what: is drawn, for an error if `ax` is narrower than the page.
        sources: "live" or where each point is from.
        lines: (function of x, dash, label for the legend).
        also: (x, y, …), further places that are inside the axes.
    """
    check_page_width(ax, what)
    x, y, order = np.array(x), np.array(y), sorted(set(sources), key=lambda source: (source != "live", source))
    entries = len(ax.get_legend_handles_labels()[0]) + len(lines) + len(order)
    room = INCHES - (0, 0.2 * entries + 0.15)  # the legend is above all points
    xlim = left, right = _limits([*x, *also[:1]], is_log=True)
    heights = [*y.flat, *also[1:], *(line(end) for line, *_ in lines for end in xlim)]
    bottom, top = _limits([height for height in heights if np.isfinite(height)], log_y)
    taller = INCHES[1] / room[1]
    ylim = bottom, bottom * (top / bottom) ** taller if log_y else bottom + (top - bottom) * taller
    ax.set(xscale="log", yscale="log" if log_y else "linear", xlim=xlim, ylim=ylim, box_aspect=INCHES[1] / INCHES[0])
    steps = np.sort([*np.geomspace(left, right, 500), *x, *np.nextafter(x, 0)])  # a step at a point is upright
    taken = []

    def place(points):  # in inches from the lower left corner
        return (ax.transScale + ax.transLimits).transform(points) * INCHES

    for line, dash, label in lines:
        heights = [line(step) for step in steps]
        ax.plot(steps, heights, color=INK, linestyle=dash, linewidth=1.2, label=label, zorder=1)
        seen = np.isfinite(heights)
        taken += [Bbox.from_bounds(*at, 0.03, 0.03) for at in place(np.transpose((steps, heights))[seen])]
    recorded = iter("sD^v<>phXP")
    for source in order:
        here = np.array([one == source for one in sources])
        bars = np.abs(y[1:, here] - y[0, here])
        # A disc shows inside a larger hollow marker at the same place.
        marker, face, size = ("o", OUTPUT, 5.5) if source == "live" else (next(recorded), "none", 9)
        look = {"markerfacecolor": face, "markeredgecolor": INK, "ecolor": INK, "markersize": size}
        ax.errorbar(x[here], y[0, here], bars, fmt=marker, label=source, capsize=3, zorder=3, **look)
    ax.legend(loc="upper left", frameon=False, borderaxespad=0.2, labelspacing=0.3, handlelength=2.6)
    places = place(np.transpose((x, y[0])))
    taken += [Bbox.from_bounds(*(at - 0.08), 0.16, 0.16) for at in places]
    for bar in zip(*(place(np.transpose((x, end))) for end in np.sort(y[1:], axis=0))):
        if np.isfinite(bar).all():
            taken.append(Bbox(np.add(bar, [[-0.06, 0], [0.06, 0]])))
    labelled = []
    for label, at, point in zip(labels, places, zip(x, y[0])):
        if not any(label == other and np.hypot(*(at - there)) < 0.15 for other, there in labelled):
            _label(ax, label, point, at, room, taken)  # one label for a live and a recorded point at one place
            labelled.append((label, at))
    for axis, (low, high), is_log in ((ax.xaxis, xlim, True), (ax.yaxis, ylim, log_y)):
        if is_log:
            ticks = LogLocator(subs=(1,) if high > 300 * low else (1, 2, 5)).tick_values(low, high)
            axis.set_ticks([tick for tick in ticks if low <= tick <= high])
        axis.set_major_formatter("{x:,g}")
    ax.minorticks_off()


def _label(ax, text, point, place, room, taken):
    """Write at the first place around a point that is free, and lead a line to the point if it is far."""
    half = np.array((0.078 * len(text), 0.17)) / 2
    for distance, direction in product((0.14, 0.3, 0.5, 0.75, 1.0, 1.3), AROUND):
        offset = np.array(direction) * (distance + half)
        box = Bbox([place + offset - half, place + offset + half])
        if (box.min >= 0).all() and (box.max <= room).all() and not box.count_overlaps(taken):
            break
    taken.append(box)
    if distance > 0.14:
        line = {"arrowstyle": "-", "color": INK, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 5}
        ax.annotate("", point, 72 * distance * np.array(direction), textcoords="offset points", arrowprops=line)
    look = {"path_effects": [withStroke(linewidth=2, foreground=PAPER)], "zorder": 4}
    ax.annotate(text, point, 72 * offset, textcoords="offset points", ha="center", va="center", **look)
