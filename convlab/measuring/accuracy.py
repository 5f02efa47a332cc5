"""What a network learned: its accuracy in several runs, beside what it costs, and how sure a difference is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


def half_interval(numbers, level: float = 0.95) -> float:
    """Return half the interval of the mean of two numbers or more: t·s/√n, by default the 95 % interval.

    s is their standard deviation. Student's distribution with n − 1 degrees of freedom is between −t and t with the
    probability `level`.

    >>> round(half_interval([1, 2, 3]), 2), round(half_interval([1, 2, 3], level=0.995), 2)
    (2.48, 8.13)
    """
    from scipy.special import stdtrit  # a quarter of a second; only who compares waits for it

    n = len(numbers)
    return float(stdtrit(n - 1, (1 + level) / 2) * np.std(numbers, ddof=1) / np.sqrt(n))


class Difference(NamedTuple):
    """How much more accurate one network is than another, in percentage points: mean and interval of the mean."""

    mean: float
    low: float
    high: float

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves out zero: the runs show which of the two is more accurate."""
        return self.low > 0 or self.high < 0

    def outcome(self, margin: float) -> str:
        """Say what the interval shows, if a loss of up to `margin` points does not matter.

        >>> [Difference(0, *ends).outcome(1) for ends in ((0.1, 2), (-2, -0.1), (-0.9, 2), (-1.1, 2))]
        ['better', 'worse', 'within the margin', 'open']
        """
        if self.is_shown:
            return "better" if self.low > 0 else "worse"
        return "within the margin" if self.low > -margin else "open"

    def __str__(self) -> str:
        return f"{self.mean:+.2f} points ({self.low:+.2f} to {self.high:+.2f})"


@dataclass(frozen=True)
class Accuracy:
    """The accuracies of one network, trained anew from each seed, and its costs for one image.

    A seed fixes the images held out, the first weights and the order of training. An accuracy is the share of the
    held-out images that are classified right: 0.98 is 98 %.

    Raises:
        ValueError: not one accuracy for each seed, or none at all.
    """

    label: str
    params: int
    macs: int
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    epochs: int
    torch_version: str
    source: str = "live"

    def __post_init__(self):
        if not self.seeds or len(self.seeds) != len(self.accuracies):
            raise ValueError(
                f"{self.label!r} has {len(self.accuracies)} accuracies for the seeds {self.seeds}; "
                "wanted one for each seed, and one at least"
            )

    @property
    def mean(self) -> float:
        """The mean of the accuracies."""
        return float(np.mean(self.accuracies))

    @property
    def spread(self) -> float:
        """The standard deviation of one run, estimated from these; not a number for one run alone."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else float("nan")

    def error_points(self, share: float) -> float:
        """Return what so large a share more errors is in percentage points: the margin of a comparison with this.

        >>> round(Accuracy("net", 0, 0, (0,), (0.92,), 1, "").error_points(0.25), 6)  # a quarter of 8 %
        2.0
        """
        return share * 100 * (1 - self.mean)

    def difference(self, other: Accuracy, level: float = 0.95) -> Difference:
        """Return how much more accurate this is than `other`, in percentage points, paired seed by seed.

        The interval is the mean ± `half_interval` of the differences.

        Raises:
            ValueError: the two were not trained from the same seeds, two at least, on the same machine. What is not
                recorded counts as of this machine if the epochs and the version of torch are the same too.

        >>> one = Accuracy("one", 0, 0, (0, 1, 2), (0.95, 0.97, 0.96), 1, "")
        >>> print(one.difference(Accuracy("other", 0, 0, (0, 1, 2), (0.94, 0.95, 0.93), 1, "")))
        +2.00 points (-0.48 to +4.48)
        """
        here = not any(row.source.startswith("recorded") for row in (self, other))
        here &= (self.epochs, self.torch_version) == (other.epochs, other.torch_version)
        same = self.seeds == other.seeds and (self.source == other.source or here)
        if not same or len(self.seeds) < 2:
            raise ValueError(
                f"{self.label!r} has seeds {self.seeds}, {self.source}, and {other.label!r} {other.seeds}, "
                f"{other.source}; wanted the same for both, and two seeds at least"
            )
        points = 100 * np.subtract(self.accuracies, other.accuracies)
        mean, half = float(points.mean()), half_interval(points, level)
        return Difference(mean, mean - half, mean + half)
