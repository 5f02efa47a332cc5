"""The assignments, graded as an instructor does: fixtures written here, with their exact points and feedback."""

import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

pytest.importorskip("nbgrader", reason="nbgrader, of the extra grade, is not installed")
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "assignments"
NAMES = "a1", "a2", "a3"
IN_GATE = bool(os.environ.get("CI"))
needs_bubblewrap = pytest.mark.skipif(
    not (shutil.which("bwrap") or IN_GATE), reason="bubblewrap is not installed: no answer runs without it"
)
sys.path.insert(0, str(FOLDER))  # the folder is no package: nbgrader imports its files by name

import isolated  # noqa: E402
import variants  # noqa: E402
from marking import reach  # noqa: E402
from repair import grade_id, repaired  # noqa: E402

from convlab import ConvSpec  # noqa: E402
from convlab.exercises.lesson_03 import true_receptive_field  # noqa: E402

every_assignment = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("SALT", "a secret of the tests")


def notebook(kind, name):
    return nbformat.read(FOLDER / kind / name / f"{name}.ipynb", as_version=4)


def solutions(name):
    """Return grade_id → the answer in the source notebook."""
    cells = [cell for cell in notebook("source", name).cells if cell.cell_type == "code"]
    strip = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.MULTILINE)
    return {grade_id(c): strip.sub("", c.source) for c in cells if c.metadata.get("nbgrader", {}).get("solution")}


def own(name, student="ada", **changed):
    """Return the right numbers of a student as code, some of them changed."""
    key = isolated.load_key(name)
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


def graded(name, found, student="ada"):
    """Return the points in all, the points of each question, and the feedback as one text."""
    cells, _ = repaired(found, notebook("release", name))
    rows = isolated.grade_cells(cells, name, student)
    points = {key.split("-")[1]: value for key, (value, *_) in rows.items()}
    return sum(points.values()), points, "\n".join(text for _, text, _ in rows.values())


def test_the_release_is_what_its_source_makes(tmp_path):
    copy = tmp_path / "assignments"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("gradebook.db*", "submitted", "autograded", "feedback"))
    run = [sys.executable, str(copy / "grade.py"), "--release"]
    subprocess.run(run, check=True, capture_output=True, cwd=copy, env=os.environ | {"PATH": path_with_venv()})
    for name in NAMES:
        made = copy / "release" / name / f"{name}.ipynb"
        assert made.read_bytes() == (FOLDER / "release" / name / f"{name}.ipynb").read_bytes()


def path_with_venv():
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


@every_assignment
def test_a_release_holds_no_answer_and_fifteen_points_are_graded_by_program(name):
    text = (FOLDER / "release" / name / f"{name}.ipynb").read_text("utf8")
    assert "SOLUTION" not in text and "MARK SCHEME" not in text
    points = {
        c.id: c.metadata.nbgrader.points
        for c in notebook("release", name).cells
        if "points" in c.metadata.get("nbgrader", {})
    }
    assert sum(points.values()) == 20 and points[f"{name}-words"] == 5
    scheme = next(c.source for c in notebook("source", name).cells if c.id == f"{name}-words")
    assert all(f"{n} point" in scheme for n in (5, 3, 1))


@needs_bubblewrap
@every_assignment
def test_right_answers_earn_all_points_and_untouched_ones_none(name):
    total, _, text = graded(name, submission(name))
    assert total == 15, text
    total, _, text = graded(name, notebook("release", name))
    assert total == 0
    assert "Traceback" not in text


def credited(exercise):
    return [(why, makes) for why, makes in exercise.mistakes.items()]


@every_assignment
def test_no_mistake_with_a_credit_gives_the_right_value_and_each_is_told_by_its_own_reason(name):
    for question in isolated.load_key(name).questions("ada").values():
        exercises = (
            [question.exercise] if hasattr(question, "exercise") else getattr(question, "exercises", {}).values()
        )
        for exercise in exercises:
            for why, makes in credited(exercise):
                reply = exercise(makes if exercise.cases != ((),) else makes())
                assert (reply.outcome, reply.mistake) == ("wrong", why), reply
                assert 0 <= reply.mistake.credit < 1


@every_assignment
def test_fifty_students_have_numbers_of_their_own_and_no_mistake_gives_the_right_one(name):
    key = isolated.load_key(name)
    drawn = [key.OWN.drawn(f"student-{n}") for n in range(50)]
    assert len({str(one) for one in drawn}) > 40
    for one in drawn:
        for right, *wrong in key.OWN.values(one):
            assert right not in wrong
    assert key.OWN.drawn(" Student-7 ") == drawn[7]


