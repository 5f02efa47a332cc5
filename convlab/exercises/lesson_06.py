"""The exercises of lesson 06: what counting tools print, and the work behind it."""

from __future__ import annotations

from math import prod

from convlab import cost, shape
from convlab.exercises.choices import Choices
from convlab.exercises.exercise import Exercise
from convlab.exercises.predict import predict
from convlab.exercises.reply import Reply
from convlab.spec import ConvSpec

recall_06 = Choices(
    [
        (
            "b",
            {
                "a": "Those are the products alone. FLOPs count the additions too.",
                "b": "n products, and n − 1 additions to sum them.",
                "c": "The first product has nothing to be added to, and there is no bias.",
            },
        ),
        (
            "c",
            {
                "a": "There are 6 biases, but each is added at all positions of its channel.",
                "b": "That is one channel, 2·2 numbers.",
                "c": "One for each output number, 6·2·2.",
            },
        ),
        (
            "a",
            {
                "a": "So it no longer fits when other weights make other numbers.",
                "b": "It never sees the weights, only the numbers that they make.",
                "c": "It never sees the answers. Only the loss at the end does.",
            },
        ),
    ]
)

RESNET_50_MACS = 4_089_184_256  # on 1×3×224×224


def images_per_second(guess) -> Reply:
    """Compare a guess with the most images a second that 10 · 10¹² operations a second allow for ResNet-50."""
    most = 10e12 / (2 * RESNET_50_MACS)
    why = "4.09 billion are MACs, and the maker counts each of them twice."
    ideas = dict.fromkeys((2444, 2445, 2446, 10_000 / 4.09, 2 * most), why)
    return predict(guess, most, "images a second", ideas=ideas)


RESNET_50 = {  # a convention, and its value for ResNet-50 on 1×3×224×224, in billions
    "a": ("MACs", "4.09"),
    "b": ("MACs and something for BatchNorm", "4.10 to 4.13"),
    "c": ("2 × MACs", "8.178"),
    "d": ("2 × (MACs and something for BatchNorm)", "8.20 to 8.27"),
    "e": ("Exact FLOPs", "8.167"),
}


def printed_for_resnet_50(right):
    """Return one question: which convention gives a number that is printed for ResNet-50?"""
    told = {
        letter: f"{name}: {'that is' if letter == right else 'that would be'} {billions} billion for this network."
        for letter, (name, billions) in RESNET_50.items()
    }
    told["f"] = "A rate has a time in it. Here a network was counted, and no clock ran."
    told["g"] = f"One of them fits. Divide the printed number by the MACs, {RESNET_50_MACS:,}: is it near 1 or near 2?"
    if right == "g":
        told["g"] = "None of them gives it. It may be another network of that name, or another convention."
    return right, told


words = Choices(
    [
        *map(printed_for_resnet_50, "cadebg"),
        (
            "f",
            dict.fromkeys("abcde", "A chip is no network: it has no layers to count. What can its maker measure?")
            | {
                "f": "10 · 10¹² operations a second: it says how fast, not how much.",
                "g": "One of them fits. What does a maker say of a chip, how much or how fast?",
            },
        ),
    ],
    hints=[
        f"Forget the word. Divide the printed number by the MACs of ResNet-50, {RESNET_50_MACS:,}. Is it near 1 or 2?",
        "A little above 1 or 2 is something for BatchNorm. A little below 2 is a −1 for each number without a bias.",
        "Exact FLOPs are 8,167,254,528. thop printed 4,133,742,592, and fvcore is in the table of the six tools.",
    ],
)


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
