"""The form of the lessons: frame, headings, numbers, pictures, exercises. nbval runs their cells elsewhere."""

import ast
import importlib.metadata
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from convlab.exercises.reply import ANSWER

ROOT = Path(__file__).parent.parent
PATHS = sorted(ROOT.glob("notebooks/*.ipynb"))
LESSONS = {path.name: nbformat.read(path, as_version=4) for path in PATHS}
every_lesson = pytest.mark.parametrize("name", LESSONS)

FRAME = re.compile(
    r"# (?P<title>.+\?)\n\n"
    r"- \*\*You will be able to\*\* .+\n"
    r"- \*\*Before you start:\*\* .+\n"
    r"- \*\*Minutes:\*\* (?P<minutes>\d+)"
)
CLOSING = ["Summary", "References", "Next"]


def cells(name, kind, tag=None):
    found = [cell for cell in LESSONS[name].cells if cell.cell_type == kind]
    return [cell for cell in found if tag is None or tag in cell.metadata.get("tags", [])]


def frame(name):
    return FRAME.fullmatch(LESSONS[name].cells[0].source)


def headings(name, level):
    text = "\n".join(cell.source for cell in cells(name, "markdown"))
    return re.findall(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)


MEASURED = "nbval-ignore-output"  # the tag of a cell that prints a time or an accuracy of this run


def tags(cell):
    return cell.metadata.get("tags", [])


def outputs(name, measured=True):
    """Yield (mimetype, text) of every stored output; without `measured` only of those that nbval compares."""
    for cell in cells(name, "code"):
        if MEASURED in tags(cell) and not measured:
            continue
        for output in cell.outputs:
            if output.output_type == "stream":
                yield output.name, output.text
            yield from ((kind, text) for kind, text in output.get("data", {}).items() if kind != ANSWER)


def rows(text):
    """Return (number, title, minutes) of each row of a markdown table of lessons; links are read as their text."""
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)
    return re.findall(r"^\| (\d\d) \| (.+?) \| (\d+) \|$", plain, flags=re.MULTILINE)


def test_the_lessons_are_numbered_without_a_gap():
    assert [name[:3] for name in LESSONS] == [f"{n:02}-" for n in range(len(LESSONS))]
    assert len(LESSONS) >= 5


@every_lesson
def test_a_lesson_opens_with_a_question_goals_prerequisites_and_minutes(name):
    assert frame(name)
    assert 10 <= int(frame(name)["minutes"]) <= 90


@every_lesson
def test_a_lesson_closes_with_exercises_summary_references_and_the_next_step(name):
    assert headings(name, 1) == [frame(name)["title"]]
    assert headings(name, 2)[-3:] == CLOSING
    assert len(set(headings(name, 2))) == len(headings(name, 2))


@every_lesson
def test_a_lesson_asks_for_the_ones_before_and_for_a_sentence(name):
    recalls = [cell for cell in cells(name, "code", "predict") if f"check.recall_{name[:2]}(" in cell.source]
    assert len(recalls) == (name[:2] > "00")
    assert not recalls or headings(name, 2)[0] == "Do you remember?"
    sentence = [cell.source for cell in cells(name, "markdown") if "Explain it in a sentence" in cell.source]
    assert len(sentence) == 1 and "<details>" in sentence[0]


@every_lesson
def test_each_exercise_has_a_numbered_heading_a_stub_a_hint_and_a_folded_solution(name):
    count = len(cells(name, "code", "exercise"))
    assert count in (2, 3)
    numbered = [heading.split(":")[0] for heading in headings(name, 3) if heading.startswith("Exercise ")]
    assert numbered == [f"Exercise {n + 1}" for n in range(count)]
    assert sum(".hint()" in cell.source for cell in cells(name, "code")) >= count
    solutions = cells(name, "markdown", "solution")
    assert len(solutions) == count
    assert all(cell.source.startswith("<details>\n<summary>Solution</summary>\n\n```python\n") for cell in solutions)


