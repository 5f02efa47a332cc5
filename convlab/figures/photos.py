"""Photographs, and what a convolution makes of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from convlab.figures.canvas import canvas, drawing, given


class Photo(NamedTuple):
    """A title and what is shown below it: (height, width) numbers, or (height, width, 3) for colours."""

    title: str
    numbers: Any


def _numbers(photo):
    if not isinstance(photo, Photo):
        raise TypeError(f"{given(photo)}; wanted a Photo, such as Photo('a temple', array)")
    numbers = np.asarray(photo.numbers)
    if numbers.ndim not in (2, 3) or not numbers.size or (numbers.ndim == 3 and numbers.shape[2] != 3):
        raise ValueError(f"the numbers have shape {numbers.shape}; wanted (height, width) or (height, width, 3)")
    return numbers


def describe_photo(photo: Photo) -> str:
    """Say what a photo is called and how many numbers it has."""
    height, width, *colours = _numbers(photo).shape
    return f"{photo.title}: a picture of {height} × {width} pixels{', in colour' if colours else ''}."


@drawing(describe_photo)
def draw_photo(photo: Photo, ax: Axes | None = None) -> Axes:
    """Draw numbers as shades of grey: 0 to 255 from black to white; if they lie around 0, as edges do, 0 is the middle.

    Around 0 means: their mean is closer to 0 than half their standard deviation. Colours are three numbers a pixel,
    each from 0 to 255.

    Raises:
        TypeError: no Photo.
        ValueError: an array of another shape.
    """
    numbers = _numbers(photo).astype(float)
    height, width = numbers.shape[:2]
    canvas(ax, width, height, photo.title)
    low, high = 0, 255
    if abs(numbers.mean()) < numbers.std() / 2 and numbers.min() < 0:
        high = np.quantile(np.abs(numbers), 0.99)  # a few far ones would make the rest grey
        low = -high
    shown = ((numbers - low) / ((high - low) or 1)).clip(0, 1)
    ax.imshow(shown, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), interpolation="nearest")
    ax.set(xlim=(0, width), ylim=(height, 0))
    return ax
