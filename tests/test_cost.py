"""The counts are what the loops do, what torch counts, what the laws say and what was published."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import both, cases, one_or_pair, raises, torch_layer
from thop import profile
from torch.utils.flop_counter import FlopCounterMode

from convlab import (
    ConvSpec,
    addition_count,
    arithmetic_intensity,
    flop_count,
    mac_count,
    memory_bytes,
    output_shape,
    param_count,
)
from convlab.cost import MemoryBytes, products_per_output
from convlab.reference import conv2d_loops

COUNTS = [addition_count, mac_count, flop_count]
WITH_SHAPE = [*COUNTS, memory_bytes, arithmetic_intensity]


def torch_flops(module: torch.nn.Module, shape) -> int:
    """Return what torch counts in one forward pass: 2 for each multiplication, nothing for a bias."""
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(shape, device="meta"))
    return counter.get_total_flops()


def parameter_numbers(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def counts(spec: ConvSpec, shape) -> dict:
    return {"params": param_count(spec), "macs": mac_count(spec, shape), "flops": flop_count(spec, shape)}


# The definition, and torch


@given(cases())
def test_counts_are_what_the_loops_do(case):
    layer, shape = case
    spec = ConvSpec(**layer)
    bias = np.zeros(spec.out_channels) if spec.bias else None
    arguments = {name: layer[name] for name in ("stride", "padding", "dilation", "groups")}
    done = conv2d_loops(np.zeros(shape), np.zeros(spec.weight_shape), bias, **arguments)
    assert mac_count(spec, shape) == done.multiplication_count
    assert addition_count(spec, shape) == done.addition_count
    assert flop_count(spec, shape) == done.multiplication_count + done.addition_count


@given(cases())
def test_mac_count_is_half_of_what_torch_counts(case):
    layer, shape = case
    assert 2 * mac_count(ConvSpec(**layer), shape) == torch_flops(torch_layer(layer), shape)


@given(cases())
def test_param_count_is_the_number_of_torchs_parameters(case):
    layer, _ = case
    assert param_count(ConvSpec(**layer)) == parameter_numbers(torch_layer(layer))


@given(cases())
def test_flop_count_is_2n_for_each_output_with_bias_and_2n_minus_1_without(case):  # D0-4, D3-2, D3-4
    layer, shape = case
    spec, outputs = ConvSpec(**layer), torch_layer(layer)(torch.empty(shape, device="meta")).numel()
    n = layer["in_channels"] // layer["groups"] * prod(both(layer["kernel_size"]))
    assert products_per_output(spec) == n
    assert flop_count(spec, shape) == (2 * n if layer["bias"] else 2 * n - 1) * outputs
    assert flop_count(spec, shape) == mac_count(spec, shape) + addition_count(spec, shape)


@given(cases(), st.sampled_from([torch.float64, torch.float32, torch.float16, torch.int8]))
def test_memory_bytes_are_those_of_torchs_tensors(case, dtype):
    layer, shape = case
    module, x = torch_layer(layer), torch.empty(shape, device="meta")
    wanted = (x.numel(), parameter_numbers(module), module(x).numel())
    found = memory_bytes(ConvSpec(**layer), shape, dtype.itemsize)
    assert found == tuple(n * dtype.itemsize for n in wanted)
    assert found.total_bytes == sum(wanted) * dtype.itemsize


@pytest.mark.parametrize(
    ("groups", "macs", "miscalled"),
    [pytest.param(1, 648, 1296, id="D3-8 standard"), pytest.param(3, 216, 432, id="D3-8 g=3")],
)
def test_mac_count_is_what_thop_counts_when_it_is_called_with_a_tuple(groups, macs, miscalled):
    def thop_count(inputs) -> float:
        return profile(torch_layer(layer), inputs=inputs, verbose=False)[0]

    layer = {"in_channels": 3, "out_channels": 6, "kernel_size": 3, "stride": 3, "groups": groups}
    x = torch.empty(1, 3, 6, 6, device="meta")
    assert mac_count(ConvSpec(**layer), tuple(x.shape)) == macs == thop_count((x,))
    assert thop_count(x) == miscalled  # without the tuple, thop takes the batch apart


# Laws


@given(
    c=st.integers(1, 9),
    m=st.integers(1, 9),
    kernel=one_or_pair(1, 5),
    multiplier=st.integers(1, 3),
    stride=one_or_pair(1, 3),
    batch=st.integers(1, 3),
)
def test_separable_costs_1_over_M_plus_1_over_K2_of_the_standard_layer(c, m, kernel, multiplier, stride, batch):
    # D1-7, D2-2, D2-3, D0-10; with a depth multiplier the share is that many times as large
    options, shape = {"stride": stride, "padding": (1, 2), "dilation": (2, 1), "bias": False}, (batch, c, 11, 8)
    depthwise, pointwise = ConvSpec.separable(c, m, kernel, multiplier=multiplier, **options)
    standard, between = ConvSpec(c, m, kernel, **options), output_shape(depthwise, shape)
    share = multiplier * (Fraction(1, m) + Fraction(1, prod(both(kernel))))
    macs = mac_count(depthwise, shape) + mac_count(pointwise, between)
    assert output_shape(pointwise, between) == output_shape(standard, shape)
    assert Fraction(macs, mac_count(standard, shape)) == share
    assert Fraction(param_count(depthwise) + param_count(pointwise), param_count(standard)) == share


def test_separable_saves_more_with_more_filters_but_never_K2():  # D2-3, D2-4
    def saving(m: int) -> Fraction:
        shape = (1, 3, 32, 32)
        separable = sum(mac_count(step, shape) for step in ConvSpec.separable(3, m, 3, padding=1))
        return Fraction(mac_count(ConvSpec(3, m, 3, padding=1), shape), separable)

    assert saving(16) == Fraction(9 * 16, 9 + 16) == Fraction("5.76")
    assert saving(16) < saving(64) < saving(10**6) < 9


@given(g=st.integers(1, 4), a=st.integers(1, 4), b=st.integers(1, 4), kernel=one_or_pair(1, 3), batch=st.integers(1, 3))
def test_grouping_divides_macs_and_weights_by_g_and_leaves_the_activations(g, a, b, kernel, batch):
    # D0-5, D3-4, D4-5, D4-7
    shape = (batch, g * a, 7, 10)
    grouped, standard = (ConvSpec(g * a, g * b, kernel, (2, 3), (1, 0), groups=groups, bias=False) for groups in (g, 1))
    assert g * param_count(grouped) == param_count(standard)
    assert g * mac_count(grouped, shape) == mac_count(standard, shape)
    before, after = memory_bytes(standard, shape), memory_bytes(grouped, shape)
    assert after == before._replace(weight_bytes=before.weight_bytes // g)


@given(cases(), st.integers(2, 5))
def test_every_count_is_proportional_to_the_batch(case, times):
    layer, (images, *rest) = case
    spec = ConvSpec(**layer)
    for count in COUNTS:
        assert count(spec, (times * images, *rest)) == times * count(spec, (images, *rest))


@given(c=st.integers(1, 6), multiplier=st.integers(1, 4), kernel=one_or_pair(1, 4))
def test_depth_multiplier_multiplies_the_cost_of_a_depthwise_layer(c, multiplier, kernel):  # D2-6
    one, many = (ConvSpec.depthwise(c, kernel, multiplier=m, stride=2) for m in (1, multiplier))
    assert counts(many, (2, c, 9, 6)) == {name: multiplier * count for name, count in counts(one, (2, c, 9, 6)).items()}


@given(c=st.integers(1, 50), m=st.integers(1, 50), bias=st.booleans(), batch=st.integers(1, 4))
def test_linear_costs_what_torchs_linear_layer_costs(c, m, bias, batch):  # D3-10
    spec, module = ConvSpec.linear(c, m, bias=bias), torch.nn.Linear(c, m, bias=bias, device="meta")
    assert param_count(spec) == parameter_numbers(module) == (c + bias) * m
    assert 2 * mac_count(spec, (batch, c, 1, 1)) == torch_flops(module, (batch, c))
    assert flop_count(spec, (batch, c, 1, 1)) == batch * (2 * c * m if bias else (2 * c - 1) * m)


@given(cases())
def test_bias_adds_one_parameter_a_filter_and_one_addition_an_output_number(case):
    layer, shape = case
    without, with_bias = (ConvSpec(**{**layer, "bias": bias}) for bias in (False, True))
    assert param_count(with_bias) - param_count(without) == layer["out_channels"]
    assert mac_count(with_bias, shape) == mac_count(without, shape)
    assert flop_count(with_bias, shape) - flop_count(without, shape) == prod(output_shape(without, shape))


# Published numbers


@pytest.mark.parametrize(
    ("spec", "shape", "published"),
    [
        pytest.param(
            ConvSpec(3, 6, 11, 4, bias=False),
            (1, 3, 227, 227),
            {"params": 2_178, "macs": 6_588_450, "flops": 13_158_750},
            id="D0-2, D0-3 without bias",
        ),
        pytest.param(
            ConvSpec(3, 6, 11, 4),
            (1, 3, 227, 227),
            {"params": 2_184, "macs": 6_588_450, "flops": 13_176_900},
            id="D0-2, D0-3 with bias",
        ),
        pytest.param(
            ConvSpec(3, 6, 11, 4, groups=3, bias=False),
            (1, 3, 227, 227),
            {"params": 726, "macs": 2_196_150, "flops": 4_374_150},
            id="D0-7, D0-8, D0-9 without bias",
        ),
        pytest.param(
            ConvSpec(3, 6, 11, 4, groups=3),
            (1, 3, 227, 227),
            {"params": 732, "macs": 2_196_150, "flops": 4_392_300},
            id="D0-7, D0-9 with bias",
        ),
        pytest.param(
            ConvSpec.depthwise(3, 11, stride=4, bias=False),
            (1, 3, 227, 227),
            {"params": 363, "macs": 1_098_075},
            id="D0-10 depthwise",
        ),
        pytest.param(
            ConvSpec.pointwise(3, 6, bias=False), (1, 3, 55, 55), {"params": 18, "macs": 54_450}, id="D0-10 pointwise"
        ),
        pytest.param(
            ConvSpec(3, 256, 5, bias=False),
            (1, 3, 12, 12),
            {"params": 19_200, "macs": 1_228_800},
            id="D1-2, D1-3",
        ),
        pytest.param(
            ConvSpec.depthwise(3, 5, bias=False), (1, 3, 12, 12), {"params": 75, "macs": 4_800}, id="D1-4, D1-5"
        ),
        pytest.param(ConvSpec.pointwise(3, 256, bias=False), (1, 3, 8, 8), {"params": 768, "macs": 49_152}, id="D1-6"),
        pytest.param(
            ConvSpec(3, 16, 3, padding=1), (1, 3, 32, 32), {"params": 448, "macs": 442_368}, id="D2-1, D2-5 standard"
        ),
        pytest.param(
            ConvSpec.depthwise(3, 3, padding=1), (1, 3, 32, 32), {"params": 30, "macs": 27_648}, id="D2-5 depthwise"
        ),
        pytest.param(ConvSpec.pointwise(3, 16), (1, 3, 32, 32), {"params": 64, "macs": 49_152}, id="D2-5 pointwise"),
        pytest.param(
            ConvSpec(3, 6, 3, 3),
            (1, 3, 6, 6),
            {"params": (9 * 3 + 1) * 6, "macs": 648, "flops": 1_296},
            id="D3-1, D3-6",
        ),
        pytest.param(
            ConvSpec(3, 6, 3, 3, bias=False),
            (1, 3, 6, 6),
            {"params": 9 * 3 * 6, "flops": 1_272},
            id="D3-1, D3-6 no bias",
        ),
        pytest.param(ConvSpec(3, 6, 3, 3, groups=3), (1, 3, 6, 6), {"macs": 216, "flops": 432}, id="D3-7"),
        pytest.param(ConvSpec(8, 8, 1, bias=False), (1, 8, 1, 1), {"params": 64}, id="D4-1 standard"),
        pytest.param(ConvSpec(8, 8, 1), (1, 8, 1, 1), {"params": 72}, id="D4-1 standard with bias"),
        pytest.param(ConvSpec(8, 8, 1, groups=2, bias=False), (1, 8, 1, 1), {"params": 32}, id="D4-1 g=2"),
        pytest.param(ConvSpec(8, 6, 1, groups=2, bias=False), (1, 8, 1, 1), {"params": 24}, id="D4-3"),
        pytest.param(ConvSpec(8, 6, 1, groups=2), (1, 8, 1, 1), {"params": 30}, id="D4-3 with bias"),
        pytest.param(ConvSpec(8, 6, 1, bias=False), (1, 8, 1, 1), {"params": 48}, id="D4-4"),
        pytest.param(ConvSpec(8, 6, 1), (1, 8, 1, 1), {"params": 54}, id="D4-4 with bias"),
        pytest.param(
            ConvSpec(3, 96, 11, 4, bias=False), (1, 3, 227, 227), {"params": 34_848}, id="CS231n, AlexNet, weights"
        ),
        pytest.param(ConvSpec(3, 96, 11, 4), (1, 3, 227, 227), {"params": 34_944}, id="CS231n, AlexNet, parameters"),
        pytest.param(
            ConvSpec(3, 64, 3, padding=1, bias=False), (1, 3, 224, 224), {"params": 1_728}, id="CS231n, VGG-16, layer 1"
        ),
        pytest.param(
            ConvSpec(512, 512, 3, padding=1, bias=False),
            (1, 512, 14, 14),
            {"params": 2_359_296},
            id="CS231n, VGG-16, layer 13",
        ),
        pytest.param(
            ConvSpec.linear(7 * 7 * 512, 4096, bias=False),
            (1, 7 * 7 * 512, 1, 1),
            {"params": 102_760_448},
            id="CS231n, VGG-16, layer 14",
        ),
    ],
)
def test_counts_are_the_published_ones(spec, shape, published):
    found = counts(spec, shape)
    assert {name: found[name] for name in published} == published


# Exactness


def test_counts_are_exact_beyond_63_bits():
    batch, side = 10**12, 10**10 + 1
    spec, outputs = ConvSpec(6, 10, (3, 5), groups=2), batch * 10 * (side - 2) * (side - 4)
    shape = (batch, 6, side, side)
    assert mac_count(spec, shape) == 45 * outputs > 2**63
    assert addition_count(spec, shape) == 45 * outputs
    assert flop_count(spec, shape) == 90 * outputs
    assert memory_bytes(spec, shape) == (4 * batch * 6 * side * side, 4 * 460, 4 * outputs)
    assert param_count(ConvSpec(10**12, 10**12, 3)) == 9 * 10**24 + 10**12


def test_counts_of_numpy_sizes_are_exact_python_integers():
    spec, shape = ConvSpec(3, 5, 3), tuple(np.array([10**12, 3, 10**4, 10**4]))
    plain = tuple(map(int, shape))
    for count in WITH_SHAPE:
        assert count(spec, shape) == count(spec, plain)
    found = (*(count(spec, shape) for count in COUNTS), *memory_bytes(spec, shape))
    assert {type(n) for n in found} == {int}


@pytest.mark.parametrize("item_bytes", [1, 2, 4, 8])
def test_arithmetic_intensity_is_flops_over_bytes(item_bytes):
    spec, shape = ConvSpec(3, 256, 5, bias=False), (2, 3, 12, 12)
    flops, numbers = 149 * 2 * 256 * 64, 2 * 432 + 19_200 + 2 * 16_384
    assert arithmetic_intensity(spec, shape, item_bytes) == float(Fraction(flops, numbers * item_bytes))


def test_memory_bytes_and_arithmetic_intensity_take_4_bytes_a_number_by_default():
    spec, shape = ConvSpec(2, 5, 3), (3, 2, 9, 7)
    assert memory_bytes(spec, shape) == memory_bytes(spec, shape, 4) == MemoryBytes(1512, 380, 2100)
    assert arithmetic_intensity(spec, shape) == arithmetic_intensity(spec, shape, 4)


# What is refused


@pytest.mark.parametrize("count", [param_count, products_per_output, *WITH_SHAPE])
def test_every_count_refuses_what_is_no_ConvSpec(count):
    shape = () if count in (param_count, products_per_output) else ((1, 3, 5, 5),)
    with raises(TypeError, "(3, 16, 3) is a tuple; wanted a ConvSpec"):
        count((3, 16, 3), *shape)


@pytest.mark.parametrize("count", WITH_SHAPE)
@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((3, 12, 12), ValueError, "input_shape=(3, 12, 12) has 3 numbers; wanted 4: (N, C, H, W)"),
        ((1, 4, 12, 12), ValueError, "input_shape=(1, 4, 12, 12) has 4 channels; wanted in_channels=3"),
        ((1, 3, 12, 4), ValueError, "the window spans 5 and the padded image has 4 (width: 4 + 0 + 0)"),
        ((1, 3, 12.0, 12), TypeError, "input_shape's H (height)=12.0 is a float; wanted an integer of at least 1"),
        (None, TypeError, "input_shape=None is a NoneType; wanted a tuple (N, C, H, W)"),
    ],
)
def test_every_count_refuses_the_shapes_that_output_shape_refuses(count, shape, error, message):
    with raises(error, message):
        count(ConvSpec(3, 256, 5), shape)


@pytest.mark.parametrize("count", [memory_bytes, arithmetic_intensity])
@pytest.mark.parametrize("value", [0, -4, True, 4.0, None, "4"])
def test_item_bytes_is_a_positive_integer(count, value):
    number = type(value) is int
    given = f"{value} is too small" if number else f"{value!r} is a {type(value).__name__}"
    with raises(ValueError if number else TypeError, f"item_bytes={given}; wanted an integer of at least 1"):
        count(ConvSpec(3, 256, 5), (1, 3, 12, 12), value)
