"""Layers that were timed under several conditions: each compared with the standard layer of its run, and judged.

A condition is the batch, the memory format, whether the backward pass was run too, and the number of threads. A ratio
is taken round by round, in one run. A noisy timing is no evidence: what needs it is not measured.

The state of a process, such as where its memory lies, stays as long as it runs. So the rounds of one process agree
better than two processes do, and in a recording of several processes each gives one number, the median of its rounds.
Where there is only one process, its rounds can give a weak rule and no interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import nan
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from convlab.measuring.accuracy import half_interval
from convlab.measuring.timings import QUARTILES, LayerTiming, Peaks, Timing, best_peaks, nearest_peaks
from convlab.wording import percent, plural

BASE = "standard"  # the label of the layer that the others are compared with
KINDS = {
    "grouped": ("2 groups", "4 groups", "8 groups", "32 groups"),
    "depthwise": ("depthwise",),
    "separable": ("separable",),
}
MEANINGS = ("time", "time per MAC", "second thread")
OUTCOMES = ("less", "more", "open", "not measured")
MIN_PROCESSES = 5  # fewer give no interval worth the name


class Condition(NamedTuple):
    """What was fixed while a layer was timed."""

    batch: int
    memory_format: str
    backward: bool
    threads: int


class Evidence(NamedTuple):
    """A ratio to the standard layer: its middle, its interval, and the outcome, one of `OUTCOMES`."""

    middle: float
    low: float
    high: float
    outcome: str

    def __str__(self) -> str:
        return "" if self.outcome == OUTCOMES[-1] else f"{self.middle:.3g} ({self.low:.3g} to {self.high:.3g})"


class Comparison(NamedTuple):
    """A layer beside the standard one, in one meaning of "faster", under one condition.

    `equal` says what the two have in common, "shapes" or "MACs". `ratios` has for each process in which no timing was
    noisy the ratios of its rounds, `processes` is how many there were.

    The meanings: "time", "time per MAC", and "second thread": the time with two threads over that with one, where less
    means that the second thread helps more. At equal MACs the first two are the same, and only the first is there.
    """

    label: str
    equal: str
    condition: Condition
    meaning: str
    ratios: tuple[tuple[float, ...], ...]
    processes: int

    def evidence(self, comparisons: int = 1) -> Evidence:
        """Return what the ratios say of 1: "less" or "more" if the interval lies on one side of it, else "open".

        Args:
            comparisons: how many the interval is corrected for, so that with 95 % none of all is wrong (Bonferroni).

        From one process: the middle half of its rounds, whatever `comparisons`, which is a weak rule. From five and
        more: `interval` of the medians of their rounds. From fewer: not measured.
        """
        if len(self.ratios) < (MIN_PROCESSES if self.processes > 1 else 1):
            return Evidence(nan, nan, nan, "not measured")
        if self.processes == 1:
            low, middle, high = np.quantile(self.ratios[0], QUARTILES).tolist()
        else:
            middle, low, high = interval([np.median(rounds) for rounds in self.ratios], comparisons)
        return Evidence(middle, low, high, "less" if high < 1 else "more" if low > 1 else "open")


def interval(ratios: Iterable[float], comparisons: int = 1) -> tuple[float, float, float]:
    """Return the geometric mean of ratios, one of each process, and the ends of its interval at 1 − 0.05/comparisons.

    It is Student's t interval of the logarithms, not a bootstrap: of five or six numbers a bootstrap of 95 % holds the
    true mean only about 85 times in 100, and it cannot say what happens once in a thousand times.

    >>> [round(number, 3) for number in interval([0.5, 0.5, 0.5, 0.5, 0.5])]
    [0.5, 0.5, 0.5]
    >>> [round(number, 2) for number in interval([0.4, 0.5, 0.625, 0.5, 0.5], comparisons=10)]
    [0.5, 0.34, 0.74]
    """
    logs = np.log([*ratios])
    middle, half = logs.mean(), half_interval(logs, 1 - 0.05 / comparisons)
    return tuple(float(np.exp(end)) for end in (middle, middle - half, middle + half))


def _condition(row):
    timing = row.timing
    return Condition(timing.input_shape[0], timing.memory_format, timing.backward, timing.threads)


def _layers(rows):
    """Return the layer timings among rows of one source."""
    layers = [row for row in rows if isinstance(row, LayerTiming)]
    if len(sources := {row.source for row in layers}) > 1:
        raise ValueError(f"the timings are of {len(sources)} sources, {sorted(sources)}; wanted those of one")
    return layers


def _equal(row, base):
    """Return what a layer and the standard one have in common."""
    shapes = [(r.timing.input_shape, r.cost.total.output_shape) for r in (row, base)]
    return "shapes" if shapes[0] == shapes[1] else "MACs" if row.macs == base.macs else ""


def _rounds(one, two, noisy=False):
    """Return the ratios of two timings round by round, none if one of them is noisy."""
    return () if not noisy and (one.is_noisy or two.is_noisy) else tuple(np.divide(one.seconds, two.seconds).tolist())


def compare_layers(rows: Iterable, noisy: bool = False) -> list[Comparison]:
    """Return every comparison with the standard layer that the rows of one source allow.

    Args:
        noisy: whether noisy timings count too, to see what leaving them out has done.

    Raises:
        ValueError: timings of several sources.
    """
    rows, runs = _layers(rows), {}
    processes = len({row.timing.process for row in rows})
    for row in rows:
        runs.setdefault(row.timing.measured_at, {}).setdefault(_condition(row), {})[row.timing.label] = row
    found = {}
    for run in runs.values():
        for condition, layers in run.items():
            for label, row in layers.items():
                if label != BASE and BASE in layers:
                    for meaning, ratios in _meanings(run, condition, label, noisy):
                        key = label, _equal(row, layers[BASE]), condition, meaning
                        found.setdefault(key, []).extend([tuple(ratios.tolist())] if ratios.size else [])
    return [Comparison(*key, tuple(ratios), processes) for key, ratios in found.items()]


def _meanings(run, condition, label, noisy):
    """Yield each meaning that one run has of a layer, with the ratios of its rounds, none where a timing is noisy."""
    row, base = run[condition][label], run[condition][BASE]
    time = np.array(_rounds(row.timing, base.timing, noisy))
    yield "time", time
    if row.macs != base.macs:
        yield "time per MAC", time * base.macs / row.macs
    one = run.get(condition._replace(threads=1), {})
    if condition.threads == 2 and {label, BASE} <= one.keys():
        alone = np.array(_rounds(one[label].timing, one[BASE].timing, noisy))
        yield "second thread", time / alone if time.size and alone.size else time[:0]


def tally(outcomes: Iterable[str]) -> str:
    """Count outcomes in words, the most frequent first; what was not measured, a blank, is in brackets.

    >>> tally(["open", "less", "less", "not measured"])
    'less 2 of 3, open 1 (1 blank)'
    >>> tally(["more", "more"]), tally(["not measured"]), tally([])
    ('more 2 of 2', '(1 blank)', '')
    """
    counts = Counter(outcomes)
    blank = counts.pop("not measured", 0)
    said = [f"{outcome} {count}" for outcome, count in counts.most_common()]
    said[:1] = [f"{first} of {counts.total()}" for first in said[:1]]
    return " ".join(filter(None, [", ".join(said), f"({blank} blank)" * bool(blank)]))


def outcomes(comparisons: Iterable[Comparison], corrected_for: int = 1, **wanted) -> list[str]:
    """Return the outcomes of the comparisons that have the wanted fields, or fields of their condition.

    `label` may be a kind, one of `KINDS`, such as "grouped".
    """
    labels = KINDS.get(wanted.get("label"), (wanted.get("label"),))
    wanted = {name: value for name, value in wanted.items() if name != "label"}
    return [
        found.evidence(corrected_for).outcome
        for found in comparisons
        if found.label in labels or labels == (None,)
        if all(({**found._asdict(), **found.condition._asdict()})[name] == value for name, value in wanted.items())
    ]


def verdict_table(machines: Mapping[str, Iterable[Comparison]], corrected: bool = False) -> DataFrame:
    """Return how often each kind of layer is less and more than the standard one, in words: a column for each machine.

    Args:
        machines: name → the comparisons of one source.
        corrected: whether the intervals are corrected for the number of comparisons in their column; those of one
            process cannot be.
    """
    columns = {}
    for name, compared in machines.items():
        compared = [found for found in compared if any(found.label in labels for labels in KINDS.values())]
        columns[name] = {
            (kind, f"equal {equal}", meaning): tally(
                outcomes(compared, len(compared) if corrected else 1, label=kind, equal=equal, meaning=meaning)
            )
            for kind in KINDS
            for equal in ("shapes", "MACs")
            for meaning in MEANINGS
        }
    frame = DataFrame(columns).rename_axis(["layer", "at", "ratio of"])
    return frame[(frame != "").any(axis="columns")]


def pick(rows: Iterable, **wanted) -> dict[str, LayerTiming]:
    """Return label → timing for one condition; the rounds of several processes are put in a row.

    Args:
        rows: of one source; what is no LayerTiming is left out.
        wanted: fields of the condition; one left out has to be the same in all.

    Raises:
        ValueError: no timing has this condition, or the timings left are of more than one, or of two families.
    """
    rows = _layers(rows)
    fits = [row for row in rows if all(getattr(_condition(row), name, None) == wanted[name] for name in wanted)]
    there = dict.fromkeys(map(_condition, fits or rows))
    if not fits or len(there) != 1:
        listed = "; ".join(", ".join(f"{k}={v!r}" for k, v in one._asdict().items()) for one in there)
        raise ValueError(f"{wanted} fits {'several conditions' if fits else 'no condition'}; there are: {listed}")
    found = {}
    for row in fits:
        found.setdefault(row.timing.label, []).append(row)
    for label, same in found.items():
        if len({row.layers for row in same}) > 1:
            raise ValueError(f"{label!r} is two layers here; wanted the layers of one family, such as {same[0].layers}")
    return {label: _pooled(same) for label, same in found.items()}


def _pooled(rows):
    """Return one timing with the rounds of all."""
    first, seconds = rows[0], [seconds for row in rows for seconds in row.timing.seconds]
    return LayerTiming(first.layers, replace(first.timing, seconds=tuple(seconds)))


def family(rows: Iterable, layers: Mapping) -> list[LayerTiming]:
    """Return the timings of the runs whose standard layer is that of a family: label → (layers, input shape)."""
    rows, base = [row for row in rows if isinstance(row, LayerTiming)], tuple(layers[BASE][0])
    runs = {row.timing.measured_at for row in rows if (row.timing.label, row.layers) == (BASE, base)}
    return [row for row in rows if row.timing.measured_at in runs]


def layer_table(machines: Mapping[str, Iterable], **condition) -> DataFrame:
    """Return what is counted of each layer, and how many times faster than the standard one each machine ran it.

    In brackets is the interval of the evidence; a cell is blank where a timing was too noisy.

    Args:
        machines: name → rows of one family; those of the first are counted.
        condition: as for `pick`.
    """
    counted = pick(next(iter(machines.values())), **condition)
    lines = {
        label: {
            "channels": f"{row.layers[0].in_channels} → {row.layers[-1].out_channels}",
            "MACs": f"{row.macs:,}",
            "times fewer": f"{counted[BASE].macs / row.macs:.3g}",
            "MACs per byte": f"{row.macs_per_byte:.3g}",
        }
        for label, row in counted.items()
    }
    for name, rows in machines.items():
        rows = [row for row in rows if all(getattr(_condition(row), key) == condition[key] for key in condition)]
        for found in compare_layers(rows):
            if found.meaning == "time":
                middle, low, high, outcome = found.evidence()
                lines[found.label][f"faster, {name}"] = str(Evidence(1 / middle, 1 / high, 1 / low, outcome))
        lines[BASE][f"faster, {name}"] = "1"
    return DataFrame(lines).T.fillna("").rename_axis("layer")


def compare_networks(rows: Iterable, base: str) -> list[Comparison]:
    """Return the comparisons of whole networks, the timings among the rows that are of no layer, with one of them."""
    timings = [row for row in rows if isinstance(row, Timing)]
    processes, found, bases = len({timing.process for timing in timings}), {}, {}
    for timing in timings:
        condition = Condition(timing.input_shape[0], timing.memory_format, timing.backward, timing.threads)
        if timing.label == base:
            bases[timing.measured_at, condition] = timing
        else:
            found.setdefault((timing.label, condition), []).append(timing)
    return [
        Comparison(label, "shapes", condition, "time", tuple(filter(None, ratios)), processes)
        for (label, condition), same in found.items()
        for ratios in [[_rounds(timing, bases[timing.measured_at, condition]) for timing in same]]
    ]


def roof_table(rows: Iterable, peaks: Iterable[Peaks], label: str) -> DataFrame:
    """Return what a layer reached in the best of all rounds, forward alone: bytes per second, and a share of its roof.

    A disturbance makes a call longer, so the best round says what was possible, also where the median is noisy. The
    bytes are those of `LayerTiming.bytes_moved`. Without a copy of its size among the peaks there is no fair roof, and
    the share is blank.
    """
    peaks, found = best_peaks(peaks), {}
    for row in _layers(rows):
        if row.timing.label == label and not row.timing.backward:
            roof, best = nearest_peaks(row, peaks), min(row.timing.seconds)
            share = row.macs / best / roof.roof(row.macs_per_byte) if roof else nan
            found.setdefault(_condition(row), []).append((row.bytes_moved / best, share))
    lines = {
        (plural(c.batch, "image"), c.memory_format.replace("_", "-"), plural(c.threads, "thread")): {
            "billion bytes/s": f"{rate / 1e9:,.1f}",
            "share of the roof": percent(share, 2) if share == share else "",
        }
        for c, (rate, share) in ((c, max(rounds)) for c, rounds in found.items())
    }
    return DataFrame(lines).T.rename_axis(["images", "layout", "threads"])
