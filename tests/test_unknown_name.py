"""What a notebook prints below a NameError of a cell."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

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
