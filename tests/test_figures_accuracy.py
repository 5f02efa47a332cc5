"""Accuracy is drawn over cost, live beside recorded, and the title compares only what may be compared."""

from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.transforms import Bbox
from strategies import raises
from test_draw_timing import figure_of, legend, points, title

from convlab.figures.scatter import MAX_POINTS
from convlab.figures import describe_accuracy, draw_accuracy, show
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


@pytest.mark.parametrize(("cost", "x"), [("MACs", (96.848, 27)), ("parameters", (2.546, 0.818))])
def test_draw_accuracy_puts_each_network_at_its_cost_and_mean_accuracy(cost, x):
    ax = draw_accuracy(([STANDARD, WORSE], None), cost=cost)
    (placed, marker, filled), *others = points(ax).values()
    np.testing.assert_allclose(placed, list(zip(x, (97, 94.0333333))))
    assert (marker, filled, others) == ("o", True, [])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xlabel() == f"thousand {cost} for one image (log scale)"
    assert ax.get_ylabel() == "accuracy on held-out images, %"


def test_the_bar_is_one_standard_deviation_up_and_down():
    (container,) = draw_accuracy((row("net", 0.90, 0.94, 0.98), None)).containers  # spread 0.04
    np.testing.assert_allclose(container.lines[2][0].get_segments()[0][:, 1], (90, 98))


def test_one_seed_has_a_point_and_no_bar():
    ax = draw_accuracy((row("net", 0.9), None))
    assert points(ax)["live"][0] == [(10, 90)]
    assert not any(len(path) for path in ax.containers[0].lines[2][0].get_segments())
    assert title(ax) == "net: 90 % correct"
    assert describe_accuracy((row("net", 0.9), None)) == "net: 90 % correct. net (live, 1 seed): 90 %, 10,000 MACs."


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([STANDARD, WORSE], "Less accurate than standard: worse"),
        (
            [STANDARD, UNCLEAR, BETTER, WORSE],
            "Less accurate than standard: worse. More accurate than standard: better. No difference shown: unclear",
        ),
        ([WORSE, STANDARD], "More accurate than worse: standard"),
        ([STANDARD, WORSE, THEN], "Live: Less accurate than standard: worse"),
        ([THEN, STANDARD, replace(WORSE, source=RECORDED)], "Recorded: Less accurate than standard: worse"),
        ([STANDARD, THEN], "standard: 97 % correct"),  # of two sources: not compared
        ([STANDARD, row("other seeds", 0.5, 0.4)], "standard: 97 % correct"),
        ([row("a", 0.9), row("b", 0.1)], "a: 90 % correct"),
        ([STANDARD], "standard: 97 % correct"),
    ],
)
def test_the_title_says_what_differs_from_the_first_of_the_same_seeds_and_source(rows, wanted):
    assert title(draw_accuracy((rows, None))) == wanted
    assert describe_accuracy((rows, None)).startswith(f"{wanted}. ")


def test_the_alt_text_says_every_number_and_its_source():
    assert describe_accuracy(([STANDARD, THEN], None), cost="parameters") == (
        "standard: 97 % correct. standard (live, 3 seeds): 97 ± 1 %, 2,546 parameters; "
        f"standard ({RECORDED}, 3 seeds): 98.5 ± 0.5 %, 2,546 parameters."
    )


@pytest.mark.parametrize("rows", [[STANDARD, WORSE, THEN], [THEN, STANDARD, WORSE]])
def test_live_and_recorded_differ_in_marker_filling_and_words(rows):
    ax = draw_accuracy((rows, None))
    found = points(ax)
    assert [(source, *look) for source, (_, *look) in found.items()] == [("live", "o", True), (RECORDED, "s", False)]
    assert [len(found[source][0]) for source in ("live", RECORDED)] == [2, 1]
    assert legend(ax) == ["live", RECORDED]


FITS = row("fits", 0.9, 0.9, macs=20_000, params=500)  # meets all three exactly
ATTEMPTS = {
    "fits": FITS,
    "one MAC": replace(FITS, label="one MAC", macs=20_001),
    "one parameter": replace(FITS, label="one parameter", params=501),
    "too weak": replace(FITS, label="too weak", accuracies=(0.9, 0.8999)),
}


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (list(ATTEMPTS), "Within the budget, 1 of 4: fits"),
        (["fits", "fits"], "Within the budget, 2 of 2: fits, fits"),
        (["one MAC", "one parameter", "too weak"], "Within the budget, 0 of 3"),
    ],
)
@pytest.mark.parametrize("cost", ["MACs", "parameters"])
def test_the_title_names_what_keeps_all_three_limits_of_the_budget_exactly_met_or_better(names, wanted, cost):
    rows = [ATTEMPTS[name] for name in names]
    assert title(draw_accuracy((rows, BUDGET), cost=cost)) == wanted
    said = describe_accuracy((rows, BUDGET), cost=cost)
    assert said.startswith(f"{wanted}. ")
    assert said.endswith(" The budget: at least 90 %, at most 500 parameters and 20,000 MACs.")


