"""The exercises of lesson 01: what one convolution computes."""

from __future__ import annotations

from math import ceil

from convlab import shape
from convlab.exercises.choices import Choices
from convlab.exercises.common import integers
from convlab.exercises.exercise import Exercise
from convlab.reference import conv2d_im2col
from convlab.spec import ConvSpec


def true_size(size, kernel, stride, padding, dilation):
    """Return the output size on one axis, by `shape.output_shape` on a one-row image."""
    spec = ConvSpec(1, 1, (1, kernel), (1, stride), (0, padding), (1, dilation))
    return shape.output_shape(spec, (1, 1, 1, size))[-1]


output_size = Exercise(
    target=true_size,
    cases=[
        (12, 5, 1, 0, 1),
        (227, 11, 4, 0, 1),
        (32, 3, 1, 1, 1),
        (10, 3, 2, 0, 1),
        (19, 3, 3, 2, 2),
        (31, 4, 5, 3, 3),
        (40, 4, 1, 0, 3),
    ],
    mistakes={
        "That is what comes out when the stride is ignored.": lambda n, k, s, p, d: true_size(n, k, 1, p, d),
        "That is what comes out when the dilation is ignored.": lambda n, k, s, p, d: true_size(n, k, s, p, 1),
        "That is what comes out when the padding is ignored.": lambda n, k, s, p, d: true_size(n, k, s, 0, d),
        "That has neither padding nor dilation in it. Both are arguments.": lambda n, k, s, p, d: true_size(
            n, k, s, 0, 1
        ),
        "That is what comes out when the padding is on one side only: "
        "p zeros are added on both sides.": lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,
        "That is (W − F + 2P)//(S + 1), or (size − kernel + 2·padding)//(stride + 1): "
        "the + 1 belongs outside.": lambda n, k, s, p, d: (n - k + 2 * p) // (s + 1),
        "The + 1 is missing: the first position counts before the window has moved.": lambda n, k, s, p, d: (
            true_size(n, k, s, p, d) - 1
        ),
        "That rounds up. A last step that does not fit whole is not taken: round down.": lambda n, k, s, p, d: (
            ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1
        ),
        "That does not round. A step that does not fit whole is not taken: use //.": lambda n, k, s, p, d: (
            (n + 2 * p - d * (k - 1) - 1) / s + 1
        ),
        "That takes the window as d·K wide. K taps have K − 1 gaps: it spans d·(K − 1) + 1.": lambda n, k, s, p, d: (
            (n + 2 * p - d * k) // s + 1
        ),
        "The span is one short: K taps span d·(K − 1) + 1 cells.": lambda n, k, s, p, d: (
            (n + 2 * p - d * (k - 1)) // s + 1
        ),
        "Brackets are missing: // binds before + and −, so only the last number was divided.": lambda n, k, s, p, d: (
            n + 2 * p - d * (k - 1) - 1 // s + 1
        ),
    },
    hints=[
        "Pad first: how long is the row with its zeros? Then: how many cells does the window span, gaps included?",
        "The window can move by (padded row − span). It starts at 0 and takes steps of `stride` as long as they fit.",
        "(size + 2*padding - dilation*(kernel - 1) - 1) // stride + 1",
    ],
    takeaway="As a formula in words: padded row minus span, divided by stride, rounded down, plus the first position.",
)


def true_conv2d(image, kernels, stride):
    """Return the convolution of one image (C, H, W) with kernels (M, C, K, K)."""
    return conv2d_im2col(image[None], kernels, stride=stride).output[0]


conv2d = Exercise(
    target=true_conv2d,
    cases=[
        (integers(1, 4, 5), integers(1, 1, 2, 2), 1),
        (integers(3, 6, 8), integers(2, 3, 3, 2), 1),
        (integers(2, 7, 10), integers(3, 2, 3, 3), 2),
        (integers(3, 9, 8), integers(4, 3, 2, 3), 3),
    ],
    mistakes={
        "That is what comes out when the stride is ignored.": lambda x, w, s: true_conv2d(x, w, 1),
        "That steps by the stride where the result is written, and not where the input is read.": lambda x, w, s: (
            true_conv2d(x, w, 1)[tuple(map(slice, true_conv2d(x, w, s).shape))]
        ),
        "The output is one row and one column short: (size − kernel) // stride, "
        "+ 1 for the first position.": lambda x, w, s: true_conv2d(x, w, s)[:, :-1, :-1],
        "The last row is missing: (height − kernel height) // stride, + 1 for the first position.": lambda x, w, s: (
            true_conv2d(x, w, s)[:, :-1]
        ),
        "The last column is missing: (width − kernel width) // stride, + 1 for the first position.": lambda x, w, s: (
            true_conv2d(x, w, s)[:, :, :-1]
        ),
        "That is the first channel alone. The products of all channels are summed.": lambda x, w, s: true_conv2d(
            x[:1], w[:, :1], s
        ),
        "That is the first filter alone. Each filter gives one output channel.": lambda x, w, s: true_conv2d(
            x, w[:1], s
        ),
        "The axis of images is still there, of length 1. Take [0] of it.": lambda x, w, s: true_conv2d(x, w, s)[None],
        "That is the last channel alone: = puts a number in the place of the sum, += adds to it.": lambda x, w, s: (
            true_conv2d(x[-1:], w[:, -1:], s)
        ),
        "That is the first filter alone, without the axis of filters.": lambda x, w, s: true_conv2d(x, w[:1], s)[0],
        "Height and width are swapped in your result.": lambda x, w, s: true_conv2d(x, w, s).swapaxes(1, 2),
        "The kernel's height and width are swapped: kernels has the shape (M, C, height, width).": lambda x, w, s: (
            true_conv2d(x, w.reshape(*w.shape[:2], *w.shape[:1:-1]), s)
        ),
        "The kernel's rows and columns are swapped: row u of the kernel lies on row u of the window.": lambda x, w, s: (
            true_conv2d(x, w.swapaxes(2, 3), s)
        ),
        "That flips the kernel, as a convolution in mathematics does. "
        "In PyTorch the kernel is not flipped.": lambda x, w, s: true_conv2d(x, w.flip(2, 3), s),
    },
    hints=[
        "Loop over the filter m and the position i, j. The window is image[:, top:top + kh, left:left + kw].",
        "The window of output (i, j) starts in row i·stride and column j·stride. Height and width differ.",
        "out[m, i, j] = (image[:, i*stride:i*stride + kh, j*stride:j*stride + kw] * kernels[m]).sum()",
    ],
    takeaway="One filter, one output channel; one position, one number; all channels and all taps are summed.",
)


