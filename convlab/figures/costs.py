"""Figures of sizes and costs: feature maps as volumes, bars, a network's profile, and what a separable layer saves."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate, pairwise
from math import isfinite, log2
from numbers import Real
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from convlab.counting import chain_cost_table, named_layers, separable_share
from convlab.figures.canvas import (
    DASHES,
    INK,
    INPUT,
    KERNEL,
    MAX_LAYERS,
    OUTPUT,
    PAGE_INCHES,
    UNIT_INCHES,
    arrow,
    canvas,
    check_limit,
    check_page_width,
    check_pair,
    drawing,
    given,
    panel_inches,
    tint,
    write,
)
from convlab.spec import ConvSpec, exact_int
from convlab.table import CostTable
from convlab.wording import format_number, percent, plural

SCALES = ((1e9, "billion "), (1e6, "million "), (1, ""))  # of an axis of counts
MAX_BARS = 8  # of a profile; more would be too narrow for their numbers
FILTERS = [2**n for n in range(11)]  # 1 to 1,024, the numbers of filters on an axis
SAVING_TITLE = "However many filters, a separable K×K layer saves less than a factor of K²"


def _stages(chain):
    """Return (name, kernel, MACs, (height, width, channels)) for the input and each layer's output."""
    check_pair(chain, "(layers, input shape), such as ([ConvSpec(3, 16, 3)], (1, 3, 32, 32))")
    layers, input_shape = chain
    pairs = named_layers(layers)
    check_limit("layers", len(pairs), MAX_LAYERS)
    stages = [("input", "", 0, input_shape)]
    for n, ((name, spec), row) in enumerate(zip(pairs, chain_cost_table(pairs, input_shape).rows), 1):
        name = row.kind if name == f"layer {n}" else name  # the kind says more than "layer 1"
        stages.append((name, "{}×{}".format(*spec.kernel_size), row.macs, row.output_shape))
    return [(name, kernel, macs, (*shape[2:], shape[1])) for name, kernel, macs, shape in stages]


def _volume_label(size):
    height, width, channels = size
    return f"{height} × {width}, {plural(channels, 'channel')}"


def describe_volumes(chain) -> str:
    """Say the size of each feature map and the MACs of each layer between them."""
    (*_, size), *layers = _stages(chain)
    steps = "; ".join(
        f"{name} ({kernel} kernel, {macs:,} MACs) gives {_volume_label(out)}" for name, kernel, macs, out in layers
    )
    total = sum(macs for _, _, macs, _ in layers)
    return f"Input of {_volume_label(size)}; {steps}. In all {total:,} MACs."


@drawing(describe_volumes)
def draw_volumes(chain, ax: Axes | None = None) -> Axes:
    """Draw the feature maps of a chain of layers as boxes, with each layer and its MACs on the arrow between.

    Args:
        chain: (layers, input shape), the two arguments of `cost_table`. MACs count the whole batch.

    Raises: what `cost_table` raises, a TypeError for no pair, and a ValueError for more than 4 layers.
    """
    stages = _stages(chain)
    edges = [[log2(1 + n) for n in size] for *_, size in stages]
    wide, text = sum(w + 0.35 * c for _, w, c in edges), (1.5, 0.7)  # units; inches for the text on an arrow
    unit = min(UNIT_INCHES, max(1.0, panel_inches(ax) - text[0] * len(edges[1:]) - 0.3) / wide)
    gap = max(5.0, text[0] / unit)
    middles = [min(before[0], after[0]) / 2 for before, after in pairwise(edges)]
    base = max(*(h + 0.35 * c for h, _, c in edges), *(middle + text[1] / unit for middle in middles)) + 0.3
    x = 0.2
    for n, ((name, kernel, macs, size), (h, w, c)) in enumerate(zip(stages, edges)):
        if n:
            y = base - middles[n - 1]
            arrow(ax, (x + 0.08 * gap, y), (x + 0.92 * gap, y))
            lines = f"{fill(name, 18)}\n{kernel} kernel\n{macs:,} MACs"
            write(ax, x + gap / 2, y - 0.05 / unit, lines, va="bottom")
            x += gap
        front = [(x, base - h), (x + w, base - h), (x + w, base), (x, base)]
        back = [(px + 0.35 * c, py - 0.35 * c) for px, py in front]  # cabinet projection
        top, side = [front[0], front[1], back[1], back[0]], [front[1], front[2], back[2], back[1]]
        for corners, amount in ((front, 0.35), (top, 0.6), (side, 0.1)):
            face = tint(OUTPUT if n else INPUT, amount)
            ax.add_patch(Polygon(corners, facecolor=face, edgecolor=INK, linewidth=1, joinstyle="round"))
        label = ("" if n else "input\n") + _volume_label(size).replace(", ", ",\n", 1)
        write(ax, x, base + 0.08 / unit, label, ha="left", va="top")
        x += w + 0.35 * c
    names, total = " + ".join(stage[0] for stage in stages[1:]), sum(stage[2] for stage in stages)
    canvas(ax, x + 0.3, base + 0.3, f"{names}: {total:,} MACs (edges drawn on a log scale)")
    return ax


