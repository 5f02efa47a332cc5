"""The loops and the matrix product give torch's numbers, and count what the formulas say."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases, raises

from convlab import ConvSpec, addition_count, mac_count, output_shape
from convlab.reference import _im2col, _prepare, _window_starts, conv2d_im2col, conv2d_loops

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")

both_forms = pytest.mark.parametrize("convolve", [conv2d_loops, conv2d_im2col])
seeds = st.integers(0, 2**32 - 1)


def arrays(layer: dict, shape, draw) -> tuple[list, dict]:
    """Return input, weight and bias, made by `draw(size)`, and the other arguments of `F.conv2d`."""
    spec = ConvSpec(**layer)
    bias = draw((spec.out_channels,)) if spec.bias else None
    options = {name: layer[name] for name in ("stride", "padding", "dilation", "groups")}
    return [draw(shape), draw(spec.weight_shape), bias], options


def torch_conv2d(x, weight, bias, **options) -> np.ndarray:
    tensors = [None if array is None else torch.tensor(array, dtype=torch.float64) for array in (x, weight, bias)]
    return F.conv2d(*tensors, **options).numpy()


# Values


@both_forms
@given(case=cases(), seed=seeds)
def test_conv2d_gives_torchs_numbers(convolve, case, seed):
    given_arrays, options = arrays(*case, np.random.default_rng(seed).standard_normal)
    output = convolve(*given_arrays, **options).output
    np.testing.assert_allclose(output, torch_conv2d(*given_arrays, **options), rtol=1e-10, atol=1e-10)
    assert output.dtype == np.float64


@both_forms
@given(case=cases(), seed=seeds)
def test_conv2d_gives_torchs_small_integers_exactly(convolve, case, seed):
    random = np.random.default_rng(seed)
    given_arrays, options = arrays(*case, lambda size: random.integers(-9, 10, size))
    output = convolve(*given_arrays, **options).output
    assert output.dtype == np.int64
    np.testing.assert_array_equal(output, torch_conv2d(*given_arrays, **options))


@both_forms
def test_conv2d_of_integers_with_a_bias_of_fractions_keeps_the_fractions(convolve):
    output = convolve(np.ones((1, 1, 2, 2), int), np.ones((1, 1, 1, 2), int), [0.5]).output
    assert output.tolist() == [[[[2.5], [2.5]]]]


@both_forms
def test_conv2d_takes_lists_and_keeps_single_precision(convolve):
    x, weight = [[[[1, 2, 3]]]], [[[[1, 10]]]]
    assert convolve(x, weight).output.tolist() == [[[[21, 32]]]]
    assert convolve(np.float32(x), np.float32(weight)).output.dtype == np.float32


@both_forms
def test_conv2d_has_the_defaults_of_torch(convolve):
    x, weight = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7), np.arange(4 * 3 * 2 * 3).reshape(4, 3, 2, 3)
    np.testing.assert_array_equal(convolve(x, weight).output, torch_conv2d(x, weight, None))


@both_forms
def test_conv2d_does_not_flip_the_kernel_and_leaves_its_input_alone(convolve):
    x, weight = np.arange(1, 7).reshape(1, 1, 2, 3), np.array([[[[1, 0], [0, 100]]]])
    assert convolve(x, weight).output.tolist() == [[[[501, 602]]]]
    assert x.tolist() == [[[[1, 2, 3], [4, 5, 6]]]]


@both_forms
def test_separable_layers_equal_one_layer_whose_filters_are_multiples(convolve):  # D1-8
    random = np.random.default_rng(0)
    x, mix, each = (random.integers(-9, 10, size) for size in [(2, 3, 7, 6), (5, 3, 1, 1), (3, 1, 2, 3)])
    separable = convolve(convolve(x, each, groups=3, stride=2).output, mix).output
    np.testing.assert_array_equal(separable, convolve(x, mix * each[:, 0], stride=2).output)


# Counts


@both_forms
@given(case=cases())
def test_conv2d_counts_what_the_formulas_say(convolve, case):
    given_arrays, options = arrays(*case, np.zeros)
    spec, done = ConvSpec(**case[0]), convolve(*given_arrays, **options)
    assert done.output.shape == output_shape(spec, case[1])
    assert done.multiplication_count == mac_count(spec, case[1])
    assert done.addition_count == addition_count(spec, case[1])
    assert {type(done.multiplication_count), type(done.addition_count)} == {int}


@given(case=cases(), seed=seeds)
def test_conv2d_im2col_gives_and_counts_what_conv2d_loops_does(case, seed):
    random = np.random.default_rng(seed)
    given_arrays, options = arrays(*case, lambda size: random.integers(-9, 10, size))
    loops, product = (convolve(*given_arrays, **options) for convolve in (conv2d_loops, conv2d_im2col))
    np.testing.assert_array_equal(loops.output, product.output)
    assert loops[1:] == product[1:]


@both_forms
@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "options", "multiplications", "additions"),
    [
        pytest.param((1, 3, 6, 6), (6, 3, 3, 3), {"stride": 3}, 648, 648, id="D3-6 with bias"),
        pytest.param((1, 3, 6, 6), (6, 1, 3, 3), {"stride": 3, "groups": 3}, 216, 216, id="D3-7 with bias"),
        pytest.param((1, 3, 12, 12), (3, 1, 5, 5), {"groups": 3}, 4_800, 4_800, id="D1-4"),
        pytest.param((1, 3, 8, 8), (256, 3, 1, 1), {}, 49_152, 49_152, id="D1-6"),
    ],
)
def test_conv2d_does_the_published_number_of_operations(
    convolve, x_shape, weight_shape, options, multiplications, additions
):
    x, weight, bias = np.zeros(x_shape, int), np.zeros(weight_shape, int), np.zeros(weight_shape[0], int)
    assert convolve(x, weight, bias, **options)[1:] == (multiplications, additions)
    assert convolve(x, weight, **options)[1:] == (multiplications, additions - multiplications // weight[0].size)


# The parts


def test_im2col_copies_one_window_into_each_column():
    columns = _im2col(np.arange(1, 13).reshape(1, 1, 3, 4), ConvSpec(1, 1, (2, 3)))
    assert columns[0, 0].T.tolist() == [
        [1, 2, 3, 5, 6, 7],
        [2, 3, 4, 6, 7, 8],
        [5, 6, 7, 9, 10, 11],
        [6, 7, 8, 10, 11, 12],
    ]


def test_im2col_of_alexnets_first_layer_is_as_large_as_published():  # CS231n: X_col is [363 x 3025]
    assert _im2col(np.zeros((1, 3, 227, 227), np.int8), ConvSpec(3, 96, 11, stride=4)).shape == (1, 1, 363, 3025)


def test_window_starts_step_by_the_stride_and_leave_room_for_the_window():
    spec = ConvSpec(1, 1, (2, 3), stride=(3, 2), dilation=(4, 1))
    assert [*map(list, _window_starts(spec, np.zeros((1, 1, 11, 7))))] == [[0, 3, 6], [0, 2, 4]]


def test_prepare_puts_the_odd_zero_of_same_at_the_bottom_and_on_the_right():
    _, padded, _, _ = _prepare(np.ones((1, 1, 1, 1)), np.ones((1, 1, 2, 4)), None, 1, "same", 1, 1)
    assert padded.tolist() == [[[[0, 1, 0, 0], [0, 0, 0, 0]]]]


# What is refused


@both_forms
@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "options", "error", "message"),
    [
        ((4, 6, 6), (6, 4, 3, 3), {}, ValueError, "x has shape (4, 6, 6); wanted four dimensions: (N, C, H, W)"),
        ((1, 4, 6, 6), (6, 4, 3), {}, ValueError, "weight has shape (6, 4, 3); wanted four dimensions: (M, C/g,"),
        (
            (1, 4, 6, 6),
            (6, 4, 3, 3),
            {"groups": 2},
            ValueError,
            "weight has shape (6, 4, 3, 3); wanted (6, 2, 3, 3) for 4 input channels in 2 groups",
        ),
        (
            (1, 4, 6, 6),
            (6, 3, 3, 3),
            {},
            ValueError,
            "weight has shape (6, 3, 3, 3); wanted (6, 4, 3, 3) for 4 input channels in 1 groups",
        ),
        ((1, 4, 6, 6), (6, 4, 3, 3), {"groups": 3}, ValueError, "groups=3 does not divide in_channels=4"),
        (
            (1, 4, 6, 6),
            (6, 4, 3, 3),
            {"bias": np.zeros(4)},
            ValueError,
            "bias has shape (4,); wanted (6,), one number a filter",
        ),
        (
            (1, 4, 6, 6),
            (6, 4, 3, 3),
            {"bias": 1.0},
            ValueError,
            "bias has shape (); wanted (6,), one number a filter",
        ),
        ((1, 4, 2, 6), (6, 4, 3, 3), {}, ValueError, "the window spans 3 and the padded image has 2 (height)"),
        (
            (1, 4, 6, 4),
            (6, 4, 3, 3),
            {"dilation": (1, 3), "padding": (0, 1)},
            ValueError,
            "the window spans 7 and the padded image has 6 (width)",
        ),
        ((1, 4, 6, 6), (6, 4, 3, 3), {"stride": 0}, ValueError, "stride=0 is too small; wanted an integer"),
        ((1, 4, 6, 6), (6, 4, 3, 3), {"padding": "full"}, ValueError, "padding='full'; wanted 'same', 'valid'"),
        (
            (1, 4, 6, 6),
            (6, 4, 3, 3),
            {"padding": "same", "stride": 2},
            ValueError,
            "padding='same' with stride=(2, 2); 'same' is defined for stride 1 only",
        ),
        ((1, 4, 6, 6), (6, 4, 3, 3), {"stride": 2.0}, TypeError, "stride=2.0 is a float; wanted an integer"),
        ((1, 4, 6, 6), (6, 4, 3, 3), {"groups": True}, TypeError, "groups=True is a bool; wanted an integer"),
    ],
)
def test_conv2d_refuses_what_does_not_fit(convolve, x_shape, weight_shape, options, error, message):
    with raises(error, message):
        convolve(np.zeros(x_shape), np.zeros(weight_shape), **options)


@pytest.mark.parametrize("convolve", [conv2d_loops, conv2d_im2col])
def test_conv2d_of_small_integer_types_does_not_overflow(convolve):
    hundred = np.full((1, 1, 2, 2), 100, np.int8)
    assert convolve(hundred, hundred).output.item() == 40_000


@pytest.mark.parametrize("convolve", [conv2d_loops, conv2d_im2col])
def test_conv2d_of_an_empty_batch_is_refused(convolve):
    with raises(ValueError, "x has shape (0, 1, 2, 2); wanted no dimension of size 0"):
        convolve(np.ones((0, 1, 2, 2)), np.ones((1, 1, 1, 1)))


@pytest.mark.parametrize("convolve", [conv2d_loops, conv2d_im2col])
@pytest.mark.parametrize(
    ("x", "weight", "error", "message"),
    [
        (np.ones((1, 1, 2, 2), bool), np.ones((1, 1, 2, 2)), TypeError, "x holds bool; wanted an array of integers or"),
        (None, np.ones((1, 1, 2, 2)), TypeError, "x holds object; wanted an array of integers or floats"),
        ([[1, 2], [3]], np.ones((1, 1, 2, 2)), TypeError, "x is no array: .*; wanted a rectangular array of numbers"),
        (
            np.full((1, 1, 1, 1), 2**63, np.uint64),
            np.ones((1, 1, 1, 1)),
            ValueError,
            "x holds 92233720368547758.*wanted",
        ),
        (np.full((1,) * 4, 2**40), np.full((1,) * 4, 2**30), ValueError, "could reach .*; wanted below 2"),
        (
            np.ones((1, 1, 2, 2)),
            np.ones((1, 1, 3, 3)),
            ValueError,
            "spans 3 .* has 2 .*; wanted a window",
        ),
    ],
    ids=["bool", "None", "ragged", "uint64", "overflow", "window"],
)
def test_conv2d_refuses_what_it_cannot_compute_exactly(convolve, x, weight, error, message):
    with pytest.raises(error, match=message):
        convolve(x, weight)


def test_conv2d_takes_a_tensor_that_requires_a_gradient():
    weight = torch.ones(1, 1, 2, 2, requires_grad=True)
    assert conv2d_loops(torch.ones(1, 1, 2, 2), weight).output.item() == 4
