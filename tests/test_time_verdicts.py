"""Each sentence of lesson 10 that rests on recorded times: it is there, and the files bear out what it states.

The statements are recomputed from comparisons, not read off the tables that the lesson shows.
"""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from convlab import cost_table
from convlab.measuring.recordings import load, recorded_file
from convlab.measuring.timing_tables import (
    KINDS,
    compare_layers,
    compare_networks,
    family,
    pick,
)
from convlab.measuring.timings import LayerTiming, Peaks, best_peaks, nearest_peaks
from convlab.networks import papers
from convlab.networks.single_layers import equal_macs, equal_shapes

FILES = {"AVX2": "times-cpu", "AVX-512": "times-cpu-avx512", "GPU": "times-cuda"}
ROWS = {name: load(recorded_file(f"{file}.json")) for name, file in FILES.items()}
COMPARED = {name: compare_layers(rows) for name, rows in ROWS.items()}
NOISY = compare_layers(ROWS["AVX2"], noisy=True)
CPUS = ("AVX2", "AVX-512")
LESSON = nbformat.read(next((Path(__file__).parent.parent / "notebooks").glob("10-*.ipynb")), as_version=4)
PROSE = " ".join(" ".join(cell.source for cell in LESSON.cells if cell.cell_type == "markdown").split())


def said(*sentences):
    """Check that the lesson says each of these, whatever the line breaks."""
    for sentence in sentences:
        assert sentence in PROSE, sentence


def found(machine, kind=None, compared=None, **wanted):
    """Return the comparisons with the wanted fields."""
    compared = COMPARED[machine] if compared is None else compared
    labels = KINDS.get(kind, (kind,))
    return [
        c
        for c in compared
        if kind is None or c.label in labels
        if all({**c._asdict(), **c.condition._asdict()}[name] == value for name, value in wanted.items())
    ]


def counts(comparisons, corrected_for=1):
    """Return how many are less, more, open, of those that are measured."""
    outcomes = [c.evidence(corrected_for).outcome for c in comparisons]
    return tuple(outcomes.count(word) for word in ("less", "more", "open"))


def middles(comparisons):
    """Return the ratios of those that are measured."""
    return [c.evidence().middle for c in comparisons if c.evidence().outcome != "not measured"]


def span(comparisons, digits=2):
    """Return the least and the greatest ratio as a sentence has them."""
    ratios = middles(comparisons)
    return f"{min(ratios):.{digits}f} to {max(ratios):.{digits}f}"


TIME = {"equal": "shapes", "meaning": "time"}


def test_the_source_of_each_file_is_what_the_lesson_says():
    said(
        "of AVX2's six processes the five or six without noise, one number each, give a 95 % interval by Student's *t*"
    )
    said("AVX-512, the GPU and you have one process and the middle half of its rounds: a weak rule.")
    processes = {name: {r.timing.process for r in rows if isinstance(r, LayerTiming)} for name, rows in ROWS.items()}
    assert processes == {"AVX2": {*range(1, 7)}, "AVX-512": {0}, "GPU": {0}}
    assert {len(c.ratios) for c in COMPARED["AVX2"] if c.evidence().outcome != "not measured"} == {5, 6}


def test_on_both_processors_every_kind_took_less_time_at_equal_shapes():
    said("On both processors every kind took less time than the standard layer, wherever measured.")
    for machine in CPUS:
        less, more, undecided = counts(found(machine, **TIME))
        assert less > 50 and (more, undecided) == (0, 0)


@pytest.mark.parametrize(
    ("label", "share"), [("8 groups", 1 / 8), ("pointwise", 1 / 9), ("separable", 1 / 128 + 1 / 9)]
)
def test_a_tenth_of_the_macs_took_these_shares_of_the_time_and_was_never_ten_times_faster(label, share):
    said(f"- {label}: " + ", and ".join(span(found(machine, label, **TIME)) for machine in CPUS))
    said("With about a tenth of the MACs", "None was ten times faster, on any machine.")
    assert share == pytest.approx(0.1, rel=0.3)
    assert min(ratio for machine in FILES for ratio in middles(found(machine, label, **TIME))) > 0.1


def test_separable_has_a_share_of_the_macs_that_the_question_says():
    said("Separable has 11.9 % of the standard layer's MACs.")
    rows = pick(
        family(ROWS["AVX2"], equal_shapes()), batch=16, memory_format="channels_last", backward=False, threads=1
    )
    assert round(100 * rows["separable"].macs / rows["standard"].macs, 1) == 11.9


