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
PROFILE = "cost profile"  # what the Axes of one is called, by which others find it
MAX_BARS = 8  # of a profile; more would be too narrow for their numbers
ARROW_INCHES = 1.6, 0.7  # the width and the height of the text on an arrow
DEPTH = 0.35, 0.12  # how far right and up a box goes for a channel, in pixels of its front
THINNEST_INCHES = 0.03  # of an edge; below it, boxes have a log scale
FILTERS = [2**n for n in range(11)]  # 1 to 1,024, the numbers of filters on an axis
SAVING_TITLE = "However many filters, a separable K×K layer saves less than a factor of K²"


def _stages(chain):
    """Return (name, spec, MACs, (height, width, channels)) for the input and each layer's output."""
    check_pair(chain, "(layers, input shape), such as ([ConvSpec(3, 16, 3)], (1, 3, 32, 32))")
    layers, input_shape = chain
    pairs = named_layers(layers)
    check_limit("layers", len(pairs), MAX_LAYERS)
    stages = [("input", None, 0, input_shape)]
    for n, ((name, spec), row) in enumerate(zip(pairs, chain_cost_table(pairs, input_shape).rows), 1):
        name = row.kind if name == f"layer {n}" else name  # the kind says more than "layer 1"
        stages.append((name, spec, row.macs, row.output_shape))
    return [(name, spec, macs, (*shape[2:], shape[1])) for name, spec, macs, shape in stages]


