"""Time the layers and networks of lesson 08 and record them: `python -m benchmarks.times` from the repository's root.

`--device cuda` times them on a GPU, for which torch's threads mean nothing. README.md says what is recorded.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from convlab import networks
from convlab.families import equal_macs, equal_shapes
from convlab.recorded import record
from convlab.timing import compare, machine_peaks, time_conditions

RECORDED = Path(__file__).parent / "recorded"
BATCHES = (1, 16)
NETWORKS = ("resnet50", "resnext50_32x4d", "mobilenet_v1")


def time_networks(device: str, threads: tuple[int, ...]) -> list:
    """Time whole networks, forward alone, on one image of 224×224 and on 16."""
    rows = []
    for batch in BATCHES:
        jobs = {}
        for name in NETWORKS:
            for form in (torch.contiguous_format, torch.channels_last):
                model = getattr(networks, name)().eval().to(device=device, memory_format=form)
                x = torch.rand(batch, 3, 224, 224, device=device).contiguous(memory_format=form)
                jobs |= {(name, form, many): (model, x) for many in threads}
        found = compare(
            {str(key): job for key, job in jobs.items()}, threads={str(key): key[2] for key in jobs}, max_seconds=0
        )
        rows += [replace(timing, label=name) for (name, *_), timing in zip(jobs, found.values())]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    is_cpu = torch.device(device).type == "cpu"
    threads = (1, 2) if is_cpu else (1,)
    rows = [machine_peaks(many, device) for many in threads]
    for family in (equal_shapes, equal_macs):
        for batch in BATCHES:
            conditions = {"threads": threads, "channels_last": (False, True), "backward": (False, True)}
            rows += time_conditions(family(batch=batch), **conditions, device=device, repeats=15, max_seconds=0)
    rows += time_networks(device, threads)
    name = "cpu" if is_cpu else torch.device(device).type
    accelerator = "" if is_cpu else torch.cuda.get_device_name(device)
    command = "python -m benchmarks.times" + ("" if is_cpu else f" --device {device}")
    record(RECORDED / f"times-{name}.json", rows, command, accelerator)


if __name__ == "__main__":
    main()
