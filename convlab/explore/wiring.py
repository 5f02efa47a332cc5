"""The explorer of groups: which input channels an output channel sees, and what that costs."""

from __future__ import annotations

from math import prod

from convlab.explore.page import Explorer, Slider, check_range, percent_of
from convlab.figures.canvas import MAX_CHANNELS, show
from convlab.figures.channels import draw_wiring, kernel_pairs
from convlab.shape import check_spec
from convlab.spec import ConvSpec, conv_kind
from convlab.wording import plural

SLIDERS = (
    Slider("inputs", "input channels C", 1, MAX_CHANNELS),
    Slider("outputs", "output channels M", 1, MAX_CHANNELS),
    Slider("groups", "groups g", 1, MAX_CHANNELS),
)


def say_wiring(spec: ConvSpec) -> str:
    """Say how many channels are connected, and the weights, MACs per position and share of the standard layer."""
    (outputs, each, high, wide), inputs, groups = spec.weight_shape, spec.in_channels, spec.groups
    weights = prod(spec.weight_shape)
    return (
        f"{conv_kind(inputs, groups, spec.kernel_size)}, g = {groups}: each output sees C/g = {each} of "
        f"{plural(inputs, 'channel')}; {len(kernel_pairs(spec))} of {inputs * outputs} channel pairs have a kernel. "
        f"{high}×{wide} kernels: {plural(weights, 'weight')} and {plural(weights, 'MAC')} per output position, "
        f"{percent_of(1, groups)} of the standard layer's {weights * groups:,}."
    )


def explore_wiring(spec: ConvSpec) -> Explorer:
    """Return an explorer of the connections between channels: sliders for C, M and g.

    Args:
        spec: the layer to begin with, of at most 16 channels on each side; its kernel size stays.

    Raises:
        TypeError: no ConvSpec.
        ValueError: more than 16 channels.

    >>> explore_wiring(ConvSpec(8, 6, 3, groups=2))  # doctest: +NORMALIZE_WHITESPACE
    grouped, g = 2: each output sees C/g = 4 of 8 channels; 24 of 48 channel pairs have a kernel. 3×3 kernels:
    216 weights and 216 MACs per output position, 50 % of the standard layer's 432.
    """
    state = {"inputs": check_spec(spec).in_channels, "outputs": spec.out_channels, "groups": spec.groups}
    check_range(SLIDERS, state)
    state |= {"high": spec.kernel_size[0], "wide": spec.kernel_size[1]}
    return Explorer("wiring", SLIDERS, state, show(draw_wiring, spec), say_wiring(spec))
