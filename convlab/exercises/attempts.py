"""The record of attempts at a design: measured as the check does, on other splits, and kept in a file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from convlab.exercises.design import BUDGET, EPOCHS, LOW_MEMORY, SEEDS, Measured, Refused, measure
from convlab.exercises.reply import Reply
from convlab.spec import exact_int
from convlab.wording import plural

ATTEMPTS = Path("attempts.jsonl")  # beside the notebook
LONGEST_NAME = 24  # that has room in the picture


def attempt(name: str, build: Callable | None, path: str | Path = ATTEMPTS, seeds=SEEDS, epochs=EPOCHS) -> Reply:
    """Measure a design on the seeds 0 to 2 as the check does, and add the result to a file, one line an attempt.

    A design over a budget is measured and kept too. One that the check would refuse otherwise is not.

    Args:
        name: what the attempt is called in the picture: 24 letters at most.
        build: a function that builds a network, as for the check. None, or a function that returns None, is no
            attempt, and nothing is written.
    """
    name = str(name)
    if len(name) > LONGEST_NAME:
        given = f"{name!r} has {plural(len(name), 'letter')}"
        return Reply("wrong", f"{given}. Wanted a name of {LONGEST_NAME} at most.")
    try:
        found = measure(build, None, seeds, epochs, name)
    except Refused as refused:
        return refused.reply
    params, macs, peak_bytes = found.costs
    reply = f"{found.label}: {found.mean:.2%} in {plural(len(found.seeds), 'run')}."
    reply += f" {params:,} parameters, {macs:,} MACs, {peak_bytes:,} bytes at the peak."
    for number, budget in enumerate((BUDGET, LOW_MEMORY), 1):
        over = budget.over(*found.costs)
        reply += f"\nExercise {number}: {'. '.join(over) if over else 'all costs are within the budget'}."
    line = json.dumps({**asdict(found), "date": datetime.now(UTC).isoformat(timespec="seconds")})
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # in one write, on a line of its own even if the last one was cut off
    except OSError as error:
        reply += f"\nIt could not be kept in {path}: {error.strerror or error}."
    return Reply("attempt", reply)


def attempts(path: str | Path = ATTEMPTS) -> list[Measured]:
    """Return all attempts in a file, the oldest first; an empty list if there is no file.

    A line that cannot be read is left out with a warning that names it. The file is never changed.
    """
    if not Path(path).exists():
        return []
    found = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            try:
                found.append(_read(line))
            except (ValueError, TypeError, KeyError) as error:
                reason = f"{type(error).__name__}: {error}"
                warnings.warn(f"{path}, line {number} cannot be read and is left out: {reason}", stacklevel=2)
    return found


def _read(line):
    """Return the attempt of a line, if its numbers can be those of one."""
    row = json.loads(line)
    counts = {name: exact_int(name, row[name], 0) for name in ("params", "macs", "peak_bytes", "epochs")}
    seeds, accuracies = (tuple(row[name]) for name in ("seeds", "accuracies"))
    if not all(0 <= share <= 1 for share in accuracies):
        raise ValueError(f"accuracies={accuracies}; wanted shares from 0 to 1")
    named = {"label": str(row["label"]), "torch_version": str(row["torch_version"]), "source": "your attempts"}
    return Measured(seeds=seeds, accuracies=accuracies, **named, **counts)
