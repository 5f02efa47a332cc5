"""Time the layers and networks of lesson 09 and record them: `python -m benchmarks.times` from the repository's root.

`--device cuda` times them on a GPU, for which torch's threads mean nothing. README.md says what is recorded.
"""

from __future__ import annotations

import argparse
from itertools import product

import torch

from convlab.measuring.benchmark import MEMORY_FORMATS, Job, machine_peaks, time_conditions, time_in_turns
from convlab.measuring.recordings import FOLDER, save
from convlab.measuring.timings import Timing
from convlab.networks import papers
from convlab.networks.single_layers import equal_macs, equal_shapes

BATCHES = {"cpu": (1, 16), "cuda": (16, 256)}  # a GPU has nothing to do for one small image
NETWORK_BATCH = {"cpu": 1, "cuda": 256}
# A longer repeat than in a lesson averages short disturbances.
OPTIONS = {"repeats": 11, "spread": 0.25, "max_seconds": 0, "repeat_seconds": 0.05}
NETWORKS = ("resnet50", "resnext50_32x4d", "mobilenet_v1")


def time_networks(device: str, batch: int, threads: tuple[int, ...]) -> list[Timing]:
    """Time whole networks, forward alone, on images of 224×224."""
    jobs = []
    for name, form in product(NETWORKS, MEMORY_FORMATS.values()):
        model = getattr(papers, name)().eval().to(device=device, memory_format=form)
        x = torch.rand(batch, 3, 224, 224, device=device).contiguous(memory_format=form)
        jobs += [Job(name, model, (x,), threads=many) for many in threads]
    return time_in_turns(jobs, **OPTIONS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    kind = torch.device(device).type
    batches, threads = BATCHES[kind], (1, 2) if kind == "cpu" else (1,)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # the roof in the layers' arithmetic
    rows = [machine_peaks(many, device, repeat_seconds=OPTIONS["repeat_seconds"]) for many in threads]
    for family in (equal_shapes, equal_macs):
        for batch in batches:
            conditions = {"threads": threads, "memory_format": MEMORY_FORMATS, "backward": (False, True)}
            rows += time_conditions(family(batch=batch), **conditions, device=device, **OPTIONS)
    rows += time_networks(device, NETWORK_BATCH[kind], threads)
    accelerator = torch.cuda.get_device_name(device) + " (TF32)" if kind == "cuda" else ""
    save(FOLDER / f"times-{kind}.json", rows, f"python -m benchmarks.times --device {device}", accelerator)


if __name__ == "__main__":
    main()
