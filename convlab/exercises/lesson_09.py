"""The exercises of lesson 08: find the error. What is printed, and wrong, is the first mistake of each."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from convlab import cost, shape
from convlab.counting import chain_cost_table, separable_layers
from convlab.exercises.common import by_output, on_changed_layer
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

with_plus_one = by_output(lambda n, spec: 2 * n + 1)

grouped_flops = Exercise(
    target=cost.flop_count,
    cases=[
        (ConvSpec(4, 6, 3), (1, 4, 5, 8)),
        (ConvSpec(8, 12, (5, 3), stride=2, groups=4, bias=False), (1, 8, 17, 30)),
        (ConvSpec(9, 6, (3, 2), padding=1, groups=3), (2, 9, 9, 14)),
        (ConvSpec(6, 4, (3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 3), groups=2), (3, 6, 14, 25)),
    ],
    mistakes={
        "That is the printed function. Try it on one output number that you can count by hand.": lambda spec, x: (
            with_plus_one(spec, x) * spec.groups // spec.out_channels
        ),
        "The filters are right now, and the + 1 is still there. n products need n − 1 additions; "
        "a bias adds one.": with_plus_one,
        "The + 1 is repaired. Now try g = 1: that gives one filter, whatever M is.": lambda spec, x: (
            cost.flop_count(spec, x) * spec.groups // spec.out_channels
        ),
        "That is 2n for each output number even without bias. There, n products need n − 1 additions.": by_output(
            lambda n, spec: 2 * n
        ),
        "The bias is forgotten: it is one addition for each output number.": on_changed_layer(
            cost.flop_count, bias=False
        ),
        "That is 2n with no bias and 2n + 1 with one: the −1 is missing.": by_output(lambda n, spec: 2 * n + spec.bias),
        "Those are MACs. The function is to count multiplications and additions.": cost.mac_count,
        "That multiplies by M and by g. The g groups have M/g filters each, so M in all.": lambda spec, x: (
            cost.flop_count(spec, x) * spec.groups
        ),
        "That is what comes out when the groups are ignored: each filter sees C/g channels.": on_changed_layer(
            cost.flop_count, groups=1
        ),
        "That divides the FLOPs without groups by g. Without bias that is not exact: each output number has its "
        "own −1, with groups too.": lambda spec, x: cost.flop_count(replace(spec, groups=1), x) // spec.groups,
        "The batch is forgotten: the layer works on each of its N images.": lambda spec, x: cost.flop_count(
            spec, (1, *x[1:])
        ),
    },
    hints=[
        "Two ways: count one output number by hand, and compare g = 1 with lesson 02. There are two errors.",
        "One output number takes 2n − 1 FLOPs without bias, 2n with. And g groups have M/g filters each.",
        "(2*n - 1 + spec.bias) * images * filters * height * width, where n is prod(spec.weight_shape[1:]).",
    ],
    takeaway="One output number by hand shows the + 1; g = 1 shows the lost factor.",
)


def true_saving(kernel_size, out_channels, groups):
    """Return standard MACs over those of a separable layer whose pointwise step has groups, for one window."""
    layer, window = ConvSpec(groups, out_channels, kernel_size), (1, groups, kernel_size, kernel_size)
    depthwise, pointwise = separable_layers(layer)
    steps = [depthwise, replace(pointwise, groups=groups)]
    return cost.mac_count(layer, window) / chain_cost_table(steps, window).total.macs


grouped_saving = Exercise(
    target=true_saving,
    cases=[(3, 64, 16), (5, 12, 3), (3, 240, 8), (7, 10, 1)],
    mistakes={
        "That is the printed formula. It divides both steps by g, "
        "and only the pointwise step has groups.": lambda k, m, g: g * k**2 * m / (k**2 + m),
        "That is without groups. The pointwise step has g of them.": lambda k, m, g: k**2 * m / (k**2 + m),
        "That is the inverse, separable over standard.": lambda k, m, g: 1 / true_saving(k, m, g),
        "A factor K² is lost: for M = 1 and g = 1 both layers cost nearly the same, "
        "and that gives far below 1.": lambda k, m, g: m / (k**2 + m / g),
        "That divides the depthwise step by g. It is the pointwise step that has the groups.": lambda k, m, g: (
            k**2 * m / (k**2 / g + m)
        ),
        "The kernel is a square: K² in place of K.": lambda k, m, g: k * m / (k + m / g),
        "That is the depthwise step alone. The pointwise step costs too.": lambda k, m, g: m,
        "That is M/g. The K² products of the standard layer and of the depthwise step are missing.": lambda k, m, g: (
            m / g
        ),
        "That is the pointwise step alone. The depthwise step costs too.": lambda k, m, g: g * k**2,
    },
    hints=[
        "Limits: the depthwise step alone costs 1/M of the standard layer. So which number can the saving never pass? "
        "Try K = 3, M = 64, g = 16 in the printed formula.",
        "For each input channel and position: standard K²·M products, depthwise K², pointwise M/g.",
        "K²·M / (K² + M/g).",
    ],
    takeaway="K²·M / (K² + M/g): below M, however many groups, and below g·K², however many filters.",
)


# 16 rows for 8 channels: read in the place of the channels they double the count, and FLOPs are twice the MACs.
CHECKED = ConvSpec(8, 12, 5, stride=2, groups=4)
IMAGE = (1, 8, 16, 23)

verified_macs = Exercise(
    target=lambda: cost.mac_count(CHECKED, IMAGE),
    mistakes={
        "That is what both print. One counts FLOPs, the other MACs of a layer with 16 channels.": lambda: (
            cost.flop_count(CHECKED, IMAGE)
        ),
        "Those are FLOPs without bias. A MAC is one multiplication with its accumulation.": lambda: cost.flop_count(
            replace(CHECKED, bias=False), IMAGE
        ),
        "That is half: halved twice, or one channel of the two that each filter sees.": lambda: (
            cost.mac_count(CHECKED, IMAGE) // 2
        ),
        "The groups are ignored: each filter sees 8/4 channels.": lambda: cost.mac_count(
            replace(CHECKED, groups=1), IMAGE
        ),
        "The groups are applied twice. A filter sees 8/4 channels, and there are still 12 filters.": lambda: (
            cost.mac_count(CHECKED, IMAGE) // 4
        ),
        "The stride is ignored. The window stops at 6×10 positions.": lambda: cost.mac_count(
            replace(CHECKED, stride=1), IMAGE
        ),
        "The additions of the bias are in it. A bias is added, never multiplied.": lambda: (
            cost.mac_count(CHECKED, IMAGE) + prod(shape.output_shape(CHECKED, IMAGE))
        ),
        "Those are the weights. Each of them works at 6×10 positions.": lambda: prod(CHECKED.weight_shape),
        "That is one filter. The layer has 12.": lambda: cost.mac_count(CHECKED, IMAGE) // 12,
    },
    hints=[
        "Two units: what does thop count, and what does the formula count? They cannot be equal.",
        "(x) is x, no tuple. thop unpacks the batch, so its first number is no longer N. Which axis does it then take "
        "for the channels? Count by hand: 12·6·10 output numbers, and the products of one.",
        "720 output numbers of (8/4)·5·5 = 50 products each.",
    ],
    takeaway="Two equal numbers are no proof when they have different units. MACs are half the FLOPs with bias.",
)
