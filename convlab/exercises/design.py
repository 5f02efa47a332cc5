"""A design under a budget: a starter that is too dear, and a check that measures a design.

The check builds a network itself, starts its layers from new weights, and trains it on splits of the digits that the
attempts do not use. It keeps the operations that the trained network does with images it has learned from, and
repeats them with the held-out ones: no code of a design runs while these are at hand.

What it does not see, and trusts: images that a network trains itself on inside its forward in training mode, and all
else that it does there after the one call in training mode before; gradients that it changes; work and numbers in
element-wise operations that no sum follows; and a design that reaches into Python or into this check.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from time import perf_counter
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils.parametrize import is_parametrized
from tqdm import tqdm

from convlab.exercises.compare import format_answer
from convlab.exercises.observed import Refused, costs_of, refusing, run_on
from convlab.exercises.reply import Question, Reply, is_empty
from convlab.measuring.accuracy import Accuracy, half_interval
from convlab.measuring.digits_training import CLASSES, share_right, split_digits, train
from convlab.wording import plural

EPOCHS, SEEDS, CHECK_SEEDS = 8, range(3), range(100, 108)
MAX_SECONDS, CHECK_SECONDS = 60, 120  # after which no further run begins
CHANCE, KNOWS = 1 / CLASSES, 0.5  # an untrained network that is right so often has the answers from elsewhere
STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}
METHODS = {name for name, value in vars(nn.Module).items() if callable(value)}
METHODS -= {"__init__", "__repr__", "extra_repr", "forward", "__getstate__", "__annotate__", "__annotate_func__"}


class Budget(NamedTuple):
    """What a design has to reach, an accuracy from 0 to 1, and what it may cost for one image.

    `peak_bytes` are the most bytes of activations that are live at once in inference, by `memory_table`.
    """

    accuracy: float
    params: int
    macs: int
    peak_bytes: int

    def over(self, params: int, macs: int, peak_bytes: int) -> list[str]:
        """Say by how much a design is over; an empty list is within the budget.

        >>> Budget(0.97, 1500, 20_000, 4096).over(1500, 20_001, 4096)
        ['20,001 MACs: over by 1; at most 20,000']
        """
        found = zip(("parameters", "MACs", "bytes at the peak"), (params, macs, peak_bytes), self[1:])
        return [f"{n:,} {unit}: over by {n - most:,}; at most {most:,}" for unit, n, most in found if n > most]


BUDGET = Budget(accuracy=0.965, params=920, macs=6000, peak_bytes=5120)
LOW_MEMORY = Budget(accuracy=0.965, params=1400, macs=3500, peak_bytes=2048)


@dataclass(frozen=True)
class Measured(Accuracy):
    """The accuracies of one design, and its costs for one image: parameters, MACs, bytes at the peak."""

    peak_bytes: int = 0

    @property
    def costs(self) -> tuple[int, int, int]:
        """Parameters, MACs, bytes at the peak, as `Budget.over` takes them."""
        return self.params, self.macs, self.peak_bytes

    @property
    def half(self) -> float:
        """Half the 95 % interval of the mean, for new images too; 0.01 is a percentage point.

        All runs split the same images, so they are not independent of each other. The usual interval, which takes the
        variance of a run times 1/n, is too narrow. The correction: times 1/n + held out/trained on.

        Source: Nadeau & Bengio 2003, section 3, the corrected resampled t-test.
        """
        split = split_digits(0)
        overlap = len(split.held_out_labels) / len(split.labels)
        return half_interval(self.accuracies) * sqrt(1 + len(self.seeds) * overlap)


def starter(width: int = 16) -> nn.Sequential:
    """Return the network to start from, (n, 1, 8, 8) → (n, 10): four standard 3×3 layers, an average, a linear layer.

    >>> from convlab.counting import cost_table
    >>> total = cost_table(starter(), (1, 1, 8, 8)).total
    >>> total.params, total.macs
    (16794, 378176)
    """

    def block(channels, filters):
        return nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()

    blocks = [block(*pair) for pair in pairwise([1, width, width, 2 * width, 2 * width])]
    return nn.Sequential(
        *(*blocks[0], *blocks[1], nn.MaxPool2d(2), *blocks[2], *blocks[3]),
        *(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(2 * width, CLASSES)),
    )


class Design(Question):
    """An exercise with a network as its answer. It never raises for a design.

    Args:
        budget: what the network has to reach, and what it may cost.
        hints: from gentle to the answer.
        seeds: of the runs, two at least.
        epochs: how long each run trains.

    >>> Design(BUDGET, hints=[], seeds=[0, 1])(starter).outcome  # over the budget, so it is not trained
    'wrong'
    """

    def __init__(self, budget: Budget, hints: list[str], seeds: Iterable[int] = CHECK_SEEDS, epochs: int = EPOCHS):
        super().__init__(hints)
        self.budget, self.seeds, self.epochs = budget, tuple(seeds), epochs

    def __call__(self, build: Callable) -> Reply:
        """Measure a design and reply: not yet, wrong because …, undecided, or right with the margins.

        It is right or wrong if the 95 % interval of its accuracy leaves out the limit, undecided if it does not.

        Args:
            build: a function without arguments that returns a new network each time: (n, 1, 8, 8) → (n, 10).
        """
        try:
            found = measure(build, self.budget, self.seeds, self.epochs, max_seconds=CHECK_SECONDS)
        except Refused as refused:
            return refused.reply
        margin, half = found.mean - self.budget.accuracy, found.half
        spare = [f"{most - n:,}" for n, most in zip(found.costs, self.budget[1:])]
        reply = (
            f"{found.mean:.2%} of the held-out images, {100 * abs(margin):.2f} points "
            f"{'below' if margin < 0 else 'above'} {self.budget.accuracy:.2%}: the mean of "
            f"{plural(len(found.seeds), 'run')}, ± {100 * half:.2f} points (95 % interval).\n"
            f"{found.params:,} parameters, {spare[0]} to spare. {found.macs:,} MACs, {spare[1]} to spare. "
            f"{found.peak_bytes:,} bytes at the peak, {spare[2]} to spare."
        )
        if abs(margin) <= half:
            why = "The interval includes the limit, so these runs do not tell. Leave more room: a more accurate design"
            return Reply("undecided", f"{why}.\n{reply}")
        return Reply("wrong" if margin < 0 else "right", reply)


def measure(
    build: Callable,
    budget: Budget | None = None,
    seeds: Iterable[int] = SEEDS,
    epochs: int = EPOCHS,
    label: str = "design",
    max_seconds: float = MAX_SECONDS,
) -> Measured:
    """Return what the networks of a function cost and learn.

    The order: the form of each network and its costs, without training; then, for each seed, one network with new
    weights learns the seed's training images and is tested on those that the seed holds out.

    Args:
        build: a function without arguments that returns a new network each time: (n, 1, 8, 8) → (n, 10).
        budget: costs over it are refused; None measures at any cost.
        label: what the result is called.
        max_seconds: after which no further run begins; two are made in any case.

    Raises:
        Refused: there is nothing to measure yet, or no design that counts.
    """
    seeds, accuracies = tuple(seeds), []
    with torch.random.fork_rng([]):
        networks = _networks(build, len(seeds))
        costs, *others = {_costs_untrained(*pair, budget) for pair in zip(networks, seeds)}
        if others:
            raise Refused("Your function returns networks of different costs. Wanted the same one each time.")
        start = perf_counter()
        for network, seed in tqdm([*zip(networks, seeds)], delay=2, leave=False, file=sys.stdout, desc="training"):
            if len(accuracies) < 2 or perf_counter() - start < max_seconds:
                accuracies.append(_accuracy(network, seed, epochs, costs))
    (params, macs, peak_bytes), done = costs, seeds[: len(accuracies)]
    version = torch.__version__
    return Measured(label, params, macs, done, tuple(accuracies), epochs, version, peak_bytes=peak_bytes)


def _networks(build, count):
    """Return new networks of a function; refuse what is no function, or returns something else."""
    if is_empty(build):
        raise Refused("Give a function that builds your network, and run the cell again.", "not yet")
    if isinstance(build, nn.Module) or not callable(build):
        kind = type(build).__name__
        raise Refused(f"You gave something of type {kind}. Wanted a function that builds a network: its name.")
    torch.manual_seed(0)  # no seed of a split, in case that `build` looks
    with refusing("Your function", build):
        try:
            networks = [build() for _ in range(count)]
        except NotImplementedError:
            networks = [None]
    for network in networks:
        if is_empty(network):
            text = "Your function returns None so far. Let it return a network; run the cell again."
            raise Refused(text, "not yet")
        if not isinstance(network, nn.Module):
            given = f"{format_answer(network)}, a {type(network).__name__}"
            raise Refused(f"Your function returns {given}. Wanted an nn.Module.")
        with refusing("Your network"):
            for layer in _layers(network):
                _check_methods(layer)
    parts = [id(part) for network in networks for part in {*network.modules(), *network.parameters()}]
    if len(set(parts)) < len(parts):
        raise Refused("Your function returns the same layers each time. Wanted new ones: make them inside it.")
    return networks


def _layers(network):
    """Yield a network and all layers in it, without asking its methods, which may be the learner's."""
    yield network
    for layer in filter(None, vars(network)["_modules"].values()):
        yield from _layers(layer)


