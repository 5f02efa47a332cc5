"""Collect, grade, write the feedback and the points of one assignment: `python grade.py a1`.

It is safe to repeat: points that a person gave stay, and a submission that cannot be graded never stops the others.
`python grade.py a1 --layers roster.csv` writes what belongs to each student; `--release` makes `release/` again.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections import defaultdict
from math import isfinite
from pathlib import Path

from collect import collect
from isolated import NoProtection, check_protection
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from release import GRADEBOOK, know, release
from roster import ASSIGNMENTS, HERE, WrongInput, check_layers, write_layers
from sqlalchemy.exc import SAWarning
from summary import summary
from tables import points, write_tables
from tqdm import tqdm
from traitlets.config import PyFileConfigLoader


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
    check_layers(assignment)
    collected = collect(assignment)
    students = submissions(assignment)
    if not students:
        places = f"assignments/downloaded/{assignment}/ or assignments/submitted/STUDENT/{assignment}/"
        skipped = f" Not collected: {', '.join(collected.skipped)}." if collected.skipped else ""
        raise WrongInput(f"There is no notebook to grade in {places}.{skipped} No table was written.")
    know(assignment)
    refused, told = {}, {mark: defaultdict(list) for mark in ("repaired", "look at")}
    for student in tqdm(students, desc=f"grading {assignment}", file=sys.stdout):
        try:
            result = api.autograde(assignment, student, force=True, create=True)
        except Exception as error:  # of one submission; the others go on
            result = {"success": False, "log": f"{type(error).__name__}: {error}"}
        if not result["success"]:
            refused[student] = reason(result)
            continue
        for line in (result["log"] or "").splitlines():
            for mark, found in told.items():
                if f"{mark}: " in line:
                    found[student].append(line.partition(f"{mark}: ")[2])
        api.generate_feedback(assignment, student, force=True)
    rows = points(assignment, refused)
    write_tables(assignment, rows)
    print(f"{len(students) - len(refused)} of {len(students)} graded, feedback in feedback/, points in ", end="")
    print(f"points-{assignment}.csv, canvas-{assignment}.csv and moodle-{assignment}.csv")
    print("\n".join(summary(assignment, rows, told, collected)))


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
    return (named or lines)[0][:300]


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
