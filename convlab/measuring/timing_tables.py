"""Tables of layers that were timed under several conditions, each compared with the standard layer of its run.

A condition is the batch, the memory format, whether the backward pass was run too, and the number of threads. Every
ratio is taken round by round.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import numpy as np
from pandas import Categorical, DataFrame

from convlab.measuring.timings import QUARTILES, LayerTiming, Ratio

BASE = "standard"  # the label of the layer that the others are compared with
CONDITION = ["batch", "memory_format", "backward", "threads"]
FORMATS = ["contiguous", "channels_last", "strided"]  # in the order of the tables
OUTCOMES = ["less", "more", "open"]


def split_runs(rows: Iterable) -> list[list[LayerTiming]]:
    """Return the layer timings among the rows, one list for each run."""
    layers = [row for row in rows if isinstance(row, LayerTiming)]
    return [list(run) for _, run in groupby(layers, lambda row: row.timing.measured_at)]


def condition_frame(rows: Iterable[LayerTiming]) -> DataFrame:
    """Return a line for each timing: its run, its condition, its label, and the timing itself in the column "row"."""
    rows = list(rows)
    timings = [row.timing for row in rows]
    labels = list(dict.fromkeys(timing.label for timing in timings))  # tables keep the order of the run
    return DataFrame(
        {
            "run": [timing.measured_at for timing in timings],
            "label": Categorical([timing.label for timing in timings], labels),
            "batch": [timing.input_shape[0] for timing in timings],
            "memory_format": Categorical([timing.memory_format for timing in timings], FORMATS),
            "backward": [timing.backward for timing in timings],
            "threads": [timing.threads for timing in timings],
            "row": rows,
        }
    )


def pick(rows: Iterable[LayerTiming], **wanted) -> dict[str, LayerTiming]:
    """Return label → timing for one condition, given by its fields; a field left out has to be the same in all.

    Raises:
        ValueError: no timing has this condition, or the timings left are of more than one.
    """
    frame = condition_frame(rows)
    is_wanted = [
        all(getattr(line, name, None) == value for name, value in wanted.items()) for line in frame.itertuples()
    ]
    found = frame[is_wanted]
    there = (frame if found.empty else found)[CONDITION].drop_duplicates()
    if found.empty or len(there) != 1:
        listed = "; ".join(", ".join(f"{k}={v!r}" for k, v in one.items()) for one in there.to_dict("records"))
        raise ValueError(
            f"{wanted} fits {'no condition' if found.empty else 'several conditions'}; there are: {listed}"
        )
    return dict(zip(found.label, found.row))


def count_table(rows: dict[str, LayerTiming]) -> DataFrame:
    """Return what is counted: channels, MACs, how many times fewer than the standard layer, bytes, MACs per byte."""
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
    return DataFrame(lines).T.rename_axis("layer")


def time_table(rows: dict[str, LayerTiming]) -> DataFrame:
    """Return each layer of one condition beside the standard one; in brackets the middle half of the rounds."""
    base, lines = rows[BASE], {}
    for label, row in rows.items():
        ratio = row.timing.ratio(base.timing)
        lines[label] = {
            "times fewer MACs": f"{base.macs / row.macs:.3g}",
            "times faster": f"{1 / ratio.median:.3g}",
            "% of the time": str(Ratio(*(100 * part for part in ratio))),
            "billion MACs/s": f"{row.macs_per_second / 1e9:.3g}",
        }
    return DataFrame(lines).T.rename_axis("layer")


def _compared(rows):
    """Return the lines of the layers that are not the standard one, with their ratios to it, round by round."""
    frame = condition_frame(rows)
    is_base = frame.label == BASE
    both = frame[~is_base].merge(frame[is_base], on=["run", *CONDITION], suffixes=("", "_base"))
    pairs = list(zip(both.row, both.row_base))
    both["time"] = [np.divide(row.timing.seconds, base.timing.seconds) for row, base in pairs]
    both["time per MAC"] = [time * base.macs / row.macs for time, (row, base) in zip(both.time, pairs)]
    return both


def ratio_grid(*runs: Iterable[LayerTiming]) -> DataFrame:
    """Return the median of time over that of the standard layer: a row for each layer, a column for each condition."""
    frame = _compared(row for run in runs for row in run)
    frame["median"] = frame.time.map(np.median)
    grid = frame.pivot(index=["batch", "label"], columns=["memory_format", "backward", "threads"], values="median")
    grid = grid.sort_index().sort_index(axis="columns")
    return grid.map("{:.2f}".format, na_action="ignore").rename_axis(index={"label": "layer"})


def outcome(ratios: Iterable[float]) -> str:
    """Say "less" or "more" (than 1) if the middle half of the ratios lies on one side of 1, else "open".

    >>> [outcome(ratios) for ratios in ([0.7, 0.8, 0.9, 1.1], [1.1, 1.2, 1.2, 1.3], [0.9, 0.9, 1.1, 1.1])]
    ['less', 'more', 'open']
    """
    low, _, high = np.quantile(list(ratios), QUARTILES)
    return "less" if high < 1 else "more" if low > 1 else "open"


def count_outcomes(labels: Iterable[str], *runs: Iterable[LayerTiming]) -> DataFrame:
    """Return how many conditions and layers answer "less", "more" and "open" to three meanings of "faster".

    "time": time over that of the standard layer. "time per MAC": the same for each MAC. "second thread": time with two
    threads over that with one, over the same ratio of the standard layer; "less" if it helps more than there.
    """
    frame = _compared(row for run in runs for row in run)
    frame = frame[frame.label.isin(list(labels))]
    one, two = (
        frame[frame.threads == threads].set_index(["run", "batch", "memory_format", "backward", "label"]).time
        for threads in (1, 2)
    )
    ratios = {"time": frame["time"], "time per MAC": frame["time per MAC"], "second thread": two / one[two.index]}
    counts = {meaning: found.map(outcome).value_counts() for meaning, found in ratios.items() if len(found)}
    return DataFrame(counts, index=OUTCOMES).fillna(0).astype(int).T.rename_axis("meaning")
