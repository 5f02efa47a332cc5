"""The figures of the course: every drawing is a function on one Axes, and `show` makes a picture of it.

`draw_*(data, ax=None, **options)` draws on `ax`, or on a new one, and returns it. Its twin `describe_*(data)`,
with the same options, says in one or two sentences what the drawing shows, from the same data: the alt text.
"""

from convlab.figures.accuracy import describe_accuracy, draw_accuracy
from convlab.figures.canvas import show
from convlab.figures.channels import (
    describe_shuffle,
    describe_wiring,
    draw_shuffle,
    draw_wiring,
    kernel_pairs,
    shuffle_order,
)
from convlab.figures.costs import (
    describe_cost_bars,
    describe_separable_share,
    describe_volumes,
    draw_cost_bars,
    draw_separable_share,
    draw_volumes,
)
from convlab.figures.networks import describe_cost_profile, draw_cost_profile
from convlab.figures.timing import (
    describe_roofline,
    describe_time_against_macs,
    draw_roofline,
    draw_time_against_macs,
)
from convlab.figures.window import (
    MatrixPanel,
    WindowStep,
    describe_matrix,
    describe_window,
    draw_matrix,
    draw_window,
    window_steps,
    window_taps,
    wrong_cells,
)