def test_without_a_salt_the_public_default_is_used_with_a_warning(monkeypatch):
    monkeypatch.delenv("SALT")
    with pytest.warns(UserWarning, match="no SALT is set"):
        public = isolated.load_key("a1").OWN.drawn("ada")
    monkeypatch.setenv("SALT", variants.PUBLIC_SALT)
    assert isolated.load_key("a1").OWN.drawn("ada") == public
    with pytest.raises(ValueError, match="the student's id is ' '"):
        isolated.load_key("a1").OWN.drawn(" ")


BAD = {  # answer to question 1 of A1 → its points, and what the feedback says
    "def my_input_cells(i, n, k, s, p, d):\n    return i * s, i * s + d * (k - 1)": (2.5, "The padding is ignored"),
    "def my_input_cells(i, n, k, s, p, d):\n    a = i*s - p\n    t = [a + u*d for u in range(k) if 0 <= a + u*d < n]\n"
    "    return float(t[0]), float(t[-1])": (4, "it has floats"),
    "def my_input_cells(*a):\n    return size[0]": (0, "NameError"),
    "def my_input_cells(*a)\n    return 1": (0, "SyntaxError"),
    "def my_input_cells(*a):\n    while True: pass": (0, "did not finish within 2 seconds"),
    "while True: pass": (0, "did not finish within 2 seconds"),
    "import time\ntime.sleep(1)\ndef my_input_cells(*a):\n    raise SystemExit": (0, "SystemExit"),
    "import os\nos._exit(0)": (0, "ended the process"),
    "def my_input_cells(*a):\n    import os\n    os._exit(0)": (0, "ended the process"),
    "def my_input_cells(*a):\n    return [0] * 10**11": (0, "MemoryError"),
    "def my_input_cells(*a):\n    return 10**100000": (0, "Wanted"),
    "def my_input_cells(*a):\n    return float('nan'), 1": (0, "You get (nan, 1)"),
    "def my_input_cells(*a):\n    return True": (0, "Wanted"),
    "my_input_cells = 3": (0, "TypeError"),
    "del my_real_macs": (0, "there is no my_input_cells"),
}


@needs_bubblewrap
@pytest.mark.parametrize("code", BAD)
def test_a_wrong_or_broken_answer_costs_its_own_question_only(code):
    wanted, told = BAD[code]
    _, points, text = graded("a1", submission("a1", cells=code))
    assert points == {"cells": wanted, "real": 6, "own": 4}, text
    assert told in text


@needs_bubblewrap
def test_output_without_end_changes_nothing():
    noisy = solutions("a1")["a1-cells"].replace("    start", "    print('x' * 10**6)\n    start", 1)
    assert graded("a1", submission("a1", cells="for n in range(10**5): print('y' * 200)\n" + noisy))[0] == 15


@needs_bubblewrap
def test_numpy_is_there_and_its_numbers_count():
    code = solutions("a1")["a1-real"].replace("return depth", "import numpy as np\n    return np.int64(1) * depth")
    assert graded("a1", submission("a1", real=code))[0] == 15


