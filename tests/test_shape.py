"""The output is as large as torch makes it, and what torch refuses is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from strategies import both, cases, layers, pairs, raises, torch_layer

from convlab import ConvSpec, output_shape
from convlab.shape import check_shape, check_spec, pads

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")


@given(cases())
def test_output_shape_is_the_shape_that_torch_returns(case):
    layer, shape = case
    assert output_shape(ConvSpec(**layer), shape) == tuple(torch_layer(layer)(torch.empty(shape, device="meta")).shape)


@given(layers(), st.integers(-1, 1), pairs(1, 9))
def test_output_shape_refuses_exactly_what_torch_refuses(layer, more_channels, sizes):
    shape = (2, max(1, layer["in_channels"] + more_channels), *sizes)
    try:
        wanted = torch_layer(layer)(torch.empty(shape, device="meta")).shape
    except RuntimeError:
        with pytest.raises(ValueError):
            output_shape(ConvSpec(**layer), shape)
    else:
        assert output_shape(ConvSpec(**layer), shape) == tuple(wanted)


@given(pairs(1, 5), pairs(1, 3))
def test_pads_of_same_put_the_odd_zero_where_torch_puts_it(kernel, dilation):
    (top, bottom), (left, right) = pads(ConvSpec(1, 1, kernel, padding="same", dilation=dilation))
    x = torch.arange(1.0, 1 + 6 * 7, dtype=torch.float64).reshape(1, 1, 6, 7)
    weight = torch.arange(1.0, 1 + kernel[0] * kernel[1], dtype=torch.float64).reshape(1, 1, *kernel)
    padded = F.conv2d(F.pad(x, (left, right, top, bottom)), weight, dilation=dilation)
    assert torch.equal(padded, F.conv2d(x, weight, padding="same", dilation=dilation))


@given(layers())
def test_pads_add_the_given_zeros_on_both_sides(layer):
    if layer["padding"] != "same":
        height, width = (0, 0) if layer["padding"] == "valid" else both(layer["padding"])
        assert pads(ConvSpec(**layer)) == ((height, height), (width, width))


@pytest.mark.parametrize(
    ("layer", "size", "wanted"),
    [
        pytest.param({"kernel_size": 3}, 4, 2, id="Dumoulin & Visin 2016, Relationship 1"),
        pytest.param({"kernel_size": 4, "padding": 2}, 5, 6, id="Dumoulin & Visin 2016, Relationship 2"),
        pytest.param({"kernel_size": 3, "padding": 1}, 5, 5, id="Dumoulin & Visin 2016, Relationship 3"),
        pytest.param({"kernel_size": 3, "padding": 2}, 5, 7, id="Dumoulin & Visin 2016, Relationship 4"),
        pytest.param({"kernel_size": 3, "stride": 2}, 5, 2, id="Dumoulin & Visin 2016, Relationship 5"),
        pytest.param({"kernel_size": 3, "padding": 1, "stride": 2}, 5, 3, id="Dumoulin & Visin 2016, Relationship 6"),
        pytest.param(
            {"kernel_size": 3, "padding": 1, "stride": 2}, 6, 3, id="Dumoulin & Visin 2016, Relationship 6, odd"
        ),
        pytest.param({"kernel_size": 3, "dilation": 2}, 7, 3, id="Dumoulin & Visin 2016, Relationship 15"),
    ],
)
def test_output_shape_is_that_of_the_published_figure(layer, size, wanted):
    assert output_shape(ConvSpec(2, 3, **layer), (1, 2, size, size)) == (1, 3, wanted, wanted)


@pytest.mark.parametrize(
    ("spec", "shape", "wanted"),
    [
        pytest.param(ConvSpec(3, 6, 11, 4), (1, 3, 227, 227), (1, 6, 55, 55), id="D0-1"),
        pytest.param(ConvSpec(3, 96, 11, 4), (1, 3, 227, 227), (1, 96, 55, 55), id="CS231n, AlexNet"),
        pytest.param(ConvSpec(3, 1, 5), (1, 3, 12, 12), (1, 1, 8, 8), id="D1-1 one filter"),
        pytest.param(ConvSpec(3, 256, 5), (1, 3, 12, 12), (1, 256, 8, 8), id="D1-1 256 filters"),
        pytest.param(ConvSpec(3, 16, 3, padding=1), (1, 3, 32, 32), (1, 16, 32, 32), id="D2-5 standard"),
        pytest.param(ConvSpec.pointwise(3, 16), (1, 3, 32, 32), (1, 16, 32, 32), id="D2-5 pointwise"),
        pytest.param(ConvSpec(3, 6, 3, 3), (1, 3, 6, 6), (1, 6, 2, 2), id="D3-5 stride 3"),
        pytest.param(ConvSpec(3, 6, 3), (1, 3, 6, 6), (1, 6, 4, 4), id="D3-5 stride 1"),
        pytest.param(ConvSpec(8, 6, 1, groups=2), (1, 8, 1, 1), (1, 6, 1, 1), id="D4-2"),
        pytest.param(ConvSpec(3, 64, 3, padding=1), (1, 3, 224, 224), (1, 64, 224, 224), id="CS231n, VGG-16"),
    ],
)
def test_output_shape_is_the_published_one(spec, shape, wanted):
    assert output_shape(spec, shape) == wanted


def test_output_shape_is_exact_beyond_63_bits():
    side = 10**20
    assert output_shape(ConvSpec(1, 2, 3, 2), (10**12, 1, side, side + 1)) == (10**12, 2, side // 2 - 1, side // 2)


@pytest.mark.parametrize(
    "shape", [[2, 3, 7, 9], torch.Size((2, 3, 7, 9)), tuple(np.array([2, 3, 7, 9]))], ids=["list", "Size", "numpy"]
)
def test_output_shape_takes_lists_and_torchs_and_numpys_sizes(shape):
    wanted = output_shape(ConvSpec(3, 5, 3), shape)
    assert wanted == (2, 5, 5, 7)
    assert {type(n) for n in wanted} == {int}


# What is refused


@pytest.mark.parametrize("shape", [None, 12, 3.0, "1357", {1, 3, 5, 7}, np.ones(4, int)])
def test_check_shape_refuses_what_is_no_tuple(shape):
    with raises(TypeError, f"input_shape={shape!r} is a {type(shape).__name__}; wanted a tuple (N, C, H, W)"):
        check_shape(shape)


@pytest.mark.parametrize("shape", [(), (3, 12, 12), (1, 3, 4, 12, 12)])
def test_check_shape_refuses_another_length(shape):
    with raises(ValueError, f"input_shape={shape} has {len(shape)} numbers; wanted 4: (N, C, H, W)"):
        check_shape(shape)


@pytest.mark.parametrize(
    ("axis", "name"), [(0, "N (images in the batch)"), (1, "C (channels)"), (2, "H (height)"), (3, "W (width)")]
)
@pytest.mark.parametrize("value", [True, 3.0, None, "3", 0, -2])
def test_check_shape_names_the_axis_that_is_no_positive_integer(axis, name, value):
    shape = [5, 3, 7, 9]
    shape[axis] = value
    number = type(value) is int
    given = f"{value} is too small" if number else f"{value!r} is a {type(value).__name__}"
    with raises(
        ValueError if number else TypeError,
        f"input_shape's {name}={given}; wanted an integer of at least 1",
    ):
        check_shape(shape)


@pytest.mark.parametrize("value", [None, (3, 16, 3), "ConvSpec", ConvSpec])
def test_check_spec_refuses_what_is_no_ConvSpec(value):
    for function in (check_spec, pads, lambda spec: output_shape(spec, (1, 3, 5, 5))):
        with raises(TypeError, f"{value!r} is a {type(value).__name__}; wanted a ConvSpec"):
            function(value)


def test_output_shape_checks_the_shape():
    with raises(ValueError, "input_shape=(3, 12, 12) has 3 numbers; wanted 4"):
        output_shape(ConvSpec(3, 5, 3), (3, 12, 12))


@pytest.mark.parametrize("channels", [2, 4, 12])
def test_output_shape_refuses_other_channels_than_the_layers(channels):
    with raises(ValueError, f"input_shape=(1, {channels}, 3, 12) has {channels} channels; wanted in_channels=3"):
        output_shape(ConvSpec(3, 5, 3), (1, channels, 3, 12))


@pytest.mark.parametrize(
    ("options", "sizes", "message"),
    [
        ({}, (2, 9), "the window spans 3 and the padded image has 2 (height: 2 + 0 + 0)"),
        ({}, (9, 4), "the window spans 5 and the padded image has 4 (width: 4 + 0 + 0)"),
        ({"padding": "valid"}, (9, 4), "the window spans 5 and the padded image has 4 (width: 4 + 0 + 0)"),
        ({"dilation": 2}, (4, 20), "the window spans 5 and the padded image has 4 (height: 4 + 0 + 0)"),
        ({"dilation": (1, 3), "padding": (0, 2)}, (3, 8), "spans 13 and the padded image has 12 (width: 8 + 2 + 2)"),
    ],
)
def test_output_shape_refuses_a_window_larger_than_the_padded_image(options, sizes, message):
    spec = ConvSpec(3, 6, (3, 5), **options)
    with raises(ValueError, message, f"kernel_size=(3, 5), dilation={spec.dilation}"):
        output_shape(spec, (1, 3, *sizes))
