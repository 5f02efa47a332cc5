"""The exercises of lesson 11: what runs of a network show, and how wide it can be."""

from __future__ import annotations

from functools import cache
from math import ceil, floor

import numpy as np

from convlab.counting import cost_table
from convlab.exercises.choices import Choices
from convlab.exercises.common import widest
from convlab.exercises.exercise import Exercise
from convlab.measuring.accuracy import half_interval
from convlab.measuring.digits_training import MNIST_SHAPE
from convlab.networks.digits import small_network

recall_11 = Choices(
    [
        (
            "b",
            {
                "a": "Another machine changes both times. Then nobody knows what the layers did.",
                "b": "In turns, a slow moment meets both layers, and their ratio stays.",
                "c": "A day has its own load and its own temperature. Two days are two conditions.",
            },
        ),
        (
            "a",
            {
                "a": "One part for the pointwise step, one for the depthwise step: about 24 %.",
                "b": "The two shares are added: both steps are done, one after the other.",
                "c": "That is the pointwise step alone.",
            },
        ),
        (
            "c",
            {
                "a": "Nothing is multiplied: each channel is copied to another place.",
                "b": "The pointwise layer multiplies. The shuffle only changes the order of the channels.",
                "c": "It moves channels and multiplies nothing. Moving bytes may still take time.",
            },
        ),
    ]
)

PAIRS = [
    (np.array([0.96, 0.97, 0.99, 0.98, 0.95]), np.array([0.95, 0.97, 0.96, 0.97, 0.93])),
    (np.array([0.90, 0.88, 0.93]), np.array([0.94, 0.95, 0.94])),
    (
        np.array([0.985, 0.990, 0.970, 0.980, 0.995, 0.975, 0.980]),
        np.array([0.980, 0.985, 0.985, 0.970, 0.980, 0.980, 0.965]),
    ),
]


def true_standard_error(accuracies, others):
    """Return the standard error of the mean paired difference, in percentage points."""
    points = 100 * np.subtract(accuracies, others)
    return float(points.std(ddof=1) / np.sqrt(len(points)))


def points(spread):
    """Return an exercise-shaped function of two arrays of accuracies in percent, and their number."""
    return lambda a, b: float(spread(100 * a, 100 * b, len(a)))


standard_error = Exercise(
    target=true_standard_error,
    cases=PAIRS,
    mistakes={
        "That is half the 95 % interval: t times the standard error. Leave t out.": points(
            lambda a, b, n: half_interval(a - b)
        ),
        "That is two standard errors, about half the 95 % interval of many seeds. Leave the 2 out.": lambda *case: (
            2 * true_standard_error(*case)
        ),
        "That is 1.96 standard errors, half the 95 % interval of very many seeds. Leave the 1.96 out.": lambda *case: (
            1.96 * true_standard_error(*case)
        ),
        "That is the spread of one difference: the standard deviation. Divide it by √n.": points(
            lambda a, b, n: (a - b).std(ddof=1)
        ),
        "That divides by n. The spread of a mean of n numbers is s/√n.": points(
            lambda a, b, n: (a - b).std(ddof=1) / n
        ),
        "That divides by n inside the standard deviation, as NumPy does by default. From a sample, divide by "
        "n − 1: ddof=1.": points(lambda a, b, n: (a - b).std() / np.sqrt(n)),
        "That divides by √(n − 1). The n − 1 belongs into s, and √n under it.": points(
            lambda a, b, n: (a - b).std(ddof=1) / np.sqrt(n - 1)
        ),
        "That is not paired: it adds the spreads of the two networks. Subtract seed by seed first.": points(
            lambda a, b, n: np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
        ),
        "That is the standard error of the first network alone.": points(lambda a, b, n: a.std(ddof=1) / np.sqrt(n)),
        "That is the variance. Take its square root.": points(lambda a, b, n: (a - b).var(ddof=1) / n),
        "That is the mean difference itself.": points(lambda a, b, n: (a - b).mean()),
    },
    hints=[
        "First the differences, seed by seed, in percentage points. How far apart are they?",
        "s is the standard deviation of the differences, with n − 1 below it. The mean of n of them spreads by s/√n.",
        "(100 * np.subtract(accuracies, others)).std(ddof=1) / len(accuracies) ** 0.5",
    ],
    takeaway="The interval of the lesson is the mean difference ± t of these. The spread of the differences counts.",
)


def widest_by(macs):
    """Return an exercise-shaped function: the largest width whose `macs(width)` are within the budget."""
    return lambda budget: widest(macs, budget)


