"""What a notebook prints below a NameError of a cell."""

import json
import os
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from jupyter_client.manager import start_new_kernel

from convlab.exercises.unknown_name import tell_unknown_name


@pytest.fixture
def run():
    """Return a function that runs a cell in an IPython shell that has imported the checks, and returns its output."""
    shell = InteractiveShell.instance()

    def run(cell):
        with capture_output() as captured:
            result = shell.run_cell(cell)
        return result, captured.stdout

    run("import importlib, convlab.check\nimportlib.reload(convlab.check)")
    yield run
    InteractiveShell.clear_instance()


TOLD = "is not known yet. If a cell above defines it, run the cells above first: Run → Run All Above Selected Cell."


@pytest.mark.parametrize(
    "cell", ["photo", "x = 1\nprint(photo.shape)", "[photo for _ in range(2)]", "sum(photo for _ in range(2))"]
)
def test_a_name_that_no_cell_has_defined_is_told_once_below_the_traceback(run, cell):
    result, printed = run(cell)
    assert isinstance(result.error_in_exec, NameError)
    assert printed.count(f"photo {TOLD}") == 1
    assert printed.index("NameError") < printed.index(TOLD)
    assert printed.endswith(f"{TOLD}\n")


def test_a_bare_letter_is_told_to_need_quotes(run):
    assert run("recall = print\nrecall(b, None)")[1].endswith(
        f'b {TOLD} If it is a letter that you chose, put it in quotes: "b".\n'
    )


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("1 / 0", ZeroDivisionError),
        ("def mine():\n    return photo\nmine()", NameError),
        ("(lambda: photo)()", NameError),
        ("def mine():\n    photo += 1\nmine()", UnboundLocalError),
        ("raise NameError('by hand')", NameError),
        ("import convlab.no_such_module", ModuleNotFoundError),
        ("exec('photo', {'__name__': 'elsewhere'})", NameError),
    ],
)
def test_other_errors_and_names_in_a_function_are_left_as_they_are(run, cell, error):
    result, printed = run(cell)
    assert type(result.error_in_exec) is error
    assert error.__name__ in printed
    assert "is not known yet" not in printed


def test_a_cell_that_works_prints_nothing_more(run):
    assert run("photo = 3\nprint(photo)")[1] == "3\n"


def test_outside_of_ipython_nothing_is_watched():
    from convlab.exercises.unknown_name import watch_names

    assert watch_names() is None


def test_the_checks_watch_a_shell_once(run):
    callbacks = InteractiveShell.instance().events.callbacks["post_run_cell"]
    run("from convlab import check\nfrom convlab.exercises.unknown_name import watch_names\nwatch_names()")
    assert callbacks.count(tell_unknown_name) == 1


LESSON = Path(__file__).parent.parent / "notebooks/03-what-does-grouping-save.ipynb"


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Return a function that says which cells the notebook of this shell was saved with."""

    def notebook(*codes):
        cells = [{"cell_type": "code", "source": code.splitlines(keepends=True)} for code in codes]
        path = tmp_path / "lesson.ipynb"
        path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["photo = 1"]}, *cells]}))
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))

    return notebook


@pytest.mark.parametrize(
    ("cells", "first_line"),
    [
        (["photo = 1", "photo"], "photo = 1"),
        (["# a photograph\n\nphoto = 1", "photo"], "# a photograph"),
        (["import photo", "x = 1", "photo"], "import photo"),
        (["from a import b as photo", "photo"], "from a import b as photo"),
        (["def photo(): pass", "photo"], "def photo(): pass"),
        (["photo = 1", "photo = 2", "photo", "photo = 3"], "photo = 2"),
        (["x = 1", "photo", "photo = 3"], "photo = 3"),  # below: the only one
        (["%time", "photo = 1", "photo"], "photo = 1"),
        (["photo = 1", "print(photo)\nphoto = 2"], "photo = 1"),  # not the cell that stopped
    ],
)
def test_the_cell_that_defines_a_name_is_named(run, notebook, cells, first_line):
    notebook(*cells)
    told = f"photo is not known yet. The cell that begins with {first_line!r} defines it. Run all cells above: Run →"
    assert told in run("print(photo)\nphoto = 2" if "print" in cells[-1] else "photo")[1]


@pytest.mark.parametrize(
    "cells", [["x = photo", "photo"], ["def f():\n    photo = 1", "photo"], ["%photo", "photo"], []]
)
def test_a_cell_that_only_uses_a_name_does_not_define_it(run, notebook, cells):
    notebook(*cells)
    assert f"photo {TOLD}" in run("photo")[1]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}', "\xff", "[" * 100_000]
)
def test_a_notebook_that_cannot_be_read_leaves_the_general_sentence(run, tmp_path, monkeypatch, text):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    assert f"photo {TOLD}" in run("photo")[1]


@pytest.mark.parametrize("cell", ["photo = 1", "photo = 1  # as in convlab"])
def test_a_notebook_without_convlab_is_left_alone(run, notebook, monkeypatch, cell):
    notebook(cell)
    monkeypatch.delitem(sys.modules, "convlab.check")
    assert "is not known yet" not in run("photo")[1]


def test_a_restarted_kernel_of_a_lesson_names_the_cell(monkeypatch):
    """A real kernel, in which nothing has run: the environment's own configuration loads the module."""
    monkeypatch.setitem(os.environ, "JPY_SESSION_NAME", str(LESSON))
    manager, client = start_new_kernel()
    printed = []
    client.execute_interactive(
        "check.reach", output_hook=lambda message: printed.append(message["content"]), timeout=60
    )
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    told = "".join(content.get("text", "") for content in printed)
    assert told.startswith("check is not known yet. The cell that begins with 'from math import prod' defines it.")
