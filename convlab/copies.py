"""A learner's own copies of the lessons: made once, never written over, a new version beside the old one."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
FOLDER = "my-lessons"
RECORD = ".copied.json"  # in the folder of copies: lesson → the hash of the version that was copied last
IF_OPEN = (
    "If it is still open in JupyterLab: close its tab without saving, and open it again. "
    "If answers in that tab were not saved, save them there first (choose Overwrite), and give this command again."
)


class NoSuchLesson(ValueError):
    """No lesson, or more than one, has this number."""


def copy_lessons(repository: Path = REPOSITORY) -> list[str]:
    """Copy each lesson that has no copy yet, and return what a learner should know, a sentence each.

    A lesson that has changed since it was copied is copied beside the learner's file, under a name of its own. The
    only files that are replaced are the record, and a copy that is byte by byte as it was made.

    Args:
        repository: the folder that holds `notebooks/`; the copies are made in its `my-lessons/`.

    Raises:
        FileNotFoundError: there are no lessons, as where the package was installed without its repository.
        FileExistsError: `my-lessons` is a file.
    """
    copies, record, told = repository / FOLDER, _read_record(repository), []
    for lesson in _lessons(repository):
        version, copy = _version(lesson), copies / lesson.name
        copied = record.get(lesson.name, version)
        if copied != version and copy.exists() and _version(copy) == copied:
            if old := _set_aside(copy, copied):
                told.append(f"What you saved meanwhile is kept in {FOLDER}/{old.name}.")
        if not copy.exists():
            _write_new(copy, lesson)
        elif copied != version and not _is_there(copies, lesson, version):
            beside = _free(copy, "new")
            _write_new(beside, lesson)
            told.append(f"{lesson.name} has a new version: {FOLDER}/{beside.name}. Your own file is as you left it.")
        record[lesson.name] = version
    _write_record(repository, record)
    return told


def reset_lesson(number: str, repository: Path = REPOSITORY) -> list[str]:
    """Make a new copy of one lesson, keep the old one under another name, and return what was done, a sentence each.

    Args:
        number: the lesson, such as "03", "3" or the name of its file.

    Raises:
        NoSuchLesson: no lesson has this number.
    """
    lessons = _lessons(repository)
    asked = Path(number.strip()).name.removesuffix(".ipynb")
    wanted = asked.zfill(2)[:2] if asked.isdecimal() and len(asked) <= 2 else asked
    found = [lesson for lesson in lessons if lesson.stem == wanted or (len(wanted) == 2 and lesson.name[:2] == wanted)]
    if len(found) != 1:
        last = lessons[-1].name[:2]
        raise NoSuchLesson(f"there is no lesson {number!r}; wanted a number from 00 to {last}, as in L=03")
    (lesson,) = found
    copy, told, record = repository / FOLDER / lesson.name, [], _read_record(repository)
    if copy.exists() and copy.parent.samefile(lesson.parent):
        raise FileExistsError(f"{copy.parent} is a link to the lessons themselves; wanted a folder of copies")
    if copy.exists() and (old := _set_aside(copy, _version(lesson), record.get(lesson.name))):
        told.append(f"What you saved is kept in {FOLDER}/{old.name}.")
    _write_new(copy, lesson)
    _write_record(repository, record | {lesson.name: _version(lesson)})
    return [*told, f"{FOLDER}/{copy.name} is as new. {IF_OPEN}"]


def first_lesson(repository: Path = REPOSITORY) -> Path:
    """Return the learner's copy of the first lesson, relative to the repository."""
    return Path(FOLDER, _lessons(repository)[0].name)


def _lessons(repository):
    """Return the lessons of a repository in order."""
    found = sorted(repository.glob("notebooks/[0-9][0-9]-*.ipynb"))
    if not found:
        raise FileNotFoundError(
            f"no lessons in {repository / 'notebooks'}: they are in the course's repository, not in the package. "
            "Clone the repository, and install with -e in it"
        )
    return found


def _version(path):
    return sha256(path.read_bytes()).hexdigest()


def _free(path, word):
    """Return the first name that no file has: 03-old-lesson.ipynb, 03-old-2-lesson.ipynb, …

    The word is in front, where a narrow list of files shows it.
    """
    lesson, title = path.stem.split("-", 1)
    number, found = 1, path.with_stem(f"{lesson}-{word}-{title}")
    while found.exists():
        number += 1
        found = path.with_stem(f"{lesson}-{word}-{number}-{title}")
    return found


def _is_there(copies, lesson, version):
    """Say whether a copy of this version is among those of the lesson, under whatever name."""
    return any(_version(path) == version for path in copies.glob(f"{lesson.name[:2]}-*.ipynb") if path.is_file())


def _set_aside(copy, *made):
    """Move a copy to a free name and return that; or, if it is as it was made, delete it and return None.

    It is moved first and looked at then, so that what is saved meanwhile, or by another start, is kept.
    """
    while True:
        old = _free(copy, "old")
        with suppress(FileExistsError):
            old.touch(exist_ok=False)  # takes the name: no other start can
            break
    try:
        copy.replace(old)
    except OSError as error:
        old.unlink()
        if isinstance(error, FileNotFoundError):  # another start has moved it
            return None
        raise
    if _version(old) not in made:
        return old
    old.unlink()
    return None


def _write_new(copy, lesson):
    """Make a copy, whole or not at all; a file that came there meanwhile is not written over."""
    if copy.parent.exists() and not copy.parent.is_dir():
        raise FileExistsError(f"{copy.parent} is a file; wanted a folder for your copies. Rename the file")
    content = lesson.read_bytes()
    copy.parent.mkdir(exist_ok=True)
    part = copy.with_name(f".{copy.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.link(part, copy)  # never writes over a file
    except FileExistsError:  # another start was first
        pass
    except OSError:
        if not part.exists() or part.stat().st_size < len(content):
            raise
        with suppress(FileExistsError):  # a disk without links, such as exFAT
            copy.touch(exist_ok=False)
            part.replace(copy)
    finally:
        part.unlink(missing_ok=True)


def _read_record(repository):
    """Return what was copied; a record that cannot be read is no record."""
    try:
        found = json.loads((repository / FOLDER / RECORD).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _write_record(repository, record):
    """Replace the record in one step, so that a start that is cut off leaves a whole one."""
    if record == _read_record(repository):
        return
    path = repository / FOLDER / RECORD
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
