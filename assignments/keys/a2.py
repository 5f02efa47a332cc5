"""The key of assignment 2, replace one layer: hidden cases, a layer of one's own, and what each mistake earns."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

from marking import FunctionQuestion, OwnNumbers

from convlab.cost import flop_count, mac_count
from convlab.counting import chain_cost_table
from convlab.exercises.exercise import Exercise, Mistake
from convlab.shape import output_shape
from convlab.spec import ConvSpec

TITLE = "Assignment 2: replace one layer"


def smallest_groups(in_channels, out_channels, macs, budget):
    """Return the smallest number of groups that fits both channels and the budget, or 0 if none does."""
    fitting = [g for g in range(1, in_channels + 1) if in_channels % g == out_channels % g == 0]
    return next((g for g in fitting if macs <= budget * g), 0)


def _next_divisor(channels, macs, budget):
    return next((g for g in range(ceil(macs / budget), channels + 1) if channels % g == 0), 0)


GROUPS = Exercise(
    target=smallest_groups,
    cases=[(24, 36, 70_000, 10_000), (48, 32, 1_000_000, 300_000), (30, 45, 900_000, 250_000), (6, 9, 100_000, 20_000)],
    mistakes={
        Mistake(
            "It does not divide the channels: a layer of that many groups does not exist.", 0.4
        ): lambda c, m, w, b: ceil(w / b),
        Mistake("It divides the input channels, but not the output channels.", 0.4): lambda c, m, w, b: _next_divisor(
            c, w, b
        ),
        Mistake("It divides the output channels, but not the input channels.", 0.4): lambda c, m, w, b: _next_divisor(
            m, w, b
        ),
        Mistake("With g groups the MACs are divided by g, not by g².", 0.2): lambda c, m, w, b: next(
            (g for g in range(1, c + 1) if c % g == m % g == 0 and w <= b * g * g), 0
        ),
        Mistake("That is the largest number that fits. Wanted the smallest: it cuts the fewest connections.", 0.4): (
            lambda c, m, w, b: next((g for g in range(c, 0, -1) if c % g == m % g == 0 and w <= b * g), 0)
        ),
        Mistake("Where no number of groups keeps the budget, wanted 0.", 0.8): lambda c, m, w, b: (
            smallest_groups(c, m, w, b) or max(g for g in range(1, c + 1) if c % g == m % g == 0)
        ),
    },
    hints=(),
    takeaway="The smallest divisor of both channels from MACs / budget on.",
)


def grouped_separable_macs(in_channels, out_channels, kernel_size, groups, multiplier, height, width):
    """Return the MACs of a depthwise layer with a multiplier and of a grouped pointwise one, counted by layers."""
    middle = in_channels * multiplier
    depthwise = ConvSpec(in_channels, middle, kernel_size, padding=kernel_size // 2, groups=in_channels)
    pointwise = ConvSpec(middle, out_channels, 1, groups=groups)
    return chain_cost_table((depthwise, pointwise), (1, in_channels, height, width)).total.macs


def _parts(c, m, k, g, t, h, w):
    return c * t * k * k * h * w, c * t * m * h * w


SEPARABLE = Exercise(
    target=grouped_separable_macs,
    cases=[(12, 20, 3, 4, 1, 9, 7), (6, 8, 5, 2, 2, 11, 8), (16, 24, 3, 8, 3, 6, 10)],
    mistakes={
        Mistake("The groups are in the pointwise step only. The depthwise step is not divided once more.", 0.5): (
            lambda *a: sum(_parts(*a)) // a[3]
        ),
        Mistake("The depthwise step is missing.", 0.3): lambda *a: _parts(*a)[1] // a[3],
        Mistake("The groups of the pointwise step are forgotten.", 0.5): lambda *a: sum(_parts(*a)),
        Mistake("The pointwise step is missing.", 0.2): lambda *a: _parts(*a)[0],
        Mistake("The multiplier is forgotten: the pointwise step has m·C inputs.", 0.4): lambda c, m, k, g, t, h, w: (
            c * k * k * h * w + c * m // g * h * w
        ),
        Mistake("The pointwise step has m·C inputs: the multiplier counts there too.", 0.6): (
            lambda c, m, k, g, t, h, w: c * t * k * k * h * w + c * m * h * w // g
        ),
        Mistake("Those are 2 × MACs.", 0.5): lambda *a: 2 * grouped_separable_macs(*a),
        Mistake("That is one position. The layer works at height·width of them.", 0.4): lambda c, m, k, g, t, h, w: (
            grouped_separable_macs(c, m, k, g, t, h, w) // (h * w)
        ),
        Mistake("A kernel has K·K weights, not K.", 0.4): lambda c, m, k, g, t, h, w: (
            c * t * k * h * w + c * t * m * h * w // g
        ),
    },
    hints=(),
    takeaway="m·C·K·K and m·C·M/g, at each position.",
)


def make_layer(pick):
    """Draw a grouped layer with bias, and one image."""
    groups = pick(2, 3, 4)
    channels = groups * pick(3, 4, 5, 6)
    spec = ConvSpec(channels, groups * pick(*range(5, 13)), pick(3, 5), stride=2, padding=1, groups=groups)
    return spec, (1, channels, pick(*range(21, 40)), pick(*range(41, 60)))


def _biased(spec, shape):
    return prod(output_shape(spec, shape))


def _all(spec, shape):
    return mac_count(replace(spec, groups=1), shape)


def _squared(spec, shape):
    return mac_count(spec, shape) // spec.groups


OWN = OwnNumbers(
    "a2-own",
    make_layer,
    {  # name → (what is right, {mistake: what it gives}), of a layer and an input's shape
        "my_thop": (
            mac_count,
            {
                Mistake("thop counts MACs, not 2 × MACs.", 0.5): lambda spec, x: 2 * mac_count(spec, x),
                Mistake("The bias is in it. thop does not count it.", 0.5): lambda spec, x: (
                    mac_count(spec, x) + _biased(spec, x)
                ),
                Mistake("The groups are forgotten.", 0.3): _all,
                Mistake("The groups divide the MACs once, not twice.", 0.3): _squared,
            },
        ),
        "my_torch": (
            lambda spec, x: 2 * mac_count(spec, x),
            {
                Mistake("PyTorch's counter gives 2 × MACs.", 0.5): mac_count,
                Mistake("The bias is in it. PyTorch's counter does not count it.", 0.5): lambda spec, x: (
                    2 * mac_count(spec, x) + _biased(spec, x)
                ),
                Mistake("The groups are forgotten.", 0.3): lambda spec, x: 2 * _all(spec, x),
                Mistake("The groups divide the MACs once, not twice.", 0.3): lambda spec, x: 2 * _squared(spec, x),
            },
        ),
        "my_with_bias": (
            lambda spec, x: mac_count(spec, x) + _biased(spec, x),
            {
                Mistake("The bias additions are missing.", 0.5): mac_count,
                Mistake("A bias is added to each output number of its channel, not once.", 0.5): lambda spec, x: (
                    mac_count(spec, x) + spec.out_channels
                ),
                Mistake("Those are 2 × MACs and the bias additions.", 0.5): lambda spec, x: (
                    2 * mac_count(spec, x) + _biased(spec, x)
                ),
            },
        ),
        "my_flops_without_bias": (
            lambda spec, x: flop_count(replace(spec, bias=False), x),
            {
                Mistake("Those are the exact FLOPs with bias.", 0.5): flop_count,
                Mistake("Those are MACs.", 0.3): mac_count,
                Mistake("The groups are forgotten.", 0.3): lambda spec, x: flop_count(
                    replace(spec, groups=1, bias=False), x
                ),
            },
        ),
    },
    in_words={  # MACs for one position
        "in groups": lambda spec, x: prod(spec.weight_shape),
        "without groups": lambda spec, x: prod(spec.weight_shape) * spec.groups,
        "two steps": lambda spec, x: spec.in_channels * (prod(spec.kernel_size) + spec.out_channels),
    },
)


def questions(student: str) -> dict:
    """Return grade_id → question, for one student."""
    return {
        "a2-groups-points": FunctionQuestion("my_groups", GROUPS),
        "a2-separable-points": FunctionQuestion("my_separable_macs", SEPARABLE),
        "a2-own-points": OWN.question(student),
    }
