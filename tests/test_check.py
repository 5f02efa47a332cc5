"""Each exercise meets wrong answers as learners write them, and right answers in several styles."""

from fractions import Fraction
from itertools import pairwise
from math import ceil, prod
from statistics import median, stdev

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import sem, ttest_rel

from convlab import check, cost_table, output_shape
from convlab.exercises.exercise import Exercise
from convlab.exercises.common import on_changed_layer
from convlab.networks.digits import small_network

EXERCISES = {name: value for name, value in vars(check).items() if isinstance(value, Exercise)}


def outputs(spec, input_shape):
    return prod(output_shape(spec, input_shape))


def out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


def products(spec):
    return spec.in_channels * spec.kernel_size[0] * spec.kernel_size[1]


def torch_conv(x, w, stride):
    return F.conv2d(x[None], w, stride=stride)[0]


def loops_conv(x, w, stride, flip=False, channels=None, transposed=False, mean=False):
    """A learner's convolution, with room for the learner's mistakes."""
    w = w.flip(2, 3) if flip else w
    (_, h, width), (filters, depth, kh, kw) = x.shape, w.shape
    out = np.zeros((filters, (h - kh) // stride + 1, (width - kw) // stride + 1))
    for m in range(filters):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                for c in range(channels or depth):
                    window = x[c, i * stride : i * stride + kh, j * stride : j * stride + kw]
                    out[m, i, j] += (window * w[m, c]).sum()
    if mean:
        out /= depth * kh * kw
    return out.transpose(0, 2, 1) if transposed else out


def mask_by_division(spec):
    m, c = np.arange(spec.out_channels), np.arange(spec.in_channels)
    return (m // (spec.out_channels // spec.groups))[:, None] == c // (spec.in_channels // spec.groups)


def seconds_of_calls(readings):
    return [after - before for before, after in pairwise([0, *readings])]


def ratios_by_round(seconds, macs, other_seconds, other_macs):
    return [(a / macs) / (b / other_macs) for a, b in zip(seconds, other_seconds)]


def mask_by_layer(spec):
    """What a grouped layer of ones does to one hot channels, found by running it."""
    weight = torch.ones(spec.out_channels, spec.in_channels // spec.groups, 1, 1)
    return F.conv2d(torch.eye(spec.in_channels)[:, :, None, None], weight, groups=spec.groups)[:, :, 0, 0].T > 0


def shuffle_by_index(x, groups):
    each = len(x) // groups
    return x[[group * each + n for n in range(each) for group in range(groups)]]


def merged_by_loops(d, p, multiplier, neighbours=True, join=np.multiply):
    d, p = np.asarray(d), np.asarray(p)
    channels = len(d) // multiplier
    merged = np.zeros((len(p), channels, *d.shape[2:]))
    for m in range(len(p)):
        for k in range(len(d)):
            merged[m, k // multiplier if neighbours else k % channels] += join(p[m, k], d[k, 0])
    return merged


def merged_by_probing(d, p, multiplier):
    """The kernel of the two layers in a row, read off their answers to single ones in a large image."""
    channels, side = len(d) // multiplier, d.shape[-1]
    probes = torch.zeros(channels, channels, 2 * side - 1, 2 * side - 1)
    probes[range(channels), range(channels), side - 1, side - 1] = 1
    return F.conv2d(F.conv2d(probes, d, groups=channels), p).flip(2, 3).transpose(0, 1)


WRONG_SIZES = [
    (lambda n, k, s, p, d: n + 2 * p - d * (k - 1), "stride is ignored"),
    (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1, "dilation is ignored"),
    (lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1, "padding is ignored"),
    (lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1, "padding is on one side"),
    (lambda n, k, s, p, d: (n - k + 2 * p) / (s + 1), "(W − F + 2P)/(S + 1)"),
    (lambda n, k, s, p, d: (n - k + 2 * p) // (s + 1), "(W − F + 2P)//(S + 1), or"),
    (lambda n, k, s, p, d: (n - (d * (k - 1) + 1) + 2 * p) // (s + 1), "(W − F + 2P)//(S + 1), F being the span"),
    (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s, "+ 1 is missing"),
    (lambda n, k, s, p, d: ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1, "rounds up"),
    (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1, "does not round"),
    (lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1, "spans d·(K − 1) + 1"),
    (lambda n, k, s, p, d: n // s, "has to fit inside"),
    (lambda n, k, s, p, d: (n + 2 * p - (k + d - 1)) // s + 1, "kernel + dilation − 1"),
    (lambda n, k, s, p, d: (n + 2 * p - (d * (k - 1) + 1) + 1) // s, "+ 1 is inside the division"),
    (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1, "span is one short"),
    (lambda n, k, s, p, d: n + 2 * p - d * (k - 1) - 1 // s + 1, "Brackets are missing"),
]


def in_a_layer(work, size=out_size, swap=(), square_output=False):
    """A learner's count: `work(spec)` for each output number, with the learner's own idea of the output's size."""

    def count(spec, x):
        pairs = {name: getattr(spec, name) for name in ("kernel_size", "stride", "padding", "dilation")}
        pairs = {name: pair[::-1] if name in swap else pair for name, pair in pairs.items()}
        high, wide = (size(n, *numbers) for n, *numbers in zip(x[2:], *pairs.values(), strict=True))
        return work(spec) * x[0] * spec.out_channels * high * (high if square_output else wide)

    return count


def with_first_numbers(spec, x, per_output):
    k, s, p, d = spec.kernel_size[0], spec.stride[0], spec.padding[0], spec.dilation[0]
    sizes = [out_size(n, k, s, p, d) for n in x[2:]]
    return per_output(k * k * spec.in_channels // spec.groups, spec.bias) * x[0] * spec.out_channels * prod(sizes)


def wrong_sizes(work):
    return [
        *((in_a_layer(work, size), phrase) for size, phrase in WRONG_SIZES),
        (in_a_layer(work, swap=["kernel_size"]), "Height and width of the kernel are swapped"),
        (in_a_layer(work, swap=["stride"]), "Height and width of the stride are swapped"),
        (in_a_layer(work, swap=["padding"]), "Height and width of the padding are swapped"),
        (in_a_layer(work, square_output=True), "output's height is used for its width"),
    ]


def exact_flops(spec):
    return 2 * products(spec) - 1 + spec.bias


def grouped_products(spec):
    return products(spec) // spec.groups


def exact_grouped_flops(spec):
    return 2 * grouped_products(spec) - 1 + spec.bias


def tools_said(spec, x, numbers):
    """A learner's three numbers, from the MACs and the bias additions."""
    return numbers(grouped_products(spec) * outputs(spec, x), outputs(spec, x) if spec.bias else 0)


def flops_of(spec, x):
    return (2 * grouped_products(spec) - 1 + spec.bias) * outputs(spec, x)


def transposed_taps(weight_shape, x, positions):
    """All weights, at each of so many positions of each image."""
    return prod(weight_shape) * x[0] * prod(positions)


def in_budget(weights):
    """A learner's loop over the widths of a bottleneck's middle, with the learner's own idea of its weights."""

    def count(channels, groups, budget):
        middle = groups
        while weights(channels, middle + groups, groups) <= budget:
            middle += groups
        return middle

    return count


def widest_by_root(channels, groups, budget):
    """Solve 9·n²/g + 2·C·n = budget for n, rounded down."""
    nine = 9 / groups
    return int(((channels**2 + nine * budget) ** 0.5 - channels) / nine + 1e-9)


def separable_macs_of(width):
    """The MACs of lesson 09's separable network: first and last layer, then blocks at 2·64 + 2·16 positions."""
    return 586 * width + 160 * (9 * width + width**2)


def separable_width(macs, extra=0):
    """A learner's loop over widths, with the learner's own idea of the MACs."""

    def widest(budget):
        width = 1
        while macs(width + 1) <= budget:
            width += 1
        return width + extra

    return widest


def widest_by_counting(budget):
    """A learner's loop with the package's own count."""
    width = 1
    while cost_table(small_network("separable", width + 1), (1, 1, 8, 8)).total.macs <= budget:
        width += 1
    return width


WRONG = {
    "filter_multiplications": [
        (121, "one channel"),
        (362, "additions"),
        (725, "multiplications and additions together"),
        (726, "twice the weights"),
        (25, "added"),
        (124, "added"),
        (33, "11 rows"),
        (364, "none of the usual mistakes"),
    ],
    "multiplications": [
        (lambda k, c, m, s: k * k * c * s * s, "number of filters is missing"),
        (lambda k, c, m, s: k * k * m * s * s, "input channels are missing"),
        (lambda k, c, m, s: k * c * m * s * s, "kernel is a square"),
        (lambda k, c, m, s: k * k * c * m * s, "output is a square"),
        (lambda k, c, m, s: k * k * c * m, "positions are missing"),
        (lambda k, c, m, s: k * k * c * m * (s + 1) ** 2, "one position more"),
        (lambda k, c, m, s: k * k * c * m * s * s + m * s * s, "A bias is in it"),
        (lambda k, c, m, s: k * c * m * s, "Kernel and output are squares"),
        (lambda k, c, m, s: 2 * k * k * c * m * s * s, "twice the multiplications"),
        (lambda k, c, m, s: k * k * c * m * (s - k + 1) ** 2, "the output's side already"),
    ],
    "output_size": [
        *WRONG_SIZES,
        (lambda n, k, s, p, d: float((n + 2 * p - d * (k - 1) - 1) // s + 1), "it is a float"),
        (lambda n, k, s, p, d: n / 0, "ZeroDivisionError"),
        (lambda n, k: n - k, "TypeError"),
    ],
    "conv2d": [
        (lambda x, w, s: loops_conv(x, w, 1), "stride is ignored"),
        (lambda x, w, s: loops_conv(x, w, s, flip=True), "flips the kernel"),
        (lambda x, w, s: loops_conv(x, w, s, channels=1), "first channel alone"),
        (lambda x, w, s: loops_conv(x, w[:1], s), "first filter alone"),
        (lambda x, w, s: loops_conv(x, w[:1], s)[0], "without the axis of filters"),
        (lambda x, w, s: F.conv2d(x[None], w, stride=s), "axis of images is still there"),
        (lambda x, w, s: loops_conv(x[-1:], w[:, -1:], s), "last channel alone"),
        (lambda x, w, s: loops_conv(x, w, s, transposed=True), "Height and width are swapped"),
        (lambda x, w, s: loops_conv(x, w, s, mean=True), "mean of the products"),
        (
            lambda x, w, s: loops_conv(x, w, 1)[
                :, : out_size(x.shape[1], w.shape[2], s), : out_size(x.shape[2], w.shape[3], s)
            ],
            "steps by the stride where the result is written",
        ),
        (
            lambda x, w, s: loops_conv(x, w, s)[:, : (x.shape[1] - w.shape[2]) // s, : (x.shape[2] - w.shape[3]) // s],
            "one row and one column short",
        ),
        (lambda x, w, s: loops_conv(x, w, s) + 1, "The shape is right. At (0, 0, 0) you have"),
        (lambda x, w, s: "a string", "none of the usual mistakes"),
    ],
    "missing_padding": [
        (0, "Without padding"),
        (1, "110×110"),
        (2, "111×111"),
        (4, "113×113"),
        (6, "both sides together"),
        (7, "size of the kernel"),
        (2.5, "whole number"),
        (True, "a bool"),
        ("3", "a str"),
    ],
    "param_count": [
        (lambda spec: products(spec) * spec.out_channels, "bias is forgotten"),
        (lambda spec: (products(spec) + 1) * spec.out_channels, "counted for every layer"),
        (lambda spec: products(spec) * spec.out_channels + (1 if spec.bias else 0), "one bias for the whole layer"),
        (
            lambda spec: products(spec) * spec.out_channels + spec.bias * spec.in_channels,
            "bias for each input channel",
        ),
        (
            lambda spec: (spec.kernel_size[0] ** 2 * spec.in_channels + spec.bias) * spec.out_channels,
            "height is used for both",
        ),
        (
            lambda spec: (spec.kernel_size[1] ** 2 * spec.in_channels + spec.bias) * spec.out_channels,
            "width is used for both",
        ),
        (lambda spec: products(spec) + spec.bias, "one filter"),
        (
            lambda spec: (spec.kernel_size[0] * spec.kernel_size[1] + spec.bias) * spec.out_channels,
            "input channels are missing",
        ),
        (2178, "Wanted a function"),
    ],
    "flop_count": [
        (lambda spec, x: products(spec) * outputs(spec, x), "Those are MACs"),
        (lambda spec, x: (products(spec) - 1 + spec.bias) * outputs(spec, x), "additions alone"),
        (lambda spec, x: 2 * products(spec) * outputs(spec, x), "2n for each output number even without bias"),
        (lambda spec, x: (2 * products(spec) - 1) * outputs(spec, x), "bias is forgotten"),
        (lambda spec, x: (2 * products(spec) + 1) * outputs(spec, x), "2n + 1 for each output number"),
        (lambda spec, x: (2 * products(spec) + spec.bias) * outputs(spec, x), "the −1 is missing"),
        (lambda spec, x: (2 * products(spec) - spec.bias) * outputs(spec, x), "−1 is on the wrong side"),
        (
            lambda spec, x: (2 * products(spec) // spec.in_channels - 1 + spec.bias) * outputs(spec, x),
            "input channels are missing",
        ),
        (
            lambda spec, x: (2 * products(spec) - 1 + spec.bias) * outputs(spec, x) // spec.out_channels,
            "That is one filter",
        ),
        (
            lambda spec, x: (2 * spec.in_channels * spec.kernel_size[0] ** 2 - 1 + spec.bias) * outputs(spec, x),
            "height is used for both",
        ),
        (
            lambda spec, x: (2 * products(spec) - 1) * outputs(spec, x) + spec.bias * spec.out_channels,
            "once for each filter",
        ),
        (
            lambda spec, x: (2 * products(spec) - 1 + spec.bias) * spec.out_channels * x[0] * x[2] * x[3],
            "positions of the input. ",
        ),
        (
            lambda spec, x: (2 * products(spec) - 1 + spec.bias) * spec.out_channels * x[2] * x[3],
            "and the batch is forgotten",
        ),
        (
            lambda spec, x: (2 * products(spec) - 1 + spec.bias) * outputs(spec, x) // x[0],
            "batch is forgotten",
        ),
        *wrong_sizes(exact_flops),
        (
            lambda spec, x: with_first_numbers(spec, x, lambda n, bias: 2 * n - 1 + bias),
            "first number of each pair",
        ),
    ],
    "linear_flops": [
        (4_096_000, "MACs"),
        (8_191_000, "without bias"),
        (4_097_000, "parameters"),
        (8_193_000, "−1 is missing"),
        (8192, "one of the 1,000"),
        (8_194_000, "twice the parameters"),
    ],
    "mac_count": [
        (lambda spec, x: products(spec) * outputs(spec, x), "groups are ignored"),
        (lambda spec, x: products(spec) * outputs(spec, x) // spec.groups**2, "groups are applied twice"),
        (
            lambda spec, x: (
                spec.in_channels // spec.groups**2 * spec.kernel_size[0] * spec.kernel_size[1] * outputs(spec, x)
            ),
            "divides the channels by g²",
        ),
        (lambda spec, x: products(spec) * outputs(spec, x) * spec.groups, "multiplies by the groups"),
        (
            lambda spec, x: (2 * products(spec) // spec.groups - 1 + spec.bias) * outputs(spec, x),
            "Those are FLOPs",
        ),
        (lambda spec, x: products(spec) // spec.groups * outputs(spec, x) // x[0], "batch is forgotten"),
        *wrong_sizes(grouped_products),
        (lambda spec, x: with_first_numbers(spec, x, lambda n, bias: n), "first number of each pair"),
        (lambda spec, x: products(spec) * spec.out_channels // spec.groups, "Those are the weights"),
        (lambda spec, x: products(spec) / spec.groups * outputs(spec, x), "it is a float"),
        (
            lambda spec, x: products(spec) // spec.groups * spec.out_channels * x[0] * x[2] * x[3],
            "positions of the input",
        ),
        (
            lambda spec, x: products(spec) * spec.out_channels // spec.groups * outputs(spec, x),
            "all weights by all output numbers",
        ),
        (
            lambda spec, x: spec.in_channels * spec.kernel_size[0] ** 2 // spec.groups * outputs(spec, x),
            "height is used for both",
        ),
    ],
    "weight_mask": [
        (lambda spec: np.ones((spec.out_channels, spec.in_channels), bool), "groups are ignored"),
        (lambda spec: mask_by_division(spec).T, "Rows and columns are swapped"),
        (
            lambda spec: [
                [m % spec.groups == c % spec.groups for c in range(spec.in_channels)] for m in range(spec.out_channels)
            ],
            "deals the channels out in turn",
        ),
        (
            lambda spec: [
                [m // spec.groups == c // spec.groups for c in range(spec.in_channels)]
                for m in range(spec.out_channels)
            ],
            "That divides by g",
        ),
        (lambda spec: np.logical_not(mask_by_division(spec)), "the opposite"),
        (lambda spec: np.eye(spec.out_channels, spec.in_channels), "a diagonal"),
    ],
    "channel_shuffle": [
        (lambda x, groups: x, "Nothing has moved"),
        (lambda x, groups: shuffle_by_index(x, len(x) // groups), "cut the wrong way round"),
        (lambda x, groups: np.asarray(x)[::-1].copy(), "That turns the order round"),
        (lambda x, groups: np.concatenate([x[-(len(x) // groups) :], x[: -(len(x) // groups)]]), "moves whole groups"),
    ],
    "separable_saving": [
        (lambda m, k, factor: factor * (1 / m + 1 / k**2), "the inverse, separable over standard. "),
        (lambda m, k, factor: k**2 * m / (k**2 + m), "The multiplier is ignored"),
        (lambda m, k, factor: 1 / m + 1 / k**2, "separable over standard, and the multiplier"),
        (lambda m, k, factor: factor * k**2 * m / (k**2 + m), "multiplies by the multiplier"),
        (lambda m, k, factor: k**2 * m / (factor * k**2 + m), "in the depthwise step alone"),
        (lambda m, k, factor: k**2 * m / (k**2 + factor * m), "in the pointwise step alone"),
        (lambda m, k, factor: m / (factor * (k**2 + m)), "a factor K² is lost"),
        (lambda m, k, factor: m / (k**2 + m), "a factor K² is lost"),
        (lambda m, k, factor: factor * k**2 * m / (factor * (k**2 + factor * m)), "M was taken as m·M"),
        (lambda m, k, factor: round(k**2 * m / (factor * (k**2 + m)), 2), "Do not round"),
        (lambda m, k, factor: k**2, "the ceiling K²."),
        (lambda m, k, factor: k**2 / factor, "the ceiling K²/m"),
        (lambda m, k, factor: 1 / (factor * (1 / m + 1 / k)), "kernel is a square"),
        (lambda m, k, factor: (k**2 + m) / factor, "adds the savings"),
    ],
    "separable_macs": [
        (2_196_150, "depthwise step alone"),
        (108_900, "pointwise step alone"),
        (1_152_525, "depth multiplier 1"),
        (2_250_600, "counted with 3 inputs"),
        (1_206_975, "two for each channel"),
        (6_697_350, "counted on all 3 channels"),
        (6_588_450, "standard layer"),
        (4_610_100, "FLOPs"),
        (762, "weights"),
        (4_573_800, "exact FLOPs without bias"),
        ((726 + 36) * 217 * 217, "stride is ignored"),
        (726 * 217 * 217 + 36 * 55 * 55, "stride is in the pointwise step"),
    ],
    "merged_kernel": [
        (lambda d, p, m: merged_by_loops(d, p, 1), "multiplier is ignored"),
        (lambda d, p, m: merged_by_loops(d, p, len(d)), "That sums over the input channels too"),
        (lambda d, p, m: merged_by_loops(d, p, len(d))[:, 0], "drops their axis"),
        (lambda d, p, m: merged_by_loops(d, p, m, neighbours=False), "are neighbours"),
        (lambda d, p, m: merged_by_loops(d, p, m).swapaxes(0, 1), "first two axes are swapped"),
        (lambda d, p, m: merged_by_loops(d, p, m, join=np.add), "sum of the two weights"),
        (lambda d, p, m: merged_by_loops(d, np.ones_like(p), m), "leaves out the weights of the pointwise step"),
        (lambda d, p, m: merged_by_loops(d, p, m) / m, "the mean over"),
    ],
    "tool_numbers": [
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (2 * macs, 2 * macs, macs + b)),
            "first number is 2 × MACs",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (flops_of(spec, x), 2 * macs, macs + b)),
            "first number is in exact FLOPs",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, flops_of(spec, x), macs + b)),
            "second number is in exact FLOPs",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: [macs, 2 * macs + b, macs + b]),
            "bias is in the second number",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * (macs + b), macs + b)),
            "second number is twice the third",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (macs + b, 2 * macs, macs + b)),
            "bias is in the first number",
        ),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (2 * macs, macs, macs + b)), "are swapped"),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs)), "bias is not in the third"),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs + outputs(spec, x))),
            "a bias for every layer",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs + spec.bias * spec.out_channels)),
            "adds the biases once each",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs + b // spec.out_channels)),
            "one bias for each position",
        ),
        (
            lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs + b // x[0])),
            "bias additions of one image",
        ),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, 2 * macs + b)), "add them to the MACs"),
        (
            lambda spec, x: tools_said(spec, (1, *x[1:]), lambda macs, b: (macs, 2 * macs, macs + b)),
            "batch is forgotten",
        ),
        (lambda spec, x: grouped_products(spec) * outputs(spec, x), "none of the usual mistakes"),
    ],
    "transposed_macs": [
        (lambda w, s, x: transposed_taps(w, x, [(n - 1) * s + k for n, k in zip(x[2:], w[2:])]), "as thop does"),
        (lambda w, s, x: w[0] * w[1] * w[2] * w[3] * x[0] * x[2] * x[3] * s * s, "stride² too many"),
        (lambda w, s, x: prod(x) * w[1] * w[2] * w[3] // (s * s), "divides by stride²"),
        (lambda w, s, x: transposed_taps(w, x, [out_size(n, k, s) for n, k in zip(x[2:], w[2:])]), "plain convolution"),
        (lambda w, s, x: x[1] * x[2] * x[3] * w[1] * w[2] * w[3], "batch is forgotten"),
        (lambda w, s, x: prod(w) * prod(x), "by all weights"),
        (lambda w, s, x: x[0] * x[2] * x[3] * prod(w[1:]), "input channels are missing"),
        (lambda w, s, x: prod(x) * w[2] * w[3], "output channels are missing"),
        (lambda w, s, x: 2 * prod(x) * prod(w[1:]), "FLOPs"),
        (lambda w, s, x: prod(x) * w[1] * w[2] * w[2], "height is used for both"),
        (lambda w, s, x: torch.zeros(w).numel(), "Those are the weights"),
    ],
    "macs_behind": [
        (lambda printed, numbers: printed, "the printed number"),
        (lambda printed, numbers: printed // 2, "still in it"),
        (lambda printed, numbers: (printed - 4 * numbers) // 2, "Halve first"),
        (lambda printed, numbers: printed - 2 * 4 * numbers, "and keeps the double"),
        (lambda printed, numbers: printed - 4 * numbers, "away once, and keeps the double"),
        (lambda printed, numbers: printed // 2 - 8 * numbers, "8 operations"),
        (lambda printed, numbers: printed // 2 - numbers, "1 operation "),
        (lambda printed, numbers: printed // 2 - 2 * numbers, "Halve first"),
        (lambda printed, numbers: (printed // 2 - 4 * numbers) // 2, "halves once more"),
        (lambda printed, numbers: printed * 2 - 4 * numbers, "That doubles"),
        (lambda printed, numbers: printed / 2 - 4 * numbers, "it is a float"),
    ],
    "remaining_share": [
        (lambda m, k, a, r: (k**2 + m) / (r**2 * a * (k**2 + a * m)), "the inverse"),
        (lambda m, k, a, r: a**2 * r**2, "only the pointwise step shrinks by width²"),
        (lambda m, k, a, r: a * r**2, "That is width·resolution²"),
        (lambda m, k, a, r: r**2 * (k**2 + a**2 * m) / (k**2 + m), "keeps all its channels"),
        (lambda m, k, a, r: r**2 * a * (a * k**2 + m) / (k**2 + m), "two steps are swapped"),
        (lambda m, k, a, r: r**2, "width multiplier is ignored"),
        (lambda m, k, a, r: a * (k**2 + a * m) / (k**2 + m), "resolution multiplier is ignored"),
        (lambda m, k, a, r: r * a * (k**2 + a * m) / (k**2 + m), "not squared"),
        (lambda m, k, a, r: (r**2 * a * k**2 + a**2 * m) / (k**2 + m), "in the depthwise step alone"),
        (lambda m, k, a, r: (a * k**2 + r**2 * a**2 * m) / (k**2 + m), "in the pointwise step alone"),
        (lambda m, k, a, r: r**2 * a * (k + a * m) / (k + m), "kernel is a square"),
        (lambda m, k, a, r: r**2 * a**2 * m / (k**2 + m), "leaves out the depthwise step"),
        (lambda m, k, a, r: r**2 * (1 / (a * m) + 1 / k**2) / (1 / m + 1 / k**2), "law of lesson 04"),
        (lambda m, k, a, r: round(r**2 * a * (k**2 + a * m) / (k**2 + m), 3), "Do not round"),
    ],
    "widest_middle": [
        (in_budget(lambda c, n, g: 2 * c * n + 9 * n * n), "groups are ignored"),
        (in_budget(lambda c, n, g: (2 * c * n + 9 * n * n) / g), "1×1 layers are grouped too"),
        (in_budget(lambda c, n, g: c * n + 9 * n * n / g), "one 1×1 layer"),
        (in_budget(lambda c, n, g: 2 * c * n + 3 * n * n / g), "9 weights for each channel"),
        (in_budget(lambda c, n, g: 2 * c * n + n * n / g), "3×3 kernels as 1×1"),
        (in_budget(lambda c, n, g: 2 * c * n + 9 * n * n / g**2), "divided by g twice"),
        (lambda c, g, budget: budget // (2 * c) // g * g, "leaves out the 3×3 layer"),
        (lambda c, g, budget: widest_by_root(c, g, budget), "does not divide by g"),
        (lambda c, g, budget: widest_by_root(c, g, budget) // g * g + g, "over the budget"),
        (lambda c, g, budget: widest_by_root(c, g, budget - 1) // g * g, "To meet it exactly"),
        (lambda c, g, budget: widest_by_root(c, g, budget) // g, "channels in one group"),
    ],
    "slim_vgg": [
        (14_714_688, "convolutions alone"),
        (15_226_688, "biases of the new linear layer are missing"),
        (513_000, "new linear layer alone"),
        (39_803_688, "without the average"),
        (18_811_688, "keeps fc8"),
        (35_593_000, "takes fc6 away"),
        (37_694_248, "keeps three linear layers"),
        (123_642_856, "parameters that go"),
        (138_870_544, "new layer added"),
    ],
    "grouped_flops": [
        (
            lambda spec, x: (2 * grouped_products(spec) + 1) * outputs(spec, x) * spec.groups // spec.out_channels,
            "That is the printed function",
        ),
        (lambda spec, x: (2 * grouped_products(spec) + 1) * outputs(spec, x), "the + 1 is still there"),
        (
            lambda spec, x: exact_grouped_flops(spec) * outputs(spec, x) * spec.groups // spec.out_channels,
            "that gives one filter",
        ),
        (lambda spec, x: 2 * grouped_products(spec) * outputs(spec, x), "2n for each output number even without bias"),
        (lambda spec, x: (2 * grouped_products(spec) - 1) * outputs(spec, x), "bias is forgotten"),
        (lambda spec, x: (2 * grouped_products(spec) + spec.bias) * outputs(spec, x), "the −1 is missing"),
        (lambda spec, x: grouped_products(spec) * outputs(spec, x), "Those are MACs"),
        (lambda spec, x: exact_grouped_flops(spec) * outputs(spec, x) // spec.groups, "That is one group"),
        (lambda spec, x: exact_grouped_flops(spec) * outputs(spec, x) * spec.groups, "multiplies by M and by g"),
        (lambda spec, x: exact_flops(spec) * outputs(spec, x), "groups are ignored"),
        (lambda spec, x: exact_flops(spec) * outputs(spec, x) // spec.groups, "divides the FLOPs without groups by g"),
        (lambda spec, x: exact_grouped_flops(spec) * outputs(spec, x) // x[0], "batch is forgotten"),
        (
            lambda spec, x: exact_grouped_flops(spec) * spec.out_channels * x[0] * x[2] * x[3],
            "positions of the input",
        ),
        (lambda spec, x: float(exact_grouped_flops(spec) * outputs(spec, x)), "it is a float"),
        *wrong_sizes(exact_grouped_flops),
        (
            lambda spec, x: with_first_numbers(spec, x, lambda n, bias: 2 * n - 1 + bias),
            "first number of each pair",
        ),
    ],
    "grouped_saving": [
        (lambda k, m, g: g / (1 / m + 1 / k**2), "That is the printed formula"),
        (lambda k, m, g: 1 / (1 / m + 1 / k**2), "That is without groups"),
        (lambda k, m, g: 1 / m + 1 / (g * k**2), "the inverse"),
        (lambda k, m, g: 1 / (k**2 / m + 1 / g), "A factor K² is lost"),
        (lambda k, m, g: 1 / (1 / (m * g) + 1 / k**2), "divides the depthwise step by g"),
        (lambda k, m, g: 1 / (1 / m + g / k**2), "g times dearer"),
        (lambda k, m, g: 1 / (g / m + g / k**2), "divides the saving by g"),
        (lambda k, m, g: 1 / (1 / m + 1 / (g * k)), "K² in place of K"),
        (lambda k, m, g: m, "the depthwise step alone"),
        (lambda k, m, g: k * k * g, "the pointwise step alone"),
        (lambda k, m, g: m + k * k * g, "Their shares add up"),
        (lambda k, m, g: round(k * k * m / (k * k + m / g), 1), "Do not round"),
    ],
    "verified_macs": [
        (72_000, "what both print"),
        (71_280, "FLOPs without bias"),
        (18_000, "halved twice"),
        (144_000, "groups are ignored"),
        (9_000, "groups are applied twice"),
        (136_800, "stride is ignored"),
        (36_720, "additions of the bias"),
        (220_800, "positions of the input"),
        (600, "Those are the weights"),
        (612, "Those are the parameters"),
        (3_000, "one filter"),
    ],
    "median_call_seconds": [
        (lambda readings, warm_up: sum(readings[warm_up:]) / len(readings[warm_up:]), "mean of the readings"),
        (lambda readings, warm_up: np.mean(readings), "mean of all readings"),
        (lambda readings, warm_up: median(readings[warm_up:]), "That is the median of the readings"),
        (lambda readings, warm_up: median(readings), "median of all readings"),
        (lambda readings, warm_up: median(seconds_of_calls(readings)), "The warm-up is in it"),
        (lambda readings, warm_up: np.median(np.diff(readings[warm_up:])), "One call too many"),
        (lambda readings, warm_up: median(seconds_of_calls(readings[warm_up:])), "cut off before"),
        (lambda readings, warm_up: np.mean(seconds_of_calls(readings)[warm_up:]), "mean of the calls"),
        (lambda readings, warm_up: max(readings) / len(readings), "all the time over the number of calls"),
        (lambda readings, warm_up: median(seconds_of_calls(readings)[warm_up:]) * 1000, "in milliseconds"),
        (lambda readings, warm_up: seconds_of_calls(readings)[warm_up:], "the times of all calls"),
        (lambda readings, warm_up: sorted(seconds_of_calls(readings)[warm_up:])[0], "the shortest call"),
    ],
    "attainable_macs_per_second": [
        (lambda macs, size, peak, bandwidth: max(bandwidth / size * macs, peak), "the larger of the two"),
        (lambda macs, size, peak, bandwidth: peak, "the processor's limit alone"),
        (lambda macs, size, peak, bandwidth: bandwidth / size * macs, "the memory's limit alone"),
        (lambda macs, size, peak, bandwidth: min(bandwidth, peak), "has to be multiplied by MACs per byte"),
        (lambda macs, size, peak, bandwidth: min(bandwidth / (macs / size), peak), "bytes per MAC"),
        (lambda macs, size, peak, bandwidth: min(bandwidth / size, peak), "calls per second"),
        (lambda macs, size, peak, bandwidth: min(2 * macs * bandwidth / size, peak), "2 FLOPs for each MAC"),
        (lambda macs, size, peak, bandwidth: 1 / (1 / peak + size / macs / bandwidth), "adds the time"),
        (lambda macs, size, peak, bandwidth: max(size / bandwidth, macs / peak), "the least time of a call"),
        (lambda macs, size, peak, bandwidth: macs / size * bandwidth + peak, "adds the two limits"),
    ],
    "slowdown_per_mac": [
        (lambda s, macs, o, other: (median(s) / macs) / (median(o) / other), "ratio of two medians"),
        (lambda s, macs, o, other: np.mean(ratios_by_round(s, macs, o, other)), "a mean over the rounds"),
        (lambda s, macs, o, other: (sum(s) / macs) / (sum(o) / other), "ratio of two means"),
        (lambda s, macs, o, other: median(a / b for a, b in zip(s, o)), "the times alone"),
        (lambda s, macs, o, other: median(a * macs / (b * other) for a, b in zip(s, o)), "the wrong way round"),
        (lambda s, macs, o, other: median(ratios_by_round(o, other, s, macs)), "That is the inverse"),
        (lambda s, macs, o, other: median(b / a * other / macs for a, b in zip(s, o)), "The times are inverted"),
        (lambda s, macs, o, other: list(ratios_by_round(s, macs, o, other)), "one ratio for each round"),
        (lambda s, macs, o, other: median(a / macs for a in s), "the first layer alone"),
        (lambda s, macs, o, other: median(a / macs - b / other for a, b in zip(s, o)), "difference of the times"),
    ],
    "standard_error": [
        (lambda a, b: np.subtract(a, b).std(ddof=1) / len(a) ** 0.5, "That is a share"),
        (lambda a, b: np.subtract(a, b).std() / len(a) ** 0.5, "That is a share, and divided by n"),
        (lambda a, b: 100 * np.subtract(a, b).std(), "and then by √n"),
        (lambda a, b: np.diff(ttest_rel(a, b).confidence_interval(0.95))[0] * 50, "Leave t out"),
        (lambda a, b: 100 * np.subtract(a, b).std(ddof=1), "Divide it by √n"),
        (lambda a, b: 100 * np.subtract(a, b).std(ddof=1) / len(a), "divides by n. "),
        (lambda a, b: 100 * np.std(np.subtract(a, b)) / len(a) ** 0.5, "as NumPy does by default"),
        (lambda a, b: 100 * np.subtract(a, b).std(ddof=1) / (len(a) - 1) ** 0.5, "divides by √(n − 1)"),
        (lambda a, b: 100 * ((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(a)) ** 0.5, "not paired"),
        (lambda a, b: 100 * (np.std(a, ddof=1) - np.std(b, ddof=1)) / len(a) ** 0.5, "subtracts the spreads"),
        (lambda a, b: 100 * np.std(a, ddof=1) / len(a) ** 0.5, "first network alone"),
        (lambda a, b: 1e4 * np.subtract(a, b).var(ddof=1) / len(a), "That is the variance"),
        (lambda a, b: 100 * (np.mean(a) - np.mean(b)), "mean difference itself"),
        (lambda a, b: 100 * abs(np.subtract(a, b)).std(ddof=1) / len(a) ** 0.5, "absolute values"),
        (lambda a, b: 100 * (max(a) - max(b)), "two best runs"),
        (lambda a, b: round(100 * np.subtract(a, b).std(ddof=1) / len(a) ** 0.5, 3), "Do not round"),
    ],
    "widest_separable": [
        (separable_width(separable_macs_of, extra=1), "one channel too many"),
        (separable_width(separable_macs_of, extra=-1), "one channel too few"),
        (separable_width(lambda w: separable_macs_of(w) + 1), "To meet it exactly"),
        (separable_width(lambda w: 586 * w + 160 * 9 * w * w), "width of the standard network"),
        (separable_width(lambda w: 65 * w + 4 * w * w + 10), "parameters within the budget"),
        (separable_width(lambda w: separable_macs_of(w) - 160 * 9 * w), "depthwise steps are missing"),
        (separable_width(lambda w: separable_macs_of(w) - 160 * w * w), "pointwise steps are missing"),
        (separable_width(lambda w: separable_macs_of(w) - 576 * w), "first layer is missing"),
        (separable_width(lambda w: 586 * w + 256 * (9 * w + w * w)), "All blocks are on 64 positions"),
        (separable_width(lambda w: 586 * w + 192 * (9 * w + w * w)), "both sides are halved"),
        (separable_width(lambda w: 586 * w + 80 * (9 * w + w * w)), "two of each"),
        (lambda budget: budget * 8 // 26_448, "scales the width as the MACs"),
        (lambda budget: int(8 * (budget / 26_448) ** 0.5), "all MACs to grow with width²"),
    ],
    "seeds_needed": [
        (lambda s, d: int((2 * s / d) ** 2), "rounds down"),
        (lambda s, d: 4 * s * s / d / d, "does not round"),
        (lambda s, d: ceil(2 * s / d), "root is gone"),
        (lambda s, d: ceil((s / d) ** 2), "The 2 is missing"),
        (lambda s, d: ceil(2 * (s / d) ** 2), "2 has to be squared"),
        (lambda s, d: ceil((s / (d / 4)) ** 2), "as the whole width"),
        (lambda s, d: ceil((2 * d / s) ** 2), "have changed places"),
        (lambda s, d: ceil((2 * s / d) ** 2) + 1, "one seed too many"),
    ],
}

RIGHT = {
    "filter_multiplications": [363, np.int64(363), 363.0, torch.tensor(363), Fraction(363)],
    "multiplications": [
        lambda kernel, channels, filters, size: kernel**2 * channels * filters * size**2,
        lambda k, c, m, s: np.prod([k, k, c, m, s, s]),
        lambda k, c, m, s: sum(k * k * c for _ in range(m * s * s)),
    ],
    "output_size": [
        out_size,
        lambda n, k, s, p, d: len(range(0, n + 2 * p - d * (k - 1), s)),
        lambda n, k, s, p, d: int((n + 2 * p - d * (k - 1) - 1) / s) + 1,
        lambda n, k, s, p, d: F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), None, s, p, d).shape[-1],
    ],
    "conv2d": [
        loops_conv,
        torch_conv,
        lambda x, w, s: torch_conv(x, w, s).tolist(),
        lambda x, w, s: torch_conv(x, w, s).float().requires_grad_(),
    ],
    "missing_padding": [3, 3.0, np.int32(3)],
    "param_count": [
        lambda spec: products(spec) * spec.out_channels + (spec.out_channels if spec.bias else 0),
        lambda spec: np.prod(spec.weight_shape) + spec.bias * spec.out_channels,
        lambda spec: torch.zeros(spec.weight_shape).numel() + torch.zeros(spec.out_channels).numel() * spec.bias,
    ],
    "flop_count": [
        lambda spec, x: outputs(spec, x) * (2 * products(spec) - (not spec.bias)),
        lambda spec, x: 2 * products(spec) * outputs(spec, x) - (0 if spec.bias else outputs(spec, x)),
    ],
    "linear_flops": [8_192_000, 2 * 4096 * 1000.0],
    "mac_count": [
        lambda spec, x: prod(spec.weight_shape[1:]) * outputs(spec, x),
        lambda spec, x: products(spec) * outputs(spec, x) // spec.groups,
    ],
    "weight_mask": [
        mask_by_division,
        mask_by_layer,
        lambda spec: mask_by_division(spec).astype(int),
        lambda spec: mask_by_division(spec).tolist(),
    ],
    "channel_shuffle": [
        shuffle_by_index,
        lambda x, groups: torch.nn.ChannelShuffle(groups)(x[None])[0],
        lambda x, groups: np.concatenate([x[n :: len(x) // groups] for n in range(len(x) // groups)]),
    ],
    "separable_saving": [
        lambda m, k, factor: k**2 * m / factor / (k**2 + m),
        lambda m, k, factor: Fraction(k**2 * m, factor * (k**2 + m)),
        lambda m, k, factor: 1 / (factor / m + factor / k**2),
    ],
    "separable_macs": [2_305_050, 55 * 55 * (6 * 121 + 36)],
    "merged_kernel": [
        merged_by_loops,
        lambda d, p, m: torch.einsum("cjuv,mcj->mcuv", d.reshape(-1, m, *d.shape[2:]), p.reshape(len(p), -1, m)),
        lambda d, p, m: np.asarray(p * d.transpose(0, 1)).reshape(len(p), -1, m, *d.shape[2:]).sum(2).tolist(),
        merged_by_probing,
    ],
    "tool_numbers": [
        lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs + b)),
        lambda spec, x: tools_said(spec, x, lambda macs, b: np.array([macs, 2 * macs, macs + b])),
        lambda spec, x: [m := grouped_products(spec) * outputs(spec, x), m + m, m + spec.bias * outputs(spec, x)],
    ],
    "transposed_macs": [
        lambda w, s, x: prod(x) * w[1] * w[2] * w[3],
        lambda w, s, x: x[0] * prod(w) * x[2] * x[3],
        lambda w, s, x: int(F.conv_transpose2d(torch.ones(x), torch.ones(w), stride=s).sum()),
    ],
    "macs_behind": [
        lambda printed, numbers: (printed - 8 * numbers) // 2,
        lambda printed, numbers: int(printed / 2) - 4 * numbers,
    ],
    "remaining_share": [
        lambda m, k, a, r: r**2 * a * (k**2 + a * m) / (k**2 + m),
        lambda m, k, a, r: r * r * (1 / m * a + a * a / k**2) / (1 / m + 1 / k**2),
        lambda m, k, a, r: Fraction(r**2 * a * (k**2 + a * m) / (k**2 + m)),
    ],
    "widest_middle": [
        in_budget(lambda c, n, g: 2 * c * n + 9 * n * n // g),
        lambda c, g, budget: widest_by_root(c, g, budget) // g * g,
        lambda c, g, budget: max(n for n in range(g, 999, g) if 2 * c * n + 9 * n * n // g <= budget),
    ],
    "slim_vgg": [15_227_688, 138_357_544 - 123_642_856 + 513_000],
    "grouped_flops": [
        lambda spec, x: outputs(spec, x) * (2 * prod(spec.weight_shape[1:]) - 1 + spec.bias),
        lambda spec, x: (outputs(spec, x) // spec.groups) * exact_grouped_flops(spec) * spec.groups,
        lambda spec, x: 2 * grouped_products(spec) * outputs(spec, x) - (0 if spec.bias else outputs(spec, x)),
    ],
    "grouped_saving": [
        lambda k, m, g: k**2 * m / (k**2 + m / g),
        lambda k, m, g: Fraction(k**2 * m * g, g * k**2 + m),
        lambda k, m, g: 1 / (1 / m + 1 / (g * k**2)),
    ],
    "verified_macs": [36_000, 720 * 2 * 5 * 5, 72_000 / 2],
    "median_call_seconds": [
        lambda readings, warm_up: np.median(np.diff(readings, prepend=0)[warm_up:]),
        lambda readings, warm_up: median(seconds_of_calls(readings)[warm_up:]),
        lambda readings, warm_up: torch.tensor(seconds_of_calls(readings)[warm_up:]).quantile(0.5),
    ],
    "attainable_macs_per_second": [
        lambda macs, size, peak, bandwidth: min(peak, bandwidth * macs / size),
        lambda macs, size, peak, bandwidth: macs / max(macs / peak, size / bandwidth),
    ],
    "slowdown_per_mac": [
        lambda s, macs, o, other: np.median(np.divide(s, o)) * other / macs,
        lambda s, macs, o, other: median(ratios_by_round(s, macs, o, other)),
    ],
    "standard_error": [
        lambda a, b: 100 * np.subtract(a, b).std(ddof=1) / len(a) ** 0.5,
        lambda a, b: stdev(100 * (x - y) for x, y in zip(a, b)) / len(a) ** 0.5,
        lambda a, b: 100 * (torch.tensor(a) - torch.tensor(b)).std() / len(a) ** 0.5,
        lambda a, b: 100 * sem(a - b),
    ],
    "widest_separable": [
        separable_width(separable_macs_of),
        widest_by_counting,
        lambda budget: int(((2026**2 + 4 * 160 * budget) ** 0.5 - 2026) / 320 + 1e-9),
    ],
    "seeds_needed": [
        lambda s, d: ceil((2 * s / d) ** 2),
        lambda s, d: np.ceil((2 * s / d) ** 2),
        lambda s, d: next(n for n in range(1, 999) if 2 * s / n**0.5 <= d),
    ],
}


def cases(table):
    return [
        pytest.param(name, answer, id=f"{name}-{n}")
        for name, answers in table.items()
        for n, answer in enumerate(answers)
    ]


def test_every_exercise_has_wrong_and_right_answers_here():
    assert set(EXERCISES) == set(WRONG) == set(RIGHT)


@pytest.mark.parametrize(("name", "answer"), cases(WRONG))
def test_a_wrong_answer_is_told_why(name, answer):
    given, phrase = answer
    reply = EXERCISES[name](given)
    assert reply.outcome == "wrong"
    assert phrase in reply.message


@pytest.mark.parametrize(("name", "answer"), cases(RIGHT))
def test_a_right_answer_is_accepted_in_several_styles(name, answer):
    reply = EXERCISES[name](answer)
    assert reply.outcome == "right", reply
    assert reply.message == EXERCISES[name].takeaway


@pytest.mark.parametrize("name", EXERCISES)
def test_every_mistake_that_is_known_has_a_wrong_answer_here(name):
    told = [EXERCISES[name](given).message for given, _ in WRONG[name]]
    untested = [mistake.why for mistake in EXERCISES[name].mistakes if not any(mistake.why in reply for reply in told)]
    assert untested == []


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_says_not_yet_to_an_empty_answer(name):
    empty = [None, ...]
    if EXERCISES[name].cases != ((),):
        empty += [lambda *arguments: None, lambda *arguments: ...]
    assert {EXERCISES[name](answer).outcome for answer in empty} == {"not yet"}


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_hints_and_the_hints_come_one_by_one(name):
    exercise = EXERCISES[name]
    assert len(exercise.hints) >= 2
    assert f"1 to {len(exercise.hints)}." in exercise.hint().message
    assert [exercise.hint(n + 1).message for n in range(len(exercise.hints))] == exercise.hints


@pytest.mark.parametrize("name", [name for name, exercise in EXERCISES.items() if exercise.cases == ((),)])
def test_no_hint_but_the_last_gives_a_number_answer_away(name):
    exercise = EXERCISES[name]
    answer = f"{exercise.target():,}"
    assert not any(answer in hint.rstrip(".").split() for hint in exercise.hints[:-1])


@pytest.mark.parametrize("name", ["flop_count", "mac_count"])
def test_a_count_that_ignores_a_pair_of_a_layer_is_not_right(name):
    for field in ("stride", "padding", "dilation", "kernel_size"):
        answer = on_changed_layer(EXERCISES[name].target, **{field: 1})
        assert EXERCISES[name](answer).outcome == "wrong", field


@pytest.mark.parametrize("name", EXERCISES)
def test_no_two_mistakes_of_an_exercise_give_the_same_results(name):
    exercise = EXERCISES[name]

    def results(function):
        return repr([np.asarray(function(*case), float).round(9).tolist() for case in exercise.cases])

    made = [results(function) for function in (exercise.target, *(mistake.makes for mistake in exercise.mistakes))]
    assert len(set(made)) == len(made)
