"""The exercises of lesson 03: grouped convolution."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import torch

from convlab import cost
from convlab.exercises.common import by_output, integers, on_changed_layer, size_mistakes
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

mac_count = Exercise(
    target=cost.mac_count,
    cases=[
        (ConvSpec(4, 10, 3), (1, 4, 6, 7)),
        (ConvSpec(3, 6, 11, stride=4, groups=3), (1, 3, 227, 227)),
        (ConvSpec(8, 6, 1, groups=2), (1, 8, 1, 1)),
        (ConvSpec(12, 20, (3, 2), padding=1, groups=4), (3, 12, 9, 14)),
        (ConvSpec(6, 4, (3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 3), groups=2), (2, 6, 14, 25)),
    ],
    mistakes={
        "That is what comes out when the groups are ignored: each filter sees C/g channels, "
        "not all C.": on_changed_layer(cost.mac_count, groups=1),
        "The groups are applied twice. A filter sees C/g channels, "
        "and there are still M filters in all.": lambda spec, x: cost.mac_count(spec, x) // spec.groups,
        "That multiplies by the groups. Grouping takes connections away, so it divides.": lambda spec, x: (
            cost.mac_count(replace(spec, groups=1), x) * spec.groups
        ),
        "Those are FLOPs. One MAC is one multiplication with its accumulation.": cost.flop_count,
        "The batch is forgotten: the layer works on each of its N images.": lambda spec, x: cost.mac_count(
            spec, (1, *x[1:])
        ),
        "That multiplies all weights by all output numbers. A weight belongs to one output channel.": by_output(
            lambda n, spec: n * spec.out_channels
        ),
        "The kernel's height is used for both sides. kernel_size is (height, width).": by_output(
            lambda n, spec: spec.kernel_size[0] ** 2 * spec.in_channels // spec.groups
        ),
        "Those are the weights. Each of them works at every output position.": lambda spec, x: prod(spec.weight_shape),
        **size_mistakes(cost.mac_count),
    },
    hints=[
        "One output number sums over the channels that its filter sees. How many are they, with g groups?",
        "C/g channels, so (C/g)·K·K products for each output number; spec.weight_shape holds the same three numbers.",
        "prod(spec.weight_shape[1:]) * prod(output_shape(spec, input_shape))",
    ],
    takeaway="Grouping divides the MACs by g: each filter sees C/g channels, and the output stays as large as before.",
)


def true_mask(spec):
    """Return the M×C matrix that is True where output channel i has a kernel for input channel c."""
    blocks = np.eye(spec.groups, dtype=bool)
    return np.kron(blocks, np.ones((spec.out_channels // spec.groups, spec.in_channels // spec.groups), dtype=bool))


weight_mask = Exercise(
    target=true_mask,
    cases=[
        (ConvSpec(8, 6, 1, groups=2),),
        (ConvSpec(4, 6, 3),),
        (ConvSpec(3, 6, 3, groups=3),),
        (ConvSpec(6, 9, 3, groups=3),),
    ],
    mistakes={
        "That is what comes out when the groups are ignored: every output sees every input.": lambda spec: np.ones(
            (spec.out_channels, spec.in_channels)
        ),
        "Rows and columns are swapped: rows are output channels, columns are input channels.": lambda spec: (
            true_mask(spec).T
        ),
        "That deals the channels out in turn. Groups are neighbours: the first C/g inputs, "
        "then the next C/g.": lambda spec: (
            np.subtract.outer(np.arange(spec.out_channels), np.arange(spec.in_channels)) % spec.groups == 0
        ),
        "That divides by g. A group has M/g outputs and C/g inputs: "
        "i // (M // g) is the group of output i.": lambda spec: np.equal.outer(
            np.arange(spec.out_channels) // spec.groups, np.arange(spec.in_channels) // spec.groups
        ),
        "That is the opposite: True where a filter does not look.": lambda spec: ~true_mask(spec),
        "That is a diagonal. In a group, each output sees all C/g inputs.": lambda spec: np.eye(
            spec.out_channels, spec.in_channels, dtype=bool
        ),
    },
    hints=[
        "Which group does output channel i belong to, if each group has M/g outputs in a row? And input channel c?",
        "Output i is in group i // (M // g), input c in group c // (C // g).",
        "True where the two group numbers are equal; compare a column of M numbers with a row of C numbers.",
    ],
    takeaway="A grouped layer is a standard layer whose weight matrix is zero outside g blocks.",
)

channel_shuffle = Exercise(
    target=lambda x, groups: x.reshape(groups, -1, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape),
    cases=[(torch.arange(6.0).reshape(6, 1, 1), 2), (torch.arange(6.0).reshape(6, 1, 1), 3), (integers(12, 3, 5), 3)],
    mistakes={
        "Nothing has moved.": lambda x, groups: x,
        "The two axes are cut the wrong way round: there are `groups` groups of C/g channels, "
        "not C/g of `groups`.": lambda x, groups: x.reshape(-1, groups, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape),
        "That turns the order round. Take the first channel of each group, "
        "then the second of each.": lambda x, groups: x.flip(0),
        "That moves whole groups. The channels of each group have to end up in different groups.": lambda x, groups: (
            x.roll(len(x) // groups, 0)
        ),
    },
    hints=[
        "The new order takes the first channel of each group, then the second of each group, and so on.",
        "Give the channels two axes, (groups, C // groups). Which two axes have to change places?",
        "x.reshape(groups, C // groups, H, W).swapaxes(0, 1).reshape(C, H, W)",
    ],
    takeaway="Reshape, swap, reshape back, without a MAC. A new group takes from every old one if C/g is g or more.",
)
