"""Train the networks of lesson 11 and record what they learn: `python -m benchmarks.accuracy`, about 3 minutes on
two cores that have nothing else to do.

`--times` records instead how long they take to classify images: 2 minutes, on a machine that has nothing else to do.
Both from the repository's root.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from multiprocessing import get_context

import torch

from convlab.measuring.accuracy import Accuracy
from convlab.measuring.benchmark import compare
from convlab.measuring.digits_training import MNIST_SEEDS, split_mnist, train_and_test
from convlab.measuring.recordings import FOLDER, save
from convlab.measuring.timings import Timing
from convlab.networks.digits import WIDTHS, builders

NETWORKS = {label: build for comparison in WIDTHS for label, build in builders(comparison).items()}
SEEDS, EPOCHS, WORKERS = range(MNIST_SEEDS), 12, 2  # a seed's result does not depend on the worker
BATCHES, PROCESSES = (1, 100), 6  # one image, and many


def train_all(seed: int) -> dict[str, Accuracy]:
    """Train all networks from one seed, on one thread."""
    torch.set_num_threads(1)
    return train_and_test(NETWORKS, [seed], EPOCHS, split_mnist)


def time_all() -> list[Timing]:
    """Time the forward of each network in this process, in turns, on one image and on many."""
    images, rows = split_mnist(0).held_out_images, []
    for batch in BATCHES:
        jobs = {label: (build().eval(), images[:batch]) for label, build in NETWORKS.items()}
        rows += compare(jobs, repeats=5, spread=0.25, max_seconds=None, repeat_seconds=0.05).values()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", action="store_true")
    spawn, rows = get_context("spawn"), []
    if parser.parse_args().times:
        for process in range(1, PROCESSES + 1):
            with spawn.Pool(1) as fresh:  # a process of its own
                rows += [replace(row, process=process) for row in fresh.apply(time_all)]
        save(FOLDER / "inference.json", rows, "python -m benchmarks.accuracy --times")
        return
    with spawn.Pool(WORKERS) as workers:
        found = workers.map(train_all, SEEDS, chunksize=1)
    for label in NETWORKS:
        accuracies = tuple(one[label].accuracies[0] for one in found)
        rows.append(replace(found[0][label], seeds=tuple(SEEDS), accuracies=accuracies))
    save(FOLDER / "accuracy.json", rows, "python -m benchmarks.accuracy")


if __name__ == "__main__":
    main()
