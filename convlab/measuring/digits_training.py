"""Train small networks on real images, and see what they learned: scikit-learn's 1,797 handwritten digits of 8×8.

One recipe for every network, so that only the network differs: AdamW with a one-cycle learning rate, batches of 50.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from convlab.counting import cost_table
from convlab.measuring.accuracy import Accuracy
from convlab.spec import exact_int

INPUT_SHAPE, CLASSES = (1, 1, 8, 8), 10  # one image; the digits 0 to 9
TRAINING_IMAGES, BATCH, LEARNING_RATE = 1200, 50, 0.02


class Split(NamedTuple):
    """The digits in two parts: 1,200 to train on, 597 held out; images (n, 1, 8, 8) from 0 to 1, labels (n,)."""

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
    """Return the digits, split at random.

    >>> [tuple(part.shape) for part in split_digits(0)]
    [(1200, 1, 8, 8), (1200,), (597, 1, 8, 8), (597,)]
    """
    images, labels = _digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(exact_int("seed", seed, 0)))
    train, held_out = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    return Split(images[train], labels[train], images[held_out], labels[held_out])


def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of the recipe."""
    return torch.optim.AdamW(model.parameters(), LEARNING_RATE)


def training_step(images: Tensor, labels: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Take one step: forward, backward, and a change of the weights."""
    optimizer.zero_grad()
    cross_entropy(model(images), labels).backward()
    optimizer.step()


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, seed: int) -> None:
    """Train a model in place; the seed fixes the order. Images that fill no batch wait for the next epoch.

    Raises:
        ValueError: less than one epoch, a negative seed, or fewer images than fill a batch.
    """
    if len(images) < BATCH:
        raise ValueError(f"{len(images)} images are too few to train on; wanted a batch of {BATCH} at least")
    epochs, order = exact_int("epochs", epochs, 1), torch.Generator().manual_seed(exact_int("seed", seed, 0))
    steps, optimizer = len(images) // BATCH, make_optimizer(model)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * steps)
    model.train()
    with torch.enable_grad():
        for _ in range(epochs):
            for batch in torch.randperm(len(images), generator=order)[: steps * BATCH].split(BATCH):
                training_step(images[batch], labels[batch], model, optimizer)
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


def _checked_cost(label, build):
    """Return what a builder's network costs for one image; refuse one that cannot be trained on the digits."""
    try:
        model, other = build(), build()
        for made in (model, other):
            if not isinstance(made, nn.Module):
                raise TypeError(f"{label!r} returned {made!r}, a {type(made).__name__}; wanted an nn.Module")
        if not {id(tensor) for tensor in model.parameters()}.isdisjoint(map(id, other.parameters())):
            raise ValueError(f"{label!r} returned the same weights twice; wanted a new network each time")
        images = _digits()[0][:BATCH]
        with torch.no_grad():
            output = model(images)
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if shape != (BATCH, CLASSES):
            raise ValueError(f"{label!r} gives {shape} for images {tuple(images.shape)}; wanted {(BATCH, CLASSES)}")
        return cost_table(build(), INPUT_SHAPE).total
    except Exception as error:
        error.add_note(f"raised while the network {label!r} was built and tried on {BATCH} images")
        raise


def train_and_test(
    builders: Mapping[str, Callable[[], nn.Module]], seeds: Iterable[int] = range(5), epochs: int = 8
) -> dict[str, Accuracy]:
    """Train a new network of each kind from each seed, and test it on the images that this seed holds out.

    Args:
        builders: label → a function without arguments that returns a new network: (n, 1, 8, 8) → (n, 10).

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
    with torch.random.fork_rng([]):
        totals = {label: _checked_cost(label, build) for label, build in builders.items()}
    found = {label: [] for label in builders}
    with tqdm(total=len(seeds) * len(builders), delay=2, leave=False, file=sys.stdout, desc="training") as bar:
        for seed in seeds:
            split = split_digits(seed)
            for label, build in builders.items():
                with torch.random.fork_rng([]):
                    torch.manual_seed(seed)
                    model = build()
                    train(model, split.images, split.labels, epochs, seed)
                found[label].append(measure_accuracy(model, split.held_out_images, split.held_out_labels))
                bar.update()
    return {
        label: Accuracy(label, total.params, total.macs, seeds, tuple(found[label]), epochs, torch.__version__)
        for label, total in totals.items()
    }
