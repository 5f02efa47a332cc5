"""Timings under several conditions: picked by name, compared in pairs, judged by the middle half of the rounds."""

from dataclasses import replace

import pytest
from strategies import raises
from test_benchmark import QUIET

from convlab import ConvSpec
from convlab.measuring.timing_tables import (
    CONDITION,
    condition_frame,
    count_outcomes,
    count_table,
    pick,
    ratio_grid,
    split_runs,
    time_table,
)
from convlab.measuring.timings import LayerTiming, Peaks

STANDARD, GROUPED = ConvSpec(4, 8, (3, 2), bias=False), ConvSpec(4, 8, (3, 2), groups=4, bias=False)
ROUNDS = (1.0, 2.0, 4.0, 3.0, 8.0)  # a drifting machine


def timed_as(spec, label, factor, *, threads=1, form="contiguous", backward=False, batch=2, run="a", rounds=ROUNDS):
    timing = replace(
        QUIET, label=label, seconds=tuple(factor * seconds for seconds in rounds), threads=threads, backward=backward,
        memory_format=form, input_shape=(batch, 4, 5, 7), measured_at=run,
    )  # fmt: skip
    return LayerTiming(spec, timing)


def a_run(factors=(0.5, 0.6), **fixed):
    """Return a run with one and two threads, where the grouped layer takes these factors of the standard one."""
    rows = []
    for threads, factor in zip((1, 2), factors):
        rows.append(timed_as(STANDARD, "standard", 1 / threads, threads=threads, **fixed))
        rows.append(timed_as(GROUPED, "grouped", factor / threads, threads=threads, **fixed))
    return rows


def test_a_run_is_split_off_by_its_time_and_only_layers_are_kept():
    first, second = a_run(run="a"), a_run(run="b")
    assert split_runs([Peaks(1.0, 1.0, 1, "", ""), *first, QUIET, *second]) == [first, second]


def test_pick_finds_one_condition_by_the_fields_that_are_given():
    run = [*a_run(batch=3), *a_run(form="channels_last", batch=3), *a_run(backward=True, batch=3)]
    for row, condition in zip(run, condition_frame(run)[CONDITION].to_dict("records"), strict=True):
        found = pick(run, **condition)
        assert found[row.timing.label] is row
        assert list(found) == ["standard", "grouped"]
    assert list(pick(run, memory_format="channels_last", threads=2)) == ["standard", "grouped"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"threads": 3},
            "{'threads': 3} fits no condition; there are: batch=2, memory_format='contiguous', backward=F",
        ),
        ({"layout": "strided"}, "{'layout': 'strided'} fits no condition"),
        (
            {"batch": 2},
            "{'batch': 2} fits several conditions; there are: batch=2, memory_format='contiguous', backward",
        ),
    ],
)
def test_pick_refuses_none_and_several_and_says_what_there_is(wanted, message):
    with raises(ValueError, message):
        pick(a_run(), **wanted)


def test_the_tables_compare_with_the_standard_layer_round_by_round():
    rows = pick(a_run((0.5, 0.6)), threads=2)
    counts, times = count_table(rows), time_table(rows)
    outputs, weights = 2 * 8 * 3 * 6, 8 * 6  # 5×7 under a 3×2 kernel; 4 channels in 4 groups: 1 channel each
    assert list(counts.loc["grouped"]) == [
        "4 → 8",
        f"{outputs * 6:,}",
        "4",
        f"{4 * (2 * 4 * 35 + weights + outputs):,}",
        "0.701",
    ]
    assert counts.loc["standard", "times fewer"] == "1"
    assert list(times.loc["grouped"])[:3] == ["4", "1.67", "60 (60 to 60)"]
    assert times.loc["standard", "billion MACs/s"] == f"{outputs * 24 / 1.5 / 1e9:.3g}"


def test_the_grid_has_a_column_for_each_condition_and_a_row_for_each_batch_and_layer():
    runs = [a_run((0.25, 0.75), batch=batch, run=str(batch)) for batch in (1, 16)]
    grid = ratio_grid(*runs)
    assert list(grid.index) == [(1, "grouped"), (16, "grouped")]
    assert list(grid.columns) == [("contiguous", False, 1), ("contiguous", False, 2)]
    assert grid.to_numpy().tolist() == [["0.25", "0.75"]] * 2


def test_the_columns_of_the_grid_have_one_order():
    runs = [a_run(run="a", form="channels_last"), a_run(run="b", backward=True), a_run(run="c")]
    wanted = [("contiguous", False), ("contiguous", True), ("channels_last", False)]
    assert list(ratio_grid(*runs).columns) == [(*pair, threads) for pair in wanted for threads in (1, 2)]


@pytest.mark.parametrize(
    ("factors", "time", "each", "second"),
    [
        ((0.5, 0.6), "less", "more", "more"),  # MACs / 4: less time, more for each MAC, and less gained by two threads
        ((0.2, 0.1), "less", "less", "less"),
        ((1.5, 1.5), "more", "more", "open"),
    ],
)
def test_a_verdict_counts_the_three_meanings_apart(factors, time, each, second):
    table = count_outcomes(["grouped"], a_run(factors))
    assert list(table.columns) == ["less", "more", "open"]
    wanted = {"time": (time, 2), "time per MAC": (each, 2), "second thread": (second, 1)}
    for what, (word, count) in wanted.items():
        assert table.loc[what].to_dict() == {"less": 0, "more": 0, "open": 0} | {word: count}


def test_a_verdict_is_open_where_the_middle_half_of_the_rounds_disagrees():
    run = a_run((1.0, 1.0))
    mixed = replace(run[1].timing, seconds=(0.5, 1.0, 8.0, 6.0, 16.0))  # 0.5, 0.5, 2, 2, 2 of the standard layer
    table = count_outcomes(["grouped"], [run[0], LayerTiming(GROUPED, mixed)])
    assert table.loc["time"].to_dict() == {"less": 0, "more": 0, "open": 1}
    assert "second thread" not in table.index
