"""What the learner reads: an outcome and a message, and hints one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral

from convlab.wording import plural

ANSWER = "application/vnd.convlab.answer"  # in a stored notebook: seen by a page that cannot run code, by no Jupyter
COLOURS = {"not yet": "#777777", "wrong": "#D55E00", "nearly": "#E69F00", "undecided": "#CC79A7", "right": "#009E73"}


@dataclass(frozen=True, repr=False)
class Reply:
    """An outcome ("not yet", "wrong", "nearly", "undecided", "right", or a hint's number) and a message.

    "Nearly" is the right value in a form that was not wanted, such as 4800.0 for 4800, or rounded.
    """

    outcome: str
    message: str
    mistake: str = ""  # of a wrong answer, the known one that explains it, a `Mistake` where answers are graded
    answer: str = ""  # of a question that is not answered, what holds; Jupyter does not show it

    def __repr__(self) -> str:
        return f"{self.outcome.capitalize()}: {self.message}"

    def _repr_html_(self) -> str:
        colour = COLOURS.get(self.outcome, "#0072B2")
        text = escape(self.message).replace("\n", "<br>")
        return (
            f'<div style="border-left: 4px solid {colour}; padding: 2px 10px">'
            f"<b>{self.outcome.capitalize()}.</b> {text}</div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        """Return what Jupyter stores beside the two texts above."""
        return {ANSWER: self.answer} if self.answer else {}


def numbered(sentences: Sequence[str]) -> str:
    """Write sentences below each other.

    >>> numbered(["Twice.", "Three times."])
    '1. Twice.\\n2. Three times.'
    """
    return "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1))


def is_empty(answer) -> bool:
    """Say whether an answer, or what a function returns, is still the stub's."""
    return answer is None or answer is ...


class Hints:
    """Hints from gentle to the answer, called with the number of one: it is a `Reply` for every number.

    >>> hint = Hints(["Twice.", "2 * number"])
    >>> hint(1), hint(3)
    (Hint 1 of 2: Twice., Hints: You gave 3. Wanted a whole number from 1 to 2, as in hint(1).)
    """

    def __init__(self, texts: Sequence[str]):
        self.texts = texts

    def __call__(self, level=None) -> Reply:
        count = len(self.texts)
        if not count:
            return Reply("hints", "There are none here.")
        if level is None:
            message = f"There are {count}, from gentle to the answer. Write a number in the brackets: 1 to {count}."
            return Reply("hints", message, answer=numbered(self.texts))
        if not isinstance(level, Integral) or isinstance(level, bool) or not 1 <= level <= count:
            return Reply("hints", f"You gave {level!r}. Wanted a whole number from 1 to {count}, as in hint(1).")
        return Reply(f"hint {level} of {count}", self.texts[level - 1])

    def __repr__(self) -> str:
        return f"{plural(len(self.texts), 'hint')}. Add brackets with a number in them to read one: hint(1)."


class Question:
    """What a learner may answer, and ask hints for."""

    def __init__(self, hints: Sequence[str] = ()):
        self.hints, self.hint = hints, Hints(hints)

    def __repr__(self) -> str:
        return "A question. Add brackets with your answer in them."
