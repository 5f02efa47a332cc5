"""`show` puts panels into one image that is the same everywhere, with its alt text, and refuses what is no drawing."""

import html
import re
import subprocess
import sys
from io import BytesIO

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from strategies import raises

from convlab import ConvSpec
from convlab.figures import draw_cost_bars, draw_shuffle, draw_wiring, show
from convlab.figures.canvas import (
    BLACK,
    HIGHLIGHT,
    INK,
    INPUT,
    KERNEL,
    OUTPUT,
    PADDING,
    PAPER,
    _few_colors,
    contrast,
    tint,
    write,
)
from convlab.figures.channels import describe_wiring

COSTS = {"standard": 1_228_800, "separable": 53_952}
GROUPED = ConvSpec(8, 6, 3, groups=2)


def shown(draw, *items, **options):
    """Return the picture that `show` makes, and the figure that it was saved from, with everything in its place."""
    figures, save = [], Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, *a, **kw: (figures.append(self), save(self, *a, **kw)))
        picture = show(draw, *items, **options)
    FigureCanvasAgg(figures[0]).draw()
    return picture, figures[0]


def words(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def title(ax) -> str:
    return ax.get_title(loc="left").replace("\xa0", " ")


def box(text):
    """Return the box of a text alone, without the line from an annotation to its point."""
    return Text.get_window_extent(text)


def meet(one, two) -> bool:
    """Say whether two boxes have more than a pixel in common."""
    return min(one.x1, two.x1) - max(one.x0, two.x0) > 1 and min(one.y1, two.y1) - max(one.y0, two.y0) > 1


def size(picture):
    """Return the width and the height of a picture on the page, where it stands with half of its pixels."""
    return (np.frombuffer(picture.png[16:24], ">u4") / 2).tolist()


def test_show_writes_no_date_and_no_software_into_the_image():
    assert not re.findall(rb"tEXt|tIME|iTXt|Software|Matplotlib", show(draw_cost_bars, COSTS).png)


def test_show_gives_jupyter_one_image_with_escaped_alt_text():
    picture = show(draw_cost_bars, {'<b>"a" & b</b>': 2, "c": 1})
    code = r'<img alt="([^"<>]*)" src="data:image/png;base64,[A-Za-z0-9+/=]+" width="\d+" style="[^"]*">'
    assert html.unescape(re.fullmatch(code, picture._repr_html_())[1]) == repr(picture) == picture.alt
    assert '<b>"a" & b</b>' in repr(picture)
    assert not hasattr(picture, "_repr_png_")  # it would have no alt text


def test_a_picture_has_two_pixels_for_each_of_the_page_and_brings_its_own_paper():
    picture = show(draw_cost_bars, COSTS)
    code = picture._repr_html_()
    assert abs(picture.width - size(picture)[0]) < 1 and 780 < picture.width <= 820
    assert f'width="{picture.width}"' in code
    assert {"max-width:calc(100% - 16px)", "height:auto", f"background:{PAPER}"} <= {
        *re.search('style="(.*)"', code)[1].split(";")
    }


def test_a_picture_is_stored_in_256_colors_unless_that_can_be_seen():
    def png(pixels):
        with BytesIO() as file:
            Image.fromarray(pixels.astype(np.uint8)).save(file, "png")
            return file.getvalue()

    def decoded(data):
        return np.asarray(Image.open(BytesIO(data)).convert("RGB"), float)

    assert Image.open(BytesIO(show(draw_cost_bars, COSTS).png)).mode == "P"
    greys = np.random.default_rng(0).integers(0, 256, (64, 64, 1)) * [1, 1, 1]
    assert len(_few_colors(png(greys))) < len(png(greys)) / 2
    assert np.abs(decoded(_few_colors(png(greys))) - greys).mean() < 2
    noise = png(np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    assert _few_colors(noise) == noise


def test_show_depends_on_no_setting_and_changes_none():
    before = dict(matplotlib.rcParams)
    picture = show(draw_cost_bars, COSTS)
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "axes.titlelocation": "right"}):
        assert show(draw_cost_bars, COSTS).png == picture.png


def test_the_figures_load_neither_pyplot_nor_torch():
    code = "import sys; from convlab.figures import *; show(draw_shuffle, (4, 2)); "
    code += "print(*{'matplotlib.pyplot', 'torch'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_show_puts_the_panels_into_rows_and_leaves_the_rest_of_the_last_row_empty():
    for draw, item in ((draw_shuffle, (4, 2)), (draw_cost_bars, COSTS)):
        wide, tall = size(show(draw, item, item, item)), size(show(draw, item, item, item, columns=1))
        assert wide[0] / wide[1] > 3 * tall[0] / tall[1]
        _, figure = shown(draw, item, item, item, columns=2)
        assert len(figure.axes) == 3


def test_a_draw_function_uses_the_axes_it_is_given():
    for ax in (Figure().add_subplot(), Figure().add_axes((0, 0, 1, 1))):
        assert draw_wiring(GROUPED, ax) is ax
        assert ax.patches


@pytest.mark.parametrize("draw", [describe_wiring, "draw_wiring", np.zeros(2), pd.DataFrame(), draw_wiring.__wrapped__])
def test_show_refuses_what_is_no_draw_function(draw):
    with raises(TypeError, "is no draw function; wanted one of ", "draw_wiring, draw_shuffle"):
        show(draw, GROUPED)


def test_show_refuses_no_item_and_no_column():
    with raises(ValueError, "nothing to draw; wanted at least one item, as in show(draw_wiring, item)"):
        show(draw_wiring)
    with raises(ValueError, "columns=0 is too small"):
        show(draw_wiring, GROUPED, columns=0)


def test_contrast_is_that_of_the_web_guidelines():
    assert contrast(BLACK, PAPER) == contrast(PAPER, BLACK) == pytest.approx(21)
    assert contrast(INK, INK) == 1
    assert contrast("#767676", PAPER) == pytest.approx(4.54, abs=0.005)  # the lightest grey that passes
    assert contrast("red", PAPER) == pytest.approx(4.00, abs=0.005)


def test_write_has_a_contrast_of_at_least_4_5_on_every_face():
    ax = Figure().add_subplot()
    for face in (INPUT, KERNEL, OUTPUT, PADDING, HIGHLIGHT, *(tint(PAPER, n / 100, INK) for n in range(101))):
        write(ax, 0, 0, "7", face)
        assert contrast(ax.texts[-1].get_color(), face) >= 4.5, face
