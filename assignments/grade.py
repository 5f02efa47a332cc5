"""Collect, grade, write the feedback and the points of one assignment: `python grade.py a1`.

It is safe to repeat: points that a person gave stay, and a submission that cannot be graded never stops the others.
`python grade.py a1 --layers roster.csv` writes what belongs to each student; `--release` makes `release/` again.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from math import isfinite
from pathlib import Path

import nbformat
from collect import collect
from isolated import NoProtection, check_protection
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from release import GRADEBOOK, know, release
from repair import grade_id, is_answer
from roster import ASSIGNMENTS, HERE, WrongInput, check_all_layers, write_layers
from sqlalchemy.exc import SAWarning
from summary import summary
from tables import points, write_tables
from tqdm import tqdm
from traitlets.config import PyFileConfigLoader

from convlab.wording import printable

LOGGED = "repaired", "look at"  # by the preprocessors
NO_FEEDBACK, CHANGED = "no feedback", "words changed after they were read"
GRADING_SECONDS, FEEDBACK_SECONDS = 180, 60  # of one submission


class OverTimeError(BaseException):
    """A submission takes too long. No `except Exception` on the way may hold it."""


def course() -> NbGraderAPI:
    """Return nbgrader, with the configuration of this folder."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(HERE)).load_config()
    config.Application.log_level = "WARN"
    warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's own, in each query
    return NbGraderAPI(config=config)


def submissions(assignment: str) -> list[str]:
    """Return the students of whom a notebook is there."""
    return sorted({path.parent.parent.name for path in (HERE / "submitted").glob(f"*/{assignment}/*.ipynb")})


def grade(api: NbGraderAPI, assignment: str) -> None:
    """Grade every submission, write the tables, and print what an instructor should know."""
    check_all_layers()
    collected = collect(assignment)
    students = submissions(assignment)
    if not students:
        places = f"assignments/downloaded/{assignment}/ or assignments/submitted/STUDENT/{assignment}/"
        skipped = f" Not collected: {printable(', '.join(collected.skipped))}." if collected.skipped else ""
        raise WrongInput(f"There is no notebook to grade in {places}.{skipped} No table was written.")
    know(assignment)
    refused, rewritten = {}, set()
    told = {mark: defaultdict(list) for mark in (*LOGGED, NO_FEEDBACK, CHANGED)}
    for student in tqdm(students, desc=f"grading {assignment}", file=sys.stdout):
        before = words(assignment, student)
        result = attempt(GRADING_SECONDS, api.autograde, assignment, student, force=True, create=True)
        if not result["success"]:
            refused[student] = reason(result)
            shutil.rmtree(HERE / "autograded" / student / assignment, ignore_errors=True)  # what was begun
            continue
        rewritten |= {student} if before and words(assignment, student) != before else set()
        for line in (result["log"] or "").splitlines():
            for mark in LOGGED:
                if f"{mark}: " in line:
                    told[mark][student].append(line.partition(f"{mark}: ")[2])
        result = attempt(FEEDBACK_SECONDS, api.generate_feedback, assignment, student, force=True)
        if not result["success"]:
            told[NO_FEEDBACK][student].append(reason(result))
    rows = points(assignment, refused)
    for row in rows:
        if row["student"] in rewritten and row.get("words read"):
            told[CHANGED][row["student"]].append("read them again")
    write_tables(assignment, rows)
    print(f"{len(students) - len(refused)} of {len(students)} graded, feedback in feedback/, points in ", end="")
    print(f"points-{assignment}.csv, canvas-{assignment}.csv and moodle-{assignment}.csv")
    print("\n".join(summary(assignment, rows, told, collected)))


def attempt(seconds: int, step: Callable, *args, **kwargs) -> dict:
    """Return what a step of nbgrader gives for one submission; a fault, or too long a time, stops no other."""
    try:
        with at_most(seconds):
            return step(*args, **kwargs)
    except (Exception, OverTimeError) as error:
        return {"success": False, "log": f"{type(error).__name__}: {error}"}


@contextmanager
def at_most(seconds: int):
    """Stop what is inside after some seconds by the clock, in the main thread."""

    def stop(*_):
        raise OverTimeError(f"It was not done in {seconds} seconds.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def words(assignment: str, student: str) -> list[str]:
    """Return a student's answers in words, as they were graded last; none if nothing was."""
    try:
        cells = nbformat.read(HERE / "autograded" / student / assignment / f"{assignment}.ipynb", as_version=4).cells
    except Exception:  # none yet, or cut off in its middle
        return []
    return [cell.source for cell in cells if cell.cell_type == "markdown" and grade_id(cell) and is_answer(cell)]


def extend(assignment: str, student: str, days: str) -> None:
    """Give one student some days more; 0 takes them back. The submission has to be graded once before."""
    try:
        number = float(days)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise WrongInput(f"--extension {student} {days}: wanted a number of days, such as 3")
    with Gradebook(GRADEBOOK) as gradebook:
        try:
            gradebook.grant_extension(assignment, student, days=number)
        except MissingEntry as error:
            raise WrongInput(f"{error}: grade {assignment} once, and give the extension then") from None
    print(f"{student} has {number:g} days more for {assignment}. Grade again.")


def reason(result) -> str:
    """Return why a submission was refused: the first error of nbgrader's log."""
    text = f"{result.get('log') or ''}\n{result.get('error') or ''}"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Entry|WrongInput): ", line)]
    return re.sub(r"^[\w.]*(WrongInput|OverTimeError): ", "", (named or lines)[0])[:300]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assignment", nargs="?", default="")
    parser.add_argument("--release", action="store_true")
    parser.add_argument("--layers", metavar="ROSTER")
    parser.add_argument("--extension", nargs=2, metavar=("STUDENT", "DAYS"))
    asked = parser.parse_args()
    try:
        if asked.release:
            for assignment in ASSIGNMENTS:
                release(course(), assignment)
        elif asked.assignment not in ASSIGNMENTS:
            raise WrongInput(f"A={asked.assignment} is no assignment; wanted A=a1, A=a2 or A=a3")
        elif asked.extension:
            extend(asked.assignment, *asked.extension)
        elif asked.layers == "":
            raise WrongInput("ROSTER= is empty; wanted the path of a CSV: make layers A=a1 ROSTER=roster.csv")
        elif asked.layers:
            write_layers(asked.assignment, Path(asked.layers))
        else:
            check_protection()
            grade(course(), asked.assignment)
    except (WrongInput, NoProtection) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
