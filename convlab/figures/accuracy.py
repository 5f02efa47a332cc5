"""Figures of accuracy: beside cost, with what is within a budget, and as differences with their intervals.

In the first, the bar through a point is one standard deviation up and down, over the seeds.
"""

from __future__ import annotations

from collections import Counter

from matplotlib.axes import Axes

from convlab.figures.canvas import DASHES, INK, OUTPUT, check_limit, check_page_width, check_pair, drawing, given, tint
from convlab.figures.scatter import Point, check_rows, draw_points
from convlab.measuring.accuracy import Accuracy
from convlab.wording import minus, percent, plural

MAX_DIFFERENCES = 12
OUTCOMES = ("better", "within the margin", "open", "worse")


def _checked(data):
    """Return the rows, and the budget or None."""
    check_pair(data, "(rows, budget or None), such as (train_and_test(…), None)")
    rows = check_rows(data[0], Accuracy, "networks")
    for row in rows:
        if row.macs < 1:
            raise ValueError(f"{row.label!r} has {row.macs} MACs, which has no place on a log scale; wanted 1 at least")
    return rows, data[1]


def _is_accurate_and_cheap(row, budget):
    """Say whether a row is in the shade: it keeps the two limits that are on the axes."""
    return row.mean >= budget.accuracy and row.macs <= budget.macs


def _is_within(row, budget):
    return _is_accurate_and_cheap(row, budget) and row.params <= budget.params


def _title(rows, budget):
    """Say which rows are within the budget, or else which has the highest mean."""
    if budget is None:
        best = max(rows, key=lambda row: row.mean)
        return f"The highest mean of {len(rows)}: {best.label}, {percent(best.mean)} correct"
    within = [row.label for row in rows if _is_within(row, budget)]
    return f"Within the budget, {len(within)} of {len(rows)}" + (f": {', '.join(within)}" if within else "")


def describe_accuracy(data) -> str:
    """Say what the title says, and the accuracy and the MACs of each network."""
    rows, budget = _checked(data)
    parts = []
    for row in rows:
        spread = f" ± {100 * row.spread:.2g}" if len(row.seeds) > 1 else ""
        source = f"{row.source}, {plural(len(row.seeds), 'seed')}"
        parts.append(f"{row.label} ({source}): {100 * row.mean:.3g}{spread} %, {row.macs:,} MACs")
    said = f"{_title(rows, budget)}. {'; '.join(parts)}."
    if budget is None:
        return said
    limits = f"at most {budget.params:,} parameters and {budget.macs:,} MACs"
    return f"{said} The budget: at least {percent(budget.accuracy)}, {limits}."


@drawing(describe_accuracy)
def draw_accuracy(data, ax: Axes | None = None) -> Axes:
    """Draw the mean accuracy of networks over their MACs for one image.

    Args:
        data: (rows, budget): Accuracy, one or a list of them, and None or what has the fields `accuracy`, `params` and
            `macs`. With a budget the title names the rows that keep all three limits, and a staircase goes through
            those that no other beats in accuracy and cost.

    Raises:
        TypeError: no pair, or no Accuracy in it.
        ValueError: over 10 rows, a row without MACs, or a panel narrower than the page.
    """
    rows, budget = _checked(data)
    points = []
    for row in rows:
        mean, spread = 100 * row.mean, 100 * row.spread
        points.append(Point(row.label, row.source, row.macs / 1000, mean, mean - spread, mean + spread))
    lines, inside = [], []
    if budget is not None:
        most, least = budget.macs / 1000, 100 * budget.accuracy
        for n, row in enumerate(rows):
            if _is_accurate_and_cheap(row, budget) and not _is_within(row, budget):
                points[n] = points[n]._replace(label=f"{row.label} (over: parameters)")
        look = {"facecolor": tint(OUTPUT, 0.85), "edgecolor": INK, "linestyle": DASHES[1], "zorder": 0}
        words = f"both kept: at least {percent(budget.accuracy)}, at most {budget.macs:,} MACs"
        ax.fill_between([most / 1e6, most], least, 100, label=words, **look)

        def best(x):
            return max((point.y for point in points if point.x <= x), default=float("nan"))

        lines, inside = [(best, DASHES[0], "the best with so many MACs or fewer")], [(most, least), (most, 100)]
    draw_points(ax, "a chart of accuracy", points, lines, inside, log_y=False)
    ax.set_yticks([tick for tick in ax.get_yticks() if ax.get_ylim()[0] <= tick <= 100])
    ax.set(xlabel="thousand MACs for one image (log scale)", ylabel="accuracy on held-out images, %")
    ax.set_title(_title(rows, budget), loc="left")
    return ax


