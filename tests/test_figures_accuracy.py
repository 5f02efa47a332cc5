"""Accuracy is drawn over cost, live beside recorded, and the title compares only what may be compared."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from strategies import raises
from test_canvas import shown, size, title, words
from test_figures_timing import bars, check_labels, legend, points

from convlab.figures import draw_accuracy, show
from convlab.figures.scatter import MAX_POINTS
from convlab.measuring.accuracy import Accuracy

RECORDED = "recorded, 2026-01-02, Some CPU, 6 cores"
BUDGET = SimpleNamespace(accuracy=0.9, params=500, macs=20_000)


def row(label, *accuracies, macs=10_000, params=300, **changed):
    seeds = tuple(range(len(accuracies)))
    return replace(Accuracy(label, params, macs, seeds, accuracies, 8, "2.13.0"), **changed)


STANDARD = row("standard", 0.97, 0.98, 0.96, macs=96_848, params=2546)
WORSE = row("worse", 0.94, 0.951, 0.93, macs=27_000, params=818)
BETTER = row("better", 0.981, 0.99, 0.97)
UNCLEAR = row("unclear", 0.99, 0.96, 0.97)
THEN = row("standard", 0.99, 0.985, 0.98, macs=96_848, params=2546, source=RECORDED)
FITS = row("fits", 0.9, 0.9, macs=20_000, params=500)  # meets all three exactly
ATTEMPTS = {
    "fits": FITS,
    "one MAC": replace(FITS, label="one MAC", macs=20_001),
    "one parameter": replace(FITS, label="one parameter", params=501),
    "too weak": replace(FITS, label="too weak", accuracies=(0.9, 0.8999)),
}


def test_draw_accuracy_puts_each_network_at_its_macs_and_mean_accuracy():
    ax = draw_accuracy(([STANDARD, WORSE], None))
    np.testing.assert_allclose(points(ax)["live"][0], [(96.848, 97), (27, 94.0333333)])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xlabel() == "thousand MACs for one image (log scale)"
    assert ax.get_ylabel() == "accuracy on held-out images, %"


def test_the_bar_is_one_standard_deviation_up_and_down_and_missing_for_one_seed():
    (bar,) = bars(draw_accuracy((row("net", 0.90, 0.94, 0.98), None)))  # spread 0.04
    np.testing.assert_allclose(bar[:, 1], (90, 98))
    assert not bars(draw_accuracy((row("net", 0.9), None)))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([STANDARD, WORSE], "Less accurate than standard: worse"),
        (
            [STANDARD, UNCLEAR, BETTER, WORSE],
            "Less accurate than standard: worse. More accurate than standard: better. No difference shown: unclear",
        ),
        ([STANDARD, WORSE, THEN], "Less accurate than standard: worse"),
        ([STANDARD, THEN], "standard: 97 % correct"),  # of two sources: not compared
        ([STANDARD, row("other seeds", 0.5, 0.4)], "standard: 97 % correct"),
        ([row("a", 0.9), row("b", 0.1)], "a: 90 % correct"),
    ],
)
def test_the_title_says_what_differs_from_the_first_of_the_same_seeds_and_source(rows, wanted):
    assert title(draw_accuracy((rows, None))) == wanted
    assert draw_accuracy.describe((rows, None)).startswith(f"{wanted}. ")


def test_the_alt_text_says_every_number_its_source_and_the_budget():
    assert draw_accuracy.describe(([STANDARD, row("one run", 0.9), THEN], BUDGET)) == (
        "Within the budget, 1 of 3: one run. standard (live, 3 seeds): 97 ± 1 %, 96,848 MACs; "
        f"one run (live, 1 seed): 90 %, 10,000 MACs; standard ({RECORDED}, 3 seeds): 98.5 ± 0.5 %, 96,848 MACs. "
        "The budget: at least 90 %, at most 500 parameters and 20,000 MACs."
    )


@pytest.mark.parametrize("rows", [[STANDARD, WORSE, THEN], [THEN, STANDARD, WORSE]])
def test_live_and_recorded_differ_in_marker_filling_and_words(rows):
    ax = draw_accuracy((rows, None))
    found = [(label, *look, len(places)) for label, (places, *look) in points(ax).items()]
    assert found == [("live", "o", True, 2), (RECORDED, "s", False, 1)]
    assert legend(ax) == ["live", RECORDED]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (list(ATTEMPTS), "Within the budget, 1 of 4: fits"),
        (["fits", "fits"], "Within the budget, 2 of 2: fits, fits"),
        (["one MAC", "one parameter", "too weak"], "Within the budget, 0 of 3"),
    ],
)
def test_the_title_names_what_keeps_all_three_limits_of_the_budget_exactly_met_or_better(names, wanted):
    rows = [ATTEMPTS[name] for name in names]
    assert title(draw_accuracy((rows, BUDGET))) == wanted
    assert draw_accuracy.describe((rows, BUDGET)).startswith(f"{wanted}. ")


def test_a_point_in_the_shade_that_has_too_many_parameters_says_so():
    labels = words(draw_accuracy((list(ATTEMPTS.values()), BUDGET)))
    assert [label for label in labels if "over" in label] == ["one parameter (over: parameters)"]


def test_the_budget_is_a_dashed_field_from_its_accuracy_up_and_its_macs_down():
    for budget in (BUDGET, SimpleNamespace(accuracy=0.6, params=500, macs=20_000)):
        ax = draw_accuracy((STANDARD, budget))
        (field,) = [patch for patch in ax.collections if patch.get_label().startswith("both kept")]
        corners = field.get_paths()[0].get_extents()
        assert (corners.x1, corners.y0, corners.y1) == pytest.approx((20, 100 * budget.accuracy, 100))
        assert field.get_label() == f"both kept: at least {100 * budget.accuracy:.3g} %, at most 20,000 MACs"
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        assert corners.x0 < left < 20 < right and bottom < 100 * budget.accuracy < 100 < top
        assert field.get_linestyle()[0][1] is not None


def test_the_staircase_goes_through_what_no_other_beats():
    rows = [
        row("cheap", 0.90, 0.92, macs=10_000),
        row("beaten", 0.88, 0.90, macs=20_000),
        row("best", 0.95, 0.97, macs=40_000),
        row("recorded", 0.94, 0.95, macs=30_000, source=RECORDED),
    ]
    ax = draw_accuracy((rows, BUDGET))
    (line,) = [line for line in ax.lines if line.get_label() == "the best with so many MACs or fewer"]
    x, y = line.get_data()
    for at, wanted in ((9.99, np.nan), (10, 91), (20, 91), (29.99, 91), (30, 94.5), (40, 96), (60, 96)):
        np.testing.assert_equal(y[np.searchsorted(x, at, side="right") - 1], wanted)
    assert not any("the best" in text for text in legend(draw_accuracy((rows, None))))


def test_no_accuracy_above_100_percent_is_on_the_axis():
    ax = draw_accuracy(([row("net", 1.0, 0.9), STANDARD], None))
    assert ax.get_ylim()[1] > 100  # the bar goes there
    assert max(ax.get_yticks()) == 100


@pytest.mark.parametrize("budget", [None, BUDGET])
@pytest.mark.parametrize("seed", range(3))
def test_no_label_of_a_chart_of_accuracy_hides_anything(seed, budget):
    random = np.random.default_rng(seed)
    rows = [
        row(
            f"{('standard', 'grouped', 'my attempt')[n % 3]} {n}",
            *random.normal(random.uniform(0.85, 0.95), 0.01, 1 if n < 5 else 5),
            macs=int(10 ** random.uniform(3.5, 5)),
            params=int(10 ** random.uniform(2.5, 3.5)),
            source=RECORDED if n % 2 else "live",
        )
        for n in range(MAX_POINTS)
    ]
    check_labels(shown(draw_accuracy, (rows, budget))[1], MAX_POINTS)


def test_six_long_names_in_the_title_do_not_make_the_picture_wider_than_the_page():
    rows = [row(f"{n}" * 24, 0.9 + n / 100, macs=10_000 + 1000 * n) for n in range(6)]
    assert size(show(draw_accuracy, (rows, BUDGET)))[0] <= 820


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (STANDARD, TypeError, "wanted (rows, budget or None), such as (train_and_test(…), None)"),
        ([STANDARD], ValueError, "has length 1; wanted (rows, budget or None)"),
        (([], None), TypeError, "[] is a list; wanted at least one Accuracy"),
        ((0.97, None), TypeError, "0.97 is a float; wanted at least one Accuracy"),
        (([STANDARD] * 11, None), ValueError, "networks=11 is too many to draw; wanted at most 10"),
        ((row("none", 0.5, macs=0), None), ValueError, "'none' has 0 MACs, which has no place on a log scale"),
    ],
)
def test_a_chart_of_accuracy_says_what_is_wrong_and_what_was_wanted(data, error, message):
    for function in (draw_accuracy, draw_accuracy.describe):
        with raises(error, message):
            function(data)
