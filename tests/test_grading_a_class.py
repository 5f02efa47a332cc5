"""From a roster and a download to points for an LMS, as an instructor does it, with what goes wrong on the way."""

import csv
import json
import os
import re
import sys
import time
import zipfile
from types import SimpleNamespace

import nbformat
import pytest
from submissions import (
    FOLDER,
    NAMES,
    delete,
    fresh_course,
    needs_bubblewrap,
    notebook,
    own,
    path_with_tools,
    run,
    submission,
)

# isort: split
# submissions has put the folder of the assignments on the path
import alike
import collect
import grade
import isolated
import release
import roster
import summary
import tables
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import PyFileConfigLoader

CANVAS_ROSTER = """Student,ID,SIS User ID,SIS Login ID,Section,Assignment 1: count one layer (77)
,,,,,Manual Posting
    Points Possible,,,,,20
"Lovelace, Ada",12345,u1,ada,S1,
"Müller, Bö",222,u2,bo,S1,
李娜,333,u3,li,S1,
"Doe, Dan",555,u5,dan,S1,
"Eve, Eve",666,u6,eve,S1,
"Quiet, Quinn",888,u8,quinn,S1,
"""


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("SALT", "a secret of the tests")


@pytest.fixture
def course(monkeypatch, tmp_path):
    """An empty course, for the parts that only read and write tables."""
    for module in (roster, tables, collect, grade, alike, summary):
        monkeypatch.setattr(module, "HERE", tmp_path)
    return tmp_path


def table(path):
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


DOWNLOADED = {  # path → whose it is, and whether Canvas names it late
    "lovelaceada_12345_678_a1.ipynb": ("12345", False),
    "lovelaceada_LATE_12345_678_a1.ipynb": ("12345", True),
    "ada_12345_678_a1-1.ipynb": ("12345", False),
    "müllerbö_222_700_a1.ipynb": ("222", False),
    "李娜_333_701__homework.ipynb": ("333", False),
    "doe_jane_444_702_Assignment 1 final.IPYNB": ("444", False),
    "anon_xY3z9_703_a1.ipynb": ("anon_xY3z9", False),
    "LATE_anon_xY3z9_703_a1.ipynb": ("anon_xY3z9", True),
    "Ada Lovelace_123_assignsubmission_file_/a1.ipynb": ("123", False),
    "Ada Lovelace_123_assignsubmission_file/my work/a1.ipynb": ("123", False),
    "Group 1-Ada Lovelace_123_assignsubmission_file_a1.ipynb": ("123", False),
    "Participant_123_assignsubmission_file_/1_2_a1.ipynb": ("123", False),
}


@pytest.mark.parametrize("kind", ["loose", "zipped"])
@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_notebook_is_found_under_the_id_of_its_lms_whatever_its_name(tmp_path, name, kind):
    if kind == "zipped":
        with zipfile.ZipFile(tmp_path / "submissions.zip", "w") as archive:
            archive.writestr(name, "a notebook")
    else:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a notebook")
    student, is_late = DOWNLOADED[name]
    found = collect.sorted_out(tmp_path)
    assert {one: (file.content, file.is_late) for one, file in found.latest.items()} == {
        student: (b"a notebook", is_late)
    }
    assert not found.skipped