recall_01 = Choices(
    [
        (
            "c",
            {
                "a": "That is one channel. The filter has 5×5 weights in each of the 3 channels.",
                "b": "That adds the channels. Each of the 3 channels has its own 5×5 weights: they multiply.",
                "c": "One for each weight of the filter: 5·5·3.",
            },
        ),
        (
            "a",
            {
                "a": "The first product has nothing to be added to yet.",
                "b": "Two products are added up by one addition, not two.",
                "c": "That counts the products too.",
            },
        ),
        (
            "b",
            {
                "a": "Multiplications and additions, each counted as one, are FLOPs.",
                "b": "So MACs count multiplications.",
                "c": "The second half of the pair is an addition.",
            },
        ),
    ]
)

EDGES_ACROSS = (
    "That image is grey where all pixels are alike, and it shows vertical edges: its kernel compares left and right."
)
EDGES_DOWN = (
    "That image is grey where all pixels are alike, and it shows horizontal edges: its kernel compares above and below."
)
SHARP = "That image is as bright as the photograph, and its edges are harder: weights that add up to 1, some negative."
SOFT = "That image is as bright as the photograph, and its details are gone: nine equal weights take a mean."
MADE = {"a": EDGES_ACROSS, "b": SHARP, "c": SOFT, "d": EDGES_DOWN}
kernels = Choices(
    [("b", MADE), ("d", MADE), ("c", MADE), ("a", MADE)],
    hints=[
        "Add up the nine weights. If the sum is 1, a patch where all pixels are alike keeps its number.",
        "Two kernels add up to 0. One of them has a positive row, the other a positive column.",
        "Kernel 3 takes the mean of nine pixels, kernel 1 moves a pixel away from its neighbours.",
    ],
)

calls = Choices(
    [
        (
            "b",
            {
                "a": "One number, the third, already means a square kernel. The next argument is something else.",
                "b": "The window jumps by 3, so the output is 2×2.",
                "c": "Padding comes one argument later.",
            },
        ),
        (
            "c",
            {
                "a": "That would be without padding.",
                "b": "The padding is added on both sides.",
                "c": "Stride 1 and padding 1: a 3×3 kernel keeps the size.",
            },
        ),
        (
            "b",
            {
                "a": "That would be a stride of 2. The sixth argument is the dilation.",
                "b": "The sixth argument is the dilation. The window spans 5 cells, so a padding of 1 is too little.",
                "c": "A padding of 1 keeps the size for dilation 1. Here the window spans 5 cells.",
            },
        ),
        (
            "a",
            {
                "a": "The seventh argument is groups (lesson 03): each filter sees a third of the 3 channels.",
                "b": "That is the depth without groups.",
                "c": "A filter is never deeper than the image.",
            },
        ),
        (
            "c",
            {
                "a": 'That is `padding="valid"`.',
                "b": "With 4 zeros the row would become one longer.",
                "c": "A kernel of 4 needs 3 zeros to keep the size: one in front, two at the end.",
            },
        ),
    ]
)

missing_stride = Exercise(
    target=lambda: next(stride for stride in range(1, 12) if true_size(227, 11, stride, 0, 1) == 55),
    mistakes={
        "That would give a larger output: the window takes smaller steps.": lambda: 3,
        "That would give a smaller output: the window takes larger steps.": lambda: 5,
        "With stride 1 the window stops at 227 − 11 + 1 positions.": lambda: 1,
        "That is the kernel: then the windows would not even overlap.": lambda: 11,
        "That is 227/55 before rounding. The window needs 11 cells for itself, so it moves by 227 − 11.": lambda: (
            227 / 55
        ),
    },
    hints=[
        "How many cells can the window move by, and how many steps make 55 positions?",
        "It moves by 227 − 11 = 216 cells. The first position needs no step, so 54 steps follow.",
        "216/54 = 4.",
    ],
    takeaway="The stride can be worked out, but a text that leaves it out cannot be checked at a glance.",
)
