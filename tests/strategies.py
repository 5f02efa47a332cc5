"""Random layers for hypothesis, and the helpers that several test files share.

Square kernels, equal channels and strides that divide let most bugs through, so nothing here is square, equal or
dividing on purpose. A layer is drawn as the arguments of `torch.nn.Conv2d`, so that a test hands the same ones to
torch and to `ConvSpec`.
"""

import re

import pytest
import torch
from hypothesis import strategies as st
from torch import nn


class Forward(nn.Module):
    """A module with one line as its forward: `f(self, *inputs)`; plain tensors become parameters."""

    def __init__(self, f, **attributes):
        super().__init__()
        self.f = f
        for name, value in attributes.items():
            setattr(self, name, nn.Parameter(value) if type(value) is torch.Tensor else value)

    def forward(self, *inputs, **named):
        return self.f(self, *inputs, **named)


def pairs(low: int, high: int):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def one_or_pair(low: int, high: int):
    return st.one_of(pairs(low, high), st.integers(low, high))


@st.composite
def layers(draw) -> dict:
    """Draw the arguments of a layer, as `torch.nn.Conv2d` takes them."""
    groups = draw(st.integers(1, 3))
    padding = draw(st.one_of(one_or_pair(0, 2), st.sampled_from(["same", "valid"])))
    return {
        "in_channels": groups * draw(st.integers(1, 3)),
        "out_channels": groups * draw(st.integers(1, 3)),
        "kernel_size": draw(one_or_pair(1, 4)),
        "stride": 1 if padding == "same" else draw(one_or_pair(1, 3)),
        "padding": padding,
        "dilation": draw(one_or_pair(1, 3)),
        "groups": groups,
        "bias": draw(st.booleans()),
    }


@st.composite
def cases(draw) -> tuple[dict, tuple]:
    """Draw a layer and the shape of an input that its window fits into."""
    layer = draw(layers())
    sizes = []
    for k, d, p in zip(*(both(layer[name]) for name in ("kernel_size", "dilation", "padding"))):
        span = d * (k - 1) + 1
        zeros = 2 * p if isinstance(p, int) else {"same": span - 1, "valid": 0}[p]
        smallest = max(1, span - zeros)
        sizes.append(draw(st.integers(smallest, smallest + 5)))
    return layer, (draw(st.integers(1, 3)), layer["in_channels"], *sizes)


@st.composite
def chains(draw) -> tuple[list[dict], tuple]:
    """Draw 1 to 4 layers, each of which fits the output of the one before, and the shape of the first input."""
    channels = draw(st.integers(1, 6))
    shape, chain = (draw(st.integers(1, 3)), channels, *draw(pairs(1, 9))), []
    for _ in range(draw(st.integers(1, 4))):
        groups = draw(st.sampled_from([g for g in range(1, 7) if channels % g == 0]))
        layer = {
            "in_channels": channels,
            "out_channels": groups * draw(st.integers(1, 3)),
            "kernel_size": draw(pairs(1, 3)),  # a padding of at least 1 makes these windows fit any image
            "stride": draw(pairs(1, 2)),
            "padding": draw(pairs(1, 2)),
            "groups": groups,
            "bias": draw(st.booleans()),
        }
        chain.append(layer)
        channels = layer["out_channels"]
    return chain, shape


def both(value) -> tuple:
    """Return the height's and the width's value of an argument."""
    return value if isinstance(value, tuple) else (value, value)


def torch_layer(layer: dict) -> torch.nn.Conv2d:
    """Return torch's layer without numbers in it: it has shapes and counts, and no arithmetic is done."""
    return torch.nn.Conv2d(**layer, device="meta")


def raises(error: type[Exception], *quotes: str):
    """Expect `error`, with a message that contains the quotes in this order."""
    return pytest.raises(error, match=".*".join(map(re.escape, quotes)))