def test_the_gpu_with_16_images_was_mostly_too_noisy_and_with_256_groups_saved_forward():
    small = found("GPU", **TIME, batch=16)
    said(f"With 16 images {len(small) - sum(counts(small))} of {len(small)} comparisons were too noisy.")
    said("With 256 images groups saved time forward.")
    assert counts(found("GPU", "grouped", **TIME, batch=256, backward=False)) == (8, 0, 0)
    said(
        "With both passes they saved less, or took longer: 4 groups once 8.4 times as long, beside 2 and 8 groups with"
    )
    for form in ("contiguous", "channels_last"):
        for label in KINDS["grouped"]:
            forward, both = (
                middles(found("GPU", label, **TIME, batch=256, backward=b, memory_format=form)) for b in (False, True)
            )
            assert both > forward
    jump = {
        label: middles(found("GPU", label, **TIME, batch=256, backward=True, memory_format="contiguous"))[0]
        for label in KINDS["grouped"]
    }
    assert f"{jump['4 groups']:.1f}" == "8.4" and jump["2 groups"] < 1 and jump["8 groups"] < 1


def test_whole_networks():
    compared = {machine: compare_networks(rows, "resnet50") for machine, rows in ROWS.items()}
    ratios = {
        (machine, c.condition.memory_format, c.label): c.evidence()
        for machine, networks in compared.items()
        for c in networks
        if c.condition.threads == 1
    }
    two = [c for networks in compared.values() for c in networks if c.condition.threads == 2]
    (measured,) = (c for c in two if c.evidence().outcome != "not measured")
    assert measured in compared["AVX2"] and measured.label == "mobilenet_v1"
    said(f"with two, on AVX2, {measured.evidence()}.")
    assert "not measured" not in {e.outcome for e in ratios.values()}

    def range_of(label, machines, digits=2):
        values = [e.middle for (machine, _, network), e in ratios.items() if network == label and machine in machines]
        return f"{min(values):.{digits}f} to {max(values):.{digits}f}"

    share = range_of("mobilenet_v1", CPUS)
    said(
        f"With one thread MobileNetV1 needed {share} of ResNet-50's time on the processors, "
        f"{range_of('mobilenet_v1', ['GPU'])} on the GPU; "
    )
    least, most = share.split(" to ")[0], range_of("mobilenet_v1", ["GPU"]).split(" to ")[1]
    said(f"Carry no ratio to another device: MobileNetV1 took {least} on one, {most} on another.")
    said(f"on the GPU {range_of('resnext50_32x4d', ['GPU'])} times as long")
    said("ResNeXt-50, with nearly ResNet-50's MACs, never took less time")
    assert "less" not in {e.outcome for (*_, network), e in ratios.items() if network == "resnext50_32x4d"}
    shape = (1, 3, 224, 224)
    base, wide, small = (
        cost_table(getattr(papers, name)(), shape).total.macs
        for name in ("resnet50", "resnext50_32x4d", "mobilenet_v1")
    )
    assert wide / base == pytest.approx(1, abs=0.05)
    said(f"MobileNetV1 does {small / base:.3f} of ResNet-50's MACs.")


