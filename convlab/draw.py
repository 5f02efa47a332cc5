"""The figures of the course: every drawing is a function on one Axes, and `show` makes a picture of it.

`draw_*(data, ax=None, **options)` draws on `ax`, or on a new one, and returns it. Its twin `describe_*(data)`,
with the same options, says in one or two sentences what the drawing shows, from the same data: the alt text.
"""

from convlab.draw_accuracy import describe_accuracy, draw_accuracy
from convlab.draw_channels import (
    describe_shuffle,
    describe_wiring,
    draw_shuffle,
    draw_wiring,
    kernel_pairs,
    shuffle_order,
)
from convlab.draw_costs import (
    describe_cost_bars,
    describe_separable_share,
    describe_volumes,
    draw_cost_bars,
    draw_separable_share,
    draw_volumes,
    separable_share,
)
from convlab.draw_grids import (
    MaskPanel,
    WindowStep,
    describe_mask,
    describe_window,
    draw_mask,
    draw_window,
    window_steps,
    window_taps,
    wrong_cells,
)
from convlab.draw_networks import describe_cost_profile, draw_cost_profile
from convlab.draw_timing import (
    describe_roofline,
    describe_time_against_macs,
    draw_roofline,
    draw_time_against_macs,
)
from convlab.picture import show

__all__ = [
    "MaskPanel",
    "WindowStep",
    "describe_accuracy",
    "describe_cost_bars",
    "describe_cost_profile",
    "describe_mask",
    "describe_roofline",
    "describe_separable_share",
    "describe_shuffle",
    "describe_time_against_macs",
    "describe_volumes",
    "describe_window",
    "describe_wiring",
    "draw_accuracy",
    "draw_cost_bars",
    "draw_cost_profile",
    "draw_mask",
    "draw_roofline",
    "draw_separable_share",
    "draw_shuffle",
    "draw_time_against_macs",
    "draw_volumes",
    "draw_window",
    "draw_wiring",
    "kernel_pairs",
    "separable_share",
    "show",
    "shuffle_order",
    "window_steps",
    "window_taps",
    "wrong_cells",
]
