"""What was timed: a function, a layer beside its exact counts, a machine.

Only seconds are measured. MACs and bytes are counted from the layers. A result says where it is from: "live",
measured in this run, or recorded, with the date and the processor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from math import log2, nan
from typing import NamedTuple

import numpy as np

from convlab.cost import memory_bytes
from convlab.counting import chain_cost_table, named_layers
from convlab.spec import ConvSpec
from convlab.table import CostTable
from convlab.wording import plural

MIN_REPEATS = 4  # fewer have no quartiles
QUARTILES = (0.25, 0.5, 0.75)


class Ratio(NamedTuple):
    """How many times as long one function takes as another: median, lower and upper quartile of the rounds.

    Of a timing that has no round all three are nan, and the text is empty.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})" if self.median == self.median else ""


@dataclass(frozen=True, repr=False, kw_only=True)
class Timing:
    """The seconds that one call took in each repeat, and the conditions that were fixed while it was timed.

    Shape and memory format are those of the first tensor among the arguments; device and dtype too, or else those of
    the module's weights. They are empty where no tensor can be seen. `backward` says whether gradients were recorded,
    for a job that runs the backward pass too. `measured_at` names the run, `process` the process of a recording that
    was made in several, from 1.
    """

    label: str
    seconds: tuple[float, ...]
    calls_per_repeat: int
    threads: int
    backward: bool
    device: str
    dtype: str
    memory_format: str
    input_shape: tuple[int, ...]
    torch_version: str
    measured_at: str
    spread: float = 0.1
    source: str = "live"
    process: int = 0

    @property
    def median(self) -> float:
        """The median of the repeats, in seconds a call; nan if the time was up before the first."""
        return float(np.median(self.seconds)) if self.seconds else nan

    @property
    def iqr(self) -> float:
        """The interquartile range in seconds: how far apart the middle half of the repeats lies."""
        return float(np.subtract(*np.quantile(self.seconds, (0.75, 0.25)))) if self.seconds else nan

    @cached_property
    def is_noisy(self) -> bool:
        """Whether the interquartile range is above `spread` × the median, or there are fewer than 4 repeats."""
        return len(self.seconds) < MIN_REPEATS or self.iqr > self.spread * self.median

    def ratio(self, other: Timing) -> Ratio:
        """Return how many times as long as `other` this took, round by round.

        Raises:
            ValueError: the two were not timed in turns, in one run.
        """
        if (self.measured_at, self.source) != (other.measured_at, other.source):
            raise ValueError(f"{self.label!r} and {other.label!r} are of two runs; wanted both in one compare(…)")
        if not self.seconds:
            return Ratio(nan, nan, nan)
        low, median, high = np.quantile(np.divide(self.seconds, other.seconds), QUARTILES).tolist()
        return Ratio(median, low, high)

    def __repr__(self) -> str:
        if not self.seconds:
            return f"{self.label}: not timed, the time was up before"
        what = self.device, self.dtype, self.memory_format, "×".join(map(str, self.input_shape))
        parts = [
            f"{self.label}: {1000 * self.median:.3g} ms",
            f"IQR {self.iqr / self.median:.1%} of it (wanted at most {self.spread:.0%})",
            f"{len(self.seconds)} repeats of {self.calls_per_repeat:,}",
            f"{plural(self.threads, 'thread')}, with{'' if self.backward else 'out'} gradient",
            *filter(None, what),
            f"torch {self.torch_version}, {self.source}",
        ]
        return "too noisy to read: " * self.is_noisy + ", ".join(parts)