def test_the_latest_notebook_counts_and_the_others_are_named(course):
    place = course / "downloaded" / "a1"
    place.mkdir(parents=True)
    files = {"ada_1_9_a1.ipynb": "old", "ada_1_10_a1-1.ipynb": "new", "bo_2_11_a1.ipynb": "bo", "cy_3_12_x.pdf": "x"}
    for name in ("once.zip", "twice.zip"):
        with zipfile.ZipFile(place / name, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
    moodle = [place / f"Di_4_assignsubmission_file_/{name}.ipynb" for name in ("z", "a")]
    for hours, path in enumerate(moodle):
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.stem)
        os.utime(path, (10**9 + 3600 * hours,) * 2)
    (place / "essay.ipynb").write_text("of nobody")
    (place / "broken.zip").write_text("no ZIP")
    (place / "__MACOSX").mkdir()
    (place / "__MACOSX" / "._ada_1_9_a1.ipynb").write_text("a Mac's")
    kept = course / "submitted" / "1" / "a1" / "timestamp.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("2027-03-02 09:30:00 UTC")
    by_hand = course / "submitted" / "eve" / "a1" / "homework.ipynb"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_text("eve")
    found = collect.collect("a1")
    texts = {path.parent.parent.name: path.read_text() for path in course.glob("submitted/*/a1/a1.ipynb")}
    assert texts == {"1": "new", "2": "bo", "4": "a", "eve": "eve"}
    assert {one.path for one in found.older} == {f"{z}/ada_1_9_a1.ipynb" for z in ("once.zip", "twice.zip")} | {
        "Di_4_assignsubmission_file_/z.ipynb"
    }
    assert set(found.skipped) == {"once.zip/cy_3_12_x.pdf", "twice.zip/cy_3_12_x.pdf", "essay.ipynb", "broken.zip"}
    assert kept.read_text() == "2027-03-02 09:30:00 UTC"


