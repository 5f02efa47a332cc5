"""What several exercises share: the usual mistakes in an output's size, and small tensors to work on."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

import torch

from convlab import shape
from convlab.exercises.exercise import Mistake
from convlab.spec import ConvSpec


def on_changed_layer(function, **change):
    """Return `function` as it is for the same layer with some fields changed."""
    return lambda spec, *rest: function(replace(spec, **change), *rest)


def integers(*sizes) -> torch.Tensor:
    """Return a fixed tensor of small whole numbers, so that every result is exact and every message repeats."""
    return torch.randint(-4, 5, sizes, generator=torch.Generator().manual_seed(sum(sizes))).float()


def size_by(count):
    """Return an exercise-shaped function from `count(free, stride)`, free = the places the window can move by."""
    return lambda size, kernel, stride, padding, dilation: count(
        size + 2 * padding - dilation * (kernel - 1) - 1, stride
    )


def true_size(size, kernel, stride, padding, dilation):
    """Return the output size on one axis, by `shape.output_shape` on a one-row image."""
    spec = ConvSpec(1, 1, (1, kernel), (1, stride), (0, padding), (1, dilation))
    return shape.output_shape(spec, (1, 1, 1, size))[-1]


SIZE_MISTAKES = [
    Mistake("That is what comes out when the stride is ignored.", lambda n, k, s, p, d: true_size(n, k, 1, p, d)),
    Mistake("That is what comes out when the dilation is ignored.", lambda n, k, s, p, d: true_size(n, k, s, p, 1)),
    Mistake("That is what comes out when the padding is ignored.", lambda n, k, s, p, d: true_size(n, k, s, 0, d)),
    Mistake(
        "That is what comes out when the padding is on one side only: p zeros are added on both sides.",
        lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,
    ),
    Mistake(
        "That is (W − F + 2P)/(S + 1), or (size − kernel + 2·padding)/(stride + 1): the + 1 belongs outside.",
        lambda n, k, s, p, d: (n - k + 2 * p) / (s + 1),
    ),
    Mistake(
        "That is (W − F + 2P)//(S + 1), or (size − kernel + 2·padding)//(stride + 1): the + 1 belongs outside.",
        lambda n, k, s, p, d: (n - k + 2 * p) // (s + 1),
    ),
    Mistake(
        "That is (W − F + 2P)//(S + 1), F being the span: the + 1 belongs outside.",
        size_by(lambda free, s: free // (s + 1)),
    ),
    Mistake("The + 1 is missing: the first position counts before the window has moved.", size_by(lambda f, s: f // s)),
    Mistake(
        "That rounds up. A last step that does not fit whole is not taken: round down.",
        size_by(lambda f, s: ceil(f / s) + 1),
    ),
    Mistake(
        "That does not round. A step that does not fit whole is not taken: use //.", size_by(lambda f, s: f / s + 1)
    ),
    Mistake(
        "That takes the window as d·K wide. K taps have K − 1 gaps: it spans d·(K − 1) + 1.",
        lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
    ),
    Mistake(
        "That takes kernel + dilation − 1 as the span. Each of the K − 1 gaps is d wide: d·(K − 1) + 1.",
        lambda n, k, s, p, d: (n + 2 * p - (k + d - 1)) // s + 1,
    ),
    Mistake(
        "The + 1 is inside the division. The first position is added after it.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s,
    ),
    Mistake(
        "The span is one short: K taps span d·(K − 1) + 1 cells.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
    ),
    Mistake(
        "Brackets are missing: // binds before + and −, so only the last number was divided.",
        lambda n, k, s, p, d: n + 2 * p - d * (k - 1) - 1 // s + 1,
    ),
    Mistake("That divides the image by the stride. The window has to fit inside it.", lambda n, k, s, p, d: n // s),
]


def size_mistakes(count):
    """Return the size mistakes as they show in a count over all output numbers of a layer."""

    def in_a_layer(wrong_size):
        def makes(spec, input_shape):
            sizes = zip(input_shape[2:], spec.kernel_size, spec.stride, spec.padding, spec.dilation, strict=True)
            true_positions = prod(shape.output_shape(spec, input_shape)[2:])
            return count(spec, input_shape) // true_positions * prod(wrong_size(*size) for size in sizes)

        return makes

    swapped = {
        "kernel_size": "Height and width of the kernel are swapped: kernel_size is (height, width).",
        "stride": "Height and width of the stride are swapped: stride is (height, width).",
        "padding": "Height and width of the padding are swapped: padding is (height, width).",
    }

    def with_swapped(field):
        return lambda spec, x: count(replace(spec, **{field: getattr(spec, field)[::-1]}), x)

    def with_height_for_both(spec, x):
        pairs = ("kernel_size", "stride", "padding", "dilation")
        return count(replace(spec, **{field: getattr(spec, field)[0] for field in pairs}), x)

    return [
        *(Mistake(mistake.why, in_a_layer(mistake.makes)) for mistake in SIZE_MISTAKES),
        *(Mistake(why, with_swapped(field)) for field, why in swapped.items()),
        Mistake(
            "The first number of each pair is used for both axes: pairs are (height, width).", with_height_for_both
        ),
        Mistake(
            "The output's height is used for its width too.",
            lambda spec, x: count(spec, x) // shape.output_shape(spec, x)[3] * shape.output_shape(spec, x)[2],
        ),
    ]