def _compared(data):
    """Return for each pair its label, its two intervals, its margin in points and its outcome, and the title."""
    check_pair(data, "([(network, other), …], margin), such as ([(separable, standard)], 0.25)")
    pairs, margin = data
    if not isinstance(pairs, list) or not pairs:
        raise TypeError(f"{given(pairs)}; wanted a list with at least one pair (network, other)")
    check_limit("differences", len(pairs), MAX_DIFFERENCES)
    level, rows = 1 - 0.05 / len(pairs), []
    for pair in pairs:
        check_pair(pair, "a pair (network, other), each an Accuracy")
        row, other = (check_rows(one, Accuracy, "networks", 1)[0] for one in pair)
        points, corrected = other.error_points(margin), row.difference(other, level)
        label = f"{row.label} − {other.label}"
        rows.append((label, row.difference(other), corrected, points, corrected.outcome(points)))
    counts = Counter(outcome for *_, outcome in rows)
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
    return rows, f"Corrected for {plural(len(rows), 'comparison')}: {words}"


def describe_differences(data) -> str:
    """Say the title, and of each difference its mean, both intervals, the margin and the outcome."""
    rows, title = _compared(data)
    said = [
        minus(
            f"{label}: {plain.mean:+.2f} points (95 %: {plain.low:+.2f} to {plain.high:+.2f}; "
            f"corrected: {corrected.low:+.2f} to {corrected.high:+.2f}; margin {-points:.2f}), {outcome}"
        )
        for label, plain, corrected, points, outcome in rows
    ]
    return f"{title}. {'; '.join(said)}."


@drawing(describe_differences)
def draw_differences(data, ax: Axes | None = None) -> Axes:
    """Draw how much more accurate one network is than another, a row for each pair: a forest plot.

    The thick bar is the 95 % interval. The thin one is corrected for so many comparisons as there are rows: its level
    is 1 − 0.05 / rows (Bonferroni). It decides the word at the right end, an outcome of `Difference.outcome`.

    Args:
        data: (pairs, margin): a list of (network, other), both Accuracy, and which share more errors than the other
            network makes would not matter. A dashed line is at that margin.

    Raises:
        TypeError: no list of pairs, or no Accuracy in one.
        ValueError: over 12 pairs, networks that are not to be compared, or a panel narrower than the page.
    """
    check_page_width(ax, "a chart of differences")
    rows, title = _compared(data)
    for y, (_, plain, corrected, points, outcome) in enumerate(rows):
        names = iter(("mean and 95 % interval", "corrected interval", "margin") if not y else ("", "", ""))
        ax.plot(plain[1:], (y, y), color=OUTPUT, linewidth=6, solid_capstyle="butt", label=next(names))
        ax.plot(corrected[1:], (y, y), color=INK, linewidth=1.2, label=next(names))
        ax.plot((-points, -points), (y - 0.5, y + 0.5), color=INK, linestyle=DASHES[1], linewidth=1, label=next(names))
        ax.plot(plain.mean, y, marker="D", color=INK, markersize=5)
        ax.text(1.02, y, outcome, transform=ax.get_yaxis_transform(), va="center")
    bottom = len(rows) - 0.4
    ax.plot((0, 0), (bottom, -0.6), color=INK, linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(rows)), [label for label, *_ in rows])
    ax.set(ylim=(bottom, -1.4), xlabel="percentage points more accurate (below 0: less accurate)")
    ax.set_box_aspect(0.3 * (len(rows) + 1) / 4.6)
    ax.legend(loc="upper left", ncols=3, frameon=False, borderaxespad=0.2)  # in the place of one more row
    ax.set_title(title, loc="left")
    return ax
