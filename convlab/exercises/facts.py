"""Questions with names, answered in one call by a dict: the facts of a report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from convlab.exercises.choices import Choices
from convlab.exercises.exercise import Exercise
from convlab.exercises.reply import Question, Reply, is_empty


class Facts(Question):
    """Some facts, each a number or a letter, answered in one call by a dict, with None for those still to come.

    Args:
        questions: name → an `Exercise` with one number, or `Choices` with one question.
        hints: for all facts together, from gentle to the answer.

    >>> legs = Exercise(lambda: 8, {"An insect has those.": lambda: 6}, (), "Four pairs.")
    >>> facts = Facts({"legs": legs, "kind": Choices([("b", {"a": "It has no wings.", "b": "It spins webs."})])})
    >>> facts({"legs": 6, "kind": "b"})
    Wrong: 1 of 2 is right.
    legs: wrong. You said 6. An insect has those.
    kind: right. It spins webs.
    """

    def __init__(self, questions: Mapping[str, Exercise | Choices], hints: Sequence[str] = ()):
        super().__init__(hints)
        self.questions = dict(questions)

    def __call__(self, answers) -> Reply:
        """Return a reply with a line for each fact; its outcome is the worst of theirs."""
        answers = {} if is_empty(answers) else answers
        if not isinstance(answers, Mapping) or not {*answers} <= {*self.questions}:
            given = [*answers] if isinstance(answers, Mapping) else answers
            return Reply("not yet", f"You gave {given!r}. Wanted a dict with the names {', '.join(self.questions)}.")
        if all(map(is_empty, answers.values())):
            return Reply("not yet", "Put your numbers and letters in place of None and run the cell again.")
        told = {name: _reply(question, answers.get(name)) for name, question in self.questions.items()}
        outcomes = [outcome for outcome, _ in told.values()]
        outcome = next((worst for worst in ("wrong", "not yet", "nearly") if worst in outcomes), "right")
        right = outcomes.count("right")
        lines = [f"{right} of {len(told)} {'is' if right == 1 else 'are'} right."]
        lines += [f"{name}: {outcome}. {message}".rstrip() for name, (outcome, message) in told.items()]
        return Reply(outcome, "\n".join(lines))


def _reply(question, answer) -> tuple[str, str]:
    """Return the outcome of one answer, and what is told about it in one line."""
    if is_empty(answer):
        return "not yet", ""
    reply = question(answer)
    if isinstance(question, Choices):
        _, _, message = reply.message.splitlines()[-1].partition(". ")  # without its number
        return reply.outcome, re.sub(r"^\w is (right|wrong)\. ", "", message)
    return reply.outcome, reply.message.replace("\n", " ")
