"""The built site in a browser: `make site` first. Every page, light and dark, from a phone's width to a wide screen.

What is asked of all pages is asked in one visit each; a failure names the page and all that is wrong with it.
"""

import json
import re
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urljoin, urlsplit

import axe_playwright_python
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs/_build/html"
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if "_static" not in path.parts)
LESSONS = [name for name in PAGES if name.startswith("notebooks/")]
every_page = pytest.mark.parametrize("name", PAGES)
every_lesson = pytest.mark.parametrize("name", LESSONS)

WIDTHS = 390, 768, 1440, 1920
MOST_BYTES = 2_500_000
MOST_CHARACTERS = 85  # in a line of prose; a line of 80 on the average
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

READY = "async () => { await document.fonts.ready; await window.MathJax?.startup?.promise }"
# Contrast is axe's slow rule: 20 seconds for a lesson. So it is asked of one text of each look, which is its colours
# and those behind it, its size and its weight. Words of code that look as others do become plain text.
PREPARE = """() => {
  const still = document.createElement("style");
  still.textContent = "* { animation: none !important; transition: none !important }";
  document.head.append(still);
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  for (const theme of ["dark", "light"]) {
    document.documentElement.dataset.theme = theme;
    const seen = new Set();
    for (const node of document.querySelectorAll("body *")) {
      if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) continue;
      if (!node.checkVisibility()) continue;
      const own = getComputedStyle(node), look = [own.color, own.fontSize, own.fontWeight];
      for (let behind = node; behind; behind = behind.parentElement) {
        const { backgroundColor, opacity, filter } = getComputedStyle(behind);
        look.push(backgroundColor, opacity, filter);
      }
      const key = [...new Set(look)].join();
      if (!seen.has(key)) node.setAttribute("data-look", "");
      seen.add(key);
    }
  }
  for (const word of document.querySelectorAll(".highlight span:not([data-look])")) {
    if (!word.querySelector("[data-look]")) word.replaceWith(word.textContent);
  }
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-look]" }] });
}"""
BROKEN = """async ([theme, options]) => {
  document.documentElement.dataset.theme = theme;
  const { violations } = await axe.run({ preload: false, resultTypes: ["violations"], ...options });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${theme}: ${id}: ${node.html.slice(0, 120)}`));
}"""


class Handler(SimpleHTTPRequestHandler):
    """Serves the site and notes which of its files were asked for."""

    asked: set[str] = set()  # noqa: RUF012  of the class: a handler serves one request

    def do_GET(self):
        self.asked.add(unquote(urlsplit(self.path).path).lstrip("/"))
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address():
    """Return where the site is served."""
    assert LESSONS, f"{SITE} has no lessons; run: make site"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=SITE))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(browser, address):
    """Return a function that opens a page; `page.heard` has what should not be: other hosts, failures, errors."""
    contexts = []

    def open_page(name: str, width: int = 1440, theme: str = "light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme))
        page = contexts[-1].new_page()
        page.heard = []
        page.on("request", lambda it: page.heard.append(it.url[:200]) if not ours(it.url, address) else None)
        page.on("requestfailed", lambda it: page.heard.append(f"failed: {it.url[:200]}"))
        page.on("console", lambda it: page.heard.append(it.text) if it.type in ("error", "warning") else None)
        page.on("pageerror", lambda it: page.heard.append(str(it)))
        Handler.asked.clear()
        page.goto(address + name)
        page.evaluate(READY)
        return page

    yield open_page
    for context in contexts:
        context.close()


def ours(url: str, address: str) -> bool:
    return url.startswith((address, "data:"))


def soup(name: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / name).read_text(encoding="utf-8"), "html.parser")


@cache
def places(name: str) -> set[str]:
    """Return the ids of a page."""
    return {tag["id"] for tag in soup(name).find_all(id=True)}


