"""What a question of an assignment asks a learner's process for, and what the answers earn.

The comparison is the course's own: an `Exercise` with its target and its `Mistake`s, each with the credit that it
earns. Cases are chosen so that no mistake with a credit gives the right value.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from variants import draw_for

from convlab.counting import chain_cost_table
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

MOST_CHANNELS = 10_000  # of a layer in a design: more keep no budget, and take long to follow
KEYS = Path(__file__).resolve().parent / "keys"
NEARLY = 0.8  # the right value in another form: a float, a tuple of one, a text


class Stopped(Exception):
    """What a learner's code stopped with, in a process of its own; a subclass has the name of that error."""


def as_json(value):
    """Return an argument as the worker takes it."""
    if isinstance(value, ConvSpec):
        return asdict(value)
    return [*map(as_json, value)] if isinstance(value, tuple | list) else value


def given(answer):
    """Return the value of one answer of the worker.

    Raises:
        NotImplementedError: the learner's own, which stands for "not yet".
        Stopped: with the error that the learner's code stopped with.
    """
    if "error" in answer:
        if answer["error"] == "NotImplementedError":
            raise NotImplementedError
        raise type(str(answer["error"]), (Stopped,), {})(answer.get("text", ""))
    value = answer.get("value")
    return tuple(value) if isinstance(value, list) else value


class Answered:
    """A function that has been called already: it gives the worker's answers, in the order of the cases."""

    def __init__(self, answers: Sequence[dict]):
        self.answers = iter(answers)

    def __call__(self, *case):
        return given(next(self.answers))


def earned(reply) -> float:
    """Return the share of the points that a reply earns."""
    if reply.outcome == "right":
        return 1
    return NEARLY if reply.outcome == "nearly" else getattr(reply.mistake, "credit", 0)


@dataclass(frozen=True)
class FunctionQuestion:
    """A function that the learner writes, called with the exercise's hidden cases."""

    name: str
    exercise: Exercise

    def asks(self) -> list[dict]:
        """Return what the worker is asked for."""
        return [{"name": self.name, "arguments": as_json(case)} for case in self.exercise.cases]

    def grade(self, answers: Sequence[dict], stops: Sequence[str]) -> tuple[float, str]:
        """Return the share of the points, and the feedback: one case, what was given and wanted, the mistake."""
        reply = self.exercise(Answered(answers))
        return earned(reply), told(reply, earned(reply), stops)


@dataclass(frozen=True)
class NumbersQuestion:
    """Numbers that the learner writes under given names, each worth an equal part.

    Args:
        exercises: name → what it is compared with.
        about: what the numbers are about, as the feedback begins.
    """

    exercises: Mapping[str, Exercise]
    about: str = ""

    def asks(self) -> list[dict]:
        """Return what the worker is asked for."""
        return [{"name": name} for name in self.exercises]

    def grade(self, answers: Sequence[dict], stops: Sequence[str]) -> tuple[float, str]:
        """Return the share of the points, and a line for each number."""
        shares, lines = [], []
        for (name, exercise), answer in zip(self.exercises.items(), answers, strict=True):
            try:
                reply = exercise(given(answer))
            except (Stopped, NotImplementedError) as error:
                shares.append(0)
                lines.append(f"{name}: {type(error).__name__}: {error}")
                continue
            shares.append(earned(reply))
            lines.append(f"{name}: {told(reply, shares[-1], ())}")
        share = sum(shares) / len(shares)
        return share, "\n".join([*filter(None, [self.about]), *(stop_lines(stops) if share < 1 else ()), *lines])


@dataclass(frozen=True)
class ChoicesQuestion:
    """Words that the learner chooses among, under given names, each worth an equal part.

    Args:
        questions: name → (the right word, word → what to tell those who chose it).
    """

    questions: Mapping[str, tuple[str, Mapping[str, str]]]

    def asks(self) -> list[dict]:
        """Return what the worker is asked for."""
        return [{"name": name} for name in self.questions]

    def grade(self, answers: Sequence[dict], stops: Sequence[str]) -> tuple[float, str]:
        """Return the share of the points, and a line for each word; never the word that would be right."""
        right, lines = 0, []
        for (name, (wanted, why)), answer in zip(self.questions.items(), answers, strict=True):
            value = answer.get("value")
            word = value.strip().lower() if isinstance(value, str) else None
            if word not in why:
                said = answer.get("text") or f"you gave {value!r}"
                lines.append(f"{name}: {said}. Wanted one of {', '.join(why)}, in quotes.")
                continue
            right += word == wanted
            lines.append(f"{name}: {word} is {'right' if word == wanted else 'not what it is'}. {why[word]}")
        return right / len(self.questions), "\n".join([*lines, *stop_lines(stops)])


def reach(layers: Sequence[ConvSpec]) -> int:
    """Return how many input cells one output of a chain sees on its shorter side, if no border is near.

    >>> reach([ConvSpec(1, 1, 3), ConvSpec(1, 1, 3, stride=2), ConvSpec(1, 1, 3)])  # 3, then 5, then 5 + 2·2
    9
    """
    cells, steps = [1, 1], [1, 1]  # of rows and of columns
    for layer in layers:
        for axis in (0, 1):
            cells[axis] += (layer.kernel_size[axis] - 1) * layer.dilation[axis] * steps[axis]
            steps[axis] *= layer.stride[axis]
    return min(cells)


