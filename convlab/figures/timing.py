"""Figures of measured times: how close layers come to what the machine can do, time beside MACs, and conditions.

In a chart a live result is a filled disc, a recorded one a hollow square or diamond, and the legend says which is
which. The bar through a point is the middle half of its repeats.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from convlab.figures.canvas import (
    DASHES,
    HIGHLIGHT,
    INK,
    OUTPUT,
    PAPER,
    canvas,
    check_limit,
    check_page_width,
    check_pair,
    drawing,
    tint,
    write,
)
from convlab.figures.scatter import Point, check_rows, draw_points
from convlab.measuring.timing_tables import OUTCOMES, compare_layers
from convlab.measuring.timings import LayerTiming, Peaks, best_peaks, nearest_peaks
from convlab.wording import percent, plural

NOISY = "Too noisy to read: time it again on a quieter machine"
NOT = "too noisy, or too few processes"
MAX_CONDITIONS, MAX_KINDS = 16, 8  # columns and rows of a grid
MAX_PEAKS, MAX_TIMINGS = 10_000, 10_000  # given, not drawn: a recording has those of all its processes


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
    """Return the roofs with their words, the rows, the share of its own roof that each reaches, and the title."""
    check_pair(data, "(peaks, timings), such as (machine_peaks(), time_layers(…))")
    peaks, rows = check_rows(data[0], Peaks, "peaks", MAX_PEAKS), check_rows(data[1], LayerTiming, "timings")
    machines = dict.fromkeys((row.source, row.timing.threads) for row in rows)
    if len(machines) > 1:
        named = "; ".join(f"{source}, {plural(threads, 'thread')}" for source, threads in machines)
        raise ValueError(f"the timings are of {len(machines)} machines: {named}; wanted one machine in a panel")
    ((source, threads),) = machines
    peaks = [peak for peak in best_peaks(peaks) if (peak.source, peak.threads) == (source, threads)]
    fair = [nearest_peaks(row, peaks) for row in rows]
    if None in fair:
        row = rows[fair.index(None)]
        what = f"{row.timing.label!r} touches {row.bytes_moved // row.products:,} bytes, {source}, threads={threads}"
        raise ValueError(f"{what}; wanted Peaks of that with a copy near that size")
    shares = [row.macs_per_second / peak.roof(row.macs_per_byte) for row, peak in zip(rows, fair)]
    largest = max(peaks, key=lambda peak: peak.copied_bytes)
    drawn = sorted({peak.copied_bytes: peak for peak in (*fair, largest)}.values(), key=lambda peak: peak.copied_bytes)
    check_limit("sizes of a copy", len(drawn), len(DASHES))
    words = [
        f"roof with {_size(2 * peak.copied_bytes)} copied: {billions(peak.macs_per_second)} billion MACs/s, "
        f"{billions(peak.bytes_per_second)} billion bytes/s"
        for peak in drawn
    ]
    ends = sorted((share, row.timing.label) for row, share in zip(rows, shares) if not row.timing.is_noisy)
    named = ", ".join(f"{label} {percent(share)}" for share, label in dict.fromkeys(ends[:1] + ends[-1:]))
    images = plural(rows[0].timing.input_shape[0], "image")
    title = f"{images}, {plural(threads, 'thread')}. Share of the roof reached: {named}" if named else NOISY
    return list(zip(drawn, words)), rows, shares, title


def _size(count):
    """Write a number of bytes as MB, to two digits."""
    return f"{count / 1e6:.2g} MB" if count < 1e8 else f"{count / 1e6:.0f} MB"


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
    """Draw the MACs per second of layers over their MACs per byte, under the roofs of their machine.

    A roof has a slope for each size of a copy: what fits into a cache is copied faster. Each layer is compared with the
    roof of the copy that touches about as many bytes as one of its products does.

    Args:
        data: (peaks, timings): Peaks and LayerTimings, one or a list of them. The timings are of one machine and one
            number of threads. Drawn are the roofs that they are compared with, and that of the largest copy.

    Raises:
        TypeError: no pair, or something else in it.
        ValueError: over 10 timings, or roofs of over 4 copies; timings of two machines; a timing without the peaks of a
            copy within a factor of 2 of its bytes; or a panel narrower than the page.
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


def _grid(rows):
    """Return the kinds of layers, the conditions, (kind, condition) → Evidence, and the title."""
    rows = check_rows(rows, LayerTiming, "timings", MAX_TIMINGS)
    compared = [found for found in compare_layers(rows) if found.meaning == "time"]
    if not compared:
        raise ValueError("no layer beside a standard one; wanted LayerTimings with the label 'standard' among them")
    cells = {(found.label, found.condition): found.evidence() for found in compared}
    if len(cells) < len(compared):
        raise ValueError("two families of layers in one grid; wanted those at equal shapes, or those at equal MACs")
    kinds = list(dict.fromkeys(label for label, _ in cells))
    formats = list(dict.fromkeys(condition.memory_format for _, condition in cells))
    conditions = sorted(
        dict.fromkeys(condition for _, condition in cells),
        key=lambda c: (c.batch, formats.index(c.memory_format), c.backward, c.threads),
    )
    check_limit("conditions", len(conditions), MAX_CONDITIONS)
    check_limit("kinds of layers", len(kinds), MAX_KINDS)
    counts = [sum(found.outcome == outcome for found in cells.values()) for outcome in OUTCOMES]
    said = [f"{name} in {count}" for name, count in zip(OUTCOMES, counts) if count]
    where = rows[0].source.partition(", ")[2].partition(", ")[2] or "this machine"
    title = f"Time over that of the standard layer, {where}: {', '.join(said)}"
    return kinds, conditions, cells, title


