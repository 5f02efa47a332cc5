"""The figure of accuracy beside cost: what networks learned, live beside recorded, and what is within a budget.

The bar through a point is one standard deviation up and down, over the seeds.
"""

from __future__ import annotations

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes

from convlab.figures.canvas import DASHES, INK, OUTPUT, check_pair, drawing, percent, tint
from convlab.figures.scatter import checked, draw_points
from convlab.measuring.accuracy import Accuracy

COSTS = {"MACs": "macs", "parameters": "params"}


def _checked(data, cost):
    """Return the rows, the budget or None, and the field that holds the cost."""
    check_pair(data, "(rows, budget or None), such as (train_and_test(…), None)")
    if cost not in COSTS:
        raise ValueError(f"cost={cost!r}; wanted one of {', '.join(COSTS)}")
    rows, budget = checked(data[0], Accuracy, "networks"), data[1]
    if missing := [name for name in ("accuracy", "params", "macs") if budget is not None and not hasattr(budget, name)]:
        raise TypeError(
            f"the budget {budget!r} has no {missing[0]}; wanted one with accuracy, params and macs, or None"
        )
    if free := [row.label for row in rows if getattr(row, COSTS[cost]) < 1]:
        raise ValueError(f"{free[0]!r} has 0 {cost}, which has no place on a log scale; wanted 1 at least")
    return rows, budget, COSTS[cost]


def _title(rows, budget):
    """Say which rows are within the budget, or else which differ from the first, of those with the same seeds."""
    first, *others = rows
    if budget is not None:
        fit = [
            row.label
            for row in rows
            if row.mean >= budget.accuracy and row.params <= budget.params and row.macs <= budget.macs
        ]
        return f"Within the budget, {len(fit)} of {len(rows)}{': ' * bool(fit)}{', '.join(fit)}"
    others = [row for row in others if (row.seeds, row.source) == (first.seeds, first.source) and len(row.seeds) > 1]
    if not others:
        return f"{first.label}: {percent(first.mean)} correct"
    found = {
        f"Less accurate than {first.label}": [],
        f"More accurate than {first.label}": [],
        "No difference shown": [],
    }
    less, more, unclear = found.values()
    for row in others:
        difference = row.difference(first)
        (unclear if not difference.is_shown else more if difference.mean > 0 else less).append(row.label)
    live = f"{first.source.partition(',')[0].capitalize()}: " if any(row.source != first.source for row in rows) else ""
    return live + ". ".join(f"{words}: {', '.join(labels)}" for words, labels in found.items() if labels)


def describe_accuracy(data, cost: str = "MACs") -> str:
    """Say what the title says, and the accuracy and the cost of each network."""
    rows, budget, field = _checked(data, cost)
    parts = []
    for row in rows:
        seeds = f"{len(row.seeds)} seed{'s' * (len(row.seeds) > 1)}"
        spread = f" ± {100 * row.spread:.2g}" if len(row.seeds) > 1 else ""
        parts.append(
            f"{row.label} ({row.source}, {seeds}): {100 * row.mean:.3g}{spread} %, {getattr(row, field):,} {cost}"
        )
    limits = ""
    if budget is not None:
        limits = f" The budget: at least {percent(budget.accuracy)}, "
        limits += f"at most {budget.params:,} parameters and {budget.macs:,} MACs."
    return f"{_title(rows, budget)}. {'; '.join(parts)}.{limits}"


@drawing(describe_accuracy)
def draw_accuracy(data, ax: Axes | None = None, cost: str = "MACs") -> Axes:
    """Draw the mean accuracy of networks over their cost for one image.

    Args:
        data: (rows, budget): Accuracy, one or a list of them, and None or what has the fields `accuracy`, `params` and
            `macs`. The title compares with the first row what was trained from the same seeds, by 95 % intervals;
            with a budget it names the rows that keep all three limits, and a staircase goes through those
            that no other beats in accuracy and cost.
        cost: "MACs" or "parameters".

    Raises:
        TypeError: no pair, or something else in it.
        ValueError: another cost, over 10 rows, or a panel narrower than the page.
    """
    rows, budget, field = _checked(data, cost)
    x = [getattr(row, field) / 1000 for row in rows]
    y = 100 * np.transpose([(row.mean, row.mean - row.spread, row.mean + row.spread) for row in rows])
    lines, also, labels = [], (), [row.label for row in rows]
    if budget is not None:
        unseen, other = next((name, one) for name, one in COSTS.items() if name != cost)
        for n, row in enumerate(rows):  # inside the shade, and over all the same
            if row.mean >= budget.accuracy and getattr(row, field) <= getattr(budget, field):
                labels[n] += f" (over: {unseen})" * (getattr(row, other) > getattr(budget, other))
        also = most, least, top = getattr(budget, field) / 1000, 100 * budget.accuracy, 100
        look = {"facecolor": tint(OUTPUT, 0.85), "edgecolor": INK, "linestyle": DASHES[1], "zorder": 0}
        words = f"both kept: at least {percent(budget.accuracy)}, at most {1000 * most:,.0f} {cost}"
        ax.fill_between([most / 1e6, most], least, top, label=words, **look)
        points = list(zip(x, y[0]))

        def best(x):
            return max((height for at, height in points if at <= x), default=np.nan)

        lines = [(best, DASHES[0], f"the best with so many {cost} or fewer")]
    draw_points(ax, "a chart of accuracy", x, y, [row.source for row in rows], labels, lines, also, False)
    ax.set_yticks([tick for tick in ax.get_yticks() if ax.get_ylim()[0] <= tick <= 100])
    ax.set(xlabel=f"thousand {cost} for one image (log scale)", ylabel="accuracy on held-out images, %")
    title = _title(rows, budget)
    ax.set_title(title if budget is None else fill(title, 76), loc="left")
    return ax
