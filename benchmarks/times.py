"""Time the layers and networks of lesson 10 and record them: `python -m benchmarks.times` from the repository's root.

`--device cuda` times them on a GPU, for which torch's threads mean nothing. README.md says what is recorded.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import product
from multiprocessing import get_context

import torch

from convlab.measuring.benchmark import MEMORY_FORMATS, Job, machine_peaks, time_conditions, time_in_turns
from convlab.measuring.recordings import FOLDER, Row, save
from convlab.measuring.timings import LayerTiming, Timing
from convlab.networks import papers
from convlab.networks.single_layers import equal_macs, equal_shapes

BATCHES = {"cpu": (1, 16), "cuda": (16, 256)}  # a GPU has nothing to do for one small image
NETWORK_BATCH = {"cpu": 1, "cuda": 256}
PROCESSES = 6  # the state of a process differs from one to the next, so that an interval needs several
# A longer repeat than in a lesson averages short disturbances.
OPTIONS = {"repeats": 5, "spread": 0.25, "max_seconds": None, "repeat_seconds": 0.05}
COPIED_BYTES = (*(2**n for n in range(18, 27)), 140_000_000)  # from what a cache holds to what none does
NETWORKS = ("resnet50", "resnext50_32x4d", "mobilenet_v1")


def time_networks(device: str, batch: int, threads: tuple[int, ...]) -> list[Timing]:
    """Time whole networks, forward alone, on images of 224×224."""
    jobs = []
    for name, form in product(NETWORKS, MEMORY_FORMATS.values()):
        model = getattr(papers, name)().eval().to(device=device, memory_format=form)
        x = torch.rand(batch, 3, 224, 224, device=device).contiguous(memory_format=form)
        jobs += [Job(name, model, (x,), threads=many) for many in threads]
    return time_in_turns(jobs, **OPTIONS)


def numbered(row: Row, process: int) -> Row:
    """Return a row with the number of the process that it was measured in."""
    if isinstance(row, LayerTiming):
        return replace(row, timing=replace(row.timing, process=process))
    return replace(row, process=process)


def time_all(device: str) -> list[Row]:
    """Time, in this process, the machine's limits, the layers under all conditions, and the networks."""
    kind = torch.device(device).type
    batches, threads = BATCHES[kind], (1, 2) if kind == "cpu" else (1,)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # the roof in the layers' arithmetic
    rows = [
        machine_peaks(many, device, repeat_seconds=OPTIONS["repeat_seconds"], copied_bytes=copied)
        for many, copied in product(threads, COPIED_BYTES)
    ]
    for family in (equal_shapes, equal_macs):
        for batch in batches:
            conditions = {"threads": threads, "memory_format": MEMORY_FORMATS, "backward": (False, True)}
            layers = family(batch=batch)
            if kind == "cpu" and family is equal_macs and batch > 1:
                del layers["depthwise"]  # 4096 channels: forward and backward take seconds and a gigabyte
            rows += time_conditions(layers, **conditions, device=device, **OPTIONS)
    return rows + time_networks(device, NETWORK_BATCH[kind], threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    rows, spawn = [], get_context("spawn")
    for process in range(1, PROCESSES + 1):
        with spawn.Pool(1) as fresh:  # a process of its own
            rows += [numbered(row, process) for row in fresh.apply(time_all, (device,))]
    kind = torch.device(device).type
    accelerator = torch.cuda.get_device_name(device) + " (TF32)" if kind == "cuda" else ""
    save(FOLDER / f"times-{kind}.json", rows, f"python -m benchmarks.times --device {device}", accelerator)


if __name__ == "__main__":
    main()
