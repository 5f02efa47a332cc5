"""What a convolution layer is, before any image reaches it.

`ConvSpec` has the fields and defaults of `torch.nn.Conv2d` and holds no weights. Every other module of convlab
takes a `ConvSpec` and answers one question about it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import gcd
from operator import index
from typing import Literal, TypeAlias

from convlab.wording import listed

Pair: TypeAlias = tuple[int, int]  # (height, width)
Padding: TypeAlias = int | Pair | Literal["same", "valid"]


def exact_int(name: str, value, minimum: int) -> int:
    """Return `value` as a Python integer of at least `minimum`.

    Raises:
        TypeError: `value` is not an integer. A bool and a float such as 3.0 are refused, never converted.
        ValueError: `value` is below `minimum`.
    """
    wanted = f"wanted an integer of at least {minimum}"
    try:
        number = index(value)
    except TypeError:
        number = None
    is_bool = isinstance(value, bool) or "bool" in str(getattr(value, "dtype", ""))
    if number is None or is_bool or getattr(value, "ndim", 0):
        raise TypeError(f"{name}={value!r} is a {type(value).__name__}; {wanted}")
    if number < minimum:
        raise ValueError(f"{name}={number} is too small; {wanted}")
    return number


def int_pair(name: str, value, minimum: int) -> Pair:
    """Return `value`, one integer for both axes or a (height, width) pair, as a pair of integers.

    Raises:
        TypeError: not an integer, or a pair that holds something else.
        ValueError: a tuple of another length than 2, or a number below `minimum`.
    """
    if not isinstance(value, tuple | list):
        return (exact_int(name, value, minimum),) * 2
    if len(value) != 2:
        raise ValueError(f"{name}={value!r} has {len(value)} numbers; wanted one integer or a (height, width) pair")
    return exact_int(f"{name}[0]", value[0], minimum), exact_int(f"{name}[1]", value[1], minimum)


def check_groups(in_channels: int, out_channels: int, groups: int) -> None:
    """Raise a ValueError that lists the possible group counts unless `groups` divides both channel counts."""
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels % groups:
            common = gcd(in_channels, out_channels)
            possible = [str(d) for d in range(1, min(common, 10_000) + 1) if common % d == 0]
            raise ValueError(
                f"groups={groups} does not divide {name}={channels}; it must divide both {in_channels} and "
                f"{out_channels}: {listed([*possible[:11], '…'] if len(possible) > 12 else possible, 'or')}"
            )


def conv_kind(in_channels: int, groups: int, kernel_size: tuple[int, ...]) -> str:
    """Return the usual name of a convolution: standard, grouped, depthwise or pointwise.

    With more than one group, one for each input channel, it is depthwise, whatever its kernel.

    >>> conv_kind(8, 1, (1, 1)), conv_kind(8, 2, (1, 1)), conv_kind(8, 8, (3, 3))
    ('pointwise', 'grouped', 'depthwise')
    """
    if groups > 1:
        return "depthwise" if groups == in_channels else "grouped"
    return "pointwise" if set(kernel_size) == {1} else "standard"


@dataclass(frozen=True, repr=False)
class ConvSpec:
    """One 2-D convolution layer: the arguments of `torch.nn.Conv2d`, checked, without weights.

    Args:
        in_channels: C, the channels of the input.
        out_channels: M, the channels of the output, which is the number of filters.
        kernel_size: K, one integer or (height, width).
        stride: s, the step of the window.
        padding: p, zeros added on each side; `"same"` keeps the image's size (stride 1 only), `"valid"` adds none.
        dilation: d, the distance between two neighbouring taps of the window.
        groups: g, the number of blocks into which both channel counts are split.
        bias: whether one number is added to each output channel.

    Sizes are stored as (height, width) pairs; `"same"` and `"valid"` are stored as given. The repr leaves out what
    has its default value.

    Raises:
        TypeError: a field is of the wrong type. A bool is no integer, and 3.0 is not 3.
        ValueError: a field is zero or negative, a group count does not divide, `"same"` with a stride above 1.

    >>> ConvSpec(3, 6, 11, stride=4).weight_shape  # AlexNet's first layer, with 6 filters
    (6, 3, 11, 11)
    >>> ConvSpec(8, 6, 1, groups=3)
    Traceback (most recent call last):
    ValueError: groups=3 does not divide in_channels=8; it must divide both 8 and 6: 1 or 2

    Source: the argument list of `torch.nn.Conv2d`, PyTorch 2.13.
    """

    in_channels: int
    out_channels: int
    kernel_size: int | Pair
    stride: int | Pair = 1
    padding: Padding = 0
    dilation: int | Pair = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self):
        for name in ("in_channels", "out_channels", "groups"):
            object.__setattr__(self, name, exact_int(name, getattr(self, name), 1))
        for name in ("kernel_size", "stride", "dilation"):
            object.__setattr__(self, name, int_pair(name, getattr(self, name), 1))
        if not isinstance(self.bias, bool):
            raise TypeError(f"bias={self.bias!r} is a {type(self.bias).__name__}; wanted True or False")
        if not isinstance(self.padding, str):
            object.__setattr__(self, "padding", int_pair("padding", self.padding, 0))
        elif self.padding not in ("same", "valid"):
            raise ValueError(f"padding={self.padding!r}; wanted 'same', 'valid', an integer or a (height, width) pair")
        elif self.padding == "same" and self.stride != (1, 1):
            raise ValueError(f"padding='same' with stride={self.stride}; 'same' is defined for stride 1 only")
        check_groups(self.in_channels, self.out_channels, self.groups)

    def __repr__(self) -> str:
        shown = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and value[0] == value[1]:
                value = value[0]
            if field.name in ("in_channels", "out_channels", "kernel_size"):
                shown.append(f"{value}")
            elif value != field.default:
                shown.append(f"{field.name}={value!r}")
        return f"ConvSpec({', '.join(shown)})"

    @classmethod
    def depthwise(cls, channels: int, kernel_size, *, multiplier: int = 1, **options) -> ConvSpec:
        """Return the layer that gives each input channel `multiplier` filters of its own (groups = channels).

        >>> ConvSpec.depthwise(3, 5, bias=False).weight_shape
        (3, 1, 5, 5)
        """
        channels, multiplier = exact_int("channels", channels, 1), exact_int("multiplier", multiplier, 1)
        return cls(channels, channels * multiplier, kernel_size, groups=channels, **options)

    @classmethod
    def pointwise(cls, in_channels: int, out_channels: int, **options) -> ConvSpec:
        """Return the 1×1 convolution that mixes channels and looks at one position at a time.

        >>> ConvSpec.pointwise(3, 256).weight_shape
        (256, 3, 1, 1)
        """
        return cls(in_channels, out_channels, 1, **options)

    @classmethod
    def separable(
        cls,
        in_channels: int,
        out_channels: int,
        kernel_size,
        *,
        multiplier: int = 1,
        bias: bool = True,
        **options,
    ) -> tuple[ConvSpec, ConvSpec]:
        """Return the two layers of a depthwise-separable convolution: (depthwise, pointwise).

        `stride`, `padding` and `dilation` go to the depthwise layer, `bias` to both.

        >>> [spec.weight_shape for spec in ConvSpec.separable(3, 256, 5)]
        [(3, 1, 5, 5), (256, 3, 1, 1)]

        Source: Howard et al. 2017 (MobileNets), section 3.1.
        """
        depthwise = cls.depthwise(in_channels, kernel_size, multiplier=multiplier, bias=bias, **options)
        return depthwise, cls.pointwise(depthwise.out_channels, out_channels, bias=bias)

    @classmethod
    def linear(cls, in_features: int, out_features: int, *, bias: bool = True) -> ConvSpec:
        """Return a fully connected layer, as the 1×1 convolution on a 1×1 image that it equals.

        >>> ConvSpec.linear(9216, 4096).weight_shape
        (4096, 9216, 1, 1)
        """
        in_features, out_features = (
            exact_int("in_features", in_features, 1),
            exact_int("out_features", out_features, 1),
        )
        return cls(in_features, out_features, 1, bias=bias)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out_channels, in_channels / groups, kernel height, kernel width), as in PyTorch."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
