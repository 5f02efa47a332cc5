"""Train the networks of lesson 10 at full length and record them: `python -m benchmarks.accuracy`, about 10 minutes.

From the repository's root, on a machine that has nothing else to do: the time of a training step is measured too.
"""

from __future__ import annotations

import torch

from convlab.measuring.benchmark import compare
from convlab.measuring.digits_training import BATCH, make_optimizer, split_digits, train_and_test, training_step
from convlab.measuring.recordings import FOLDER, save
from convlab.networks.digits import WIDTHS, builders

SEEDS, EPOCHS = range(20), 30


def main():
    networks = {label: build for comparison in WIDTHS for label, build in builders(comparison).items()}
    torch.set_num_threads(1)
    rows = list(train_and_test(networks, SEEDS, EPOCHS).values())
    data, jobs = split_digits(0), {}
    for label, build in networks.items():
        model = build().train()
        jobs[label] = training_step, data.images[:BATCH], data.labels[:BATCH], model, make_optimizer(model)
    rows += compare(jobs, repeats=25, max_seconds=1, backward=True).values()
    save(FOLDER / "accuracy.json", rows, "python -m benchmarks.accuracy")


if __name__ == "__main__":
    main()