def test_bytes_limit_no_layer_on_avx2_and_these_are_the_shares_of_the_roof():
    peaks = {name: best_peaks(r for r in rows if isinstance(r, Peaks)) for name, rows in ROWS.items()}
    now = {"batch": 16, "memory_format": "channels_last", "backward": False, "threads": 1}
    rows = pick(family(ROWS["AVX2"], equal_shapes()), **now)
    said("On AVX2 the counted bytes are the lower roof of no layer, if they stay in the cache.")
    said("On 16 images our layers move about 13 MB: 1.12 MACs per byte (depthwise), 4.5 (32 groups) to 138 (standard).")
    for row in rows.values():
        fair = nearest_peaks(row, peaks["AVX2"])
        assert fair.bytes_per_second * row.macs_per_byte > fair.macs_per_second
    moved = [row.bytes_moved / 1e6 for label, row in rows.items() if label != "separable"]
    assert min(moved) > 12.5 and max(moved) < 13.5
    low, second, *_, high = sorted((row.macs_per_byte, label) for label, row in rows.items())
    assert (f"{low[0]:.2f} {low[1]}", f"{second[0]:.1f} {second[1]}") == ("1.12 depthwise", "4.5 32 groups")
    assert f"{high[0]:.0f} {high[1]}" == "138 standard"

    def best(machine, label, **wanted):
        return max(
            row.macs / min(row.timing.seconds) / nearest_peaks(row, peaks[machine]).roof(row.macs_per_byte)
            for row in family(ROWS[machine], equal_shapes())
            if row.timing.label == label and not row.timing.backward
            if nearest_peaks(row, peaks[machine])
            if all(getattr(row.timing, name) == value for name, value in wanted.items())
        )

    def in_percent(*shares):
        return [f"{share:.0%}".replace("%", " %") for share in shares]

    last, usual = {"memory_format": "channels_last"}, {"memory_format": "contiguous"}
    near, far, lowest = in_percent(
        best("GPU", "depthwise", **last), best("GPU", "depthwise", **usual), best("AVX2", "depthwise")
    )
    said(f"on the GPU in channels-last, at {near} of the roof, less so in contiguous, at {far}.")
    said(f"On AVX2 it never passed {lowest}; AVX-512 has no copy of that size.")
    assert not any(nearest_peaks(row, peaks["AVX-512"]) for row in family(ROWS["AVX-512"], equal_shapes()))
    rate = max(
        row.bytes_moved / min(row.timing.seconds) / 1e9
        for row in family(ROWS["AVX2"], equal_shapes())
        if (row.timing.label, row.timing.threads, row.timing.backward) == ("depthwise", 1, False)
    )
    cache = nearest_peaks(rows["depthwise"], peaks["AVX2"]).bytes_per_second / 1e9
    memory = max((p for p in peaks["AVX2"] if p.threads == 1), key=lambda p: p.copied_bytes).bytes_per_second / 1e9
    said(f"moved {rate:.1f} billion bytes/s at best: the cache gives {cache:.1f}, the memory {memory:.1f}.")
    said("On the GPU, channels-last, depthwise, pointwise and separable come near their roof; groups reach about half.")
    assert min(best("GPU", label, **last) for label in ("depthwise", "pointwise", "separable")) > 0.85
    assert all(0.4 < best("GPU", label, **last) < 0.6 for label in KINDS["grouped"])


def test_the_second_thread():
    second = {"meaning": "second thread"}
    assert set(counts(found("AVX2", "grouped", **second))[:2]) == {0}
    less, more, undecided = counts(found("AVX-512", "grouped", equal="shapes", **second))
    said(f"open on AVX2. On AVX-512, by the weak rule, it helped less in {more} of {more + undecided} at equal shapes,")
    assert less == 0
    less, more, undecided = counts(found("AVX-512", "grouped", equal="MACs", **second))
    said(f"more in {less} of {less + more + undecided} at equal MACs.")
    assert less > 5 * more
    less, more, undecided = counts(found("AVX-512", "separable", equal="MACs", **second))
    said(f"separable, longer at equal MACs too, gained less in {more} of {less + more + undecided}, more in {less}.")
    assert counts(found("AVX-512", "separable", equal="MACs", meaning="time"))[1] == 16


def test_the_weak_rule_decides_what_all_processes_leave_open():
    """A single process, judged as those of the other two files are."""
    still = [c for c in found("AVX2", meaning="second thread") if c.evidence().outcome == "open"]
    quartiles = [np.quantile(rounds, (0.25, 0.75)) for c in still for rounds in c.ratios]
    undecided = sum(low <= 1 <= high for low, high in quartiles)
    said(f"Only {undecided} of {len(quartiles)} stay open.")


def test_how_much_the_processes_differ():
    measured = [c for c in COMPARED["AVX2"] if c.evidence().outcome != "not measured"]
    spreads = [np.std([np.log(np.median(rounds)) for rounds in c.ratios], ddof=1) for c in measured]
    said(f"one process; those of AVX2 differ by {np.median(spreads):.0%}".replace("%", " %"))


def test_what_a_correction_and_the_noisy_timings_change():
    judged = [c for c in COMPARED["AVX2"] if any(c.label in labels for labels in KINDS.values())]
    less = found("AVX2", compared=judged, **TIME)
    said('Widened for their number, "less time" at equal shapes stays everywhere,')
    assert counts(less, len(judged)) == counts(less) and counts(less)[0] == sum(counts(less))
    paid = found("AVX2", "grouped", equal="MACs", meaning="time")
    said(f'"more time" of groups at equal MACs in {counts(paid, len(judged))[1]} of {counts(paid)[1]}.')
    said('With the noisy timings no "less" becomes "more", and no "more" "less".')
    loose = {c[:4]: c.evidence().outcome for c in NOISY}
    assert not [c for c in COMPARED["AVX2"] if {c.evidence().outcome, loose[c[:4]]} == {"less", "more"}]


