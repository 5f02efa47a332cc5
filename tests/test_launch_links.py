"""The site's buttons open lessons in the repository whose pages they stand on: a fork's buttons open the fork's."""

import json
from functools import cache
from pathlib import Path

import pytest
from py_mini_racer import MiniRacer

SCRIPT = Path(__file__).parents[1] / "docs/_static/launch.js"


@cache
def engine() -> MiniRacer:
    racer = MiniRacer()
    racer.eval(SCRIPT.read_text(encoding="utf-8"))
    return racer


def links(host: str, folder: str = "/", stated: str = "OWNER/convlab", lesson: str = "03-what-does-grouping-save"):
    """Return what the script makes for a site in a folder of a host: name → address."""
    site = {"host": host, "folder": folder, "stated": stated, "lesson": lesson}
    return dict(json.loads(engine().eval(f"JSON.stringify(launchLinks({json.dumps(site)}))")))


def repository(*site: str) -> str | None:
    """Return the repository that the links lead to, which is one."""
    prefix = "https://codespaces.new/"
    found = {address.removeprefix(prefix) for address in links(*site).values() if address.startswith(prefix)}
    return found.pop() if found else None


def test_a_lesson_has_three_links_in_the_forms_that_the_services_read():
    assert links("ada.github.io", "/convlab/") == {
        "Binder": "https://mybinder.org/v2/gh/ada/convlab/HEAD?urlpath=lab/tree/notebooks/03-what-does-grouping-save.ipynb",
        "Colab": "https://colab.research.google.com/github/ada/convlab/blob/main/notebooks/03-what-does-grouping-save.ipynb",
        "Codespaces": "https://codespaces.new/ada/convlab",
    }


@pytest.mark.parametrize(
    ("host", "folder", "wanted"),
    [
        ("ada.github.io", "/convlab/", "ada/convlab"),
        ("ADA.GitHub.io", "/My.Course_2/", "ADA/My.Course_2"),
        ("a-b-1.github.io", "/convlab/preview/7/", "a-b-1/convlab"),
        ("ada.github.io", "/", "ada/ada.github.io"),
        ("ada.github.io", "//convlab//", "ada/convlab"),
    ],
)
def test_a_site_on_github_names_its_repository(host, folder, wanted):
    assert repository(host, folder, "somebody/else") == wanted


@pytest.mark.parametrize(
    ("host", "folder"),
    [
        ("localhost", "/"),
        ("127.0.0.1", "/convlab/"),
        ("", "/home/ada/convlab/docs/_build/html/"),  # a file
        ("course.example.org", "/convlab/"),
        ("github.io", "/convlab/"),
        ("a.b.github.io", "/convlab/"),
        ("fancy-disco-1a2b3c.pages.github.io", "/"),
        ("ada.github.io.evil.example", "/convlab/"),
        ("evil.example/ada.github.io", "/convlab/"),
        ("-ada.github.io", "/convlab/"),
        ("ada--b.github.io", "/convlab/"),
        (f"{'a' * 40}.github.io", "/convlab/"),
        ("ada.github.io", "/../"),
        ("ada.github.io", "/con%2Fvlab/"),
        ("ada.github.io", '/"><script>alert(1)</script>/'),
        ("ada.github.io", "/convlab?x=1/"),
        ("ada.github.io", f"/{'r' * 101}/"),
    ],
)
def test_elsewhere_and_at_an_odd_address_the_links_follow_what_the_project_states(host, folder):
    assert repository(host, folder, "ada/course") == "ada/course"
    assert links(host, folder) == {}  # OWNER is a placeholder


@pytest.mark.parametrize(
    "stated", ["", "course", "ada/course/more", "https://github.com/ada/course", "ada/c?x", "a b/c"]
)
def test_a_stated_repository_that_is_none_gives_no_link(stated):
    assert links("localhost", "/", stated) == {}
