"""The convolution from its definition, in two forms that count the work they do.

Neither form uses convlab's formulas for size or cost: the loops count each multiplication and addition where it
happens, so their counts check the formulas.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from convlab.shape import pads
from convlab.spec import ConvSpec


class Counted(NamedTuple):
    """An output of shape (N, M, H, W) and the work that made it."""

    output: np.ndarray
    multiplication_count: int
    addition_count: int


def _as_numbers(name: str, array) -> np.ndarray:
    """Return an array-like as an array of integers (int64) or floats.

    Raises:
        TypeError: no rectangular array, or numbers of another kind: bools are no integers.
        ValueError: an integer beyond 63 bits.
    """
    try:
        array = np.asarray(array.detach() if hasattr(array, "detach") else array)
    except ValueError as error:
        raise TypeError(f"{name} is no array: {error}; wanted a rectangular array of numbers") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} holds {array.dtype}; wanted an array of integers or floats")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise ValueError(f"{name} holds {array.max()}; wanted integers below 2**63")
    return array if array.dtype.kind == "f" else array.astype(np.int64)


def _check_range(x, weight, bias) -> None:
    """Raise a ValueError if integers could add up to more than int64 holds; then floats are the way out."""
    if "f" not in (x.dtype.kind, weight.dtype.kind):
        largest = int(abs(x).max()) * int(abs(weight).max()) * prod(weight.shape[1:])
        largest += 0 if bias is None or bias.dtype.kind == "f" else int(abs(bias).max())
        if largest >= 2**63:
            raise ValueError(f"an output number could reach {largest}; wanted below 2**63, or arrays of floats")


def _prepare(x, weight, bias, stride, padding, dilation, groups) -> tuple[ConvSpec, np.ndarray, np.ndarray, np.ndarray]:
    """Return the layer as a spec, the zero-padded input, the weight and the bias (or None), all checked.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an array of the wrong rank or size, or a window larger than the padded image.
    """
    x, weight = _as_numbers("x", x), _as_numbers("weight", weight)
    bias = None if bias is None else _as_numbers("bias", bias)
    for name, array, wanted in (("x", x, "(N, C, H, W)"), ("weight", weight, "(M, C/g, K height, K width)")):
        if array.ndim != 4:
            raise ValueError(f"{name} has shape {array.shape}; wanted four dimensions: {wanted}")
        if 0 in array.shape:
            raise ValueError(f"{name} has shape {array.shape}; wanted no dimension of size 0")
    spec = ConvSpec(
        x.shape[1],
        weight.shape[0],
        weight.shape[2:],
        stride,
        padding,
        dilation,
        groups,
        bias=bias is not None,
    )
    if weight.shape != spec.weight_shape:
        raise ValueError(
            f"weight has shape {weight.shape}; wanted {spec.weight_shape} "
            f"for {spec.in_channels} input channels in {spec.groups} groups"
        )
    if bias is not None and bias.shape != (spec.out_channels,):
        raise ValueError(f"bias has shape {bias.shape}; wanted ({spec.out_channels},), one number a filter")
    padded = np.pad(x, ((0, 0), (0, 0), *pads(spec)))
    for axis, size, k, d in zip(("height", "width"), padded.shape[2:], spec.kernel_size, spec.dilation):
        if d * (k - 1) + 1 > size:
            raise ValueError(
                f"the window spans {d * (k - 1) + 1} and the padded image has {size} ({axis}); "
                f"wanted a window no larger than the image"
            )
    _check_range(x, weight, bias)
    return spec, padded, weight, bias


def _window_starts(spec: ConvSpec, padded) -> tuple[range, range]:
    """Return the first row of each window and the first column of each window, found by stepping, not by formula."""
    return tuple(
        range(0, size - d * (k - 1), s)
        for size, k, s, d in zip(padded.shape[2:], spec.kernel_size, spec.stride, spec.dilation)
    )


def conv2d_loops(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Counted:
    """Convolve as plain loops and count every multiplication and addition that is done.

    Args:
        x: array of shape (N, C, H, W).
        weight: array of shape (M, C/g, K height, K width).
        bias: None, or array of shape (M,).
        stride, padding, dilation, groups: as in `torch.nn.functional.conv2d`.

    Returns:
        The output of shape (N, M, H, W), its multiplications and its additions.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: arrays that do not fit each other, or a window larger than the padded image.

    >>> conv2d_loops(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))[1:]  # 4 products, 3 sums, at 4 positions
    (16, 12)

    Source: the definition in `torch.nn.Conv2d` (a cross-correlation: the kernel is not flipped).
    """
    spec, padded, weight_array, bias_array = _prepare(x, weight, bias, stride, padding, dilation, groups)
    rows, columns = _window_starts(spec, padded)
    image, kernel = padded.tolist(), weight_array.tolist()
    group_inputs, group_outputs = spec.in_channels // spec.groups, spec.out_channels // spec.groups
    multiplications = additions = 0
    dtype = np.result_type(*(array for array in (padded, weight_array, bias_array) if array is not None))
    output = np.empty((len(image), spec.out_channels, len(rows), len(columns)), dtype)
    for n in range(len(image)):
        for m in range(spec.out_channels):
            first = m // group_outputs * group_inputs
            for i, top in enumerate(rows):
                for j, left in enumerate(columns):
                    total = None
                    for c in range(group_inputs):
                        for u in range(spec.kernel_size[0]):
                            for v in range(spec.kernel_size[1]):
                                y, z = top + u * spec.dilation[0], left + v * spec.dilation[1]
                                product = kernel[m][c][u][v] * image[n][first + c][y][z]
                                multiplications += 1
                                if total is None:
                                    total = product
                                else:
                                    total += product
                                    additions += 1
                    if bias_array is not None:
                        total += bias_array[m]
                        additions += 1
                    output[n, m, i, j] = total
    return Counted(output, multiplications, additions)


def _im2col(padded, spec: ConvSpec) -> np.ndarray:
    """Copy every window of a padded input into a column: shape (N, g, (C/g)·K·K, H·W), output size H×W."""
    rows, columns = _window_starts(spec, padded)
    y = np.add.outer(np.arange(spec.kernel_size[0]) * spec.dilation[0], rows)  # (K height, H)
    z = np.add.outer(np.arange(spec.kernel_size[1]) * spec.dilation[1], columns)  # (K width, W)
    windows = padded[:, :, y[:, None, :, None], z[None, :, None, :]]  # (N, C, K, K, H, W)
    return windows.reshape(len(padded), spec.groups, -1, len(rows) * len(columns))


def conv2d_im2col(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Counted:
    """Convolve as one matrix product of the filters (as rows) with the windows (as columns), batched over groups.

    The counts follow from the sizes of the two matrices: an (a×n)·(n×b) product does a·n·b multiplications and
    a·(n − 1)·b additions.

    Arguments, result and errors are those of `conv2d_loops`.

    >>> conv2d_im2col(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))[1:]
    (16, 12)

    Source: Chellapilla, Puri & Simard 2006, section 2.
    """
    spec, padded, weight, bias = _prepare(x, weight, bias, stride, padding, dilation, groups)
    starts, windows = _window_starts(spec, padded), _im2col(padded, spec)
    filters = weight.reshape(spec.groups, spec.out_channels // spec.groups, -1)
    output = (filters @ windows).reshape(len(padded), spec.out_channels, *map(len, starts))
    multiplications = output.size * windows.shape[2]
    additions = output.size * (windows.shape[2] - 1)
    if bias is not None:
        output = output + bias[:, None, None]
        additions += output.size
    return Counted(output, multiplications, additions)
