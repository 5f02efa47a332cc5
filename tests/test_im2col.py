"""The figure of the matrix product shows the windows that torch unfolds, and its alt text says the sizes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from strategies import raises

from convlab.figures import Im2col, draw_im2col, show
from convlab.figures.canvas import HIGHLIGHT
from convlab.spec import ConvSpec

PLAIN = Im2col(ConvSpec(1, 2, 3), (1, 1, 4, 4), window=1)
PADDED = Im2col(ConvSpec(1, 3, (3, 2), stride=(2, 1), padding=(1, 0)), (1, 1, 3, 4), window=4)
DILATED = Im2col(ConvSpec(1, 1, 2, dilation=(2, 1)), (1, 1, 4, 4), window=5)


def cells(ax):
    """Return the text in each unit square, in the order of drawing; "" for none."""
    inside = {text.get_position(): text.get_text() for text in ax.texts}
    squares = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_facecolor()[3]]
    return [inside.get((p.get_x() + 0.5, p.get_y() + 0.5), "") for p in squares]


def marks(ax):
    """Return the (height, width) of each outline."""
    look = [p for p in ax.patches if not p.get_facecolor()[3]]
    assert all(
        np.allclose(p.get_edgecolor()[:3], [int(HIGHLIGHT[n : n + 2], 16) / 255 for n in (1, 3, 5)]) for p in look
    )
    return [(p.get_height(), p.get_width()) for p in look]


@pytest.mark.parametrize("data", [PLAIN, PADDED, DILATED])
def test_the_columns_are_the_windows_that_torch_unfolds(data):
    spec, shape, _ = data
    image = torch.arange(1, 1 + np.prod(shape)).reshape(shape).double()
    columns = F.unfold(image, spec.kernel_size, spec.dilation, spec.padding, spec.stride)[0].int()
    padded = F.pad(image, np.repeat(spec.padding[::-1], 2).tolist())[0, 0].int()
    n, b = columns.shape
    empty = [""] * (spec.out_channels * n), [""] * (spec.out_channels * b)
    wanted = [*map(str, padded.ravel().tolist()), *empty[0], *map(str, columns.ravel().tolist()), *empty[1]]
    assert cells(draw_im2col(data)) == wanted
    assert f"The marked column holds the numbers {', '.join(map(str, columns[:, data.window].tolist()))} of the" in (
        draw_im2col.describe(data)
    )


def test_one_window_is_marked_in_the_image_in_its_column_and_in_the_output():
    assert marks(draw_im2col(PLAIN)) == [(3, 3), (9, 1), (2, 1)]
    assert marks(draw_im2col(DILATED)) == [(3, 2), (4, 1), (1, 1)]


def test_the_alt_text_says_the_sizes_and_the_multiplications():
    assert repr(show(draw_im2col, PLAIN)) == (
        "Filters times windows, (2 × 9) · (9 × 4): 2 · 9 · 4 = 72 multiplications. The output is 2 × 4. "
        "The marked column holds the numbers 2, 3, 4, 6, 7, 8, 10, 11, 12 of the 4 × 4 image."
    )


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (PLAIN.spec, TypeError, "is a ConvSpec; wanted an Im2col, such as Im2col(ConvSpec(1, 2, 3), (1, 1, 4, 4))"),
        (Im2col(ConvSpec(3, 2, 3), (1, 3, 4, 4)), ValueError, "wanted one image with one channel"),
        (Im2col(ConvSpec(1, 2, 3), (2, 1, 4, 4)), ValueError, "wanted one image with one channel"),
        (PLAIN._replace(window=4), ValueError, "window=4; wanted a number from 0 to 3"),
        (PLAIN._replace(window=-1), ValueError, "window=-1 is too small"),
        (Im2col(ConvSpec(1, 2, 3), (1, 1, 9, 9)), ValueError, "output numbers of one filter=49 is too many to draw"),
        (Im2col(ConvSpec(1, 2, 4), (1, 1, 5, 5)), ValueError, "products of one output number=16 is too many to draw"),
        (Im2col(ConvSpec(1, 12, 3), (1, 1, 4, 4)), ValueError, "out_channels=12 is too many to draw"),
    ],
)
def test_what_cannot_be_drawn_is_refused(data, error, words):
    with raises(error, words):
        show(draw_im2col, data)


def test_two_in_a_row_are_refused():
    with raises(ValueError, "a matrix product needs the width of the page"):
        show(draw_im2col, PLAIN, PADDED)