def test_the_verdict_on_groups():
    shapes = [counts(found(machine, "grouped", **TIME)) for machine in CPUS]
    assert [(more, undecided) for _, more, undecided in shapes] == [(0, 0)] * 2
    said("less time on both processors, in all {} and {} comparisons".format(*(less for less, *_ in shapes)))
    said("It holds for time at equal shapes on the processors, never for time per MAC; more than two threads were not")
    assert {c.condition.threads for machine in FILES for c in COMPARED[machine]} == {1, 2}
    for machine in FILES:
        less, more, _ = counts(found(machine, "grouped", meaning="time per MAC"))
        assert less == 0 and more > 20
    less, more, undecided = counts(found("GPU", "grouped", **TIME))
    said(f"On the GPU less in {less} of {less + more + undecided}, more in {more};")
    less, more, undecided = counts(found("GPU", "grouped", **TIME, batch=16))
    said(f"on 16 images more in {more} of {more + undecided}, less in none.")
    assert less == 0
    paid = [counts(found(machine, "grouped", equal="MACs", meaning="time")) for machine in FILES]
    words = [f"{more} of {sum((less, more, undecided))}" for less, more, undecided in paid]
    said(f"more time in {words[0]}, {words[1]} and {words[2]}; less in one")
    assert sum(less for less, *_ in paid) == 1


def test_the_verdict_on_depthwise():
    each = [found(machine, "depthwise", **TIME) for machine in FILES]
    assert all(counts(one)[1:] == (0, 0) for one in each)
    measured = "{} of {}, {} of {} and {} of {}".format(*(n for one in each for n in (counts(one)[0], len(one))))
    said(f"At equal shapes it took less time wherever measured, in {measured} comparisons:")
    said(f"{span(each[0] + each[1])} of it on the processors, {span(each[2])} on the GPU")
    paid = [c for machine in FILES for c in found(machine, "depthwise", equal="MACs", meaning="time")]
    said(f"But it always took more time per MAC, and at equal MACs {span(paid, 0)} times as long.")
    assert set(counts(paid)) == {0, len(middles(paid))}
    for machine in FILES:
        less, more, undecided = counts(found(machine, "depthwise", equal="shapes", meaning="time per MAC"))
        assert (less, undecided) == (0, 0) and more


def test_the_verdict_on_separable():
    each = {machine: found(machine, "separable", **TIME) for machine in FILES}
    on_cpus = [counts(each[machine]) for machine in CPUS]
    assert all(rest == [0, 0] for _, *rest in on_cpus)
    said(
        "at equal shapes faster on both processors, in {} of {} and {} of {}.".format(
            *(n for machine in CPUS for n in (counts(each[machine])[0], len(each[machine])))
        )
    )
    said(f"save a processor's time: {span(each['AVX2'] + each['AVX-512'])} of the standard layer's remained.")
    said("On the GPU with 256 images it took less time in channels-last, but not in contiguous.")
    large = {"batch": 256, **TIME}
    assert counts(found("GPU", "separable", memory_format="channels_last", **large)) == (2, 0, 0)
    assert counts(found("GPU", "separable", memory_format="contiguous", **large))[0] == 0
    paid = [counts(found(machine, "separable", equal="MACs", meaning="time")) for machine in FILES]
    assert all((less, undecided) == (0, 0) for less, _, undecided in paid)
    said("At equal MACs it took more time in all {}, {} and {}.".format(*(more for _, more, _ in paid)))


def test_the_summary_is_no_stronger_than_the_counts():
    said("less time on two processors, for grouped, depthwise and separable layers mostly less than in proportion.")
    for machine in CPUS:
        for kind in KINDS:
            less, more, undecided = counts(found(machine, kind, equal="shapes", meaning="time per MAC"))
            assert less == 0 and more > undecided
    said("At equal MACs these were mostly slower.")
    for machine in FILES:
        for kind in KINDS:
            one = counts(found(machine, kind, equal="MACs", meaning="time"))
            assert one[1] > sum(one) / 2


def test_no_verdict_uses_a_noisy_timing():
    for name, rows in ROWS.items():
        noisy = {id(r.timing) for r in rows if isinstance(r, LayerTiming) and r.timing.is_noisy}
        readable = compare_layers([r for r in rows if isinstance(r, LayerTiming) and id(r.timing) not in noisy])
        kept = {c[:4]: c.evidence() for c in readable if c.evidence().outcome != "not measured"}
        for c in COMPARED[name]:
            if c.evidence().outcome != "not measured":
                assert kept[c[:4]] == c.evidence()
        assert noisy


def test_the_families_share_no_run():
    for rows in ROWS.values():
        runs = [{r.timing.measured_at for r in family(rows, layers())} for layers in (equal_shapes, equal_macs)]
        assert not runs[0] & runs[1] and all(runs)


def test_the_numbers_of_the_statements_are_not_all_the_same():
    assert len(set(re.findall(r"\d+ of \d+", PROSE))) > 6
    assert np.isfinite(middles(COMPARED["AVX2"])).all()
