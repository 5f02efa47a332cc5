"""What "equal" means for an answer, and how a difference is told."""

from __future__ import annotations

from math import isclose
from numbers import Integral, Real

import numpy as np

from convlab.wording import format_number


def is_number(value) -> bool:
    """Say whether `value` is one real number; a bool is not."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def unwrapped(value):
    """Return the number in an array or a tensor of no dimension; anything else as it is."""
    return value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value


def as_array(value) -> np.ndarray | None:
    """Return an array, a tensor or nested lists as a numeric array; None for anything else."""
    try:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return array if array.dtype.kind in "biuf" else None


def same_value(given, wanted) -> bool:
    """Say whether two results are equal: integers exactly, floats to 1 part in 10⁶, arrays in shape and values."""
    if is_number(wanted):
        given = unwrapped(given)
        if not is_number(given):
            return False
        exact = isinstance(given, Integral) and isinstance(wanted, Integral)
        return given == wanted if exact else isclose(given, wanted, rel_tol=1e-6)
    given, wanted = as_array(given), as_array(wanted)
    return given is not None and given.shape == wanted.shape and np.allclose(given, wanted)


def is_near(given, wanted) -> bool:
    """Say whether a number was given that is within 1 % of one that is not whole by its type."""
    is_count = isinstance(wanted, Integral)
    return is_number(wanted) and not is_count and is_number(given) and isclose(given, wanted, rel_tol=0.01)


def format_answer(value) -> str:
    """Write a value as the learner should read it: numbers with separators, long arrays by their shape.

    >>> format_answer(1228800), format_answer([1, 2]), format_answer(np.zeros((2, 3)))
    ('1,228,800', '[1, 2]', 'an array of shape (2, 3)')
    """
    if is_number(value):
        return format_number(value)
    if isinstance(value, list | np.ndarray) or hasattr(value, "detach"):
        array = as_array(value)
        is_short_list = isinstance(value, list) and array is not None and array.ndim == 1 and array.size <= 10
        if array is not None and not is_short_list:
            return f"an array of shape {array.shape}"
    return repr(value)


def difference(given, wanted) -> str:
    """Say how a wrong result differs from the target: two arrays of one shape by their first different number.

    >>> difference(np.array([1, 2]), np.array([1, 3]))
    'The shape is right. At (1,) you have 2; wanted 3.'
    """
    first, second = as_array(given), as_array(wanted)
    if is_number(wanted) or first is None or first.shape != second.shape or first.ndim == 0:
        return f"Wanted {format_answer(wanted)}."
    at = tuple(int(n) for n in np.argwhere(~np.isclose(first, second))[0])
    if second.dtype == bool != first.dtype:  # zeros and ones in place of False and True: told in the learner's way
        second = second.astype(first.dtype)
    here, there = (format_answer(array[at].item()) for array in (first, second))
    return f"The shape is right. At {at} you have {here}; wanted {there}."
