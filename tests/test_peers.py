"""What lesson 06 asks for is what thop and torch print; what its cells print, their stored outputs compare."""

from contextlib import suppress
from math import prod

import pytest
import torch
from thop import profile
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convlab import check, cost_table, to_module


def by_thop(module, x) -> int:
    return profile(module, inputs=(x,), verbose=False)[0]


def by_torch(module, x) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops()


@pytest.mark.parametrize(("spec", "shape"), check.tool_numbers.cases)
def test_thop_counts_macs_and_torch_twice_as_many_with_bias_and_without(spec, shape):
    layer, x = to_module(spec), torch.zeros(shape)
    assert check.tool_numbers.target(spec, shape)[:2] == (by_thop(layer, x), by_torch(layer, x))


@pytest.mark.parametrize(("weight_shape", "stride", "shape"), check.transposed_macs.cases)
def test_torch_counts_a_transposed_convolution_at_its_input_and_thop_at_its_output(weight_shape, stride, shape):
    channels, filters, *kernel_size = weight_shape
    layer, x = nn.ConvTranspose2d(channels, filters, kernel_size, stride), torch.zeros(shape)
    assert 2 * check.transposed_macs.target(weight_shape, stride, shape) == by_torch(layer, x)
    assert by_thop(layer, x) == layer.weight.numel() * layer(x)[:, 0].numel()


def test_what_thop_prints_after_a_call_that_failed_leads_back_to_the_macs():
    models = [
        (nn.Sequential(nn.Conv2d(3, 6, 3, 3), nn.BatchNorm2d(6)), (1, 3, 6, 6)),
        (
            nn.Sequential(nn.Conv2d(3, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4)),
            (1, 3, 12, 12),
        ),
        (nn.Sequential(nn.Conv2d(4, 10, (3, 2), 2, 1, groups=2), nn.BatchNorm2d(10)), (3, 4, 9, 6)),
    ]
    for (model, shape), case in zip(models, check.macs_behind.cases, strict=True):
        table = cost_table(model, shape)
        with suppress(RuntimeError):
            by_thop(model, torch.zeros(1, 1, 1, 1))
        numbers = sum(prod(row.output_shape) for row in table.rows if row.kind == "BatchNorm2d")
        assert case == (by_thop(model, torch.zeros(shape)), numbers)
        assert check.macs_behind.target(*case) == table.total.macs
