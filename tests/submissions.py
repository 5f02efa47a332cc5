"""Submissions of the assignments, made from their sources and keys: for the tests of answers and of a class."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader, of the extra grade, is not installed")
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "assignments"
NAMES = "a1", "a2", "a3"
IN_GATE = bool(os.environ.get("CI"))
needs_bubblewrap = pytest.mark.skipif(
    not (shutil.which("bwrap") or IN_GATE), reason="bubblewrap is not installed: no answer runs without it"
)
sys.path.insert(0, str(FOLDER))  # the folder is no package: nbgrader imports its files by name

from marking import load_key  # noqa: E402
from repair import grade_id  # noqa: E402


def notebook(kind, name):
    return nbformat.read(FOLDER / kind / name / f"{name}.ipynb", as_version=4)


def solutions(name):
    """Return grade_id → the answer in the source notebook."""
    cells = [cell for cell in notebook("source", name).cells if cell.cell_type == "code"]
    strip = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.MULTILINE)
    return {grade_id(c): strip.sub("", c.source) for c in cells if c.metadata.get("nbgrader", {}).get("solution")}


def own(name, student="ada", **changed):
    """Return the right numbers of a student as code, some of them changed."""
    key = load_key(name)
    drawn = key.OWN.drawn(student)
    right = {number: function(*drawn) for number, (function, _) in key.OWN.table.items()}
    return "\n".join(f"{number} = {value}" for number, value in (right | changed).items())


def submission(name, edit=None, **answers):
    """Return a release notebook with the right answers, but for some; `edit` damages it."""
    answers = solutions(name) | {f"{name}-own": own(name)} | {f"{name}-{k}": v for k, v in answers.items()}
    found = notebook("release", name)
    for cell in found.cells:
        cell.source = answers.get(grade_id(cell), cell.source)
    if edit:
        edit(found)
    return found


def delete(name):
    def edit(found):
        found.cells = [cell for cell in found.cells if grade_id(cell) != name]

    return edit


def fresh_course(folder):
    """Return a copy of the assignments as a clone has them."""
    made = "gradebook.db*", "submitted", "autograded", "feedback", "downloaded", "*.csv", "__pycache__"
    return Path(shutil.copytree(FOLDER, folder / "assignments", ignore=shutil.ignore_patterns(*made)))


def path_with_tools():
    """Return the PATH that make sets: nbgrader finds its own tools on it."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def run(course, *command, **environment):
    """Run Python in the folder of a course, as make does, and return what became of it."""
    env = os.environ | {"PATH": path_with_tools()} | environment
    return subprocess.run([sys.executable, *command], cwd=course, env=env, capture_output=True, text=True, timeout=300)