@every_page
def test_a_page_is_light_fits_each_width_and_breaks_no_rule_of_axe(name, visit):
    page, wrong = visit(name), []
    weight = sum((SITE / file).stat().st_size for file in tuple(Handler.asked) if (SITE / file).is_file())
    if weight > MOST_BYTES:
        wrong.append(f"{weight:,} bytes; at most {MOST_BYTES:,} are wanted")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{wide} pixels wide in a window of {width}")
    if raw := page.evaluate(r"document.body.innerText.match(/\\\(|\\\[|\\frac|\\text|\$\$/g)"):
        wrong.append(f"formulas that are not set: {raw}")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.evaluate(AXE)
    page.evaluate(PREPARE)
    wrong += page.evaluate(BROKEN, ["light", {}])
    wrong += page.evaluate(BROKEN, ["dark", {"runOnly": ["color-contrast"]}])
    assert not wrong + page.heard


@every_page
def test_every_link_inside_the_site_leads_to_a_page_and_a_place_on_it(name):
    missing = []
    for link in soup(name).find_all("a", href=True):
        target = urlsplit(urljoin(f"http://site/{name}", link["href"]))
        if target.netloc != "site":
            continue
        file = unquote(target.path).lstrip("/")
        if not (SITE / file).is_file():
            missing.append(link["href"])
        elif target.fragment and file.endswith(".html") and unquote(target.fragment) not in places(file):
            missing.append(link["href"])
    assert not missing


def test_the_dark_theme_is_as_narrow(visit):
    for name in (LESSONS[3], "index.html"):
        page = visit(name, 390, "dark")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_formulas_are_set_and_a_screen_reader_gets_them(visit):
    page = visit("notebooks/02-how-much-work-is-one-convolution.html")
    stored = (ROOT / "notebooks/02-how-much-work-is-one-convolution.ipynb").read_text(encoding="utf-8")
    assert page.locator("mjx-container").count() == page.locator("article .math").count() > stored.count("\\\\frac")
    assert page.locator("mjx-container mjx-merror").count() == 0
    assert page.locator("mjx-assistive-mml").count() == page.locator("mjx-container").count()
    assert page.locator("mjx-container[display=true]").first.bounding_box()["height"] > 20


def test_prose_has_about_eighty_characters_in_a_line_of_a_wide_screen(visit):
    page = visit("notebooks/03-what-does-grouping-save.html", 1920)
    longest = page.evaluate("""() => {
      const perLine = (text) => {
        const lines = text.getBoundingClientRect().height / parseFloat(getComputedStyle(text).lineHeight);
        return lines > 1.5 ? text.innerText.length / lines : 0;
      };
      return Math.max(...[...document.querySelectorAll("article section > p:not(:has(.math))")].map(perLine));
    }""")
    assert 50 < longest < MOST_CHARACTERS


@pytest.mark.parametrize("name", [name for name in PAGES if "data-explorer=" in (SITE / name).read_text("utf-8")])
def test_an_explorer_is_alive_and_a_key_changes_its_sentence(name, visit):
    page = visit(name, 390)
    for explorer in page.locator("[data-explorer][data-live]").all():
        slider, sentence = explorer.locator("input").first, explorer.locator("[role=status]")
        before = sentence.inner_text(), slider.input_value()
        slider.focus()
        page.keyboard.press("ArrowRight" if before[1] != slider.get_attribute("max") else "ArrowLeft")
        assert (sentence.inner_text(), slider.input_value()) != before
        assert sentence.inner_text() != before[0]
    assert page.locator("[data-explorer]").count() == page.locator("[data-live]").count() > 0


def test_the_first_page_has_an_explorer_and_each_lesson_with_its_minutes():
    page = soup("index.html")
    assert page.find(attrs={"data-explorer": True})
    rows = [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in page.find("article").table("tr")]
    numbers, _, minutes = zip(*filter(None, rows))
    assert list(numbers) == [Path(name).name[:2] for name in LESSONS] and all(map(str.isdecimal, minutes))


