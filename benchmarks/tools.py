"""The counting tools, each called with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

# An adapter takes a model and an input and returns (count, parameters); None where a tool does not count parameters.
# It imports its tool, so that a process that runs one tool has loaded no other.


def thop(model: nn.Module, x: Tensor):
    from thop import profile

    return map(int, profile(model, inputs=(x,), verbose=False))  # it returns floats


def fvcore(model: nn.Module, x: Tensor):
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analysis.tracer_warnings("none").total(), parameter_count(model)[""]


def ptflops(model: nn.Module, x: Tensor):
    from ptflops import get_model_complexity_info

    counts = get_model_complexity_info(  # the constructor: its own input always has a batch of 1
        model, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, input_constructor=lambda _: x
    )
    if None in counts:
        raise RuntimeError("ptflops printed an error and returned None")
    return counts


def torchinfo(model: nn.Module, x: Tensor):
    from torchinfo import summary

    statistics = summary(model, input_data=x, verbose=0)
    return statistics.total_mult_adds, statistics.total_params


def torchprofile(model: nn.Module, x: Tensor):
    from torchprofile import profile_macs

    return profile_macs(model, x), None


def torch_counter(model: nn.Module, x: Tensor):
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops(), None


def convlab(model: nn.Module, x: Tensor):
    from convlab import cost_table

    total = cost_table(model, tuple(x.shape)).total
    return total.macs, total.params


def convlab_flops(model: nn.Module, x: Tensor):
    from convlab import cost_table

    total = cost_table(model, tuple(x.shape)).total
    return total.flops, total.params


CONVENTIONS = {  # what a tool's number means, from the exact work of a batch of so many samples
    "multiplications": lambda work, batch: work.multiplications,
    "multiplications + bias additions": lambda work, batch: work.multiplications + work.bias_additions,
    "multiplications + bias additions, one sample": lambda work, batch: (
        (work.multiplications + work.bias_additions) // batch
    ),
    "2 × multiplications": lambda work, batch: 2 * work.multiplications,
    "multiplications + additions": lambda work, batch: work.multiplications + work.additions,
}


class Tool(NamedTuple):
    """A tool: what to import before its first call is timed, its adapter, and the convention of its count."""

    module: str
    count: Callable[[nn.Module, Tensor], tuple[float, int | None]]
    convention: str


TOOLS = {
    "thop": Tool("thop", thop, "multiplications"),
    "fvcore": Tool("fvcore.nn", fvcore, "multiplications"),
    "ptflops": Tool("ptflops", ptflops, "multiplications + bias additions, one sample"),
    "torchinfo": Tool("torchinfo", torchinfo, "multiplications + bias additions"),
    "torchprofile": Tool("torchprofile", torchprofile, "multiplications"),
    "torch FlopCounterMode": Tool("torch.utils.flop_counter", torch_counter, "2 × multiplications"),
    "convlab": Tool("convlab.model", convlab, "multiplications"),
    "convlab, FLOPs": Tool("convlab.model", convlab_flops, "multiplications + additions"),
}
