"""Figures of measured times: how close layers come to what the machine can do, and time beside MACs.

A live result is a filled disc, a recorded one a hollow square or diamond, and the legend says which is which. The bar
through a point is the middle half of its repeats.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from convlab.figures.canvas import DASHES, check_pair, drawing
from convlab.figures.scatter import Point, check_rows, draw_points
from convlab.measuring.timings import LayerTiming, Peaks
from convlab.wording import percent, plural

NOISY = "Too noisy to read: time it again on a quieter machine"


def billions(rate):
    """Write a rate in billions, to three digits: 98.3, or 209,000 for a GPU."""
    return f"{float(f'{rate / 1e9:.3g}'):,g}"


def _first_run(rows):
    """Return the rows that were timed in turns with the first: only they are compared with each other."""
    run = rows[0].timing.measured_at, rows[0].source
    return [row for row in rows if (row.timing.measured_at, row.source) == run]


def _said(title, rows, numbers, unclear):
    """Return the title, and for each row its numbers with all that tells it from the others."""
    parts = []
    for row, number, is_unclear in zip(rows, numbers, unclear):
        noisy = ", too noisy" if is_unclear else ""
        parts.append(f"{row.timing.label} ({row.source}, {plural(row.timing.threads, 'thread')}{noisy}): {number}")
    return f"{title}. {'; '.join(parts)}."


def _draw_timings(ax, rows, x, y, lines, unclear):
    """Draw a point for each row, at its number of `x` and its (middle, low, high) of `y`."""
    labels = [row.timing.label + (" (too noisy)" if is_unclear else "") for row, is_unclear in zip(rows, unclear)]
    points = [Point(label, row.source, at, *place) for label, row, at, place in zip(labels, rows, x, y)]
    draw_points(ax, "a chart of times", points, lines)


def _roofs(data):
    """Return each roof with its words, the rows, the share of its own roof that each reaches, and the title."""
    check_pair(data, "(peaks, timings), such as (machine_peaks(), time_layers(…))")
    peaks, rows = check_rows(data[0], Peaks, "peaks", len(DASHES)), check_rows(data[1], LayerTiming, "timings")
    roofs, shares = {(peak.source, peak.threads): peak for peak in peaks}, []
    for row in rows:
        key = row.source, row.timing.threads
        if key not in roofs:
            raise ValueError(f"{row.timing.label!r} was timed {key[0]} with threads={key[1]}; wanted Peaks of that too")
        shares.append(row.macs_per_second / roofs[key].roof(row.macs_per_byte))
    words = [
        f"roof, {source.partition(',')[0]}, {plural(threads, 'thread')}: "
        f"{billions(peak.macs_per_second)} billion MACs/s, {billions(peak.bytes_per_second)} billion bytes/s"
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
        f"{row.macs_per_byte:.3g} MACs per byte, {billions(row.macs_per_second)} billion MACs/s, {percent(share)}"
        for row, share in zip(rows, shares)
    ]
    said = _said(title, rows, numbers, [row.timing.is_noisy for row in rows])
    return " ".join([said, *(f"R{words[1:]}." for _, words in roofs)])


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
    x = [row.macs_per_byte for row in rows]
    y = [row.macs / np.quantile(row.timing.seconds, (0.5, 0.75, 0.25)) / 1e9 for row in rows]
    lines = [(lambda x, peak=peak: peak.roof(x) / 1e9, dash, words) for (peak, words), dash in zip(roofs, DASHES)]
    _draw_timings(ax, rows, x, y, lines, [row.timing.is_noisy for row in rows])
    ax.set(xlabel="MACs per byte (log scale)", ylabel="billion MACs per second (log scale)")
    ax.set_title(title, loc="left")
    return ax


def _shares(rows):
    """Return MACs and time of each row as parts of those of the row with the most MACs in its run, and what is unclear.

    The time is a Ratio; it is unclear if its middle half is wider than the spread that was wanted.
    """
    shares, ratios, unclear = [], [], []
    for row in rows:
        run = row.timing.measured_at, row.source
        most = max((other for other in rows if (other.timing.measured_at, other.source) == run), key=lambda r: r.macs)
        ratio = row.timing.ratio(most.timing)
        shares.append(row.macs / most.macs)
        ratios.append(ratio)
        unclear.append(ratio.high - ratio.low > row.timing.spread * ratio.median)
    return shares, ratios, unclear


def _time_title(rows):
    run = sorted(_first_run(rows), key=lambda row: (row.macs, row.timing.median))
    few, many = run[0].timing, run[-1].timing
    share, (_, low, high) = run[0].macs / run[-1].macs, few.ratio(many)
    return f"{few.label}: {percent(share)} of the MACs of {many.label}, {100 * low:.3g} to {percent(high)} of its time"


def describe_time_against_macs(rows) -> str:
    """Say each layer's share of the MACs and of the time, and compare the layers with the fewest and the most MACs."""
    rows = check_rows(rows, LayerTiming, "timings")
    shares, ratios, unclear = _shares(rows)
    numbers = [
        f"{percent(share)} of the MACs, {percent(ratio.median)} of the time" for share, ratio in zip(shares, ratios)
    ]
    return _said(_time_title(rows), rows, numbers, unclear)


@drawing(describe_time_against_macs)
def draw_time_against_macs(rows, ax: Axes | None = None) -> Axes:
    """Draw the time of layers over their MACs, both as shares; what lies above the line takes longer for each MAC.

    A share is that of the layer with the most MACs in the same run: so runs of several machines fit in one chart. The
    bar is the middle half of the ratios of two times, round by round.

    Args:
        rows: LayerTimings, one or a list of them; of each run the layer with the most MACs is 100 %.

    Raises:
        TypeError: something that is no LayerTiming.
        ValueError: over 10 rows, or a panel narrower than the page.
    """
    rows = check_rows(rows, LayerTiming, "timings")
    shares, ratios, unclear = _shares(rows)
    line = (lambda share: share), DASHES[1], "time in proportion to MACs"
    _draw_timings(ax, rows, 100 * np.array(shares), 100 * np.array(ratios), [line], unclear)
    ax.set(xlabel="MACs, % (log scale)", ylabel="time, % (log scale)")
    ax.set_title(_time_title(rows), loc="left")
    return ax
