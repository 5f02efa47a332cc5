"""The exercises of lesson 02: what it costs."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from convlab import cost
from convlab.exercises.common import by_output, on_changed_layer, size_mistakes
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

param_count = Exercise(
    target=cost.param_count,
    cases=[
        (ConvSpec(1, 1, 3, bias=False),),
        (ConvSpec(3, 6, 11, stride=4, bias=False),),
        (ConvSpec(3, 6, 11, stride=4),),
        (ConvSpec(4, 10, (3, 5), padding=1),),
        (ConvSpec.linear(12, 7),),
    ],
    mistakes={
        "The bias is forgotten: a layer with bias has one more number for each filter.": on_changed_layer(
            cost.param_count, bias=False
        ),
        "The bias is counted for every layer. Look at spec.bias.": on_changed_layer(cost.param_count, bias=True),
        "There is one bias for the whole layer in your count. Each filter has its own.": lambda spec: (
            prod(spec.weight_shape) + spec.bias
        ),
        "There is a bias for each input channel in your count. There is one for each output channel.": lambda spec: (
            prod(spec.weight_shape) + spec.bias * spec.in_channels
        ),
        "The kernel's height is used for both sides. kernel_size is (height, width).": lambda spec: cost.param_count(
            replace(spec, kernel_size=spec.kernel_size[0])
        ),
        "That is one filter. The layer has out_channels of them.": on_changed_layer(cost.param_count, out_channels=1),
        "The input channels are missing: a filter is as deep as the image.": on_changed_layer(
            cost.param_count, in_channels=1
        ),
    },
    hints=[
        "Count one filter first: it is a box of kernel height × kernel width × in_channels numbers.",
        "There are out_channels filters. With spec.bias, each has one number more.",
        "kh, kw = spec.kernel_size, then (kh*kw*spec.in_channels + spec.bias) * spec.out_channels",
    ],
    takeaway="The image's size is nowhere in it: the same filters serve every position.",
)


flop_count = Exercise(
    target=cost.flop_count,
    cases=[
        (ConvSpec(3, 1, 5, bias=False), (1, 3, 12, 12)),
        (ConvSpec(3, 6, 11, stride=4), (1, 3, 227, 227)),
        (ConvSpec(3, 6, 11, stride=4, bias=False), (1, 3, 227, 227)),
        (ConvSpec(5, 4, (3, 2), padding=1), (2, 5, 9, 14)),
        (ConvSpec(6, 4, (3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 3)), (2, 6, 14, 25)),
    ],
    mistakes={
        "Those are MACs. A FLOP is one multiplication or one addition, so count the additions too.": cost.mac_count,
        "Those are the additions alone. FLOPs are multiplications plus additions.": cost.addition_count,
        "That is 2n for each output number even without bias. There, n products need n − 1 additions.": by_output(
            lambda n, spec: 2 * n
        ),
        "The bias is forgotten: it is one addition for each output number.": on_changed_layer(
            cost.flop_count, bias=False
        ),
        "The bias is counted once for each filter. It is added to each output number.": lambda spec, x: (
            cost.flop_count(replace(spec, bias=False), x) + spec.bias * spec.out_channels
        ),
        "That is 2n with no bias and 2n + 1 with one: the −1 is missing.": by_output(lambda n, spec: 2 * n + spec.bias),
        "The input channels are missing: a filter is as deep as the image.": by_output(
            lambda n, spec: 2 * n // spec.in_channels - 1 + spec.bias
        ),
        "That is one filter. Each of the out_channels filters gives its own output numbers.": on_changed_layer(
            cost.flop_count, out_channels=1
        ),
        "The kernel's height is used for both sides. kernel_size is (height, width).": by_output(
            lambda n, spec: 2 * spec.in_channels * spec.kernel_size[0] ** 2 - 1 + spec.bias
        ),
        "The batch is forgotten: the layer works on each of its N images.": lambda spec, x: cost.flop_count(
            spec, (1, *x[1:])
        ),
        **size_mistakes(cost.flop_count),
    },
    hints=[
        "Take one output number: n products, where n = kernel height × kernel width × in_channels. How many additions?",
        "n − 1 additions without bias, n with bias. output_shape(spec, input_shape) gives the output numbers.",
        "(2*n - 1 + spec.bias) * prod(output_shape(spec, input_shape)), with prod from math.",
    ],
    takeaway="2n − 1 FLOPs for each output number without bias, 2n with bias.",
)

linear_flops = Exercise(
    target=lambda: cost.flop_count(ConvSpec.linear(4096, 1000), (1, 4096, 1, 1)),
    mistakes={
        "Those are MACs: one for each weight. FLOPs count the additions too.": lambda: 4096 * 1000,
        "That is without bias. This layer has one, so each output takes one more addition.": lambda: (
            (2 * 4096 - 1) * 1000
        ),
        "Those are the parameters, biases included.": lambda: 4097 * 1000,
        "That is 2n + 1 for each output: the −1 is missing. n products need n − 1 additions.": lambda: (
            (2 * 4096 + 1) * 1000
        ),
        "That is one of the 1,000 outputs.": lambda: 2 * 4096,
        "That is twice the parameters. A bias is added, never multiplied.": lambda: 2 * 4097 * 1000,
    },
    hints=[
        "Each of the 1,000 outputs sums 4,096 products.",
        "4,096 multiplications, 4,095 additions for the sum, 1 addition for the bias.",
        "2 · 4,096 · 1,000.",
    ],
    takeaway="With bias a fully connected layer takes 2·C·M FLOPs, as the 1×1 convolution on a 1×1 image that it is.",
)
