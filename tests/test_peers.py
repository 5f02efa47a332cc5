"""What lessons 06 and 08 ask for is what thop and torch print; what its cells print, their stored outputs compare."""

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


def test_torchs_counter_leaves_out_the_products_of_attention_in_training_mode_without_dropout():
    for (layers, heads, feedforward, outputs), case in zip(
        [(2, 4, 256, 1000), (1, 2, 48, None), (3, 4, 32, None)], check.macs_of_transformer.cases, strict=True
    ):
        printed, count, texts, tokens, width = case
        options = {"dropout": 0.0, "batch_first": True}
        parts = [nn.TransformerEncoderLayer(width, heads, feedforward, **options) for _ in range(layers)]
        model = nn.Sequential(*parts, nn.Linear(width, outputs) if outputs else nn.Identity())
        x = torch.zeros(texts, tokens, width)
        assert (printed, count) == (by_torch(model, x), layers)
        assert check.macs_of_transformer.target(*case) == cost_table(model, x.shape).total.macs
