"""Figures of channels: which input reaches which output, and how a shuffle reorders them."""

from __future__ import annotations

from itertools import product
from string import ascii_uppercase

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from convlab.figures.canvas import (
    BESIDE_INCHES,
    DASHES,
    HIGHLIGHT,
    INK,
    INPUT,
    KERNEL,
    MAX_CHANNELS,
    OUTPUT,
    PAPER,
    canvas,
    cell,
    check_limit,
    check_pair,
    drawing,
    given,
    node,
    number_cells,
    panel_inches,
    tint,
    write,
)
from convlab.shape import check_spec
from convlab.spec import ConvSpec, Pair, check_groups, conv_kind, exact_int
from convlab.wording import listed, plural

MAX_STEPS, STEP_UNITS = 5, 3.1  # steps of a chain that have room on a page, and the distance of their columns
PALE = tint(INK, 0.75)


def kernel_pairs(spec: ConvSpec) -> list[Pair]:
    """Return the (output channel, input channel) pairs that have a kernel: those of the same group.

    >>> kernel_pairs(ConvSpec(4, 2, 3, groups=2))
    [(0, 0), (0, 1), (1, 2), (1, 3)]
    """
    each_out, each_in = spec.out_channels // spec.groups, spec.in_channels // spec.groups
    return [(m, c) for m in range(spec.out_channels) for c in range(spec.in_channels) if m // each_out == c // each_in]


def _wiring_title(spec):
    kind, pairs = conv_kind(spec.in_channels, spec.groups, spec.kernel_size), spec.out_channels * spec.in_channels
    return f"{kind}, g = {spec.groups}: {len(kernel_pairs(spec))} of {pairs} channel pairs have a kernel"


def _step(step):
    """Return the name of one step of a chain, its channels before and after, and its (after, before) pairs."""
    if isinstance(step, ConvSpec):
        return "layer", step.in_channels, step.out_channels, kernel_pairs(step)
    if not isinstance(step, tuple | list):
        raise TypeError(f"{given(step)}; wanted a ConvSpec, or (channels, groups) for a shuffle")
    check_pair(step, "(channels, groups), such as (8, 2)")
    return "shuffle", step[0], step[0], list(enumerate(shuffle_order(*step)))


def _chain(steps, changed):
    """Return the steps of a chain, and for the input and each step its channels and those that a change reaches.

    Raises:
        ValueError: no step or more than 5, channels that do not fit or are more than 16, no such input channel.
    """
    if not steps:
        raise ValueError("a chain of no steps; wanted at least one")
    check_limit("steps", len(steps), MAX_STEPS)
    found = [_step(step) for step in steps]
    columns = [(found[0][1], {exact_int("changed", changed, 0)})]
    if changed >= found[0][1]:
        raise ValueError(f"changed={changed}: wanted one of the input's channels, 0 to {found[0][1] - 1}")
    for _, before, after, pairs in found:
        count, reached = columns[-1]
        if before != count:
            raise ValueError(f"a step takes {before} channels and gets {count}; wanted as many as it gets")
        columns.append((after, {m for m, c in pairs if c in reached}))
    for count, _ in columns:
        check_limit("channels", count, MAX_CHANNELS)
    return found, columns


def _chain_names(found):
    """Return what stands below each column of a chain: the layers are numbered if there is more than one."""
    layers, names = 0, ["input"]
    for kind, *_ in found:
        layers += kind == "layer"
        names.append(f"layer {layers}" if kind == "layer" else kind)
    return names


def describe_wiring(spec: ConvSpec | tuple, changed: int = 0) -> str:
    """Say how many of the channel pairs have a kernel; of a chain, how many channels a change of one input reaches."""
    if isinstance(spec, tuple):
        found, columns = _chain(spec, changed)
        told = [
            f"{len(reached)} of {count} after {name}"
            for name, (count, reached) in zip(_chain_names(found)[1:], columns[1:])
        ]
        return f"Input channel {changed} of {columns[0][0]} reaches {listed(told)}."
    each = check_spec(spec).in_channels // spec.groups
    return (
        f"From {spec.in_channels} to {spec.out_channels} channels, {_wiring_title(spec)}; "
        f"each output channel reads {plural(each, 'input channel')}."
    )


def _group_look(group, groups):
    """Return the shade of one group, from the kernel's colour towards ink, and its dash."""
    return tint(KERNEL, 0.1 + 0.5 * group / max(1, groups - 1), INK), DASHES[group % len(DASHES)]


def _draw_chain(steps, changed, ax):
    """Draw all connections of a chain in pale grey, and those that carry a change of one input channel on top."""
    found, columns = _chain(steps, changed)
    high = max(count for count, _ in columns)
    xs = [1.1 + STEP_UNITS * n for n in range(len(columns))]
    tops = [(high - count) / 2 for count, _ in columns]
    for n, (_, _, _, pairs) in enumerate(found):
        for m, c in pairs:
            moved = c in columns[n][1]
            look = {"color": HIGHLIGHT, "linewidth": 1.8, "zorder": 2} if moved else {"color": PALE, "linewidth": 0.8}
            ax.plot(xs[n : n + 2], (tops[n] + c + 0.5, tops[n + 1] + m + 0.5), **look)
    for n, (name, (count, reached)) in enumerate(zip(_chain_names(found), columns)):
        for channel in range(count):
            moved = channel in reached
            face = (INPUT if n == 0 else OUTPUT) if moved else PAPER
            node(ax, xs[n], tops[n] + channel + 0.5, str(channel), face)
        told = f"{len(reached)} of {count}" if n else f"changed: {changed}"
        write(ax, xs[n], high + 0.2, f"{name}\n{told}", va="top")
    outputs, reached = columns[-1]
    title = f"a change of input channel {changed} moves {len(reached)} of {plural(outputs, 'output channel')}"
    canvas(ax, xs[-1] + 1.1, high + 0.2, title)
    return ax


@drawing(describe_wiring)
def draw_wiring(spec: ConvSpec | tuple, ax: Axes | None = None, changed: int = 0) -> Axes:
    """Draw a line for each pair of channels that has a kernel, and the same pairs as cells of an M×C matrix.

    Args:
        spec: a layer; or a chain, a tuple of layers and of shuffles as (channels, groups). Of a chain the channels
            are drawn that a change of one input channel reaches, step by step.
        changed: the input channel of a chain that changes.

    Raises:
        ValueError: more than 16 channels on a side; a chain of more than 5 steps, or with steps that do not fit.
    """
    if isinstance(spec, tuple):
        return _draw_chain(spec, changed, ax)
    ins, outs, groups = check_spec(spec).in_channels, spec.out_channels, spec.groups
    check_limit("in_channels", ins, MAX_CHANNELS)
    check_limit("out_channels", outs, MAX_CHANNELS)
    letters = ascii_uppercase if groups > 1 else [""]
    high, xs = 1 + max(ins, outs), (1.5, 6.0)
    tops = (1 + (high - 1 - ins) / 2, 1 + (high - 1 - outs) / 2)
    x0, y0 = (9.6, tops[1]) if panel_inches(ax) >= BESIDE_INCHES else (2.0, high + 3.5)  # the corner of the matrix
    for x, top, count, face, side in zip(xs, tops, (ins, outs), (INPUT, OUTPUT), ("input", "output")):
        for n in range(count):
            node(ax, x, top + n + 0.5, str(n), face)
        for group in range(groups):
            outer = x - 0.9 if side == "input" else x + 0.9
            write(ax, outer, top + (group + 0.5) * (count // groups), letters[group], weight="bold")
        write(ax, x, high + 0.2, f"{side}\nchannel", va="top")
    pairs = kernel_pairs(spec)
    for m, c in product(range(outs), range(ins)):
        group, wired = m * groups // outs, (m, c) in pairs
        if wired:
            color, dash = _group_look(group, groups)
            ax.plot(xs, (tops[0] + c + 0.5, tops[1] + m + 0.5), color=color, linestyle=dash, linewidth=1.2)
        cell(ax, x0 + c, y0 + m, tint(KERNEL, 0.25) if wired else PAPER, letters[group] if wired else "")
    names = ("output channel" if outs > 4 else "output\nchannel", "input channel" if ins > 2 else "input\nchannel")
    number_cells(ax, x0, y0, range(outs), range(ins), names)
    canvas(ax, max(xs[1] + 1.2, x0 + ins + 0.2), max(high, y0 + outs) + 0.2, _wiring_title(spec))
    return ax


def shuffle_order(channels: int, groups: int) -> list[int]:
    """Return which channel stands at each place after the shuffle: reshape to (g, C/g), transpose, flatten.

    >>> shuffle_order(6, 2)
    [0, 3, 1, 4, 2, 5]

    Source: Zhang et al. 2018 (ShuffleNet), section 3.1.
    """
    check_groups(exact_int("channels", channels, 1), channels, exact_int("groups", groups, 1))
    each = channels // groups
    return [group * each + n for n in range(each) for group in range(groups)]


def _shuffle(data):
    """Return the new order of the channels and the title."""
    check_pair(data, "(channels, groups), such as (8, 2)")
    channels, groups = data
    order, each = shuffle_order(channels, groups), channels // groups
    met = min(len({channel // each for channel in order[n : n + each]}) for n in range(0, channels, each))
    title = f"shuffle of {channels} channels, g = {groups}: each new group has channels from {met}"
    return order, f"{title} of the {groups} old ones"


def describe_shuffle(data) -> str:
    """Say the new order of the channels and how many old groups meet in each new one."""
    order, title = _shuffle(data)
    return f"{title[0].upper()}{title[1:]}. New order: {', '.join(map(str, order))}."


@drawing(describe_shuffle)
def draw_shuffle(data, ax: Axes | None = None) -> Axes:
    """Draw where each channel goes in a channel shuffle.

    Args:
        data: (channels, groups).

    Raises:
        TypeError: no pair of integers.
        ValueError: groups that do not divide the channels, or more than 16 channels.
    """
    (order, title), (channels, groups) = _shuffle(data), data
    each, xs = channels // groups, (1.6, 7.1)
    check_limit("channels", channels, MAX_CHANNELS)
    for place, channel in enumerate(order):
        group = channel // each
        color, dash = _group_look(group, groups)
        face = tint(OUTPUT, 0.75 * group / max(1, groups - 1))
        ax.plot(xs, (channel + 0.5, place + 0.5), color=color, linestyle=dash, linewidth=1.4)
        for x, y in zip(xs, (channel, place)):
            node(ax, x, y + 0.5, f"{ascii_uppercase[group]}{channel}", face)
    for x in xs:
        for group in range(groups):
            frame = {"facecolor": "none", "edgecolor": INK, "linestyle": "--", "linewidth": 1}
            ax.add_patch(Rectangle((x - 0.6, group * each + 0.04), 1.2, each - 0.08, **frame))
    write(ax, xs[0], channels + 0.2, "before", va="top")
    write(ax, xs[1], channels + 0.2, "after", va="top")
    canvas(ax, xs[1] + 1.6, channels + 0.2, title)
    return ax
