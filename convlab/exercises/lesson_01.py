"""The exercises of lesson 01: what one convolution computes."""

from __future__ import annotations

from math import prod

from convlab.exercises.common import SIZE_MISTAKES, integers, true_size
from convlab.exercises.exercise import Exercise, Mistake
from convlab.reference import conv2d_im2col

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
    mistakes=SIZE_MISTAKES,
    hints=[
        "Pad first: how long is the row with its zeros? Then: how many cells does the window span, gaps included?",
        "The window can move by (padded row − span). It starts at 0 and takes steps of `stride` as long as they fit.",
        "(size + 2*padding - dilation*(kernel - 1) - 1) // stride + 1",
    ],
    takeaway="Padded row minus span, divided by the stride, rounded down, plus the first position.",
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
    mistakes=[
        Mistake("That is what comes out when the stride is ignored.", lambda x, w, s: true_conv2d(x, w, 1)),
        Mistake(
            "That steps by the stride where the result is written, and not where the input is read.",
            lambda x, w, s: true_conv2d(x, w, 1)[tuple(map(slice, true_conv2d(x, w, s).shape))],
        ),
        Mistake(
            "The output is one row and one column short: (size − kernel) // stride, + 1 for the first position.",
            lambda x, w, s: true_conv2d(x, w, s)[:, :-1, :-1],
        ),
        Mistake(
            "That is the first channel alone. The products of all channels are summed.",
            lambda x, w, s: true_conv2d(x[:1], w[:, :1], s),
        ),
        Mistake(
            "That is the first filter alone. Each filter gives one output channel.",
            lambda x, w, s: true_conv2d(x, w[:1], s),
        ),
        Mistake(
            "The axis of images is still there, of length 1. Take [0] of it.",
            lambda x, w, s: true_conv2d(x, w, s)[None],
        ),
        Mistake(
            "That is the last channel alone: = puts a number in the place of the sum, += adds to it.",
            lambda x, w, s: true_conv2d(x[-1:], w[:, -1:], s),
        ),
        Mistake(
            "That is the first filter alone, without the axis of filters.", lambda x, w, s: true_conv2d(x, w[:1], s)[0]
        ),
        Mistake("Height and width are swapped in your result.", lambda x, w, s: true_conv2d(x, w, s).swapaxes(1, 2)),
        Mistake(
            "That flips the kernel, as a convolution in mathematics does. In PyTorch the kernel is not flipped.",
            lambda x, w, s: true_conv2d(x, w.flip(2, 3), s),
        ),
        Mistake(
            "That is the mean of the products. A convolution is their sum.",
            lambda x, w, s: true_conv2d(x, w, s) / prod(w.shape[1:]),
        ),
    ],
    hints=[
        "Loop over the filter m and the position i, j. The window is image[:, top:top + kh, left:left + kw].",
        "The window of output (i, j) starts in row i·stride and column j·stride. Height and width differ.",
        "out[m, i, j] = (image[:, i*stride:i*stride + kh, j*stride:j*stride + kw] * kernels[m]).sum()",
    ],
    takeaway="One filter, one output channel; one position, one number; all channels and all taps are summed.",
)


missing_padding = Exercise(
    target=lambda: next(p for p in range(10) if true_size(224, 7, 2, p, 1) == 112),
    mistakes=[
        Mistake("Without padding the output is 109×109: (224 − 7)/2 rounded down, + 1.", lambda: 0),
        Mistake("With 1 zero on each side the output is 110×110.", lambda: 1),
        Mistake("With 2 zeros on each side the output is 111×111.", lambda: 2),
        Mistake("A padding is a whole number, and the division rounds down: one cell is left over.", lambda: 2.5),
        Mistake("With 4 zeros on each side the output is 113×113.", lambda: 4),
        Mistake("That is both sides together. PyTorch's padding is the number of zeros on each side.", lambda: 6),
        Mistake("That is the size of the kernel. With 7 zeros on each side the output is 116×116.", lambda: 7),
    ],
    hints=[
        "Solve (224 + 2·p − 7)/2, rounded down, + 1 = 112 for p.",
        "The window has to move by 111 steps of 2, so by 222 or 223 cells. The row without padding gives 217.",
        "224 + 2·p − 7 = 223.",
    ],
    takeaway="223 cells hold 111 steps of 2, and one cell is left over. This is the first layer of ResNet.",
)
