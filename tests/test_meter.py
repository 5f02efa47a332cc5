"""Metered numbers count what is done to them, in whatever style a convolution is written."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from numpy.lib.stride_tricks import sliding_window_view
from strategies import cases, raises

from convlab.cost import addition_count, mac_count
from convlab.meter import Meter, metered
from convlab.shape import pads
from convlab.spec import ConvSpec

IMAGE = torch.arange(1, 61).reshape(3, 4, 5).double()
KERNELS = torch.arange(1, 37).reshape(2, 3, 2, 3).double()
LAYER = ConvSpec(3, 2, (2, 3), bias=False), (1, 3, 4, 5)
POSITIONS = [(i, j) for i in range(3) for j in range(3)]
WANTED = F.conv2d(IMAGE[None], KERNELS)[0].numpy()


def loops(spec, x, weight, bias):
    """Convolve a padded batch in plain loops, with `sum`, as the definition of the layer says."""
    (sh, sw), (dh, dw), each = spec.stride, spec.dilation, len(x[0]) // spec.groups
    height, width = ((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], *sizes(spec)))
    output = []
    for image in x:
        for m, kernel in enumerate(weight):
            first = m * spec.groups // len(weight) * each
            for i in range(height):
                for j in range(width):
                    products = (
                        image[first + c, i * sh + u * dh, j * sw + v * dw] * kernel[c, u, v]
                        for c, u, v in np.ndindex(kernel.shape)
                    )
                    output.append(sum(products) + (bias[m] if spec.bias else 0))
    return output


def sizes(spec):
    return spec.kernel_size, spec.stride, spec.dilation


@settings(deadline=None, max_examples=25)
@given(cases())
def test_metered_counts_of_any_layer_what_the_formulas_say(case):
    arguments, shape = case
    spec, random = ConvSpec(**arguments), np.random.default_rng(0)
    x = np.pad(random.integers(1, 9, shape), ((0, 0), (0, 0), *pads(spec)))
    work = metered(loops, spec, x, random.integers(1, 9, spec.weight_shape), random.integers(1, 9, spec.out_channels))
    assert work.multiplication_count == mac_count(spec, shape)
    assert work.addition_count == addition_count(spec, shape)


def with_sum(image, kernels):
    return [[[(image[:, i : i + 2, j : j + 3] * k).sum() for j in range(3)] for i in range(3)] for k in kernels]


def number_by_number(zeros):
    def convolve(image, kernels):
        out = zeros((2, 3, 3))
        for m, c, u, v in np.ndindex(kernels.shape):
            for i, j in POSITIONS:
                out[m, i, j] += kernels[m, c, u, v] * image[c, i + u, j + v]
        return out

    return convolve


def filled_in(image, kernels):
    out = torch.zeros(2, 3, 3, dtype=torch.float64)
    for m, kernel in enumerate(kernels):
        for i, j in POSITIONS:
            out[m, i, j] = (image[:, i : i + 2, j : j + 3] * kernel).sum()
    return out


def map_by_map(image, kernels):
    out = np.zeros((2, 3, 3))
    for m, c, u, v in np.ndindex(kernels.shape):
        out[m] += image[c, u : u + 3, v : v + 3] * kernels[m, c, u, v]
    return out


def nested_lists(image, kernels):
    image, kernels = image.tolist(), kernels.tolist()
    taps = [*np.ndindex(3, 2, 3)]
    numbers = [sum(k[c][u][v] * image[c][i + u][j + v] for c, u, v in taps) for k in kernels for i, j in POSITIONS]
    return np.reshape(numbers, (2, 3, 3))


def one_product(image, kernels):
    windows = sliding_window_view(image, (2, 3), axis=(1, 2)).transpose(0, 3, 4, 1, 2).reshape(18, 9)
    return (kernels.reshape(2, 18) @ windows).reshape(2, 3, 3)


def one_einsum(image, kernels):
    return np.einsum("cijuv,mcuv->mij", sliding_window_view(image, (2, 3), axis=(1, 2)), kernels)


STYLES = [with_sum, filled_in, map_by_map, nested_lists, one_product, one_einsum]
STYLES += [number_by_number(zeros) for zeros in (np.zeros, torch.zeros, lambda size: np.zeros(size, object))]


@pytest.mark.parametrize("given_as", [lambda x: x, np.asarray, lambda x: x.tolist(), lambda x: x.requires_grad_()])
@pytest.mark.parametrize("convolve", STYLES)
def test_metered_follows_a_convolution_in_any_style(convolve, given_as):
    work = metered(convolve, *(given_as(array.clone()) for array in (IMAGE, KERNELS)))
    assert work.multiplication_count == mac_count(*LAYER)
    assert work.addition_count == addition_count(*LAYER)
    np.testing.assert_allclose(work.output, WANTED, rtol=1e-6)


def test_a_plain_0_starts_a_sum_and_any_other_number_is_added():
    meter = Meter()
    a, b = meter.wrap([2, 3])
    assert (0 + a, a + 0.0, sum([a, b]), b + 5, 5 + b, np.float64(5) + b) == (2, 2, 5, 8, 8, 8)
    assert (meter.multiplication_count, meter.addition_count) == (0, 4)


def test_a_difference_is_an_addition_and_a_sign_is_nothing():
    meter = Meter()
    a, b = meter.wrap([2, 3])
    assert (a - b, b - 1, 1 - b, -a) == (-1, 2, -2, -2)
    assert (meter.multiplication_count, meter.addition_count) == (0, 3)


def test_a_product_with_a_plain_number_and_one_with_a_zero_are_products():
    meter = Meter()
    a, zero = meter.wrap([2, 0])
    assert (a * 3, 3 * a, np.float64(3) * a, zero * 3, a * zero, 0 * a) == (6, 6, 6, 0, 0, 0)
    assert (meter.multiplication_count, meter.zero_product_count) == (6, 3)
    assert repr(meter) == "6 multiplications (3 with a zero), 0 additions"


def test_looking_at_a_number_costs_nothing():
    meter = Meter()
    a, zero = meter.wrap([2.5, 0])
    assert a and not zero and a == 2.5 and a != zero and a != "2.5" and float(a) == 2.5 and repr(a) == "2.5"
    assert meter.wrap(4) == 4 and repr(meter.wrap([[1, 2]]).tolist()) == "[[1, 2]]"
    assert (meter.multiplication_count, meter.addition_count) == (0, 0)


def test_metered_passes_single_numbers_on_and_leaves_the_arguments_as_they_were():
    image, seen = np.ones((2, 3)), []
    work = metered(lambda image, stride: seen.append(stride) or image[0, 0], image, 2)
    assert (seen, work.output, repr(work)) == ([2], 1.0, "0 multiplications, 0 additions")
    assert type(seen[0]) is int and image.dtype == float and (image == 1).all()


@pytest.mark.parametrize("output", [None, "text", [[1], [1, 2]]])
def test_metered_returns_what_is_no_array_as_it_is(output):
    assert metered(lambda: output).output is output


@pytest.mark.parametrize(
    ("numbers", "quotes"),
    [
        ([True, False], ["[True, False] holds bool; wanted integers or floats"]),
        ("five", ["'five' holds <U4; wanted integers or floats"]),
        (None, ["None holds object"]),
        ([[1, 2], [3]], ["[[1, 2], [3]] is no array", "wanted lists of equal lengths"]),
        (Meter().wrap([1, 2]), ["holds object; wanted integers or floats that are not metered yet"]),
    ],
)
def test_wrap_takes_numbers_alone(numbers, quotes):
    with raises(TypeError, *quotes):
        Meter().wrap(numbers)


def test_bad_use_is_told():
    with raises(TypeError, "3 is a int; wanted a function, by its name"):
        metered(3)
    with raises(ValueError, "1 and 2 are on two meters; wanted both on one"):
        Meter().wrap(1) * Meter().wrap(2)
    with raises(TypeError, "torch's mul is not metered; wanted loops over numbers, or NumPy"):
        torch.mul(torch.ones(3), Meter().wrap(2))
    with raises(TypeError, "unsupported operand"):
        Meter().wrap(2) / 3
    with raises(TypeError, "'Metered'"):
        Meter().wrap(2) * "3"
