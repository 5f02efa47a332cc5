"""The assignments, graded as an instructor does: fixtures written here, with their exact points and feedback."""

import shutil
import subprocess
import tempfile
import time
from copy import deepcopy
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell
from submissions import FOLDER, NAMES, ROOT, delete, needs_bubblewrap, notebook, solutions, submission

# isort: split
# submissions has put the folder of the assignments on the path
import grade
import isolated
import variants
from marking import load_key, reach
from repair import grade_id, repaired

from convlab import ConvSpec
from convlab.exercises.lesson_03 import true_receptive_field

every_assignment = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("SALT", "a secret of the tests")


def graded(name, found, student="ada"):
    """Return the points in all, the points of each question, and the feedback as one text."""
    cells, _ = repaired(found, notebook("release", name))
    rows = isolated.grade_cells(cells, name, student)
    points = {key.split("-")[1]: value for key, (value, *_) in rows.items()}
    return sum(points.values()), points, "\n".join(text for _, text, _ in rows.values())


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
    for question in load_key(name).questions("ada").values():
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
    key = load_key(name)
    drawn = [key.OWN.drawn(f"student-{n}") for n in range(50)]
    assert len({str(one) for one in drawn}) > 40
    for one in drawn:
        for right, *wrong in key.OWN.values(one):
            assert right not in wrong
    assert key.OWN.drawn(" Student-7 ") == drawn[7]


