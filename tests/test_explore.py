"""The explorers' scripts count what convlab counts, and a page without scripts keeps the picture and its alt text.

Here the scripts run in V8, on a document that is just enough for them; no browser is started.
"""

import json
import re
from functools import cache
from html.parser import HTMLParser
from random import Random

import pytest
from py_mini_racer import MiniRacer
from strategies import raises

from convlab import ConvSpec, mac_count, output_shape
from convlab.counting import separable_share
from convlab.explore import explore_saving, explore_window, explore_wiring, saving, window, wiring
from convlab.explore.page import COLORS, FOLDER, Explorer, script
from convlab.explore.saving import say_saving
from convlab.explore.window import say_window
from convlab.explore.wiring import say_wiring
from convlab.figures import WindowStep
from convlab.figures.canvas import INK, INPUT, KERNEL, OUTPUT, PADDING, PAPER, Picture, contrast
from convlab.figures.channels import kernel_pairs
from convlab.figures.window import window_taps

PLAIN = ConvSpec(3, 8, 3, padding=1)
EXPLORERS = {
    "window": lambda: explore_window(ConvSpec(6, 4, 3, 2, 1, groups=2), (2, 6, 7, 7), (1, 2)),
    "wiring": lambda: explore_wiring(ConvSpec(8, 6, (3, 2), groups=2)),
    "saving": lambda: explore_saving(64, 3, 2),
}
every_explorer = pytest.mark.parametrize("name", EXPLORERS)
CASES = 300
DOCUMENT = """
class Element {
  constructor(namespaceURI, tag) {
    Object.assign(this, { namespaceURI, tag, attributes: {}, children: [], dataset: {}, heard: {}, clientWidth: 500 });
  }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  appendChild(child) { this.children.push(child); return child; }
  replaceChildren(...children) { this.children = children; }
  addEventListener(type, listener) { this.heard[type] = listener; }
  getBoundingClientRect() { return { left: 0, top: 0, width: Number(this.attributes.width) }; }
  all(tag) { return this.children.flatMap((child) => [...(child.tag === tag ? [child] : []), ...child.all(tag)]); }
  get outline() {
    const inside = this.children.map((child) => child.outline);
    return JSON.stringify([this.tag, this.attributes, String(this.textContent ?? "")]) + inside;
  }
}
class ResizeObserver { observe() {} }
const html = "http://www.w3.org/1999/xhtml", page = new Element(html, "div");
const document = {
  createElement: (tag) => new Element(html, tag),
  createElementNS: (namespace, tag) => new Element(namespace, tag),
  querySelectorAll: () => [page],
};
const slide = (n, value) => { const input = page.all("input")[n]; input.value = value; input.heard.input(); };
const calls = [];
const press = (key, more = {}) => page.all("svg")[0].heard.keydown({
  key, ...more, preventDefault() { calls.push("prevented"); }, stopPropagation() { calls.push("stopped"); },
});
const said = () => page.all("p")[0].textContent;
"""


@cache
def explorer(name: str) -> Explorer:
    return EXPLORERS[name]()


@cache
def engine(name: str) -> MiniRacer:
    """Return an engine that has loaded a script; `live` is its default export."""
    racer = MiniRacer()
    racer.eval(script(name).replace("export default", "const live ="))
    return racer


def ask(name: str, function: str, state: dict):
    """Return what a script's function answers to a state."""
    return json.loads(engine(name).eval(f"JSON.stringify(live.{function}({json.dumps(state)}))"))


def opened(shown: Explorer) -> MiniRacer:
    """Return an engine in which the page of an explorer has run."""
    racer = MiniRacer()
    racer.eval(DOCUMENT)
    racer.eval(re.search("<script.*?>(.*)</script>", shown._repr_html_(), re.DOTALL)[1])
    return racer


def states(module, **more) -> list[dict]:
    """Return random settings of an explorer's sliders, and of what its sliders leave alone: name=(low, high)."""
    random, ranges = Random(1), {key: (low, high) for key, _, low, high in module.SLIDERS} | more
    return [{key: random.randint(*ends) for key, ends in ranges.items()} for _ in range(CASES)]