def test_a_zip_of_a_student_is_not_opened_and_a_damaged_or_huge_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "MOST_MEGABYTES", 0.00001)
    (tmp_path / "ada_555_100_a1.ipynb").write_text("\ufeffhers", "utf8")
    for name in ("eve_6_101_work.zip", "Eve_7_assignsubmission_file_.zip", "lms.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("ada_555_999_a1.ipynb", "forged")
    (tmp_path / "lms.zip").write_bytes((tmp_path / "lms.zip").read_bytes().replace(b"PK\x01\x02", b"XXXX"))
    odd = f"eve_{'9' * 300}_1_a1.ipynb", f"eve_6_{'9' * 5000}_a1.ipynb", "anon_.._1_a1.ipynb", "eve_٣_1_a1.ipynb"
    with zipfile.ZipFile(tmp_path / "submissions.zip", "w") as archive:
        for name in odd:
            archive.writestr(name, "x")
        archive.writestr("./bo_2_101_a1.ipynb", "bo")
        archive.writestr("eve_8_101_a1.ipynb", "far too long")
    found = collect.sorted_out(tmp_path)
    assert {student: one.content for student, one in found.latest.items()} == {"555": b"hers", "2": b"bo"}
    assert {name[:9] for name in found.skipped} == {"eve_6_101", "Eve_7_ass", "lms.zip", "submissio"}
    assert len(found.skipped) == 8 and not found.older
    assert sum(name.endswith("(more than 1e-05 MB)") for name in found.skipped) == 1


def test_numbers_of_another_are_named_only_where_they_are_wrong_for_the_student(course):
    (course / "roster.txt").write_text("id\nada\nbo\n", "utf8")
    roster.write_layers("a1", course / "roster.txt")
    line = (course / "answers-a1.csv").read_text("utf8").splitlines()[1]
    with (course / "answers-a1.csv").open("a", encoding="utf8") as file:  # somebody who drew the same as ada
        file.write(line.replace("ada", "twin", 1) + "\n")
    wrote = {"ada": own("a1", "ada"), "bo": own("a1", "ada"), "cy": "my_params = 0x" + "f" * 5000}
    for student, text in wrote.items():
        place = course / "autograded" / student / "a1"
        place.mkdir(parents=True)
        nbformat.write(submission("a1", own=text), place / "a1.ipynb")
    assert alike.borrowed_numbers("a1", [*wrote]) == [("bo", "twin")]


def row_of(student, **known):
    return dict.fromkeys(tables.COLUMNS, "") | {"student": student} | known


def test_a_fault_of_one_part_costs_one_line_and_no_line_holds_what_a_terminal_obeys(course, monkeypatch):
    monkeypatch.setattr(summary, "equal_programs", lambda *_: 1 / 0)
    skipped = ["a\nrefused: 555: forged", "\x1b[31m\u202e\udcfc.pdf"]
    lines = summary.summary("a1", [row_of("ada")], {}, collect.Collected({}, [], skipped))
    assert lines == [
        "the answers could not be compared: ZeroDivisionError: division by zero",
        r"not collected: a\nrefused: 555: forged, \x1b[31m\u202e\udcfc.pdf",
    ]


def test_what_takes_too_long_is_refused_or_named_and_stops_no_other(course, monkeypatch, capsys):
    def autograde(assignment, student, **_):
        if student == "ada":
            try:
                time.sleep(20)
            except Exception:  # as nbgrader and the comparison have it
                time.sleep(20)
        return {"success": True, "log": ""}

    def generate_feedback(assignment, student, **_):
        return {"success": student != "bo", "log": "ValueError: no HTML" if student == "bo" else ""}

    def rows(assignment, refused):
        return [row_of(one, note=refused.get(one, "")) for one in ("ada", "bo", "cy")]

    api, notes = SimpleNamespace(autograde=autograde, generate_feedback=generate_feedback), []
    for student in ("ada", "bo", "cy"):
        hand_in(course, student, "a notebook")
    monkeypatch.setattr(grade, "know", lambda assignment: None)
    monkeypatch.setattr(grade, "GRADING_SECONDS", 1)
    monkeypatch.setattr(grade, "points", rows)
    monkeypatch.setattr(grade, "write_tables", lambda _, rows: notes.extend(row["note"] for row in rows))
    grade.grade(api, "a1")
    assert notes == ["It was not done in 1 seconds.", "", ""]
    lines = capsys.readouterr().out.splitlines()
    assert "no feedback: bo: ValueError: no HTML" in lines
    assert any("2 of 3 graded" in line for line in lines)


ROSTERS = {
    "id,section\nada,1\n 7 ,1\n": {"ada": "", "7": ""},
    "\ufeffid;name\nada;Ada, Countess\n": {"ada": "Ada, Countess"},
    "Identifier,Full name,Grade\nParticipant 123,Ada Lovelace,\n": {"123": "Ada Lovelace"},
    CANVAS_ROSTER: {
        "12345": "Lovelace, Ada",
        "222": "Müller, Bö",
        "333": "李娜",
        "555": "Doe, Dan",
        "666": "Eve, Eve",
        "888": "Quiet, Quinn",
    },
}
BAD_ROSTERS = {
    "name\nada\n": "wanted one called id, ID, Identifier",
    "": "wanted one called id",
    "id\nada\nada\n": "the id 'ada', which is empty or there twice",
    "id\nAda\nbo\nada\n": "the id 'Ada', which is empty or there twice",
    "id,name\n ,Ada\n": "the id '', which is empty or there twice",
}


@pytest.mark.parametrize("text", ROSTERS)
def test_a_roster_is_read_as_the_instructor_or_an_lms_writes_it(tmp_path, text):
    (tmp_path / "roster.csv").write_text(text, "utf8")
    assert roster.read_roster(tmp_path / "roster.csv") == ROSTERS[text]


@pytest.mark.parametrize("text", BAD_ROSTERS)
def test_a_roster_that_cannot_be_used_is_refused_and_nothing_is_written(course, text):
    (course / "roster.txt").write_text(text, "utf8")
    with pytest.raises(roster.WrongInput, match=BAD_ROSTERS[text]):
        roster.write_layers("a1", course / "roster.txt")
    (course / "roster.txt").write_bytes(b"id\n\xff\n")
    with pytest.raises(roster.WrongInput, match="cannot be read as a CSV in UTF-8"):
        roster.write_layers("a1", course / "roster.txt")
    assert [path.name for path in course.iterdir()] == ["roster.txt"]


def test_a_secret_replaces_the_default_until_layers_are_given_out(course, monkeypatch):
    (course / "roster.txt").write_text("id,name\nada,Ada L.\nbo,\n", "utf8")
    monkeypatch.delenv("SALT")
    with pytest.raises(roster.WrongInput, match="cannot be read"):
        roster.write_layers("a1", course / "nowhere.csv")
    roster.check_layers("a1")
    monkeypatch.setenv("SALT", "the secret")
    roster.write_layers("a1", course / "roster.txt")
    roster.write_layers("a1", course / "roster.txt")
    roster.check_layers("a1")
    monkeypatch.setenv("SALT", "another")
    for refused in (lambda: roster.check_layers("a1"), lambda: roster.write_layers("a2", course / "roster.txt")):
        with pytest.raises(roster.WrongInput, match=r"SALT or keys/a1.py .*begin anew .* delete that file"):
            refused()
    (course / "layers-a1.csv").write_text("id;student;yours;input\n", "utf8")  # as a spreadsheet saves it
    with pytest.raises(roster.WrongInput, match=r"layers-a1.csv is not as it was made"):
        roster.check_layers("a1")
    (course / "layers-a1.csv").unlink()
    roster.write_layers("a2", course / "roster.txt")
    monkeypatch.setenv("SALT", "a third")
    for student in (None, "ada", "somebody"):  # one secret is for all: to grade A1 with this one is refused too
        with pytest.raises(roster.WrongInput, match=r"SALT or keys/a2.py"):
            roster.check_all_layers(student)
    with pytest.raises(roster.WrongInput, match=r"SALT or keys/a2.py"):
        grade.grade(None, "a1")


@pytest.mark.parametrize("name", NAMES)
def test_the_students_layers_hold_no_answer_and_the_instructors_all_of_them(course, name):
    (course / "roster.txt").write_text("id,name\nada,Ada L.\n", "utf8")
    roster.write_layers(name, course / "roster.txt")
    (given,), (right,) = table(course / f"layers-{name}.csv"), table(course / f"answers-{name}.csv")
    drawn = isolated.load_key(name).OWN.drawn("ada")
    assert given == {"id": "ada", "student": "Ada L.", "yours": str(drawn[0]), "input": str(drawn[1])}
    for line in own(name).splitlines():
        number, _, value = line.partition(" = ")
        assert right[number] == value
    if name == "a1":
        assert int(right["2 × MACs − FLOPs"]) == 2 * int(right["my_macs"]) - int(right["my_flops"])


def test_the_layer_is_told_with_the_points_for_it():
    drawn = isolated.load_key("a2").OWN.drawn("ada")
    text = isolated.load_key("a2").OWN.question("ada").grade([{"value": 1}] * 4, ())[1]
    assert text.startswith(f"Yours: {drawn[0]}, with the input {drawn[1]}.")


def test_the_tables_have_an_empty_cell_for_whoever_has_no_points(course):
    nothing = dict.fromkeys(tables.COLUMNS, "")
    rows = [
        nothing | {"student": "12", "name": "Lovelace, Ada", "points": 19.5},
        nothing | {"student": "13", "note": tables.NOTHING},
        nothing | {"student": "ada", "points": 0.0},
    ]
    tables.write_tables("a1", rows)
    canvas = (course / "canvas-a1.csv").read_text("utf8").splitlines()
    assert canvas[1:] == ['"Lovelace, Ada",12,,,,19.5', "13,13,,,,", "ada,,,ada,,0.0"]
    moodle = (course / "moodle-a1.csv").read_text("utf8").splitlines()
    assert moodle == [
        "Identifier,Full name,Grade,Last modified (grade)",
        'Participant 12,"Lovelace, Ada",19.5,',
        "Participant 13,,,",
    ]


def test_the_release_is_what_its_source_makes(tmp_path):
    course = fresh_course(tmp_path)
    for path in course.glob("release/*/*"):
        path.unlink()
    assert run(course, "grade.py", "--release").returncode == 0
    for name in NAMES:
        made = course / "release" / name / f"{name}.ipynb"
        assert made.read_bytes() == (FOLDER / "release" / name / f"{name}.ipynb").read_bytes()


def test_a_release_that_cannot_be_made_stays_as_it_was(tmp_path):
    course = fresh_course(tmp_path)
    source = course / "source" / "a1" / "a1.ipynb"
    source.write_text(source.read_text("utf8").replace("### END SOLUTION", "### THE END"), "utf8")
    before = (course / "release" / "a1" / "a1.ipynb").read_bytes()
    made = run(course, "grade.py", "--release")
    assert made.returncode and "release/a1 could not be made" in made.stderr
    assert "no end solution statement found" in made.stderr
    assert (course / "release" / "a1" / "a1.ipynb").read_bytes() == before
    assert os.listdir(course / "release" / "a1") == ["a1.ipynb"]


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own, as it deletes
def test_a_gradebook_with_submissions_of_nothing_takes_the_release(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", path_with_tools())  # nbgrader calls alembic
    monkeypatch.setattr(release, "GRADEBOOK", f"sqlite:///{tmp_path / 'gradebook.db'}")
    with release.Gradebook(release.GRADEBOOK) as gradebook:  # as a due date and the formgrader's button leave it
        gradebook.add_assignment("a1", duedate="2027-03-01 18:00:00 UTC")
        gradebook.add_student("ada")
        gradebook.add_submission("a1", "ada")
    for _ in range(2):
        release.know("a1")
    with release.Gradebook(release.GRADEBOOK) as gradebook:
        assert gradebook.find_assignment("a1").max_score == 20
        assert gradebook.find_assignment("a1").duedate.year == 2027
        assert not gradebook.assignment_submissions("a1")
        gradebook.add_submission("a1", "ada")
    changed = notebook("release", "a1")
    changed.cells[3].metadata.nbgrader.grade_id = "renamed"
    nbformat.write(changed, tmp_path / "changed.ipynb")
    with pytest.raises(roster.WrongInput, match="release/a1 is as it was"):
        release.note_cells("a1", tmp_path / "changed.ipynb")


WRONG_COMMANDS = {
    ("",): "A= is no assignment; wanted A=a1, A=a2 or A=a3",
    ("a9", "--layers", "roster.csv"): "A=a9 is no assignment",
    ("a1", "--layers", ""): "ROSTER= is empty; wanted the path of a CSV",
    ("a1", "--layers", "nowhere.csv"): "ROSTER=nowhere.csv cannot be read",
    ("a1", "--extension", "ada", "three"): "--extension ada three: wanted a number of days, such as 3",
}


@pytest.mark.parametrize("command", WRONG_COMMANDS, ids=" ".join)
def test_a_wrong_command_gets_one_sentence(monkeypatch, command):
    monkeypatch.setattr(sys, "argv", ["grade.py", *command])
    with pytest.raises(SystemExit, match=WRONG_COMMANDS[command]):
        grade.main()


def hand_in(course, student, found):
    place = course / "submitted" / student / "a1"
    place.mkdir(parents=True)
    (place / "a1.ipynb").write_text(found if isinstance(found, str) else nbformat.writes(found), "utf8")
    return place


def zipped(course, files):
    place = course / "downloaded" / "a1"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "submissions.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_nothing_to_grade_is_an_error_and_writes_no_table(course):
    zipped(course, {"doedan_555_703_essay.pdf": "%PDF"})
    with pytest.raises(roster.WrongInput) as error:
        grade.grade(None, "a1")
    assert "no notebook to grade in assignments/downloaded/a1/ or assignments/submitted/STUDENT/a1/" in str(error.value)
    assert "Not collected: submissions.zip/doedan_555_703_essay.pdf" in str(error.value)
    assert [path.name for path in course.iterdir()] == ["downloaded"]


@needs_bubblewrap
def test_a_download_of_canvas_becomes_points_for_canvas(tmp_path):
    course = fresh_course(tmp_path)
    due = "-m", "nbgrader", "db", "assignment", "add", "a1", "--duedate", "2027-03-01 18:00:00 UTC"
    assert run(course, *due).returncode == 0  # before anything else, on a clone
    (course / "roster.txt").write_text(CANVAS_ROSTER, "utf8")
    assert run(course, "grade.py", "a1", "--layers", "roster.txt").returncode == 0
    spaced = submission("a1", own=own("a1", "333"))
    for cell in spaced.cells:
        cell.source = cell.source.replace("    inside = ", "    # those inside\n    inside  =  ")
    zipped(
        course,
        {
            "lovelaceada_12345_678_a1.ipynb": nbformat.writes(notebook("release", "a1")),
            "lovelaceada_12345_679_a1-1.ipynb": nbformat.writes(submission("a1", own=own("a1", "12345"))),
            "müllerbö_LATE_222_700_a1.ipynb": nbformat.writes(notebook("release", "a1")),
            "李娜_333_701__homework.ipynb": nbformat.writes(spaced),
            "doedan_555_703_essay.pdf": "%PDF",
            "eveeve_666_704_a1.ipynb": "no notebook",
            "foxfred_777_705_a1.ipynb": nbformat.writes(submission("a1", cells="", real="", own=own("a1", "333"))),
        },
    )
    found = run(course, "grade.py", "a1")
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    for line in (
        "equal answers: 12345 (Lovelace, Ada) and 333 (李娜)",
        "numbers of another's layer: 777 has those of 333 (李娜)",
        "not the latest of 12345 (Lovelace, Ada), left out: submissions.zip/lovelaceada_12345_678_a1.ipynb",
        "named LATE by Canvas, with no time, so nothing was taken off: 222 (Müller, Bö)",
        "not collected: submissions.zip/doedan_555_703_essay.pdf",
        "nothing handed in: 555 (Doe, Dan), 888 (Quiet, Quinn)",
        "handed in and not in the roster: 777",
    ):
        assert line in lines
    assert any(line.startswith("4 of 5 graded, feedback in feedback/") for line in lines)
    assert any(line.startswith("refused: 666 (Eve, Eve): ") for line in lines)
    title = notebook("release", "a1").cells[0].source.splitlines()[0].removeprefix("# ")
    points = {row["ID"]: row[title] for row in table(course / "canvas-a1.csv")}
    assert points == {"12345": "15.0", "222": "0.0", "333": "15.0", "555": "", "666": "", "777": "0.0", "888": ""}
    notes = {row["student"]: row["note"].partition(":")[0] for row in table(course / "points-a1.csv")}
    assert notes == dict.fromkeys(points, "") | {"555": tables.NOTHING, "666": "refused", "888": tables.NOTHING}
    assert "Directory not found" not in found.stdout + found.stderr
    assert list(course.glob("release/*")) and json.loads((course / "release" / "a1" / "a1.ipynb").read_text("utf8"))
    button = "from grade import course; print(course().autograde('a1', '333'))"  # as the formgrader's does
    other = run(course, "-c", button, SALT="another")
    assert "'success': False" in other.stdout and "SALT or keys/a1.py" in other.stdout


@needs_bubblewrap
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_points_for_words_survive_a_second_run_and_an_extension_takes_the_penalty_back(tmp_path, monkeypatch):
    course = fresh_course(tmp_path)
    monkeypatch.setenv("PATH", path_with_tools())
    monkeypatch.setattr(grade, "GRADEBOOK", f"sqlite:///{course / 'gradebook.db'}")
    words = {"own": own("a1", "cleo"), "words": "Because n products take n - 1 additions."}
    hand_in(course, "dora", submission("a1", delete("a1-cells-points")))
    (hand_in(course, "cleo", submission("a1", **words)) / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    with release.Gradebook(grade.GRADEBOOK) as gradebook:
        gradebook.add_assignment("a1", duedate="2026-11-02 08:00:00 UTC")
    with pytest.raises(roster.WrongInput, match="grade a1 once, and give the extension then"):
        grade.extend("a1", "cleo", "3")

    def rows():
        return {row["student"]: row for row in table(course / "points-a1.csv")}

    first = run(course, "grade.py", "a1")
    assert first.returncode == 0, first.stderr
    assert "late: cleo" in first.stdout.splitlines()
    assert "repaired: dora: a1-cells-points was deleted" in first.stdout
    assert (rows()["cleo"]["late penalty"], rows()["cleo"]["words to read"]) == ("3.0", "1")
    assert "That is yours" in (course / "feedback" / "cleo" / "a1" / "a1.html").read_text("utf8")
    with release.Gradebook(grade.GRADEBOOK) as gradebook:  # as the formgrader does
        gradebook.find_grade("a1-words", "a1", "a1", "cleo").manual_score = 4
        gradebook.find_grade("a1-real-points", "a1", "a1", "cleo").manual_score = 5
        gradebook.db.commit()
    grade.extend("a1", "cleo", "3")
    assert run(course, "grade.py", "a1").returncode == 0
    cleo = rows()["cleo"]
    got = {column: cleo[column] for column in tables.COLUMNS if column not in ("student", "name", "of", "note")}
    assert got == {
        "points": "18.0",
        "by program": "14.0",
        "in words": "4.0",
        "late penalty": "0",
        "words to read": "0",
        "changed by hand": "1",
    }
    assert "Your notebook was repaired" in (course / "feedback" / "dora" / "a1" / "a1.html").read_text("utf8")


RUNS = """<script>alert(1)</script><img src=x onerror="alert(2)"> <svg onload=alert(4)>
<div class="score" id="a1-words">a &lt; b</div> <iframe src="https://example.org/alert(5)"></iframe>

Words [l](javascript:alert(3)).

| a | **b** |
|---|---|
| 1 | 2 |"""


def page_of_formgrader(course, path):
    """Return the page that an instructor reads, made as the formgrader makes it."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    shown = {"index": 0, "total": 1, "base_url": "/", "notebook_id": "a1", "assignment_id": "a1", "student": "eve"}
    return HTMLExporter(config=config).from_filename(str(path), resources=shown)[0]


@needs_bubblewrap
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_nothing_of_a_learner_runs_in_a_browser_and_words_that_changed_are_named(tmp_path, monkeypatch):
    course = fresh_course(tmp_path)
    monkeypatch.setenv("PATH", path_with_tools())
    found = submission("a1", words=RUNS)
    script = "<script>alert(6)</script>"
    shown = nbformat.v4.new_output("display_data", {"text/html": script, "application/javascript": "alert(7)"})
    mine = nbformat.v4.new_code_cell("1 < 2", id="mine", outputs=[shown], metadata={"magics_language": script})
    found.cells.insert(1, mine)
    next(cell for cell in found.cells if cell.id == "a1-words").attachments = {"x.svg": {"image/svg+xml": script}}
    found.metadata |= {"title": f"</title>{script}", "language_info": {"name": "python", "pygments_lexer": script}}
    found.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"x": f"</script>{script}"}}}
    hand_in(course, "eve", found)
    hand_in(course, "long", submission("a1", words="x" * 60_000))
    first = run(course, "grade.py", "a1")
    assert first.returncode == 0, first.stderr
    wanted = "characters of text; wanted at most 500 and 50,000. Only what answers the questions should be in it."
    refused = next(line for line in first.stdout.splitlines() if line.startswith("refused: long: The notebook has 15 "))
    assert refused.endswith(wanted)
    path = course / "autograded" / "eve" / "a1" / "a1.ipynb"
    kept = nbformat.read(path, as_version=4)
    assert {*kept.metadata} <= {"kernelspec", "language_info", "convlab_repairs"}
    assert next(cell for cell in kept.cells if cell.source == "1 < 2").metadata == {}
    for text in ((course / "feedback" / "eve" / "a1" / "a1.html").read_text("utf8"), page_of_formgrader(course, path)):
        assert "&lt;script&gt;alert(1)" in text and "<strong>b</strong>" in text and "<table>" in text
        for number in range(1, 8):
            for tag in ("<script>", 'onerror="', "javascript:", "<svg onload="):
                assert f"{tag}alert({number})" not in text
        assert re.search(r'<img [^>]*src="x"', text) and "<iframe" not in text
        assert not re.search(r'<(?:img|svg|div)\b[^>]*(?:alert|onload|onerror|id="a1-words")', text)
    with release.Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:  # as the formgrader does
        gradebook.find_grade("a1-words", "a1", "a1", "eve").manual_score = 4
        gradebook.db.commit()
    named = "words changed after they were read: eve: read them again"
    assert named not in run(course, "grade.py", "a1").stdout.splitlines()
    nbformat.write(submission("a1", words="Something else."), course / "submitted" / "eve" / "a1" / "a1.ipynb")
    assert named in run(course, "grade.py", "a1").stdout.splitlines()
