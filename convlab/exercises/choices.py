"""Questions with lettered options: one reply says for each answer what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlab.exercises.reply import Question, Reply, is_empty, numbered
from convlab.wording import listed, plural


class Choices(Question):
    """Some multiple-choice questions that are answered in one call, each with a letter or None.

    Args:
        questions: for each its right letter, and what to tell about every option, by its letter.
        hints: from gentle to the answer, if there are any.

    >>> recall = Choices([("b", {"a": "That is the width.", "b": "Rows come first."})])
    >>> recall("A")
    Wrong: 0 of 1 is right.
    1. a is wrong. That is the width.
    >>> recall("b")
    Right: 1 of 1 is right.
    1. b is right. Rows come first.

    Raises:
        ValueError: a question whose right letter is none of its options.
    """

    def __init__(self, questions: Sequence[tuple[str, Mapping[str, str]]], hints: Sequence[str] = ()):
        super().__init__(hints)
        for right, told in questions:
            if right not in told or any(letter != letter.lower() for letter in told):
                raise ValueError(f"right letter {right!r} of {[*told]}; wanted small letters, and one of them")
        self.questions = [(right, dict(told)) for right, told in questions]

    def __call__(self, *answers) -> Reply:
        """Return a reply that says for each answer whether it is right, and why; never the letter that would be.

        The outcome is "right" if all are, "wrong" if one is, "not yet" otherwise.

        Args:
            answers: one for each question, in their order: a letter in quotes, or None for "not yet".
        """
        if len(answers) == 1 and isinstance(answers[0], list | tuple):
            answers = answers[0]
        count = len(self.questions)
        if len(answers) != count:
            wanted = f"Wanted {plural(count, 'answer')}, with None for a question that you leave out."
            return Reply("not yet", f"You gave {plural(len(answers), 'answer')}. {wanted}")
        if all(map(is_empty, answers)):
            told = "Put a letter in quotes in place of each None and run the cell again."
            return Reply(
                "not yet", told, answer=numbered([f"{right}. {told[right]}" for right, told in self.questions])
            )
        rows = [self._judge(*row) for row in zip(self.questions, answers, strict=True)]
        outcomes = [outcome for outcome, _ in rows]
        outcome = next((worst for worst in ("wrong", "not yet") if worst in outcomes), "right")
        right = outcomes.count("right")
        lines = [f"{right} of {count} {'is' if right == 1 or count == 1 else 'are'} right."]
        return Reply(outcome, "\n".join([*lines, numbered([text for _, text in rows])]))

    def _judge(self, question, answer):
        """Return the outcome of one answer, and the sentences that tell it."""
        right, told = question
        if is_empty(answer):
            return "not yet", "Not yet."
        letter = answer.strip().lower() if isinstance(answer, str) else None
        if letter not in told:
            letters = listed([f'"{option}"' for option in told], "or")
            return "not yet", f"You gave {answer!r}. Wanted one of the letters {letters}, in quotes."
        outcome = "right" if letter == right else "wrong"
        return outcome, f"{letter} is {outcome}. {told[letter]}"