def said_or_wrong(say, make, *arguments):
    """Return (what convlab says, what `make` made), or (its error's message, None)."""
    try:
        made = make(*arguments)
        return say(made), made
    except ValueError as error:
        return str(error), None


class Tags(HTMLParser):
    """The tags of a page, in order, each as (name, attributes)."""

    def __init__(self, page: str):
        super().__init__()
        self.tags = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_window_script_counts_and_says_what_convlab_does():
    wrong = 0
    for state in states(window, channels=(1, 4), place=(0, 10_000)):
        size, channels = state["size"], 2 * state["channels"]
        shape = (1, channels, size, size)

        def step(state=state, channels=channels, shape=shape):
            keys = ("kernel", "stride", "padding", "dilation")
            spec = ConvSpec(channels, 6, *(state[key] for key in keys), groups=2)
            side = output_shape(spec, shape)[2]
            state["row"], state["column"] = divmod(state["place"] % side**2, side)
            return WindowStep(spec, shape, (state["row"], state["column"]))

        state |= {"row": 0, "column": 0, "groups": 2}
        text, made = said_or_wrong(say_window, step)
        assert ask("window", "tell", state) == text
        counted = ask("window", "count", state)
        if made is None:
            wrong += 1
            assert counted == {"problem": text}
        else:
            assert (counted["side"], counted["side"]) == output_shape(made.spec, shape)[2:]
            assert (counted["rows"], counted["columns"]) == window_taps(made)
            assert counted["products"] * 6 * counted["side"] ** 2 == mac_count(made.spec, shape)
    assert 30 < wrong < CASES - 30


