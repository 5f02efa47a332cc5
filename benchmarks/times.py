"""Time the layers and networks of lesson 08 and record them: `python -m benchmarks.times` from the repository's root.

`--device cuda` times them on a GPU, for which torch's threads mean nothing. README.md says what is recorded.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch

from convlab import networks, timing
from convlab.networks.single_layers import equal_macs, equal_shapes
from convlab.measuring.recordings import record
from convlab.measuring.timing import Timing
from convlab.measuring.benchmark import compare, machine_peaks, time_conditions

RECORDED = Path(__file__).parent / "recorded"
BATCHES = {"cpu": (1, 16), "cuda": (16, 256)}  # a GPU has nothing to do for one small image
NETWORK_BATCH = {"cpu": 1, "cuda": 256}
OPTIONS = {"repeats": 11, "spread": 0.25, "max_seconds": 0}
NETWORKS = ("resnet50", "resnext50_32x4d", "mobilenet_v1")


def time_networks(device: str, batch: int, threads: tuple[int, ...]) -> list[Timing]:
    """Time whole networks, forward alone, on images of 224×224."""
    jobs = {}
    for name, form in product(NETWORKS, (torch.contiguous_format, torch.channels_last)):
        model = getattr(networks, name)().eval().to(device=device, memory_format=form)
        x = torch.rand(batch, 3, 224, 224, device=device).contiguous(memory_format=form)
        jobs |= {(name, form, many): (model, x) for many in threads}
    found = compare({str(key): job for key, job in jobs.items()}, threads={str(key): key[2] for key in jobs}, **OPTIONS)
    return [replace(found[str(key)], label=key[0]) for key in jobs]


def main():
    timing.REPEAT_SECONDS = 0.05  # a longer repeat averages short disturbances
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    kind = torch.device(device).type
    batches, threads = BATCHES[kind], (1, 2) if kind == "cpu" else (1,)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # the roof in the layers' arithmetic
    rows = [machine_peaks(many, device) for many in threads]
    for family in (equal_shapes, equal_macs):
        for batch in batches:
            conditions = {"threads": threads, "channels_last": (False, True), "backward": (False, True)}
            rows += time_conditions(family(batch=batch), **conditions, device=device, **OPTIONS)
    rows += time_networks(device, NETWORK_BATCH[kind], threads)
    accelerator = torch.cuda.get_device_name(device) + " (TF32)" if kind == "cuda" else ""
    record(RECORDED / f"times-{kind}.json", rows, f"python -m benchmarks.times --device {device}", accelerator)


if __name__ == "__main__":
    main()