def test_the_tables_of_lessons_equal_the_folder():
    wanted = [(name[:2], frame(name)["title"], frame(name)["minutes"]) for name in LESSONS]
    first = "\n".join(cell.source for cell in cells(next(iter(LESSONS)), "markdown"))
    assert rows(first) == wanted
    assert rows((ROOT / "README.md").read_text("utf8")) == wanted


@pytest.mark.parametrize("name", [name for name in LESSONS if name > "01"])
def test_each_lesson_links_to_the_card(name):
    assert "](00-start-here.ipynb#The-card:-letters)" in LESSONS[name].cells[0].source
    assert "## The card: letters" in "".join(cell.source for cell in next(iter(LESSONS.values())).cells)


@every_lesson
def test_every_link_to_a_file_leads_to_one(name):
    for cell in cells(name, "markdown"):
        for target in re.findall(r"\]\((?!https:)([^)#]+)", cell.source):
            assert (ROOT / "notebooks" / target).exists(), target


def test_each_lesson_leads_to_the_next():
    names = list(LESSONS)
    for name, following in pairwise(names):
        assert f"({following})" in LESSONS[name].cells[-1].source


@every_lesson
def test_a_lesson_is_stored_as_it_runs_from_top_to_bottom(name):
    assert LESSONS[name].metadata.kernelspec.name == "python3"
    assert [cell.execution_count for cell in cells(name, "code")] == list(range(1, len(cells(name, "code")) + 1))
    ids = [cell.id for cell in LESSONS[name].cells]
    assert len(set(ids)) == len(ids)
    assert not any(output.output_type == "error" for cell in cells(name, "code") for output in cell.outputs)
    assert "stderr" not in dict(outputs(name))
    assert all([o.output_type for o in cell.outputs].count("stream") <= 1 for cell in cells(name, "code"))


@every_lesson
def test_every_picture_has_a_sentence_as_alt_text(name):
    kinds = [mimetype for mimetype, _ in outputs(name)]
    assert not any(kind.startswith("image/") for kind in kinds)  # such a picture has no alt text where it is read
    pictures = [tag for kind, text in outputs(name) if kind == "text/html" for tag in re.findall("<img[^>]*>", text)]
    assert pictures
    for tag in pictures:
        assert re.search(r'alt="[^"]{15,}\."', tag), tag[:200]


@every_lesson
def test_cells_are_short(name):
    for cell in cells(name, "code"):
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= 12, cell.source
    for cell in cells(name, "markdown"):
        assert len(cell.source.split()) <= 160, cell.source


@every_lesson
def test_a_stored_table_needs_no_style_sheet_and_names_each_heading(name):
    """A notebook that is not trusted, as every one in a fresh clone, loses each style element."""
    pages = [text for kind, text in outputs(name) if kind == "text/html"]
    assert not any("<style" in page.split("<script")[0] for page in pages)
    assert not any(re.search(r"<th[^>]*>\s*(&nbsp;)?\s*</th>", page) for page in pages)


