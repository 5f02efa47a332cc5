"""What several exercises share: a changed layer, the usual mistakes in an output's size, a search for a width."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch

from convlab.cost import products_per_output
from convlab.shape import output_shape


def on_changed_layer(function, **change):
    """Return `function` as it is for the same layer with some fields changed."""
    return lambda spec, *rest: function(replace(spec, **change), *rest)


def integers(*sizes) -> torch.Tensor:
    """Return a fixed tensor of small whole numbers, so that every result is exact and every message repeats."""
    return torch.randint(-4, 5, sizes, generator=torch.Generator().manual_seed(sum(sizes))).float()


def widest(cost, budget, step=1):
    """Return the largest multiple of `step` whose `cost(width)` is within the budget."""
    width = step
    while cost(width + step) <= budget:
        width += step
    return width


def by_output(each):
    """Return an exercise-shaped count: `each(n, spec)` for each output number, which is a sum of n products."""
    return lambda spec, x: each(products_per_output(spec), spec) * prod(output_shape(spec, x))


def size_mistakes(count):
    """Return the usual mistakes in the output's size as they show in a `count` over all output numbers of a layer."""

    def on_positions(change):
        """Return the count if the window stops at `change(height, width, input_shape)` positions."""

        def makes(spec, x):
            *_, height, width = output_shape(spec, x)
            return count(spec, x) // (height * width) * change(height, width, x)

        return makes

    return {
        "That is what comes out when the stride is ignored.": on_changed_layer(count, stride=1),
        "That is what comes out when the padding is ignored.": on_changed_layer(count, padding=0),
        "That is what comes out when the dilation is ignored.": on_changed_layer(count, dilation=1),
        "The + 1 is missing: the first position counts before the window has moved.": on_positions(
            lambda height, width, x: (height - 1) * (width - 1)
        ),
        "That counts the positions of the input. The window stops only where the output has a number.": on_positions(
            lambda height, width, x: x[2] * x[3]
        ),
    }
