"""A guess before the work: how it compares with what holds."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor, log10

from convlab.exercises.compare import as_array, format_answer, is_near, is_number, same_value, unwrapped
from convlab.exercises.reply import Reply, is_empty

FAR = 10**9  # further off than that, the factor itself says nothing


def predict(guess, value, unit: str, within: float | None = None, ideas: Mapping | None = None) -> Reply:
    """Compare a guess, made before the work, with the value.

    Args:
        guess: None as long as there is none; then a number, or where a shape is asked for a tuple, list or array.
        value: what holds. A float is met by a guess within 1 %, an integer by itself alone.
        unit: what is counted, such as "multiplications"; for a tuple what its numbers are, such as "height, width".
        within: the factor that is close enough to be "nearly", where a guess at the order of magnitude is wanted. A
            guess within a factor of 2 is then right, if that is at most half of `within`.
        ideas: wrong value → the reason that leads to it, a sentence that is told in place of the distance.

    >>> predict(1e6, 1_228_800, "multiplications", within=10)
    Right: You said 1,000,000. It is 1,228,800 multiplications: your guess is within a factor of 2.
    >>> predict(432, 144, "multiplications", ideas={432: "The photo has one channel, not three."})
    Wrong: You said 432. It is 144 multiplications. The photo has one channel, not three.
    """
    value = unwrapped(value)
    if is_empty(guess):
        told = f"Replace None by your guess ({unit}) and run the cell again."
        return Reply("not yet", told, answer=_answer(value, unit, ideas or {}))
    if is_number(value):
        return _one_number(guess, value, unit, within, ideas or {})
    value, numbers = tuple(as_array(value).tolist()), as_array(guess)
    if numbers is None or numbers.shape != (len(value),):
        wanted = f"{len(value)} numbers. Write them in brackets, with commas: {unit}."
        return Reply("not yet", f"{guess!r} is not {wanted}")
    guess = guess if isinstance(guess, list) else tuple(numbers.tolist())
    truth = f"You said {guess}. It is {value}: {unit}."
    if same_value(guess, value):
        return Reply("right", truth)
    return Reply("wrong", " ".join([truth, *_reasons(guess, ideas or {})]))


def _answer(value, unit, ideas):
    """Return what holds, and the reason of each wrong value that is known, a line each."""
    truth = f"{format_answer(value)} {unit}" if is_number(value) else f"{tuple(as_array(value).tolist())}: {unit}"
    reasons = [f"Not {wrong if isinstance(wrong, tuple) else format_answer(wrong)}: {ideas[wrong]}" for wrong in ideas]
    return "\n".join([f"It is {truth}.", *reasons])


def _one_number(guess, value, unit, within, ideas):
    """Return the reply to a guess at one number."""
    array = as_array(guess)
    number = unwrapped(guess if array is None or array.size != 1 else array.reshape(()))
    if not is_number(number):
        told = f"{guess!r} is not one number. Write it without commas and quotes: 1000 or 1_000."
        return Reply("not yet", told)
    guess, truth = number, f"It is {format_answer(value)} {unit}"
    if guess == value or is_near(guess, value):
        return Reply("right", f"{truth}.")
    told = f"You said {format_answer(guess)}. {truth}"
    factor, in_percent = _factor(guess, value), _factor(100 * guess, value)
    is_nearly = bool(within and factor and factor <= within)
    if reasons := _reasons(guess, ideas):
        return Reply("nearly" if is_nearly else "wrong", f"{told}. {reasons[0]}")
    if not _is_percent(unit) and 0 < value < 1 <= guess and is_near(guess / 100, value):  # percent in place of a share
        is_nearly, told = True, f"{told}. Your guess is that in percent"
    elif _is_percent(unit) and guess < 1 < value and in_percent and in_percent <= 2:  # a share in place of a percentage
        is_nearly = bool(within) or is_near(100 * guess, value)
        told += f". In percent, your guess is {format_answer(100 * guess)}"
    elif factor and within and factor <= min(2, within / 2):
        return Reply("right", f"{told}: your guess is within a factor of 2.")
    elif factor and factor < 1.1:
        is_nearly, told = True, f"{told}. You were close"
    elif factor:
        told += f", {_how_far(guess, value, factor)}" + ": the right order of magnitude" * (is_nearly and within >= 10)
    return Reply("nearly" if is_nearly else "wrong", f"{told}.")


def _reasons(guess, ideas):
    """Return the reasons of the wrong values that were guessed, a list of one or none."""
    return [reason for wrong, reason in ideas.items() if same_value(guess, wrong)][:1]


def _is_percent(unit):
    """Say whether a number with this unit is a percentage; percentage points are none."""
    return unit.startswith(("%", "percent")) and not unit.startswith("percentage")


def _factor(guess, value):
    """Return by which factor, 1 or more, a guess is off; None if there is no such factor."""
    try:
        factor = Fraction(value) / Fraction(guess)
    except (ValueError, OverflowError, ZeroDivisionError):  # not a number, infinity, zero
        return None
    return max(factor, 1 / factor) if factor > 0 else None


def _how_far(guess, value, factor):
    """Say by which factor a guess is off, to three digits and without an exponent."""
    if factor > FAR:
        times = "more than a billion"
    else:
        digits = 2 - floor(log10(factor))
        times = f"{round(float(factor), digits):,.{max(digits, 0)}f}"
        times = times.rstrip("0").rstrip(".") if digits > 0 else times
    return f"{times} times your guess" if value > guess else f"your guess divided by {times}"
