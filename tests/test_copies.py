"""A learner's copies: nothing of theirs is ever written over, and the clone stays clean."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from convlab import __main__ as commands
from convlab.copies import NoSuchLesson, copy_lessons, first_lesson, reset_lesson

ROOT = Path(__file__).parent.parent
FIRST, SECOND = "00-first.ipynb", "01-second.ipynb"


@pytest.fixture
def course(tmp_path):
    """Return a repository of two lessons that have not been copied yet."""
    (tmp_path / "notebooks").mkdir()
    for name in (FIRST, SECOND):
        (tmp_path / "notebooks" / name).write_text(f"version 1 of {name}")
    return tmp_path


def texts(course):
    """Return the name and text of each file of the learner's folder, without the record."""
    return {path.name: path.read_text() for path in (course / "my-lessons").iterdir() if path.name[0] != "."}


def test_the_first_copies_are_the_lessons_and_nothing_is_told(course):
    assert copy_lessons(course) == []
    assert texts(course) == {name: f"version 1 of {name}" for name in (FIRST, SECOND)}
    assert first_lesson(course) == Path("my-lessons", FIRST)


def test_an_answer_stays_and_a_deleted_copy_comes_back(course):
    copy_lessons(course)
    (course / "my-lessons" / FIRST).write_text("my answer")
    (course / "my-lessons" / SECOND).unlink()
    assert copy_lessons(course) == []
    assert texts(course) == {FIRST: "my answer", SECOND: f"version 1 of {SECOND}"}


def test_a_new_version_comes_once_beside_an_answer_and_in_the_place_of_an_untouched_copy(course):
    copy_lessons(course)
    (course / "my-lessons" / FIRST).write_text("my answer")
    for name in (FIRST, SECOND):
        (course / "notebooks" / name).write_text(f"version 2 of {name}")
    (told,) = copy_lessons(course)
    assert told == f"{FIRST} has a new version: my-lessons/00-new-first.ipynb. Your own file is as you left it."
    wanted = {FIRST: "my answer", "00-new-first.ipynb": f"version 2 of {FIRST}", SECOND: f"version 2 of {SECOND}"}
    assert texts(course) == wanted
    assert copy_lessons(course) == [] and texts(course) == wanted


def test_a_copy_that_is_the_new_version_already_stays_alone(course):
    copy_lessons(course)
    for folder in ("notebooks", "my-lessons"):
        (course / folder / FIRST).write_text("version 2")
    assert copy_lessons(course) == []
    assert texts(course).keys() == {FIRST, SECOND}


def test_each_further_version_has_a_name_of_its_own(course):
    copy_lessons(course)
    (course / "my-lessons" / FIRST).write_text("my answer")
    for number in (2, 3):
        (course / "notebooks" / FIRST).write_text(f"version {number}")
        copy_lessons(course)
    found = texts(course)
    assert [found[name] for name in (FIRST, "00-new-first.ipynb", "00-new-2-first.ipynb")] == [
        "my answer",
        "version 2",
        "version 3",
    ]


@pytest.mark.parametrize("record", ["", "{", "[1]", "[" * 100_000, None])
def test_without_its_record_a_copy_is_taken_for_the_learners(course, record):
    copy_lessons(course)
    (course / "my-lessons" / FIRST).write_text("my answer")
    path = course / "my-lessons" / ".copied.json"
    path.unlink() if record is None else path.write_text(record)
    (course / "notebooks" / FIRST).write_text("version 2")
    assert copy_lessons(course) == []
    assert texts(course)[FIRST] == "my answer"
    (course / "notebooks" / FIRST).write_text("version 3")
    assert len(copy_lessons(course)) == 1
    assert texts(course)[FIRST] == "my answer"


