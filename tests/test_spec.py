"""A ConvSpec holds what torch.nn.Conv2d holds, and refuses what is no layer."""

import inspect
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import layers, one_or_pair, raises, torch_layer

from convlab import ConvSpec
from convlab.spec import exact_int, int_pair

COUNTS = ["in_channels", "out_channels", "groups"]
SIZES = ["kernel_size", "stride", "dilation"]
FIELDS = [field.name for field in fields(ConvSpec)]


def spec_with(**changed) -> ConvSpec:
    return ConvSpec(**{"in_channels": 6, "out_channels": 9, "kernel_size": 2, **changed})


# What a ConvSpec holds


def test_ConvSpec_has_the_arguments_the_order_and_the_defaults_of_torch():
    ours, torchs = (inspect.signature(kind).parameters for kind in (ConvSpec, torch.nn.Conv2d))
    assert list(ours) == list(torchs)[: len(ours)]
    assert {name: ours[name].default for name in ours} == {name: torchs[name].default for name in ours}
    assert set(torchs) - set(ours) == {"padding_mode", "device", "dtype"}


@given(layers())
def test_ConvSpec_stores_what_torch_stores(layer):
    spec, module = ConvSpec(**layer), torch_layer(layer)
    assert {**vars(spec), "bias": None} == {name: vars(module).get(name) for name in FIELDS}
    assert spec.bias == (module.bias is not None)
    assert spec.weight_shape == tuple(module.weight.shape)


@given(
    st.fixed_dictionaries(
        {
            "in_channels": st.integers(1, 6),
            "out_channels": st.integers(1, 6),
            "kernel_size": one_or_pair(1, 3),
            "stride": one_or_pair(1, 2),
            "padding": st.sampled_from(["same", "valid", "Same", "full", "", 0, (1, 2)]),
            "groups": st.integers(0, 3),
        }
    )
)
def test_ConvSpec_refuses_what_torch_refuses(layer):
    try:
        torch_layer(layer)
    except ValueError:
        with pytest.raises(ValueError):
            ConvSpec(**layer)
    else:
        ConvSpec(**layer)


def test_ConvSpec_takes_the_height_first():
    spec = ConvSpec(3, 16, (2, 5), stride=(1, 4), padding=(6, 0), dilation=(7, 3))
    assert (spec.kernel_size, spec.stride, spec.padding, spec.dilation) == ((2, 5), (1, 4), (6, 0), (7, 3))
    assert spec.weight_shape == (16, 3, 2, 5)


@pytest.mark.parametrize(
    ("groups", "weight_shape"),
    [pytest.param(1, (6, 3, 3, 3), id="D3-3 standard"), pytest.param(3, (6, 1, 3, 3), id="D3-3 g=3")],
)
def test_weight_shape_is_M_and_C_over_g_and_K_and_K(groups, weight_shape):  # D0-6
    assert ConvSpec(3, 6, 3, groups=groups).weight_shape == weight_shape


def test_ConvSpec_turns_lists_and_numpy_integers_into_plain_ones():
    spec = ConvSpec(np.int64(3), np.uint8(6), [2, np.int32(5)], padding=[0, 1])
    assert spec == ConvSpec(3, 6, (2, 5), padding=(0, 1))
    assert {type(n) for n in (spec.in_channels, spec.out_channels, *spec.kernel_size)} == {int}


def test_ConvSpec_with_one_integer_equals_and_hashes_like_the_pair():
    one, pair = ConvSpec(3, 6, 5, 2, 1, 3), ConvSpec(3, 6, (5, 5), (2, 2), (1, 1), (3, 3))
    assert one == pair and hash(one) == hash(pair)
    assert one != ConvSpec(3, 6, (5, 4), 2, 1, 3)


@given(layers())
def test_ConvSpec_prints_as_a_call_that_makes_it(layer):
    spec = ConvSpec(**layer)
    assert eval(repr(spec)) == spec


def test_ConvSpec_prints_no_defaults_and_one_number_for_two_equal_ones():
    assert repr(ConvSpec(3, 6, (11, 11), (4, 4), (0, 0), (1, 1), 1, True)) == "ConvSpec(3, 6, 11, stride=4)"
    assert repr(ConvSpec(6, 6, (3, 5), padding="same", groups=2, bias=False)) == (
        "ConvSpec(6, 6, (3, 5), padding='same', groups=2, bias=False)"
    )


@pytest.mark.parametrize("name", FIELDS)
def test_ConvSpec_cannot_be_changed(name):
    with pytest.raises(FrozenInstanceError):
        setattr(spec_with(), name, 1)


# What a ConvSpec refuses


