"""The exercises of lesson 08: clock readings, the roofline, time per MAC."""

from __future__ import annotations

import numpy as np

from convlab.exercises.exercise import Exercise, Mistake


def call_seconds(readings):
    """Return the time of each call from a clock that is never reset."""
    return np.diff(readings, prepend=0)


# The first calls are slow, the rest uneven, and no two of the usual ways to average give the same number.
READINGS = [9.0, 13.0, 14.0, 16.0, 17.0, 18.5, 23.5]

median_call_seconds = Exercise(
    target=lambda readings, warm_up: float(np.median(call_seconds(readings)[warm_up:])),
    cases=[(READINGS, 2), ([0.5, 0.75, 1.25, 1.375, 2.0], 0), ([8.0, 9.0, 12.0, 17.0, 24.0, 33.0, 35.0, 48.0], 3)],
    mistakes=[
        Mistake(
            "That is the mean of the readings. Each of them is the time of all calls so far, not of one.",
            lambda readings, warm_up: np.mean(readings[warm_up:]),
        ),
        Mistake(
            "That is the mean of all readings, the warm-up too. A reading is the time of all calls so far.",
            lambda readings, warm_up: np.mean(readings),
        ),
        Mistake(
            "That is the median of the readings. Take their differences first.",
            lambda readings, warm_up: np.median(readings[warm_up:]),
        ),
        Mistake(
            "That is the median of all readings, the warm-up too. Take their differences first.",
            lambda readings, warm_up: np.median(readings),
        ),
        Mistake(
            "The warm-up is in it. Leave out the first calls.",
            lambda readings, warm_up: np.median(call_seconds(readings)),
        ),
        Mistake(
            "One call too many is left out. np.diff gives one number less than there are readings, unless you say that "
            "the clock began at 0.",
            lambda readings, warm_up: np.median(np.diff(readings)[warm_up:]),
        ),
        Mistake(
            "The warm-up is cut off before the differences are taken, so the first call that is left has the time of "
            "the whole warm-up.",
            lambda readings, warm_up: np.median(call_seconds(readings[warm_up:])),
        ),
        Mistake(
            "That is the mean of the calls. One slow call pulls it up; wanted the median.",
            lambda readings, warm_up: np.mean(call_seconds(readings)[warm_up:]),
        ),
        Mistake(
            "That is all the time over the number of calls: a mean, with the warm-up in it.",
            lambda readings, warm_up: readings[-1] / len(readings),
        ),
        Mistake(
            "That is the right number in milliseconds. Wanted seconds, as the clock gives them.",
            lambda readings, warm_up: 1000 * np.median(call_seconds(readings)[warm_up:]),
        ),
        Mistake(
            "You return the times of all calls. Take their median.",
            lambda readings, warm_up: call_seconds(readings)[warm_up:],
        ),
        Mistake(
            "That is the shortest call. Wanted the median.",
            lambda readings, warm_up: min(call_seconds(readings)[warm_up:]),
        ),
    ],
    hints=[
        "First make a list of the time of each call: a reading minus the one before it. And the first call?",
        "np.diff(readings, prepend=0) has one number for each call. Leave out the first warm_up of them.",
        "np.median(np.diff(readings, prepend=0)[warm_up:]).",
    ],
    takeaway="Differences first, then no warm-up, then the median.",
)


def roof(macs, bytes_moved, peak, bandwidth):
    """Return the most MACs per second that processor and memory allow."""
    return min(peak, bandwidth * macs / bytes_moved)


