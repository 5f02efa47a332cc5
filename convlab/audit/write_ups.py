"""The ledger: what five public write-ups, a README and a textbook claim, and what holds.

Notation: K kernel side, C input channels, M output channels, g groups, H×W output size, D side of a square input.
A formula is compared with counts on small unequal layers: work as the loops of `convlab.reference` count it (the two
passes of training by torch's counter), parameters and shapes as torch's tensors have them. Shapes are PyTorch's.
A formula must hold for every value of its letters. Code that a text prints counts, for the layer that it builds, as
does a condition that the text names or shows in a calculation. A printed number must be what holds, rounded.
S1 is read at commit 43c064a (README.md), S2 at commit 23d7a5a (chapter_convolutional-modern/alexnet.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import prod

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from convlab.audit.claim import DOCUMENTS, VERDICTS, Claim, ClaimTable, Formula, Says
from convlab.audit.published_counts import network_table
from convlab.cost import arithmetic_intensity, flop_count, mac_count, memory_bytes, param_count
from convlab.counting import separable_layers, separable_share
from convlab.reference import Counted, conv2d_loops
from convlab.shape import output_shape
from convlab.spec import ConvSpec
from convlab.torch_layers import to_module

# What the claims are compared with


def run_loops(spec: ConvSpec, shape) -> Counted:
    """Run the loops on ones and return the output, the multiplications and the additions."""
    bias = np.ones(spec.out_channels) if spec.bias else None
    options = spec.stride, spec.padding, spec.dilation, spec.groups
    return conv2d_loops(np.ones(shape), np.ones(spec.weight_shape), bias, *options)


def macs_by_loops(spec: ConvSpec, shape) -> int:
    """Return the multiplications that the loops do."""
    return run_loops(spec, shape).multiplication_count


def flops_by_loops(spec: ConvSpec, shape) -> int:
    """Return the multiplications and additions that the loops do."""
    return sum(run_loops(spec, shape)[1:])


def flops_beyond(spec: ConvSpec, shape) -> Fraction:
    """Return the FLOPs of one output number, less two for each of its products."""
    output, multiplications, additions = run_loops(spec, shape)
    return Fraction(additions - multiplications, output.size)


def flops_and_biases(spec: ConvSpec, shape) -> int:
    """Return two FLOPs for each MAC and one for each bias addition: a convention of some tools, such as DeepSpeed."""
    return 2 * mac_count(spec, shape) + output_numbers(spec, shape)


def output_numbers(spec: ConvSpec, shape) -> int:
    """Return how many numbers the output has."""
    return prod(output_shape(spec, shape))


def params_by_torch(spec: ConvSpec, shape=None) -> int:
    """Return how many numbers torch's weight and bias hold."""
    return sum(parameter.numel() for parameter in to_module(spec).parameters())


def weight_shape_by_torch(spec: ConvSpec, shape=None) -> tuple:
    """Return the shape of torch's weight."""
    return tuple(to_module(spec).weight.shape)


def inputs_first(spec: ConvSpec, shape=None) -> tuple:
    """Return the shape of torch's weight with the inputs before the outputs, as D3 orders the axes."""
    filters, channels, *kernel = weight_shape_by_torch(spec)
    return channels, filters, *kernel


def group_channels_by_torch(spec: ConvSpec, shape=None) -> tuple:
    """Return the inputs and outputs of one group: the part of torch's weight that belongs to it."""
    filters, channels, *_ = to_module(spec).weight.chunk(spec.groups)[0].shape
    return channels, filters


def separate_parts(spec: ConvSpec, shape) -> int:
    """Return how many different sets of input channels the outputs read, found by one channel of ones after another."""
    options, reads = (spec.stride, spec.padding, spec.dilation, spec.groups), []
    for channel in range(spec.in_channels):
        x = np.zeros(shape)
        x[:, channel] = 1
        reads.append(conv2d_loops(x, np.ones(spec.weight_shape), None, *options).output.any(axis=(0, 2, 3)))
    return len({*zip(*reads)})


def pass_macs(spec: ConvSpec, shape, backward: bool = False) -> int:
    """Return the MACs of one pass, by torch's counter on g small layers: its backward count ignores groups."""
    channels, filters = spec.in_channels // spec.groups, spec.out_channels // spec.groups
    layer = to_module(replace(spec, in_channels=channels, out_channels=filters, groups=1))
    x = torch.zeros(shape[0], channels, *shape[2:], requires_grad=True)
    with FlopCounterMode(display=False) as there:
        out = layer(x).sum()
    with FlopCounterMode(display=False) as back:
        out.backward()
    return spec.groups * (back if backward else there).get_total_flops() // 2


