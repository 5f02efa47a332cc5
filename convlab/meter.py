"""Numbers that count the work done to them: what somebody's own function multiplies and adds.

A product with a metered number is one multiplication, with a zero too. A sum or a difference is one addition; but to
add a plain 0 only starts a sum, as `sum(…)` and `total = 0` do: n products take n − 1 additions, as in `cost`.

A function may use loops, `sum`, `+=`, and NumPy's slices, `*`, `.sum()` and `@`. What torch does is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from convlab.wording import plural


@dataclass(repr=False, eq=False)
class Meter:
    """The work done to the numbers that it wrapped; after `metered` also the output, as plain numbers.

    >>> meter = Meter()
    >>> image, kernel = meter.wrap([1, 2, 3]), meter.wrap([4, 5, 6])
    >>> sum(pixel * weight for pixel, weight in zip(image, kernel)), meter
    (32, 3 multiplications, 2 additions)
    """

    multiplication_count: int = 0
    zero_product_count: int = 0  # those multiplications in which a factor is 0
    addition_count: int = 0
    output: Any = None

    def wrap(self, numbers):
        """Return an array, a tensor, nested lists or one number as metered numbers.

        Raises:
            TypeError: no numbers, metered ones, or lists of different lengths.
        """
        try:
            plain = np.asarray(numbers.detach() if hasattr(numbers, "detach") else numbers)
        except ValueError as error:
            raise TypeError(f"{numbers!r} is no array: {error}; wanted lists of equal lengths") from error
        if plain.dtype.kind not in "iuf":
            raise TypeError(f"{numbers!r} holds {plain.dtype}; wanted integers or floats that are not metered yet")
        array = np.empty(plain.shape, object)
        array.ravel()[:] = [Metered(value, self) for value in plain.ravel().tolist()]
        return array.view(MeteredArray) if plain.ndim else array.item()

    def __repr__(self) -> str:
        zeros = f" ({self.zero_product_count:,} with a zero)" if self.zero_product_count else ""
        return (
            f"{plural(self.multiplication_count, 'multiplication')}{zeros}, {plural(self.addition_count, 'addition')}"
        )


class Metered:
    """A number that tells its meter when it is multiplied or added."""

    __slots__ = ("meter", "value")
    __hash__ = None  # it equals its value, and two of them may be on different meters

    def __init__(self, value, meter: Meter):
        self.value, self.meter = value, meter

    def _plain(self, other):
        """Return the value of the other operand, None if it is no number; a ValueError if it is on another meter."""
        if type(other) is not Metered:
            return other if isinstance(other, Real) else None
        if other.meter is not self.meter:
            raise ValueError(f"{self} and {other} are on two meters; wanted both on one")
        return other.value

    def __mul__(self, other):
        if (factor := self._plain(other)) is None:
            return NotImplemented
        self.meter.multiplication_count += 1
        self.meter.zero_product_count += not (self.value and factor)
        return Metered(self.value * factor, self.meter)

    def __add__(self, other):
        if (term := self._plain(other)) is None:
            return NotImplemented
        self.meter.addition_count += type(other) is Metered or term != 0
        return Metered(self.value + term, self.meter)

    __rmul__, __radd__ = __mul__, __add__

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __neg__(self):
        return Metered(-self.value, self.meter)

    def __eq__(self, other):
        return NotImplemented if (value := self._plain(other)) is None else self.value == value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return repr(self.value)

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        """Serve a tensor that collects results, as in `out[i] = number` and `out[i] += number`."""
        (tensor, *rest), name = arguments, function.__name__.strip("_").lstrip("ir")
        if name == "setitem":
            return function(tensor, rest[0], float(rest[1]))
        if name in ("add", "mul") and getattr(tensor, "ndim", None) == 0:
            return tensor.item() + rest[0] if name == "add" else tensor.item() * rest[0]
        raise TypeError(f"torch's {function.__name__} is not metered; wanted loops over numbers, or NumPy")


class MeteredArray(np.ndarray):
    """A NumPy array of metered numbers; it can be added to an array of plain ones in place."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=(None,), **options):
        plain = [np.asarray(value, object) if isinstance(value, np.ndarray) else value for value in inputs]
        result = getattr(ufunc, method)(*plain, **options)
        if out[0] is not None:
            out[0][...] = result
            return out[0]
        return result.view(MeteredArray) if isinstance(result, np.ndarray) else result


def metered(function, *arguments) -> Meter:
    """Run `function` on metered numbers and return the meter, with what the function returned as its output.

    Arrays, tensors and lists are metered; anything else, such as a stride, is passed on as it is.

    Raises: what the function raises, and a TypeError for something else than a function.

    >>> metered(np.dot, [1, 2, 3], [4, 5, 6])
    3 multiplications, 2 additions
    """
    if not callable(function):
        raise TypeError(f"{function!r} is a {type(function).__name__}; wanted a function, by its name")
    meter = Meter()
    is_array = [isinstance(value, list | np.ndarray) or hasattr(value, "detach") for value in arguments]
    output = function(*(meter.wrap(value) if array else value for value, array in zip(arguments, is_array)))
    try:
        is_metered = isinstance(output, Metered | list | tuple | np.ndarray)
        meter.output = np.asarray(output, float) if is_metered else output
    except (TypeError, ValueError):  # no rectangular array of numbers
        meter.output = output
    return meter
