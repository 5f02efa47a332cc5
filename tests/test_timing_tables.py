"""Timings under several conditions: compared in pairs, judged by processes, and never by what is too noisy."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from scipy.stats import ttest_1samp
from strategies import raises
from test_benchmark import QUIET

from convlab import ConvSpec
from convlab.measuring.timing_tables import (
    Comparison,
    Condition,
    compare_layers,
    compare_networks,
    family,
    interval,
    layer_table,
    outcomes,
    pick,
    roof_table,
    tally,
    verdict_table,
)
from convlab.measuring.timings import LayerTiming, Peaks

STANDARD, GROUPED = ConvSpec(4, 8, (3, 2), bias=False), ConvSpec(4, 8, (3, 2), groups=4, bias=False)
WIDE = ConvSpec(16, 8, (3, 2), groups=4, bias=False)  # as many MACs as the standard one
ROUNDS = (1.0, 1.0, 1.1, 1.05, 1.1)
NOISY = (1.0, 2.0, 4.0, 3.0, 8.0)
CONDITION = Condition(2, "contiguous", False, 1)


def timed_as(
    spec, label, factor, *, threads=1, form="contiguous", backward=False, batch=2, run="a", rounds=ROUNDS, process=0
):
    timing = replace(
        QUIET, label=label, seconds=tuple(factor * seconds for seconds in rounds), threads=threads, backward=backward,
        memory_format=form, input_shape=(batch, spec.in_channels, 5, 7), measured_at=run, process=process,
    )  # fmt: skip
    return LayerTiming(spec, timing)


def a_run(factors=(0.5, 0.6), spec=GROUPED, label="4 groups", **fixed):
    """Return a run with one and two threads, where the grouped layer takes these factors of the standard one."""
    rows = []
    for threads, factor in zip((1, 2), factors):
        rows.append(timed_as(STANDARD, "standard", 1 / threads, threads=threads, **fixed))
        rows.append(timed_as(spec, label, factor / threads, threads=threads, **fixed))
    return rows


def processes(*factors, **options):
    """Return the rows of a recording in several processes, one for each pair of factors."""
    return [row for n, pair in enumerate(factors, 1) for row in a_run(pair, run=f"run {n}", process=n, **options)]


def evidence(rows, meaning="time", threads=1):
    return {(c.meaning, c.condition.threads): c for c in compare_layers(rows)}[meaning, threads].evidence()


def test_each_layer_is_compared_with_the_standard_one_of_its_run_and_condition_round_by_round():
    rows = [*a_run((0.5, 0.6)), *a_run((0.25, 0.75), form="channels_last", run="b", rounds=(2.0, 2.1, 2.2, 2.0))]
    found = {(c.condition.memory_format, c.condition.threads, c.meaning): c for c in compare_layers(rows)}
    assert len(found) == len(compare_layers(rows)) == 2 * (2 + 2 + 1)
    middles = {key: c.evidence().middle for key, c in found.items()}
    assert middles["contiguous", 1, "time"] == pytest.approx(0.5)
    assert middles["contiguous", 1, "time per MAC"] == pytest.approx(2)  # a quarter of the MACs
    assert middles["contiguous", 2, "second thread"] == pytest.approx(0.6 / 0.5)
    assert middles["channels_last", 2, "second thread"] == pytest.approx(3)
    assert {(c.label, c.equal, c.condition.batch) for c in found.values()} == {("4 groups", "shapes", 2)}


def test_at_equal_macs_time_and_time_per_mac_are_one_meaning_and_the_second_thread_is_there():
    found = compare_layers(a_run((1.5, 1.2), WIDE))
    assert [(c.equal, c.meaning, c.condition.threads) for c in found] == [
        ("MACs", "time", 1),
        ("MACs", "time", 2),
        ("MACs", "second thread", 2),
    ]
    assert [c.evidence().outcome for c in found] == ["more", "more", "less"]


@pytest.mark.parametrize(
    ("factors", "time", "each", "second"),
    [
        ((0.5, 0.6), "less", "more", "more"),  # MACs / 4: less time, more for each MAC, and less gained by two threads
        ((0.2, 0.1), "less", "less", "less"),
        ((2.0, 2.0), "more", "more", "open"),  # powers of two: equal to the last bit
    ],
)
@pytest.mark.parametrize("count", [1, 5, 8])
def test_the_three_meanings_are_judged_apart(factors, time, each, second, count):
    rows = processes(*[factors] * count)
    assert evidence(rows).outcome == evidence(rows, threads=2).outcome == time
    assert evidence(rows, "time per MAC").outcome == each
    assert evidence(rows, "second thread", 2).outcome == second


@pytest.mark.parametrize("which", range(4))
def test_a_noisy_timing_is_no_evidence_in_any_meaning_that_needs_it(which):
    rows = a_run()
    rows[which] = replace(rows[which], timing=replace(rows[which].timing, seconds=NOISY))
    found = {(c.meaning, c.condition.threads): c.evidence().outcome for c in compare_layers(rows)}
    noisy = which // 2 + 1  # the threads of the noisy one
    for threads in (1, 2):
        for meaning in ("time", "time per MAC"):
            assert (found[meaning, threads] == "not measured") == (threads == noisy)
    assert found["second thread", 2] == "not measured"
    assert "not measured" not in [c.evidence().outcome for c in compare_layers(rows, noisy=True)]


def test_from_one_process_the_middle_half_of_the_rounds_decides():
    run = a_run((1.0, 1.0))
    mixed = replace(run[1].timing, seconds=(0.9, 0.95, 1.2, 1.2, 1.2))
    assert not mixed.is_noisy or mixed.spread < 0.25
    run[1] = LayerTiming(GROUPED, replace(mixed, spread=0.3))
    assert evidence(run).outcome == "open"
    run[1] = LayerTiming(GROUPED, replace(mixed, spread=0.3, seconds=(0.9, 1.2, 1.2, 1.2, 1.3)))
    assert evidence(run).outcome == "more"


def test_each_process_is_one_number_the_median_of_its_rounds():
    factors = [0.8, 0.9, 0.85, 0.8, 0.95, 0.7, 0.75, 0.9]
    found = evidence(processes(*[(factor, factor) for factor in factors]))
    assert found.middle == pytest.approx(np.exp(np.mean(np.log(factors))))
    assert found[:3] == pytest.approx(interval(tuple(factors)))
    assert found.outcome == "less"
    # rounds that agree within a process prove nothing if the processes differ
    assert evidence(processes(*[(factor, factor) for factor in (0.7, 1.3, 0.8, 1.2, 0.9, 1.1)])).outcome == "open"


@pytest.mark.parametrize(("noisy", "outcome"), [(0, "less"), (3, "less"), (4, "not measured")])
def test_a_process_with_a_noisy_timing_is_left_out_and_five_have_to_be_left(noisy, outcome):
    rows = processes(*[(0.5, 0.5)] * 8)
    for n in range(noisy):  # the standard layer, with one thread
        at = 4 * n
        rows[at] = replace(rows[at], timing=replace(rows[at].timing, seconds=NOISY))
    assert evidence(rows).outcome == outcome
    (found,) = [c for c in compare_layers(rows) if (c.meaning, c.condition.threads) == ("time", 1)]
    assert (len(found.ratios), found.processes) == (8 - noisy, 8)
    assert isnan(evidence(rows).middle) == (outcome == "not measured")


@pytest.mark.parametrize(("count", "level"), [(1, 0.95), (400, 1 - 0.05 / 400)])
def test_the_interval_is_that_of_a_t_test_of_the_logarithms_at_a_level_that_the_number_of_comparisons_sets(
    count, level
):
    ratios = (0.8, 0.9, 0.85, 0.8, 0.95, 0.7, 0.75, 0.9)
    wanted = ttest_1samp(np.log(ratios), 0).confidence_interval(level)
    assert interval(ratios, count)[1:] == pytest.approx(np.exp([wanted.low, wanted.high]))


def test_more_comparisons_leave_more_open():
    ratios = (0.8, 0.9, 0.85, 0.8, 0.95, 0.7, 0.75, 0.9)
    found = Comparison("a", "shapes", CONDITION, "time", tuple((r,) for r in ratios), 8)
    assert [found.evidence(count).outcome for count in (1, 400, 10**6)] == ["less", "open", "open"]


def test_an_interval_of_five_processes_holds_the_true_ratio_95_times_in_100_and_a_bootstrap_about_85():
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(2000, 5)) / 10
    ends = np.array([interval(np.exp(five))[1:] for five in logs])
    assert np.mean((ends[:, 0] < 1) & (ends[:, 1] > 1)) == pytest.approx(0.95, abs=0.01)
    means = np.array([five[rng.integers(0, 5, (999, 5))].mean(axis=1) for five in logs])
    low, high = np.quantile(means, (0.025, 0.975), axis=1)
    assert np.mean((low < 0) & (high > 0)) == pytest.approx(0.85, abs=0.03)


def test_outcomes_are_chosen_by_kind_and_by_fields_of_the_comparison_and_of_its_condition():
    found = compare_layers([*a_run((0.5, 1.5)), *a_run((2, 2), label="depthwise", backward=True, run="b")])
    assert outcomes(found, label="grouped", meaning="time") == ["less", "more"]
    assert outcomes(found, label="4 groups", meaning="time", threads=2) == ["more"]
    assert outcomes(found, meaning="time", backward=True) == ["more", "more"]
    assert outcomes(found, label="separable") == []
    with pytest.raises(KeyError):
        outcomes(found, label="grouped", layout="contiguous")


def test_the_table_of_verdicts_counts_every_comparison_in_words():
    rows = [*a_run((0.5, 0.6)), *a_run((0.5, 1.5), form="channels_last", run="b"), *a_run((3, 3), WIDE, run="c")]
    table = verdict_table({"here": compare_layers(rows), "there": compare_layers(a_run((0.5, 0.5)))})
    assert list(table.columns) == ["here", "there"]
    assert table["here"].to_dict() == {
        ("grouped", "equal shapes", "time"): "less 3 of 4, more 1",
        ("grouped", "equal shapes", "time per MAC"): "more 4 of 4",
        ("grouped", "equal shapes", "second thread"): "more 2 of 2",
        ("grouped", "equal MACs", "time"): "more 2 of 2",
        ("grouped", "equal MACs", "second thread"): "open 1 of 1",
    }
    assert table.loc[("grouped", "equal MACs", "time"), "there"] == ""


def test_a_corrected_table_has_the_number_of_its_comparisons_in_its_intervals():
    factors = [(f, f) for f in (0.5, 0.9, 0.5, 0.9, 0.5, 0.9)]
    plain, corrected = (
        verdict_table({"here": compare_layers(processes(*factors))}, corrected=c) for c in (False, True)
    )
    key = ("grouped", "equal shapes", "time")
    assert plain.loc[key, "here"] == "less 2 of 2"
    assert corrected.loc[key, "here"] == "open 2 of 2"


def test_tally_counts_what_was_not_measured_apart():
    assert tally(["not measured", "more", "open", "more"]) == "more 2 of 3, open 1 (1 blank)"


def test_pick_finds_one_condition_by_the_fields_that_are_given():
    run = [*a_run(batch=3), *a_run(form="channels_last", batch=3), *a_run(backward=True, batch=3)]
    for row in run:
        timing = row.timing
        condition = Condition(3, timing.memory_format, timing.backward, timing.threads)
        found = pick([QUIET, *run], **condition._asdict())
        assert found[timing.label] == row
        assert list(found) == ["standard", "4 groups"]
    assert list(pick(run, memory_format="channels_last", threads=2)) == ["standard", "4 groups"]


def test_pick_puts_the_rounds_of_all_processes_in_a_row():
    found = pick(processes((0.5, 1), (0.7, 1)), threads=1)
    assert len(found["4 groups"].timing.seconds) == 10
    assert found["4 groups"].timing.ratio(found["standard"].timing).median == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"threads": 3}, "{'threads': 3} fits no condition; there are: batch=2, memory_format='contiguous', backward"),
        ({"layout": "strided"}, "{'layout': 'strided'} fits no condition"),
        ({"batch": 2}, "{'batch': 2} fits several conditions; there are: batch=2, memory_format='contiguous'"),
    ],
)
def test_pick_refuses_none_and_several_and_says_what_there_is(wanted, message):
    with raises(ValueError, message):
        pick(a_run(), **wanted)


def test_rows_of_two_sources_or_two_families_are_refused():
    other = [replace(row, timing=replace(row.timing, source="recorded, elsewhere")) for row in a_run()]
    for call in (compare_layers, lambda rows: pick(rows, threads=1)):
        with raises(ValueError, "the timings are of 2 sources, ['live', 'recorded, elsewhere']; wanted those of one"):
            call([*a_run(), *other])
    with raises(ValueError, "'4 groups' is two layers here; wanted the layers of one family"):
        pick([*a_run(), *a_run(spec=WIDE, run="b")], threads=1)


def test_a_family_is_the_runs_with_its_standard_layer():
    other = [LayerTiming(WIDE, replace(r.timing, input_shape=(2, 16, 5, 7))) for r in a_run(run="b")]
    rows = [Peaks(1.0, 1.0, 1, "", ""), *a_run(), QUIET, *other]
    assert family(rows, {"standard": ([WIDE], (1, 16, 5, 7)), "4 groups": ([GROUPED], (1, 4, 5, 7))}) == other
    assert family(rows, {"standard": ([STANDARD], (1, 4, 5, 7))}) == a_run()


def test_the_table_of_layers_counts_those_of_the_first_and_gives_each_machine_a_column():
    noisy = a_run((0.25, 0.5))
    noisy[1] = replace(noisy[1], timing=replace(noisy[1].timing, seconds=NOISY))
    table = layer_table({"recorded": a_run((0.5, 0.6)), "yours": noisy}, threads=1)
    outputs, weights = 2 * 8 * 3 * 6, 8 * 6  # 5×7 under a 3×2 kernel; 4 channels in 4 groups: 1 channel each
    intensity = outputs * 6 / (4 * (2 * 4 * 35 + weights + outputs))
    assert table.loc["4 groups"].to_dict() == {
        "channels": "4 → 8",
        "MACs": f"{outputs * 6:,}",
        "times fewer": "4",
        "MACs per byte": f"{intensity:.3g}",
        "faster, recorded": "2 (2 to 2)",
        "faster, yours": "",
    }
    assert list(table.loc["standard"])[-2:] == ["1", "1"]


def test_networks_are_compared_process_by_process_with_the_one_that_is_named():
    timings = [
        replace(
            QUIET, label=label, seconds=tuple(f * s for s in ROUNDS), memory_format=form, measured_at=f"{n}", process=n
        )
        for n in range(1, 6)
        for form in ("contiguous", "channels_last")
        for label, f in (("small", 0.5), ("big", 1.0 + n / 100))
    ]
    found = compare_networks([*timings, *a_run()], "big")
    assert [(c.label, c.condition.memory_format, len(c.ratios)) for c in found] == [
        ("small", "contiguous", 5),
        ("small", "channels_last", 5),
    ]
    wanted = np.exp(np.mean(np.log([0.5 / (1 + n / 100) for n in range(1, 6)])))
    assert found[0].evidence().middle == pytest.approx(wanted)
    assert found[0].evidence().outcome == "less"


def test_the_table_of_roofs_has_what_the_best_round_of_all_processes_reached_forward():
    rows = [*processes((1e-9, 1e-9), (1e-9, 5e-10)), *a_run((1e-9, 1e-9), backward=True, run="back")]
    rows += a_run((2e-9, 2e-9), batch=512, run="too large")
    touched = rows[1].bytes_moved
    peaks = [Peaks(1e18, 1e11 * n, threads, "", "", copied_bytes=touched // 2) for n in (1, 2) for threads in (1, 2)]
    table = roof_table([*rows, QUIET], peaks, "4 groups")
    two = [("2 images", "contiguous", "1 thread"), ("2 images", "contiguous", "2 threads")]
    assert list(table.index) == [*two, *(("512 images", *key[1:]) for key in two)]
    best = touched / min(rows[3].timing.seconds + rows[7].timing.seconds)
    assert table.loc[two[1], "billion bytes/s"] == f"{best / 1e9:,.1f}"
    assert table.loc[two[1], "share of the roof"] == f"{100 * best / 2e11:.2g} %"
    assert list(table["share of the roof"][2:]) == ["", ""]  # no copy of that size