def test_the_wiring_script_counts_and_says_what_convlab_does():
    wrong = 0
    for state in states(wiring, high=(1, 3), wide=(1, 3)) + [
        {"inputs": g * a, "outputs": g * b, "groups": g, "high": 1, "wide": 1}
        for g in range(1, 17)
        for a in range(1, 16 // g + 1)
        for b in range(1, 16 // g + 1)
    ]:
        arguments = state["inputs"], state["outputs"], (state["high"], state["wide"]), 1, 0, 1, state["groups"]
        text, spec = said_or_wrong(say_wiring, ConvSpec, *arguments)
        assert ask("wiring", "tell", state) == text
        if spec is None:
            wrong += 1
        else:
            counted = ask("wiring", "count", state)
            assert sorted(map(tuple, counted["pairs"])) == kernel_pairs(spec)
            assert counted["weights"] == mac_count(spec, (1, spec.in_channels, *spec.kernel_size))  # one position
    assert 30 < wrong < CASES - 30


def test_the_saving_script_counts_and_says_what_convlab_does():
    for state in [*states(saving), {"filters": 4, "kernel": 2, "multiplier": 2}]:  # 16 of 16 MACs
        filters, kernel, multiplier = state.values()
        assert ask("saving", "tell", state) == say_saving(**state)
        counted = ask("saving", "count", state)
        share = separable_share(ConvSpec(3, filters, kernel), (2, 3, kernel + 1, kernel), multiplier)
        assert share * counted["standard"] == counted["separable"] == counted["depthwise"] + counted["pointwise"]


@pytest.mark.parametrize(("setting", "saves"), [((4, 2, 2), False), ((5, 2, 2), True), ((1, 5, 1), False)])
def test_the_saving_text_says_where_nothing_is_saved(setting, saves):  # 16 of 16, 18 of 20 and 26 of 25 MACs
    assert repr(explore_saving(*setting)).endswith(" It saves nothing.") != saves


@every_explorer
def test_the_live_explorer_begins_with_the_alt_text(name):
    live = opened(explorer(name))
    assert live.eval("said()") == repr(explorer(name))
    assert live.eval("page.children.length") == 1 and "live" in live.eval("JSON.stringify(page.dataset)")


@every_explorer
def test_a_page_holds_the_picture_with_its_alt_text_and_then_the_script(name):
    tags = Tags(explorer(name)._repr_html_()).tags
    assert [tag for tag, _ in tags] == ["div", "img", "p", "script"]
    assert tags[1][1]["alt"] == repr(explorer(name)) and tags[1][1]["src"].startswith("data:image/png")
    assert tags[3][1] == {"type": "module"}


@every_explorer
def test_a_page_asks_for_nothing_from_outside(name):
    text = re.sub('src="data:.*?"', "", explorer(name)._repr_html_())
    assert set(re.findall(r"\w+://[^\"`]*|src=|@import|import[ (]|fetch|url\(|iframe", text)) == {
        "http://www.w3.org/2000/svg"
    }


def test_what_a_state_holds_ends_neither_the_script_nor_the_alt_text():
    hostile = {"</script><img src=x onerror=alert(1)>": "<!--<script>\u2028\"'`${1}"}
    shown = Explorer("saving", (), hostile, Picture(b"", ""), '"><script>alert(1)</script>')
    tags = Tags(shown._repr_html_()).tags
    assert [tag for tag, _ in tags] == ["div", "img", "p", "script"] and tags[1][1]["alt"] == repr(shown)
    data = re.search("const data = (.*);\n", shown._repr_html_())[1]
    assert "<" not in data and json.loads(MiniRacer().eval(f"JSON.stringify({data})"))["state"] == hostile


def test_two_explorers_have_different_marks_and_one_has_the_same_page_each_time():
    one, again, other = explore_wiring(PLAIN), explore_wiring(PLAIN), explore_wiring(ConvSpec(3, 7, 3))
    marks = [re.search('data-explorer="(.*?)"', shown._repr_html_())[1] for shown in (one, again, other)]
    assert one._repr_html_() == again._repr_html_() and marks[0] == marks[1] != marks[2]
    assert f'[data-explorer="{marks[0]}"]:not([data-live])' in one._repr_html_()


def test_every_slider_is_a_labelled_range_from_which_jupyterlab_takes_no_keys():
    live = opened(explorer("window"))
    inputs = json.loads(
        live.eval("JSON.stringify(page.all('label').map((l) => [l.textContent, l.all('input')[0].attributes]))")
    )
    assert [label for label, _ in inputs] == [slider.label for slider in window.SLIDERS]
    for slider, (_, attributes) in zip(window.SLIDERS, inputs):
        assert attributes["type"] == "range" and attributes["data-lm-suppress-shortcuts"] == "true"
        assert (attributes["min"], attributes["max"]) == (str(slider.low), str(slider.high))
    svg = json.loads(live.eval("JSON.stringify(page.all('svg')[0].attributes)"))
    assert svg["tabindex"] == "0" and svg["data-lm-suppress-shortcuts"] == "true" and svg["aria-label"]


def test_arrow_keys_move_the_window_and_stop_at_the_edge():
    live = opened(explorer("window"))  # the output is 4 × 4
    for key, place in [("ArrowRight", "1, 3"), ("ArrowRight", "1, 3"), ("ArrowUp", "0, 3"), ("ArrowUp", "0, 3")]:
        live.eval(f"press({key!r})")
        assert live.eval("said()").startswith(f"Output ({place}) of 4 × 4 ")
    assert live.eval("calls.join()") == ",".join(["prevented,stopped"] * 4)
    live.eval("press('Tab'); press('ArrowDown', { ctrlKey: true })")
    assert live.eval("calls.length") == 8 and "(0, 3)" in live.eval("said()")


def test_the_pointer_moves_the_window_to_a_cell_of_the_output_and_around_a_cell_of_the_input():
    live = opened(explore_window(ConvSpec(1, 1, 3), (1, 1, 5, 5)))
    rects = json.loads(live.eval("JSON.stringify(page.all('rect').map((r) => r.attributes))"))
    size, *corner = (float(rects[-1][key]) for key in ("width", "x", "y"))  # the current output cell: (0, 0)
    left, top = (min(float(rect[key]) for rect in rects) for key in ("x", "y"))  # of the input
    points = {"2, 1": (corner[0] + 1.5 * size, corner[1] + 2.5 * size), "1, 2": (left + 3.5 * size, top + 2.5 * size)}
    points |= {"0, 2": (left + 4.5 * size, top + 0.5 * size)}  # the window around the corner would stick out
    for place, (x, y) in points.items():
        live.eval(f"page.all('svg')[0].heard.pointermove({{ clientX: {x}, clientY: {y} }})")
        assert live.eval("said()").startswith(f"Output ({place}) of 3 × 3 ")


@pytest.mark.parametrize(
    ("name", "slider", "value", "problem"),
    [
        ("window", 1, 5, "the window spans 5 and the padded image has 4 "),
        ("wiring", 2, 3, "groups=3 does not divide in_channels=8; "),
    ],
)
def test_an_invalid_setting_shows_a_sentence_and_no_drawing_until_it_is_valid_again(name, slider, value, problem):
    shown = explorer(name) if name == "wiring" else explore_window(ConvSpec(1, 1, 3), (1, 1, 4, 4))
    live = opened(shown)
    drawing = live.eval("page.outline")
    live.eval(f"slide({slider}, {value})")
    assert live.eval("said()").startswith(problem)
    assert live.eval("page.all('rect').length + page.all('circle').length") == 0
    if name == "window":
        live.eval("press('ArrowDown'); page.all('svg')[0].heard.pointermove({ clientX: 9, clientY: 9 })")
    live.eval(f"slide({slider}, {shown.data['state'][shown.data['sliders'][slider].key]})")
    assert live.eval("page.outline") == drawing


@every_explorer
def test_no_setting_writes_a_number_that_is_none(name):
    live, sliders = opened(explorer(name)), explorer(name).data["sliders"]
    for random in map(Random, range(60)):
        for n, slider in enumerate(sliders):
            live.eval(f"slide({n}, {random.randint(slider.low, slider.high)})")
            assert not re.search("NaN|undefined|Infinity|null", live.eval("page.outline"))


def test_the_scripts_have_no_colors_of_their_own_and_text_has_contrast():
    for path in FOLDER.glob("*.js"):
        assert not re.search("#[0-9A-Fa-f]{3,6}", path.read_text(encoding="utf-8")), path.name
    assert min(contrast(INK, face) for face in (KERNEL, OUTPUT, PADDING, PAPER)) >= 4.5
    assert contrast(PAPER, INPUT) >= 4.5 and contrast(PAPER, COLORS["wire"]) >= 3 <= contrast(
        PAPER, COLORS["highlight"]
    )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: explore_window(3, (1, 3, 5, 5)), TypeError, "3 is a int; wanted a ConvSpec"),
        (lambda: explore_window(PLAIN, (1, 4, 5, 5)), ValueError, "has 4 channels; wanted in_channels=3"),
        (lambda: explore_window(PLAIN, (1, 3, 5, 6)), ValueError, "image side is (5, 6); wanted equal numbers"),
        (lambda: explore_window(ConvSpec(3, 8, (3, 2)), (1, 3, 5, 5)), ValueError, "kernel K is (3, 2); wanted equal"),
        (
            lambda: explore_window(ConvSpec(3, 8, 2, padding="same"), (1, 3, 5, 5)),
            ValueError,
            "padding p is (0, 1, 0, 1); wanted equal numbers",
        ),
        (
            lambda: explore_window(PLAIN, (1, 3, 13, 13)),
            ValueError,
            "image side = 13 is outside its slider; wanted 1 to",
        ),
        (
            lambda: explore_window(PLAIN, (1, 3, 5, 5), (0, 5)),
            ValueError,
            "position=(0, 5) has column 5; wanted 0 to 4",
        ),
        (lambda: explore_window(PLAIN, (1, 3, 5, 5), 3), TypeError, "position=3 is a int; wanted the (row, column)"),
        (lambda: explore_wiring([PLAIN]), TypeError, "is a list; wanted a ConvSpec"),
        (lambda: explore_wiring(ConvSpec(3, 17, 1)), ValueError, "output channels M = 17 is outside its slider"),
        (lambda: explore_saving(3.0), TypeError, "out_channels=3.0 is a float; wanted an integer"),
        (lambda: explore_saving(513), ValueError, "filters M = 513 is outside its slider; wanted 1 to 512"),
        (lambda: explore_saving(8, 0), ValueError, "kernel_size=0 is too small"),
    ],
)
def test_an_explorer_says_what_is_wrong_and_what_was_wanted(make, error, message):
    with raises(error, message):
        make()
