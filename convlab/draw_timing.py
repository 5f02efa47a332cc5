"""Figures of measured times: how close layers come to what the machine can do, and time beside MACs.

A live result is a filled disc, a recorded one a hollow square or diamond, and the legend says which is which. The bar
through a point is the middle half of its repeats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator
from matplotlib.transforms import Bbox

from convlab.picture import (
    DASHES,
    INK,
    OUTPUT,
    PAPER,
    check_limit,
    check_page_width,
    check_pair,
    drawing,
    given,
    percent,
)
from convlab.timed import LayerTiming, Peaks

MAX_POINTS = 10
INCHES = np.array((7.0, 3.6))  # of the axes
AROUND = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, 1), (1, 1), (-1, -1))  # of a point: right, left, below …
NOISY = "Too noisy to read: time it again on a quieter machine"


def _checked(rows, kind=LayerTiming, limit=MAX_POINTS):
    """Return a list, or the values of a dictionary, as a list of what was wanted."""
    listed = list(rows.values() if isinstance(rows, Mapping) else rows if isinstance(rows, Collection) else [rows])
    for row in listed or [rows]:
        if not isinstance(row, kind):
            raise TypeError(f"{given(row)}; wanted at least one {kind.__name__}")
    check_limit("timings" if kind is LayerTiming else "peaks", len(listed), limit)
    return listed


def _first_run(rows):
    """Return the rows that were timed in turns with the first: only they are compared with each other."""
    run = rows[0].timing.measured_at, rows[0].source
    return [row for row in rows if (row.timing.measured_at, row.source) == run]


def _said(title, rows, numbers):
    """Return the title, and for each row its numbers with all that tells it from the others."""
    parts = []
    for row, number in zip(rows, numbers):
        threads = f"{row.timing.threads} thread{'s' * (row.timing.threads > 1)}"
        parts.append(f"{row.timing.label} ({row.source}, {threads}{', too noisy' * row.timing.is_noisy}): {number}")
    return f"{title}. {'; '.join(parts)}."


def _limits(values):
    """Return the ends of a log axis, at least a decade apart and clear of the values."""
    low, high = np.log10(min(values)), np.log10(max(values))
    pad = 0.08 * (high - low) + max(0, 1 - (high - low)) / 2
    return 10 ** (low - pad), 10 ** (high + pad)


def _chart(ax, rows, x, y, lines):
    """Draw a point at x and y[0] with a bar from y[1] to y[2] for each row, and lines (function, dash, label)."""
    check_page_width(ax, "a chart of times")
    sources = sorted({row.source for row in rows}, key=lambda source: (source != "live", source))
    room = INCHES - (0, 0.2 * (len(lines) + len(sources)) + 0.15)  # the legend is above all points
    xlim = left, right = _limits(x)
    bottom, top = _limits([*y.flat, *(line(end) for line, *_ in lines for end in xlim)])
    ylim = bottom, bottom * (top / bottom) ** (INCHES[1] / room[1])
    ax.set(xscale="log", yscale="log", xlim=xlim, ylim=ylim, box_aspect=INCHES[1] / INCHES[0])
    steps, taken = np.geomspace(left, right, 500), []

    def place(points):  # in inches from the lower left corner
        return np.log(np.divide(points, (left, bottom))) / np.log((right / left, top / bottom)) * room

    for line, dash, label in lines:
        heights = [line(step) for step in steps]
        ax.plot(steps, heights, color=INK, linestyle=dash, linewidth=1.2, label=label, zorder=1)
        taken += [Bbox.from_bounds(*at, 0.03, 0.03) for at in place(np.transpose((steps, heights)))]
    recorded = iter("sD^v<>phXP")
    for source in sources:
        here = np.array([row.source == source for row in rows])
        bars = np.abs(y[1:, here] - y[0, here])
        marker, face = ("o", OUTPUT) if source == "live" else (next(recorded), PAPER)
        look = {"markerfacecolor": face, "markeredgecolor": INK, "ecolor": INK}
        ax.errorbar(x[here], y[0, here], bars, fmt=marker, label=source, markersize=7, capsize=3, zorder=3, **look)
    ax.legend(loc="upper left", frameon=False, borderaxespad=0.2, labelspacing=0.3, handlelength=2.6)
    places = place(np.transpose((x, y[0])))
    taken += [Bbox.from_bounds(*(at - 0.08), 0.16, 0.16) for at in places]
    for row, at, point in zip(rows, places, zip(x, y[0])):
        _label(ax, row.timing.label + " (too noisy)" * row.timing.is_noisy, point, at, room, taken)
    for axis, (low, high) in ((ax.xaxis, xlim), (ax.yaxis, ylim)):
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


def _roofs(data):
    """Return each roof with its words, the rows, the share of its own roof that each reaches, and the title."""
    check_pair(data, "(peaks, timings), such as (machine_peaks(), time_layers(…))")
    peaks, rows, shares = _checked(data[0], Peaks, len(DASHES)), _checked(data[1]), []
    roofs = {(peak.source, peak.threads): peak for peak in peaks}
    for row in rows:
        key = row.source, row.timing.threads
        if key not in roofs:
            raise ValueError(f"{row.timing.label!r} was timed {key[0]} with threads={key[1]}; wanted Peaks of that too")
        shares.append(row.macs_per_second / roofs[key].roof(row.macs_per_byte))
    words = [
        f"roof, {source.partition(',')[0]}, {threads} thread{'s' * (threads > 1)}: "
        f"{peak.macs_per_second / 1e9:.3g} billion MACs/s, {peak.bytes_per_second / 1e9:.3g} billion bytes/s"
        for (source, threads), peak in roofs.items()
    ]
    readable = [row for row in _first_run(rows) if not row.timing.is_noisy]
    ends = sorted((share, row.timing.label) for row, share in zip(rows, shares) if row in readable)
    named = ", ".join(f"{label} {percent(share)}" for share, label in dict.fromkeys(ends[:1] + ends[-1:]))
    return list(zip(roofs.values(), words)), rows, shares, f"Share of the roof reached: {named}" if named else NOISY


def describe_roofline(data) -> str:
    """Say the least and the greatest share of the roof, each layer's MACs per byte and per second, and the roofs."""
    roofs, rows, shares, title = _roofs(data)
    numbers = [
        f"{row.macs_per_byte:.3g} MACs per byte, {row.macs_per_second / 1e9:.3g} billion MACs/s, {percent(share)}"
        for row, share in zip(rows, shares)
    ]
    return " ".join([_said(title, rows, numbers), *(f"R{words[1:]}." for _, words in roofs)])


