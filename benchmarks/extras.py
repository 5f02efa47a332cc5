"""Named cases outside the grid: other layers, other ways to write a layer, and parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import conv2d
from torch.nn.utils.parametrizations import weight_norm

from benchmarks.grid import Work, exact_work

CONV, INPUT = partial(nn.Conv2d, 3, 5, 3), (2, 3, 8, 10)


class Case(NamedTuple):
    """A case; `retried`: a call with a wrong shape fails first, on the same model."""

    name: str
    build: Callable[[], nn.Module]
    input_shape: tuple[int, ...] = INPUT
    work: Work | None = exact_work(CONV, INPUT)  # None: the case is about the parameters
    retried: bool = False


class SubclassedConv(nn.Conv2d):
    pass


class FunctionalConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(5, 3, 3, 3)), nn.Parameter(torch.ones(5))

    def forward(self, x):
        return conv2d(x, self.weight, self.bias)


class SelfAttention(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Einsum(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5, 3))

    def forward(self, x):
        return torch.einsum("nchw,mc->nmhw", x, self.weight)


class Matmul(nn.Module):
    def forward(self, x):
        return x @ x.mT


def under_two_parents() -> nn.Module:
    shared = nn.Conv2d(3, 3, 3, padding=1)
    return nn.Sequential(nn.Sequential(shared), nn.Sequential(shared))


def sums(outputs: int, products: int, bias: bool = False) -> Work:
    """Return the work of `outputs` numbers, each the sum of so many products."""
    return Work(outputs * products, outputs * (products - 1 + bias), outputs * bias)


def together(*works: Work) -> Work:
    return Work(*map(sum, zip(*works)))


CASES = (
    Case("Linear on three axes", partial(nn.Linear, 32, 64), (4, 7, 32), sums(4 * 7 * 64, 32, bias=True)),
    Case(
        "attention",
        partial(SelfAttention, 8, 2),
        (3, 5, 8),
        together(
            sums(3 * 5 * 24, 8, bias=True),  # queries, keys and values
            sums(3 * 2 * 5 * 5, 4),  # scores of 2 heads
            sums(3 * 5 * 8, 5),  # weighted values
            sums(3 * 5 * 8, 8, bias=True),  # output
        ),
    ),
    Case("einsum", Einsum, INPUT, sums(2 * 5 * 8 * 10, 3)),
    Case("x @ x.mT", Matmul, (2, 4, 6), sums(2 * 4 * 4, 6)),
    Case("F.conv2d", FunctionalConv),
    Case("subclass", partial(SubclassedConv, 3, 5, 3)),
    Case("weight_norm", lambda: weight_norm(CONV())),
    Case(
        "two parents",
        under_two_parents,
        INPUT,
        together(*[exact_work(partial(nn.Conv2d, 3, 3, 3, padding=1), INPUT)] * 2),
    ),
    Case("a failed call before", CONV, retried=True),
    Case("with BatchNorm2d", lambda: nn.Sequential(CONV(), nn.BatchNorm2d(5))),
    Case("with ReLU, pooling", lambda: nn.Sequential(CONV(), nn.ReLU(), nn.MaxPool2d(2))),
    Case("parameters, bare", CONV, work=None),
    Case("parameters, frozen", lambda: nn.Sequential(CONV().requires_grad_(False)), work=None),
)