def are_all_connected(layers: Sequence[ConvSpec]) -> bool:
    """Say whether there is a path from every input channel of a chain to every output channel.

    >>> grouped = ConvSpec(4, 4, 3, groups=2)
    >>> are_all_connected([grouped, grouped]), are_all_connected([grouped, ConvSpec(4, 6, 1)])
    (False, True)
    """
    seen = [{channel} for channel in range(layers[0].in_channels)]  # by each channel, of the input's
    for layer in layers:
        size, filters = layer.in_channels // layer.groups, layer.out_channels // layer.groups
        parts = [set().union(*seen[at : at + size]) for at in range(0, layer.in_channels, size)]
        seen = [part for part in parts for _ in range(filters)]
    return all(len(part) == layers[0].in_channels for part in seen)


@dataclass(frozen=True)
class DesignQuestion:
    """A list of layers within limits, counted here: a quarter of the points each for shape, MACs, parameters, reach."""

    name: str
    input_shape: tuple
    output_shape: tuple
    macs: int
    params: int
    reach: int

    def asks(self) -> list[dict]:
        """Return what the worker is asked for."""
        return [{"name": self.name}]

    def grade(self, answers: Sequence[dict], stops: Sequence[str]) -> tuple[float, str]:
        """Return the share of the points, and a line for each limit; nothing if the layers do not fit together."""
        value, end = answers[0].get("value"), stop_lines(stops)
        if not (
            isinstance(value, list) and value and all(isinstance(part, dict) and "layer" in part for part in value)
        ):
            said = answers[0].get("text") or f"you gave {value!r}"[:200]
            return 0, "\n".join([f"{self.name}: {said}. Wanted a list of ConvSpec.", *end])
        try:
            layers = [ConvSpec(**layer["layer"]) for layer in value]
            if any(max(layer.in_channels, layer.out_channels) > MOST_CHANNELS for layer in layers):
                raise ValueError(f"more than {MOST_CHANNELS:,} channels in a layer")
            total = chain_cost_table(layers, self.input_shape).total
        except (TypeError, ValueError) as error:
            return 0, "\n".join([f"{self.name}: the layers do not fit together: {error}", *end])
        fits, mixes = tuple(total.output_shape) == self.output_shape, are_all_connected(layers)
        path = "a path" if mixes else "no path"
        first = f"output {total.output_shape}, wanted {self.output_shape}, {path} between all channels"
        if not (fits and mixes):  # the limits of another output are easy to keep
            return 0, "\n".join([f"Not kept: {first}. The other limits count when this one is kept.", *end])
        dilated = any(max(layer.dilation) > 1 for layer in layers)
        held = {
            first: True,
            f"{total.macs:,} MACs, at most {self.macs:,}": total.macs <= self.macs,
            f"{total.params:,} parameters, at most {self.params:,}": total.params <= self.params,
            f"an output sees {reach(layers)} cells on a side, at least {self.reach}, "
            f"with{'' if dilated else 'out'} dilation": reach(layers) >= self.reach and not dilated,
        }
        lines = [f"{'Kept' if kept else 'Not kept'}: {limit}." for limit, kept in held.items()]
        return sum(held.values()) / len(held), "\n".join([*lines, *end])


class OwnNumbers:
    """Numbers about something that is drawn for each student.

    Args:
        question: a name, so that two questions draw differently.
        make: called with a draw, returns the arguments of the functions below.
        table: name → (the function that is right, mistake → the function that makes it).
        in_words: name → the function of another number, which the question in words is about.
    """

    def __init__(
        self,
        question: str,
        make: Callable,
        table: Mapping[str, tuple[Callable, Mapping]],
        in_words: Mapping[str, Callable] | None = None,
    ):
        self.question_name, self.make, self.table, self.in_words = question, make, table, in_words or {}

    def values(self, drawn) -> list[list]:
        """Return for each number what is right and what each mistake gives."""
        return [[right(*drawn), *(f(*drawn) for f in mistakes.values())] for right, mistakes in self.table.values()]

    def drawn(self, student: str) -> tuple:
        """Return what belongs to a student."""
        return draw_for(student, self.question_name, self.make, self.values)

    def right(self, drawn) -> dict:
        """Return name → what is right, for whoever reads the words."""
        functions = {name: right for name, (right, _) in self.table.items()} | self.in_words
        return {name: function(*drawn) for name, function in functions.items()}

    def question(self, student: str) -> NumbersQuestion:
        """Return the question for a student."""
        drawn, exercises = self.drawn(student), {}
        for name, (right, mistakes) in self.table.items():
            known = {why: lambda f=f: f(*drawn) for why, f in mistakes.items()}
            exercises[name] = Exercise(
                target=lambda right=right: right(*drawn), mistakes=known, hints=(), takeaway="That is yours."
            )
        return NumbersQuestion(exercises, f"Yours: {drawn[0]}, with the input {drawn[1]}.")


def told(reply, share, stops) -> str:
    """Return a reply as feedback, after the cells that stopped, which may be why; with the credit of its mistake."""
    if reply.outcome == "not yet":
        return "\n".join([*stop_lines(stops), "Not yet: it is as it was handed out."])
    credit = f" That earns {share:.0%}." if 0 < share < 1 else ""
    return "\n".join([*(stop_lines(stops) if share < 1 else ()), f"{reply}{credit}"])


def stop_lines(stops) -> list[str]:
    """Return a line for each cell that stopped."""
    return [f"A cell stopped with {stop}." if stop[:5] != "lines" else f"{stop.capitalize()}." for stop in stops]


@cache
def load_key(assignment: str):
    """Return the module of an assignment's key, `keys/aN.py`."""
    spec = importlib.util.spec_from_file_location(f"key_{assignment}", KEYS / f"{assignment}.py")
    key = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(key)
    return key
