"""The repository's name: stated in pyproject.toml, and set by one command in every file that repeats it."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
spec = spec_from_file_location("publish", ROOT / "docs/publish.py")
publish = module_from_spec(spec)
spec.loader.exec_module(publish)

FILES = [path.relative_to(ROOT).as_posix() for path in publish.files()]
STATED = publish.stated()


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the files that state the name, and of the command."""
    for path in [*FILES, "docs/publish.py"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def texts(root):
    return {path: (root / path).read_bytes() for path in FILES}


def run(root, *arguments):
    command = [sys.executable, str(root / "docs/publish.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"}
    )


def check_the_name_is_that_of_this_run(stated):
    actual = os.environ["GITHUB_REPOSITORY"]
    assert actual.lower() == stated.lower(), (
        f"this runs in {actual}, and the buttons open {stated}: make publish REPO={actual}"
    )


# The name, here and now


@pytest.mark.skipif("GITHUB_REPOSITORY" not in os.environ, reason="does not run in a repository on GitHub")
def test_the_buttons_open_the_repository_that_runs_this_test():
    check_the_name_is_that_of_this_run(STATED)


def test_another_repository_than_the_stated_one_is_told_how_to_set_its_name(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", STATED.upper())
    check_the_name_is_that_of_this_run(STATED)
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/fork")
    with pytest.raises(AssertionError, match="make publish REPO=ada/fork"):
        check_the_name_is_that_of_this_run(STATED)


def test_only_the_files_that_the_command_sets_link_to_the_repository():
    from test_environment import project_files

    links = publish.links(STATED)
    assert sorted(path for path, text in project_files().items() if links.search(text)) == sorted(FILES)


def test_each_lesson_installs_the_package_from_the_repository_in_its_first_cell_of_code():
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        assert f'"git+https://github.com/{STATED}"' in first, path.name


# Setting it


def test_a_name_is_set_and_set_again_and_no_file_keeps_an_old_one(copy):
    old = STATED
    for new in ("ada/convlab", "ada/convlab-2", "Grace-H/lab.notes_1", STATED):
        publish.publish(new, copy)
        assert publish.stated(copy) == new
        for path, text in texts(copy).items():
            assert publish.links(new).search(text.decode()), f"{path} has no link to {new}"
            for kept in (old, old.replace("/", ".github.io/")):
                assert not re.search(rf"\b{re.escape(kept)}(?![\w-])", text.decode()), f"{path} keeps {kept}"
        old = new
    assert texts(copy) == texts(ROOT), "the way back does not end where it began"


def test_what_is_no_link_to_the_repository_stays_byte_by_byte(copy):
    publish.publish("ada/lab", copy)
    for path, text in texts(copy).items():
        before, after = (ROOT / path).read_bytes().splitlines(True), text.splitlines(True)
        assert len(before) == len(after), path
        for one, other in zip(before, after):
            assert publish.renamed(one.decode(), STATED, "ada/lab").encode() == other, path
    pages = [json.loads(texts(root)[path]) for root in (ROOT, copy) for path in FILES if path.endswith(".ipynb")]
    lessons = len(pages) // 2
    for page, changed in zip(pages[:lessons], pages[lessons:]):
        differ = [one for one, other in zip(page["cells"], changed["cells"]) if one != other]
        assert [cell["cell_type"] for cell in differ] == ["code"]


def test_every_kind_of_link_is_set():
    text = (
        "https://github.com/a/b https://github.com/a/b.git https://mybinder.org/v2/gh/a/b/HEAD?x "
        "https://colab.research.google.com/github/a/b/blob/main/x https://codespaces.new/a/b https://a.github.io/b/x."
    )
    assert publish.renamed(text, "a/b", "c/d") == (
        "https://github.com/c/d https://github.com/c/d.git https://mybinder.org/v2/gh/c/d/HEAD?x "
        "https://colab.research.google.com/github/c/d/blob/main/x https://codespaces.new/c/d https://c.github.io/d/x."
    )


def test_a_longer_name_and_another_host_are_other_names():
    text = "https://github.com/a/bc https://github.com/a/b-c https://github.com/a/b.c https://notgithub.com/a/b"
    assert publish.renamed(text, "a/b", "c/d") == text


def test_a_repository_named_as_its_owners_pages_has_its_site_at_the_top():
    text = "https://github.com/a/b https://a.github.io/b/notebooks/01.html"
    at_the_top = "https://github.com/c/C.github.io https://c.github.io/notebooks/01.html"
    assert publish.renamed(text, "a/b", "c/C.github.io") == at_the_top
    assert publish.renamed(at_the_top, "c/C.github.io", "a/b") == text


def test_the_command_says_what_changed_and_then_that_nothing_does(copy):
    done = run(copy, "ada/lab")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{STATED} is now ada/lab, in: {', '.join(FILES)}.\n"
    assert run(copy, "ada/lab").stdout == "ada/lab is stated already, in every file.\n"


HOSTILE = [
    *["", "ada", "/", "ada/", "/lab", "a/b/c", "../x", "x/..", "x/.", "ada/lab/", "ada lab/x", "ada/la b", " ada/lab"],
    *["ada/lab\n", 'ada/"lab"', "ada/'lab'", "ada\\lab", "ada/lab.git", "-ada/lab", "a.da/lab", "ada/läb", "ada/$(id)"],
    *["https://github.com/ada/lab", "a" * 40 + "/lab", "ada/" + "b" * 101],
]


def test_what_is_no_owner_and_name_is_refused_and_quoted_and_nothing_changes(copy):
    for name in HOSTILE:
        with pytest.raises(ValueError, match=re.escape(f"name is {name!r}; wanted owner/name")):
            publish.publish(name, copy)
    assert texts(copy) == texts(ROOT)


def test_the_command_refuses_in_one_line(copy):
    assert run(copy, "a/b/c").stderr == (
        "publish: the repository's name is 'a/b/c'; wanted owner/name, as in ada/convlab. Nothing was changed.\n"
    )
    for arguments in [(), ("ada/lab", "x")]:
        done = run(copy, *arguments)
        assert done.returncode == 1 and done.stderr.startswith(f"publish: got {len(arguments)} names, "), done.stderr
    assert texts(copy) == texts(ROOT)


def test_a_file_that_states_another_name_is_told_of_before_any_changes(copy):
    for path in FILES[1:]:
        right = (copy / path).read_bytes()
        (copy / path).write_bytes(publish.renamed(right.decode(), STATED, "eve/other").encode())
        with pytest.raises(ValueError, match=re.escape(f"{path} has no link to {STATED!r}")):
            publish.publish("ada/lab", copy)
        (copy / path).write_bytes(right)
    assert texts(copy) == texts(ROOT)


def test_a_repository_that_is_not_on_github_is_quoted(copy):
    path = copy / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    for url in (f"https://gitlab.com/{STATED}", STATED):
        path.write_text(text.replace(f"https://github.com/{STATED}", url), encoding="utf-8")
        with pytest.raises(ValueError, match=re.escape(f"{url!r}; wanted https://github.com/owner/name")):
            publish.publish("ada/lab", copy)


@pytest.mark.parametrize("written", [1, 7, 15])
def test_a_run_that_was_cut_off_is_finished_by_the_next(copy, monkeypatch, written):
    write, count = Path.write_bytes, iter(range(100))

    def cut_off(path, content):
        if next(count) == written:
            raise KeyboardInterrupt
        return write(path, content)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "write_bytes", cut_off)
        with pytest.raises(KeyboardInterrupt):
            publish.publish("ada/convlab", copy)
    publish.publish("ada/convlab", copy)
    assert publish.stated(copy) == "ada/convlab"
    assert not any(publish.links(STATED).search(text.decode()) for text in texts(copy).values())
