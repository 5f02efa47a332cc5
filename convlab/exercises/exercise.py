"""How an exercise answers: not yet, wrong because …, right.

An `Exercise` runs the learner's answer on a few cases, compares it with the target, and looks for a known mistake
that explains every result. It never raises for a wrong answer, and it never changes one.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from inspect import signature
from math import isclose
from numbers import Integral, Real
from traceback import extract_tb

import numpy as np

from convlab.spec import exact_int

COLOURS = {"not yet": "#777777", "wrong": "#D55E00", "right": "#009E73"}


@dataclass(frozen=True, repr=False)
class Reply:
    """What the learner reads: an outcome ("not yet", "wrong", "right", or a hint's number) and a message."""

    outcome: str
    message: str

    def __repr__(self) -> str:
        return f"{self.outcome.capitalize()}: {self.message}"

    def _repr_html_(self) -> str:
        colour = COLOURS.get(self.outcome, "#0072B2")
        text = escape(self.message).replace("\n", "<br>")
        return (
            f'<div style="border-left: 4px solid {colour}; padding: 2px 10px">'
            f"<b>{self.outcome.capitalize()}.</b> {text}</div>"
        )


@dataclass(frozen=True)
class Mistake:
    """A usual mistake: the function that makes it, and what to tell the learner whose results are the same."""

    why: str
    makes: Callable


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


def is_fraction_for_integer(given, wanted) -> bool:
    """Say whether a float was given for a count: right in value, and inexact above 2⁵³."""
    return isinstance(wanted, Integral) and isinstance(given, Real) and not isinstance(given, Integral)


def is_rounded(given, wanted) -> bool:
    """Say whether a number was given that is within 1 % of a float."""
    return isinstance(wanted, float) and is_number(given) and isclose(given, wanted, rel_tol=0.01)


def shown(value) -> str:
    """Return a value as the learner should read it: numbers with separators, long arrays by their shape."""
    if is_number(value):
        return f"{value:,}" if isinstance(value, Integral) else f"{value:,.6g}"
    if isinstance(value, list | np.ndarray) or hasattr(value, "detach"):
        array = as_array(value)
        if array is None or (array.ndim == 1 and array.size <= 10 and isinstance(value, list)):
            return repr(value)
        return f"an array of shape {array.shape}"
    return repr(value)


def difference(given, wanted) -> str:
    """Say how a wrong result differs from the target: two arrays of one shape by their first different number."""
    first, second = as_array(given), as_array(wanted)
    if is_number(wanted) or first is None or first.shape != second.shape or first.ndim == 0:
        return f"Wanted {shown(wanted)}."
    at = tuple(int(n) for n in np.argwhere(~np.isclose(first, second))[0])
    return f"The shape is right. At {at} you have {shown(first[at].item())}; wanted {shown(second[at].item())}."


def at_line(function, error) -> str:
    """Return " at `…`" with the learner's own line in which an error arose, or nothing if it has no source."""
    own_file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [frame.line for frame in extract_tb(error.__traceback__) if frame.filename == own_file and frame.line]
    return f" at `{lines[-1]}`" if lines else ""


class Exercise:
    """One question with its target, its cases, the mistakes it knows and its hints.

    Args:
        target: the function that is right. A question with one number as its answer has a target without arguments.
        cases: argument tuples on which the learner's function is compared with the target.
        mistakes: `Mistake`s, the more specific first.
        hints: from gentle to the answer.
        takeaway: one sentence for those who are right.
    """

    def __init__(self, target, mistakes, hints, takeaway, cases=((),)):
        self.target, self.cases, self.takeaway = target, cases, takeaway
        self.mistakes, self.hints = mistakes, hints

    def __call__(self, answer) -> Reply:
        """Return a reply to a number, or to a function with the arguments of the exercise.

        None, `...` and a function that returns one of them are "not yet".
        """
        is_function = self.cases != ((),)
        if answer is None or answer is ...:
            return Reply("not yet", "Put your answer in place of None and run the cell again.")
        if is_function and not callable(answer):
            return Reply("wrong", f"You gave {shown(answer)}. Wanted a function: give its name, without brackets.")
        if not is_function and not is_number(unwrapped(answer)):
            return Reply("wrong", f"You gave {answer!r}, a {type(answer).__name__}. Wanted one number.")
        results = []
        for case in self.cases:
            try:
                results.append(answer(*deepcopy(case)) if is_function else answer)
            except NotImplementedError:
                results.append(None)
            except Exception as error:
                what = f"{type(error).__name__}: {error}{at_line(answer, error)}{self._when(case)}"
                return Reply("wrong", f"Your function stopped with {what}.")
        if all(result is None or result is ... for result in results):
            return Reply(
                "not yet",
                "Your function returns None so far. Write its body, with a return, and run the cell again.",
            )
        return self._judge(results)

    def _judge(self, results) -> Reply:
        wanted = [self.target(*case) for case in self.cases]
        right = [same_value(result, target) for result, target in zip(results, wanted, strict=True)]
        if all(right):
            for case, result, target in zip(self.cases, results, wanted, strict=True):
                if case and is_fraction_for_integer(result, target):
                    return Reply(
                        "wrong",
                        f"The value {result!r} is right, but it is a float{self._when(case)}. Wanted the integer "
                        f"{target}: large floats are not exact. If you divide, use // instead of /.",
                    )
            return Reply("right", self.takeaway)
        first = right.index(False)
        if self.cases[first]:
            message = f"You get {shown(results[first])}{self._when(self.cases[first])}. "
            message += difference(results[first], wanted[first])
        else:
            message = f"You said {shown(results[first])}."
        for mistake in self.mistakes:
            made = [mistake.makes(*deepcopy(case)) for case in self.cases]
            if all(map(same_value, results, made)):
                return Reply("wrong", f"{message}\n{mistake.why}")
        if all(map(is_rounded, results, wanted)):
            return Reply("wrong", f"{message}\nThat is nearly right. Do not round.")
        return Reply("wrong", f"{message}\nThis is none of the usual mistakes. Hints are further down.")

    def _when(self, case) -> str:
        """Return ", for …" with the arguments of a case by name, or nothing for a number."""
        named = zip(signature(self.target).parameters, map(shown, case), strict=True)
        return ", for " + ", ".join(f"{name} = {value}" for name, value in named) if case else ""

    def draw(self, answer):
        """Return a picture of the target and, beside it, of the learner's result, for the first case that is wrong.

        An array with more than two axes is drawn as its matrices, one below the other. A result that is not there
        yet, stops with an error or has less than two axes is drawn as an empty frame.
        """
        from convlab.figures import MatrixPanel, draw_matrix, show  # here, so that a check does not load matplotlib
        from convlab.figures.canvas import MAX_CELLS

        for case in self.cases:
            target = as_array(self.target(*case))
            try:
                mine = as_array(answer(*deepcopy(case)))
            except Exception:
                mine = None
            if mine is None or not same_value(mine, target):
                break
        drawable = mine is not None and mine.ndim >= 2 and mine.size > 0
        same_shape = drawable and mine.shape == target.shape
        title = f"yours, of shape {mine.shape}; wanted {target.shape}" if drawable and not same_shape else "yours"
        mine = mine.reshape(-1, mine.shape[-1])[:MAX_CELLS, :MAX_CELLS] if drawable else None
        target = target.reshape(-1, target.shape[-1])
        yours = MatrixPanel(title, mine, target if same_shape else None)
        return show(draw_matrix, MatrixPanel(f"target{self._when(case)}", target), yours)

    def hint(self, level: int | None = None) -> Reply:
        """Return hint number `level`; without a level, say how many hints there are.

        Raises:
            TypeError: `level` is no integer.
            ValueError: there is no hint of that number.
        """
        count = len(self.hints)
        if level is None:
            return Reply(
                "hints",
                f"There are {count}, from gentle to the answer. Write a number in the brackets: 1 to {count}.",
            )
        if not 1 <= exact_int("level", level, 0) <= count:
            raise ValueError(f"level={level}: there is no such hint; wanted a number from 1 to {count}")
        return Reply(f"hint {level} of {count}", self.hints[level - 1])


def predict(guess, value, unit: str) -> Reply:
    """Compare a guess, made before the work, with the value.

    Args:
        guess: None as long as there is none; then a number, or a tuple where a shape is asked for.
        value: what holds. A float is met by a guess within 1 %, an integer by itself alone.
        unit: what is counted, such as "multiplications"; for a tuple what its numbers are, such as "height, width".
    """
    guess = unwrapped(guess)
    if guess is None or guess is ...:
        return Reply("not yet", f"Replace None by your guess ({unit}) and run the cell again.")
    if is_number(value) and not is_number(guess):
        return Reply("not yet", f"{guess!r} is not one number. Write it without commas and quotes: 1000 or 1_000.")
    if not is_number(value) and (not isinstance(guess, list | tuple) or len(guess) != len(value)):
        return Reply("not yet", f"{guess!r} is not {len(value)} numbers. Write them in brackets, with commas: {unit}.")
    if not is_number(value):
        outcome = "right" if same_value(guess, value) else "wrong"
        return Reply(outcome, f"You said {guess}. It is {value}: {unit}.")
    if guess == value or (not isinstance(value, Integral) and isclose(guess, value, rel_tol=0.01)):
        return Reply("right", f"It is {shown(value)} {unit}.")
    reply = f"You said {shown(guess)}. It is {shown(value)} {unit}"
    try:
        factor = float(Fraction(value) / Fraction(guess))
    except (ValueError, OverflowError, ZeroDivisionError):  # not a number, infinity, zero, or far too large
        factor = 0.0
    if factor <= 0:
        return Reply("wrong", f"{reply}.")
    if factor >= 1.1:
        return Reply("wrong", f"{reply}, {factor:,.3g} times your guess.")
    if factor <= 1 / 1.1:
        return Reply("wrong", f"{reply}, your guess divided by {1 / factor:,.3g}.")
    return Reply("wrong", f"{reply}. You were close.")
