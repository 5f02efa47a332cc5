"""The exercises of lesson 10: clock readings, the roofline, time per MAC."""

from __future__ import annotations

import numpy as np

from convlab.exercises.choices import Choices
from convlab.exercises.exercise import Exercise

recall_10 = Choices(
    [
        (
            "b",
            {
                "a": "The image has its place in the MACs: each weight works once at every position, and both layers "
                "have as many positions.",
                "b": "Each filter reads an eighth of the channels: an eighth of the weights, and so of the MACs.",
                "c": "The filters stay as many as they were. Only what each of them reads is divided by 8.",
            },
        ),
        (
            "c",
            {
                "a": "That is the depthwise step alone. The pointwise step mixes the channels, and it costs more.",
                "b": "The first step is missing: 1/9 is the pointwise step alone. The two shares are added.",
                "c": "The depthwise step does 1/128 of the MACs, the pointwise step 1/9: together 0.119.",
            },
        ),
        (
            "a",
            {
                "a": "It holds for some conditions, and the reader is not told for which.",
                "b": "That is the word for a number or a statement that a count refutes.",
                "c": "That is for what holds as it is printed, without a condition to add.",
            },
        ),
    ]
)


def call_seconds(readings):
    """Return the time of each call from a clock that is never reset."""
    return np.diff(readings, prepend=0)


# The first calls are slow, the rest uneven, and no two of the usual ways to average give the same number.
READINGS = [9.0, 13.0, 14.0, 16.0, 17.0, 18.5, 23.5]