def all_bytes(spec: ConvSpec, shape) -> int:
    """Return the bytes of input, weights and output."""
    return sum(memory_bytes(spec, shape))


def share(count: Callable) -> Callable:
    """Return the count that gives a grouped layer's share of the layer without groups."""
    return lambda spec, shape: Fraction(count(spec, shape), count(replace(spec, groups=1), shape))


def steps(spec: ConvSpec, shape) -> tuple:
    """Return (spec, input shape) of the two steps of the separable layer in the place of `spec`."""
    depthwise, pointwise = separable_layers(spec)
    return (depthwise, shape), (pointwise, output_shape(depthwise, shape))


def each(count: Callable, layer) -> list:
    """Return a count of each of the two steps."""
    return [count(*step) for step in steps(*layer)]


def both_steps(spec: ConvSpec, shape) -> tuple:
    """Return the multiplications of the depthwise step, of the pointwise step, and of both."""
    depthwise, pointwise = each(macs_by_loops, (spec, shape))
    return depthwise, pointwise, depthwise + pointwise


def saving(spec: ConvSpec, shape, count: Callable = macs_by_loops) -> Fraction:
    """Return standard over separable."""
    return 1 / separable_share(spec, shape, count=count)


def saving_of(filters: int, kernel: int) -> Fraction:
    """Return standard over separable MACs for one window."""
    return saving(ConvSpec(3, filters, kernel), (1, 3, kernel, kernel), mac_count)


def depthwise_part(spec: ConvSpec, shape) -> Fraction:
    """Return the size of a depthwise kernel over that of a standard one."""
    depthwise, _ = separable_layers(spec)
    return Fraction(prod(weight_shape_by_torch(depthwise)[1:]), prod(weight_shape_by_torch(spec)[1:]))


def merged_kernels() -> tuple[np.ndarray, np.ndarray]:
    """Return kernels P[i, c]·D[c] as (M, C, K·K), and where a layer that has them gives what the two steps give."""
    sizes = (2, 3, 4, 6), (3, 1, 2, 2), (5, 3, 1, 1)
    x, d, p = (np.arange(prod(size)).reshape(size) ** 2 % 11 - 4 for size in sizes)
    in_two_steps = conv2d_loops(conv2d_loops(x, d, groups=3).output, p).output
    return (p * d[:, 0]).reshape(5, 3, 4), conv2d_loops(x, p * d[:, 0]).output == in_two_steps


def rank_of_a_channel(kernels: np.ndarray) -> int:
    """Return the largest rank of one channel's kernels; `kernels` is (M, C, K·K)."""
    return int(np.linalg.matrix_rank(kernels.swapaxes(0, 1)).max())


def first_step_of_a_filter() -> np.ndarray:
    """Return where a filter's output is the sum over channels of a depthwise layer that has its kernels."""
    x, w = (np.arange(prod(size)).reshape(size) ** 2 % 11 - 4 for size in ((2, 3, 4, 6), (1, 3, 2, 2)))
    weighed = conv2d_loops(x, w.swapaxes(0, 1), groups=3).output
    return conv2d_loops(x, w).output == weighed.sum(axis=1, keepdims=True)


