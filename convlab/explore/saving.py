"""The explorer of separable layers: their share of the MACs of a standard layer."""

from __future__ import annotations

from convlab.cost import mac_count
from convlab.explore.page import Explorer, Slider, check_range, percent_of
from convlab.figures.canvas import show
from convlab.figures.costs import draw_cost_bars
from convlab.spec import ConvSpec, exact_int
from convlab.wording import plural

SLIDERS = (
    Slider("filters", "filters M", 1, 512),
    Slider("kernel", "kernel K", 1, 11),
    Slider("multiplier", "multiplier m", 1, 8),
)


def macs_per_input_channel(filters: int, kernel: int, multiplier: int) -> tuple[int, int, int]:
    """Return the MACs of the standard, the depthwise and the pointwise layer, for one input channel at one position.

    They are M·K², m·K² and m·M.

    >>> macs_per_input_channel(256, 5, 1)
    (6400, 25, 256)
    """
    depthwise, pointwise = ConvSpec.separable(1, filters, kernel, multiplier=multiplier)
    image = (1, 1, kernel, kernel)  # the window fits once
    standard = mac_count(ConvSpec(1, filters, kernel), image)
    return standard, mac_count(depthwise, image), mac_count(pointwise, (1, multiplier, 1, 1))


def say_saving(filters: int, kernel: int, multiplier: int) -> str:
    """Say both counts and the share, and whether anything is saved."""
    standard, depthwise, pointwise = macs_per_input_channel(filters, kernel, multiplier)
    separable = depthwise + pointwise
    end = "" if separable < standard else " It saves nothing."
    return (
        f"M = {filters}, K = {kernel}, m = {multiplier}, for one input channel at one position: the standard layer "
        f"takes M·K² = {plural(standard, 'MAC')}, the separable layer m·K² + m·M = {depthwise:,} + {pointwise:,} = "
        f"{separable:,}. The share is m·(1/M + 1/K²) = {percent_of(separable, standard)}.{end}"
    )


def explore_saving(out_channels: int = 256, kernel_size: int = 5, multiplier: int = 1) -> Explorer:
    """Return an explorer of the share m·(1/M + 1/K²): sliders for M, K and m.

    Args:
        out_channels: M, the filters of both layers, 1 to 512.
        kernel_size: K, 1 to 11.
        multiplier: m, the kernels for each input channel in the depthwise step, 1 to 8.

    Raises:
        TypeError: a number that is no integer.
        ValueError: a number outside its slider.

    >>> explore_saving(256, 5)  # doctest: +NORMALIZE_WHITESPACE
    M = 256, K = 5, m = 1, for one input channel at one position: the standard layer takes M·K² = 6,400 MACs,
    the separable layer m·K² + m·M = 25 + 256 = 281. The share is m·(1/M + 1/K²) = 4.39 %.
    """
    given = {"out_channels": out_channels, "kernel_size": kernel_size, "multiplier": multiplier}
    numbers = [exact_int(name, number, 1) for name, number in given.items()]
    state = dict(zip(("filters", "kernel", "multiplier"), numbers))
    check_range(SLIDERS, state)
    standard, depthwise, pointwise = macs_per_input_channel(**state)
    costs = {"standard": standard, "separable": depthwise + pointwise}
    picture = show(draw_cost_bars, costs, unit="MACs for one input channel at one position")
    return Explorer("saving", SLIDERS, state, picture, say_saving(**state))
