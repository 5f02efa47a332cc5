"""Figures of whole networks: where the work sits, and where the parameters."""

from __future__ import annotations

from itertools import accumulate
from textwrap import fill

from matplotlib.axes import Axes

from convlab.figures.canvas import (
    INK,
    KERNEL,
    OUTPUT,
    check_limit,
    check_page_width,
    check_pair,
    drawing,
    given,
    percent,
    tint,
    write,
)
from convlab.table import CostTable

MAX_BARS = 8  # more would be too narrow for their numbers


def _shares(network):
    """Return the network's name, and for each row (name, share of the MACs, share of the parameters)."""
    wanted = "(name, CostTable), such as ('VGG-16', cost_table(vgg16(), (1, 3, 224, 224)))"
    check_pair(network, wanted)
    name, table = network
    if not isinstance(table, CostTable):
        raise TypeError(f"{given(table)}; wanted {wanted}")
    total = table.total
    if not (total.macs and total.params):
        raise ValueError(f"{name} has {total.macs:,} MACs and {total.params:,} parameters; wanted some of both")
    rows = [row for row in table.rows if row.macs or row.params]
    return name, [(row.name, row.macs / total.macs, row.params / total.params) for row in rows]


def _label(share):
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _finding(name, shares):
    """Say both shares of the first rows together, up to the row after which the two differ most."""
    names, *columns = zip(*shares)
    macs, params = (list(accumulate(column)) for column in columns)
    last = max(range(len(names)), key=lambda n: abs(macs[n] - params[n]))
    rows = f"{names[0]} to {names[last]}" if last else names[0]
    return f"{name}, {rows}: {percent(macs[last])} of the MACs, {percent(params[last])} of the parameters"


def describe_cost_profile(network) -> str:
    """Say where the two shares differ most, and the shares of each row."""
    name, shares = _shares(network)
    rows = "; ".join(f"{row} {_label(macs)} and {_label(params)}" for row, macs, params in shares)
    return f"{_finding(name, shares)}. Share of the MACs and of the parameters: {rows}."


@drawing(describe_cost_profile)
def draw_cost_profile(network, ax: Axes | None = None) -> Axes:
    """Draw each row of a table as a bar up, its share of the MACs, and a bar down, its share of the parameters.

    Args:
        network: (name, table), the rows in the order of the network, such as `cost_table(…).grouped(stage)`. Rows
            with neither MACs nor parameters are left out.

    Raises:
        TypeError: no pair, or no CostTable in it.
        ValueError: no MACs or no parameters at all, more than 8 rows to draw, or a panel narrower than the page.
    """
    name, shares = _shares(network)
    check_limit("rows", len(shares), MAX_BARS)
    check_page_width(ax, "a profile")
    names, *columns = zip(*shares)
    most = [100 * max(column) for column in columns]
    room = 0.12 * sum(most)  # for the numbers at the ends of the bars
    halves = ((1, "MACs", "bottom", OUTPUT, ""), (-1, "parameters", "top", KERNEL, "//"))
    for column, high, (sign, what, side, color, hatch) in zip(columns, most, halves):
        heights = [sign * 100 * share for share in column]
        ax.bar(range(len(names)), heights, width=0.7, color=tint(color, 0.25), edgecolor=INK, hatch=hatch)
        for at, share in zip(enumerate(heights), column):
            ax.annotate(_label(share), at, (0, 3 * sign), textcoords="offset points", ha="center", va=side)
        write(ax, -0.07, sign * (high + room) / 2, f"% of the\n{what}", rotation=90, transform=ax.get_yaxis_transform())
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set(xlim=(-0.6, len(names) - 0.4), ylim=(-most[1] - room, most[0] + room))
    ax.yaxis.set_major_formatter(lambda value, position: f"{abs(value):g}")
    ax.set_xticks(range(len(names)), [fill(row, 80 // len(names)) for row in names])
    ax.tick_params(axis="x", length=0)
    ax.set_box_aspect(0.42)
    ax.set_title(_finding(name, shares), loc="left")
    return ax
