"""What an instructor should know after the grading, line by line: repaired, refused, late, alike, not collected."""

from __future__ import annotations

from collections.abc import Mapping

from alike import borrowed_numbers, equal_programs
from collect import Collected
from roster import HERE, read_table
from tables import NOTHING, REFUSED

from convlab.wording import listed, printable


def summary(assignment: str, rows: list[dict], told: Mapping, collected: Collected) -> list[str]:
    """Return the lines.

    Args:
        rows: of the table of points.
        told: "repaired" and what else was logged → student → sentences.
        collected: what became of the downloads.
    """
    named = {row["student"]: f"{row['student']} ({row['name']})" if row["name"] else row["student"] for row in rows}
    roster, graded = read_table("layers", assignment), [row["student"] for row in rows if not row["note"]]
    lines = [
        f"{title}: {named[one]}: {'; '.join(why)}" for title, all_why in told.items() for one, why in all_why.items()
    ]
    for row in rows:
        if row["note"].startswith(REFUSED):
            lines.append(f"{REFUSED}{named[row['student']]}: {row['note'].removeprefix(REFUSED)}")
    try:
        lines += compared(assignment, graded, named)
    except Exception as error:  # of one answer; the other lines are not lost with it
        lines.append(f"the answers could not be compared: {type(error).__name__}: {error}")
    lines += [f"not the latest of {named[one.student]}, left out: {one.path}" for one in collected.older]
    late = [student for student, one in collected.latest.items() if one.is_late]
    timed = {path.parent.parent.name for path in (HERE / "submitted").glob(f"*/{assignment}/timestamp.txt")}
    groups = {
        "late": [named[row["student"]] for row in rows if row["late penalty"]],
        "named LATE by Canvas, with no time, so nothing was taken off": [
            named[one] for one in late if one not in timed
        ],
        "not collected": collected.skipped,
        "nothing handed in": [named[row["student"]] for row in rows if row["note"] == NOTHING],
        "handed in and not in the roster": [one for one in named if roster and one not in roster],
    }
    lines += [f"{title}: {', '.join(found)}" for title, found in groups.items() if found]
    if any(row["words to read"] for row in rows):
        lines.append("Words wait to be read: README.md says where. Then run this again.")
    return [printable(line) for line in lines]


def compared(assignment: str, students: list[str], named: Mapping[str, str]) -> list[str]:
    """Return the lines about answers that are alike."""
    groups = equal_programs(assignment, students)
    lines = [f"equal answers: {listed([named[one] for one in group])}" for group in groups]
    for one, other in borrowed_numbers(assignment, students):
        lines.append(f"numbers of another's layer: {named[one]} has those of {named.get(other, other)}")
    return lines