def _check_methods(layer):
    """Refuse a layer with a method of its own in the place of one of nn.Module that the check relies on."""
    kinds = type(layer).__mro__
    for owner in (layer, *kinds[: kinds.index(_torch_class(layer))]):
        if own := sorted(METHODS & vars(owner).keys()):
            raise Refused(
                f"{type(layer).__name__} has its own {own[0]}(). Wanted a layer whose methods are those of nn.Module, "
                "but for __init__ and forward."
            )


def _costs_untrained(network, seed, budget):
    """Return the costs of a network before its training; refuse one of another form, or too dear."""
    images = split_digits(seed).images[:50]
    _start_anew(network)
    for count in (1, 2, len(images)):
        run_on(network, images[:count], "")
    costs = costs_of(network, images)
    if over := budget.over(*costs) if budget else []:
        raise Refused(f"Over the budget, so it was not trained. {'. '.join(over)}.")
    run_on(network, images, " in training mode", training=True)
    return costs


def _accuracy(network, seed, epochs, costs):
    """Train a network and return its accuracy; refuse one that knows before, looks at other images, or changes."""
    split = split_digits(seed)
    held_out, labels = split.held_out_images, split.held_out_labels
    seen, others = (part.clone() for part in (split.images[: len(held_out)], split.images[-len(held_out) :]))
    torch.manual_seed(seed)
    _start_anew(network)
    if (known := share_right(run_on(network, seen, "").repeat(held_out), labels)) >= KNOWS:
        raise Refused(
            f"Before any training the network classifies {known:.1%} of the held-out images right, where guessing "
            f"gives {CHANCE:.0%}. It has the answers from elsewhere. Wanted a network that learns in the check."
        )
    with refusing(f"The training from seed {seed}"):
        train(network, split.images, split.labels, epochs, seed)
    run = run_on(network, seen, ", trained")
    alone = torch.cat([run_on(network, image[None], ", trained").out for image in seen[:3]])
    if not torch.allclose(run.out[:3], alone, rtol=1e-3, atol=1e-3):
        raise Refused("The outputs for an image depend on the other images given, or on chance.")
    if not torch.allclose(run.repeat(others), run_on(network, others, ", trained").out, rtol=1e-3, atol=1e-3):
        raise Refused("The network does not do the same operations with each image. Wanted a forward that does.")
    if costs_of(network, seen[:50]) != costs:
        was = "{:,} parameters, {:,} MACs and {:,} bytes at the peak".format(*costs)
        raise Refused(f"The network's costs are no longer {was} after training.")
    return share_right(run.repeat(held_out), labels)