@pytest.mark.parametrize("number", ["00", "0", " 00 ", "00-first", "my-lessons/00-first.ipynb"])
def test_again_makes_a_lesson_new_and_keeps_each_answer_under_a_name_of_its_own(course, number):
    copy_lessons(course)
    for answer in ("one", "two"):
        (course / "my-lessons" / FIRST).write_text(answer)
        kept, again = reset_lesson(number, course)
        assert kept.startswith("What you saved is kept in my-lessons/00-old-")
        assert again.startswith(f"my-lessons/{FIRST} is as new.")
    found = texts(course)
    assert found[FIRST] == f"version 1 of {FIRST}"
    assert (found["00-old-first.ipynb"], found["00-old-2-first.ipynb"]) == ("one", "two")
    assert found[SECOND] == f"version 1 of {SECOND}"


def test_again_keeps_no_copy_of_what_is_as_it_was_made(course):
    copy_lessons(course)
    assert len(reset_lesson("0", course)) == 1
    (course / "notebooks" / FIRST).write_text("version 2")
    assert len(reset_lesson("0", course)) == 1
    assert texts(course) == {FIRST: "version 2", SECOND: f"version 1 of {SECOND}"}


def test_again_before_any_copy_makes_one(course):
    assert len(reset_lesson("1", course)) == 1
    assert texts(course) == {SECOND: f"version 1 of {SECOND}"}


@pytest.mark.parametrize("number", ["2", "", "x", "-1", "000", "../..", "0*", "²"])
def test_a_lesson_that_there_is_not_is_named_and_nothing_changes(course, number):
    copy_lessons(course)
    before = texts(course)
    with pytest.raises(NoSuchLesson) as raised:
        reset_lesson(number, course)
    assert str(raised.value) == f"there is no lesson {number!r}; wanted a number from 00 to 01, as in L=03"
    assert texts(course) == before


def test_a_package_without_its_repository_says_where_the_lessons_are(tmp_path):
    with pytest.raises(FileNotFoundError, match="in the course's repository, not in the package"):
        copy_lessons(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_left_and_named(course):
    (course / "my-lessons").write_text("mine")
    for make in (copy_lessons, lambda course: reset_lesson("0", course)):
        with pytest.raises(FileExistsError, match="my-lessons is a file; wanted a folder"):
            make(course)
    assert (course / "my-lessons").read_text() == "mine"


def test_a_copy_that_came_meanwhile_is_not_written_over(course, monkeypatch):
    copy_lessons(course)
    (course / "my-lessons" / FIRST).write_text("my answer")
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "my-lessons")
    copy_lessons(course)
    assert (course / "my-lessons" / FIRST).read_text() == "my answer"


def test_what_is_saved_while_a_copy_is_replaced_is_kept(course, monkeypatch):
    """JupyterLab saves between the look at a copy and its end."""
    copy_lessons(course)
    (course / "notebooks" / FIRST).write_text("version 2")
    replace = Path.replace

    def saved_before(path, target):
        if path.name == FIRST:
            path.write_text("saved meanwhile")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", saved_before)
    (told,) = copy_lessons(course)
    assert told == "What you saved meanwhile is kept in my-lessons/00-old-first.ipynb."
    assert texts(course)["00-old-first.ipynb"] == "saved meanwhile"
    assert texts(course)[FIRST] == "version 2"


def test_a_copy_is_whole_or_is_not_there(course, monkeypatch):
    """The disk is full, or the start is cut off, in the middle of the first lesson."""
    write = Path.write_bytes

    def cut_off(path, content):
        write(path, content[:3])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", cut_off)
        with pytest.raises(OSError, match="No space left"):
            copy_lessons(course)
    assert texts(course) == {}
    copy_lessons(course)
    assert texts(course) == {name: f"version 1 of {name}" for name in (FIRST, SECOND)}


def test_a_disk_without_links_takes_copies_too(course, monkeypatch):
    def without_links(part, copy):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", without_links)
    copy_lessons(course)
    assert texts(course) == {name: f"version 1 of {name}" for name in (FIRST, SECOND)}