@pytest.mark.parametrize("name", [*COUNTS, *SIZES, "padding"])
@pytest.mark.parametrize("value", [True, False, 3.0, None, np.bool_(True), {3}])
def test_ConvSpec_refuses_what_is_no_integer(name, value):
    wanted = f"wanted an integer of at least {0 if name == 'padding' else 1}"
    with raises(TypeError, f"{name}={value!r} is a {type(value).__name__}; {wanted}"):
        spec_with(**{name: value})


@pytest.mark.parametrize("name", [*COUNTS, *SIZES])
def test_ConvSpec_refuses_a_word_for_a_number(name):
    with raises(TypeError, f"{name}='3' is a str; wanted an integer of at least 1"):
        spec_with(**{name: "3"})


@pytest.mark.parametrize("name", COUNTS)
def test_ConvSpec_refuses_a_pair_for_a_count(name):
    with raises(TypeError, f"{name}=(1, 1) is a tuple; wanted an integer of at least 1"):
        spec_with(**{name: (1, 1)})


@pytest.mark.parametrize("name", [*SIZES, "padding"])
@pytest.mark.parametrize("axis", [0, 1])
def test_ConvSpec_names_the_number_of_a_pair_that_is_no_integer(name, axis):
    for value in (True, 3.0, None, "3", (3,)):
        with raises(TypeError, f"{name}[{axis}]={value!r} is a {type(value).__name__}; wanted an integer"):
            spec_with(**{name: (1, value) if axis else (value, 1)})


@pytest.mark.parametrize("name", [*COUNTS, *SIZES])
@pytest.mark.parametrize("value", [0, -1])
def test_ConvSpec_refuses_zero_and_less(name, value):
    with raises(ValueError, f"{name}={value} is too small; wanted an integer of at least 1"):
        spec_with(**{name: value})


@pytest.mark.parametrize("name", SIZES)
def test_ConvSpec_names_the_number_of_a_pair_that_is_too_small(name):
    with raises(ValueError, f"{name}[0]=0 is too small; wanted an integer of at least 1"):
        spec_with(**{name: (0, 1)})
    with raises(ValueError, f"{name}[1]=-2 is too small; wanted an integer of at least 1"):
        spec_with(**{name: (1, -2)})


def test_ConvSpec_refuses_a_negative_padding_and_takes_none():
    assert spec_with(padding=(0, 0)) == spec_with()
    with raises(ValueError, "padding=-1 is too small; wanted an integer of at least 0"):
        spec_with(padding=-1)
    with raises(ValueError, "padding[1]=-1 is too small; wanted an integer of at least 0"):
        spec_with(padding=(0, -1))


@pytest.mark.parametrize("name", [*SIZES, "padding"])
@pytest.mark.parametrize("value", [(), (2,), (2, 2, 2), [2, 2, 2, 2]])
def test_ConvSpec_refuses_a_pair_of_another_length(name, value):
    wanted = "wanted one integer or a (height, width) pair"
    with raises(ValueError, f"{name}={value!r} has {len(value)} numbers; {wanted}"):
        spec_with(**{name: value})


@pytest.mark.parametrize("value", [None, 0, 1, "True", np.bool_(True)])
def test_ConvSpec_refuses_a_bias_that_is_no_bool(value):
    with raises(TypeError, f"bias={value!r} is a {type(value).__name__}; wanted True or False"):
        spec_with(bias=value)


@pytest.mark.parametrize("value", ["Same", "full", ""])
def test_ConvSpec_refuses_a_padding_of_another_name(value):
    with raises(ValueError, f"padding={value!r}; wanted 'same', 'valid', an integer or a (height, width) pair"):
        spec_with(padding=value)


@pytest.mark.parametrize("stride", [(1, 2), (2, 1), 3])
def test_ConvSpec_refuses_same_padding_with_a_stride(stride):
    pair = stride if isinstance(stride, tuple) else (stride, stride)
    with raises(ValueError, f"padding='same' with stride={pair}; 'same' is defined for stride 1 only"):
        spec_with(padding="same", stride=stride)
    spec_with(padding="valid", stride=stride)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ((8, 6, 3), "groups=3 does not divide in_channels=8; it must divide both 8 and 6: 1 or 2"),
        ((8, 6, 4), "groups=4 does not divide out_channels=6; it must divide both 8 and 6: 1 or 2"),
        ((9, 8, 3), "groups=3 does not divide out_channels=8; it must divide both 9 and 8: 1"),
        ((12, 18, 9), "groups=9 does not divide in_channels=12; it must divide both 12 and 18: 1, 2, 3 or 6"),
    ],
)
def test_ConvSpec_says_which_group_counts_divide(layer, message):
    in_channels, out_channels, groups = layer
    with pytest.raises(ValueError) as error:
        ConvSpec(in_channels, out_channels, 1, groups=groups)
    assert str(error.value) == message