STOLEN = str(Path(tempfile.gettempdir(), "stolen-by-an-answer"))
CHEAT = "\ndef my_input_cells(*a):\n    return 0, 0"
ATTACKS = {
    "calls convlab": "from convlab import mac_count\ndef my_input_cells(*a):\n    return mac_count(*a)",
    "imports convlab anew": "import sys\nsys.modules.pop('convlab')\nsys.meta_path.clear()\n"
    f"sys.path[:0] = [{str(ROOT)!r}]\nfrom convlab.cost import mac_count" + CHEAT,
    "an equal object": "class Yes(int):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
    "def my_input_cells(*a):\n    return Yes(1), Yes(1)",
    "forged answers": "import os\nfor fd in range(3, 20):\n    try:\n"
    "        os.write(fd, b'{\"value\": [0, 1]}\\n' * 9)\n"
    '        os.write(fd, b\'[\' * 100000 + b\'\\n{"cell": "x"}\\n{"cell": 99}\\n\')\n    except OSError: pass' + CHEAT,
    "reads the key": f"import glob\nfound = glob.glob({str(FOLDER / '**')!r}, recursive=True)\n"
    "if [f for f in found if f.endswith(('a1.py', '.ipynb', '.db'))]: raise SystemExit('SEEN')" + CHEAT,
    "writes files": f"for place in ({STOLEN!r}, {str(FOLDER / 'stolen')!r}):\n"
    "    try: open(place, 'w').write('x')\n    except OSError: pass" + CHEAT,
    "the gradebook": "import sqlite3\n"
    f"book = sqlite3.connect({str(FOLDER / 'gradebook.db')!r})\nbook.execute('create table x (y)')" + CHEAT,
    "network": "import socket\nsocket.create_connection(('127.0.0.1', 22), timeout=1)" + CHEAT,
    "child": "import subprocess\nsubprocess.Popen(['sleep', '98765'], start_new_session=True)" + CHEAT,
    "process flood": "import os\nfor n in range(2000):\n    try:\n"
    "        if not os.fork():\n            while True: pass\n"
    "    except OSError: break" + CHEAT,
    "another way to a child": "import ctypes\nctypes.CDLL(None).fork()" + CHEAT,
    "the machine's settings": "open('/proc/sys/kernel/core_pattern', 'r+')" + CHEAT,
    "the secret": "found = open('/proc/1/environ').read()\nif 'SALT' in found: raise SystemExit('SEEN')" + CHEAT,
    "the refusal": "import __main__, os\n__main__.STARTS = ()\nif os.fork() >= 0: raise SystemExit('SEEN')" + CHEAT,
    "deep nesting": "def my_input_cells(*a):\n    x = []\n    for n in range(10**5): x = [x]\n    return x",
    "patches the worker": "import json, sys\njson.dumps = lambda *a, **k: '{\"value\": [0, 5]}'\n"
    "sys.modules['__main__'].to_json = lambda v: [0, 5]" + CHEAT,
}


@needs_bubblewrap
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_earns_nothing_and_leaves_nothing(attack):
    _, points, text = graded("a1", submission("a1", cells=ATTACKS[attack]))
    assert points["cells"] == 0, text
    assert "SEEN" not in text
    assert not any(path.exists() for path in (Path(STOLEN), FOLDER / "stolen", FOLDER / "gradebook.db"))
    if shutil.which("pgrep"):
        assert not subprocess.run(["pgrep", "-f", "[s]leep 98765"], capture_output=True).stdout


def change(name, text):
    def edit(found):
        next(cell for cell in found.cells if grade_id(cell) == name).source = text

    return edit


def delete(name):
    def edit(found):
        found.cells = [cell for cell in found.cells if grade_id(cell) != name]

    return edit


def duplicate(name, *, first_is_blank):
    def edit(found):
        at = next(n for n, cell in enumerate(found.cells) if grade_id(cell) == name)
        blank = deepcopy(next(cell for cell in notebook("release", "a1").cells if grade_id(cell) == name))
        blank["id"] = "twin"
        found.cells.insert(at if first_is_blank else at + 1, blank)

    return edit


def rename(found):
    for cell in found.cells:
        if grade_id(cell) == "a1-cells":
            cell.metadata.nbgrader.grade_id = "mine"


def strip(found):
    for cell in found.cells:
        cell.metadata.pop("nbgrader", None)


def split(found):
    at = next(n for n, cell in enumerate(found.cells) if grade_id(cell) == "a1-cells")
    found.cells.insert(at, new_code_cell("def helper(i, s, p):\n    return i * s - p"))
    found.cells[at + 1].source = found.cells[at + 1].source.replace(
        "output * stride - padding", "helper(output, stride, padding)"
    )


DAMAGE = {
    "tampered": (change("a1-cells-points", "5"), 15, "was changed"),
    "deleted answer": (delete("a1-cells"), 10, "a1-cells was deleted"),
    "deleted points": (delete("a1-cells-points"), 15, "a1-cells-points was deleted"),
    "deleted text": (delete("a1-own-text"), 15, "a1-own-text was deleted"),
    "twice, the first blank": (duplicate("a1-cells", first_is_blank=True), 15, "the second counts"),
    "twice, the second blank": (duplicate("a1-cells", first_is_blank=False), 15, "the first counts"),
    "stripped": (strip, 15, "had lost the metadata"),
    "renamed": (rename, 15, "1 cell had lost the metadata"),
    "split": (split, 15, ""),
}


@needs_bubblewrap
@pytest.mark.parametrize(
    "line",
    [
        {"error": "a\0b", "text": {"x": 1}},
        {"error": 5},
        {"value": {"layer": None}},
        {"value": "\ud800"},
        {"cells": {}},
        {"cell_error": 3, "begins": "\ud800"},
    ],
    ids=str,
)
def test_a_forged_line_costs_its_own_question_only(line):
    write = f"os.write(3, (json.dumps({line!r}) + chr(10)).encode())"
    code = f"import os, json\ndef my_input_cells(*a):\n    {write}\n    return 0"
    _, points, text = graded("a1", submission("a1", cells=code))
    assert points == {"cells": 0, "real": 6, "own": 4}, text
    text.encode("utf8")  # a notebook can hold it


