"""What a convolution costs, as exact integers.

The convention, stated here and used everywhere:

- A *multiplication* is one product of a weight and an input number.
- 1 *MAC* (multiply-accumulate) is one multiplication with its accumulation, so MACs count multiplications.
- *Additions*: the sum of n products takes n − 1 additions; a bias takes one more.
- Exact *FLOPs* (floating-point operations) are multiplications plus additions: (2n − 1) for each output number
  without bias, 2n with bias, where n = (C/g)·K·K is the number of products in one output number.
- Padding zeros count: a product with a zero that padding added is a product.

Every function takes a `ConvSpec` and an input shape (N, C, H, W) and counts the whole batch of N images.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from convlab.shape import Shape, check_shape, check_spec, output_shape
from convlab.spec import ConvSpec, exact_int


def products_per_output(spec: ConvSpec) -> int:
    """Return n = (C/g)·K·K, the products that are summed into one output number.

    >>> products_per_output(ConvSpec(3, 256, 5))  # 3 * 5 * 5
    75
    """
    return prod(check_spec(spec).weight_shape[1:])


def additions_per_output(spec: ConvSpec) -> int:
    """Return the additions that make one output number: n − 1 for the sum of n products, and one more for a bias.

    >>> additions_per_output(ConvSpec(3, 256, 5, bias=False)), additions_per_output(ConvSpec(3, 256, 5))
    (74, 75)
    """
    return products_per_output(spec) - 1 + spec.bias


def param_count(spec: ConvSpec) -> int:
    """Return the number of parameters: (C/g)·K·K·M weights, and M biases if the layer has a bias.

    >>> param_count(ConvSpec(3, 6, 11, stride=4, bias=False)), param_count(ConvSpec(3, 6, 11, stride=4))
    (2178, 2184)
    """
    return prod(check_spec(spec).weight_shape) + spec.bias * spec.out_channels


def addition_count(spec: ConvSpec, input_shape: Shape) -> int:
    """Return the number of additions: (C/g)·K·K − 1 for each output number, and one more for a bias.

    Raises: what `output_shape` raises.

    >>> addition_count(ConvSpec(3, 256, 5, bias=False), (1, 3, 12, 12))  # 74 * 256 * 8 * 8
    1212416
    """
    return additions_per_output(spec) * prod(output_shape(spec, input_shape))


def mac_count(spec: ConvSpec, input_shape: Shape) -> int:
    """Return the number of MACs: one for each multiplication, so (C/g)·K·K for each of the N·M·H·W output numbers.

    A bias is added, never multiplied, so it does not show in MACs.

    Raises: what `output_shape` raises.

    >>> mac_count(ConvSpec(3, 6, 11, stride=4), (1, 3, 227, 227))
    6588450
    """
    return products_per_output(spec) * prod(output_shape(spec, input_shape))


def flop_count(spec: ConvSpec, input_shape: Shape) -> int:
    """Return the exact FLOPs: multiplications plus additions.

    That is (2·(C/g)·K·K − 1)·N·M·H·W without bias and 2·(C/g)·K·K·N·M·H·W with bias.

    Raises: what `output_shape` raises.

    >>> flop_count(ConvSpec(3, 6, 11, stride=4, bias=False), (1, 3, 227, 227))
    13158750
    >>> flop_count(ConvSpec(3, 6, 11, stride=4), (1, 3, 227, 227))
    13176900
    """
    return (products_per_output(spec) + additions_per_output(spec)) * prod(output_shape(spec, input_shape))


class MemoryBytes(NamedTuple):
    """The bytes that a layer has to read and write once: its input, its parameters, its output."""

    input_bytes: int
    weight_bytes: int
    output_bytes: int

    @property
    def total_bytes(self) -> int:
        """Input, parameters and output together."""
        return sum(self)


def memory_bytes(spec: ConvSpec, input_shape: Shape, item_bytes: int = 4) -> MemoryBytes:
    """Return the bytes of the input, of the parameters (bias included) and of the output.

    Args:
        item_bytes: bytes of one number: 4 for float32, 2 for float16, 1 for int8.

    Raises: what `output_shape` raises, and a TypeError or ValueError for an `item_bytes` that is no positive integer.

    >>> memory_bytes(ConvSpec(3, 256, 5, bias=False), (1, 3, 12, 12))  # 4 bytes * (432, 19 200, 16 384)
    MemoryBytes(input_bytes=1728, weight_bytes=76800, output_bytes=65536)
    """
    item_bytes = exact_int("item_bytes", item_bytes, 1)
    numbers = prod(check_shape(input_shape)), param_count(spec), prod(output_shape(spec, input_shape))
    return MemoryBytes(*(count * item_bytes for count in numbers))


def arithmetic_intensity(spec: ConvSpec, input_shape: Shape, item_bytes: int = 4) -> float:
    """Return the FLOPs done for each byte moved, if every byte moves once.

    Raises: what `memory_bytes` raises.

    >>> round(arithmetic_intensity(ConvSpec(3, 256, 5, bias=False), (1, 3, 12, 12)), 2)  # FLOPs per byte
    16.95

    Source: Williams, Waterman & Patterson 2009 (Roofline), section 3.
    """
    return flop_count(spec, input_shape) / memory_bytes(spec, input_shape, item_bytes).total_bytes