def _torch_class(layer):
    """Return the class of torch.nn that a layer has, or that a class of the learner's is derived from."""
    return next(kind for kind in type(layer).__mro__ if getattr(nn, kind.__name__, None) is kind)


def _start_anew(network):
    """Give each layer new weights; refuse what cannot be started anew, or is brought along beside the parameters."""
    for name, layer in network.named_modules():
        if ".parametrizations" in f".{name}":
            continue  # started with the layer that they belong to
        named = f"{name or 'The network'} ({type(layer).__name__})"
        buffers, numbers = dict(layer.named_buffers(recurse=is_parametrized(layer))), _numbers(layer)
        if isinstance(layer, LazyModuleMixin):
            raise Refused(f"{named} does not know its channels yet. Wanted them as numbers: nn.Linear(64, 10).")
        if extra := [*buffers.keys() - (STATISTICS if isinstance(layer, _NormBase) else set())]:
            raise Refused(
                f"{named} has the buffer {extra[0]!r} of shape {tuple(buffers[extra[0]].shape)}, which no budget "
                "counts. Wanted none but those of normalisation."
            )
        for tensor in numbers:
            tensor.fill_(torch.nan)
        if numbers:
            _reset(layer)
        if any(tensor.isnan().any() for tensor in _numbers(layer)):
            raise Refused(
                f"{named} has parameters of its own that cannot be started anew. Wanted them in layers of torch.nn "
                "with reset_parameters(), such as nn.Conv2d, nn.Linear and nn.BatchNorm2d."
            )


def _numbers(layer):
    """Return the parameters and buffers of a layer itself, and of what makes its weights, as weight_norm does."""
    deep = is_parametrized(layer)
    own = [*layer.parameters(recurse=deep), *layer.buffers(recurse=deep)]
    return [tensor.data for tensor in own if tensor.is_floating_point()]


def _reset(layer):
    """Let the class of torch.nn, not one of the learner's, give a layer new weights, if it can."""
    kind = _torch_class(layer)
    reset = getattr(kind, "reset_parameters", getattr(kind, "_reset_parameters", None))
    if not reset or not is_parametrized(layer):
        return reset and reset(layer)
    made = {name: nn.Parameter(torch.empty_like(getattr(layer, name))) for name in layer.parametrizations}
    plain = kind.__new__(kind)  # the same layer with these weights as plain parameters
    plain.__dict__ = {**vars(layer), "_modules": {}, "_parameters": {**vars(layer)["_parameters"], **made}}
    reset(plain)
    for name, weight in made.items():
        setattr(layer, name, weight.detach())  # which starts what makes it
