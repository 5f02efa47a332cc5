"""What every figure is made of: the course's colours, the shapes and words to draw with, and `show`.

`show` draws several items with one `draw_*` function of `convlab.figures` and returns one picture with its alt text.
All sizes on a sheet are in cells: a cell is 1 wide and 1 high, the origin is at the top left.

One colour per role (Okabe & Ito 2008), the same in every figure. No meaning rests on colour alone: padding is
hatched, groups have a letter and a dash, wrong cells a cross.
"""

from __future__ import annotations

from base64 import b64encode
from functools import wraps
from html import escape
from io import BytesIO
from math import ceil
from reprlib import repr as short_repr
from textwrap import fill

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from PIL import Image

from convlab.spec import exact_int
from convlab.wording import minus

INPUT, KERNEL, OUTPUT, PADDING, HIGHLIGHT = "#0072B2", "#E69F00", "#009E73", "#BBBBBB", "#D55E00"
INK, PAPER, BLACK = "#222222", "#FFFFFF", "#000000"
STYLE = {
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.color": "#888888",
}
PAGE_INCHES, DOTS_PER_INCH = 8.0, 100  # 800 px, the width of a notebook's output
SHARPNESS = 2  # pixels stored for each pixel of the page, for screens that have as many
UNIT_INCHES, TALL_INCHES, NARROW_INCHES = 0.42, 5.5, 2.3  # largest cell, tallest and narrowest panel
BESIDE_INCHES = 3.5  # a panel this wide has its two parts side by side, a narrower one below each other
MAX_CHANNELS, MAX_CELLS, MAX_LAYERS = 16, 20, 4  # more would be too small to read
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
DRAWINGS = []  # the draw functions, in the order of their definition


class Picture:
    """A finished figure: a PNG with its alt text. Jupyter shows the image on white paper, `print` the text."""

    def __init__(self, png: bytes, alt: str):
        self.png, self.alt = png, alt

    @property
    def width(self) -> int:
        """The width on the page, in CSS pixels; the PNG has twice as many."""
        return round(int.from_bytes(self.png[16:20]) / SHARPNESS)

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        source = b64encode(self.png).decode()
        style = f"max-width:calc(100% - 16px);height:auto;box-sizing:content-box;background:{PAPER};padding:8px"
        return (
            f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{source}" width="{self.width}" style="{style}">'
        )


def drawing(describe, most_in_a_row=len):
    """Enter a draw function with its describe twin; give it the course's style, and an Axes if it gets none.

    `most_in_a_row(items)` is how many panels of these items a row of the page has room for.
    """

    def link(draw):
        @wraps(draw)
        def styled(data, ax=None, **options) -> Axes:
            with style.context(["default", STYLE]):
                ax = Figure(figsize=(PAGE_INCHES, PAGE_INCHES / 2)).add_subplot() if ax is None else ax
                return draw(data, ax, **options)

        styled.describe, styled.most_in_a_row = describe, most_in_a_row
        DRAWINGS.append(styled)
        return styled

    return link


def show(draw, *items, columns: int | None = None, **options) -> Picture:
    """Return a picture with one panel an item, in reading order, at most 800 px wide.

    Args:
        draw: one of the `draw_*` functions of `convlab.figures`.
        items: what it draws, one for each panel.
        columns: panels in a row; if left out, or too many to read, as many as there is room for.
        options: passed on to `draw` and to its describe twin.

    Raises:
        TypeError: `draw` is none of the draw functions.
        ValueError: no item.
    """
    if not any(draw is known for known in DRAWINGS):
        names = ", ".join(known.__name__ for known in DRAWINGS)
        raise TypeError(f"{draw!r} is no draw function; wanted one of {names}")
    if not items:
        raise ValueError(f"nothing to draw; wanted at least one item, as in show({draw.__name__}, item)")
    columns = min(exact_int("columns", len(items) if columns is None else columns, 1), draw.most_in_a_row(items))
    with style.context(["default", STYLE]):
        figure = Figure(dpi=SHARPNESS * DOTS_PER_INCH, figsize=(PAGE_INCHES, PAGE_INCHES), layout="constrained")
        figure.get_layout_engine().set(h_pad=0.1)
        panels = figure.subplots(ceil(len(items) / columns), columns, squeeze=False).ravel()
        for ax, item in zip(panels, items):
            draw(item, ax, **options)
        for ax in panels[len(items) :]:
            ax.remove()
        _fit(figure, columns)
        png = BytesIO()
        figure.savefig(png, format="png", bbox_inches="tight", pad_inches=0.06, metadata={"Software": None})
    return Picture(_few_colors(png.getvalue()), " ".join(draw.describe(item, **options) for item in items))


def _few_colors(png: bytes) -> bytes:
    """Return a PNG in 256 colours, if that is smaller and the eye sees no difference; else as it is."""
    image = Image.open(BytesIO(png)).convert("RGB")
    few = image.quantize(256, dither=Image.Dither.NONE)
    difference = np.subtract(image, few.convert("RGB"), dtype=float)
    if np.sqrt((difference**2).mean()) > 1.5:  # of 255: a photograph in colour
        return png
    small = BytesIO()
    few.save(small, "png", optimize=True)
    return min(png, small.getvalue(), key=len)