def test_without_a_salt_the_public_default_is_used_with_a_warning(monkeypatch):
    monkeypatch.delenv("SALT")
    with pytest.warns(UserWarning, match="no SALT is set"):
        public = load_key("a1").OWN.drawn("ada")
    monkeypatch.setenv("SALT", variants.PUBLIC_SALT)
    assert load_key("a1").OWN.drawn("ada") == public
    with pytest.raises(ValueError, match="the student's id is ' '"):
        load_key("a1").OWN.drawn(" ")


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
def test_a_question_has_its_seconds_by_the_clock_and_no_process_outlives_them(monkeypatch):
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(isolated.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    monkeypatch.setattr(isolated, "WALL_SECONDS", 4)
    began = time.monotonic()
    answers, _ = isolated.ask_worker([*["import time\ntime.sleep(99)"] * 4, "a = 1"], [{"name": "a"}])
    assert time.monotonic() - began < 6 and answers[0]["error"] == "TimeLimit"
    with pytest.raises(grade.OverTimeError, match="not done in 1 seconds"), grade.at_most(1):
        isolated.ask_worker(["import time\ntime.sleep(99)"], [{"name": "a"}])
    assert all(process.poll() is not None for process in started)


@needs_bubblewrap
def test_what_is_written_into_memory_counts_as_files():
    code = "place, found = '', 0\ntry:\n    for place in range(200):\n"
    code += "        open(f'/dev/shm/{place}', 'wb').write(b'x' * 10**6)\n        found += 1\nexcept OSError: pass\n"
    code += "try: there = bool(open('/dev/mine', 'w'))\nexcept OSError: there = False"
    answers, _ = isolated.ask_worker([code], [{"name": "found"}, {"name": "there"}])
    assert answers[0]["value"] in range(50, 68) and answers[1] == {"value": False}


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


def without_ids(found):
    strip(found)
    for cell in found.cells:
        del cell["id"]
    found.nbformat_minor = 4


def halve(name, *parts):
    """Return a damage: a cell in parts, as JupyterLab's split leaves it. Only the last keeps the cell's own id."""

    def edit(found):
        at = next(n for n, cell in enumerate(found.cells) if grade_id(cell) == name)
        copies = [deepcopy(found.cells[at]) for _ in parts]
        for n, (cell, text) in enumerate(zip(copies, parts, strict=True)):
            cell.source, cell.id = text, cell.id if n == len(parts) - 1 else f"half-{n}"
        found.cells[at : at + 1] = copies

    return edit


def split_off(found):
    at = next(n for n, cell in enumerate(found.cells) if grade_id(cell) == "a1-cells")
    found.cells.insert(at, new_code_cell("def helper(i, s, p):\n    return i * s - p"))
    found.cells[at + 1].source = found.cells[at + 1].source.replace(
        "output * stride - padding", "helper(output, stride, padding)"
    )


RIGHT = solutions("a1")["a1-cells"]
WRONG = "def my_input_cells(*a):\n    return 0, 0"
HALVES = RIGHT[: RIGHT.index("    taps")].rstrip(), RIGHT[RIGHT.index("    taps") :]
DAMAGE = {
    "tampered": (change("a1-cells-points", "5"), 15, "was changed"),
    "deleted answer": (delete("a1-cells"), 10, "a1-cells was deleted"),
    "deleted points": (delete("a1-cells-points"), 15, "a1-cells-points was deleted"),
    "deleted text": (delete("a1-own-text"), 15, "a1-own-text was deleted"),
    "twice, the first blank": (duplicate("a1-cells", first_is_blank=True), 15, "the one with an answer counts"),
    "twice, the second blank": (duplicate("a1-cells", first_is_blank=False), 15, "the one with an answer counts"),
    "twice the same": (halve("a1-cells", RIGHT, RIGHT), 15, "a1-cells is there twice: one of them counts"),
    "stripped": (strip, 15, "had lost the metadata"),
    "without any id": (without_ids, 15, "all ids were lost; found by what is in the cells: a1-cells, a1-real, a1-own"),
    "renamed": (rename, 15, "1 cell had lost the metadata"),
    "split off": (split_off, 15, ""),
    "split in a function": (halve("a1-cells", *HALVES), 15, "a1-cells is there in parts: all of them count"),
    "split before a function": (halve("a1-cells", "import math", RIGHT), 15, "in parts: all of them count"),
    "split after an error": (halve("a1-cells", "my_input_cells(1)", RIGHT), 15, "in parts: all of them count"),
    "a draft that is no Python": (halve("a1-cells", "def my_input_cells(", RIGHT), 15, "in parts"),
    "the second corrects": (halve("a1-cells", WRONG, RIGHT), 15, "all of them count, in their order"),
    "the second spoils": (halve("a1-cells", RIGHT, WRONG), 10, "all of them count, in their order"),
    "split points": (halve("a1-cells-points", "# This cell", "shows"), 15, "a1-cells-points was changed"),
    "split title": (halve("a1-title", "# Assignment 1", "After lessons"), 15, "a1-title was changed"),
}


@pytest.mark.parametrize("damage", [halve("a1-words", "First.", "Second."), without_ids])
def test_words_are_found_in_a_damaged_notebook(damage):
    found = submission("a1", words="First.\nSecond.")
    damage(found)
    cells, _ = repaired(found, notebook("release", "a1"))
    assert next(cell.source for cell in cells if grade_id(cell) == "a1-words") == "First.\nSecond."


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
    assert repaired(found, notebook("release", "a1"))[1] == [
        "all ids were lost; found by what is in the cells: nothing"
    ]


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


def credit_table():
    """Return the table of the guide: what each known mistake earns, from the keys."""
    lines = ["| | mistake | earns |", "|---|---|---|"]
    for name in NAMES:
        for question in load_key(name).questions("ada").values():
            exercises = {question.name: question.exercise} if hasattr(question, "exercise") else {}
            for answer, exercise in (exercises or getattr(question, "exercises", {})).items():
                lines += [f"| {name.upper()} `{answer}` | {why} | {why.credit:.0%} |" for why in exercise.mistakes]
    return "\n".join(lines)


def test_the_guide_has_the_credits_of_the_keys():
    text = (FOLDER / "README.md").read_text("utf8")
    assert text.split("<!-- credits -->\n")[1].split("\n<!-- /credits -->")[0] == credit_table()
