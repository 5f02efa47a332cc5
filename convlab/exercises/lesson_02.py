"""The exercises of lesson 02: what it costs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from convlab import cost
from convlab.exercises.choices import Choices
from convlab.exercises.common import by_output, on_changed_layer, size_mistakes
from convlab.exercises.exercise import Exercise
from convlab.exercises.reply import Reply
from convlab.meter import metered
from convlab.reference import conv2d_im2col
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
    takeaway="The formula in words: (kernel height · kernel width · in_channels, + 1 with bias) · out_channels. The "
    "image's size is nowhere in it: the same filters serve every position.",
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

recall_02 = Choices(
    [
        (
            "b",
            {
                "a": "The first position is missing: from row 0 to row 7 there are 8.",
                "b": "12 − 5 steps, and the first position: 8 in each direction.",
                "c": "Near the edge the window would hang over it. No padding, so it stops before.",
            },
        ),
        (
            "c",
            {
                "a": "The channels of the input are summed. They do not come out again.",
                "b": "Each filter sums over all 3 channels and gives one channel, not three.",
                "c": "One filter gives one output channel.",
            },
        ),
        (
            "a",
            {
                "a": "One number for each filter, added to each of its output numbers.",
                "b": "Weights are multiplied. A bias is added.",
                "c": "Each filter has a bias of its own.",
            },
        ),
    ]
)

PRODUCTS, OUTPUTS = 11 * 11 * 3, 55 * 55 * 6  # of the 227×227×3 layer: in one output number; output numbers
CONVENTIONS = {  # what is counted, how much of it for one output number, and how that comes about
    "a": ("MACs", PRODUCTS, "11·11·3 products"),
    "b": ("2 × MACs", 2 * PRODUCTS, f"2 · {PRODUCTS}, though there is no bias"),
    "c": ("exact FLOPs", 2 * PRODUCTS - 1, f"{PRODUCTS} products and {PRODUCTS - 1} sums"),
    "d": ("additions alone", PRODUCTS - 1, f"one fewer than the {PRODUCTS} products"),
    "e": ("multiplications without the channels", PRODUCTS // 3, "11·11, the products in one of 3 channels"),
}


def named_by(right):
    """Return one question: which convention gives the number of option `right`?"""
    _, own, why = CONVENTIONS[right]
    quotient = f"Divided by the {OUTPUTS:,} output numbers this is {own}"
    told = {
        letter: f"{quotient}: {why}." if letter == right else f"{quotient}. For {name} it would be {count}."
        for letter, (name, count, _) in CONVENTIONS.items()
    }
    return right, told


conventions = Choices(
    [
        *map(named_by, "cebad"),
        (
            "b",
            {
                "a": "By that rule a layer without bias has a −1 for each output number. Does 13,176,900 have it?",
                "b": "2,178 is without bias, 13,176,900 are FLOPs with bias. By the write-up's own rule the layer "
                "without bias has a −1 for each output number.",
                "c": "11·11·3·6 is 2,178, and 2·11·11·3·55·55·6 is 13,176,900. Each is right for some layer.",
            },
        ),
    ],
    hints=[
        f"The output has 55·55·6 = {OUTPUTS:,} numbers. Divide each printed number by that.",
        f"One output number takes 11·11·3 = {PRODUCTS} products. How many additions is that, without bias?",
    ],
)


def by_windows(image, kernels, stride, channels=None, flip=False):
    """Convolve one image, window by window, as learners do; some of the channels alone, or with flipped kernels."""
    kernels = kernels[:, :channels, ::-1, ::-1] if flip else kernels[:, :channels]
    image, (height, width) = image[:channels], kernels.shape[2:]
    rows = range(0, image.shape[1] - height + 1, stride)
    columns = range(0, image.shape[2] - width + 1, stride)
    return [
        [[(image[:, i : i + height, j : j + width] * kernel).sum() for j in columns] for i in rows]
        for kernel in kernels
    ]


class UnderMeter:
    """A learner's function that is run on metered numbers, and the meter of each call."""

    def __init__(self, function):
        self.function, self.meters, self.is_stopped = function, [], False
        self.__code__ = getattr(function, "__code__", None)  # by which an exercise finds the learner's own line

    def __call__(self, *case):
        self.is_stopped = True
        try:
            self.meters.append(metered(self.function, *case))
        except TypeError as error:  # torch lists all signatures of its functions, a line each
            first = str(error).partition("\n")[0].removesuffix(", but expected one of:")
            raise TypeError(first).with_traceback(error.__traceback__) from None
        self.is_stopped = False
        return self.meters[-1].output


