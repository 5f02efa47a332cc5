"""The explorer of a kernel: nine weights, and what they make of a photograph."""

from __future__ import annotations

from base64 import b64encode

import numpy as np

from convlab.explore.page import Explorer, Slider, check_range
from convlab.figures.canvas import show
from convlab.figures.photos import Photo, draw_photo
from convlab.wording import minus

SLIDERS = tuple(Slider(f"w{n}", f"row {n // 3}, column {n % 3}", -4, 4) for n in range(9))
MOST = 400  # pixels on a side: the script computes each of them at each step


def say_kernel(weights) -> str:
    """Say what the nine weights are, and what they make of a flat patch."""
    total = sum(weights)
    shown = (
        f"In the picture each result is divided by {total}, so that 0 is black and 255 is white."
        if total > 0
        else "In the picture 0 is grey, what is more is brighter, what is less is darker."
    )
    return (
        f"The weights are {', '.join(map(minus, weights))} and add up to {minus(total)}: where all nine pixels are "
        f"200, the result is {minus(200 * total)}. {shown}"
    )


def explore_kernel(photo, kernel) -> Explorer:
    """Return an explorer of a 3×3 kernel on a grey photograph: a slider for each of its nine weights.

    Args:
        photo: (height, width) numbers from 0 to 255, 3 to 400 on each side; rounded.
        kernel: (3, 3) whole numbers from −4 to 4, to begin with.

    Raises:
        ValueError: another shape, a pixel outside 0 to 255, a weight that is not whole or outside its slider.

    >>> explore_kernel(np.zeros((5, 5)), [[1, 0, -1]] * 3)  # doctest: +NORMALIZE_WHITESPACE
    The weights are 1, 0, −1, 1, 0, −1, 1, 0, −1 and add up to 0: where all nine pixels are 200, the result is 0.
    In the picture 0 is grey, what is more is brighter, what is less is darker.
    """
    pixels, weights = np.asarray(photo, float), np.asarray(kernel, float)
    if pixels.ndim != 2 or not 3 <= min(pixels.shape) <= max(pixels.shape) <= MOST:
        raise ValueError(f"the photo has shape {pixels.shape}; wanted (height, width), 3 to {MOST} each")
    if not (pixels.min() >= 0 and pixels.max() <= 255):
        raise ValueError(f"the pixels are {pixels.min():g} to {pixels.max():g}; wanted numbers from 0 to 255")
    if weights.shape != (3, 3) or not np.array_equal(weights, weights.round()):
        raise ValueError(f"kernel={np.asarray(kernel).tolist()}; wanted 3 rows of 3 whole numbers")
    pixels, weights = pixels.round().astype(np.uint8), weights.astype(int)
    state = {f"w{n}": int(weight) for n, weight in enumerate(weights.ravel())}
    check_range(SLIDERS, state)
    (rows, columns), total = pixels.shape, int(weights.sum())
    windows = np.lib.stride_tricks.sliding_window_view(pixels.astype(int), (3, 3))
    result = (windows * weights).sum((2, 3)) / max(total, 1)
    picture = show(draw_photo, Photo("The photograph", pixels), Photo("After the kernel", result))
    text = say_kernel(list(state.values()))
    state |= {"rows": rows, "columns": columns, "pixels": b64encode(pixels.tobytes()).decode()}
    return Explorer("kernel", SLIDERS, state, picture, text)