def _costs(costs):
    """Return the costs as a dictionary, label to count."""
    try:
        costs = dict(costs)
    except (TypeError, ValueError):
        raise TypeError(f"{given(costs)}; wanted labels with their counts, such as {{'standard': 75}}") from None
    for label, count in costs.items():
        if not isinstance(count, Real) or isinstance(count, bool) or not isfinite(count) or count <= 0:
            raise ValueError(f"{label!r} costs {count!r}; wanted a positive number")
    if not costs:
        raise ValueError("no costs to draw; wanted at least one label with its count")
    return costs


def _cost_title(costs, unit):
    least, most = min(costs, key=costs.get), max(costs, key=costs.get)
    if costs[least] == costs[most]:
        each = " each" if len(costs) > 1 else ""
        return f"{', '.join(map(str, costs))}: {format_number(costs[most], 3)} {unit}{each}"
    return f"{least}: {percent(costs[least] / costs[most])} of {most}"


def describe_cost_bars(costs, unit: str = "MACs") -> str:
    """Say every count, and the smallest as a share of the largest."""
    costs = _costs(costs)
    bars = "; ".join(f"{label} {format_number(count, 3)}" for label, count in costs.items())
    return f"{_cost_title(costs, unit)}. Bars in {unit}: {bars}."


@drawing(describe_cost_bars)
def draw_cost_bars(costs, ax: Axes | None = None, unit: str = "MACs") -> Axes:
    """Draw one bar a cost, with its number and its share of the largest.

    Args:
        costs: label → count, or (label, count) pairs, in the order to draw.
        unit: what is counted, for the axis.

    Raises:
        TypeError: no labels with counts.
        ValueError: no cost, or one that is no positive, finite number; a bool is none.
    """
    costs = _costs(costs)
    most, counts, panel = max(costs.values()), list(costs.values()), panel_inches(ax)
    scale, word = next((scale, word) for scale, word in SCALES if most >= scale or scale == 1)
    ax.barh(range(len(costs)), [n / scale for n in counts], color=tint(KERNEL, 0.25), edgecolor=INK, height=0.6)
    for y, count in enumerate(counts):
        note = f"{format_number(count, 3)}  ({percent(count / most)})" if len(costs) > 1 else format_number(count, 3)
        ax.annotate(note, (count / scale, y), (5, 0), textcoords="offset points", va="center")
    longest = max(0.35, 1 - 1.7 / (panel - 1))  # of the axis; the number at the bar takes 1.7 inches
    ax.set(xlabel=word + unit, xlim=(0, most / scale / longest), ylim=(len(costs) - 0.4, -0.6))
    ax.xaxis.set_major_formatter("{x:,g}")
    whole = scale == 1 and all(float(n).is_integer() for n in counts)  # no tick at half a MAC
    ax.locator_params(axis="x", nbins=5 * min(1.0, panel / PAGE_INCHES) + 1, integer=whole)
    ax.set_yticks(range(len(costs)), [fill(str(label), 24) for label in costs])
    ax.tick_params(axis="y", length=0)
    ax.set_box_aspect(0.08 + 0.085 * len(costs))
    ax.set_title(_cost_title(costs, unit), loc="left")
    return ax


def _row_shares(network):
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


