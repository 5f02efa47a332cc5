"""The layers on which the counting tools are compared, each with its exact work from the definition.

Nothing here imports convlab. The work of a layer is found by a walk over its positions and taps; only the batch and
the channels, which all do the same, are multiplied in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import product
from typing import NamedTuple

import torch
from torch import nn

SIZES = (8, 10, 5)  # the axes of the input; a layer with fewer axes takes the first ones, here and below
CHANNELS = ((3, 5, 1), (4, 6, 2), (9, 6, 3), (8, 12, 4), (5, 5, 5), (3, 6, 3))  # in, out, groups
CONVOLUTIONS = (
    {"kernel_size": 1},
    {"kernel_size": 1, "stride": 2},
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (3, 2, 1)},
    {"kernel_size": (2, 3, 2), "stride": (2, 3, 1), "padding": (1, 0, 1)},
    {"kernel_size": 4, "stride": 3, "padding": 2},
    {"kernel_size": 3, "padding": 2, "dilation": 2},
    {"kernel_size": (3, 2, 2), "stride": 2, "padding": (0, 1, 1), "dilation": (1, 2, 2)},
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": 2, "padding": "same"},
    {"kernel_size": (3, 1, 5), "padding": "same", "dilation": (2, 1, 1)},
    {"kernel_size": (3, 2, 2), "stride": 2, "padding": "valid"},
    {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    {"kernel_size": (3, 5, 3), "stride": 2, "padding": (1, 2, 1), "padding_mode": "circular"},
)
TRANSPOSED = (
    {"kernel_size": 1},
    {"kernel_size": 3},
    {"kernel_size": 2, "stride": 2},
    {"kernel_size": 2, "stride": 3},  # places that no product reaches
    {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
    {"kernel_size": (3, 2, 1), "stride": (1, 2, 3), "padding": (1, 0, 0)},
    {"kernel_size": 4, "stride": 3, "padding": 2},
    {"kernel_size": 3, "padding": 2, "dilation": 2},
    {"kernel_size": (2, 3, 2), "stride": (2, 3, 1), "padding": (1, 0, 1), "dilation": (2, 1, 1)},
)


class Layer(NamedTuple):
    """A layer to count: `build()` makes the module, `input_shape` lacks the batch if the family is unbatched."""

    name: str
    build: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    family: str


def layers() -> Iterator[Layer]:
    """Yield the grid, 3,672 layers: every variant with every kind of channels, bias, batch, bare and wrapped."""
    for transposed, axes, (channels, out_channels, groups), bias in product(
        (False, True), (1, 2, 3), CHANNELS, (True, False)
    ):
        kind = f"Conv{'Transpose' * transposed}{axes}d"
        for variant in TRANSPOSED if transposed else CONVOLUTIONS:
            options = {key: value[:axes] if isinstance(value, tuple) else value for key, value in variant.items()}
            options |= {"groups": groups, "bias": bias}
            build = partial(getattr(nn, kind), channels, out_channels, **options)
            listed = ", ".join(f"{key}={value!r}" for key, value in options.items())
            name, shape = f"{kind}({channels}, {out_channels}, {listed})", (channels, *SIZES[:axes])
            family = "transposed" if transposed else "convolution"
            for batch in (1, 3):
                yield Layer(f"{name} on {(batch, *shape)}", build, (batch, *shape), family)
                wrapped = partial(in_sequential, build)
                yield Layer(f"Sequential({name}) on {(batch, *shape)}", wrapped, (batch, *shape), family)
            if variant in (CONVOLUTIONS[4], TRANSPOSED[4]):  # stride 2 and padding 1
                yield Layer(f"{name} on {shape}", build, shape, "unbatched")


def in_sequential(build: Callable[[], nn.Module]) -> nn.Sequential:
    """Return the layer as the only one of a Sequential."""
    return nn.Sequential(build())


class Work(NamedTuple):
    """Exact work: `additions` holds those of the sums and those of the bias, `bias_additions` the latter alone."""

    multiplications: int
    additions: int
    bias_additions: int


def exact_work(build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Work:
    """Return the work of a (transposed) convolution, alone or in a Sequential, from its definition.

    A product with a padding zero counts, and so does one that lands where a transposed convolution crops. A place
    of the uncropped output that receives n products takes n − 1 additions. A bias takes one for each number of the
    output that torch returns.

    >>> exact_work(partial(nn.Conv2d, 1, 1, 2), (1, 1, 3, 3))  # 4 products at 4 places
    Work(multiplications=16, additions=16, bias_additions=4)
    >>> exact_work(partial(nn.ConvTranspose1d, 1, 1, 2, bias=False), (1, 1, 3))  # 1, 2, 2 and 1 products
    Work(multiplications=6, additions=2, bias_additions=0)
    """
    with torch.device("meta"):
        module = build()
        output_count = module(torch.empty(input_shape)).numel()
    conv = module[0] if isinstance(module, nn.Sequential) else module
    axes = len(conv.kernel_size)
    batch = input_shape[0] if len(input_shape) == axes + 2 else 1
    geometry = conv.kernel_size, conv.stride, conv.padding, conv.dilation
    places = taps(conv.transposed, input_shape[-axes:], *geometry)
    products = [count * (conv.in_channels // conv.groups) for count in places]
    repeats = batch * conv.out_channels
    bias_additions = 0 if conv.bias is None else output_count
    additions = repeats * sum(count - 1 for count in products)
    return Work(repeats * sum(products), additions + bias_additions, bias_additions)


@cache
def taps(transposed: bool, sizes, kernel_size, stride, padding, dilation) -> tuple[int, ...]:
    """Return how many taps of one input channel fall on each place of the uncropped output that any falls on."""
    if transposed:  # each input number, times each tap, is added at its place
        starts = [range(0, size * s, s) for size, s in zip(sizes, stride)]
    else:
        spans = [d * (k - 1) for k, d in zip(kernel_size, dilation)]
        zeros = {"same": spans, "valid": [0] * len(sizes)}
        zeros = zeros[padding] if isinstance(padding, str) else [2 * p for p in padding]
        starts = [range(0, size + zero - span, s) for size, zero, span, s in zip(sizes, zeros, spans, stride)]
    places = Counter()
    for start, tap in product(product(*starts), product(*map(range, kernel_size))):
        places[tuple(i + u * d for i, u, d in zip(start, tap, dilation)) if transposed else start] += 1
    return tuple(places.values())