median_call_seconds = Exercise(
    target=lambda readings, warm_up: float(np.median(call_seconds(readings)[warm_up:])),
    cases=[(READINGS, 2), ([0.5, 0.75, 1.25, 1.375, 2.0], 0), ([8.0, 9.0, 12.0, 17.0, 24.0, 33.0, 35.0, 48.0], 3)],
    mistakes={
        "That is the mean of the readings. Each of them is the time of all calls so far, not of one.": lambda r, w: (
            np.mean(r[w:])
        ),
        "That is the median of the readings. Take their differences first.": lambda r, w: np.median(r[w:]),
        "The warm-up is in it. Leave out the first calls.": lambda r, w: np.median(call_seconds(r)),
        "One call too many is left out. np.diff gives one number less than there are readings, unless you say that "
        "the clock began at 0.": lambda r, w: np.median(np.diff(r)[w:]),
        "The warm-up is cut off before the differences are taken, so the first call that is left has the time of "
        "the whole warm-up.": lambda r, w: np.median(call_seconds(r[w:])),
        "That is the mean of the calls. One slow call pulls it up; wanted the median.": lambda r, w: np.mean(
            call_seconds(r)[w:]
        ),
        "That is all the time over the number of calls: a mean, with the warm-up in it.": lambda r, w: r[-1] / len(r),
        "That is the right number in milliseconds. Wanted seconds, as the clock gives them.": lambda r, w: (
            1000 * np.median(call_seconds(r)[w:])
        ),
        "You return the times of all calls. Take their median.": lambda r, w: call_seconds(r)[w:],
        "That is the shortest call. Wanted the median.": lambda r, w: min(call_seconds(r)[w:]),
    },
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
    cases=[(900, 2400, 90.0, 12.0), (36_000, 820, 90.0, 5.0), (70, 20, 40.0, 11.0), (70, 20, 33.0, 11.0)],
    mistakes={
        "That is the larger of the two limits. The layer has to keep both.": lambda m, b, peak, rate: max(
            peak, rate * m / b
        ),
        "That is always the processor's limit. With few MACs per byte the memory is slower.": lambda m, b, peak, rate: (
            peak
        ),
        "That is the memory's limit alone. With many MACs per byte the processor is slower.": lambda m, b, peak, rate: (
            rate * m / b
        ),
        "The bandwidth is in bytes per second. "
        "It has to be multiplied by MACs per byte before you compare.": lambda m, b, peak, rate: min(peak, rate),
        "The bandwidth is in bytes already, so there are no bits to convert. "
        "It has to be multiplied by MACs per byte.": lambda m, b, peak, rate: min(peak, 8 * rate),
        "The bandwidth is in bytes already, not in bits: leave out the 8.": lambda m, b, peak, rate: min(
            peak, 8 * rate * m / b
        ),
        "The number of bytes is known. A float has 4, and they are counted in it.": lambda m, b, peak, rate: min(
            peak, rate * m / (4 * b)
        ),
        "That multiplies by bytes per MAC. "
        "Bytes per second × MACs per byte = MACs per second.": lambda m, b, peak, rate: min(peak, rate * b / m),
        "That divides the bandwidth by the bytes alone: that is calls per second. "
        "Multiply by the MACs of one.": lambda m, b, peak, rate: min(peak, rate / b),
        "That is 2 FLOPs for each MAC. Here all is in MACs.": lambda m, b, peak, rate: min(peak, 2 * rate * m / b),
        "That adds the time for the MACs and the time for the bytes. "
        "The roofline lets both run at the same time.": lambda m, b, peak, rate: m / (m / peak + b / rate),
        "That is the least time of a call in seconds. Wanted MACs per second.": lambda m, b, peak, rate: max(
            m / peak, b / rate
        ),
    },
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
    mistakes={
        "That is the ratio of two medians. A slow moment meets both layers, "
        "so divide round by round first.": lambda s, m, s2, m2: np.median(s) / np.median(s2) * m2 / m,
        "That is a mean over the rounds. Wanted the median: one disturbed round pulls a mean.": lambda s, m, s2, m2: (
            np.mean(np.divide(s, s2)) * m2 / m
        ),
        "That is the ratio of two means. Divide round by round, then take the median.": lambda s, m, s2, m2: (
            np.mean(s) / np.mean(s2) * m2 / m
        ),
        "That is the ratio of the times alone. "
        "Each layer's time has to be divided by its own MACs.": lambda s, m, s2, m2: np.median(np.divide(s, s2)),
        "The MACs are the wrong way round. "
        "A layer with few MACs and the same time is slow for each MAC.": lambda s, m, s2, m2: (
            np.median(np.divide(s, s2)) * m / m2
        ),
        "That is the inverse: the other layer over the first.": lambda s, m, s2, m2: (
            np.median(np.divide(s2, s)) * m / m2
        ),
        "That is one divided by the ratio. The first layer's time belongs on top.": lambda s, m, s2, m2: (
            1 / slower(s, m, s2, m2)
        ),
        "That is the smallest ratio of the rounds. Wanted the median.": lambda s, m, s2, m2: (
            min(np.divide(s, s2)) * m2 / m
        ),
        "That is the largest ratio of the rounds. Wanted the median.": lambda s, m, s2, m2: (
            max(np.divide(s, s2)) * m2 / m
        ),
        "That compares the shortest round of one with the shortest of the other. They may be of different moments: "
        "divide round by round.": lambda s, m, s2, m2: min(s) / min(s2) * m2 / m,
        "You return one ratio for each round. Take their median.": lambda s, m, s2, m2: np.divide(s, s2) * m2 / m,
        "That is the difference of the times for each MAC. Wanted their ratio.": lambda s, m, s2, m2: np.median(
            np.divide(s, m) - np.divide(s2, m2)
        ),
    },
    hints=[
        "Compare the two layers in one round first: how long does each take for one MAC? Then make one number of all "
        "rounds.",
        "np.divide(seconds, other_seconds) has the ratio of the times, round by round. The MACs are the same in all.",
        "np.median(np.divide(seconds, other_seconds)) * other_macs / macs.",
    ],
    takeaway="An eighth of the MACs in a quarter of the time is less time, and twice the time for each MAC.",
)
