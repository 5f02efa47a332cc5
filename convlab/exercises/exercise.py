"""How an exercise answers: not yet, wrong because …, right.

An `Exercise` runs the learner's answer on a few cases, compares it with the target, and looks for a known mistake
that explains every result. It never raises for a wrong answer, and it never changes one.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from inspect import signature
from traceback import extract_tb

from convlab.exercises.compare import (
    as_array,
    difference,
    format_answer,
    is_float_for_count,
    is_near,
    is_number,
    same_value,
    unwrapped,
)
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


def is_empty(answer) -> bool:
    """Say whether an answer, or what a function returns, is still the stub's."""
    return answer is None or answer is ...


def at_line(function, error) -> str:
    """Return " at `…`" with the learner's own line in which an error arose, or nothing if it has no source."""
    own_file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [frame.line for frame in extract_tb(error.__traceback__) if frame.filename == own_file and frame.line]
    return f" at `{lines[-1]}`" if lines else ""


class Question:
    """What a learner may ask hints for, from gentle to the answer."""

    def __init__(self, hints: list[str]):
        self.hints = hints

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


class Exercise(Question):
    """One question with its target, its cases, the mistakes it knows and its hints.

    Args:
        target: the function that is right. A question with one number as its answer has a target without arguments.
        cases: argument tuples on which the learner's function is compared with the target.
        mistakes: what to tell the learner → the function that makes this mistake, the more specific first.
        hints: from gentle to the answer.
        takeaway: one sentence for those who are right.
    """

    def __init__(self, target, mistakes, hints, takeaway, cases=((),)):
        super().__init__(hints)
        self.target, self.cases, self.mistakes, self.takeaway = target, cases, mistakes, takeaway

    def __call__(self, answer) -> Reply:
        """Return a reply to a number, or to a function with the arguments of the exercise.

        None, `...` and a function that returns one of them are "not yet".
        """
        is_function = self.cases != ((),)
        if is_empty(answer):
            return Reply("not yet", "Put your answer in place of None and run the cell again.")
        if is_function and not callable(answer):
            return Reply(
                "wrong", f"You gave {format_answer(answer)}. Wanted a function: give its name, without brackets."
            )
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
        if all(map(is_empty, results)):
            return Reply(
                "not yet",
                "Your function returns None so far. Write its body, with a return, and run the cell again.",
            )
        return self._judge(results)

    def _judge(self, results) -> Reply:
        """Return the reply to the results of all cases."""
        wanted = [self.target(*case) for case in self.cases]
        compared = [*zip(self.cases, results, wanted, strict=True)]
        for case, result, target in compared:
            if not same_value(result, target):
                return Reply("wrong", f"{self._told(case, result, target)}\n{self._reason(results, wanted)}")
        for case, result, target in compared:
            if case and is_float_for_count(result, target):
                return Reply(
                    "wrong",
                    f"The value {result!r} is right, but it is a float{self._when(case)}. Wanted the integer "
                    f"{target}: large floats are not exact. If you divide, use // instead of /.",
                )
        return Reply("right", self.takeaway)

    def _told(self, case, result, target) -> str:
        """Quote a wrong result, beside the target unless that is the whole answer."""
        if not case:
            return f"You said {format_answer(result)}."
        return f"You get {format_answer(result)}{self._when(case)}. {difference(result, target)}"

    def _reason(self, results, wanted) -> str:
        """Say which known mistake gives all these results."""
        for why, mistake in self.mistakes.items():
            if all(map(same_value, results, (mistake(*deepcopy(case)) for case in self.cases))):
                return why
        if all(map(is_near, results, wanted)):
            return "That is nearly right. Do not round."
        return "This is none of the usual mistakes. Hints are further down."

    def _when(self, case) -> str:
        """Return ", for …" with the arguments of a case by name, or nothing for a number."""
        named = zip(signature(self.target).parameters, map(format_answer, case), strict=True)
        return ", for " + ", ".join(f"{name} = {value}" for name, value in named) if case else ""

    def draw(self, answer):
        """Return a picture of the target and, beside it, of the learner's result, for the first case that is wrong.

        An array with more than two axes is drawn as its matrices, one below the other. A result that is not there
        yet, stops with an error or has less than two axes is drawn as an empty frame.
        """
        from convlab.figures.canvas import MAX_CELLS, show  # here, so that a check does not load matplotlib
        from convlab.figures.matrix import MatrixPanel, draw_matrix

        compared = [(case, as_array(self.target(*case)), array_of(answer, case)) for case in self.cases]
        case, target, mine = next((row for row in compared if not same_value(row[2], row[1])), compared[-1])
        title, same_shape = "yours", False
        if mine is not None and (mine.ndim < 2 or not mine.size):
            mine = None
        if mine is not None:
            same_shape = mine.shape == target.shape
            title += f", of shape {mine.shape}; wanted {target.shape}" * (not same_shape)
            mine = mine.reshape(-1, mine.shape[-1])[:MAX_CELLS, :MAX_CELLS]
        target = target.reshape(-1, target.shape[-1])
        yours = MatrixPanel(title, mine, target if same_shape else None)
        return show(draw_matrix, MatrixPanel(f"target{self._when(case)}", target), yours)


def array_of(answer, case):
    """Return what a learner's function gives for a case as an array; None if it gives none."""
    try:
        return as_array(answer(*deepcopy(case)))
    except Exception:
        return None


def predict(guess, value, unit: str) -> Reply:
    """Compare a guess, made before the work, with the value.

    Args:
        guess: None as long as there is none; then a number, or a tuple where a shape is asked for.
        value: what holds. A float is met by a guess within 1 %, an integer by itself alone.
        unit: what is counted, such as "multiplications"; for a tuple what its numbers are, such as "height, width".
    """
    guess = unwrapped(guess)
    if is_empty(guess):
        return Reply("not yet", f"Replace None by your guess ({unit}) and run the cell again.")
    if not is_number(value):
        if not isinstance(guess, list | tuple) or len(guess) != len(value):
            wanted = f"{len(value)} numbers. Write them in brackets, with commas: {unit}."
            return Reply("not yet", f"{guess!r} is not {wanted}")
        outcome = "right" if same_value(guess, value) else "wrong"
        return Reply(outcome, f"You said {guess}. It is {value}: {unit}.")
    if not is_number(guess):
        return Reply("not yet", f"{guess!r} is not one number. Write it without commas and quotes: 1000 or 1_000.")
    truth = f"It is {format_answer(value)} {unit}"
    if guess == value or is_near(guess, value):
        return Reply("right", f"{truth}.")
    return Reply("wrong", f"You said {format_answer(guess)}. {truth}{how_far(guess, value)}.")


def how_far(guess, value) -> str:
    """Return the end of a sentence: by which factor a guess is off, nothing if there is no such factor."""
    try:
        factor = float(Fraction(value) / Fraction(guess))
    except (ValueError, OverflowError, ZeroDivisionError):  # not a number, infinity, zero, or far too large
        return ""
    if factor <= 0:
        return ""
    if factor >= 1.1:
        return f", {factor:,.3g} times your guess"
    return f", your guess divided by {1 / factor:,.3g}" if factor <= 1 / 1.1 else ". You were close"
