"""How an exercise answers: not yet, wrong because …, nearly, right.

An `Exercise` runs the learner's answer on a few cases, compares it with the target, and looks for a known mistake
that explains every result. It never raises for a wrong answer, and it never changes one.
"""

from __future__ import annotations

from copy import deepcopy
from inspect import signature
from traceback import extract_tb

from convlab.exercises.compare import as_array, difference, format_answer, is_number, same_value, unwrapped
from convlab.exercises.nearly import form, inexact
from convlab.exercises.reply import Question, Reply, is_empty

NONE_KNOWN = "This is no mistake that is known here; it may be two at once."


def at_line(function, error) -> str:
    """Return " at `…`" with the learner's own line in which an error arose, or nothing if it has no source."""
    own_file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [frame.line for frame in extract_tb(error.__traceback__) if frame.filename == own_file and frame.line]
    return f" at `{lines[-1]}`" if lines else ""


class Mistake(str):
    """What to tell a learner about a mistake, with the share of the points that it earns where answers are graded.

    >>> why = Mistake("Those are FLOPs.", credit=0.5)
    >>> why, why.credit
    ('Those are FLOPs.', 0.5)

    Raises:
        ValueError: a credit that is no share, or is the whole.
    """

    def __new__(cls, why: str, credit: float):
        if not 0 <= credit < 1:
            raise ValueError(f"credit = {credit!r} for {why!r}; wanted a share from 0 up to, but not, 1")
        text = super().__new__(cls, why)
        text.credit = credit
        return text


class Exercise(Question):
    """One question with its target, its cases, the mistakes it knows and its hints.

    Args:
        target: the function that is right. A question with one number as its answer has a target without arguments.
        cases: argument tuples on which the learner's function is compared with the target.
        mistakes: what to tell the learner → the function that makes this mistake, the more specific first. A
            `Mistake` says what it is worth, too.
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
        results = self._results(answer)
        return results if isinstance(results, Reply) else self._judge(results)

    def _results(self, answer) -> list | Reply:
        """Return what an answer gives for each case, or the reply to one that gives nothing to compare."""
        if is_empty(answer):
            return Reply("not yet", "Put your answer in place of None and run the cell again.")
        if self.cases == ((),):
            if is_number(unwrapped(answer)) or form(answer, self.target()):
                return [answer]
            return Reply("wrong", f"You gave {answer!r}, a {type(answer).__name__}. Wanted one number.")
        if not callable(answer):
            return Reply(
                "wrong", f"You gave {format_answer(answer)}. Wanted a function: give its name, without brackets."
            )
        results = []
        for case in self.cases:
            try:
                results.append(answer(*deepcopy(case)))
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
        return results

    def _judge(self, results) -> Reply:
        """Return the reply to the results of all cases."""
        wanted = [self.target(*case) for case in self.cases]
        compared = [*zip(self.cases, results, wanted, strict=True)]
        forms = [form(result, target, self._when(case)) for case, result, target in compared]
        if not any(found is None or found for found in forms):
            return Reply("right", self.takeaway)
        known = next((why for why, mistake in self.mistakes.items() if self._gives(mistake, results)), "")
        if None not in forms and not known:
            return Reply("nearly", next(filter(None, forms)))
        case, result, target = compared[forms.index(None) if None in forms else 0]
        told = f"You said {format_answer(result)}."  # without the target, which is the whole answer
        if case:
            told = f"You get {format_answer(result)}{self._when(case)}. {difference(result, target)}"
        if not known and (why := inexact(results, wanted)):
            return Reply("nearly", f"{told}\n{why}")
        why = known or wrong_kind(result, target) or NONE_KNOWN + " Hints are further down." * bool(self.hints)
        return Reply("wrong", f"{told}\n{why}", known)

    def _gives(self, mistake, results) -> bool:
        """Say whether a mistake gives all these results."""
        return all(map(same_value, results, (mistake(*deepcopy(case)) for case in self.cases)))

    def _when(self, case) -> str:
        """Return ", for …" with the arguments of a case by name, or nothing for a number."""
        named = zip(signature(self.target).parameters, map(format_answer, case), strict=True)
        return ", for " + ", ".join(f"{name} = {value}" for name, value in named) if case else ""

    def draw(self, answer):
        """Return a picture of the target and, beside it, of the learner's result, for the first case that is wrong.

        An array with more than two axes is drawn as its matrices, one below the other. A result that is not there
        yet is drawn as an empty frame. For one that cannot be drawn, a reply says why.
        """
        from convlab.exercises.beside import draw_beside  # here, so that a check does not load matplotlib

        results = self._results(answer)
        if isinstance(results, Reply):
            if results.outcome != "not yet":
                return results
            results = [None] * len(self.cases)
        compared = [(case, as_array(self.target(*case)), result) for case, result in zip(self.cases, results)]
        case, target, result = next((row for row in compared if not same_value(row[2], row[1])), compared[-1])
        mine = None if is_empty(result) else as_array(result)
        if not is_empty(result) and (mine is None or not mine.ndim or not mine.size):
            given = f"You get {format_answer(result)}, of type {type(result).__name__}{self._when(case)}."
            return Reply("wrong", f"{given} That cannot be drawn. Wanted an array of shape {target.shape}.")
        return draw_beside(target, mine, self._when(case))


def wrong_kind(result, target) -> str:
    """Say what was wanted in place of a result that is no number, or not so many; "" if it is of the right kind."""
    given = f"Your result is of type {type(result).__name__}. Wanted"
    if is_number(target):
        return "" if is_number(unwrapped(result)) else f"{given} one number."
    array = as_array(result)
    if isinstance(target, tuple):
        is_right = array is not None and array.shape == (len(target),)
        return "" if is_right else f"{given} {len(target)} numbers, with commas between them."
    return f"{given} an array of numbers." if array is None else ""