def _fit(figure, columns):
    """Give all panels one scale, wrap their titles, and set the figure's size to what they need."""
    panel, axes = figure.get_figwidth() / columns, figure.axes
    rows = [axes[n : n + columns] for n in range(0, len(axes), columns)]
    if axes[0].get_box_aspect():  # a chart
        heights = [panel * max(ax.get_box_aspect() for ax in row) for row in rows]
    else:
        wide = max(np.ptp(ax.get_xlim()) for ax in axes)
        tall = [max(np.ptp(ax.get_ylim()) for ax in row) for row in rows]
        unit = min(UNIT_INCHES, TALL_INCHES / max(tall), (panel - 0.2) / wide)
        panel, heights = min(panel, max(unit * wide + 0.3, NARROW_INCHES)), [unit * units for units in tall]
        for row, units in zip(rows, tall):
            for ax in row:
                ax.set(xlim=(0, (panel - 0.2) / unit), ylim=(units, 0))
    room = panel if columns > 1 else figure.get_figwidth()  # a lone title may be wider than its drawing
    titles = [fill(ax.get_title(loc="left"), int(12 * (room - 0.15))) for ax in axes]  # 12 letters an inch
    for ax, title in zip(axes, titles):
        ax.set_title(title, loc="left")
    lines = 1 + max(title.count("\n") for title in titles)
    axes[0].get_gridspec().set_height_ratios(heights)
    figure.set_size_inches(panel * columns, sum(heights) + len(rows) * (0.2 * lines + 0.8))


def canvas(ax, width, height, title):
    """Turn `ax` into a sheet of width × height units, the origin at the top left."""
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", anchor="NW")
    ax.axis("off")
    ax.set_title(title, loc="left")


def panel_inches(ax) -> float:
    """Return the width that `ax` has on the page, with its margins."""
    place = ax.get_subplotspec()
    return ax.figure.get_figwidth() / (place.get_gridspec().ncols if place else 1)


def check_page_width(ax, what):
    """Raise a ValueError if a panel is too narrow for what is drawn in it."""
    if panel_inches(ax) < PAGE_INCHES:
        raise ValueError(f"{what} needs the width of the page; wanted one in a row, as with columns=1")


def tint(color, amount, toward=PAPER) -> str:
    """Return `color`, mixed with `toward`: 0 is the colour itself, 1 is `toward`."""
    return to_hex([(1 - amount) * a + amount * b for a, b in zip(to_rgb(color), to_rgb(toward))])


def contrast(one, two) -> float:
    """Return the contrast of two colours, from 1 (none) to 21 (black on white).

    Source: W3C, Web Content Accessibility Guidelines 2.2, "contrast ratio"; text needs 4.5.
    """
    lights = []
    for color in (one, two):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        lights.append(np.dot(linear, (0.2126, 0.7152, 0.0722)) + 0.05)
    return max(lights) / min(lights)


def write(ax, x, y, text, face=PAPER, **options):
    """Write in ink; on a face too dark for it in white or black, whichever contrasts more (4.58 at least)."""
    ink = INK if contrast(INK, face) >= 4.5 else max(PAPER, BLACK, key=lambda color: contrast(color, face))
    settings = {"ha": "center", "va": "center", "linespacing": 1.15, "color": ink}
    if text:
        ax.text(x, y, text, **{**settings, **options})


def cell(ax, x, y, face=PAPER, text="", **options):
    """Draw a unit square with its top left corner at (x, y), its text clear of hatches and arrows."""
    settings = {"facecolor": face, "edgecolor": INK, "linewidth": 0.8}
    ax.add_patch(Rectangle((x, y), 1, 1, **{**settings, **options}))
    write(ax, x + 0.5, y + 0.5, text, face, zorder=6, path_effects=[withStroke(linewidth=2, foreground=face)])


def number_cells(ax, x, y, rows, columns, names=()):
    """Number the rows and columns of a grid whose corner is at (x, y), and name the two axes."""
    for n, row in enumerate(rows):
        write(ax, x - 0.2, y + n + 0.5, minus(row), ha="right")
    for n, column in enumerate(columns):
        write(ax, x + n + 0.5, y - 0.45, minus(column))
    if names:
        write(ax, x - 1.4, y + len(rows) / 2, names[0], rotation=90)
        write(ax, x + len(columns) / 2, y + len(rows) + 0.2, names[1], va="top")


def node(ax, x, y, text, face):
    """Draw a disc around (x, y), a little smaller than a cell."""
    ax.add_patch(Circle((x, y), 0.4, facecolor=face, edgecolor=INK, linewidth=0.8, zorder=3))
    write(ax, x, y, text, face, zorder=4)


def arrow(ax, *points):
    """Draw an arrow through two or more (x, y), with its head at the last."""
    look = {"arrowstyle": "-|>", "mutation_scale": 13, "linewidth": 1.6, "color": INK, "zorder": 5}
    paper = [withStroke(linewidth=3.6, foreground=PAPER)]  # apart from the lines that it lies on
    ax.add_patch(FancyArrowPatch(path=Path(points), path_effects=paper, **look))


def entry(number, digits=3):
    """Write one number of an array: an integer as it is, another to a few digits."""
    return minus(f"{number:.{6 if float(number).is_integer() else digits}g}")


def given(value):
    """Quote a value of the wrong kind, in one line."""
    return f"{' '.join(short_repr(value).split())} is a {type(value).__name__}"


def check_pair(value, wanted, name=""):
    """Raise an error unless `value` is a tuple or list of two."""
    if not isinstance(value, tuple | list):
        raise TypeError(f"{name}{given(value)}; wanted {wanted}")
    if len(value) != 2:
        raise ValueError(f"{name}{value!r} has length {len(value)}; wanted {wanted}")


def check_limit(name, number, limit):
    """Raise a ValueError if there is more to draw than can be read."""
    if number > limit:
        raise ValueError(f"{name}={number} is too many to draw; wanted at most {limit}")
