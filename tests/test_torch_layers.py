"""A torch layer and its spec describe the same layer, and other layers are refused."""

import pytest
import torch
from hypothesis import given
from strategies import cases, layers, raises, torch_layer
from torch import nn

from convlab import ConvSpec, output_shape, spec_from_module, to_module


@given(layers())
def test_spec_from_module_reads_every_argument(layer):
    assert spec_from_module(torch_layer(layer)) == ConvSpec(**layer)


@given(cases())
def test_to_module_makes_the_layer_that_torch_makes(case):
    layer, shape = case
    spec = ConvSpec(**layer)
    with torch.device("meta"):
        module = to_module(spec)
        assert output_shape(spec, shape) == tuple(module(torch.empty(shape)).shape)
    assert type(module) is nn.Conv2d
    assert repr(module) == repr(torch_layer(layer))
    assert spec_from_module(module) == spec


def test_to_module_has_weights_that_compute():
    module = to_module(ConvSpec(3, 6, (2, 5), stride=2))
    assert module.weight.device.type == "cpu" and module.weight.requires_grad
    assert module(torch.zeros(2, 3, 6, 9)).shape == (2, 6, 3, 3)


@pytest.mark.parametrize("bias", [True, False])
def test_spec_from_module_reads_a_linear_layer(bias):
    assert spec_from_module(nn.Linear(7, 5, bias=bias)) == ConvSpec.linear(7, 5, bias=bias)


def test_spec_from_module_takes_a_subclass_of_a_convolution():
    class Named(nn.Conv2d):
        pass

    assert spec_from_module(Named(4, 6, 3, groups=2)) == ConvSpec(4, 6, 3, groups=2)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv1d(3, 6, 3),
        nn.Conv3d(3, 6, 3),
        nn.ConvTranspose2d(3, 6, 3),
        nn.Bilinear(3, 4, 5),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(3, 6, 3)),
        nn.Conv2d,
        ConvSpec(3, 6, 3),
        None,
    ],
    ids=repr,
)
def test_spec_from_module_refuses_every_other_layer(module):
    with raises(TypeError, f"{module!r} is a {type(module).__name__}; wanted an nn.Conv2d or an nn.Linear"):
        spec_from_module(module)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_spec_from_module_refuses_a_padding_with_other_numbers_than_zeros(mode):
    with raises(ValueError, f"padding_mode={mode!r}; wanted 'zeros'"):
        spec_from_module(nn.Conv2d(3, 6, 3, padding=1, padding_mode=mode))


@pytest.mark.parametrize(
    ("lazy", "shape", "spec"),
    [
        (lambda: nn.LazyConv2d(6, 3, groups=2), (1, 4, 5, 5), ConvSpec(4, 6, 3, groups=2)),
        (lambda: nn.LazyLinear(5), (1, 7), ConvSpec.linear(7, 5)),
    ],
    ids=["LazyConv2d", "LazyLinear"],
)
def test_spec_from_module_reads_a_lazy_layer_after_its_first_input(lazy, shape, spec):
    module = lazy()
    with raises(ValueError, f"{module!r} does not know its channels yet; run one input through it first"):
        spec_from_module(module)
    module(torch.zeros(shape))
    assert spec_from_module(module) == spec


@pytest.mark.parametrize("value", [None, (3, 6, 3), nn.Conv2d(3, 6, 3)], ids=repr)
def test_to_module_refuses_what_is_no_ConvSpec(value):
    with raises(TypeError, f"{value!r} is a {type(value).__name__}; wanted a ConvSpec"):
        to_module(value)