def test_starts_at_once_make_each_copy_once_and_all_end_well(course):
    code = "import sys, pathlib; from convlab.copies import copy_lessons; copy_lessons(pathlib.Path(sys.argv[1]))"
    starts = [subprocess.Popen([sys.executable, "-c", code, course], cwd=ROOT) for _ in range(6)]
    assert [start.wait() for start in starts] == [0] * 6
    assert texts(course) == {name: f"version 1 of {name}" for name in (FIRST, SECOND)}
    assert [path.name for path in (course / "my-lessons").glob(".*")] == [".copied.json"]


def test_a_link_to_the_lessons_themselves_is_refused(course):
    (course / "my-lessons").symlink_to(course / "notebooks", target_is_directory=True)
    with pytest.raises(FileExistsError, match="a link to the lessons themselves"):
        reset_lesson("0", course)
    assert (course / "notebooks" / FIRST).read_text() == f"version 1 of {FIRST}"


def test_a_version_that_is_there_under_another_name_does_not_come_again(course):
    copy_lessons(course)
    (course / "my-lessons" / FIRST).write_text("my answer")
    for version in (2, 1, 2, 1, 2):
        (course / "notebooks" / FIRST).write_text(f"version {version}")
        copy_lessons(course)
    assert sorted(texts(course)) == [FIRST, "00-new-2-first.ipynb", "00-new-first.ipynb", SECOND]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["again", "77"], "convlab: there is no lesson '77'; wanted a number from 00 to 12, as in L=03."),
        (["again", ""], "convlab: there is no lesson ''; wanted a number from 00 to 12, as in L=03."),
    ],
)
def test_a_command_ends_in_one_sentence(arguments, message):
    with pytest.raises(SystemExit) as stopped:
        commands.main(arguments)
    assert stopped.value.code == message


@pytest.mark.parametrize("arguments", [[], ["open"], ["again"], ["copy", "--no-browser"], ["again", "03", "04"]])
def test_a_command_that_there_is_not_shows_those_that_there_are(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        commands.main(arguments)
    assert stopped.value.code == 2
    assert "python -m convlab" in capsys.readouterr().err


def test_lab_hands_the_first_copy_and_other_options_to_jupyterlab(course, monkeypatch):
    jupyterlab = pytest.importorskip("jupyterlab.labapp")
    given = []
    monkeypatch.setattr(jupyterlab.LabApp, "launch_instance", given.extend)
    monkeypatch.setattr(commands, "REPOSITORY", course)
    monkeypatch.setattr(commands, "copy_lessons", lambda: copy_lessons(course))
    monkeypatch.setattr(commands, "first_lesson", lambda: first_lesson(course))
    commands.main(["lab", "--no-browser", "--port=9999"])
    assert given[:2] == [f"--ServerApp.root_dir={course}", f"--LabApp.default_url=/lab/tree/my-lessons/{FIRST}"]
    assert given[-2:] == ["--no-browser", "--port=9999"]
    assert texts(course).keys() == {FIRST, SECOND}


def test_a_clone_stays_clean_while_a_learner_works(tmp_path):
    """The files of git as they are here, committed or not: copied, opened, run, answered, begun again."""

    def run(*command, cwd=tmp_path):
        return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout

    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    run("git", "init", "-q")
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "as it is")

    run(sys.executable, "-m", "convlab", "copy")
    copies = tmp_path / "my-lessons"
    lesson = nbformat.read(copies / "00-start-here.ipynb", as_version=4)
    NotebookClient(lesson, resources={"metadata": {"path": str(copies)}}).execute()
    lesson.metadata.language_info["version"] = "as JupyterLab adds it"
    nbformat.write(lesson, copies / "00-start-here.ipynb")
    (copies / ".ipynb_checkpoints").mkdir()
    (copies / "attempts.jsonl").write_text("{}")
    assert "kept in my-lessons/00-old-start-here.ipynb" in run(sys.executable, "-m", "convlab", "again", "00")
    assert run("git", "status", "--porcelain") == ""
    assert json.loads((copies / ".copied.json").read_text()).keys() == {
        path.name for path in tmp_path.glob("notebooks/*.ipynb")
    }