@needs_bubblewrap
def test_an_answer_that_cannot_be_compared_costs_its_own_question_only():
    _, points, text = graded("a3", submission("a3", values="my_share_a = 10**400\nmy_weights_b = '\\ud800'"))
    assert (points["values"], points["own"], points["design"]) == (0, 5, 4)
    text.encode("utf8")


@needs_bubblewrap
def test_a_line_for_ipython_costs_nothing():
    assert graded("a1", submission("a1", cells="%matplotlib inline\n" + solutions("a1")["a1-cells"]))[0] == 15


def test_the_reach_of_a_chain_is_the_length_of_its_gradient():
    pairs = ((7, 2), (3, 2), (4, 3), (3, 1))
    layers = [ConvSpec(1, 1, kernel, stride=stride) for kernel, stride in pairs]
    assert reach(layers) == true_receptive_field(pairs) == 47


@needs_bubblewrap
def test_forged_answers_do_not_cost_other_questions_and_are_named():
    found = submission("a1", cells=ATTACKS["forged answers"])
    cells, _ = repaired(found, notebook("release", "a1"))
    rows = isolated.grade_cells(cells, "a1", "ada")
    assert [points for points, *_ in rows.values()] == [0, 6, 4]
    assert all(forged for *_, forged in rows.values())


@needs_bubblewrap
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_notebook_is_repaired_and_keeps_its_points(damage):
    edit, wanted, told = DAMAGE[damage]
    found = submission("a1", edit)
    assert graded("a1", found)[0] == wanted
    assert told in "; ".join(repaired(found, notebook("release", "a1"))[1])


@needs_bubblewrap
def test_the_notebook_of_another_assignment_earns_nothing_and_is_named():
    found = submission("a2")
    assert graded("a1", found)[0] == 0
    assert "a1-cells was deleted" in "; ".join(repaired(found, notebook("release", "a1"))[1])


def test_without_bubblewrap_nothing_is_graded(monkeypatch):
    monkeypatch.setattr(isolated.shutil, "which", lambda name: None)
    with pytest.raises(isolated.NoProtection, match="is not installed, so nothing was graded"):
        isolated.check_protection()


def test_a_machine_that_refuses_bubblewrap_is_found_before_anything_is_graded(monkeypatch):
    monkeypatch.setattr(isolated, "sandbox", lambda: ["sh", "-c", "echo 'bwrap: not permitted' >&2; exit 1"])
    with pytest.raises(isolated.NoProtection, match="does not work here"):
        isolated.check_protection()


DESIGNS = {
    "my_layers = []": (0, "Wanted a list of ConvSpec"),
    "my_layers = [ConvSpec(8, 32, 1)]": (0, "Not kept: output"),
    "my_layers = [ConvSpec(8, 16, 3), ConvSpec(8, 32, 1)]": (0, "do not fit together"),
    "my_layers = [ConvSpec(8, 32, 1, stride=4, bias=False)]": (3, "an output sees 1 cells"),
    "my_layers = [ConvSpec(8, 32, 15, stride=4, padding=7)]": (2, "Kept: an output sees 15 cells"),
    "my_layers = [ConvSpec(8, 32, 3, stride=4, padding=7, dilation=7, groups=8)]": (0, "no path between all channels"),
    "my_layers = [ConvSpec(8, 32, 3, stride=4, padding=7, dilation=7)]": (1, "with dilation"),
    "my_layers = [ConvSpec(8, 10**9, 1), ConvSpec(10**9, 32, 1)]": (0, "more than 10,000 channels"),
    "my_layers = [ConvSpec(8, 8, (15, 1), stride=4, padding=(7, 0), groups=8), ConvSpec(8, 32, 1)]": (
        3,
        "sees 1 cells",
    ),
    "my_layers = [3]": (0, "Wanted a list of ConvSpec"),
    "my_layers = 'none'": (0, "Wanted a list of ConvSpec"),
}


@needs_bubblewrap
@pytest.mark.parametrize("code", DESIGNS)
def test_a_design_is_counted_outside_limit_by_limit(code):
    wanted, told = DESIGNS[code]
    _, points, text = graded("a3", submission("a3", design=code))
    assert points["design"] == wanted, text
    assert told in text