def in_two_groups(*layer, bias: bool) -> list:
    """Return the parameters of a layer: without groups, in each of two groups, in both."""
    spec = ConvSpec(*layer, bias=bias)
    half = replace(spec, in_channels=spec.in_channels // 2, out_channels=spec.out_channels // 2)
    return [params_by_torch(layer) for layer in (spec, half, replace(spec, groups=2))]


def by_thop(groups: int, comma: bool) -> list:
    """Return thop over exact FLOPs for D3's layer on 6×6 and 12×12, with `inputs=(x,)` or, as D3 has it, `(x)`."""
    from thop import profile  # here, as it comes with the lessons and not with the package

    spec, parts = replace(D3[0], groups=groups), []
    for shape in (D3[1], (1, 3, 12, 12)):
        x = torch.zeros(shape)
        macs, _ = profile(to_module(spec), inputs=(x,) if comma else x, verbose=False)
        parts.append(Fraction(int(macs), flop_count(spec, shape)))
    return parts


def rounded(text: str, unit: int, word: str) -> Says:
    """Return the claim that a count, in a unit, rounds to the printed decimals."""
    decimals = len(text.partition(".")[2])
    return Says(f"{text} {word}", lambda count: f"{count / unit:.{decimals}f}" == text)


def two_matrices(inputs: int, count: Callable, bias: bool = False) -> int:
    """Return a count of two linear layers, inputs → 4096 → 4096."""
    return sum(count(ConvSpec.linear(n, 4096, bias=bias), (1, n, 1, 1)) for n in (inputs, 4096))


def matrix_bytes(inputs: int) -> int:
    """Return the bytes of their float32 weights."""
    return two_matrices(inputs, lambda *layer: memory_bytes(*layer).weight_bytes)


BIAS = {"without bias": False, "with bias": True}


def parameters(spec: ConvSpec) -> dict[str, Callable]:
    """Return the numbers that write-ups call parameters."""
    return {name: partial(param_count, replace(spec, bias=bias)) for name, bias in BIAS.items()}


def operations(spec: ConvSpec, shape) -> dict[str, Callable]:
    """Return the numbers that write-ups call operations."""
    exact = {f"FLOPs {name}": partial(flop_count, replace(spec, bias=bias), shape) for name, bias in BIAS.items()}
    return exact | {"MACs": partial(mac_count, spec, shape)}


STANDARD = (ConvSpec(3, 5, 2, (1, 2)), (1, 3, 6, 9)), (ConvSpec(4, 6, 3, 2, padding=1, dilation=2), (1, 4, 9, 7))
GROUPED = (
    (ConvSpec(6, 8, 3, 2, padding=1, groups=2), (1, 6, 7, 10)),  # M is not g²: a swapped letter must show
    (ConvSpec(6, 9, 2, dilation=2, groups=3), (1, 6, 5, 7)),
)
SAME = (ConvSpec(3, 5, 3, padding="same"), (1, 3, 6, 6)), (ConvSpec(4, 7, 5, padding=2), (1, 4, 5, 5))
SMALLER = (ConvSpec(3, 5, 3, 2, padding=1), (1, 3, 6, 6)), (ConvSpec(4, 7, 2), (1, 4, 5, 5))
LINEAR = (ConvSpec.linear(7, 3), (1, 7, 1, 1)), (ConvSpec.linear(5, 11), (1, 5, 1, 1))

D0 = ConvSpec(3, 6, 11, stride=4, bias=False), (1, 3, 227, 227)
D0_IN_3 = replace(D0[0], groups=3), D0[1]
D1 = ConvSpec(3, 256, 5, bias=False), (1, 3, 12, 12)
D2 = ConvSpec(3, 16, 3, padding=1), (1, 3, 32, 32)
D3 = ConvSpec(3, 6, 3, 3), (1, 3, 6, 6)
D3_IN_3 = replace(D3[0], groups=3), D3[1]
D4 = ConvSpec(8, 6, 1), (1, 8, 1, 1)
INNER = ConvSpec(128, 128, 3, padding=1), (1, 128, 28, 28)  # a size that networks use
XCEPTION = ConvSpec(728, 728, 3, padding=1, bias=False), (1, 728, 19, 19)  # the layer that it has most of
MI = 2**20

# fmt: off
CLAIMS = (
    Claim("D0-1", "227×227×3, 11×11, 6 filters: the output", (1, 6, 55, 55),
          {f"stride {s}, padding {p}": partial(output_shape, replace(D0[0], stride=s, padding=p), D0[1])
           for s, p in ((4, 0), (4, 1), (1, 0))},
          "Neither stride nor padding is given. 4 is the stride of AlexNet's first layer, which has 96 such filters."),
    Claim("D0-2", "the 227×227×3 layer: parameters", {"without bias": 2_178}, parameters(D0[0])),
    Claim("D0-3", "the 227×227×3 layer: operations", {"FLOPs with bias": 13_176_900}, operations(*D0),
          "By D0-4 a calculation without −1 is one with bias. D0-2's, in the same example, is one without."),
    Claim("D0-4", "FLOPs of one output number, beyond 2·K²·C", {"without bias": "−1", "with bias": "0"},
          {name: Formula(text, flops_beyond, STANDARD, bias) for text, (name, bias) in zip(("−1", "0"), BIAS.items())},
          "n products need n − 1 additions; a bias adds one. D0-3 shows the rest, 2·K²·C; the formula is missing "
          "(D0-12)."),
    Claim("D0-5", "grouped kernels: parameters, as a part of those without groups", "1/g",
          {"weights": Formula("1/g", share(params_by_torch), GROUPED)}),
    Claim("D0-6", "grouped kernels: parameters", "N·(C/g)·K·K",
          {"weights": Formula("M·(C/g)·K·K", params_by_torch, GROUPED)},
          "D0 never defines N. The output channels are meant.", meant="M·(C/g)·K·K"),
    Claim("D0-7", "grouped layer: operations",
          dict.fromkeys(("FLOPs without bias", "FLOPs with bias"), "((2·K²·C/g + 1)·H·W·M/g)·g"),
          {"FLOPs without bias": Formula("(2·K²·C/g − 1)·H·W·M", flops_by_loops, GROUPED),
           "FLOPs with bias": Formula("2·K²·C/g·H·W·M", flops_by_loops, GROUPED, True),
           "2 × MACs + bias additions": Formula("(2·K²·C/g + 1)·H·W·M", flops_and_biases, GROUPED)},
          "D0 names two conventions, −1 and nothing (D0-4), and + 1 is neither. Some tools count so, DeepSpeed is "
          "one. Its C_o is undefined; C₁, our M, is meant."),
    Claim("D0-8", "the 227×227×3 layer, g = 3: parameters", {"without bias": 726}, parameters(D0_IN_3[0])),
    Claim("D0-9", "the 227×227×3 layer, g = 3: operations", 2_205_225,
          operations(*D0_IN_3) | {"2 × MACs + bias additions": partial(flops_and_biases, *D0_IN_3)},
          "D0-7's formula gives the last of these. It is twice what is printed: the factor M/g = 2 was dropped."),
    Claim("D0-10", "the section on depthwise-separable convolution", None,
          {"parameters, depthwise and pointwise": lambda: each(params_by_torch, D0),
           "parameters": lambda: sum(each(params_by_torch, D0)),
           "MACs, depthwise and pointwise": lambda: each(mac_count, D0),
           "MACs": lambda: sum(each(mac_count, D0)),
           "share of the standard MACs": Formula("1/M + 1/K²", separable_share, (D0,))},
          "The text breaks off. This completes it for the 227×227×3 layer, without bias."),
    Claim("D0-11", "grouped layer: parameters, the second formula", "K·K·(C/g)·(M/g)·g",
          {"weights": Formula("K²·C/g·M", params_by_torch, GROUPED)}, "This is D0-6 without its misprint."),
    Claim("D0-12", "the formulas of the standard layer", None,
          {"parameters without bias": Formula("K²·C·M", params_by_torch, STANDARD),
           "FLOPs without bias": Formula("(2·K²·C − 1)·H·W·M", flops_by_loops, STANDARD),
           "FLOPs with bias": Formula("2·K²·C·H·W·M", flops_by_loops, STANDARD, True)},
          "Numbers are put \"into the formula\", and none stands before. This completes it."),
    Claim("D1-1", "12×12×3, 5×5: the output", {"1 filter": (1, 1, 8, 8), "256 filters": (1, 256, 8, 8)},
          {"1 filter": partial(output_shape, replace(D1[0], out_channels=1), D1[1]),
           "256 filters": partial(output_shape, *D1)},
          "Stride 1 and no padding are the defaults."),
    Claim("D1-2", "the 12×12×3 layer: multiplications", 1_228_800, {"MACs": partial(mac_count, *D1)},
          "Multiplications alone are MACs."),
    Claim("D1-3", "the 12×12×3 layer: parameters", {"without bias": 19_200}, parameters(D1[0])),
    Claim("D1-4", "the 12×12×3 layer: depthwise step", {"multiplications": 4_800, "parameters": 75},
          {"multiplications": lambda: each(mac_count, D1)[0], "parameters": lambda: each(params_by_torch, D1)[0]}),
    Claim("D1-5", "a depthwise kernel, as a part of the original one", {"C = 3": "1/3"},
          {f"C = {C}": Formula("1/C", depthwise_part, (layer,)) for C, layer in zip((3, 4), STANDARD)},
          "In general 1/C. The sentence computes with 3 channels, so it is held to them."),
    Claim("D1-6", "the 12×12×3 layer: pointwise step", {"multiplications": 49_152, "parameters": 768},
          {"multiplications": lambda: each(mac_count, D1)[1], "parameters": lambda: each(params_by_torch, D1)[1]}),
    Claim("D1-7", "the 12×12×3 layer: both steps, and their share of the standard multiplications",
          {"sum": 53_952, "share": Says("4.39 %", lambda part: round(100 * part, 2) == Fraction("4.39"))},
          {"sum": lambda: sum(each(mac_count, D1)), "share": Formula("1/M + 1/K²", separable_share, (D1,)),
           "share of the parameters": partial(separable_share, *D1, count=params_by_torch)},
          "The share is rounded. The parameters shrink by the same one."),
    Claim("D1-8", "what a separable layer does",
          Says("weigh each channel once, then mix M times", lambda value: value == 1),
          {"share of outputs that a layer with kernels P[i, c]·D[c] gives too": lambda: merged_kernels()[1].mean(),
           "rank of one channel's M kernels": lambda: rank_of_a_channel(merged_kernels()[0])},
          "As algebra: each channel's M kernels are multiples of one."),
    Claim("D1-9", "what the depthwise step is",
          Says("the first step of the standard convolution: weigh each channel, do not add", lambda part: part == 1),
          {"share of one filter's outputs that it gives, if its channels are added":
               lambda: first_step_of_a_filter().mean()},
          "The step of one filter. The standard layer does it for each of its M filters, as D1 says at its end."),
    Claim("D2-1", "standard layer on a D×D input: cost", "C·M·K²·D²",
          {"stride 1, same padding (H = W = D)": Formula("C·M·K²·H·W", macs_by_loops, SAME),
           "stride 2, or no padding (H = W < D)": Formula("C·M·K²·H·W", macs_by_loops, SMALLER)},
          "The output's H·W counts. It is D² for stride 1 with same padding, and that is no default. D2's code has "
          "both, for one layer; the formula is printed for any D and K."),
    Claim("D2-2", "separable layer on a D×D input: cost of depthwise, pointwise, both",
          "(C·K²·D², C·M·D², C·K²·D² + C·M·D²)",
          {name: Formula("(C·K²·H·W, C·M·H·W, C·(K² + M)·H·W)", both_steps, layers)
           for name, layers in (("stride 1, same padding (H = W = D)", SAME),
                                ("stride 2, or no padding (H = W < D)", SMALLER))},
          "As in D2-1: nothing names the stride or the padding."),
    Claim("D2-3", "standard / separable", dict.fromkeys(("in general", "3→16, 3×3"), "M/(K² + M)"),
          {"in general": Formula("K²·M/(K² + M)", saving, STANDARD),
           "3→16, 3×3": Formula("K²·M/(K² + M)", partial(saving, count=mac_count), (D2,))},
          "A factor K² is lost. Below 1 would mean dearer, for its own layer 3→16."),
    Claim("D2-4", "the saving for large M", Says("very clear", lambda saved: saved > 2),
          {f"{K}×{K}, M = {M:,}": partial(saving_of, M, K) for K, M in ((3, 16), (3, 256), (3, 10**6), (2, 10**6))},
          "It grows with M and stays below K². (Nobody separates a 1×1 layer, where nothing is saved.)"),
    Claim("D2-5", "3→16, 3×3, padding 1, on 32×32: the output shapes", None,
          {"standard": partial(output_shape, *D2), "separable": lambda: output_shape(*steps(*D2)[1]),
           "parameters, standard": partial(params_by_torch, *D2),
           "parameters, separable": lambda: sum(each(params_by_torch, D2)),
           "MACs, standard": partial(mac_count, *D2), "MACs, separable": lambda: sum(each(mac_count, D2))},
          "Its code prints the two shapes. What it printed is not in the copy."),
    Claim("D2-6", "depthwise: kernels for each input channel", {"depth multiplier 1": 1},
          {f"depth multiplier {m}":
               lambda m=m: Fraction(weight_shape_by_torch(ConvSpec.depthwise(3, 5, multiplier=m))[0], 3)
           for m in (1, 2)},
          "It is a definition, and the usual one. PyTorch can also have m kernels for each: a depth multiplier m."),
    Claim("D2-7", "Xception", Says("raises the efficiency of networks further"),
          {"MACs of its 3×3 layers of 728 channels, as a part of standard ones":
               Formula("1/M + 1/K²", separable_share, (XCEPTION,))},
          "Efficiency is accuracy or speed for a cost. A count gives the cost alone."),
    Claim("D2-8", "its layer, 3→16, 3×3: parameters", {"standard / separable": Says("clearly fewer", lambda n: n > 2)},
          {"standard / separable": partial(saving, *D2, params_by_torch),
           "for a layer 3→1": partial(saving, replace(D2[0], out_channels=1), D2[1], params_by_torch)},
          "For the layer of its code. With one filter there are more, not fewer."),
    Claim("D2-9", "what becomes of the standard layer",
          Says("it is decomposed into two steps", lambda rank: rank == 1),
          {"rank of one channel's M kernels, P[i, c]·D[c]": lambda: rank_of_a_channel(merged_kernels()[0]),
           "rank of other kernels": lambda: rank_of_a_channel(np.arange(60).reshape(5, 3, 4) ** 2 % 11 - 4)},
          "Two steps can give just what a standard layer gives only at rank 1 (D1-8). Else they replace it by a layer "
          "that can do less."),
    Claim("D3-1", "standard layer: parameters", {"without bias": "K²·C·M", "with bias": "(K²·C× +1)·M"},
          {"without bias": Formula("K²·C·M", params_by_torch, STANDARD),
           "with bias": Formula("(K²·C + 1)·M", params_by_torch, STANDARD, True)},
          "A stray ×.", meant={"without bias": "K²·C·M", "with bias": "(K²·C + 1)·M"}),
    Claim("D3-2", "standard layer: FLOPs",
          {"without bias": "(K²·C + (K²·C − 1))·H·W·M", "with bias": "(K²·C + (K²·C − 1) + 1)·H·W·M"},
          {"without bias": Formula("(2·K²·C − 1)·H·W·M", flops_by_loops, STANDARD),
           "with bias": Formula("2·K²·C·H·W·M", flops_by_loops, STANDARD, True)}),
    Claim("D3-3", "grouped layer: shape of the kernel", {"inputs first": "(g·C, M, K, K)"},
          {"inputs first": Formula("(C/g, M, K, K)", inputs_first, GROUPED),
           "outputs first (PyTorch)": Formula("(M, C/g, K, K)", weight_shape_by_torch, GROUPED)},
          "Each filter is C/g channels deep: divided by g, not multiplied. All its formulas, and its sentence on the "
          "products of one output, have C/g.", meant={"inputs first": "(C/g, M, K, K)"}),
    Claim("D3-4", "grouped layer: parameters and FLOPs",
          {"parameters without bias": "K²·(C/g)·(M/g)·g", "parameters with bias": "(K²·C/g + 1)·(M/g)·g",
           "FLOPs without bias": "(K²·C/g + (K²·C/g − 1))·H·W·(M/g)·g",
           "FLOPs with bias": "(K²·C/g + (K²·C/g − 1) + 1)·H·W·(M/g)·g"},
          {"parameters without bias": Formula("K²·C/g·M", params_by_torch, GROUPED),
           "parameters with bias": Formula("(K²·C/g + 1)·M", params_by_torch, GROUPED, True),
           "FLOPs without bias": Formula("(2·K²·C/g − 1)·H·W·M", flops_by_loops, GROUPED),
           "FLOPs with bias": Formula("2·K²·C/g·H·W·M", flops_by_loops, GROUPED, True)}),
    Claim("D3-5", "3→6, 3×3, on 1×3×6×6: the output", {"stride 3": (1, 6, 2, 2)},
          {f"stride {s}": partial(output_shape, replace(D3[0], stride=s), D3[1]) for s in (3, 1)},
          "Its words name no stride, its code does: the fourth argument, 3. Code counts as text."),
    Claim("D3-6", "the 1×3×6×6 layer: FLOPs", {"FLOPs with bias": 1_296}, operations(*D3)),
    Claim("D3-7", "the 1×3×6×6 layer, g = 3: FLOPs", {"print": "((27) + (27 − 1) + 1)·2·2·6/3·3", "value": 432},
          {"print": Formula("((9) + (9 − 1) + 1)·2·2·(6/3)·3", flops_by_loops, (D3_IN_3,), True),
           "value": partial(flop_count, *D3_IN_3)},
          "The print gives 1,296. Either 3·3·3 stands for 3·3·1, or the last ·3 is too many: it goes on with 1296/3. "
          "The value, the general formula and the code have it right.",
          meant={"print": "((9) + (9 − 1) + 1)·2·2·6/3·3", "value": 432}),
    Claim("D3-8", "the 1×3×6×6 layer: a check by thop, which prints 1,296 and 432",
          Says("thop's number is the FLOPs", lambda part: part == 1),
          {f"thop / FLOPs on 6×6 and 12×12, g = {g}, inputs=({'x,' if comma else 'x'})": partial(by_thop, g, comma)
           for comma in (False, True) for g in (1, 3)},
          "Its numbers are what its code prints, and no check. Without the comma thop takes the height for the "
          "channels, 6 for 3: twice the MACs, which are half the FLOPs. Two errors cancel, on this image (lesson 08)."),
    Claim("D3-9", "depthwise layer: speed", Says("faster in theory only: too few FLOPs for each byte"),
          {"FLOPs for each byte, standard": lambda: round(arithmetic_intensity(*INNER), 1),
           "FLOPs for each byte, depthwise": lambda: round(arithmetic_intensity(*steps(*INNER)[0]), 1)},
          "128 channels, 3×3, padding 1, on 28×28, float32, each number moved once. This explains the claim; the time "
          "is measured in lesson 10."),
    Claim("D3-10", "fully connected layer",
          {"parameters without bias": "C·M", "parameters with bias": "(C + 1)·M",
           "FLOPs without bias": "(C + (C − 1))·M", "FLOPs with bias": "(C + (C − 1) + 1)·M"},
          {"parameters without bias": Formula("C·M", params_by_torch, LINEAR),
           "parameters with bias": Formula("(C + 1)·M", params_by_torch, LINEAR, True),
           "FLOPs without bias": Formula("(2·C − 1)·M", flops_by_loops, LINEAR),
           "FLOPs with bias": Formula("2·C·M", flops_by_loops, LINEAR, True)}),
    Claim("D3-11", "grouped layer: parameters, as a part of those without groups", "1/g",
          {"without bias": Formula("1/g", share(params_by_torch), GROUPED),
           "with bias": Formula("(K²·C/g + 1)/(K²·C + 1)", share(params_by_torch), GROUPED, True)},
          "The M biases stay: D3's own formula with bias (D3-4) gives more than 1/g."),
    Claim("D3-12", "standard layer: shape of the kernel", {"inputs first": "(C, M, K, K)"},
          {"inputs first": Formula("(C, M, K, K)", inputs_first, STANDARD),
           "outputs first (PyTorch)": Formula("(M, C, K, K)", weight_shape_by_torch, STANDARD)},
          "The order of the axes is a convention, and the print shows it. PyTorch has the outputs first."),
    Claim("D3-13", "the 1×3×6×6 layer: shape of the convolution, inputs first", (3, 6, 3, 3),
          {f"g = {spec.groups}": partial(inputs_first, spec) for spec, _ in (D3, D3_IN_3)},
          "Printed once, for both layers. With g = 3 a filter is 3/3 = 1 channel deep; D3-3, as printed, would make it "
          "9."),
    Claim("D4-1", "8→8 channels: weights without groups, in each of 2 groups, in both",
          {"1×1, without bias": [64, 16, 32]},
          {"1×1, without bias": partial(in_two_groups, 8, 8, 1, bias=False),
           "1×1, with bias": partial(in_two_groups, 8, 8, 1, bias=True),
           "3×3, without bias": partial(in_two_groups, 8, 8, 3, bias=False)},
          "Its calculation, 8·8 weights, shows 1×1 kernels and no bias."),
    Claim("D4-2", "Conv2d(8, 6, 1): the output", dict.fromkeys(("2 groups", "without groups"), (1, 16, 1, 1)),
          {"2 groups": partial(output_shape, replace(D4[0], groups=2), D4[1]),
           "without groups": partial(output_shape, *D4)},
          "The layer has 6 output channels."),
    Claim("D4-3", "Conv2d(8, 6, 1, groups=2): parameters in each group, in both", [24, 48],
          {name: lambda bias=bias: in_two_groups(8, 6, 1, bias=bias)[1:] for name, bias in BIAS.items()},
          "Each group makes M/g = 3 outputs, not 6: D4-10 says so."),
    Claim("D4-4", "Conv2d(8, 6, 1): parameters", {"with bias": 48}, parameters(D4[0]),
          "Its code builds the layer with a bias, PyTorch's default. 48 are the weights, and by D4-3 grouping "
          "would save nothing."),
    Claim("D4-5", "grouped layer: computation", Says("less, forward and backward", lambda part: part < 1),
          {"MACs forward, as a part of those without groups": Formula("1/g", share(pass_macs), GROUPED),
           "backward": Formula("1/g", share(partial(pass_macs, backward=True)), GROUPED)},
          "Counts; the time is D4-9."),
    Claim("D4-6", "grouped layer on multicore CPUs and GPUs: speed", Says("more efficient"),
          {"MACs, as a part of those without groups": Formula("1/g", share(macs_by_loops), GROUPED)},
          "The time depends on shape, library and hardware; lesson 10 measures it."),
    Claim("D4-7", "grouped layer: memory", {"weights, input and output": Says("saved", lambda part: part < 1)},
          {"weights, input and output": lambda: [share(all_bytes)(replace(spec, bias=False), x) for spec, x in GROUPED],
           "weights": Formula("1/g", share(lambda *layer: memory_bytes(*layer).weight_bytes), GROUPED),
           "input and output": Formula("1", share(lambda *layer: sum(memory_bytes(*layer)[::2])), GROUPED)},
          "As parts of those without groups, on two layers. The weights shrink, the activations do not: the sum does."),
    Claim("D4-8", "grouped layer: parallelism",
          {"parts that share no input": Says("more, as each group can be computed on its own", lambda n: n > 1)},
          {"parts that share no input": Formula("g", share(separate_parts), GROUPED),
           "output numbers": Formula("1", share(output_numbers), GROUPED)},
          "It names the sense: groups are independent, g parts in place of one, as on AlexNet's two GPUs. In another "
          "sense nothing is won: all output numbers can be computed at once, with groups or without."),
    Claim("D4-9", "grouped layer: training and inference", Says("faster"),
          {"MACs, as a part of those without groups": Formula("1/g", share(macs_by_loops), GROUPED)},
          "The time depends on shape, library and hardware; lesson 10 measures it."),
    Claim("D4-10", "inputs and outputs of one group", "(C/g, M/g)",
          {"PyTorch": Formula("(C/g, M/g)", group_channels_by_torch, GROUPED)},
          "D4-3 contradicts it: there a group has all M outputs."),
    Claim("D4-11", "Conv2d(8, 6, 1), 2 groups against none",
          {"output shapes": Says("the same", lambda shapes: shapes == 1),
           "parameters": Says("fewer", lambda part: part < 1)},
          {"output shapes": lambda: len({output_shape(replace(D4[0], groups=g), D4[1]) for g in (1, 2)}),
           "parameters": partial(share(params_by_torch), replace(D4[0], groups=2), D4[1])},
          "So D4-3 and D4-4 contradict it: 48 and 48."),
    Claim("S1-1", "VGG-16: Params(M)", {"parameters": rounded("138.36", 10**6, "million")},
          {"parameters": lambda: network_table("VGG-16").total.params}),
    Claim("S1-2", "VGG-16 on 224×224: MACs(G)", {"MACs": rounded("15.61", 10**9, "billion")},
          {"MACs": lambda: network_table("VGG-16").total.macs},
          "The thop of 2019 counted MACs and bias additions in a convolution, multiplications and additions in a "
          "linear layer: two conventions in one sum. thop 0.1.1 gives 15.47."),
    Claim("S2-1", "the two layers with 4096 outputs: parameters",
          dict.fromkeys(("AlexNet, bytes", "the book's AlexNet, bytes"),
                        Says("nearly 1 GB", lambda count: 0.8 * 10**9 < count < 2**30)),
          {"AlexNet, bytes": partial(matrix_bytes, 9216), "the book's AlexNet, bytes": partial(matrix_bytes, 6400)},
          "S2-2 and S2-4 contradict it. Four copies (weights, gradients, two averages of Adam) would be near, "
          "but these are no parameters."),
    Claim("S2-2", "matrices of 6400×4096 and 4096×4096: memory", Says("164 MB", lambda count: round(count) == 164),
          {"MB = 2²⁰ bytes": lambda: Fraction(matrix_bytes(6400), MI),
           "MB = 10⁶ bytes": lambda: Fraction(matrix_bytes(6400), 10**6)},
          "In units of 2²⁰ bytes, often written MiB, with 4 bytes a weight."),
    Claim("S2-3", "the same matrices: work", Says("81 MFLOPs", lambda count: round(count) == 81),
          {f"{name}, M = {unit}": lambda count=count, value=value: Fraction(two_matrices(6400, *count), value)
           for unit, value in (("2²⁰", MI), ("10⁶", 10**6))
           for name, *count in (("FLOPs without bias", flop_count), ("FLOPs with bias", flop_count, True),
                                ("MACs", mac_count))},
          "None rounds to 81. With bias, as in the book's code, it is 82.0 in units of 2²⁰. Without, 81.99 was perhaps "
          "cut."),
    Claim("S2-4", "the same two layers: parameters", Says("more than 40 million", lambda count: count > 40 * 10**6),
          {name: partial(two_matrices, 6400, lambda spec, _: param_count(spec), bias) for name, bias in BIAS.items()},
          "4 bytes each: so S2-2, and not S2-1."),
)
# fmt: on


def check_choice(name: str, value: str | None, possible) -> None:
    """Raise a ValueError that lists what is possible, unless `value` is one of it or None."""
    if value is not None and value not in possible:
        raise ValueError(f"{name}={value!r}; wanted one of {', '.join(possible)}")


def claim(id: str) -> Claim:
    """Return the claim with this id.

    Raises:
        ValueError: there is none.
    """
    by_id = {row.id: row for row in CLAIMS}
    check_choice("id", id, by_id)
    return by_id[id]


def claims(verdict: str | None = None, document: str | None = None) -> ClaimTable:
    """Return the ledger, or its claims of one verdict, of one text (D0 to D4, S1, S2), or of both.

    Raises:
        ValueError: there is no such verdict or document.

    >>> [row.id for row in claims("typo").claims]
    ['D0-6', 'D3-1', 'D3-3', 'D3-7']
    """
    check_choice("verdict", verdict, VERDICTS)
    check_choice("document", document, DOCUMENTS)
    return ClaimTable((row for row in CLAIMS if document in (None, row.id[:2])), verdict)