@dataclass(frozen=True)
class LayerTiming:
    """The time of one layer, or of a chain of them, with the counts for the batch that was timed.

    A timing with `backward` is one of both passes. The backward pass makes two more products of the same size,
    the gradients of the input and of the weights; each of the three reads two of input, weights and output and writes
    the third. So MACs and bytes are three times those of the forward alone.

    Raises: what `cost_table` raises if the timed input does not fit the layers.
        ValueError: a timing of an input that was not seen.
    """

    layers: tuple[ConvSpec, ...]
    timing: Timing

    def __post_init__(self):
        object.__setattr__(self, "layers", as_specs(self.layers))
        if not self.timing.input_shape:
            raise ValueError(f"{self.timing!r}; wanted a layer timed as (module, input)")
        _ = self.cost  # raises where the layers do not fit

    @property
    def products(self) -> int:
        """How many products of the layer's size one call makes: 1 forward, 3 with the backward pass."""
        return 3 if self.timing.backward else 1

    @property
    def source(self) -> str:
        """`"live"`, or when and where it was recorded."""
        return self.timing.source

    @cached_property
    def cost(self) -> CostTable:
        """The exact costs of the forward, layer by layer."""
        return chain_cost_table(self.layers, self.timing.input_shape)

    @property
    def macs(self) -> int:
        """The exact MACs of one call."""
        return self.products * self.cost.total.macs

    @property
    def bytes_moved(self) -> int:
        """The bytes of each layer's input, parameters and output, if every byte moves once in each product."""
        shapes = [self.timing.input_shape, *(row.output_shape for row in self.cost.rows)]
        item_bytes = np.dtype(self.timing.dtype.replace("bfloat", "float")).itemsize
        once = sum(memory_bytes(spec, shape, item_bytes).total_bytes for spec, shape in zip(self.layers, shapes))
        return self.products * once

    @property
    def macs_per_second(self) -> float:
        """The MACs of one call, divided by its median time."""
        return self.macs / self.timing.median

    @property
    def macs_per_byte(self) -> float:
        """The arithmetic intensity in MACs per byte; in FLOPs, as in `arithmetic_intensity`, it is about twice that."""
        return self.macs / self.bytes_moved


def as_specs(layers) -> tuple[ConvSpec, ...]:
    """Return one ConvSpec, or a list of what `cost_table` takes, as a tuple of ConvSpecs."""
    return (layers,) if isinstance(layers, ConvSpec) else tuple(spec for _, spec in named_layers(layers))


@dataclass(frozen=True)
class Peaks:
    """The most that a machine was seen to do: the two limits of a roofline.

    `copied_bytes` is the size of the copy that gave the second limit. A small copy stays in a cache, which moves more
    bytes per second than the memory.
    """

    macs_per_second: float
    bytes_per_second: float
    threads: int
    torch_version: str
    measured_at: str
    source: str = "live"
    copied_bytes: int = 140_000_000
    process: int = 0

    def roof(self, macs_per_byte: float) -> float:
        """Return the smaller limit in MACs per second (Williams et al. 2009, section 3, with MACs for FLOPs)."""
        return min(self.macs_per_second, self.bytes_per_second * macs_per_byte)


def best_peaks(peaks: Iterable[Peaks]) -> list[Peaks]:
    """Return for each machine, number of threads and size of copy the best that any of its processes saw."""
    best = {}
    for peak in peaks:
        key = peak.source, peak.threads, peak.copied_bytes
        one = best.setdefault(key, peak)
        rates = {name: max(getattr(one, name), getattr(peak, name)) for name in ("macs_per_second", "bytes_per_second")}
        best[key] = replace(one, **rates)
    return list(best.values())


def nearest_peaks(row: LayerTiming, peaks: Iterable[Peaks]) -> Peaks | None:
    """Return the peaks with the copy that comes nearest to what one product of a layer touches: its fair roof.

    A copy touches its bytes twice, once to read and once to write. So a layer that fits into a cache is compared with a
    copy that fits there too.

    Returns: None if no copy of the layer's machine, with as many threads, is within a factor of 2 of it.
    """
    touched = row.bytes_moved / row.products
    found = [peak for peak in peaks if (peak.source, peak.threads) == (row.source, row.timing.threads)]
    distances = {abs(log2(2 * peak.copied_bytes / touched)): peak for peak in reversed(found)}
    return distances[min(distances)] if distances and min(distances) <= 1 else None
