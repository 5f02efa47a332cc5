"""Collect, grade, write the feedback and the points of one assignment: `python grade.py a1`.

It is safe to repeat: points that a person gave stay, and a submission that cannot be graded never stops the others.
`python grade.py a1 --layers roster.csv` writes what belongs to each student; `--release` makes `release/` again.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import warnings
from collections import defaultdict
from hashlib import sha256
from pathlib import Path

from isolated import NoProtection, check_protection, load_key
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI, ZipCollectApp
from sqlalchemy.exc import SAWarning
from tqdm import tqdm
from traitlets.config import PyFileConfigLoader
from variants import salt

HERE = Path(__file__).resolve().parent
ASSIGNMENTS = "a1", "a2", "a3"
SALT_SEEN = HERE / ".salt"  # what the layers were drawn with, hashed: another one would grade other layers
COLUMNS = "student", "points", "of", "by program", "in words", "late penalty", "words to read"


def course() -> NbGraderAPI:
    """Return nbgrader, with the configuration of this folder."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(HERE)).load_config()
    config.Application.log_level = "WARN"
    warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's own, in each query
    return NbGraderAPI(config=config)


def release(api: NbGraderAPI, assignments=ASSIGNMENTS) -> None:
    """Make `release/` from `source/`, what a student gets, and note in the gradebook what each cell is worth."""
    for assignment in assignments:
        result = api.generate_assignment(assignment, force=True, create=True)
        if not result["success"]:
            raise SystemExit(f"{assignment} could not be made:\n{result['log'] or result['error']}")
        print(f"release/{assignment}/{assignment}.ipynb")


def layers(assignment: str, roster: Path) -> None:
    """Write for each student of a roster, a CSV with a column `id`, the layer and the input that belong to them."""
    check_salt()
    with roster.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "id" not in (rows.fieldnames or ()):
            raise SystemExit(f"{roster} has the columns {rows.fieldnames}; wanted one called id")
        ids = [row["id"] or "" for row in rows]
    if doubtful := [one for one in ids if not one.strip() or ids.count(one) > 1]:
        raise SystemExit(f"{roster} has the id {doubtful[0]!r}, which is empty or there twice")
    path, own = HERE / f"layers-{assignment}.csv", load_key(assignment).OWN
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "yours", "input"])
        table.writerows([one, *map(str, own.drawn(one))] for one in ids)
    print(path.name)


def salt_mark() -> str:
    """Return what tells one SALT from another and gives none away."""
    return sha256(f"convlab {salt()}".encode()).hexdigest()[:16]


def check_salt() -> None:
    """Stop if SALT is not that of the first call; whoever wants another one deletes the file `.salt`."""
    if not SALT_SEEN.exists():
        SALT_SEEN.write_text(salt_mark(), encoding="utf-8")
    if SALT_SEEN.read_text(encoding="utf-8") != salt_mark():
        raise SystemExit("SALT is not the one that the layers were made with: nothing was done. Set SALT again.")


def submissions(assignment: str) -> list[str]:
    """Return the students of whom something was collected."""
    return sorted(path.parent.name for path in (HERE / "submitted").glob(f"*/{assignment}") if path.is_dir())


def grade(api: NbGraderAPI, assignment: str) -> None:
    """Grade every submission, and print what was graded, repaired, refused and late."""
    with Gradebook(f"sqlite:///{HERE / 'gradebook.db'}") as gradebook:
        is_known = assignment in {one.name for one in gradebook.assignments}
    if not is_known:  # a fresh clone has the release and no gradebook
        release(api, [assignment])
    check_salt()
    if (HERE / "downloaded" / assignment).is_dir():
        collected = collect(api, assignment)
        print(f"collected from downloaded/{assignment}: {collected}")
    refused, told = {}, {mark: defaultdict(list) for mark in ("repaired", "look at")}
    students = submissions(assignment)
    for student in tqdm(students, desc=f"grading {assignment}", file=sys.stdout):
        try:
            result = api.autograde(assignment, student, force=True, create=True)
        except Exception as error:  # of one submission; the others go on
            result = {"success": False, "log": f"{type(error).__name__}: {error}", "error": ""}
        if not result["success"]:
            refused[student] = reason(result)
            continue
        for line in (result["log"] or "").splitlines():
            for mark, found in told.items():
                if f"{mark}: " in line:
                    found[student].append(line.partition(f"{mark}: ")[2])
        api.generate_feedback(assignment, student, force=True)
    rows = points(assignment)
    path = HERE / f"points-{assignment}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    write_for_canvas(assignment, rows)
    late = [row["student"] for row in rows if row["late penalty"]]
    print(f"{len(students) - len(refused)} of {len(students)} graded, points in {path.name}, feedback in feedback/")
    for title, found in (*told.items(), ("refused", refused)):
        for student, why in sorted(found.items()):
            print(f"{title}: {student}: {'; '.join(why) if isinstance(why, list) else why}")
    if late:
        print(f"late: {', '.join(late)}")
    if any(row["words to read"] for row in rows):
        print("Words wait to be read: README.md says where. Then run this again.")


