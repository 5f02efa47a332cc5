"""Each exercise meets wrong answers as learners write them, and right answers in several styles."""

import csv
import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, prod
from pathlib import Path
from statistics import median, stdev

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import sem, ttest_rel

from convlab import ConvSpec, addition_count, check, cost_table, flop_count, mac_count, output_shape, param_count
from convlab.audit.claim import VERDICTS
from convlab.exercises.common import on_changed_layer
from convlab.exercises.exercise import Exercise
from convlab.exercises.lesson_06 import RESNET_50, RESNET_50_MACS
from convlab.measuring.recordings import recorded_file
from convlab.networks.digits import small_network
from convlab.networks.papers import resnet50

EXERCISES = {name: value for name, value in vars(check).items() if isinstance(value, Exercise)}
every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)


def is_number(exercise):
    return exercise.cases == ((),)


def outputs(spec, input_shape):
    return prod(output_shape(spec, input_shape))


def out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


def products(spec):
    return spec.in_channels * spec.kernel_size[0] * spec.kernel_size[1]


def torch_conv(x, w, stride):
    return F.conv2d(x[None], w, stride=stride)[0]


def loops_conv(x, w, stride, channels=None):
    """A learner's convolution, of all channels or only of some."""
    (_, h, width), (filters, depth, kh, kw) = x.shape, w.shape
    out = np.zeros((filters, (h - kh) // stride + 1, (width - kw) // stride + 1))
    for m in range(filters):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                for c in range(channels or depth):
                    window = x[c, i * stride : i * stride + kh, j * stride : j * stride + kw]
                    out[m, i, j] += (window * w[m, c]).sum()
    return out


def skipping_zeros(x, w, s):
    """A learner's convolution that leaves out the products with padding."""
    (_, h, width), (filters, depth, kh, kw) = x.shape, w.shape
    out = np.zeros((filters, (h - kh) // s + 1, (width - kw) // s + 1))
    for m, i, j in np.ndindex(out.shape):
        for c, u, v in np.ndindex(depth, kh, kw):
            pixel = x[c, i * s + u, j * s + v]
            if pixel != 0:
                out[m, i, j] += pixel * w[m, c, u, v]
    return out


def products_of(x, w, s):
    """A learner's products of each window, taken off the meter before they are summed."""
    columns = range(0, x.shape[2] - w.shape[3] + 1, s)
    windows = [
        [x[:, i : i + w.shape[2], j : j + w.shape[3]] for j in columns]
        for i in range(0, x.shape[1] - w.shape[2] + 1, s)
    ]
    return [[[(window * kernel).astype(float).ravel() for window in row] for row in windows] for kernel in w]


def maps_of(x, w, s):
    """A learner's convolution as lists, so that the numbers stay on the meter."""
    rows, columns = range(0, x.shape[1] - w.shape[2] + 1, s), range(0, x.shape[2] - w.shape[3] + 1, s)
    return [
        [[(x[:, i : i + w.shape[2], j : j + w.shape[3]] * kernel).sum() for j in columns] for i in rows] for kernel in w
    ]


def moved(network, channels, find, start=None):
    """A learner's experiment: one column for each input channel, `find` says of (outputs, height, width) what moves."""
    x, columns = torch.rand(1, channels, 6, 6), []
    for channel in range(channels):
        changed = x.clone() if start is None else start(x)
        changed[0, channel] += 1
        columns.append(find(network(changed)[0] != network(x)[0]))
    return columns


def reach_by_loops(network, channels):
    return np.array([[bool(out.any()) for out in found] for found in moved(network, channels, lambda it: it)]).T


def reach_by_gradient(network, channels):
    x = torch.rand(1, channels, 6, 6, requires_grad=True)
    outputs = network(x).sum(dim=(0, 2, 3))
    rows = [torch.autograd.grad(out, x, retain_graph=True)[0][0].abs().sum(dim=(1, 2)) > 0 for out in outputs]
    return torch.stack(rows)


def reach_with_one_batch(network, channels):
    """All experiments at once: image c has a one in channel c, and all zeros is the image to compare with."""
    images = torch.eye(channels)[:, :, None, None].expand(-1, -1, 6, 6)
    return (network(images) != network(torch.zeros_like(images))).any(dim=3).any(dim=2).T


def seconds_of_calls(readings):
    return [after - before for before, after in pairwise([0, *readings])]


def ratios_by_round(seconds, macs, other_seconds, other_macs):
    return [(a / macs) / (b / other_macs) for a, b in zip(seconds, other_seconds)]


def seen_from_the_end(layers):
    seen = 1
    for kernel, stride in reversed(layers):
        seen = (seen - 1) * stride + kernel
    return seen


def seen_cells(layers):
    """All columns that output number 0 reads, through all layers."""
    cells = {0}
    for kernel, stride in reversed(layers):
        cells = {cell * stride + tap for cell in cells for tap in range(kernel)}
    return cells


def seen_by_gradient(layers):
    x = torch.ones(1, 1, 400, requires_grad=True)
    y = x
    for kernel, stride in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel), stride=stride)
    y[0, 0, 0].backward()
    columns = x.grad[0, 0].nonzero()
    return int(columns.max() - columns.min()) + 1


def merged_by_loops(d, p, multiplier, neighbours=True):
    d, p = np.asarray(d), np.asarray(p)
    channels = len(d) // multiplier
    merged = np.zeros((len(p), channels, *d.shape[2:]))
    for m in range(len(p)):
        for k in range(len(d)):
            merged[m, k // multiplier if neighbours else k % channels] += p[m, k] * d[k, 0]
    return merged


def merged_by_probing(d, p, multiplier):
    """The kernel of the two layers in a row, read off their answers to single ones in a large image."""
    channels, side = len(d) // multiplier, d.shape[-1]
    probes = torch.zeros(channels, channels, 2 * side - 1, 2 * side - 1)
    probes[range(channels), range(channels), side - 1, side - 1] = 1
    return F.conv2d(F.conv2d(probes, d, groups=channels), p).flip(2, 3).transpose(0, 1)


def in_a_layer(work, size):
    """A learner's count: `work(spec)` for each output number, with the learner's own idea of the output's size."""

    def count(spec, x):
        pairs = (spec.kernel_size, spec.stride, spec.padding, spec.dilation)
        sizes = (size(n, *numbers) for n, *numbers in zip(x[2:], *pairs, strict=True))
        return work(spec) * x[0] * spec.out_channels * prod(sizes)

    return count


def exact_flops(spec):
    return 2 * products(spec) - 1 + spec.bias


def grouped_products(spec):
    return products(spec) // spec.groups


def tools_said(spec, x, numbers):
    """A learner's three numbers, from the MACs and the bias additions."""
    return numbers(grouped_products(spec) * outputs(spec, x), outputs(spec, x) if spec.bias else 0)


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
    """The MACs of lesson 11's separable network: first and last layer, then blocks at 2·196 + 2·49 positions."""
    return 1774 * width + 490 * (9 * width + width**2)


def separable_width(macs):
    """A learner's loop over widths, with the learner's own idea of the MACs."""

    def widest(budget):
        width = 1
        while macs(width + 1) <= budget:
            width += 1
        return width

    return widest


def widest_by_counting(budget):
    """A learner's loop with the package's own count."""
    width = 1
    while cost_table(small_network("separable", width + 1), (1, 1, 14, 14)).total.macs <= budget:
        width += 1
    return width


# As a learner may write them: more than one form of a mistake, and what no mistake explains.
WRONG = {
    "filter_multiplications": [(121, "one channel"), (25, "added"), (364, "no mistake that is known here")],
    "multiplications": [
        (lambda k, c, m, s: k * k * c * s * s, "number of filters is missing"),
        (lambda k, c, m, s: k * k * c * m * s, "output is a square"),
        (lambda k, c, m, s: k * k * c * m * s * s + m * s * s, "A bias is in it"),
        (lambda k, c, m, s: k * k * c * m * (s + 1) ** 2, "no mistake that is known here"),
    ],
    "output_size": [
        (lambda n, k, s, p, d: n + 2 * p - d * (k - 1), "stride is ignored"),
        (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1, "dilation is ignored"),
        (lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1, "padding is ignored"),
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s, "+ 1 is missing"),
        (lambda n, k, s, p, d: (n - k + 2 * p) / (s + 1), "no mistake that is known here"),
        (lambda n, k, s, p, d: n / 0, "ZeroDivisionError"),
        (lambda n, k: n - k, "TypeError"),
    ],
    "conv2d": [
        (lambda x, w, s: loops_conv(x, w, 1), "stride is ignored"),
        (lambda x, w, s: loops_conv(x, w.flip(2, 3), s), "flips the kernel"),
        (lambda x, w, s: loops_conv(x, w, s, channels=1), "first channel alone"),
        (lambda x, w, s: F.conv2d(x[None], w, stride=s), "axis of images is still there"),
        (lambda x, w, s: loops_conv(x, w, s).transpose(0, 2, 1), "Height and width are swapped"),
        (lambda x, w, s: loops_conv(x, w, s) + 1, "The shape is right. At (0, 0, 0) you have"),
        (lambda x, w, s: loops_conv(x, w, s)[:, :-1], "The last row is missing"),
        (lambda x, w, s: loops_conv(x, w.transpose(2, 3), s), "rows and columns are swapped"),
        (lambda x, w, s: "a string", "Your result is of type str. Wanted an array of numbers."),
    ],
    "missing_stride": [
        (3, "larger output"),
        (5, "smaller output"),
        (11, "not even overlap"),
        (227 / 55, "before round"),
    ],
    "param_count": [
        (lambda spec: products(spec) * spec.out_channels, "bias is forgotten"),
        (lambda spec: products(spec) * spec.out_channels + (1 if spec.bias else 0), "one bias for the whole layer"),
        (lambda spec: products(spec) + spec.bias, "one filter"),
        (lambda spec: (prod(spec.kernel_size) + spec.bias) * spec.out_channels, "input channels are missing"),
        (2178, "Wanted a function"),
    ],
    "flop_count": [
        (lambda spec, x: products(spec) * outputs(spec, x), "Those are MACs"),
        (lambda spec, x: 2 * products(spec) * outputs(spec, x), "2n for each output number even without bias"),
        (lambda spec, x: (2 * products(spec) - 1) * outputs(spec, x), "bias is forgotten"),
        (lambda spec, x: exact_flops(spec) * outputs(spec, x) // spec.out_channels, "That is one filter"),
        (lambda spec, x: exact_flops(spec) * spec.out_channels * x[0] * x[2] * x[3], "positions of the input"),
        (lambda spec, x: exact_flops(spec) * outputs(spec, x) // x[0], "batch is forgotten"),
        (in_a_layer(exact_flops, lambda n, k, s, p, d: out_size(n, k, 1, p, d)), "stride is ignored"),
        (in_a_layer(exact_flops, lambda n, k, s, p, d: out_size(n, k, s, p, d) - 1), "+ 1 is missing"),
        (in_a_layer(exact_flops, lambda n, k, s, p, d: n // s), "no mistake that is known here"),
    ],
    "metered_conv2d": [
        (lambda x, w, s: maps_of(x, w, 1), "stride is ignored"),
        (lambda x, w, s: maps_of(x[:1], w[:, :1], s), "first channel alone"),
        (lambda x, w, s: maps_of(x, w[:, :, ::-1, ::-1], s), "flips the kernel"),
        (lambda x, w, s: torch_conv(x, w, s), "Here image and kernels are NumPy arrays, no tensors"),
        (lambda x, w, s: torch_conv(x, w, s), "stride=int) at `return F.conv2d(x[None], w, stride=stride)[0]`"),
        (lambda x, w, s: x.size(0), "Here image and kernels are NumPy arrays, no tensors"),
    ],
    "mac_count": [
        (lambda spec, x: products(spec) * outputs(spec, x), "groups are ignored"),
        (lambda spec, x: products(spec) * outputs(spec, x) // spec.groups**2, "groups are applied twice"),
        (lambda spec, x: products(spec) * outputs(spec, x) * spec.groups, "multiplies by the groups"),
        (lambda spec, x: prod(spec.weight_shape) * outputs(spec, x), "all weights by all output numbers"),
        (lambda spec, x: products(spec) * spec.out_channels // spec.groups, "Those are the weights"),
        (lambda spec, x: grouped_products(spec) * outputs(spec, x) // spec.out_channels, "the work of one filter"),
        (lambda spec, x: (grouped_products(spec) + spec.bias) * outputs(spec, x), "A bias is in it"),
        (in_a_layer(grouped_products, lambda n, k, s, p, d: out_size(n, k, s, 0, d)), "padding is ignored"),
        (in_a_layer(grouped_products, lambda n, k, s, p, d: out_size(n, k, s, p, 1)), "dilation is ignored"),
    ],
    "reach": [
        (lambda network, channels: torch.stack(moved(network, channels, lambda it: it.any(2).any(1))), "are swapped"),
        (lambda network, channels: np.logical_not(reach_by_loops(network, channels)), "the opposite"),
        (
            lambda network, channels: torch.stack(
                moved(network, channels, lambda it: it.any(2).any(1), lambda x: x), dim=1
            ),
            "Nothing moves",
        ),
        (
            lambda network, channels: np.stack(moved(network, channels, lambda it: it.sum((1, 2)).numpy()), axis=1),
            "positions that moved",
        ),
        (lambda network, channels: reach_by_loops(network, channels).sum(0).tolist(), "how many outputs"),
        (lambda network, channels: reach_by_loops(network, channels)[:, 0], "channel 0 alone"),
        (lambda network, channels: reach_by_loops(network, channels).sum(), "the number of pairs"),
        (lambda network, channels: reach_by_loops(network, channels)[::-1], "no mistake that is known here"),
    ],
    "receptive_field": [
        (lambda layers: 1 + sum(k - 1 for k, _ in layers), "strides are ignored"),
        (lambda layers: sum(k for k, _ in layers), "no mistake that is known here"),
        (
            lambda layers: 1 + sum((k - 1) * prod(s for _, s in layers[: n + 1]) for n, (k, _) in enumerate(layers)),
            "own stride",
        ),
        (lambda layers: seen_from_the_end(layers[::-1]), "from the last to the first"),
        (lambda layers: seen_from_the_end(layers) - 1, "1 at the start is missing"),
    ],
    "separable_saving": [
        (lambda m, k, factor: factor * (1 / m + 1 / k**2), "the inverse"),
        (lambda m, k, factor: k**2 * m / (k**2 + m), "The multiplier is ignored"),
        (lambda m, k, factor: k**2 * m / (factor * k**2 + m), "in the depthwise step alone"),
        (lambda m, k, factor: 1 // (factor * (1 / m + 1 / k**2)), "rounded down"),
    ],
    "separable_macs": [
        (2_196_150, "depthwise step alone"),
        (1_152_525, "depth multiplier 1"),
        (4_610_100, "FLOPs"),
        ((726 + 36) * 217 * 217, "stride is ignored"),
    ],
    "kernels_needed": [
        (4, "one kernel for each filter"),
        (2, "Is the blur a mixture"),
        (7, "no mistake that is known"),
    ],
    "largest_multiplier": [
        (lambda m, k: int(m * k * k / (m + k * k)), "exactly as many"),
        (lambda m, k: m * k * k / (m + k * k), "the saving with m = 1"),
        (lambda m, k: ceil(1 / (1 / m + 1 / k**2)), "rounds up"),
    ],
    "merged_kernel": [
        (lambda d, p, m: merged_by_loops(d, p, 1), "multiplier is ignored"),
        (lambda d, p, m: merged_by_loops(d, p, len(d)), "That sums over the input channels too"),
        (lambda d, p, m: merged_by_loops(d, p, m, neighbours=False), "are neighbours"),
    ],
    "tool_numbers": [
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (2 * macs, macs, macs + b)), "are swapped"),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs)), "bias is not in the third"),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, 2 * macs + b)), "add them to the MACs"),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (macs + b, 2 * macs, macs)), "order is turned round"),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs)), "is of type tuple. Wanted 3 numbers"),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: [macs, 2 * macs, macs + b, b]), "Wanted 3 numbers"),
        (lambda spec, x: tools_said(spec, x, lambda macs, b: {macs, 2 * macs, macs + b}), "is of type set. Wanted 3"),
        (lambda spec, x: tools_said(spec, x, lambda m, b: np.array([m + b, 2 * m, m])), "order is turned round"),
        (lambda spec, x: grouped_products(spec) * outputs(spec, x), "is of type int. Wanted 3 numbers, with commas"),
    ],
    "transposed_macs": [
        (lambda w, s, x: transposed_taps(w, x, [(n - 1) * s + k for n, k in zip(x[2:], w[2:])]), "as thop does"),
        (lambda w, s, x: transposed_taps(w, x, [out_size(n, k, s) for n, k in zip(x[2:], w[2:])]), "plain convolution"),
        (lambda w, s, x: prod(x) * w[1] * w[2] * w[2], "height is used for both"),
        (lambda w, s, x: x[2] * x[3] * prod(w), "batch is forgotten"),
        (lambda w, s, x: prod(x) * prod(w[1:]) / s**2, "divides by stride²"),
    ],
    "macs_of_transformer": [
        (lambda p, layers, n, t, d: p + 4 * layers * n * t * t * d, "2 × MACs of everything"),
        (lambda p, layers, n, t, d: p // 2 + layers * n * t**2 * d, "scores and mixtures"),
        (lambda p, layers, n, t, d: p // 2 + 2 * layers * (n * t) ** 2 * d, "different texts"),
        (lambda p, layers, n, t, d: p // 2 + 2 * layers * n * t * d * d, "takes width²"),
        (lambda p, layers, n, t, d: p // 2 + n * t * t * d, "no mistake that is known here"),
    ],
    "remaining_share": [
        (lambda m, k, a, r: (k**2 + m) / (r**2 * a * (k**2 + a * m)), "the inverse"),
        (lambda m, k, a, r: 1 - r**2 * a * (k**2 + a * m) / (k**2 + m), "the share that is saved"),
        (lambda m, k, a, r: a**2 * r**2, "only the pointwise step shrinks by width²"),
        (lambda m, k, a, r: r**2 * (1 / (a * m) + 1 / k**2) / (1 / m + 1 / k**2), "law of lesson 04"),
    ],
    "widest_middle": [
        (in_budget(lambda c, n, g: 2 * c * n + 9 * n * n), "groups are ignored"),
        (in_budget(lambda c, n, g: c * n + 9 * n * n / g), "one 1×1 layer"),
        (lambda c, g, budget: widest_by_root(c, g, budget), "does not divide by g"),
        (lambda c, g, budget: widest_by_root(c, g, budget - 1) // g * g, "To meet it exactly"),
    ],
    "grouped_saving": [
        (lambda k, m, g: g / (1 / m + 1 / k**2), "That is the printed formula"),
        (lambda k, m, g: 1 / m + 1 / (g * k**2), "the inverse"),
        (lambda k, m, g: m / g, "That is M/g"),
    ],
    "verified_macs": [
        (72_000, "what both print"),
        (720 * 25, "one channel of the two"),
        (136_800, "stride is ignored"),
    ],
    "median_call_seconds": [
        (lambda readings, warm_up: median(readings[warm_up:]), "That is the median of the readings"),
        (lambda readings, warm_up: median(seconds_of_calls(readings[warm_up:])), "cut off before"),
        (lambda readings, warm_up: seconds_of_calls(readings)[warm_up:], "the times of all calls"),
    ],
    "attainable_macs_per_second": [
        (lambda macs, size, peak, bandwidth: max(bandwidth / size * macs, peak), "the larger of the two"),
        (lambda macs, size, peak, bandwidth: min(bandwidth / (macs / size), peak), "bytes per MAC"),
        (lambda macs, size, peak, bandwidth: peak, "always the processor's limit"),
        (lambda macs, size, peak, bandwidth: min(peak, 8 * bandwidth), "there are no bits to convert"),
        (lambda macs, size, peak, bandwidth: min(peak, 8 * bandwidth * macs / size), "leave out the 8"),
        (lambda macs, size, peak, bandwidth: min(peak, bandwidth * macs / 4 / size), "A float has 4"),
        (lambda macs, size, peak, bandwidth: 1 / (1 / peak + size / macs / bandwidth), "adds the time"),
    ],
    "slowdown_per_mac": [
        (lambda s, macs, o, other: (median(s) / macs) / (median(o) / other), "ratio of two medians"),
        (lambda s, macs, o, other: np.mean(ratios_by_round(s, macs, o, other)), "a mean over the rounds"),
        (lambda s, macs, o, other: median(ratios_by_round(o, other, s, macs)), "That is the inverse"),
        (lambda s, macs, o, other: 1 / median(ratios_by_round(s, macs, o, other)), "one divided by the ratio"),
        (lambda s, macs, o, other: min(ratios_by_round(s, macs, o, other)), "the smallest ratio"),
        (lambda s, macs, o, other: max(ratios_by_round(s, macs, o, other)), "the largest ratio"),
        (lambda s, macs, o, other: (min(s) / macs) / (min(o) / other), "shortest of the other"),
        (lambda s, macs, o, other: list(ratios_by_round(s, macs, o, other)), "one ratio for each round"),
    ],
    "standard_error": [
        (lambda a, b: 2 * 100 * sem(a - b), "two standard errors"),
        (lambda a, b: np.diff(ttest_rel(a, b).confidence_interval(0.95))[0] * 50, "Leave t out"),
        (lambda a, b: 100 * np.std(np.subtract(a, b)) / len(a) ** 0.5, "as NumPy does by default"),
        (lambda a, b: 100 * ((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(a)) ** 0.5, "not paired"),
    ],
    "widest_separable": [
        (separable_width(lambda w: separable_macs_of(w) + 1), "To meet it exactly"),
        (separable_width(lambda w: 2 * separable_macs_of(w)), "FLOPs within the budget"),
        (separable_width(lambda w: 1774 * w + 490 * 9 * w * w), "width of the standard network"),
        (separable_width(lambda w: separable_macs_of(w) - 1764 * w), "first layer is missing"),
        (separable_width(lambda w: 1774 * w + 784 * (9 * w + w * w)), "All blocks are on 196 positions"),
    ],
    "seeds_needed": [
        (lambda s, d: int((2 * s / d) ** 2), "rounds down"),
        (lambda s, d: round((2 * s / d) ** 2), "rounds to the nearest"),
        (lambda s, d: ceil(2 * s / d) ** 2, "rounds before it squares"),
        (lambda s, d: ceil((1.96 * s / d) ** 2), "takes 1.96"),
        (lambda s, d: ceil(2 * s / d), "root is gone"),
        (lambda s, d: ceil((s / (d / 4)) ** 2), "as the whole width"),
    ],
}

RIGHT = {
    "filter_multiplications": [363, np.int64(363), torch.tensor(363), Fraction(363)],
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
    "missing_stride": [4, (227 - 11) // 54],
    "param_count": [
        lambda spec: products(spec) * spec.out_channels + (spec.out_channels if spec.bias else 0),
        lambda spec: np.prod(spec.weight_shape) + spec.bias * spec.out_channels,
        lambda spec: torch.zeros(spec.weight_shape).numel() + torch.zeros(spec.out_channels).numel() * spec.bias,
    ],
    "flop_count": [
        lambda spec, x: outputs(spec, x) * (2 * products(spec) - (not spec.bias)),
        lambda spec, x: 2 * products(spec) * outputs(spec, x) - (0 if spec.bias else outputs(spec, x)),
    ],
    "metered_conv2d": [
        maps_of,
        loops_conv,
        lambda x, w, s: torch.tensor(loops_conv(x, w, s)),
        lambda x, w, s: np.tensordot(
            w, sliding_window_view(x, w.shape[2:], (1, 2))[:, ::s, ::s], ([1, 2, 3], [0, 3, 4])
        ),
    ],
    "mac_count": [
        lambda spec, x: prod(spec.weight_shape[1:]) * outputs(spec, x),
        lambda spec, x: products(spec) * outputs(spec, x) // spec.groups,
    ],
    "reach": [
        reach_by_loops,
        reach_by_gradient,
        reach_with_one_batch,
        lambda network, channels: reach_by_loops(network, channels).astype(int).tolist(),
    ],
    "receptive_field": [
        seen_from_the_end,
        seen_by_gradient,
        lambda layers: 1 + sum((k - 1) * prod(s for _, s in layers[:n]) for n, (k, _) in enumerate(layers)),
        lambda layers: max(seen_cells(layers)) - min(seen_cells(layers)) + 1,
    ],
    "separable_saving": [
        lambda m, k, factor: k**2 * m / factor / (k**2 + m),
        lambda m, k, factor: Fraction(k**2 * m, factor * (k**2 + m)),
        lambda m, k, factor: 1 / (factor / m + factor / k**2),
    ],
    "separable_macs": [2_305_050, 55 * 55 * (6 * 121 + 36)],
    "kernels_needed": [3, np.int64(3), Fraction(3)],
    "largest_multiplier": [
        lambda m, k: ceil(Fraction(m * k * k, m + k * k)) - 1,
        lambda m, k: max(n for n in range(k * k) if n * (m + k * k) < m * k * k),
        lambda m, k: (m * k * k - 1) // (m + k * k),
    ],
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
    "macs_of_transformer": [
        lambda p, layers, texts, t, d: p // 2 + layers * texts * (t * t * d + t * d * t),
        lambda p, layers, texts, t, d: (p + 4 * layers * texts * t**2 * d) // 2,
        lambda p, layers, texts, t, d: int(p / 2) + sum(2 * t * t * d for _ in range(layers * texts)),
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
    "grouped_saving": [
        lambda k, m, g: k**2 * m / (k**2 + m / g),
        lambda k, m, g: Fraction(k**2 * m * g, g * k**2 + m),
        lambda k, m, g: 1 / (1 / m + 1 / (g * k**2)),
    ],
    "verified_macs": [36_000, 720 * 2 * 5 * 5, 72_000 // 2],
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
        lambda budget: int(((6184**2 + 4 * 490 * budget) ** 0.5 - 6184) / 980 + 1e-9),
    ],
    "seeds_needed": [
        lambda s, d: ceil((2 * s / d) ** 2),
        lambda s, d: np.ceil((2 * s / d) ** 2),
        lambda s, d: next(n for n in range(1, 999) if 2 * s / n**0.5 <= d),
    ],
}

# The right value in another form, rounded, or percent in place of a share.
NEARLY = {
    "filter_multiplications": [
        (363.0, "The value 363.0 is right, but it is a float"),
        ([363], "it is in a list"),
        (np.array([363]), "it is in an array of shape (1,)"),
        (360, "Do not round"),
    ],
    "verified_macs": [(72_000 / 2, "it is a float")],
    "widest_middle": [(lambda *case: float(check.widest_middle.target(*case)), "it is a float")],
    "output_size": [
        (lambda *case: float(out_size(*case)), "The value 8.0 is right, but it is a float, for size = 12, kernel = 5"),
        (lambda n, k, s, p, d: np.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1, "it is a float"),
        (lambda *case: str(out_size(*case)), "The value '8' is right, but it is text, for size = 12"),
        (lambda *case: [out_size(*case)], "it is in a list"),
        (lambda *case: (out_size(*case),), "The value (8,) is right, but it is in a tuple"),
        (lambda *case: torch.tensor([out_size(*case)]), "it is in an array of shape (1,)"),
        (lambda *case: (out_size(*case),) * 2, "The value (8, 8) is right, but it is there 2 times"),
    ],
    "conv2d": [(lambda x, w, s: torch_conv(x, w, s)[:, None], "it has the shape (1, 1, 3, 4)")],
    "metered_conv2d": [
        (skipping_zeros, "Yours does fewer: products with a zero of the padding are skipped"),
        (lambda x, w, s: [maps_of(x, w, s) for _ in range(3)][-1], "Yours does 3 times the multiplications"),
        (lambda x, w, s: [maps_of(x, w, s)[m] for m in range(len(w))], "everything is computed again for each filter"),
        (lambda x, w, s: [maps_of(x, w, s) for _ in x][-1], "every product is done again for each channel"),
        (lambda x, w, s: [[r[::s] for r in m[::s]] for m in maps_of(x, w, 1)], "computes the output for stride 1"),
        (lambda x, w, s: [maps_of(x, w[:1], s), maps_of(x, w, s)][1], "Yours does more"),
        (lambda x, w, s: maps_of(x.astype(float), w.astype(float), s), "The meter saw 0 multiplications, 0 additions."),
        (lambda x, w, s: maps_of(x, w[:1], s) + maps_of(x.astype(float), w[1:].astype(float), s), "Yours does fewer"),
        (lambda x, w, s: [[[n + 1 - 1 for n in r] for r in m] for m in maps_of(x, w, s)], "nothing else is added"),
        (
            lambda x, w, s: [[[sum(n) for n in r] for r in m] for m in products_of(x, w, s)],
            "Some of the sums were done off the meter",
        ),
    ],
    "mac_count": [(lambda spec, x: products(spec) / spec.groups * outputs(spec, x), "it is a float")],
    "macs_of_transformer": [(lambda p, layers, n, t, d: p / 2 + 2 * layers * n * t * t * d, "it is a float")],
    "widest_separable": [(lambda budget: float(widest_by_counting(budget)), "it is a float")],
    "tool_numbers": [
        (lambda spec, x: tools_said(spec, x, lambda macs, b: (macs, 2 * macs, macs + b / 1)), "it has floats"),
        (lambda spec, x: tools_said(spec, x, lambda m, b: {"thop": m, "torch": 2 * m, "ptflops": m + b}), "is a dict"),
    ],
    "transposed_macs": [(lambda w, s, x: x[0] * x[2] * x[3] * prod(w) / 1, "it is a float")],
    "separable_saving": [
        (lambda m, k, factor: round(k**2 * m / (factor * (k**2 + m)), 2), "Do not round"),
        (lambda m, k, factor: f"{k**2 * m / (factor * (k**2 + m))}", "it is text"),
    ],
    "grouped_saving": [(lambda k, m, g: round(k * k * m / (k * k + m / g), 1), "Do not round")],
    "remaining_share": [
        (lambda m, k, a, r: round(r**2 * a * (k**2 + a * m) / (k**2 + m), 3), "Do not round"),
        (lambda m, k, a, r: 100 * r**2 * a * (k**2 + a * m) / (k**2 + m), "percent in place of a share"),
    ],
    "slowdown_per_mac": [(lambda *case: 100 * median(ratios_by_round(*case)), "percent in place of a share")],
    "standard_error": [
        (lambda a, b: np.subtract(a, b).std(ddof=1) / len(a) ** 0.5, "a share in place of percent"),
        (lambda a, b: round(100 * np.subtract(a, b).std(ddof=1) / len(a) ** 0.5, 3), "Do not round"),
    ],
}


def answers(table):
    return [
        pytest.param(EXERCISES[name], answer, id=f"{name}-{n}")
        for name, answers in table.items()
        for n, answer in enumerate(answers)
    ]


def test_every_exercise_has_wrong_and_right_answers_here():
    assert set(EXERCISES) == set(WRONG) == set(RIGHT)


@pytest.mark.parametrize(("exercise", "answer"), answers(WRONG))
def test_a_wrong_answer_is_told_why(exercise, answer):
    given, phrase = answer
    reply = exercise(given)
    assert reply.outcome == "wrong"
    assert phrase in reply.message


@pytest.mark.parametrize(("exercise", "answer"), answers(NEARLY))
def test_a_right_value_in_another_form_is_nearly_right_and_is_told_what_to_change(exercise, answer):
    given, phrase = answer
    reply = exercise(given)
    assert reply.outcome == "nearly", reply
    assert phrase in reply.message
    if exercise.cases == ((),):  # the whole answer: in the reply only as far as the learner has it
        quoted = str(given) if isinstance(given, float) else repr(given)
        assert str(exercise.target()) not in reply.message.replace(quoted, "")


@pytest.mark.parametrize(("exercise", "answer"), answers(RIGHT))
def test_a_right_answer_is_accepted_in_several_styles(exercise, answer):
    reply = exercise(answer)
    assert reply.outcome == "right", reply
    assert reply.message == exercise.takeaway


@every_exercise
def test_each_mistake_is_wrong_and_is_told_by_its_own_reason(exercise):
    for why, mistake in exercise.mistakes.items():
        reply = exercise(mistake() if is_number(exercise) else mistake)
        assert reply.outcome == "wrong"
        assert reply.message.endswith(f"\n{why}")


@every_exercise
def test_an_empty_answer_is_not_yet(exercise):
    empty = [None, ...] if is_number(exercise) else [None, ..., lambda *case: None, lambda *case: ...]
    assert {exercise(answer).outcome for answer in empty} == {"not yet"}


@every_exercise
def test_hints_come_one_by_one_and_none_but_the_last_gives_a_number_away(exercise):
    count = len(exercise.hints)
    assert count >= 2
    assert f"1 to {count}." in exercise.hint().message
    assert [exercise.hint(n + 1).message for n in range(count)] == exercise.hints
    if is_number(exercise):
        answer = f"{exercise.target():,}"
        assert not any(answer in hint.rstrip(".").split() for hint in exercise.hints[:-1])


def test_the_numbers_of_lesson_02_are_those_of_the_conventions_that_it_names():
    layer = ConvSpec(3, 6, 11, stride=4, bias=False), (1, 3, 227, 227)
    macs = mac_count(*layer)
    counts = [flop_count(*layer), macs // 3, 2 * macs, macs, addition_count(*layer)]
    assert counts == [13_158_750, 2_196_150, 13_176_900, 6_588_450, 6_570_300]
    for count, (right, told) in zip(counts, check.conventions.questions):
        assert f"this is {count // outputs(*layer)}: " in told[right]
        assert all(f"this is {count // outputs(*layer)}. For " in told[letter] for letter in told if letter != right)


def test_the_numbers_of_lesson_06_are_those_of_the_network_and_of_the_recorded_tools():
    with torch.device("meta"):
        total = cost_table(resnet50(), (1, 3, 224, 224)).total
    lines = recorded_file("cost.csv").read_text("utf8").splitlines()
    rows = [row for row in csv.DictReader(lines) if row["network"] == "ResNet-50"]
    said = {row["tool"]: int(row["count"]) for row in rows if row["size_pixels"] == "224"}
    more = [said[tool] / 1e9 for tool in ("thop", "fvcore", "ptflops", "torchprofile")]
    assert {name: billions for name, billions in RESNET_50.values()} == {
        "MACs": f"{total.macs / 1e9:.2f}",
        "MACs and something for BatchNorm": f"{min(more):.2f} to {max(more):.2f}",
        "2 × MACs": f"{said['torch FlopCounterMode'] / 1e9:.3f}",
        "2 × (MACs and something for BatchNorm)": f"{2 * min(more):.2f} to {2 * max(more):.2f}",
        "Exact FLOPs": f"{total.flops / 1e9:.3f}",
    }
    assert total.macs == RESNET_50_MACS
    assert f"{total.flops:,}" in (last := check.words.hints[-1]) and f"{said['thop']:,}" in last


def test_the_made_up_claims_of_lesson_09_are_what_their_verdicts_say():
    layer, image = ConvSpec(16, 32, 3, padding=1), (1, 16, 20, 20)
    counts = mac_count(layer, image), mac_count(replace(layer, padding=0), image)
    params = [param_count(replace(layer, groups=groups)) for groups in (1, 4)]
    assert counts == (1_843_200, 1_492_992) and 3 * 3 * 16 * 23 != 4_608 == prod(layer.weight_shape)
    assert params == [4_640, 1_184] and 4_640 / 4 == 1_160
    rights = [right for right, _ in check.made_up_claims.questions]
    assert [[*VERDICTS][ord(letter) - ord("a")] for letter in rights] == "unstated right wrong typo measure".split()


@pytest.mark.parametrize(
    ("guess", "outcome"), [(None, "not yet"), (1222, "right"), (1222.49, "right"), (2445, "wrong"), (2444.99, "wrong")]
)
def test_macs_taken_for_operations_are_told_from_another_guess_at_the_images_a_second(guess, outcome):
    reply = check.images_per_second(guess)
    assert reply.outcome == outcome
    assert ("are MACs" in reply.message) == (outcome == "wrong")


def test_a_number_in_the_question_of_lesson_06_fits_the_right_convention_and_no_other():
    (path,) = Path(__file__).parent.parent.glob("notebooks/06-*.ipynb")
    (source,) = (cell.source for cell in nbformat.read(path, 4).cells if cell.source.startswith("check.words("))
    numbers = [float(text.replace(",", "")) for text in re.findall(r'# \d: .*": ([\d.,]+)', source)]
    for number, (right, _) in zip(numbers, check.words.questions, strict=True):
        billions = round(number / 1e9 if number > 1e6 else number, 3)
        ranges = {letter: [float(end) for end in text.split(" to ")] for letter, (_, text) in RESNET_50.items()}
        fits = [letter for letter, ends in ranges.items() if ends[0] <= billions <= ends[-1]]
        assert fits == ([right] if right in RESNET_50 else [])


@pytest.mark.parametrize("field", ["stride", "padding", "dilation", "kernel_size"])
@pytest.mark.parametrize("exercise", [check.flop_count, check.mac_count])
def test_a_count_that_takes_one_number_for_a_pair_of_a_layer_is_not_right(exercise, field):
    def first(spec, x):
        return on_changed_layer(exercise.target, **{field: getattr(spec, field)[0]})(spec, x)

    def swapped(spec, x):
        return on_changed_layer(exercise.target, **{field: getattr(spec, field)[::-1]})(spec, x)

    for answer in (first, swapped, on_changed_layer(exercise.target, **{field: 1})):
        assert exercise(answer).outcome == "wrong"
