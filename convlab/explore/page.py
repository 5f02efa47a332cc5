"""How an explorer gets into a page: a still picture, and the script that puts the live explorer in its place.

A script is an ES module in the shape that anywidget reads, `export default { render({ model, el }) }`. The page hands
it a small model of its own: `get`, `set`, `save_changes` and `on`. What the scripts share is in kit.js.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from convlab.figures.canvas import HIGHLIGHT, INK, INPUT, KERNEL, OUTPUT, PADDING, PAPER, Picture, tint

FOLDER = Path(__file__).parent
COLORS = {
    "input": INPUT,
    "inputTint": tint(INPUT, 0.75),
    "kernel": KERNEL,
    "output": OUTPUT,
    "outputTint": tint(OUTPUT, 0.55),
    "padding": PADDING,
    "highlight": HIGHLIGHT,
    "wire": tint(KERNEL, 0.35, INK),
    "ink": INK,
    "paper": PAPER,
}
HINT = "<p>This picture is a still. Run this cell, in Jupyter, to get sliders.</p>"
MOUNT = """
const data = %s;
for (const el of document.querySelectorAll('[data-explorer="%s"]:not([data-live])')) {
  const held = { ...data }, heard = [], stage = document.createElement("div");
  const set = (key, value) => { held[key] = value; heard.forEach((listener) => listener()); };
  const model = { get: (key) => held[key], set, save_changes() {}, on: (event, listener) => heard.push(listener) };
  live.render({ model, el: stage });
  el.dataset.live = "";
  el.replaceChildren(stage);
}
"""


class Slider(NamedTuple):
    """One number that the reader sets: its key in the state, its label, and its lowest and highest value."""

    key: str
    label: str
    low: int
    high: int


def check_range(sliders, state) -> None:
    """Raise a ValueError unless each number of the state is within its slider."""
    for key, label, low, high in sliders:
        if not low <= state[key] <= high:
            raise ValueError(f"{label} = {state[key]} is outside its slider; wanted {low} to {high}")


def percent_of(part: int, whole: int) -> str:
    """Write a share in percent, rounded to hundredths, a half upwards: exact, so the scripts write the same.

    >>> percent_of(281, 6400), percent_of(1, 1)
    ('4.39 %', '100 %')
    """
    return f"{(20_000 * part + whole) // (2 * whole) / 100:.10g} %"


def script(name: str) -> str:
    """Return an explorer's ES module as one text, with kit.js in the place of its import."""
    kit, module = ((FOLDER / f"{part}.js").read_text(encoding="utf-8") for part in ("kit", name))
    first, rest = module.split("\n", 1)
    assert first.startswith("import ") and first.endswith(' from "./kit.js";'), f"{name}.js begins with {first!r}"
    return kit + rest


class Explorer:
    """A picture that becomes interactive in a page that runs scripts: sliders, a drawing and a sentence.

    Args:
        name: the script, such as "window" for window.js.
        sliders: what the reader can set.
        state: the numbers to begin with, key → value; the sliders' and those that stay.
        picture: what a page without scripts shows.
        text: what the script says about this state; the alt text of the picture, and the repr.
    """

    def __init__(self, name: str, sliders: tuple[Slider, ...], state: dict, picture: Picture, text: str):
        self.name, self.data, self.picture = name, {"sliders": sliders, "state": state, "colors": COLORS}, picture
        picture.alt = text

    def __repr__(self) -> str:
        return self.picture.alt

    def _repr_html_(self) -> str:
        data = json.dumps(self.data).replace("<", "\\u003c")  # no "</script>" ends the script early
        mark = f"{self.name}-{sha256(data.encode()).hexdigest()[:12]}"  # equal explorers may start each other
        code = script(self.name).replace("export default", "const live =") + MOUNT % (data, mark)
        still = f'<div data-explorer="{mark}">{self.picture._repr_html_()}{HINT}</div>'
        return f'{still}\n<script type="module">\n{code}</script>'
