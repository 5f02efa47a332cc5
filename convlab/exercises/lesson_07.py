"""The exercises of lesson 07: where the cost of a network sits."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from convlab.counting import chain_cost_table, separable_layers
from convlab.exercises.common import widest
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec


def separable_macs(filters, kernel_size, width=1.0, resolution=1.0):
    """Return the MACs of a separable layer from 32 channels on 28×28, with fewer channels on a smaller image."""
    channels, filters, side = (round(n) for n in (width * 32, width * filters, resolution * 28))
    layer = ConvSpec(channels, filters, kernel_size, padding="same")
    return chain_cost_table(separable_layers(layer), (1, channels, side, side)).total.macs


def true_remaining_share(filters, kernel_size, width, resolution):
    """Return what both multipliers leave of the MACs of a separable layer; its input channels cancel."""
    return separable_macs(filters, kernel_size, width, resolution) / separable_macs(filters, kernel_size)


def remaining(depthwise, pointwise):
    """Return an exercise-shaped function: the share that is left if the two steps shrink by these factors."""
    return lambda m, k, a, r: (depthwise(a, r) * k**2 + pointwise(a, r) * m) / (k**2 + m)


remaining_share = Exercise(
    target=true_remaining_share,
    cases=[(512, 3, 0.75, 5 / 7), (16, 5, 0.5, 6 / 7), (64, 3, 0.25, 1.0), (24, 7, 1.0, 4 / 7)],
    mistakes={
        "That is the inverse, before over after. The share left of a layer is below 1.": lambda *case: (
            1 / true_remaining_share(*case)
        ),
        "That is width²·resolution²: only the pointwise step shrinks by width², "
        "the depthwise step by width.": remaining(lambda a, r: a * a * r * r, lambda a, r: a * a * r * r),
        "That is width·resolution²: the pointwise step shrinks by width², "
        "having fewer inputs and fewer filters.": remaining(lambda a, r: a * r * r, lambda a, r: a * r * r),
        "The depthwise step keeps all its channels in your share. It has width·C of them.": remaining(
            lambda a, r: r * r, lambda a, r: a * a * r * r
        ),
        "The two steps are swapped: the depthwise one shrinks by width, the pointwise one by width².": remaining(
            lambda a, r: a * a * r * r, lambda a, r: a * r * r
        ),
        "That is the share that is saved, 1 − the share that is left.": lambda *case: 1 - true_remaining_share(*case),
        "The input channels do not shrink in your share. There are width·C of them.": remaining(
            lambda a, r: r * r, lambda a, r: a * r * r
        ),
        "The width multiplier is ignored.": remaining(lambda a, r: r * r, lambda a, r: r * r),
        "The resolution multiplier is ignored. That is the share of the weights.": remaining(
            lambda a, r: a, lambda a, r: a * a
        ),
        "The resolution is not squared in your share: the image shrinks on both sides.": remaining(
            lambda a, r: a * r, lambda a, r: a * a * r
        ),
        "That compares two shares by the law of lesson 04. They are shares of the standard layer, which shrinks "
        "too. Compare the separable layer's MACs, before and after.": lambda m, k, a, r: (
            r * r * (k * k + a * m) / (a * (k * k + m))
        ),
        "The kernel is a square: K² in place of K.": lambda m, k, a, r: r * r * (a * k + a * a * m) / (k + m),
    },
    hints=[
        "Write the MACs of the two steps at one position. Which of C, M and the positions does each multiplier change?",
        "Before: C·K² + C·M MACs at each of H·W positions. After: a·C and a·M in place of C and M, at resolution²·H·W "
        "positions. Divide; C, H and W cancel.",
        "resolution**2 * width * (kernel_size**2 + width * filters) / (kernel_size**2 + filters)",
    ],
    takeaway="The input channels cancel. With many filters it is nearly width²·resolution², as Howard et al. 2017 say.",
)


def bottleneck_weights(channels, middle, groups):
    """Return the weights of a bottleneck: 1×1 down, 3×3 in groups, 1×1 up."""
    specs = ConvSpec(channels, middle, 1), ConvSpec(middle, middle, 3, groups=groups), ConvSpec(middle, channels, 1)
    return sum(prod(spec.weight_shape) for spec in specs)


def by_weights(weights):
    """Return an exercise-shaped function, if a bottleneck has `weights(channels, middle, groups)` weights."""
    return lambda channels, groups, budget: widest(lambda middle: weights(channels, middle, groups), budget, groups)


true_widest_middle = by_weights(bottleneck_weights)

widest_middle = Exercise(
    target=true_widest_middle,
    cases=[(256, 1, 69_632), (256, 4, 70_144), (256, 32, 70_144), (512, 8, 300_000), (96, 6, 20_000)],
    mistakes={
        "The groups are ignored: the 3×3 layer has 9·middle²/g weights.": by_weights(
            lambda c, middle, g: bottleneck_weights(c, middle, 1)
        ),
        "The 1×1 layers are grouped too in your count. Only the 3×3 layer has groups.": by_weights(
            lambda c, middle, g: 2 * c * middle / g + 9 * middle * middle / g
        ),
        "That counts one 1×1 layer. There are two: one down to the middle, one up again.": by_weights(
            lambda c, middle, g: bottleneck_weights(c, middle, g) - c * middle
        ),
        "The 3×3 layer is divided by g twice: as many outputs as before, "
        "each looking at middle/g channels.": by_weights(lambda c, middle, g: 2 * c * middle + 9 * (middle // g) ** 2),
        "That leaves out the 3×3 layer.": by_weights(lambda c, middle, g: 2 * c * middle),
        "That does not divide by g: take the largest multiple of g.": lambda c, g, budget: widest(
            lambda middle: 2 * c * middle + 9 * middle * middle / g, budget
        ),
        "That is one step too far: it is over the budget.": lambda c, g, budget: true_widest_middle(c, g, budget) + g,
        "That stays below the budget. To meet it exactly is allowed.": lambda c, g, budget: true_widest_middle(
            c, g, budget - 1
        ),
        "That is the number of channels in one group. Wanted all of them together.": lambda c, g, budget: (
            true_widest_middle(c, g, budget) // g
        ),
    },
    hints=[
        "First write the weights of the block as a function of the middle: two 1×1 layers and a 3×3 layer in groups.",
        "2·channels·middle + 9·middle²/g. Start at middle = g, and add g as long as the next one fits.",
        "while 2*channels*(middle + groups) + 9*(middle + groups)**2 // groups <= budget: middle += groups",
    ],
    takeaway="Groups make the 3×3 layer cheap, so it can be wider: 64, 96 and 128 channels with 1, 4 and 32 groups, "
    "as in table 2 of Xie et al. 2017.",
)


def vgg_without_fc(*linear_layers):
    """Return the parameters of VGG-16's convolutions, and of linear layers given as (inputs, outputs)."""
    sizes = [3, 64, 64, 128, 128, *[256] * 3, *[512] * 6]
    specs = [ConvSpec(*pair, 3, padding=1) for pair in pairwise(sizes)]
    convolutions = chain_cost_table(specs, (1, 3, 1, 1)).total.params
    return convolutions + sum((inputs + 1) * outputs for inputs, outputs in linear_layers)