@cache
def true_macs(width):
    """Return the MACs of the separable network of this width for one image."""
    return cost_table(small_network("separable", width), MNIST_SHAPE).total.macs


def by_positions(before, after, depthwise=9, pointwise=1, first=9 * 196, linear=10):
    """Return the MACs of a separable network by width, with two blocks on so many positions and two on as many."""
    return lambda width: (first + linear) * width + 2 * (before + after) * (depthwise * width + pointwise * width**2)


true_widest = widest_by(true_macs)

widest_separable = Exercise(
    target=true_widest,
    cases=[(296_432,), (32_576,), (120_000,), (750_000,)],
    mistakes={
        "That is one channel too many: it is over the budget.": lambda budget: true_widest(budget) + 1,
        "That stays below the budget. To meet it exactly is allowed.": lambda budget: widest(
            by_positions(196, 49), budget - 1
        ),
        "That is the width of the standard network. Here the blocks are separable.": widest_by(
            by_positions(196, 49, 0, 9)
        ),
        "Those are FLOPs within the budget, or twice the MACs. The budget is in MACs.": widest_by(
            lambda width: 2 * true_macs(width)
        ),
        "Those are parameters within the budget. The budget is in MACs.": widest_by(
            lambda width: 4 * width**2 + 65 * width + 10
        ),
        "The depthwise steps are missing: 9·width MACs at each position.": widest_by(by_positions(196, 49, 0)),
        "The pointwise steps are missing: width² MACs at each position.": widest_by(by_positions(196, 49, 9, 0)),
        "The first layer is missing. It has 9·width MACs at each of 196 positions.": widest_by(
            by_positions(196, 49, first=0)
        ),
        "All blocks are on 196 positions in your count. Behind the pooling there are 49.": widest_by(
            by_positions(196, 196)
        ),
        "That scales the width as the MACs: width 8 has 80,832. "
        "Part of the MACs grows with the square of it.": lambda budget: floor(8 * budget / 80_832),
        "That takes all MACs to grow with width². "
        "The first layer and the depthwise steps grow with width.": lambda budget: floor(8 * (budget / 80_832) ** 0.5),
    },
    hints=[
        "cost_table(small_network('separable', width), (1, 1, 14, 14)).total.macs counts one width. Try one after "
        "the other.",
        "Start at width 1. As long as the next width fits into the budget, take it.",
        "width = 1\nwhile cost_table(small_network('separable', width + 1), (1, 1, 14, 14)).total.macs <= budget:\n"
        "    width += 1",
    ],
    takeaway="For the MACs of the standard network with 8 channels, a separable one can have 19.",
)


seeds_needed = Exercise(
    target=lambda spread, half_width: float(ceil((2 * spread / half_width) ** 2)),  # np.ceil's floats are right too
    cases=[(1.3, 0.3), (1.0, 0.25), (0.4, 0.07), (1.7, 0.4)],  # so many seeds that the real t is 2 or less
    mistakes={
        "That rounds down: the interval is still too wide.": lambda s, d: floor((2 * s / d) ** 2),
        "That does not round. Seeds are whole: round up.": lambda s, d: (2 * s / d) ** 2,
        "The root is gone: 2·spread/n in place of 2·spread/√n.": lambda s, d: ceil(2 * s / d),
        "The 2 is missing: half the width of the interval is 2·spread/√n.": lambda s, d: ceil((s / d) ** 2),
        "The 2 has to be squared too.": lambda s, d: ceil(2 * (s / d) ** 2),
        "That takes half_width as the whole width of the interval.": lambda s, d: ceil((4 * s / d) ** 2),
        "Spread and half_width have changed places.": lambda s, d: ceil((2 * d / s) ** 2),
        "That rounds to the nearest. A number of seeds that is too small is not enough: round up.": lambda s, d: round(
            (2 * s / d) ** 2
        ),
        "That rounds before it squares. Round up in the end.": lambda s, d: ceil(2 * s / d) ** 2,
        "That takes 1.96 in place of the 2 that is asked for.": lambda s, d: ceil((1.96 * s / d) ** 2),
        "That is one seed too many.": lambda s, d: ceil((2 * s / d) ** 2) + 1,
    },
    hints=[
        "With n seeds, half the interval is 2·spread/√n. What do four times the seeds do to it?",
        "√n = 2·spread/half_width. Square it, and round up.",
        "np.ceil((2 * spread / half_width) ** 2)",
    ],
    takeaway="Half the interval takes four times the seeds. So ask first how small a difference matters to you.",
)