class MeteredConv2d(Exercise):
    """A convolution of the learner's own that has to be right and to do the work that the formulas say."""

    def __call__(self, answer) -> Reply:
        """Return the reply to a function of (image, kernels, stride) that is run on metered numbers.

        A right result with another count is "nearly".
        """
        run = UnderMeter(answer) if callable(answer) else answer
        reply = super().__call__(run)
        is_torchs = any(f"stopped with {kind}" in reply.message for kind in ("TypeError", "AttributeError"))
        if reply.outcome == "wrong" and getattr(run, "is_stopped", False) and is_torchs:
            told = "Here image and kernels are NumPy arrays, no tensors: write loops, or use NumPy, and .shape."
            return Reply("wrong", f"{reply.message}\n{told}")
        return self._weighed(run.meters) if reply.outcome == "right" else reply

    def _weighed(self, meters) -> Reply:
        """Return the reply to a right result: the first case in which the meter saw other work than the formulas."""
        layers = [
            ((ConvSpec(len(image), len(kernels), kernels.shape[2:], stride, bias=False)), (1, *image.shape))
            for image, kernels, stride in self.cases
        ]
        done = [meter.multiplication_count for meter in meters]
        wanted = [cost.mac_count(*layer) for layer in layers]
        sums = [  # where a product is 0, a sum that has started cannot be told from one that has not
            meter.addition_count if meter.zero_product_count else cost.addition_count(*layer)
            for meter, layer in zip(meters, layers)
        ]
        reason = self._excess(done, wanted, layers) if done != wanted else self._other_sums(meters, sums)
        if not reason:
            return Reply("right", self.takeaway)
        rows = zip(self.cases, meters, wanted, sums)
        case, meter, macs, additions = next(
            row for row in rows if row[1].multiplication_count != row[2] or row[1].addition_count != row[3]
        )
        formula = f"The formulas say {macs:,} multiplications and {additions:,} additions"
        return Reply("nearly", f"Your result is right. The meter saw {meter}. {formula}{self._when(case)}.\n{reason}")

    def _excess(self, done, wanted, layers) -> str:
        """Say what explains the multiplications of all cases."""
        if not any(done):
            return "No product was done by the numbers themselves: float(…), .item() or astype take them off the meter."
        ratios = [Fraction(mine, right) for mine, right in zip(done, wanted)]
        if ratios == [spec.out_channels for spec, _ in layers]:
            return "That is too much by a factor of the filters: everything is computed again for each filter."
        if ratios == [spec.in_channels for spec, _ in layers]:
            return "That is too much by a factor of the channels: every product is done again for each channel."
        if len({*ratios}) == 1 and ratios[0] > 1:
            return f"Yours does {float(ratios[0]):.3g} times the multiplications: it computes the same products again."
        if done == [cost.mac_count(replace(spec, stride=1), shape) for spec, shape in layers]:
            return "Yours computes the output for stride 1, and then leaves most of it out."
        zeros = [metered(by_windows, *case).zero_product_count for case in self.cases]
        if done == [right - skipped for right, skipped in zip(wanted, zeros)]:
            return "Yours does fewer: products with a zero of the padding are skipped. In this course they count."
        if any(mine < right for mine, right in zip(done, wanted)):
            return "Yours does fewer: some products were done off the meter, or shared between output numbers."
        return "Yours does more: some products are computed again, or are thrown away."

    def _other_sums(self, meters, sums) -> str:
        """Say what explains the additions, where the multiplications are right; nothing if they are right too."""
        done = [meter.addition_count for meter in meters]
        if done == sums:
            return ""
        if any(mine < right for mine, right in zip(done, sums)):
            return "The products are all there. Some of the sums were done off the meter."
        return "The products are all there. A sum starts with its first product, or with a 0: nothing else is added."


def positive(*sizes, padding=0):
    """Return a fixed array of whole numbers without a zero, with a border of so many zeros around each channel."""
    numbers = np.random.default_rng(sum(sizes)).integers(1, 10, sizes).astype(float)
    return np.pad(numbers, ((0, 0), (padding, padding), (padding, padding))) if padding else numbers


def true_conv2d(image, kernels, stride):
    """Return the convolution of one image (C, H, W) with kernels (M, C, K, K)."""
    return conv2d_im2col(image[None], kernels, stride=stride).output[0]


metered_conv2d = MeteredConv2d(
    target=true_conv2d,
    cases=[
        (positive(3, 5, 6), positive(2, 3, 3, 2), 1),
        (positive(2, 7, 10), positive(4, 2, 3, 4), 2),
        (positive(2, 4, 5, padding=1), positive(3, 2, 3, 3), 1),
    ],
    mistakes={
        "That is what comes out when the stride is ignored.": lambda x, w, s: by_windows(x, w, 1),
        "That is the first channel alone. The products of all channels are summed.": lambda x, w, s: by_windows(
            x, w, s, channels=1
        ),
        "That is the first filter alone. Each filter gives one output channel.": lambda x, w, s: by_windows(
            x, w[:1], s
        ),
        "That flips the kernel. In PyTorch the kernel is not flipped.": lambda x, w, s: by_windows(x, w, s, flip=True),
    },
    hints=[
        "Take your function of lesson 01. If it calls torch for the sums, write them as loops, or with NumPy.",
        "For each filter and each window: multiply the window by the filter and sum. Nothing else is multiplied.",
        "[[[(image[:, i:i + kh, j:j + kw] * kernel).sum() for j in columns] for i in rows] for kernel in kernels]",
    ],
    takeaway="Right, and the meter agrees with the formulas: K·K·C multiplications for each output number, and one "
    "addition fewer. Padding zeros are among them.",
)
