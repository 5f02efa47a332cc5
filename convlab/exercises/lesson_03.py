"""The exercises of lesson 03: grouped convolution."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch import nn

from convlab import cost
from convlab.exercises.choices import Choices
from convlab.exercises.common import by_output, integers, on_changed_layer, size_mistakes
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

recall_03 = Choices(
    [
        (
            "b",
            {
                "a": "3·3 is one slice of it. A filter is as deep as the input.",
                "b": "It is as deep as the input: 3·3 weights for each of 8 channels.",
                "c": "3·3·8·6 are the weights of the layer, so of all 6 filters.",
            },
        ),
        (
            "a",
            {
                "a": "Each weight is used once at each position of its output channel.",
                "b": "The window stops where the output has a number; the input may have more positions.",
                "c": "A weight belongs to one filter, so it makes numbers of one output channel only.",
            },
        ),
        (
            "c",
            {
                "a": "n − 1 additions sum the products. The bias is missing.",
                "b": "The first product has nothing to be added to.",
                "c": "n − 1 to sum the products, and one for the bias.",
            },
        ),
    ]
)


class WiringQuiz(Choices):
    """Choices about pictures of weight matrices, without their number of groups."""

    def __init__(self, panels: dict, questions):
        super().__init__(questions)
        self.panels = panels

    def draw(self):
        """Return the picture that the questions are about."""
        from convlab.figures.canvas import show  # here, so that a check does not load matplotlib
        from convlab.figures.matrix import MatrixPanel, draw_matrix

        return show(draw_matrix, *(MatrixPanel(name, mask) for name, mask in self.panels.items()))


def true_mask(spec):
    """Return the M×C matrix that is True where output channel i has a kernel for input channel c."""
    blocks = np.eye(spec.groups, dtype=bool)
    return np.kron(blocks, np.ones((spec.out_channels // spec.groups, spec.in_channels // spec.groups), dtype=bool))


wirings = WiringQuiz(
    {
        "A": true_mask(ConvSpec(8, 4, 1, groups=4)),
        "B": true_mask(ConvSpec(6, 9, 1, groups=3)),
        "C": np.subtract.outer(np.arange(6), np.arange(6)) % 2 == 0,
    },
    [
        (
            "c",
            {
                "a": "2 is the width of a block, C/g. The number of blocks is g.",
                "b": "8 is C, the number of columns. M = 4 cannot be split into 8 groups.",
                "c": "There are 4 blocks, each 2 inputs wide: C/g = 8/4.",
            },
        ),
        (
            "a",
            {
                "a": "There are 3 blocks, each 2 inputs wide and 3 outputs high.",
                "b": "2 is C/g, how many inputs an output sees. M = 9 cannot be split into 2 groups.",
                "c": "6 is C, the number of columns. M = 9 cannot be split into 6 groups.",
            },
        ),
        (
            "b",
            {
                "a": "The count fits: each output sees half of the inputs. But a group takes neighbours, "
                "so its block is filled. Here the channels take turns.",
                "b": "Groups take neighbouring channels. This is a layer with 2 groups whose channels were reordered "
                "before and after it.",
                "c": "3 is how many inputs an output sees. With 3 groups it would be C/g = 2.",
            },
        ),
    ],
)

grouped_claims = Choices(
    [
        (
            "a",
            {
                "a": "8·8 weights without groups. A group has 4 inputs and 4 outputs, 4·4 weights. There are two.",
                "b": "16 is one group. There are two.",
                "c": "The cut takes away the kernels between the groups: half of the pairs.",
            },
        ),
        (
            "c",
            {
                "a": "48 is the layer without groups: then grouping saves nothing. And the call says out_channels=6.",
                "b": "48 is the layer without groups. A group makes M/g = 3 outputs, not 6.",
                "c": "4 inputs times 3 outputs in each group. All 6 outputs belong to the layer, 3 to each group.",
            },
        ),
        (
            "c",
            {
                "a": "Neither convention has a + 1: it is −1 without bias, 0 with bias. And put the numbers in.",
                "b": "The value is wrong, but so is the formula: −1 without bias, 0 with bias, never + 1.",
                "c": "The + 1 fits no convention, and the factor M/g = 6/3 was lost on the way to the value.",
            },
        ),
        (
            "a",
            {
                "a": "A filter sees C/g = 1 channel, so 3·3·1 belongs there. The last step, / 3, repairs it.",
                "b": "As printed the product is three times 432: 3·3·3 is a filter that sees all 3 channels.",
                "c": "That is the layer without groups. With 3 groups it is a third, with bias.",
            },
        ),
    ]
)


class Layers(nn.Sequential):
    """Layers in a row with a name of one line, so that a message can quote them."""

    def __init__(self, name: str, *layers):
        super().__init__(*layers)
        self.name = name
        for parameter in self.parameters():  # above zero, so that no change cancels another one
            parameter.data = integers(*parameter.shape).abs() + 1
            parameter.requires_grad_(False)

    def __repr__(self) -> str:
        return self.name


def true_reach(network, channels):
    """Return the M×C matrix that is True where a change of input channel c moves output channel i."""
    x, columns = integers(1, channels, 6, 6), []
    for channel in range(channels):
        changed = x.clone()
        changed[:, channel] += 1
        columns.append((network(changed) != network(x)).any(dim=(0, 2, 3)))
    return torch.stack(columns, dim=1).numpy()


def positions_reached(network, channels):
    """Return for each pair at how many positions of a 6×6 image the output moves."""
    x, columns = integers(1, channels, 6, 6), []
    for channel in range(channels):
        changed = x.clone()
        changed[:, channel] += 1
        columns.append((network(changed) != network(x)).sum(dim=(0, 2, 3)))
    return torch.stack(columns, dim=1).numpy()


reach = Exercise(
    target=true_reach,
    cases=[
        (Layers("nn.Conv2d(8, 6, 3, groups=2)", nn.Conv2d(8, 6, 3, groups=2)), 8),
        (Layers("a standard layer, 4 → 6", nn.Conv2d(4, 6, 1)), 4),
        (
            Layers("two grouped layers, 6 → 9 → 12", nn.Conv2d(6, 9, 3, groups=3), nn.Conv2d(9, 12, 3, 1, 1, groups=3)),
            6,
        ),
        (
            Layers(
                "layer, shuffle, layer, 8 → 8 → 8",
                nn.Conv2d(8, 8, 1, groups=4),
                nn.ChannelShuffle(4),
                nn.Conv2d(8, 8, 3, 1, 1, groups=4),
            ),
            8,
        ),
    ],
    mistakes={
        "Nothing moves. Does your changed image share its numbers with x? "
        "`changed = x` is the same tensor; x.clone() is a copy.": lambda network, channels: np.zeros_like(
            true_reach(network, channels)
        ),
        "Everything moves. Did you change all channels at once? "
        "changed[:, c] is channel c alone.": lambda network, channels: np.ones_like(true_reach(network, channels)),
        "Rows and columns are swapped: rows are output channels, columns are input channels.": (
            lambda network, channels: true_reach(network, channels).T
        ),
        "That is the opposite: True where nothing moves.": lambda network, channels: ~true_reach(network, channels),
        "The changes add up: each new channel is changed on top of the ones before. "
        "Start each time from a new copy of x.": lambda network, channels: np.logical_or.accumulate(
            true_reach(network, channels), axis=1
        ),
        "Those are the positions that moved. One is enough: use .any() instead of a sum.": positions_reached,
        "That is the column of channel 0 alone. "
        "Put the columns of all input channels side by side.": lambda network, channels: true_reach(network, channels)[
            :, 0
        ],
        "That is the number of pairs. Wanted is the matrix itself.": lambda network, channels: int(
            true_reach(network, channels).sum()
        ),
        "That is how many outputs each input reaches. "
        "Wanted is which: one row for each output.": lambda network, channels: true_reach(network, channels).sum(
            axis=0
        ),
    },
    hints=[
        "One column of the matrix is one experiment: change one input channel, and look which outputs differ.",
        "`network(x) != network(changed)` has the axes images, outputs, height, width. "
        "Which of them should be left over?",
        "Loop over range(channels), start each time from x.clone(), append (…).any(dim=(0, 2, 3)) to a list, "
        "and return torch.stack(columns, dim=1).",
    ],
    takeaway="You have shown it on data: True where an output can depend on an input, for any network of such layers.",
)

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
        "The M output channels are missing: that is the work of one filter.": lambda spec, x: (
            cost.mac_count(spec, x) // spec.out_channels
        ),
        "A bias is in it. A bias is added, never multiplied, so it is no MAC.": by_output(
            lambda n, spec: n + spec.bias
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


def true_receptive_field(layers):
    """Return how many columns one output number sees: the length of its gradient, back through kernels of ones."""
    gradient = torch.ones(1, 1, 1)
    for kernel, stride in reversed(layers):
        gradient = nn.functional.conv_transpose1d(gradient, torch.ones(1, 1, kernel), stride=stride)
    return gradient.shape[-1]


def columns_added(each):
    """Return the count if a layer adds `each(kernel, strides)` columns, with all strides up to its own."""

    def count(layers):
        kernels, strides = zip(*layers)
        return sum(each(kernel, strides[: n + 1]) for n, kernel in enumerate(kernels))

    return count


receptive_field = Exercise(
    target=true_receptive_field,
    cases=[
        (((3, 1),),),
        (((3, 1), (3, 1)),),
        (((3, 2), (5, 1)),),
        (((5, 2), (2, 3), (1, 1), (3, 1)),),
        (((7, 2), (3, 2), (4, 3), (3, 2), (3, 1)),),
    ],
    mistakes={
        "That is what comes out when the strides are ignored.": lambda layers: (
            1 + columns_added(lambda k, s: k - 1)(layers)
        ),
        "A layer's own stride is in its step. It moves the window, and does not change "
        "what one output reads: only the strides before it count.": lambda layers: (
            1 + columns_added(lambda k, s: (k - 1) * prod(s))(layers)
        ),
        "That takes the stride of the one layer before. The strides of all layers before it multiply.": lambda layers: (
            1 + columns_added(lambda k, s: (k - 1) * prod(s[-2:-1]))(layers)
        ),
        "The strides are added there. A step of a step: they multiply.": lambda layers: (
            1 + columns_added(lambda k, s: (k - 1) * (sum(s[:-1]) or 1))(layers)
        ),
        "Each layer adds K steps there. K taps have K − 1 gaps: one column is seen already.": columns_added(
            lambda k, s: k * prod(s[:-1])
        ),
        "The 1 at the start is missing: without any layer an output sees one column.": columns_added(
            lambda k, s: (k - 1) * prod(s[:-1])
        ),
        "The kernels are multiplied there. Windows overlap: each layer adds its steps.": lambda layers: prod(
            kernel for kernel, _ in layers
        ),
        "That goes through the layers from the last to the first. "
        "A stride widens the steps of the layers after it.": lambda layers: true_receptive_field(layers[::-1]),
        "That is the product of the strides: how far two neighbouring outputs are apart.": lambda layers: prod(
            stride for _, stride in layers
        ),
        "That is the last layer alone. Its inputs have seen more than one column.": lambda layers: layers[-1][0],
    },
    hints=[
        "Without layers an output sees 1 column. A layer adds K − 1 steps. How wide is a step?",
        "Keep two numbers while you go through the layers: the columns seen, and the width of a step. Both start at 1.",
        "seen += (kernel - 1) * step, then step *= stride, for each layer from the first to the last.",
    ],
    takeaway="A layer adds K − 1 steps, as wide as the strides before it, multiplied: strides let few layers see far.",
)