def _share_label(share):
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _profile_title(name, shares):
    """Say both shares of the first rows together, up to the row after which the two differ most."""
    names, *columns = zip(*shares)
    macs, params = (list(accumulate(column)) for column in columns)
    last = max(range(len(names)), key=lambda n: abs(macs[n] - params[n]))
    rows = f"{names[0]} to {names[last]}" if last else names[0]
    return f"{name}, {rows}: {percent(macs[last])} of the MACs, {percent(params[last])} of the parameters"


def describe_cost_profile(network) -> str:
    """Say where the two shares differ most, and the shares of each row."""
    name, shares = _row_shares(network)
    rows = "; ".join(f"{row} {_share_label(macs)} and {_share_label(params)}" for row, macs, params in shares)
    return f"{_profile_title(name, shares)}. Share of the MACs and of the parameters: {rows}."


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
    name, shares = _row_shares(network)
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
            ax.annotate(_share_label(share), at, (0, 3 * sign), textcoords="offset points", ha="center", va=side)
        write(ax, -0.07, sign * (high + room) / 2, f"% of the\n{what}", rotation=90, transform=ax.get_yaxis_transform())
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set(xlim=(-0.6, len(names) - 0.4), ylim=(-most[1] - room, most[0] + room))
    ax.yaxis.set_major_formatter(lambda value, position: f"{abs(value):g}")
    ax.set_xticks(range(len(names)), [fill(row, 80 // len(names)) for row in names])
    ax.tick_params(axis="x", length=0)
    ax.set_box_aspect(0.42)
    ax.set_title(_profile_title(name, shares), loc="left")
    return ax


def _kernel_sizes(kernel_sizes):
    """Return the kernel sizes as a list of integers."""
    if not isinstance(kernel_sizes, Collection) or not kernel_sizes:
        raise TypeError(f"{given(kernel_sizes)}; wanted at least one kernel size, such as (3, 5)")
    return [exact_int(f"kernel_sizes[{n}]", k, 1) for n, k in enumerate(kernel_sizes)]


def _saving(k, filters):
    """Return standard over separable MACs of a K×K layer, which depends neither on the channels nor on the image."""
    return float(1 / separable_share(ConvSpec(3, filters, k), (1, 3, k, k)))


def describe_separable_saving(kernel_sizes) -> str:
    """Say which factor each kernel size arrives at, and its ceiling."""
    parts = [
        f"{k}×{k} a factor of {_saving(k, FILTERS[-1]):.3g} (ceiling {k * k})" for k in _kernel_sizes(kernel_sizes)
    ]
    return f"{SAVING_TITLE}. With {FILTERS[-1]:,} filters: {'; '.join(parts)}."


@drawing(describe_separable_saving)
def draw_separable_saving(kernel_sizes, ax: Axes | None = None) -> Axes:
    """Draw the standard layer's MACs over a separable layer's for each number of filters, and the ceiling K².

    Args:
        kernel_sizes: the K to draw, one line each.

    Raises:
        TypeError: no kernel sizes, or one that is no integer.
        ValueError: a kernel size below 1.
    """
    kernel_sizes = _kernel_sizes(kernel_sizes)
    for n, k in enumerate(kernel_sizes):
        color, dash = tint(KERNEL, 0.2 + 0.5 * n / len(kernel_sizes), INK), DASHES[n % len(DASHES)]
        look = {"color": color, "linestyle": dash, "marker": "osD^v"[n % 5], "markersize": 5, "linewidth": 1.8}
        ax.plot(FILTERS, [_saving(k, m) for m in FILTERS], **look)
        ax.plot((1, FILTERS[-1]), (k * k, k * k), color=tint(INK, 0.45), linewidth=0.8, zorder=1)
        ceiling = f"{k}×{k}: ceiling {k}² = {k * k}"
        ax.annotate(ceiling, (FILTERS[-1], k * k), (10, 0), textcoords="offset points", va="center")
    ax.set_xscale("log", base=2)
    ax.set_xticks(FILTERS, [f"{m:,}" for m in FILTERS])
    ax.set(
        xlabel="number of filters M", xlim=(0.9, 1.1 * FILTERS[-1]), ylabel="standard ÷ separable MACs", ylim=(0, None)
    )
    ax.set_box_aspect(0.5)
    ax.set_title(SAVING_TITLE, loc="left")
    return ax
