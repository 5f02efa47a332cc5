"""The exercises of lesson 07: where the cost of a network sits."""

from __future__ import annotations

from math import prod

from convlab.counting import chain_cost_table, separable_layers
from convlab.exercises.choices import Choices
from convlab.exercises.common import widest
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

recall_07 = Choices(
    [
        (
            "b",
            {
                "a": "That would be a linear layer: it has one position. Here the kernel stops at many.",
                "b": "Once at each position of the output, 10·10 of them.",
                "c": "A weight belongs to one of the 16 filters, and works for its channel of the output alone.",
            },
        ),
        (
            "c",
            {
                "a": "Both count the products with padding zeros.",
                "b": "A bias is one addition for each output number. That does not double the count.",
                "c": "thop counts 1 for a multiplication with its addition, PyTorch's counter 2.",
            },
        ),
        (
            "a",
            {
                "a": "At one position it has 256 weights for each input channel, the depthwise step 3·3.",
                "b": "The depthwise step has 3·3 weights for each input channel. How many has the pointwise step?",
                "c": "For each input channel, one step has 3·3 weights and the other 256.",
            },
        ),
    ]
)

PRINTED = [  # network, quantity, the printed number, what the rules a, b, c and d give, more about the right answer
    ("AlexNet", "parameters", "60", ("61", "60", "2", "61"), ""),
    ("VGG-16", "MACs", "15.3", ("15.5", "15.4", "15.3", None), "Those are the convolutions alone."),
    (
        "MobileNetV1, 3×3 layers",
        "MACs",
        "4866",
        ("4867", "4867", "4866", None),
        "The next number is of the same table.",
    ),
    (
        "MobileNetV1",
        "MACs",
        "569",
        ("569", "568", "568", None),
        "Here the linear layer counts: two rules in one table.",
    ),
    ("ResNet-50", "parameters", "25.5", ("25.6", "25.5", "23.5", "25.5"), "One number cannot tell which was meant."),
    (
        *("MobileNetV1 at 160²", "MACs", "290", ("291", "290", "290", None)),
        "For 224², 192² and 128² its table has 569, 418, 186, and neither gives all three. The total at 224² times "
        "the area's ratio does, as if the linear layer shrank with the image. A later list of the authors has 291.",
    ),
    (
        *("MobileNetV2", "parameters", "3.4", ("3.5", "3.5", "2.2", "3.5")),
        "Two of them at once give it: without BatchNorm's parameters it is 3.47, cut off.",
    ),
    ("MobileNetV1", "MACs", "575", ("569", "568", "568", None), "We know none. If no rule fits, say so."),
]


def named_rule(printed, given, more):
    """Return the right letter for a printed number, and what to tell about each, from what four rules give."""
    fits = [letter for letter, number in zip("abcd", given) if number == printed]
    right = fits[0] if len(fits) == 1 else "e" if fits else "f"
    told = {}
    for letter, number in zip("abcd", given):
        told[letter] = f"That gives {number}, and {printed} is printed."
        if number is None:
            told[letter] = "BatchNorm does no MACs in our count, so that rule is for parameters."
        elif letter in fits:
            told[letter] = f"That gives {number}, as printed." + " Does another rule too?" * (right == "e")
    told["e"] = f"Two give {printed}." if right == "e" else "At most one of the four does."
    told["f"] = f"None of the four gives {printed}." if right == "f" else f"One of them does give {printed}."
    told[right] = f"{told[right]} {more}".strip()
    return right, told


counting_rules = Choices(
    [named_rule(printed, given, more) for _, _, printed, given, more in PRINTED],
    hints=[
        "Start with our count: rounded, then cut off, in the printed unit. Only then take something away.",
        "Number 1: 60,965,224 parameters are 61 million if rounded, 60 if cut off.",
        "Two numbers fit two rules, and two fit none of the four.",
    ],
)


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
