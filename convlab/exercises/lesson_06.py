"""The exercises of lesson 06: what counting tools print, and the work behind it."""

from __future__ import annotations

from math import prod

from convlab import cost, shape
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec


def true_tool_numbers(spec, input_shape):
    """Return what thop prints, what PyTorch's counter prints, and MACs + bias additions."""
    macs = cost.mac_count(spec, input_shape)
    return macs, 2 * macs, macs + spec.bias * prod(shape.output_shape(spec, input_shape))


def told(change):
    """Return an exercise-shaped function with three numbers: `change(macs, bias additions, spec, output shape)`."""

    def makes(spec, input_shape):
        macs, _, with_bias = true_tool_numbers(spec, input_shape)
        return change(macs, with_bias - macs, spec, shape.output_shape(spec, input_shape))

    return makes


tool_numbers = Exercise(
    target=true_tool_numbers,
    cases=[
        (ConvSpec(3, 6, 3, stride=3), (1, 3, 6, 6)),
        (ConvSpec(3, 6, 3, stride=3, bias=False), (1, 3, 6, 6)),
        (ConvSpec(4, 10, (3, 2), stride=2, padding=1, groups=2), (3, 4, 9, 6)),
    ],
    mistakes={
        "The first number is 2 × MACs. thop counts MACs.": told(lambda macs, b, *_: (2 * macs, 2 * macs, macs + b)),
        "The second number is in exact FLOPs. PyTorch's counter gives 2 × MACs, with bias and without.": told(
            lambda macs, b, spec, out: (macs, 2 * macs - prod(out) + b, macs + b)
        ),
        "The bias is in the second number. PyTorch's counter does not count it.": told(
            lambda macs, b, *_: (macs, 2 * macs + b, macs + b)
        ),
        "The bias is in the first number. thop does not count it.": told(
            lambda macs, b, *_: (macs + b, 2 * macs, macs + b)
        ),
        "The first two numbers are swapped: thop counts MACs, PyTorch's counter 2 × MACs.": told(
            lambda macs, b, *_: (2 * macs, macs, macs + b)
        ),
        "The order is turned round. Wanted thop, PyTorch's counter, ptflops.": told(
            lambda macs, b, *_: (macs + b, 2 * macs, macs)
        ),
        "The bias is not in the third number.": told(lambda macs, *_: (macs, 2 * macs, macs)),
        "The third number has a bias for every layer. Look at spec.bias.": told(
            lambda macs, b, spec, out: (macs, 2 * macs, macs + prod(out))
        ),
        "The third number adds the biases once each. A bias is added to each output number of its channel.": told(
            lambda macs, b, spec, out: (macs, 2 * macs, macs + spec.bias * spec.out_channels)
        ),
        "The third number is 2 × MACs + bias additions. ptflops and torchinfo add them to the MACs.": told(
            lambda macs, b, *_: (macs, 2 * macs, 2 * macs + b)
        ),
        "The batch is forgotten: all N images are counted.": lambda spec, x: true_tool_numbers(spec, (1, *x[1:])),
    },
    hints=[
        "Start from macs = mac_count(spec, input_shape). Which of the three numbers do not look at the bias?",
        "The first is macs, the second 2 * macs. The third adds one operation for each output number, if spec.bias.",
        "macs, 2 * macs, macs + spec.bias * prod(output_shape(spec, input_shape))",
    ],
    takeaway="One layer, one amount of work, three numbers: MACs, 2 × MACs, and MACs + bias additions.",
)


def stepped(weight_shape, stride, input_shape, size):
    """Return a whole kernel, all channels, for each position of an output with `size(input, kernel, stride)` cells."""
    sides = zip(input_shape[2:], weight_shape[2:], strict=True)
    return prod(weight_shape) * input_shape[0] * prod(size(n, k, stride) for n, k in sides)


transposed_macs = Exercise(
    target=lambda weight_shape, stride, input_shape: prod(input_shape) * prod(weight_shape[1:]),
    cases=[
        ((6, 4, 2, 2), 2, (1, 6, 5, 7)),
        ((4, 5, 3, 2), 2, (2, 4, 6, 3)),
        ((9, 2, 3, 3), 4, (3, 9, 8, 5)),
    ],
    mistakes={
        "That counts a whole kernel at each output position, as thop does. "
        "Count from the input's side.": lambda w, s, x: stepped(w, s, x, lambda n, k, stride: (n - 1) * stride + k),
        "That is stride² too many: most output positions get only some of the kernel's products.": lambda w, s, x: (
            stepped(w, s, x, lambda n, k, stride: n * stride)
        ),
        "That divides by stride². The stride does not matter: it says where the products land.": lambda w, s, x: (
            prod(x) * prod(w[1:]) // s**2
        ),
        "That takes the output's size of a plain convolution. "
        "A transposed one makes the image larger.": lambda w, s, x: stepped(
            w, s, x, lambda n, k, stride: (n - k) // stride + 1
        ),
        "The batch is forgotten: there are N images.": lambda w, s, x: prod(x[1:]) * prod(w[1:]),
        "That multiplies each input number by all weights. It meets those of its own channel, "
        "weight_shape[1:].": lambda w, s, x: prod(x) * prod(w),
        "The output channels are missing: "
        "an input number has a kernel for each output channel of its group.": lambda w, s, x: prod(x) * prod(w[2:]),
        "Those are FLOPs, or twice the MACs.": lambda w, s, x: 2 * prod(x) * prod(w[1:]),
        "The kernel's height is used for both sides. "
        "The last two numbers of weight_shape are height and width.": lambda w, s, x: prod(x) * w[1] * w[2] ** 2,
        "Those are the weights. Each of them works at every input position.": lambda w, s, x: prod(w),
    },
    hints=[
        "Take one input number. With how many weights is it multiplied?",
        "With (M/g)·K·K weights, the numbers of weight_shape after the first. How many input numbers are there?",
        "prod(input_shape) * prod(weight_shape[1:])",
    ],
    takeaway="Input numbers × (M/g)·K·K: the stride moves the products, and adds none.",
)

macs_behind = Exercise(
    target=lambda printed, norm_numbers: printed // 2 - 4 * norm_numbers,
    cases=[(1_488, 24), (87_040, 768), (19_200, 600)],
    mistakes={
        "That is the printed number, doubled and with BatchNorm in it.": lambda p, norm: p,
        "That halves it. BatchNorm's operations are still in it.": lambda p, norm: p // 2,
        "That takes away 2 for each BatchNorm number in the end. thop counts 4, doubled too. "
        "Halve first.": lambda p, norm: (p - 4 * norm) // 2,
        "That takes BatchNorm's operations away, and keeps the double.": lambda p, norm: p - 8 * norm,
        "That takes BatchNorm's operations away once, and keeps the double.": lambda p, norm: p - 4 * norm,
        "That takes away 8 operations for each BatchNorm number. "
        "In half the printed number there are 4.": lambda p, norm: p // 2 - 8 * norm,
        "That halves once more. Half the printed number, without BatchNorm, is in MACs already.": lambda p, norm: (
            (p // 2 - 4 * norm) // 2
        ),
    },
    hints=[
        "Two things are wrong with the number. Undo the last one first: every hook ran twice.",
        "Half of it is MACs and 4 operations for each number that a BatchNorm puts out.",
        "printed // 2 - 4 * norm_numbers",
    ],
    takeaway="A wrong number can be repaired if you know what its tool did.",
)