slim_vgg = Exercise(
    target=lambda: vgg_without_fc((512, 1000)),
    mistakes={
        "Those are the convolutions alone. The new linear layer has parameters too.": vgg_without_fc,
        "The biases of the new linear layer are missing: one for each class.": lambda: (
            vgg_without_fc((512, 1000)) - 1000
        ),
        "That is the new linear layer alone.": lambda: 513 * 1000,
        "That is without the average: the new layer would see 512·7·7 numbers. The average leaves 512.": lambda: (
            vgg_without_fc((512 * 7 * 7, 1000))
        ),
        "That keeps fc8 as it is, with 4,096 inputs. The new layer has 512.": lambda: vgg_without_fc((4096, 1000)),
        "That takes fc6 away and leaves the others. All three go.": lambda: vgg_without_fc((4096, 4096), (4096, 1000)),
        "That averages, but keeps three linear layers. One takes their place.": lambda: vgg_without_fc(
            (512, 4096), (4096, 4096), (4096, 1000)
        ),
        "Those are the parameters that go.": lambda: 25_089 * 4096 + 4097 * 4096 + 4097 * 1000,
        "That is the whole of VGG-16 with the new layer added. The three old ones go.": lambda: vgg_without_fc(
            (25_088, 4096), (4096, 4096), (4096, 1000), (512, 1000)
        ),
    },
    hints=[
        "Start from the parameters of the convolutions alone: the table of VGG-16 by kind has them.",
        "An average over the 7×7 positions leaves 512 numbers and has no parameters. Then 512 inputs, 1,000 outputs.",
        "14,714,688 + 512·1,000 + 1,000 = 15,227,688.",
    ],
    takeaway="A ninth of the parameters, and still more than 99 % of the MACs. ResNet and MobileNet end like this.",
)