def write_for_canvas(assignment: str, rows: list[dict]) -> None:
    """Write the points under the column names that Canvas imports; a student is found by the login, which is the id."""
    title = load_key(assignment).TITLE
    with (HERE / f"canvas-{assignment}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title])
        table.writerows([row["student"], "", "", row["student"], "", row["points"]] for row in rows)


def extend(assignment: str, student: str, days: float) -> None:
    """Give one student some days more; 0 takes them back. The submission has to be graded once before."""
    with Gradebook(f"sqlite:///{HERE / 'gradebook.db'}") as gradebook:
        try:
            gradebook.grant_extension(assignment, student, days=days)
        except MissingEntry as error:
            raise SystemExit(f"{error}: grade {assignment} once, and give the extension then") from None
    print(f"{student} has {days:g} days more for {assignment}. Grade again.")


def reason(result) -> str:
    """Return why a submission was refused: the first error of nbgrader's log."""
    lines = [line for line in (result["log"] or result["error"] or "no reason given").splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Entry): ", line.strip())]
    return (named or lines)[0].strip()[:300]


def points(assignment: str) -> list[dict]:
    """Return a line for each student who handed in, and for those who have a layer and did not."""
    rows, drawn = [], HERE / f"layers-{assignment}.csv"
    ids = [row["id"] for row in csv.DictReader(drawn.open(encoding="utf-8"))] if drawn.exists() else []
    with Gradebook(f"sqlite:///{HERE / 'gradebook.db'}") as gradebook:
        for one in gradebook.assignment_submissions(assignment):
            grades = [grade for notebook in one.notebooks for grade in notebook.grades]
            automatic = sum(grade.auto_score or 0 for grade in grades)
            manual = sum(grade.manual_score or 0 for grade in grades)
            unread = sum(grade.auto_score is None and grade.manual_score is None for grade in grades)
            rows.append(
                {
                    "student": one.student.id,
                    "points": round(max(one.score - (one.late_submission_penalty or 0), 0), 2),
                    "of": one.max_score,
                    "by program": round(automatic, 2),
                    "in words": round(manual, 2),
                    "late penalty": round(one.late_submission_penalty or 0, 2),
                    "words to read": unread,
                }
            )
    there = {row["student"] for row in rows}
    rows += [dict.fromkeys(COLUMNS, 0) | {"student": one, "of": "nothing handed in"} for one in ids if one not in there]
    return sorted(rows, key=lambda row: row["student"])


def collect(api: NbGraderAPI, assignment: str) -> str:
    """Run `nbgrader zip_collect`, which sorts an LMS's downloads into `submitted/`, and keep the times noted there."""
    times = {path: path.read_text("utf-8") for path in (HERE / "submitted").glob(f"*/{assignment}/timestamp.txt")}
    app = ZipCollectApp(config=api.config)
    app.initialize([assignment, "--force"])
    app.start()
    for path, time in times.items():
        if path.parent.is_dir() and not path.exists():
            path.write_text(time, encoding="utf-8")
    return ", ".join(submissions(assignment)) or "nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assignment", nargs="?", choices=ASSIGNMENTS)
    parser.add_argument("--release", action="store_true")
    parser.add_argument("--layers", type=Path, metavar="ROSTER")
    parser.add_argument("--extension", nargs=2, metavar=("STUDENT", "DAYS"))
    asked = parser.parse_args()
    if asked.extension:
        return extend(asked.assignment, asked.extension[0], float(asked.extension[1]))
    if asked.layers:
        return layers(asked.assignment, asked.layers)
    api = course()
    if asked.release:
        return release(api)
    try:
        check_protection()
    except NoProtection as error:
        raise SystemExit(str(error)) from None
    return grade(api, asked.assignment)


if __name__ == "__main__":
    main()
