"""What was timed: a function, a layer beside its exact counts, a machine; and files that keep such results.

Only seconds are measured and stored. MACs and bytes are counted from the layers, also when a file is read. A result
says where it is from: "live", measured in this run, or recorded, with the date and the processor.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convlab.cost import memory_bytes
from convlab.spec import ConvSpec
from convlab.table import CostTable, chain_cost_table, named_layers

MIN_REPEATS = 4  # fewer have no quartiles
QUARTILES = (0.25, 0.5, 0.75)


class Ratio(NamedTuple):
    """How many times as long one function takes as another: median, lower and upper quartile of the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True, repr=False)
class Timing:
    """The seconds that one call took in each repeat, and what was fixed while it was timed.

    Shape and memory format are those of the first tensor among the arguments; device and dtype too, or else those of
    the module's weights. They are empty where no tensor can be seen. `measured_at` names the run.
    """

    label: str
    seconds: tuple[float, ...]
    calls_per_repeat: int
    threads: int
    grad: bool
    device: str
    dtype: str
    memory_format: str
    input_shape: tuple[int, ...]
    torch_version: str
    measured_at: str
    spread: float = 0.1
    source: str = "live"

    @property
    def median(self) -> float:
        """The median of the repeats, in seconds a call."""
        return float(np.median(self.seconds))

    @property
    def iqr(self) -> float:
        """The interquartile range in seconds: how far apart the middle half of the repeats lies."""
        return float(np.subtract(*np.quantile(self.seconds, (0.75, 0.25))))

    @property
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
        low, median, high = np.quantile(np.divide(self.seconds, other.seconds), QUARTILES).tolist()
        return Ratio(median, low, high)

    def __repr__(self) -> str:
        what = self.device, self.dtype, self.memory_format, "×".join(map(str, self.input_shape))
        parts = [
            f"{self.label}: {1000 * self.median:.3g} ms",
            f"IQR {self.iqr / self.median:.1%} of it (wanted at most {self.spread:.0%})",
            f"{len(self.seconds)} repeats of {self.calls_per_repeat:,}",
            f"{self.threads} thread{'s' * (self.threads > 1)}, with{'' if self.grad else 'out'} gradient",
            *filter(None, what),
            f"torch {self.torch_version}, {self.source}",
        ]
        return "too noisy to read: " * self.is_noisy + ", ".join(parts)


@dataclass(frozen=True)
class LayerTiming:
    """The time of one layer, or of a chain of them, with the counts for the batch that was timed.

    Raises: what `cost_table` raises if the timed input does not fit the layers.
        ValueError: a timing with gradient, whose backward is not counted here, or of an input that was not seen.
    """

    layers: tuple[ConvSpec, ...]
    timing: Timing

    def __post_init__(self):
        object.__setattr__(self, "layers", as_specs(self.layers))
        if self.timing.grad or not self.timing.input_shape:
            raise ValueError(f"{self.timing!r}; wanted the forward alone, timed as (module, input), without gradient")
        _ = self.cost  # raises where the layers do not fit

    @property
    def source(self) -> str:
        """`"live"`, or when and where it was recorded."""
        return self.timing.source

    @property
    def cost(self) -> CostTable:
        """The exact costs, layer by layer."""
        return chain_cost_table(self.layers, self.timing.input_shape)

    @property
    def macs(self) -> int:
        """The exact MACs of one call."""
        return self.cost.total.macs

    @property
    def bytes_moved(self) -> int:
        """The bytes of each layer's input, parameters and output, if every byte moves once."""
        shapes = [self.timing.input_shape, *(row.output_shape for row in self.cost.rows)]
        item_bytes = np.dtype(self.timing.dtype.replace("bfloat", "float")).itemsize
        return sum(memory_bytes(spec, shape, item_bytes).total_bytes for spec, shape in zip(self.layers, shapes))

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
    """The most that a machine was seen to do: the two limits of a roofline."""

    macs_per_second: float
    bytes_per_second: float
    threads: int
    torch_version: str
    measured_at: str
    source: str = "live"

    def roof(self, macs_per_byte: float) -> float:
        """Return the smaller limit in MACs per second (Williams et al. 2009, section 3, with MACs for FLOPs)."""
        return min(self.macs_per_second, self.bytes_per_second * macs_per_byte)


def machine() -> dict:
    """Return what kind of machine this is, without its name, and the versions that times depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": platform.system(),
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), "torch": version("torch")},
    }


def record(path: str | Path, rows: Iterable[Timing | LayerTiming | Peaks]) -> None:
    """Write live results to a JSON file, one a line, with the machine and the date.

    Raises:
        ValueError: a row that is not live: it may be another machine's.
    """
    lines = []
    for row in rows:
        if row.source != "live":
            raise ValueError(f"{row!r} is not live; wanted results that were measured here")
        lines.append(json.dumps({"kind": type(row).__name__, **asdict(row)}))
    text = '{"machine": ' + json.dumps(machine()) + ',\n"rows": [\n' + ",\n".join(lines) + "\n]}\n"
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def load(path: str | Path) -> list[Timing | LayerTiming | Peaks]:
    """Return the results that `record` wrote, in its order; the source of each says when and where."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    source = "recorded, {date}, {cpu}, {cores} cores".format(**data["machine"])
    return [_restored(row.pop("kind"), row, source) for row in data["rows"]]


def _restored(kind, row, source):
    if kind == "LayerTiming":
        return LayerTiming([ConvSpec(**spec) for spec in row["layers"]], _restored("Timing", row["timing"], source))
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return {"Timing": Timing, "Peaks": Peaks}[kind](**fields | {"source": source})
