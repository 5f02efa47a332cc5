"""Accuracy is drawn over cost, live beside recorded; differences with the intervals that decide what they show."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import t
from strategies import raises
from test_canvas import shown, size, title, words
from test_figures_timing import bars, check_labels, legend, points

from convlab.figures import draw_accuracy, draw_differences, show
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
        ([STANDARD, WORSE], "The highest mean of 2: standard, 97 % correct"),
        ([STANDARD, BETTER, WORSE], "The highest mean of 3: better, 98 % correct"),
        (STANDARD, "The highest mean of 1: standard, 97 % correct"),
    ],
)
def test_without_a_budget_the_title_names_the_highest_mean(rows, wanted):
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


def far(label, *points):
    """Return a network that is so many points better than `PLAIN`, which errs on 20 %, seed by seed."""
    return row(label, *(accuracy + n / 100 for accuracy, n in zip(PLAIN.accuracies, points)))


PLAIN = row("plain", 0.8, 0.78, 0.82, 0.8)
PAIRS = [
    (far("up", 3, 4, 3, 4), PLAIN),
    (far("down", -9, -8, -9, -8), PLAIN),
    (far("near", 1, -1, 1, -1), PLAIN),
    (far("far", 9, -9, 9, -9), PLAIN),
]
# Means 3.5, −8.5, 0, 0; spreads √(1/3), √(1/3), √(4/3), √(324/3); half the intervals are t · spread / 2.
HALF_95, HALF_CORRECTED = (t.ppf(1 - 0.05 / comparisons / 2, 3) / 2 for comparisons in (1, 4))
SPREADS = 3**-0.5, 3**-0.5, (4 / 3) ** 0.5, 108**0.5


def segments(ax, label):
    """Return the ends of the bars of one kind, row by row: all are drawn like the one with the label."""
    (first,) = [line for line in ax.lines if line.get_label() == label]
    found = [line for line in ax.lines if (line.get_linewidth(), line.get_linestyle()) == looks(first)]
    return [[*line.get_xdata(), *line.get_ydata()] for line in found]


def looks(line):
    return line.get_linewidth(), line.get_linestyle()


def test_draw_differences_has_both_intervals_and_the_margin_of_each_pair():
    ax = draw_differences((PAIRS, 0.25))
    means = 3.5, -8.5, 0, 0
    plain, corrected = segments(ax, "mean and 95 % interval"), segments(ax, "corrected interval")
    for y, (mean, spread) in enumerate(zip(means, SPREADS)):
        wanted = [mean - HALF_95 * spread, mean + HALF_95 * spread, y, y]
        np.testing.assert_allclose(plain[y], wanted, atol=1e-3)
        wanted = [mean - HALF_CORRECTED * spread, mean + HALF_CORRECTED * spread, y, y]
        np.testing.assert_allclose(corrected[y], wanted, atol=1e-3)
    margins = segments(ax, "margin")
    np.testing.assert_allclose(margins, [[-5, -5, y - 0.5, y + 0.5] for y in range(4)])  # a quarter of 20 %
    diamonds = [tuple(np.ravel(line.get_data())) for line in ax.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(diamonds, list(zip(means, range(4))), atol=1e-9)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [f"{name} − plain" for name in named(PAIRS)]
    assert ax.get_ylim()[0] > 3 > 0 > ax.get_ylim()[1]  # the first row on top


def named(pairs):
    return [row.label for row, _ in pairs]


def test_the_corrected_interval_decides_the_word_and_the_title_counts_the_words():
    ax = draw_differences((PAIRS, 0.25))
    assert words(ax) == ["better", "worse", "within the margin", "open"]
    assert title(ax) == "Corrected for 4 comparisons: 1 better, 1 within the margin, 1 open, 1 worse"
    (pair,) = [(far("little", 1.9, 0.5, 1.1, 1.5), PLAIN)]  # clear at 95 %, not for five comparisons
    assert words(draw_differences(([pair], 0.25))) == ["better"]
    assert words(draw_differences(([pair, *PAIRS], 0.25)))[0] == "within the margin"


def test_a_margin_belongs_to_the_network_that_is_compared_with():
    ax = draw_differences(([*PAIRS[:1], (PLAIN, STANDARD_4)], 0.5))
    np.testing.assert_allclose([x for x, *_ in segments(ax, "margin")], [-10, -2])


STANDARD_4 = row("standard", 0.96, 0.97, 0.95, 0.96)


def test_the_alt_text_of_differences_says_every_number():
    assert draw_differences.describe((PAIRS[:1], 0.25)) == (
        "Corrected for 1 comparison: 1 better. up − plain: +3.50 points (95 %: +2.58 to +4.42; "
        "corrected: +2.58 to +4.42; margin −5.00), better."
    )


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (PAIRS, ValueError, "has length 4; wanted ([(network, other), …], margin)"),
        (([], 0.25), TypeError, "[] is a list; wanted a list with at least one pair (network, other)"),
        ((tuple(PAIRS), 0.25), TypeError, "is a tuple; wanted a list"),
        (([PLAIN], 0.25), TypeError, "wanted a pair (network, other), each an Accuracy"),
        (([(PLAIN, 0.9)], 0.25), TypeError, "0.9 is a float; wanted at least one Accuracy"),
        ((PAIRS * 4, 0.25), ValueError, "differences=16 is too many to draw; wanted at most 12"),
        (([(PLAIN, STANDARD)], 0.25), ValueError, "wanted the same for both"),
    ],
)
def test_a_chart_of_differences_says_what_is_wrong_and_what_was_wanted(data, error, message):
    for function in (draw_differences, draw_differences.describe):
        with raises(error, message):
            function(data)