attainable_macs_per_second = Exercise(
    target=roof,
    cases=[(900, 800, 90.0, 12.0), (36_000, 820, 90.0, 12.0), (70, 20, 40.0, 11.0), (70, 20, 33.0, 11.0)],
    mistakes=[
        Mistake(
            "That is the larger of the two limits. The layer has to keep both.",
            lambda macs, size, peak, bandwidth: max(peak, bandwidth * macs / size),
        ),
        Mistake(
            "That is the processor's limit alone. With few MACs per byte the memory is slower.",
            lambda macs, size, peak, bandwidth: peak,
        ),
        Mistake(
            "That is the memory's limit alone. With many MACs per byte the processor is slower.",
            lambda macs, size, peak, bandwidth: bandwidth * macs / size,
        ),
        Mistake(
            "The bandwidth is in bytes per second. It has to be multiplied by MACs per byte before you compare.",
            lambda macs, size, peak, bandwidth: min(peak, bandwidth),
        ),
        Mistake(
            "That multiplies by bytes per MAC. Bytes per second × MACs per byte = MACs per second.",
            lambda macs, size, peak, bandwidth: min(peak, bandwidth * size / macs),
        ),
        Mistake(
            "That divides the bandwidth by the bytes alone: that is calls per second. Multiply by the MACs of one.",
            lambda macs, size, peak, bandwidth: min(peak, bandwidth / size),
        ),
        Mistake(
            "That is 2 FLOPs for each MAC. Here all is in MACs.",
            lambda macs, size, peak, bandwidth: min(peak, 2 * bandwidth * macs / size),
        ),
        Mistake(
            "That adds the time for the MACs and the time for the bytes. The roofline lets both run at the same time.",
            lambda macs, size, peak, bandwidth: macs / (macs / peak + size / bandwidth),
        ),
        Mistake(
            "That is the least time of a call in seconds. Wanted MACs per second.",
            lambda macs, size, peak, bandwidth: max(macs / peak, size / bandwidth),
        ),
        Mistake(
            "That adds the two limits. The smaller one decides.",
            lambda macs, size, peak, bandwidth: peak + bandwidth * macs / size,
        ),
    ],
    hints=[
        "There are two limits, in MACs per second. The layer has to keep both, so the smaller one counts.",
        "The memory's limit: bytes per second × MACs per byte.",
        "min(peak, bandwidth * macs / bytes_moved).",
    ],
    takeaway="The smaller limit decides: few MACs per byte, and the memory does.",
)


def slower(seconds, macs, other_seconds, other_macs):
    """Return the ratio of the times for each MAC, the median of the rounds."""
    return float(np.median(np.divide(seconds, other_seconds))) * other_macs / macs


slowdown_per_mac = Exercise(
    target=slower,
    cases=[
        ([3.0, 8.0, 5.0, 4.0], 100, [10.0, 16.0, 25.0, 8.0], 800),
        ([2.0, 9.0, 4.0], 640, [1.0, 6.0, 7.0], 70),
    ],
    mistakes=[
        Mistake(
            "That is the ratio of two medians. A slow moment meets both layers, so divide round by round first.",
            lambda seconds, macs, others, other_macs: np.median(seconds) / np.median(others) * other_macs / macs,
        ),
        Mistake(
            "That is a mean over the rounds. Wanted the median: one disturbed round pulls a mean.",
            lambda seconds, macs, others, other_macs: np.mean(np.divide(seconds, others)) * other_macs / macs,
        ),
        Mistake(
            "That is the ratio of two means. Divide round by round, then take the median.",
            lambda seconds, macs, others, other_macs: np.mean(seconds) / np.mean(others) * other_macs / macs,
        ),
        Mistake(
            "That is the ratio of the times alone. Each layer's time has to be divided by its own MACs.",
            lambda seconds, macs, others, other_macs: np.median(np.divide(seconds, others)),
        ),
        Mistake(
            "The MACs are the wrong way round. A layer with few MACs and the same time is slow for each MAC.",
            lambda seconds, macs, others, other_macs: np.median(np.divide(seconds, others)) * macs / other_macs,
        ),
        Mistake(
            "That is the inverse: the other layer over the first.",
            lambda seconds, macs, others, other_macs: np.median(np.divide(others, seconds)) * macs / other_macs,
        ),
        Mistake(
            "The times are inverted, the MACs are not. Wanted seconds / macs of the first over that of the other.",
            lambda seconds, macs, others, other_macs: np.median(np.divide(others, seconds)) * other_macs / macs,
        ),
        Mistake(
            "You return one ratio for each round. Take their median.",
            lambda seconds, macs, others, other_macs: np.divide(seconds, others) * other_macs / macs,
        ),
        Mistake(
            "That is the time for each MAC of the first layer alone. Divide it by that of the other.",
            lambda seconds, macs, others, other_macs: np.median(seconds) / macs,
        ),
        Mistake(
            "That is the difference of the times for each MAC. Wanted their ratio.",
            lambda seconds, macs, others, other_macs: np.median(
                np.divide(seconds, macs) - np.divide(others, other_macs)
            ),
        ),
    ],
    hints=[
        "In one round: the first layer's seconds / macs, over the other's seconds / macs.",
        "np.divide(seconds, other_seconds) has the ratio of the times, round by round. The MACs are the same in all.",
        "np.median(np.divide(seconds, other_seconds)) * other_macs / macs.",
    ],
    takeaway="An eighth of the MACs in a quarter of the time is less time, and twice the time for each MAC.",
)