def _filter_size(spec):
    """Return the height, the width and the channels of one filter."""
    return (*spec.kernel_size, spec.in_channels // spec.groups)


def describe_volumes(chain) -> str:
    """Say the size of each feature map and of the filters, and the MACs of each layer."""

    def label(size):
        return f"{size[0]} × {size[1]}, {plural(size[2], 'channel')}"

    (*_, size), *layers = _stages(chain)
    steps = "; ".join(
        f"{name} ({plural(spec.out_channels, 'filter')} of {' × '.join(map(str, _filter_size(spec)))}, "
        f"{macs:,} MACs) gives {label(out)}"
        for name, spec, macs, out in layers
    )
    total = sum(macs for _, _, macs, _ in layers)
    return f"Input of {label(size)}; {steps}. In all {total:,} MACs."


@drawing(describe_volumes)
def draw_volumes(chain, ax: Axes | None = None) -> Axes:
    """Draw the feature maps of a chain of layers as boxes, with each layer and its MACs on the arrow between.

    Of each layer one filter stands in the box that it reads. All edges have one scale: a channel goes to the right by
    about a third of a pixel. If that makes an edge too thin to be seen, the scale is a log one, as the title says.

    Args:
        chain: (layers, input shape), the two arguments of `cost_table`. MACs count the whole batch.

    Raises: what `cost_table` raises, a TypeError for no pair, and a ValueError for more than 4 layers.
    """
    stages = _stages(chain)
    arrows = max(2, len(stages) - 1)  # a layer and its two steps, in two panels, have nearly one scale
    room = panel_inches(ax) - ARROW_INCHES[0] * arrows - 0.6
    for scale in (float, lambda n: log2(1 + n)):
        boxes = [(*map(scale, size[:2]), *(scale(size[2]) * part for part in DEPTH)) for *_, size in stages]
        unit = min(UNIT_INCHES, max(1.0, room) / sum(w + right for _, w, right, _ in boxes))
        if unit * min(min(h, w, right) for h, w, right, _ in boxes) >= THINNEST_INCHES:
            break
    inch = 1 / unit
    gap = max(5.0, ARROW_INCHES[0] * inch)
    middles = [min(before[0], after[0]) / 2 for before, after in pairwise(boxes)]
    tops = [h + up for h, _, _, up in boxes] + [middle + ARROW_INCHES[1] * inch for middle in middles]
    base, x = max(tops) + 0.1 * inch, 0.35 * inch
    for n, ((name, spec, macs, size), box) in enumerate(zip(stages, boxes)):
        if n:
            y = base - middles[n - 1]
            arrow(ax, (x + 0.06 * gap, y), (x + 0.82 * gap, y))
            lines = f"{fill(name, 18)}\nfilter: {'×'.join(map(str, _filter_size(spec)))}\n{macs:,} MACs"
            write(ax, x + 0.45 * gap, y - 0.09 * inch, lines, va="bottom")
            x += gap
        h, w, right, up = box
        _draw_box(ax, x, base - h, box, OUTPUT if n else INPUT)
        if n + 1 < len(stages):
            *edges, channels = _filter_size(stages[n + 1][1])
            shown = [min(scale(k), edge) for k, edge in zip(edges, (h, w))]
            share = scale(channels) / scale(size[2])
            _draw_box(ax, x, base - h, (*shown, share * right, share * up), KERNEL)
        write(ax, x - 0.06 * inch, base - h / 2, str(size[0]), ha="right")
        write(ax, x + w / 2, base + 0.06 * inch, "\n".join([str(size[1]), "input"][: 1 if n else 2]), va="top")
        said, at = plural(size[2], "channel"), x + w + right / 2 + 0.06 * inch
        write(ax, max(at, x + w / 2 + 0.2 * inch), base - up / 2 + 0.06 * inch, said, ha="left", va="top")
        x += w + right
    names, total = " + ".join(stage[0] for stage in stages[1:]), sum(stage[2] for stage in stages)
    log = "" if scale is float else " (edges drawn on a log scale)"
    canvas(ax, x + 0.3 * inch, base + 0.45 * inch, f"{names}: {total:,} MACs{log}")
    return ax


def _draw_box(ax, x, y, box, color):
    """Draw a box with the top left corner of its front at (x, y): front, top and side."""
    h, w, right, up = box
    front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    back = [(px + right, py - up) for px, py in front]
    top, side = [front[0], front[1], back[1], back[0]], [front[1], front[2], back[2], back[1]]
    for corners, amount in ((front, 0.35), (top, 0.6), (side, 0.1)):
        face = tint(color, amount)
        ax.add_patch(Polygon(corners, facecolor=face, edgecolor=INK, linewidth=0.8, joinstyle="round"))


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

    All profiles of one figure have one scale.

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
    ax.set_gid(PROFILE)
    profiles = [panel for panel in ax.figure.axes if panel.get_gid() == PROFILE]
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
    lows, highs = zip(*(panel.get_ylim() for panel in profiles))
    for panel in profiles:
        panel.set_ylim(min(lows), max(highs))
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
    """Say from which factor each kernel size starts, at which it arrives, and its ceiling."""
    least, most = FILTERS[0], FILTERS[-1]
    parts = [
        f"{k}×{k} {_saving(k, least):.3g} and {_saving(k, most):.3g} (ceiling {k * k})"
        for k in _kernel_sizes(kernel_sizes)
    ]
    factors = f"The factors with {plural(least, 'filter')} and with {most:,}: {'; '.join(parts)}"
    return f"{SAVING_TITLE}. {factors}. A line at 1: nothing saved."


@drawing(describe_separable_saving)
def draw_separable_saving(kernel_sizes, ax: Axes | None = None) -> Axes:
    """Draw the standard layer's MACs over a separable layer's for each number of filters, the ceiling K², and 1.

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
    ax.axhline(1, color=INK, linewidth=1.2, zorder=1)
    ax.annotate("1: nothing saved", (FILTERS[-1], 1), (0, 3), textcoords="offset points", ha="right", va="bottom")
    ax.set_xscale("log", base=2)
    ax.set_xticks(FILTERS, [f"{m:,}" for m in FILTERS])
    ax.set(
        xlabel="number of filters M", xlim=(0.9, 1.1 * FILTERS[-1]), ylabel="standard ÷ separable MACs", ylim=(0, None)
    )
    ax.set_box_aspect(0.5)
    ax.set_title(SAVING_TITLE, loc="left")
    return ax
