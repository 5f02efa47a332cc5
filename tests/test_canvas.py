"""`show` puts panels into one image that is the same everywhere, with its alt text, and refuses what is no drawing."""

import html
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from strategies import raises

from convlab import ConvSpec, picture
from convlab.figures import MatrixPanel, describe_wiring, draw_cost_bars, draw_matrix, draw_shuffle, draw_wiring
from convlab.figures.canvas import INK, INPUT, KERNEL, PAPER, show

COSTS = {"standard": 1_228_800, "separable": 53_952}
GROUPED = ConvSpec(8, 6, 3, groups=2)
IMAGE = np.array([[-20, 3, 1], [0, 117, 42]])


def test_show_writes_no_date_and_no_software_into_the_image():
    png = show(draw_cost_bars, COSTS).png
    assert not re.findall(rb"tEXt|tIME|iTXt|Software|Matplotlib", png)


def test_show_gives_jupyter_one_image_with_escaped_alt_text():
    picture = show(draw_cost_bars, {'<b>"a" & b</b>': 2, "c": 1})
    shown = picture._repr_html_()
    assert re.fullmatch(
        r'<img alt="[^"<>]*" src="data:image/png;base64,[A-Za-z0-9+/=]+" style="max-width:100%">', shown
    )
    assert html.unescape(re.search('alt="(.*?)"', shown)[1]) == repr(picture) == picture.alt
    assert '<b>"a" & b</b>' in repr(picture)
    assert not hasattr(picture, "_repr_png_")


def test_show_depends_on_no_setting_and_changes_none():
    before = dict(matplotlib.rcParams)
    picture = show(draw_cost_bars, COSTS)
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "axes.titlelocation": "right"}):
        assert show(draw_cost_bars, COSTS).png == picture.png


def test_draw_loads_neither_pyplot_nor_torch():
    code = "import sys; from convlab.figures import *; show(draw_shuffle, (4, 2)); "
    code += "print(*{'matplotlib.pyplot', 'torch'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_show_puts_the_panels_into_rows():
    wide, tall = (
        np.frombuffer(show(draw_matrix, *[MatrixPanel("image", IMAGE)] * 3, columns=n).png[16:24], ">u4") for n in (3, 1)
    )
    assert wide[0] > 2 * tall[0]
    assert tall[1] > 2 * wide[1]


def test_a_draw_function_uses_the_axes_it_is_given():
    for ax in (Figure().add_subplot(), Figure().add_axes((0, 0, 1, 1))):
        assert draw_wiring(GROUPED, ax) is ax
        assert ax.patches


@pytest.mark.parametrize("draw, item", [(draw_shuffle, (4, 2)), (draw_cost_bars, COSTS)])
def test_show_leaves_the_rest_of_the_last_row_empty(draw, item, monkeypatch):
    figures, fit = [], picture._fit
    monkeypatch.setattr(picture, "_fit", lambda figure, columns: (figures.append(figure), fit(figure, columns)))
    for count in (3, 4, 5, 6):
        show(draw, *[item] * count, columns=3)
    assert [len(figure.axes) for figure in figures] == [3, 4, 5, 6]


def test_show_knows_the_draw_functions_in_the_order_of_their_definition():
    with raises(TypeError, "is no draw function; wanted one of draw_accuracy, draw_wiring, draw_shuffle, draw_volumes"):
        show(print, 1)


@pytest.mark.parametrize("draw", [describe_wiring, "draw_wiring", np.zeros(2), pd.DataFrame(), draw_wiring.__wrapped__])
def test_show_refuses_what_is_no_draw_function(draw):
    with raises(TypeError, "is no draw function"):
        show(draw, GROUPED)


@pytest.mark.parametrize(
    ("items", "columns", "message"),
    [
        ((), None, "nothing to draw; wanted at least one item, as in show(draw_wiring, item)"),
        ((GROUPED,), 0, "columns=0 is too small"),
    ],
)
def test_show_refuses_no_item_and_no_column(items, columns, message):
    with raises(ValueError, message):
        show(draw_wiring, *items, columns=columns)


def test_tint_goes_from_the_colour_to_the_other():
    assert [picture.tint(KERNEL, amount).upper() for amount in (0, 1)] == [KERNEL, PAPER]
    assert picture.tint("#204060", 0.25, toward="#608020") == "#305050"


def test_cell_covers_one_unit_and_writes_in_white_on_a_dark_face():
    ax = Figure().add_subplot()
    for face in (INPUT, KERNEL):
        picture.cell(ax, 3, 5, face, "7")
    assert ax.patches[0].get_bbox().bounds == (3, 5, 1, 1)
    assert [(text.get_position(), text.get_color()) for text in ax.texts] == [((3.5, 5.5), PAPER), ((3.5, 5.5), INK)]


def test_cell_makes_room_for_a_note_in_its_corner():
    ax = Figure().add_subplot()
    picture.cell(ax, 3, 5, KERNEL, "7", "×2")
    number, note = ax.texts
    assert (number.get_text(), note.get_text()) == ("7", "×2")
    assert number.get_fontsize() > note.get_fontsize() >= 9
    assert number.get_position()[1] < 5.5 < note.get_position()[1]
    assert number.get_position()[0] < 3.5 < note.get_position()[0]


def test_contrast_is_that_of_the_web_guidelines():
    assert picture.contrast("black", "white") == picture.contrast("white", "black") == pytest.approx(21)
    assert picture.contrast(INK, INK) == 1
    assert picture.contrast("#767676", "white") == pytest.approx(4.54, abs=0.005)  # the lightest grey that passes
    assert picture.contrast("red", "white") == pytest.approx(4.00, abs=0.005)


def test_write_has_a_contrast_of_at_least_4_5_on_every_face():
    ax = Figure().add_subplot()
    roles = (INPUT, KERNEL, picture.OUTPUT, picture.PADDING, picture.HIGHLIGHT)
    faces = [*roles, *(picture.tint(PAPER, n / 100, INK) for n in range(101))]
    for face in faces:
        picture.write(ax, 0, 0, "7", face)
        assert picture.contrast(ax.texts[-1].get_color(), face) >= 4.5, face
    assert [text.get_color() for text in ax.texts[5:]].count(PAPER) > 30  # white on dark grey


def test_arrow_goes_through_its_points():
    ax = Figure().add_subplot()
    picture.arrow(ax, (0, 1), (2, 1), (2, 4))
    assert ax.patches[0]._path_original.vertices.tolist() == [[0, 1], [2, 1], [2, 4]]


def test_the_text_of_a_cell_lies_over_an_arrow_and_keeps_it_at_a_distance():
    ax = Figure().add_subplot()
    picture.cell(ax, 0, 0, text="0", hatch="////")
    picture.arrow(ax, (0, 0.5), (1, 0.5))
    assert ax.texts[0].get_zorder() > ax.patches[1].get_zorder()
    assert ax.texts[0].get_path_effects()


def test_minus_is_as_long_as_a_plus():
    assert (picture.minus(-3), picture.minus(3)) == ("−3", "3")
