"""The lessons in JupyterLab, as a learner has them: a copy that is not trusted yet, a keyboard, and time that passes.

JupyterLab is asked through the app that it exposes, and its notebook read from the model: a long notebook is not
wholly in the page. What a learner does is done by mouse and keyboard.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

if "CI" not in os.environ:  # there its absence is an error
    pytest.importorskip("playwright", reason="playwright, of the extra test, is not installed")
from playwright.sync_api import expect

NAMES = sorted(path.name for path in Path(__file__).parents[2].glob("notebooks/*.ipynb"))
FIRST = NAMES[1]  # the lesson that a learner works in here
BUSY = 900  # seconds: lessons 10 to 12 measure for half a minute, and a busy machine makes more of it

READY = """async () => {
    const app = window.jupyterapp;
    await app.restored;
    const { context, sessionContext } = app.shell.currentWidget;
    await context.ready;
    await sessionContext.ready;
    await sessionContext.session.kernel.info;
}"""
RUN_ALL = """async () => {
    const { commands, shell } = window.jupyterapp;
    await commands.execute('notebook:clear-all-cell-outputs');  // a stored count is no sign of a run
    await commands.execute('notebook:run-all-cells');
    return [...shell.currentWidget.content.model.cells].filter(({ type }) => type === 'code').flatMap((cell) => {
        const outputs = cell.outputs.toJSON();
        const wrong = outputs.filter((one) => one.output_type === 'error' || one.name === 'stderr');
        return cell.executionCount && !wrong.length ? [] : [{ code: cell.sharedModel.source, wrong }];
    });
}"""
PICTURES = """async () => {
    const found = [...document.querySelectorAll('.jp-OutputArea img')];
    await Promise.all(found.map((picture) => picture.decode()));
    return found.map((picture) => [picture.alt, picture.naturalWidth, picture.width]);
}"""


def ask(page, script, given=None, seconds=60):
    """Return what an async function returns in the page. Without a limit, playwright waits for ever."""
    limit = "new Promise((_, stop) => setTimeout(() => stop(new Error(`no answer in ${seconds} s`)), 1000 * seconds))"
    return page.evaluate(f"([given, seconds]) => Promise.race([({script})(given), {limit}])", [given, seconds])


def open_lesson(page, lab, name):
    """Open a new copy of a lesson and wait until its kernel answers."""
    shutil.copy(lab.clone / "notebooks" / name, lab.clone / "my-lessons")
    page.goto(f"{lab.url}/lab/tree/my-lessons/{name}?token={lab.token}&reset")
    wait_for_lesson(page, name)


def wait_for_lesson(page, name):
    page.wait_for_function("name => window.jupyterapp?.shell?.currentWidget?.context?.path.endsWith(name)", arg=name)
    ask(page, READY)


def shut_down_kernels(page, lab):
    """A kernel holds up to 800 MB."""
    for kernel in page.request.get(f"{lab.url}/api/kernels", headers=lab.headers).json():
        page.request.delete(f"{lab.url}/api/kernels/{kernel['id']}", headers=lab.headers)


@pytest.fixture(scope="module")
def context(browser):
    """One profile for all lessons: what it fetched once it need not fetch again."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as opened:
        opened.set_default_timeout(60_000)
        yield opened


@pytest.fixture(scope="module", params=NAMES, ids=[name[:2] for name in NAMES])
def lesson(request, context, lab):
    """A page with a lesson, which the tests below share; `page.heard` is what it should not have done."""
    page = context.new_page()
    page.heard = []
    page.on("pageerror", lambda error: page.heard.append(f"a script stopped: {error}"))
    page.on("request", lambda asked: asked.url.startswith((lab.url, "data:", "blob:")) or page.heard.append(asked.url))
    open_lesson(page, lab, request.param)
    yield page
    shut_down_kernels(page, lab)
    page.close()


def test_jupyterlab_says_that_a_new_copy_is_not_trusted(lesson):
    expect(lesson.get_by_title(re.compile("^Notebook not trusted: 0 of"))).to_be_visible()


def test_each_stored_picture_has_alt_text_and_is_sharp_at_twice_the_density(lesson):
    lesson.wait_for_function(
        "document.querySelectorAll('.jp-Notebook .jp-Cell').length"
        " === window.jupyterapp.shell.currentWidget.content.model.cells.length"
    )
    found = ask(lesson, PICTURES)
    assert found
    assert [alt for alt, *_ in found if len(alt) < 15] == []
    blurred = [(alt[:60], pixels, width) for alt, pixels, width in found if not 0 < 2 * width <= pixels + 1]
    assert blurred == []  # + 1: a width of 803.5 is written as 804


def test_every_cell_of_a_new_copy_runs_without_an_error_or_a_warning(lesson):
    assert ask(lesson, RUN_ALL, seconds=BUSY) == []


def test_nothing_asks_for_attention_and_nothing_leaves_the_machine(lesson):
    """Last of those that share a page: by now, whatever wants to pop up after a first start has done so."""
    assert lesson.locator(".jp-Dialog, .Toastify__toast").all_inner_texts() == []
    expect(lesson.get_by_title("No notifications")).to_be_visible()
    assert lesson.heard == []