@needs_bubblewrap
def test_a_verdict_earns_its_third_and_is_told_why():
    words = 'my_verdict_a = "right"\nmy_verdict_b = "unstated"\nmy_verdict_c = 3'
    _, points, text = graded("a3", submission("a3", verdicts=words))
    assert points["verdicts"] == 1
    assert "No stride, padding or bias changes a number of weights." in text
    assert "you gave 3. Wanted one of right, wrong, unstated" in text


@needs_bubblewrap
def test_one_command_grades_a_class_and_points_for_words_survive_a_second_run(tmp_path):
    course = tmp_path / "assignments"
    shutil.copytree(
        FOLDER, course, ignore=shutil.ignore_patterns("gradebook.db*", "submitted", "autograded", "feedback")
    )

    def hand_in(student, found):
        place = course / "submitted" / student / "a1"
        place.mkdir(parents=True)
        (place / "a1.ipynb").write_text(found if isinstance(found, str) else nbformat.writes(found), "utf8")
        return place

    late = {"own": own("a1", "cleo"), "words": "Because n products take n - 1 additions."}
    hand_in("ada", submission("a1"))
    hand_in("bo", "no notebook")
    hand_in("dora", submission("a1", delete("a1-cells-points")))
    (hand_in("cleo", submission("a1", **late)) / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC")
    env = os.environ | {"PATH": path_with_venv()}
    due = [sys.executable, "-m", "nbgrader", "db", "assignment", "add", "a1", "--duedate", "2026-11-02 08:00:00 UTC"]

    def run(*command):
        return subprocess.run(command, cwd=course, env=env, capture_output=True, text=True, timeout=300)

    def rows():
        with (course / "points-a1.csv").open(encoding="utf8") as file:
            return {row["student"]: row for row in csv.DictReader(file)}

    grade = sys.executable, "grade.py", "a1"
    run(sys.executable, "grade.py", "--release")
    run(*due)
    first = run(*grade)
    assert first.returncode == 0, first.stderr
    assert "3 of 4 graded" in first.stdout
    assert "refused: bo" in first.stdout
    assert "late: cleo" in first.stdout
    assert rows()["ada"]["by program"] == "15.0"
    canvas = (course / "canvas-a1.csv").read_text("utf8").splitlines()
    title = notebook("release", "a1").cells[0].source.splitlines()[0].removeprefix("# ")
    assert canvas[:2] == [f"Student,ID,SIS User ID,SIS Login ID,Section,{title}", "ada,,,ada,,15.0"]
    assert (rows()["cleo"]["late penalty"], rows()["cleo"]["words to read"]) == ("3.0", "1")
    assert "repaired: dora: a1-cells-points was deleted" in first.stdout
    assert "That is yours" in (course / "feedback" / "cleo" / "a1" / "a1.html").read_text("utf8")
    give = (
        "from nbgrader.api import Gradebook\n"
        "with Gradebook('sqlite:///gradebook.db') as g:\n"
        "    grade = g.find_grade('a1-words', 'a1', 'a1', 'cleo')\n"
        "    grade.manual_score = 4\n    g.db.commit()\n"
    )
    assert run(sys.executable, "-c", give).returncode == 0
    assert run(*grade, "--extension", "cleo", "3").returncode == 0
    assert run(*grade).returncode == 0
    assert (rows()["cleo"]["in words"], rows()["cleo"]["words to read"]) == ("4.0", "0")
    assert "Your notebook was repaired" in (course / "feedback" / "dora" / "a1" / "a1.html").read_text("utf8")
    assert float(rows()["cleo"]["late penalty"]) == 0
    assert "grade a1 once" in run(*grade, "--extension", "nobody", "3").stderr
    (course / ".salt").write_text("another", "utf8")
    assert "SALT is not the one that the layers were made with" in run(*grade).stderr


def credit_table():
    """Return the table of the guide: what each known mistake earns, from the keys."""
    lines = ["| | mistake | earns |", "|---|---|---|"]
    for name in NAMES:
        for question in isolated.load_key(name).questions("ada").values():
            exercises = {question.name: question.exercise} if hasattr(question, "exercise") else {}
            for answer, exercise in (exercises or getattr(question, "exercises", {})).items():
                lines += [f"| {name.upper()} `{answer}` | {why} | {why.credit:.0%} |" for why in exercise.mistakes]
    return "\n".join(lines)


def test_the_guide_has_the_credits_of_the_keys():
    text = (FOLDER / "README.md").read_text("utf8")
    assert text.split("<!-- credits -->\n")[1].split("\n<!-- /credits -->")[0] == credit_table()