# The layers with names


@given(st.integers(1, 6), st.integers(1, 4), one_or_pair(1, 4), st.booleans())
def test_depthwise_has_a_group_for_each_channel_and_multiplier_filters_in_each(c, multiplier, k, bias):
    spec = ConvSpec.depthwise(c, k, multiplier=multiplier, stride=(2, 3), padding=1, dilation=2, bias=bias)
    assert spec == ConvSpec(c, c * multiplier, k, (2, 3), 1, 2, c, bias)


def test_depthwise_has_one_filter_for_each_channel_by_default():  # D2-6
    assert ConvSpec.depthwise(5, 3) == ConvSpec(5, 5, 3, groups=5)


def test_pointwise_is_a_convolution_with_a_1_by_1_window():
    assert ConvSpec.pointwise(3, 5, stride=2, groups=1, bias=False) == ConvSpec(3, 5, 1, 2, bias=False)


def test_separable_is_depthwise_then_pointwise():
    depthwise, pointwise = ConvSpec.separable(3, 7, (2, 5), multiplier=2, stride=2, padding=1, dilation=3, bias=False)
    assert depthwise == ConvSpec(3, 6, (2, 5), 2, 1, 3, groups=3, bias=False)
    assert pointwise == ConvSpec(6, 7, 1, bias=False)


def test_separable_has_a_bias_in_both_layers_and_multiplier_1_by_default():
    assert ConvSpec.separable(3, 7, 5) == (ConvSpec(3, 3, 5, groups=3), ConvSpec(3, 7, 1))


@pytest.mark.parametrize("bias", [True, False])
def test_linear_has_as_many_weights_as_torchs_linear_layer(bias):
    spec, module = ConvSpec.linear(7, 5, bias=bias), torch.nn.Linear(7, 5, bias=bias, device="meta")
    assert spec.weight_shape == (*module.weight.shape, 1, 1)
    assert spec.bias == (module.bias is not None)
    assert spec == ConvSpec(7, 5, 1, bias=bias)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvSpec.depthwise(0, 3), "channels=0 is too small; wanted an integer of at least 1"),
        (lambda: ConvSpec.depthwise(2, 3, multiplier=0), "multiplier=0 is too small; wanted an integer"),
        (lambda: ConvSpec.separable(2, 4, 3, multiplier=-1), "multiplier=-1 is too small; wanted an integer"),
        (lambda: ConvSpec.linear(0, 3), "in_features=0 is too small; wanted an integer of at least 1"),
        (lambda: ConvSpec.linear(3, -1), "out_features=-1 is too small; wanted an integer of at least 1"),
    ],
)
def test_named_layers_name_their_own_argument_that_is_too_small(make, message):
    with raises(ValueError, message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvSpec.depthwise(2.0, 3), "channels=2.0 is a float; wanted an integer of at least 1"),
        (lambda: ConvSpec.depthwise(2, 3, multiplier=True), "multiplier=True is a bool; wanted an integer"),
        (lambda: ConvSpec.linear("3", 4), "in_features='3' is a str; wanted an integer of at least 1"),
        (lambda: ConvSpec.linear(3, 4.0), "out_features=4.0 is a float; wanted an integer of at least 1"),
    ],
)
def test_named_layers_name_their_own_argument_that_is_no_integer(make, message):
    with raises(TypeError, message):
        make()


# The small helpers


def test_exact_int_keeps_an_integer_of_any_size():
    assert exact_int("n", 10**30, 1) == 10**30
    assert type(exact_int("n", np.int8(5), 5)) is int


def test_int_pair_takes_one_number_for_both_axes():
    assert int_pair("n", 4, 0) == (4, 4)
    assert int_pair("n", [4, 0], 0) == (4, 0)


def test_groups_that_do_not_divide_huge_channel_counts_are_refused_at_once():
    with raises(
        ValueError, f"groups=7 does not divide in_channels={10**30}", "1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 40 or …"
    ):
        ConvSpec(10**30, 10**30, 1, groups=7)


@pytest.mark.parametrize("value", [torch.tensor(True), np.True_, torch.tensor([3]), np.array([3]), torch.tensor(3.0)])
def test_exact_int_refuses_bools_and_arrays_of_other_libraries(value):
    with pytest.raises(TypeError, match="wanted an integer of at least 1"):
        exact_int("n", value, 1)


def test_exact_int_takes_a_single_integer_of_another_library():
    assert exact_int("n", torch.tensor(3), 1) == 3
