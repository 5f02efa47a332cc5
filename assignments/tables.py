"""The points of an assignment as tables: one with all of it, one for Canvas's gradebook, one for Moodle's worksheet.

Whoever has nothing to grade has an empty cell, never a 0: no LMS then shows a 0 that nobody gave.
"""

from __future__ import annotations

import re

from marking import load_key
from nbgrader.api import Gradebook
from release import GRADEBOOK
from roster import HERE, read_table, write

NOTHING, REFUSED = "nothing handed in", "refused: "
COLUMNS = (
    "student",
    "name",
    "points",
    "of",
    "by program",
    "in words",
    "late penalty",
    "words to read",
    "changed by hand",
    "note",
)


def points(assignment: str, refused: dict[str, str]) -> list[dict]:
    """Return a line for each student who handed in, and for those who have a layer and did not.

    Args:
        refused: student → why nothing could be graded.
    """
    roster, rows = read_table("layers", assignment), {}
    with Gradebook(GRADEBOOK) as gradebook:
        for one in gradebook.assignment_submissions(assignment):
            rows[one.student.id] = counted(one)
    rows |= {student: {"note": f"{REFUSED}{why}"} for student, why in refused.items()}
    for student in roster:
        rows.setdefault(student, {"note": NOTHING})
    names = {student: roster.get(student, {}).get("student", "") for student in rows}
    return [dict.fromkeys(COLUMNS, "") | {"student": one, "name": names[one]} | rows[one] for one in sorted(rows)]


def counted(submission) -> dict:
    """Return what the gradebook has of one submission: by program and in words, less the penalty, are the points."""
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    words = [grade for grade in grades if grade.cell_type == "markdown"]
    program, penalty = [grade for grade in grades if grade not in words], submission.late_submission_penalty or 0
    return {
        "points": round(max(submission.score - penalty, 0), 2),
        "of": submission.max_score,
        "by program": round(sum(grade.score for grade in program), 2),
        "in words": round(sum(grade.score for grade in words), 2),
        "late penalty": round(penalty, 2),
        "words to read": sum(grade.auto_score is None and grade.manual_score is None for grade in words),
        "words read": sum(grade.manual_score is not None for grade in words),  # in no table
        "changed by hand": sum(grade.manual_score is not None for grade in program),
    }


def write_tables(assignment: str, rows: list[dict]) -> None:
    """Write the three tables. Canvas's ID is a number, and so is Moodle's participant; any other id is a login."""
    write(HERE / f"points-{assignment}.csv", [COLUMNS, *([row[column] for column in COLUMNS] for row in rows)])
    canvas = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", load_key(assignment).TITLE]]
    moodle = [["Identifier", "Full name", "Grade", "Last modified (grade)"]]
    for row in rows:
        student, name, got = row["student"], row["name"], row["points"]
        number = student if re.fullmatch(r"\d+", student) else ""
        canvas.append([name or student, number, "", "" if number else student, "", got])
        if number:
            moodle.append([f"Participant {number}", name, got, ""])
    write(HERE / f"canvas-{assignment}.csv", canvas)
    write(HERE / f"moodle-{assignment}.csv", moodle)
