"""Figures of sizes and costs: feature maps as volumes, bars, and what a separable layer saves."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from math import floor, isfinite, log2, log10
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
    check_pair,
    drawing,
    given,
    panel_inches,
    percent,
    tint,
    write,
)
from convlab.spec import ConvSpec, exact_int

FILTERS = [2**n for n in range(11)]  # 1 to 1,024, the numbers of filters on an axis


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
    return f"{height} × {width}, {channels:,} channel{'s' * (channels > 1)}"


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
        if not isinstance(count, Real) or isinstance(count, bool):
            raise TypeError(f"{label!r} costs {count!r}, a {type(count).__name__}; wanted a positive number")
        if not (isfinite(count) and count > 0):
            raise ValueError(f"{label!r} costs {count}; wanted a positive number")
    if not costs:
        raise ValueError("no costs to draw; wanted at least one label with its count")
    return costs


def _number(count):
    return f"{int(count):,}" if count == int(count) else f"{count:,.3g}"


def _cost_title(costs, unit):
    least, most = min(costs, key=costs.get), max(costs, key=costs.get)
    if costs[least] == costs[most]:
        return f"{', '.join(map(str, costs))}: {_number(costs[most])} {unit}" + " each" * (len(costs) > 1)
    return f"{least}: {percent(costs[least] / costs[most])} of {most}"


def describe_cost_bars(costs, unit: str = "MACs", log: bool = False) -> str:
    """Say every count, and the smallest as a share of the largest."""
    costs = _costs(costs)
    listed = "; ".join(f"{label} {_number(count)}" for label, count in costs.items())
    return f"{_cost_title(costs, unit)}. Bars in {unit}{' (log scale)' * log}: {listed}."


@drawing(describe_cost_bars)
def draw_cost_bars(costs, ax: Axes | None = None, unit: str = "MACs", log: bool = False) -> Axes:
    """Draw one bar a cost, with its number and its share of the largest.

    Args:
        costs: label → count, or (label, count) pairs, in the order to draw.
        unit: what is counted, for the axis.
        log: whether the axis is logarithmic; bars then start at a power of ten, not at 0.

    Raises:
        TypeError: no labels with counts, or a count that is no real number; a bool is none.
        ValueError: no cost, or one that is not positive and finite.
    """
    costs = _costs(costs)
    most, counts = max(costs.values()), list(costs.values())
    scale, word = next(((n, w) for n, w in ((1e9, "billion "), (1e6, "million ")) if most >= n and not log), (1, ""))
    ax.barh(range(len(costs)), [n / scale for n in counts], color=tint(KERNEL, 0.25), edgecolor=INK, height=0.6)
    for y, count in enumerate(counts):
        note = _number(count) + f"  ({percent(count / most)})" * (len(costs) > 1)
        ax.annotate(note, (count / scale, y), (5, 0), textcoords="offset points", va="center")
    share = max(0.35, 1 - 1.7 / (panel_inches(ax) - 1))  # of the longest bar; its number takes 1.7 inches
    if log:
        ax.set_xscale("log")
        start = 10.0 ** (floor(log10(min(counts))) - 1)
        ax.set_xlim(start, start * (most / start) ** (1 / share))
    else:
        ax.xaxis.set_major_formatter("{x:,g}")
        whole = scale == 1 and all(float(n).is_integer() for n in counts)  # no tick at half a MAC
        ax.locator_params(axis="x", nbins=5 * min(1.0, panel_inches(ax) / PAGE_INCHES) + 1, integer=whole)
        ax.set_xlim(0, most / scale / share)
    ax.set(xlabel=f"{word}{unit}" + " (log scale)" * log, ylim=(len(costs) - 0.4, -0.6))
    ax.set_yticks(range(len(costs)), [fill(str(label), 24) for label in costs])
    ax.tick_params(axis="y", length=0)
    ax.set_box_aspect(0.08 + 0.085 * len(costs))
    ax.set_title(_cost_title(costs, unit), loc="left")
    return ax


def _share(k, filters):
    """Return separable over standard MACs of a K×K layer, which depends neither on the channels nor on the image."""
    return float(separable_share(ConvSpec(3, filters, k), (1, 3, k, k)))


def _separable_title(saving):
    if saving:
        return "However many filters, a separable K×K layer saves less than a factor of K²"
    return "However many filters, a separable K×K layer costs more than 1/K² of the standard one"


def _kernel_sizes(kernel_sizes):
    """Return the kernel sizes as a list of integers."""
    if not isinstance(kernel_sizes, Collection):
        raise TypeError(f"kernel_sizes={given(kernel_sizes)}; wanted a list of integers, such as (3, 5)")
    if not len(kernel_sizes):
        raise ValueError(f"kernel_sizes={kernel_sizes!r} has no kernel size; wanted at least one, such as (3, 5)")
    return [exact_int(f"kernel_sizes[{n}]", k, 1) for n, k in enumerate(kernel_sizes)]


def describe_separable_share(kernel_sizes, saving: bool = False) -> str:
    """Say where each kernel size arrives, and its limit."""
    parts = []
    for k in _kernel_sizes(kernel_sizes):
        share = _share(k, FILTERS[-1])
        reached = f"a factor of {1 / share:.3g}" if saving else percent(share)
        limit = f"ceiling {k * k}" if saving else f"floor {percent(1 / k**2)}"
        parts.append(f"{k}×{k} {reached} ({limit})")
    return f"{_separable_title(saving)}. With {FILTERS[-1]:,} filters: {'; '.join(parts)}."


@drawing(describe_separable_share)
def draw_separable_share(kernel_sizes, ax: Axes | None = None, saving: bool = False) -> Axes:
    """Draw a separable layer's share of the standard layer's MACs over the number of filters, for each K.

    Args:
        kernel_sizes: the K to draw, one line each.
        saving: draw standard ÷ separable, with its ceiling K², not the share with its floor 1/K².

    Raises:
        TypeError: no list, or a kernel size that is no integer.
        ValueError: no kernel size, or one below 1.
    """
    kernel_sizes = _kernel_sizes(kernel_sizes)
    for n, k in enumerate(kernel_sizes):
        values = [_share(k, m) ** (-1 if saving else 1) for m in FILTERS]
        limit = k**2 if saving else 1 / k**2
        color, dash = tint(KERNEL, 0.2 + 0.5 * n / len(kernel_sizes), INK), DASHES[n % len(DASHES)]
        ax.plot(FILTERS, values, color=color, linestyle=dash, marker="osD^v"[n % 5], markersize=5, linewidth=1.8)
        ax.plot((1, FILTERS[-1]), (limit, limit), color=tint(INK, 0.45), linewidth=0.8, zorder=1)
        text = f"ceiling {k}² = {k * k}" if saving else f"floor 1/{k * k} = {percent(limit)}"
        ax.annotate(f"{k}×{k}: {text}", (FILTERS[-1], limit), (10, 0), textcoords="offset points", va="center")
    ax.set_xscale("log", base=2)
    ax.set_xticks(FILTERS, [f"{m:,}" for m in FILTERS])
    ax.set(xlabel="number of filters M", xlim=(0.9, 1.1 * FILTERS[-1]))
    if saving:
        ax.set(ylabel="standard ÷ separable MACs", ylim=(0, None))
    else:
        ax.set(yscale="log", ylabel="separable ÷ standard MACs")
        ticks = [t for t in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if t > 0.6 / max(kernel_sizes) ** 2]
        ax.set_yticks(ticks, [percent(t) for t in ticks])
        ax.minorticks_off()
    ax.set_box_aspect(0.5)
    ax.set_title(_separable_title(saving), loc="left")
    return ax