@pytest.fixture
def page(context, lab):
    """A page of a test's own, with a new copy of a lesson."""
    opened = context.new_page()
    open_lesson(opened, lab, FIRST)
    yield opened
    shut_down_kernels(opened, lab)
    opened.close()


def cell(page, code):
    """Bring the cell that has this code into view and return it."""
    find = """async (code) => {
        const notebook = window.jupyterapp.shell.currentWidget.content;
        const place = [...notebook.model.cells].findIndex((cell) => cell.sharedModel.source.includes(code));
        await notebook.scrollToItem(place);
        return place;
    }"""
    return page.locator(f'.jp-Notebook [data-windowed-list-index="{ask(page, find, code)}"]')


def run(page, code):
    """Run a cell as a learner does, and return what it prints."""
    found = cell(page, code)
    found.locator(".cm-line").last.click()
    page.keyboard.press("Shift+Enter")
    return found.locator(".jp-OutputArea")


def run_setup_and_window(page):
    """Run the first cell and the explorer of the window, and return the explorer."""
    run(page, "import torch")
    return run(page, "explore_window(").locator(".convlab-explorer")


def answer(page, line):
    """Type a line in place of the one that returns, run the cell, and return the reply."""
    written = cell(page, "check.output_size(").locator(".cm-line", has_text="return")
    written.click()
    for key in "End", "Shift+Home":
        page.keyboard.press(key)
    page.keyboard.type(line)
    page.keyboard.press("Shift+Enter")
    return cell(page, "check.output_size(").locator(".jp-OutputArea")


def test_a_slider_moves_by_keyboard_and_its_number_and_sentence_change(page):
    explorer = run_setup_and_window(page)
    label = explorer.locator("label", has_text="padding")
    number, sentence = label.locator("b"), explorer.get_by_role("status")
    expect(number).to_have_text("0")
    expect(sentence).to_contain_text("Output (0, 0) of 5 × 5")
    label.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    expect(number).to_have_text("1")
    expect(sentence).to_contain_text("Output (0, 0) of 7 × 7")


def test_a_wrong_answer_is_told_why_a_hint_helps_and_the_right_one_is_there_when_the_lesson_opens_again(page, lab):
    right = "return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1"
    run(page, "import torch")
    told = answer(page, "return (size - kernel + 2 * padding) // (stride + 1)")
    expect(told).to_contain_text("the + 1 belongs outside")
    hint = cell(page, "check.output_size.hint()")
    hint.locator(".cm-line").click()
    for key in "End", "ArrowLeft", "1", "Shift+Enter":
        page.keyboard.press(key)
    expect(hint.locator(".jp-OutputArea")).to_contain_text("how long is the row with its zeros?")
    expect(answer(page, right)).to_contain_text("Right")

    page.keyboard.press("Control+s")
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.keyboard.press("Alt+w")
    expect(page.locator(".jp-NotebookPanel")).to_have_count(0)
    page.locator(".jp-DirListing-item", has_text=FIRST).dblclick()
    wait_for_lesson(page, FIRST)
    expect(cell(page, "check.output_size(").locator(".cm-content")).to_contain_text(right)
    expect(cell(page, "check.output_size(").locator(".jp-OutputArea")).to_contain_text("Right")

    saved = json.loads((lab.clone / "my-lessons" / FIRST).read_text("utf8"))
    assert any(right in "".join(one["source"]) for one in saved["cells"])
    assert right not in (lab.clone / "notebooks" / FIRST).read_text("utf8")


def test_at_twice_the_zoom_an_explorer_stays_within_its_cell(page):
    page.set_viewport_size({"width": 720, "height": 450})
    explorer = run_setup_and_window(page)
    expect(explorer).to_be_visible()
    room, inner, outer = explorer.evaluate(
        "it => [it.closest('.jp-OutputArea-output'), it, it.querySelector('svg')].map((el) => "
        "[el.getBoundingClientRect().left, el.getBoundingClientRect().right, el.scrollWidth - el.clientWidth])"
    )
    assert room[0] <= inner[0] < inner[1] <= room[1] <= 720
    assert inner[0] < outer[0] < outer[1] < inner[1]
    assert room[2] == inner[2] == 0


def test_after_a_restart_a_cell_names_what_to_run_and_it_helps(page):
    page.reload()
    wait_for_lesson(page, FIRST)
    ask(page, "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    reply = run(page, "check.kernels(None")
    expect(reply).to_contain_text("NameError")
    expect(reply).to_contain_text("check is not known yet. The cell that begins with 'import numpy as np' defines it.")
    expect(reply).to_contain_text(
        "Run → " + page.evaluate("window.jupyterapp.commands.label('notebook:run-all-above')")
    )
    cell(page, "check.kernels(None").locator(".cm-line").click()
    ask(page, "() => window.jupyterapp.commands.execute('notebook:run-all-above')")
    expect(run(page, "check.kernels(None")).to_contain_text("Put a letter in quotes")
