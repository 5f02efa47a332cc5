"""The exercises of lesson 05: what two cheap steps cannot do."""

from __future__ import annotations

from math import ceil

import numpy as np

from convlab.counting import separable_share
from convlab.exercises.choices import Choices
from convlab.exercises.common import integers
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

recall_05 = Choices(
    [
        (
            "a",
            {
                "a": "Equal neighbours cancel, so only a difference between left and right is left over.",
                "b": "Above and below have the same weights, so a difference between them does not show.",
                "c": "In a flat area the weights 1 and −1 meet equal numbers, and the sum is 0.",
            },
        ),
        (
            "b",
            {
                "a": "It does: its kernel covers K×K pixels of its channel.",
                "b": "Each channel stays on its own. Mixing is the work of the pointwise step.",
                "c": "It does: one multiplication for each weight of its kernel at each position.",
            },
        ),
        (
            "c",
            {
                "a": "256 filters, but each of them multiplies 3 numbers, not 1.",
                "b": "The 5×5 kernels belong to the depthwise step.",
                "c": "3·256 weights, each used once at the position.",
            },
        ),
    ]
)


def rank_of_four_filters() -> int:
    """Return how many kernels mix into vertical, horizontal and diagonal edges and a blur."""
    vertical = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    filters = [vertical, vertical.T, vertical + vertical.T, np.ones((3, 3))]
    return int(np.linalg.matrix_rank(np.reshape(filters, (4, 9))))


kernels_needed = Exercise(
    target=rank_of_four_filters,
    mistakes={
        "That is one kernel for each filter. One of the four can be mixed from others.": lambda: 4,
        "Volumes of one kernel are multiples of it. These filters are not.": lambda: 1,
        "The edges need two. Is the blur a mixture of them? The weights of both edge filters add up to 0, "
        "those of the blur to 9.": lambda: 2,
        "So many always suffice, as a kernel has 9 weights. Four filters need no more than 4.": lambda: 9,
        "That is the number of weights. Asked is the number of kernels in the depthwise step.": lambda: 36,
    },
    hints=[
        "Which of the four filters can be written as a sum of multiples of the others?",
        "The diagonal one is the vertical one plus the horizontal one. And the blur?",
        "Vertical, horizontal, blur: 3.",
    ],
    takeaway="Rank 3: three kernels, and the pointwise step mixes four outputs from them.",
)


def true_merged_kernel(depthwise, pointwise, multiplier):
    """Return the weights (M, C, K, K) of the layer that equals a depthwise and a pointwise layer in a row."""
    products = pointwise * depthwise[:, 0]  # (M, m·C, K, K)
    filters, _, *kernel = products.shape
    return products.reshape(filters, -1, multiplier, *kernel).sum(2)


merged_kernel = Exercise(
    target=true_merged_kernel,
    cases=[
        (integers(3, 1, 2, 2), integers(4, 3, 1, 1), 1),
        (integers(4, 1, 3, 3), integers(5, 4, 1, 1), 2),
        (integers(6, 1, 3, 3), integers(2, 6, 1, 1), 3),
    ],
    mistakes={
        "The multiplier is ignored: that has m·C input channels. "
        "Add the m kernels of each input channel.": lambda d, p, m: p * d[:, 0],
        "That sums over the input channels too. The merged kernel keeps them: "
        "the convolution does that sum.": lambda d, p, m: (p * d[:, 0]).sum(1, keepdim=True),
        "That sums over all channels, and drops their axis.": lambda d, p, m: (p * d[:, 0]).sum(1),
        "The kernels of a channel are neighbours: channel 0 has the kernels 0 to m − 1, "
        "channel 1 the next m.": lambda d, p, m: (p * d[:, 0]).reshape(len(p), m, -1, *d.shape[2:]).sum(1),
        "The first two axes are swapped: PyTorch's order is (M, C, K, K).": lambda d, p, m: true_merged_kernel(
            d, p, m
        ).transpose(0, 1),
        "That is the sum of the two weights. One is applied after the other, so they multiply.": lambda d, p, m: (
            (p + d[:, 0]).reshape(len(p), -1, m, *d.shape[2:]).sum(2)
        ),
        "That leaves out the weights of the pointwise step.": lambda d, p, m: true_merged_kernel(d, p * 0 + 1, m),
        "That is the mean over the m kernels. Their outputs are added.": lambda d, p, m: (
            true_merged_kernel(d, p, m) / m
        ),
    },
    hints=[
        "Follow one input number to one output number. It goes through m kernels, and each has its own weight in P.",
        "products = pointwise * depthwise[:, 0] has shape (M, m·C, K, K). Which of its m·C entries are of channel c?",
        "products.reshape(M, C, multiplier, K, K).sum(2)",
    ],
    takeaway="For one input channel, the M kernels are mixtures of m kernels: a matrix of rank m at most.",
)


def true_largest_multiplier(out_channels, kernel_size):
    """Return the largest m with which the two steps do fewer MACs than the standard layer; both are counted."""
    layer, window = ConvSpec(3, out_channels, kernel_size), (1, 3, kernel_size, kernel_size)
    return ceil(1 / separable_share(layer, window)) - 1


def _saving(filters, kernel):
    return kernel**2 * filters / (kernel**2 + filters)


largest_multiplier = Exercise(
    target=true_largest_multiplier,
    cases=[(256, 5), (16, 3), (6, 11), (18, 3), (1, 3)],
    mistakes={
        "That rounds up: with that multiplier the two steps already do more.": lambda m, k: ceil(_saving(m, k)),
        "With that multiplier the two steps do exactly as many MACs for some layers. Fewer are wanted.": lambda m, k: (
            k**2 * m // (k**2 + m)
        ),
        "That is the saving with m = 1. Wanted is a whole number, the largest m below it.": _saving,
        "K² kernels make every layer. They cost more than the standard layer.": lambda m, k: k**2,
        "That leaves out the depthwise step. Its share is m/M, and it counts too.": lambda m, k: k**2 - 1,
        "That is half of the ceiling. The share is m·(1/M + 1/K²).": lambda m, k: k**2 // 2,
        "As many kernels as filters cost more than the standard layer.": lambda m, k: m,
    },
    hints=[
        "The share is m·(1/M + 1/K²), and it has to stay below 1.",
        "So m stays below K²·M/(K² + M). Take care where this is a whole number.",
        "-(-kernel_size**2 * out_channels // (kernel_size**2 + out_channels)) - 1: rounded up, less one.",
    ],
    takeaway="The largest whole number below K²·M/(K² + M). It is below K², so exactness in general costs more than it "
    "saves.",
)
