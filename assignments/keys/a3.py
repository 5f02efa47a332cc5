"""The key of assignment 3, check a claim and spend a budget: a network of one's own width, three claims, a design."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from marking import ChoicesQuestion, DesignQuestion, NumbersQuestion, OwnNumbers

from convlab.cost import mac_count, param_count
from convlab.counting import chain_cost_table, separable_share
from convlab.exercises.exercise import Exercise, Mistake
from convlab.spec import ConvSpec

TITLE = "Assignment 3: check a claim and spend a budget"

WIDTHS = (32, 64, 128, 128)  # of the network's layers, before the multiplier


def network(width: Fraction) -> list[ConvSpec]:
    """Return the layers of assignment 3's network: a standard one and three separable ones, no bias."""
    channels = [int(width * c) for c in WIDTHS]
    layers = [ConvSpec(3, channels[0], 3, stride=2, padding=1, bias=False)]
    for (before, after), stride in zip(pairwise(channels), (1, 2, 1), strict=True):
        layers.append(ConvSpec(before, before, 3, stride=stride, padding=1, groups=before, bias=False))
        layers.append(ConvSpec(before, after, 1, bias=False))
    return layers


def network_macs(width, size):
    """Return the MACs of the network on one image of size × size."""
    return chain_cost_table(network(width), (1, 3, size, size)).total.macs


def _scaled(width, size, exponent):
    return int(network_macs(1, size) * width**exponent)


def _pointwise_only(width, size, kernel):
    rows = chain_cost_table(network(width), (1, 3, size, size)).rows
    return sum(row.macs for row, spec in zip(rows, network(width)) if spec.kernel_size[0] != kernel)


OWN = OwnNumbers(
    "a3-own",
    lambda pick: (Fraction(pick(*range(3, 16)), 16), pick(*range(96, 257, 16))),
    {
        "my_network_macs": (
            network_macs,
            {
                Mistake("The square is right for the pointwise layers only.", 0.5): lambda a, n: _scaled(a, n, 2),
                Mistake(
                    "Pointwise layers have fewer inputs and fewer filters: the square.",
                    0.3,
                ): (lambda a, n: _scaled(a, n, 1)),
                Mistake("Those are the MACs of the full width.", 0.2): lambda a, n: network_macs(1, n),
                Mistake("The image is not halved: two layers have stride 2.", 0.3): lambda a, n: network_macs(a, 2 * n),
                Mistake("The depthwise layers and the first one are missing.", 0.3): lambda a, n: _pointwise_only(
                    a, n, 3
                ),
                Mistake("The pointwise layers are missing.", 0.3): lambda a, n: _pointwise_only(a, n, 1),
                Mistake("Those are 2 × MACs.", 0.5): lambda a, n: 2 * network_macs(a, n),
                Mistake("The first layer is missing.", 0.5): lambda a, n: (
                    network_macs(a, n) - mac_count(network(a)[0], (1, 3, n, n))
                ),
            },
        )
    },
)

GROUPED, FIVE = ConvSpec(16, 24, 3, groups=4, bias=False), ConvSpec(3, 8, 5, bias=False)
VALUES = {  # of the claims, as they hold
    "my_share_a": Exercise(
        target=lambda: float(separable_share(ConvSpec(32, 64, 3, padding=1), (1, 32, 16, 16))),
        mistakes={
            Mistake("That is the share of the pointwise step alone.", 0.5): lambda: 1 / 9,
            Mistake("That is the share of the depthwise step alone.", 0.5): lambda: 1 / 64,
            Mistake("The filters count, not the input channels.", 0.5): lambda: 1 / 32 + 1 / 9,
            Mistake("That is how many times fewer, the inverse.", 0.5): lambda: 1 / (1 / 64 + 1 / 9),
        },
        hints=(),
        takeaway="1/M + 1/K².",
    ),
    "my_weights_b": Exercise(
        target=lambda: param_count(GROUPED),
        mistakes={
            Mistake("The groups are forgotten.", 0.3): lambda: 3456,
            Mistake("The weights of one group only.", 0.5): lambda: 216,
            Mistake("A bias is in it. Weights were asked.", 0.7): lambda: 888,
        },
        hints=(),
        takeaway="24 filters see 4 channels each.",
    ),
    "my_macs_c": Exercise(
        target=lambda: mac_count(FIVE, (1, 3, 32, 32)),
        mistakes={
            Mistake("That takes an output of 32×32: a padding that nobody named.", 0.5): lambda: 614_400,
            Mistake("Those are 2 × MACs.", 0.5): lambda: 940_800,
            Mistake("The input channels are missing.", 0.3): lambda: 156_800,
        },
        hints=(),
        takeaway="28×28 outputs.",
    ),
}
VERDICTS = {
    "my_verdict_a": (
        "right",
        {
            "right": "1/64 + 1/9 is 12.7 %, whatever the image.",
            "wrong": "Compute 1/M + 1/K² with the claim's own numbers.",
            "unstated": "Neither stride nor image changes the share, and a bias is no MAC.",
        },
    ),
    "my_verdict_b": (
        "wrong",
        {
            "right": "Count the channels that one filter sees.",
            "wrong": "3,456 are the weights without groups; with 4 there are a quarter.",
            "unstated": "No stride, padding or bias changes a number of weights.",
        },
    ),
    "my_verdict_c": (
        "unstated",
        {
            "right": "The claim names no padding. Without one the output is 28×28.",
            "wrong": "With padding 2 it holds, and the claim leaves the padding open.",
            "unstated": "It holds with padding 2, which is not named.",
        },
    ),
}
DESIGN = DesignQuestion(
    "my_layers", input_shape=(1, 8, 32, 32), output_shape=(1, 32, 8, 8), macs=100_000, params=1_200, reach=15
)


def questions(student: str) -> dict:
    """Return grade_id → question, for one student."""
    return {
        "a3-own-points": OWN.question(student),
        "a3-values-points": NumbersQuestion(VALUES),
        "a3-verdicts-points": ChoicesQuestion(VERDICTS),
        "a3-design-points": DESIGN,
    }
