"""Make `release/`, what a student gets, from `source/`, and tell the gradebook what each of its cells is worth."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import SaveCells
from nbgrader.utils import capture_log, temp_attrs
from roster import HERE, WrongInput

GRADEBOOK = f"sqlite:///{HERE / 'gradebook.db'}"


def release(api: NbGraderAPI, assignment: str) -> None:
    """Make the release of an assignment again; it stays as it is if anything goes wrong."""
    with (
        tempfile.TemporaryDirectory() as folder,
        temp_attrs(api.coursedir, assignment_id=assignment, release_directory=folder),
    ):
        app = GenerateAssignment(coursedir=api.coursedir, parent=api, no_database=True)
        app.preprocessors = [one for one in app.preprocessors if one is not SaveCells]
        result = capture_log(app)
        made = Path(folder) / assignment / f"{assignment}.ipynb"
        if not result["success"]:
            raise WrongInput(f"release/{assignment} could not be made:\n{result.get('log') or result['error']}")
        note_cells(assignment, made)
        path = HERE / "release" / assignment / made.name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, path)
        print(path.relative_to(HERE))


def note_cells(assignment: str, notebook: Path) -> None:
    """Note in the gradebook what each cell of a release is worth."""
    with Gradebook(GRADEBOOK) as gradebook:
        known = gradebook.update_or_create_assignment(assignment)
        if not known.notebooks:  # a due date may have come first, or a try to grade, which left a submission of nothing
            for one in known.submissions:
                gradebook.remove_submission(assignment, one.student.id)
    where = {"notebook": assignment, "assignment": assignment, "db_url": GRADEBOOK}
    try:
        SaveCells().preprocess(nbformat.read(notebook, as_version=4), {"nbgrader": where})
    except RuntimeError as error:  # nbgrader's, where submissions exist
        raise WrongInput(f"release/{assignment} is as it was: {error}") from error


def know(assignment: str) -> None:
    """Note the release that is there, unless the gradebook knows it: a fresh clone has a release and no gradebook."""
    with Gradebook(GRADEBOOK) as gradebook:
        try:
            gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            pass
        else:
            return
    note_cells(assignment, HERE / "release" / assignment / f"{assignment}.ipynb")
