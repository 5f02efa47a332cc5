"""Answers that are nearly right: the right value in another form, rounded, or percent in place of a share."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from numbers import Integral, Rational, Real

import numpy as np

from convlab.exercises.compare import as_array, is_near, is_number, same_value, unwrapped

INTEGER = "Wanted an integer: large floats are not exact. If you divide, use // instead of /."


def form(given, wanted, when: str = "") -> str | None:
    """Say what is to be changed in the form of an answer: nothing, "", if it is right, and None if its value is wrong.

    >>> form(3.0, 3)
    'The value 3.0 is right, but it is a float. Wanted an integer: large floats are not exact. If you divide, ...'
    >>> form((3,), 3, ", for size = 5")
    'The value (3,) is right, but it is in a tuple, for size = 5. Wanted the number alone, without brackets and commas.'
    >>> form(3, 3), form("4", 3)
    ('', None)
    """
    given = unwrapped(given)
    what, instead = (_of_a_number if is_number(wanted) else _of_an_array)(given, wanted)
    if what:
        value = "The value" if _is_array(given) else f"The value {given!r}"
        return f"{value} is right, but {what}{when}. {instead}"
    return "" if same_value(given, wanted) else None


def _of_a_number(given, wanted):
    """Return what one number is right but for, and what was wanted; twice "" if it is all right or wrong."""
    if is_number(given):
        is_float = _is_count(wanted) and not isinstance(given, Rational) and same_value(given, wanted)
        return ("it is a float", INTEGER) if is_float else ("", "")
    if isinstance(given, str):
        is_right = same_value(number_in(given), wanted)
        return ("it is text", "Wanted a number: leave out the quotes.") if is_right else ("", "")
    array = as_array(given)
    if array is None or not array.size or not all(same_value(number, wanted) for number in array.ravel()):
        return "", ""
    if array.size > 1:
        return f"it is there {array.size} times", "Wanted it once, as one number."
    if _is_array(given):
        return f"it is in an array of shape {array.shape}", "Wanted the number alone: take it out with .item()."
    return f"it is in a {type(given).__name__}", "Wanted the number alone, without brackets and commas."


def _of_an_array(given, wanted):
    """Return what several numbers are right but for, and what was wanted; twice "" if they are all right or wrong."""
    if isinstance(given, Mapping):
        is_right = same_value([*given.values()], wanted)
        return ("it is a dict", "Wanted the numbers alone, with commas.") if is_right else ("", "")
    first, second = as_array(given), as_array(wanted)
    if first is None:
        return "", ""
    if first.shape != second.shape and same_value(first.squeeze(), second.squeeze()):
        return f"it has the shape {first.shape}", f"Wanted the shape {second.shape}: the axes of length 1 differ."
    are_counts = isinstance(wanted, tuple) and all(map(_is_count, wanted))
    are_floats = are_counts and first.dtype.kind == "f" and same_value(first, second)
    return ("it has floats", INTEGER.replace("an integer", "integers")) if are_floats else ("", "")


def number_in(text: str):
    """Return the number that a text is, with separators or without; None if it is none.

    >>> number_in("4,800"), number_in("0.5"), number_in("four")
    (4800, 0.5, None)
    """
    plain = text.replace(",", "").replace("_", "").replace(" ", "")
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return None


def inexact(results, wanted) -> str:
    """Say why all results are within 1 % of what was wanted, or of a hundredth or of 100 times it; "" if they are not.

    >>> inexact([4.39, 10], [0.0439063, 0.1]), inexact([15_200_000], [15_227_688]), inexact([364], [363])
    ('That is 100 times as much: percent in place of a share.', 'That is nearly right. Do not round.', '')
    """
    pairs = [*zip(results, wanted, strict=True)]
    if all(same_value(*pair) or is_near(*pair) or is_rounded(*pair) for pair in pairs):
        return "That is nearly right. Do not round."
    if not all(isinstance(target, Real) and not _is_count(target) for target in wanted):
        return ""
    if all(is_near(result, 100 * target) for result, target in pairs):
        return "That is 100 times as much: percent in place of a share."
    if all(is_near(result, target / 100) for result, target in pairs):
        return "That is a hundredth: a share in place of percent."
    return ""


def is_rounded(given, wanted) -> bool:
    """Say whether a number was given that is a count with its last digits zero, up or down, and within 1 % of it.

    >>> is_rounded(8.2e6, 8_192_000), is_rounded(364, 363), is_rounded(360, 363), is_rounded(400, 363)
    (True, False, True, False)
    """
    if not (_is_count(wanted) and is_number(given) and 0 < abs(given - wanted) <= abs(wanted) / 100):
        return False
    unit = 10 ** (1 + floor(log10(abs(given - wanted))))  # the first place that the difference does not reach
    return given % unit == 0


def _is_count(value):
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def _is_array(value):
    return isinstance(value, np.ndarray) or hasattr(value, "detach")