def _words(condition):
    """Return what a condition is, as words from the widest heading to the narrowest."""
    passes = "both passes" if condition.backward else "forward"
    layout = condition.memory_format.replace("_", "-")
    return f"{plural(condition.batch, 'image')}", layout, passes, str(condition.threads)


def describe_time_grid(rows) -> str:
    """Say how many outcomes there are, and every number with its condition."""
    kinds, conditions, cells, title = _grid(rows)
    parts = []
    for condition in conditions:
        *words, threads = _words(condition)
        found = [(kind, cells[kind, condition]) for kind in kinds if (kind, condition) in cells]
        numbers = ", ".join(f"{kind} {_number(evidence) or 'too noisy'}" for kind, evidence in found)
        parts.append(f"{', '.join(words)}, {plural(int(threads), 'thread')}: {numbers}")
    return f"{title}. {'; '.join(parts)}."


def _number(evidence):
    """Write the middle of a ratio in three or four letters: 0.25, 1.4, 12, 840."""
    if evidence.outcome == "not measured":
        return ""
    return (
        f"{evidence.middle:.2f}" if evidence.middle < 1 else f"{evidence.middle:.{1 if evidence.middle < 10 else 0}f}"
    )


def _face(evidence):
    """Return the colour of a cell: green for less, orange for more, the stronger the further from 1; else paper."""
    color = {"less": OUTPUT, "more": HIGHLIGHT}.get(evidence.outcome, PAPER)
    return tint(color, 0.85 - 0.6 * min(1, abs(np.log2(evidence.middle)) / 5)) if color != PAPER else PAPER


def _heads(conditions, width):
    """Yield (level, start, length, words) of each heading, in columns; equal neighbours share one."""
    rows = [_words(condition) for condition in conditions]
    levels = len(rows[0]) if len({row[-1] for row in rows}) > 1 else len(rows[0]) - 1  # threads that are all the same
    for level in range(levels):
        start = 0
        for words, run in groupby(row[: level + 1] for row in rows):
            length = width * len([*run])
            yield level, start, length, words[-1]
            start += length


@drawing(describe_time_grid, most_in_a_row=lambda items: 1)
def draw_time_grid(rows, ax: Axes | None = None) -> Axes:
    """Draw the time of layers over that of the standard one: a row for each kind, a column for each condition.

    A cell is green where the evidence says less time, orange where it says more, white where it is open, and hatched,
    without a number, where a timing was too noisy or too few processes are left.

    Args:
        rows: LayerTimings of one machine and one family, with the standard layer under each condition among them.

    Raises:
        TypeError: something that is no LayerTiming.
        ValueError: no standard layer, two machines or families, over 16 conditions or 8 kinds, or a panel narrower than
            the page.
    """
    kinds, conditions, cells, title = _grid(rows)
    check_page_width(ax, "a grid of times")
    width = 1 if len(conditions) > MAX_CONDITIONS / 2 else 2
    left, heads = 2.4, [*_heads(conditions, width)]
    top = 1 + max(level for level, *_ in heads)
    canvas(ax, left + max(16, width * len(conditions)) + 0.2, top + len(kinds) + 1.4, title)
    for level, start, length, words in heads:
        write(ax, left + start + length / 2, level + 0.5, words)
        ax.plot([left + start + 0.1, left + start + length - 0.1], [level + 0.95] * 2, color=INK, linewidth=0.6)
    if top == 4:
        write(ax, left - 0.2, 3.5, "threads", ha="right")
    for row, kind in enumerate(kinds):
        write(ax, left - 0.2, top + row + 0.5, kind, ha="right")
        for column, condition in enumerate(conditions):
            evidence = cells.get((kind, condition))
            text = _number(evidence) if evidence else ""
            _box(ax, left + width * column, top + row, width, _face(evidence) if text else "", text)
    x = left
    for face, words in ((tint(OUTPUT, 0.5), "less time"), (tint(HIGHLIGHT, 0.5), "more"), (PAPER, "open"), ("", NOT)):
        _box(ax, x, top + len(kinds) + 0.5, 0.6, face, "", height=0.6)
        write(ax, x + 0.8, top + len(kinds) + 0.8, words, ha="left")
        x += 1.6 + 0.22 * len(words)
    return ax


def _box(ax, x, y, width, face, text, height=1):
    """Draw one cell with its number; hatched if it has no face."""
    look = {"facecolor": face} if face else {"facecolor": PAPER, "hatch": "////"}
    ax.add_patch(Rectangle((x, y), width, height, edgecolor=INK, linewidth=0.6, **look))
    write(ax, x + width / 2, y + height / 2, text, face or PAPER, size=9)
