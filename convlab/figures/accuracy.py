"""The figure of accuracy beside cost: what networks learned, live beside recorded, and what is within a budget.

The bar through a point is one standard deviation up and down, over the seeds.
"""

from __future__ import annotations

from matplotlib.axes import Axes

from convlab.figures.canvas import DASHES, INK, OUTPUT, check_pair, drawing, tint
from convlab.figures.scatter import Point, check_rows, draw_points
from convlab.measuring.accuracy import Accuracy
from convlab.wording import percent, plural


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
    """Say which rows are within the budget, or else which differ from the first, of those with the same seeds."""
    first, *others = rows
    if budget is not None:
        within = [row.label for row in rows if _is_within(row, budget)]
        return f"Within the budget, {len(within)} of {len(rows)}" + (f": {', '.join(within)}" if within else "")
    others = [row for row in others if (row.seeds, row.source) == (first.seeds, first.source) and len(row.seeds) > 1]
    if not others:
        return f"{first.label}: {percent(first.mean)} correct"
    less, more, unclear = (
        f"Less accurate than {first.label}",
        f"More accurate than {first.label}",
        "No difference shown",
    )
    found = {less: [], more: [], unclear: []}
    for row in others:
        difference, words = row.difference(first), unclear
        if difference.is_shown:
            words = more if difference.mean > 0 else less
        found[words].append(row.label)
    return ". ".join(f"{words}: {', '.join(labels)}" for words, labels in found.items() if labels)


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
            `macs`. The title compares with the first row what was trained from the same seeds, by 95 % intervals;
            with a budget it names the rows that keep all three limits, and a staircase goes through those
            that no other beats in accuracy and cost.

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