@pytest.mark.parametrize(("cost", "most", "said"), [("MACs", 20, "20,000 MACs"), ("parameters", 0.5, "500 parameters")])
def test_the_budget_is_a_dashed_field_from_its_accuracy_up_and_its_cost_down(cost, most, said):
    for budget in (BUDGET, SimpleNamespace(accuracy=0.6, params=500, macs=20_000)):
        ax = draw_accuracy((STANDARD, budget), cost=cost)
        (field,) = [patch for patch in ax.collections if patch.get_label().startswith("both kept")]
        corners = field.get_paths()[0].get_extents()
        assert (corners.x1, corners.y0, corners.y1) == pytest.approx((most, 100 * budget.accuracy, 100))
        assert field.get_label() == f"both kept: at least {100 * budget.accuracy:.3g} %, at most {said}"
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        assert corners.x0 < left < most < right and bottom < 100 * budget.accuracy < 100 < top
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


def test_the_legend_is_above_every_bar():
    figure, renderer = figure_of(draw_accuracy, ([row("net", 1.0, 0.8), THEN], BUDGET))
    ax = figure.axes[0]
    bars = [path for container in ax.containers for path in container.lines[2][0].get_segments()]
    highest = max(ax.transData.transform(path)[:, 1].max() for path in bars)
    assert ax.get_legend().get_window_extent(renderer).y0 > highest


def test_no_accuracy_above_100_percent_is_on_the_axis():
    ax = draw_accuracy(([row("net", 1.0, 0.9), STANDARD], None))
    assert ax.get_ylim()[1] > 100  # the bar goes there
    assert max(ax.get_yticks()) == 100


@pytest.mark.parametrize("cost", ["MACs", "parameters"])
@pytest.mark.parametrize("budget", [None, BUDGET])
@pytest.mark.parametrize("seed", range(3))
def test_no_label_meets_another_or_a_point_or_a_bar_or_the_legend(seed, budget, cost):
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
    figure, renderer = figure_of(draw_accuracy, (rows, budget), cost=cost)
    ax = figure.axes[0]
    boxes = [text.get_window_extent(renderer) for text in ax.texts if text.get_text()]
    boxes.append(ax.get_legend().get_window_extent(renderer))
    assert len(boxes) == MAX_POINTS + 1
    for a, b in combinations(boxes, 2):
        assert min(a.x1, b.x1) - max(a.x0, b.x0) <= 1 or min(a.y1, b.y1) - max(a.y0, b.y0) <= 1
    for placed, *_ in points(ax).values():
        for x, y in ax.transData.transform(placed):
            disc = Bbox.from_bounds(x - 4, y - 4, 8, 8)  # pixels
            assert not disc.count_overlaps(boxes)
    for container in ax.containers:
        for path in filter(len, container.lines[2][0].get_segments()):
            assert not Bbox(ax.transData.transform(path)).count_overlaps(boxes)
    assert all(ax.bbox.x0 - 1 <= box.x0 and box.x1 <= ax.bbox.x1 + 1 for box in boxes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: draw_accuracy(STANDARD),
            TypeError,
            "wanted (rows, budget or None), such as (train_and_test(…), None)",
        ),
        (lambda: draw_accuracy([STANDARD]), ValueError, "has length 1; wanted (rows, budget or None)"),
        (lambda: draw_accuracy(([], None)), TypeError, "[] is a list; wanted at least one Accuracy"),
        (lambda: describe_accuracy((0.97, None)), TypeError, "0.97 is a float; wanted at least one Accuracy"),
        (
            lambda: draw_accuracy(([STANDARD] * 11, None)),
            ValueError,
            "networks=11 is too many to draw; wanted at most 10",
        ),
        (lambda: draw_accuracy((STANDARD, 7)), TypeError, "the budget 7 has no accuracy; wanted one with accuracy"),
        (
            lambda: draw_accuracy((STANDARD, None), cost="macs"),
            ValueError,
            "cost='macs'; wanted one of MACs, parameters",
        ),
        (
            lambda: show(draw_accuracy, (STANDARD, None), (STANDARD, None)),
            ValueError,
            "a chart of accuracy needs the width of the page",
        ),
    ],
)
def test_a_chart_of_accuracy_says_what_is_wrong_and_what_was_wanted(call, error, message):
    with raises(error, message):
        call()


def test_a_dictionary_and_a_single_row_are_drawn_too():
    rows = [STANDARD, WORSE]
    assert describe_accuracy(({row.label: row for row in rows}, None)) == describe_accuracy((rows, None))
    assert describe_accuracy((STANDARD, None)) == describe_accuracy(([STANDARD], None))


def test_a_filled_point_is_green_and_a_hollow_one_is_paper():
    lines = [container.lines[0] for container in draw_accuracy(([STANDARD, THEN], None)).containers]
    assert [to_hex(line.get_markerfacecolor(), keep_alpha=True) for line in lines] == ["#009e73ff", "#00000000"]
