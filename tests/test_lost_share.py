"""The figure of lost shares draws the numbers it is given, and its alt text says them."""

import pytest
from strategies import raises

from convlab.figures import draw_lost_share, show

LOSSES = {"random": [0.75, 0.5, 0], "trained": [0.204, 0.1, 0]}


def test_each_layer_is_one_line_of_percentages_over_the_number_of_kernels():
    found = {line.get_label(): line.get_xydata().tolist() for line in draw_lost_share(LOSSES).lines}
    assert found == {
        label: [[m, pytest.approx(100 * share)] for m, share in enumerate(shares, 1)]
        for label, shares in LOSSES.items()
    }


def test_two_lines_differ_in_dash_and_marker():
    first, second = draw_lost_share(LOSSES).lines
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_marker() != second.get_marker()


def test_the_alt_text_says_the_title_and_every_share():
    ax, text = draw_lost_share(LOSSES), repr(show(draw_lost_share, LOSSES))
    assert ax.get_title(loc="left") == "With one kernel a channel, random loses 75 %, trained 20 %"
    assert text == (
        f"{ax.get_title(loc='left')}. Lost share of the squared weights for m = 1, 2, …: random 75 %, 50 %, 0 %; "
        "trained 20 %, 10 %, 0 %."
    )


def test_a_single_layer_is_not_compared():
    assert draw_lost_share({"edges": [0.5, 0]}).get_title(loc="left") == (
        "With one kernel a channel, 50 % is lost: edges"
    )


@pytest.mark.parametrize(
    ("losses", "error", "message"),
    [
        ([0.5], TypeError, "wanted labels with their lost shares"),
        ({}, TypeError, "wanted labels with their lost shares"),
        ({"random": 0.5}, TypeError, "'random' has 0.5 is a float"),
        ({"random": []}, TypeError, "wanted labels with their lost shares"),
        ({"random": [50]}, ValueError, "'random' has the share 50; wanted a number from 0 to 1"),
        ({"random": [float("nan")]}, ValueError, "wanted a number from 0 to 1"),
        ({label: [0.5] for label in "abcde"}, ValueError, "layers=5 is too many to draw"),
    ],
)
def test_what_is_no_lost_share_is_refused(losses, error, message):
    with raises(error, message):
        draw_lost_share(losses)
