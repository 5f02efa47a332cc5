"""Layers timed under several conditions, compared within a run: with the standard layer, and one thread with two.

A condition is the batch, the layout (memory format), the pass ("forward" or "both": forward and backward) and the
number of threads. Every ratio is taken round by round.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from convlab.measuring.timing import QUARTILES, LayerTiming, Ratio

if TYPE_CHECKING:
    from pandas import DataFrame

BASE = "standard"  # the label of the layer that the others are compared with
ANSWERS = ("less", "more", "open")


class Condition(NamedTuple):
    """What may differ between two timings of one layer."""

    batch: int
    layout: str
    direction: str
    threads: int


def condition(row: LayerTiming) -> Condition:
    """Return the condition under which a layer was timed."""
    timing = row.timing
    return Condition(timing.input_shape[0], timing.memory_format, "both" if timing.grad else "forward", timing.threads)


def split_runs(rows: Iterable) -> list[list[LayerTiming]]:
    """Return the layer timings among the rows, one list for each run."""
    layers = [row for row in rows if isinstance(row, LayerTiming)]
    return [list(run) for _, run in groupby(layers, lambda row: row.timing.measured_at)]


def pick(run: Iterable[LayerTiming], **wanted) -> dict[str, LayerTiming]:
    """Return label → timing for one condition, given by its fields; a field left out has to be the same in all.

    Raises:
        ValueError: no timing has this condition, or the timings left are of more than one.
    """
    found = [row for row in run if all(getattr(condition(row), name) == value for name, value in wanted.items())]
    there = dict.fromkeys(map(condition, found or run))
    if len(there) != 1 or not found:
        listed = "; ".join(", ".join(f"{name}={value!r}" for name, value in one._asdict().items()) for one in there)
        raise ValueError(f"{wanted} fits {'several conditions' if found else 'no condition'}; there are: {listed}")
    return {row.timing.label: row for row in found}


def _each_condition(run):
    for one in dict.fromkeys(map(condition, run)):
        yield one, pick(run, **one._asdict())


def count_table(rows: dict[str, LayerTiming]) -> DataFrame:
    """Return what is counted: channels, MACs, how many times fewer than the standard layer, bytes, MACs per byte."""
    from pandas import DataFrame

    lines = {
        label: {
            "channels": f"{row.layers[0].in_channels} → {row.layers[-1].out_channels}",
            "MACs": f"{row.macs:,}",
            "times fewer": f"{rows[BASE].macs / row.macs:.3g}",
            "bytes": f"{row.bytes_moved:,}",
            "MACs per byte": f"{row.macs_per_byte:.3g}",
        }
        for label, row in rows.items()
    }
    return DataFrame(lines).T


def time_table(rows: dict[str, LayerTiming]) -> DataFrame:
    """Return each layer of one condition beside the standard one; in brackets the middle half of the rounds."""
    from pandas import DataFrame

    base, lines = rows[BASE], {}
    for label, row in rows.items():
        ratio = row.timing.ratio(base.timing)
        lines[label] = {
            "times fewer MACs": f"{base.macs / row.macs:.3g}",
            "times faster": f"{1 / ratio.median:.3g}",
            "% of the time": str(Ratio(*(100 * part for part in ratio))),
            "billion MACs/s": f"{row.macs_per_second / 1e9:.3g}",
        }
    return DataFrame(lines).T


def ratio_grid(*runs: Iterable[LayerTiming]) -> DataFrame:
    """Return the median of time over that of the standard layer: a row for each layer, a column for each condition."""
    from pandas import DataFrame

    columns = {}
    for run in runs:
        for (batch, *rest), rows in _each_condition(run):
            column = columns.setdefault(tuple(rest), {})
            for label, row in rows.items():
                if label != BASE:
                    column[batch, label] = f"{row.timing.ratio(rows[BASE].timing).median:.2f}"
    in_order = sorted(columns, key=lambda rest: (rest[0] != "contiguous", rest[1] != "forward", rest[2]))
    grid = DataFrame({rest: columns[rest] for rest in in_order})
    grid.columns.names, grid.index.names = ["layout", "pass", "threads"], ["batch", ""]
    return grid


def answer(ratios: Iterable[float]) -> str:
    """Say "less" or "more" (than 1) if the middle half of the ratios lies on one side of 1, else "open".

    >>> [answer(ratios) for ratios in ([0.7, 0.8, 0.9, 1.1], [1.1, 1.2, 1.2, 1.3], [0.9, 0.9, 1.1, 1.1])]
    ['less', 'more', 'open']
    """
    low, _, high = np.quantile(list(ratios), QUARTILES)
    return "less" if high < 1 else "more" if low > 1 else "open"


def count_outcomes(labels: Iterable[str], *runs: Iterable[LayerTiming]) -> DataFrame:
    """Return how many conditions and layers answer "less", "more" and "open" to three meanings of "faster".

    "time": time over that of the standard layer. "time per MAC": the same for each MAC. "second thread": time with two
    threads over that with one, over the same ratio of the standard layer; "less" if it helps more than there.
    """
    from pandas import DataFrame

    counts = {}
    for run in runs:
        for one, rows in _each_condition(run):
            for label in labels:
                time = np.divide(rows[label].timing.seconds, rows[BASE].timing.seconds)
                ratios = {"time": time, "time per MAC": time * rows[BASE].macs / rows[label].macs}
                if one.threads == 2:
                    single = pick(run, **one._replace(threads=1)._asdict())
                    alone = np.divide(single[label].timing.seconds, single[BASE].timing.seconds)
                    ratios["second thread"] = time / alone
                for what, found in ratios.items():
                    line = counts.setdefault(what, dict.fromkeys(ANSWERS, 0))
                    line[answer(found)] += 1
    return DataFrame(counts).T