def numbers(text):
    """Return the integers of two digits and more, and the decimals, of a text, without separators."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return set(re.findall(r"(?<![\d.])(?:\d+\.\d+|\d{2,})(?![\d]*\.\d)", text))


# Said, not calculated: AlexNet's 96 filters, the 16 channels that D4 prints, a rounded share, 100 %.
SAID = {"01": {"96"}, "03": {"16"}, "04": {"4.39", "100"}}


@every_lesson
def test_every_number_in_the_prose_is_printed_by_a_cell_or_given_to_one(name):
    """A number of this run is not known when the prose is written, so it does not count as printed. A recorded one
    does: it is read from its file by a cell, and nbval compares what that prints."""
    texts = [text for _, text in outputs(name, measured=False)]
    shown = " ".join(re.sub(r'base64,[^"]*|(?:style|id|width|colspan|rowspan)="[^"]*"', "", text) for text in texts)
    code = " ".join(cell.source for cell in cells(name, "code"))
    prose = [c.source for c in cells(name, "markdown") if not c.source.startswith(("# ", "## References", "## Next"))]
    prose = [source for source in prose if not re.search(r"\| minutes \||<details>|### Exercise|\*\*a\*\* ", source)]
    text = re.sub(r"\]\([^)]*\)|[Ll]essons? \d\d|lesson 0\d–0\d|PyTorch \d\.\d+", "", " ".join(prose))
    assert numbers(text) - numbers(shown) - numbers(code) - SAID.get(name[:2], set()) == set()


@every_lesson
def test_only_what_is_measured_is_not_compared(name):
    found = {tag for cell in LESSONS[name].cells for tag in tags(cell)}
    assert found <= {"predict", "exercise", "solution"} | ({MEASURED, "live"} if name >= "09" else set())
    for cell in cells(name, "code"):
        assert "live" not in tags(cell) or MEASURED in tags(cell)
        assert MEASURED not in tags(cell) or not {"predict", "exercise"} & set(tags(cell))


def start_cell(name):
    return cells(name, "code")[0].source


@every_lesson
def test_a_lesson_starts_with_the_cell_that_looks_for_the_package(name):
    assert start_cell(name) == start_cell(next(iter(LESSONS)))
    assert cells(name, "code")[0].metadata.jupyter == {"source_hidden": True}


@pytest.fixture
def start(monkeypatch):
    """Return a function that runs the start cell where the package is missing, and returns what it gave to pip."""
    asked = []

    def start(shell, is_here=False):
        def version(distribution):
            assert distribution == "convlab-course"
            if not is_here:
                raise importlib.metadata.PackageNotFoundError(distribution)

        class Shell:
            run_line_magic = staticmethod(lambda magic, line: asked.append((magic, line)))
            __str__ = staticmethod(lambda: shell)

        monkeypatch.setattr(importlib.metadata, "version", version)
        exec(start_cell(next(iter(LESSONS))), {"get_ipython": Shell})
        return asked

    return start


def test_the_start_cell_says_what_to_do_if_the_package_is_missing(start):
    with pytest.raises(ModuleNotFoundError, match=r"The course's package is missing\. Stop Jupyter.* type: make lab"):
        start("<ipykernel.zmqshell.ZMQInteractiveShell object>")


def test_the_start_cell_installs_the_package_on_colab_only(start):
    assert start("<ipykernel.zmqshell.ZMQInteractiveShell object>", is_here=True) == []
    assert start("<google.colab._shell.Shell object>", is_here=True) == []
    ((magic, line),) = start("<google.colab._shell.Shell object>")
    assert magic == "pip"
    assert re.fullmatch(r"install -q thop git\+https://github\.com/[\w.-]+/[\w.-]+", line)


@every_lesson
def test_no_cell_needs_the_network(name):
    code = " ".join(cell.source for cell in cells(name, "code")[1:])
    assert not re.search(r"https?://|urllib|urlopen|requests|socket|download|pretrained|!pip|%pip|wget|curl", code)


@every_lesson
def test_an_untouched_exercise_says_not_yet_and_its_solution_is_right(name):
    """A solution needs the imports of its lesson and nothing else: nbval runs the other cells."""
    solutions = [re.search(r"```python\n(.*?)```", c.source, re.DOTALL)[1] for c in cells(name, "markdown", "solution")]
    names, outcomes = {}, []
    for cell in cells(name, "code"):
        tree = ast.parse(cell.source)
        if "exercise" in tags(cell):
            assert any("Not yet" in output["data"]["text/plain"] for output in cell.outputs)
            exec(solutions.pop(0), names)
            outcomes.append(eval(ast.unparse(tree.body[-1]), names).outcome)
        else:
            kept = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module(kept, []), name, "exec"), names)
    assert solutions == []
    assert set(outcomes) == {"right"}
