"""Who is in the course, and which layer is whose: `layers-aN.csv`, and whether SALT is still the one it was drawn with.

A roster is a CSV of the instructor's, or one that an LMS exports: Canvas's gradebook, Moodle's grading worksheet.
"""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

from marking import load_key

HERE = Path(__file__).resolve().parent
ASSIGNMENTS = "a1", "a2", "a3"
ID_COLUMNS = "id", "ID", "Identifier"  # of the instructor, of Canvas, of Moodle
NAME_COLUMNS = "student", "name", "Student", "Full name"
OTHER_LAYER = (
    "SALT or keys/{assignment}.py is not what layers-{assignment}.csv was drawn with: {student} has another layer "
    "there. Nothing was done. Set that SALT again; to begin anew with other layers for all, delete that file."
)


class WrongInput(ValueError):
    """What the instructor gave cannot be used; the message says why."""


def read_roster(path: Path) -> dict[str, str]:
    """Return id → name, which may be empty, in the order of a roster."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"ROSTER={path} cannot be read as a CSV in UTF-8: {error}") from None
    header = text.partition("\n")[0]
    rows = csv.DictReader(StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ",")
    columns = rows.fieldnames or ()
    if not (of_id := [column for column in ID_COLUMNS if column in columns]):
        raise WrongInput(f"{path} has the columns {list(columns)}; wanted one called {', '.join(ID_COLUMNS)}")
    of_name = next((column for column in NAME_COLUMNS if column in columns), None)
    found = [(row[of_id[0]] or "", (row.get(of_name) or "").strip()) for row in rows]
    if of_id[0] == "ID":  # Canvas's lines about points and posting have no ID
        found = [(one, name) for one, name in found if one.strip()]
    ids = [re.sub(r"^Participant ", "", one.strip()) for one, _ in found]
    folded = [one.casefold() for one in ids]  # a layer is drawn for both spellings alike
    if doubtful := [one for one in ids if not one or folded.count(one.casefold()) > 1]:
        raise WrongInput(f"{path} has the id {doubtful[0]!r}, which is empty or there twice")
    return dict(zip(ids, (name for _, name in found), strict=True))


def write_layers(assignment: str, path: Path) -> None:
    """Write what belongs to each student of a roster, and in a file for the instructor what is right for it."""
    roster, own = read_roster(path), load_key(assignment).OWN
    check_all_layers()
    drawn = {one: own.drawn(one) for one in roster}
    lines = [[one, name, *map(str, drawn[one])] for one, name in roster.items()]
    write(HERE / f"layers-{assignment}.csv", [["id", "student", "yours", "input"], *lines])
    right = [[*line, *own.right(drawn[line[0]]).values()] for line in lines]
    header = ["id", "student", "yours", "input", *own.table, *own.in_words]
    write(HERE / f"answers-{assignment}.csv", [header, *right])
    print(f"layers-{assignment}.csv, for the students; answers-{assignment}.csv, for you alone")


def write(path: Path, rows: list[list]) -> None:
    """Write a CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def read_table(kind: str, assignment: str) -> dict[str, dict]:
    """Return id → the line of `layers-aN.csv` or `answers-aN.csv`; nothing where there is none yet."""
    path = HERE / f"{kind}-{assignment}.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not {"id", "yours", "input"} <= {*(rows.fieldnames or ())}:
            raise WrongInput(f"{path.name} is not as it was made: its first line is {rows.fieldnames}. Make it again.")
        return {row["id"]: row for row in rows}


def check_layers(assignment: str, student: str | None = None) -> None:
    """Stop if a layer that was given out is not the one that SALT and the key draw today.

    Args:
        student: whose layer alone is looked at, or some of the first if the student has none.
    """
    rows, own = read_table("layers", assignment), load_key(assignment).OWN
    for one in [student] if student in rows else [*rows][: None if student is None else 10]:
        if [rows[one]["yours"], rows[one]["input"]] != [*map(str, own.drawn(one))]:
            raise WrongInput(OTHER_LAYER.format(assignment=assignment, student=one))


def check_all_layers(student: str | None = None) -> None:
    """Do the same for every assignment whose layers were given out: one SALT is for all."""
    for assignment in ASSIGNMENTS:
        check_layers(assignment, student)