@drawing(describe_roofline)
def draw_roofline(data, ax: Axes | None = None) -> Axes:
    """Draw the MACs per second of layers over their MACs per byte, under the roofs of their machines.

    Args:
        data: (peaks, timings): Peaks and LayerTimings, one or a list of them. Each is compared with the roof of its own
            source and threads; the title names two that were timed in the run of the first.

    Raises:
        TypeError: no pair, or something else in it.
        ValueError: over 4 peaks or 10 timings, a timing without its peaks, or a panel narrower than the page.
    """
    roofs, rows, _, title = _roofs(data)
    x = np.array([row.macs_per_byte for row in rows])
    y = np.transpose([row.macs / np.quantile(row.timing.seconds, (0.5, 0.75, 0.25)) / 1e9 for row in rows])
    lines = [(lambda x, peak=peak: peak.roof(x) / 1e9, dash, words) for (peak, words), dash in zip(roofs, DASHES)]
    _chart(ax, rows, x, y, lines)
    ax.set(xlabel="MACs per byte (log scale)", ylabel="billion MACs per second (log scale)")
    ax.set_title(title, loc="left")
    return ax


def _time_title(rows):
    first, *others = sorted(_first_run(rows), key=lambda row: (row.macs, row.timing.median))
    if not others:
        return f"{first.timing.label}: {first.macs / 1e6:.3g} million MACs in {1000 * first.timing.median:.3g} ms"
    few, many = first.timing, others[-1].timing
    if first.macs == others[-1].macs:
        _, low, high = many.ratio(few)
        return f"At equal MACs, {many.label} takes {low:.3g} to {high:.3g} times as long as {few.label}"
    share, (_, low, high) = first.macs / others[-1].macs, few.ratio(many)
    return f"{few.label}: {percent(share)} of the MACs of {many.label}, {100 * low:.3g} to {percent(high)} of its time"


def describe_time_against_macs(rows) -> str:
    """Say the MACs and the time of each layer, and compare the two that have the fewest and the most MACs."""
    rows = _checked(rows)
    numbers = [f"{row.macs / 1e6:.3g} million MACs, {1000 * row.timing.median:.3g} ms" for row in rows]
    return _said(_time_title(rows), rows, numbers)


@drawing(describe_time_against_macs)
def draw_time_against_macs(rows, ax: Axes | None = None) -> Axes:
    """Draw the median time of layers over their MACs; what lies above the line takes longer for each MAC.

    Args:
        rows: LayerTimings, one or a list of them. The line goes through the layer that is fastest for its MACs, the
            title has the middle half of the ratios of two times; both are of the run of the first row.

    Raises:
        TypeError: something that is no LayerTiming.
        ValueError: over 10 rows, or a panel narrower than the page.
    """
    rows = _checked(rows)
    x = np.array([row.macs / 1e6 for row in rows])
    y = np.transpose([1000 * np.quantile(row.timing.seconds, (0.5, 0.25, 0.75)) for row in rows])
    best = max(_first_run(rows), key=lambda row: row.macs_per_second)
    line = lambda x: 1e9 * x / best.macs_per_second, DASHES[1], f"as many MACs per second as {best.timing.label}"
    _chart(ax, rows, x, y, [line])
    ax.set(xlabel="million MACs (log scale)", ylabel="milliseconds (log scale)")
    ax.set_title(_time_title(rows), loc="left")
    return ax