@every_lesson
def test_replies_hints_answers_and_solutions_are_folded(name):
    page = soup(name)
    for fold in page.find_all("details"):
        assert (
            not fold.has_attr("open") and fold.summary.get_text(strip=True) and not fold.summary.has_attr("aria-label")
        )
        fold.decompose()
    notebook = json.loads((ROOT / name.replace(".html", ".ipynb")).read_text(encoding="utf-8"))
    shown, asked, replies = iter(page.select("div.cell")), False, 0
    for cell in notebook["cells"]:
        tags, text = cell["metadata"].get("tags", []), json.dumps(cell.get("outputs", []))
        if cell["cell_type"] == "code":
            on_page = next(shown)
            if asked or {"predict", "exercise"} & set(tags) or '"Not yet' in text or '"Hints' in text:
                replies += 1
                assert not on_page.select(".output"), cell["source"]
        asked = "predict" in tags
    assert next(shown, None) is None and replies > 5
    assert not page.find(string=re.compile("Not yet|Replace None by|Put your answer"))


@every_lesson
def test_a_question_has_its_answer_in_the_fold_and_no_reply_of_a_cell_that_was_not_run(name):
    folds = [fold.get_text(" ", strip=True) for fold in soup(name).select("details")]
    asked = [fold for fold in folds if fold.startswith("Show the answer")]
    assert len(asked) >= 3 and not any("Not yet" in fold for fold in asked)
    assert any("It is " in fold or re.search(r"\b1\. [a-h]\. ", fold) for fold in asked)
    hints = [fold for fold in folds if fold.startswith("Show the hints")]
    assert len(hints) >= 2 and all("1. " in fold and "Write a number" not in fold for fold in hints)


@every_lesson
def test_a_lesson_has_a_note_with_its_notebook_to_download(name, visit):
    note = soup(name).find(class_="launch")
    assert "cannot run code" in note.get_text() and note["data-lesson"] == Path(name).stem
    assert [link["href"] for link in note.find_all("a")] == ["../start/index.html", f"{Path(name).stem}.ipynb"]
    source = name.replace(".html", ".ipynb")
    assert (SITE / source).read_bytes() == (ROOT / source).read_bytes()


def test_on_github_the_buttons_open_the_lesson_in_the_repository_of_the_site(browser, address):
    context = browser.new_context()
    host = "https://ada.github.io/my-fork/"
    context.route(
        "https://ada.github.io/**", lambda route: route.fulfill(path=SITE / urlsplit(route.request.url).path[9:])
    )
    page = context.new_page()
    for name in ("index.html", LESSONS[3]):
        page.goto(host + name)
        stem = "00-start-here" if name == "index.html" else Path(LESSONS[3]).stem
        shown = {link.inner_text(): link.get_attribute("href") for link in page.locator(".launch .buttons a").all()}
        assert list(shown)[:3] == ["Binder", "Colab", "Codespaces"] and len(shown) == 4
        assert shown["Binder"].startswith("https://mybinder.org/v2/gh/ada/my-fork/HEAD?")
        assert shown["Binder"].endswith(f"/notebooks/{stem}.ipynb") and shown["Colab"].endswith(
            f"/notebooks/{stem}.ipynb"
        )
    context.close()


def test_search_finds_a_word_of_a_lesson(visit):
    page = visit("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("shuffle")
    page.keyboard.press("Enter")
    page.locator("#search-results li a").first.wait_for()
    assert any("03-what-does" in link.get_attribute("href") for link in page.locator("#search-results li a").all())
    assert not page.heard


def test_the_reader_can_switch_to_dark_and_figures_do_not_glare(visit):
    page = visit(LESSONS[0])
    page.get_by_role("button", name="Color mode").click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    figure = page.locator(".cell_output img:visible").first
    assert figure.evaluate("(image) => getComputedStyle(image).filter") != "none"
    box = figure.evaluate("(image) => getComputedStyle(image.closest('.output')).backgroundColor")
    assert box in ("rgba(0, 0, 0, 0)", "transparent")


def test_figures_have_two_pixels_for_each_of_the_screen(visit):
    page = visit(LESSONS[7])
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
    density = page.evaluate("""[...document.querySelectorAll(".cell_output img")].map((image) =>
      image.naturalWidth / image.width)""")
    assert density and min(density) >= 2
