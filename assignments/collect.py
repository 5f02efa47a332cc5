"""Sort what an LMS gives into `submitted/STUDENT/aN/aN.ipynb`: one notebook a student, the latest, under the LMS's id.

Canvas names a file `lovelaceada_LATE_12345_678_a1.ipynb`: the name, the user's ID, the file's. Moodle puts a file into
`Ada Lovelace_123_assignsubmission_file/`, or begins its name so: 123 is the number of the participant.
"""

from __future__ import annotations

import codecs
import re
import time
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from roster import HERE

CANVAS = re.compile(r"(?:(?:LATE_)?(?P<anonymous>anon_[^\W_]+)|.+?_(?P<number>[0-9]{1,20}))_(?P<file>[0-9]{1,20})_")
MOODLE = re.compile(r"(?:^|/)[^/_]*_(?P<number>[0-9]{1,20})_assignsubmission_")
MOST_MEGABYTES = 50  # of one notebook
IGNORED = re.compile(r"(^|/)(__MACOSX/|\.)|/$")  # what systems put into ZIPs, and folders


@dataclass(frozen=True)
class Found:
    """A notebook that was downloaded."""

    student: str
    order: tuple  # Canvas's number of the file, then its time and name: the latest counts
    path: str
    content: bytes
    is_late: bool


@dataclass(frozen=True)
class Collected:
    """What became of a download."""

    latest: dict[str, Found]
    older: list[Found]
    skipped: list[str]


def downloaded(folder: Path):
    """Yield path, time and how to read it for each file of a folder, and of the ZIPs in it."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        members = []
        if path.suffix.lower() == ".zip" and not whose(name):  # a student's own may hold files in any name
            try:
                archive = zipfile.ZipFile(path)
                members = archive.infolist()
            except Exception:  # damaged: it is named as not collected
                pass
        if not members:
            yield name, time.localtime(path.stat().st_mtime)[:6], path.stat().st_size, path.read_bytes
        for member in members:
            inside = member.filename.removeprefix("./")
            yield f"{name}/{inside}", member.date_time, member.file_size, partial(archive.read, member)


def whose(path: str) -> re.Match | None:
    """Return the match of the name that an LMS gave to a file."""
    return MOODLE.search(path) or CANVAS.match(path.rpartition("/")[2])


def sorted_out(folder: Path) -> Collected:
    """Return the latest notebook of each student in a folder of downloads, and what is not collected."""
    found, skipped = defaultdict(list), []
    for path, when, size, read in downloaded(folder):
        if IGNORED.search(path):
            continue
        name = path.rpartition("/")[2]
        match = whose(path)
        if not (match and name.lower().endswith(".ipynb")):
            skipped.append(path)
            continue
        if size > MOST_MEGABYTES * 1_000_000:
            skipped.append(f"{path} (more than {MOST_MEGABYTES} MB)")
            continue
        try:
            content = read().removeprefix(codecs.BOM_UTF8)
        except Exception as error:  # a damaged or locked ZIP
            skipped.append(f"{path} ({error})")
            continue
        parts = match.groupdict()
        student, order = parts.get("anonymous") or parts["number"], (int(parts.get("file") or 0), when, path)
        found[student].append(Found(student, order, path, content, "LATE_" in match[0]))
    latest = {student: max(files, key=lambda one: one.order) for student, files in found.items()}
    older = [one for files in found.values() for one in files if one.content != latest[one.student].content]
    return Collected(latest, older, skipped)


def collect(assignment: str) -> Collected:
    """Sort the downloads of an assignment into `submitted/`; a notebook that lies there alone gets its right name."""
    collected = sorted_out(HERE / "downloaded" / assignment)
    for student, one in collected.latest.items():
        place = HERE / "submitted" / student / assignment
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{assignment}.ipynb").write_bytes(one.content)
    for place in (HERE / "submitted").glob(f"*/{assignment}"):
        if len(notebooks := [*place.glob("*.ipynb")]) == 1:
            notebooks[0].rename(place / f"{assignment}.ipynb")
    return collected
