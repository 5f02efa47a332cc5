"""A design under a budget: a starter that is too dear, and a check that measures a design.

The check builds a network itself, starts its layers from new weights, and trains it on splits of the digits that the
attempts do not use. It shows no label of a held-out image to the network.

What it does not see: work in elementwise products, numbers written out in Python, gradients that a network changes,
and a network that behaves otherwise in its training than in the one call in training mode before. None is allowed.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from convlab.counting import cost_table
from convlab.exercises.compare import format_answer
from convlab.exercises.exercise import at_line
from convlab.exercises.reply import Question, Reply, is_empty
from convlab.measuring.accuracy import Accuracy, half_interval
from convlab.measuring.digits_training import CLASSES, INPUT_SHAPE, share_right, split_digits, train
from convlab.model import ValuesNeeded
from convlab.wording import listed, plural

EPOCHS, CHECK_SEEDS = 8, range(100, 105)
CHANCE, KNOWS = 1 / CLASSES, 0.5  # an untrained network that is right so often has the answers from elsewhere
WITHOUT_PRODUCTS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.PReLU)  # may have parameters all the same
STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}


class Budget(NamedTuple):
    """What a design has to reach, and what it may cost: accuracy from 0 to 1, parameters, MACs for one image."""

    accuracy: float
    params: int
    macs: int

    def over(self, params: int, macs: int) -> list[str]:
        """Say by how much a design is over; an empty list is within the budget.

        >>> Budget(0.978, 1500, 20_000).over(1500, 20_001)
        ['20,001 MACs: over by 1; at most 20,000']
        """
        costs = ("parameters", params, self.params), ("MACs", macs, self.macs)
        return [f"{n:,} {unit}: over by {n - most:,}; at most {most:,}" for unit, n, most in costs if n > most]


BUDGET = Budget(accuracy=0.978, params=1500, macs=20_000)
TIGHT = BUDGET._replace(macs=5000)


def starter(width: int = 24) -> nn.Sequential:
    """Return the network to start from, (n, 1, 8, 8) → (n, 10): four standard 3×3 layers, an average, a linear layer.

    >>> total = cost_table(starter(), INPUT_SHAPE).total
    >>> total.params, total.macs
    (37282, 843744)
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
        """Measure a design and reply: not yet, wrong because …, or right with the margins.

        Args:
            build: a function without arguments that returns a new network each time: (n, 1, 8, 8) → (n, 10).
        """
        try:
            found = measure(build, self.budget, self.seeds, self.epochs)
        except Refused as refused:
            return refused.reply
        margin, half = found.mean - self.budget.accuracy, half_interval(found.accuracies)
        side = "below" if margin < 0 else "above"
        reply = (
            f"{found.mean:.2%} of the held-out images, {100 * abs(margin):.2f} points {side} "
            f"{self.budget.accuracy:.2%}: the mean of {plural(len(found.seeds), 'run')}, ± {100 * half:.2f} points "
            "(95 % interval).\n"
            f"{found.params:,} parameters, {self.budget.params - found.params:,} to spare. "
            f"{found.macs:,} MACs, {self.budget.macs - found.macs:,} to spare."
        )
        if abs(margin) <= half:
            reply = f"Too close to call: the 95 % interval holds the limit, and this mean is {side} it.\n{reply}"
        return Reply("wrong" if margin < 0 else "right", reply)


class Refused(Exception):
    """Why a design is not measured further, and the reply that says so."""

    def __init__(self, message: str, outcome: str = "wrong"):
        super().__init__(message)
        self.reply = Reply(outcome, message)


def measure(build: Callable, budget: Budget | None, seeds: Iterable[int], epochs: int) -> Accuracy:
    """Return what the networks of a function cost and learn.

    The order: the form of each network and its costs, without training; then, for each seed, one network with new
    weights learns the seed's training images and is tested on those that the seed holds out.

    Args:
        budget: costs over it are refused; None measures at any cost.

    Raises:
        Refused: there is nothing to measure yet, or no design that counts.
    """
    seeds = tuple(seeds)
    with torch.random.fork_rng([]):
        networks, images = _networks(build, len(seeds)), split_digits(seeds[0]).images[:50]
        (params, macs), *others = {_cost_untrained(network, images, budget) for network in networks}
        if others:
            raise Refused("Your function returns networks of different costs. Wanted the same one each time.")
        runs = tqdm([*zip(networks, seeds)], delay=2, leave=False, file=sys.stdout, desc="training")
        accuracies = tuple(_accuracy(network, seed, epochs, (params, macs)) for network, seed in runs)
    return Accuracy("design", params, macs, seeds, accuracies, epochs, torch.__version__)


@contextmanager
def _refusing(what, build=None):
    """Turn an error of the learner's code into a refusal that quotes it."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        reason = str(error).strip().rstrip(".") or "no message"
        tip = " Is nn.Flatten() missing before a linear layer?" * ("mat1 and mat2" in reason)
        raise Refused(f"{what} stopped with {type(error).__name__}: {reason}{at_line(build, error)}.{tip}") from error


def _networks(build, count):
    """Return new networks of a function; refuse what is no function, or returns something else."""
    if is_empty(build):
        raise Refused("Give a function that builds your network, and run the cell again.", "not yet")
    if isinstance(build, nn.Module) or not callable(build):
        kind = type(build).__name__
        raise Refused(f"You gave something of type {kind}. Wanted a function that builds a network: its name.")
    torch.manual_seed(0)  # no seed of a split, in case that `build` looks
    with _refusing("Your function", build):
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
    parts = [id(part) for network in networks for part in {*network.modules(), *network.parameters()}]
    if len(set(parts)) < len(parts):
        raise Refused("Your function returns the same layers each time. Wanted new ones: make them inside it.")
    return networks


def _cost_untrained(network, images, budget):
    """Return the parameters and MACs of a network before its training; refuse one of another form, or too dear."""
    _start_anew(network)
    for count in (1, 2, len(images)):
        _outputs(network, images[:count], "")
    cost = _cost(network, images)
    if over := budget.over(*cost) if budget else []:
        raise Refused(f"Over the budget, so it was not trained. {'. '.join(over)}.")
    _outputs(network, images, " in training mode", training=True)
    return cost


def _accuracy(network, seed, epochs, cost):
    """Train a network and return its accuracy; refuse one that knows before, looks at other images, or changes."""
    split = split_digits(seed)
    images, labels = split.held_out_images, split.held_out_labels
    torch.manual_seed(seed)
    _start_anew(network)
    if (known := share_right(_outputs(network, images, ""), labels)) >= KNOWS:
        raise Refused(
            f"Before any training the network classifies {known:.1%} of the held-out images right, where guessing "
            f"gives {CHANCE:.0%}. It has the answers from elsewhere. Wanted a network that learns in the check."
        )
    with _refusing(f"The training from seed {seed}"):
        train(network, split.images, split.labels, epochs, seed)
    out = _outputs(network, images, ", trained")
    alone = torch.cat([_outputs(network, image[None], ", trained") for image in images[:3]])
    if not torch.allclose(out[:3], alone, rtol=1e-3, atol=1e-3):
        raise Refused("The outputs for an image depend on the other images given, or on chance.")
    if _cost(network, images[:50]) != cost:
        was = "{:,} parameters and {:,} MACs".format(*cost)
        raise Refused(f"The network's costs are no longer {was} after training.")
    return share_right(out, labels)


def _torch_class(layer):
    """Return the class of torch.nn that a layer has, or that a class of the learner's is derived from."""
    return next(kind for kind in type(layer).__mro__ if getattr(nn, kind.__name__, None) is kind)


def _start_anew(network):
    """Give each layer new weights; refuse what cannot be started anew, or is brought along beside the parameters."""
    for name, layer in network.named_modules():
        named = f"{name or 'The network'} ({type(layer).__name__})"
        own, buffers = [*layer.parameters(recurse=False)], dict(layer.named_buffers(recurse=False))
        if isinstance(layer, LazyModuleMixin):
            raise Refused(f"{named} does not know its channels yet. Wanted them as numbers: nn.Linear(64, 10).")
        if extra := [*buffers.keys() - (STATISTICS if isinstance(layer, _NormBase) else set())]:
            raise Refused(
                f"{named} has the buffer {extra[0]!r} of shape {tuple(buffers[extra[0]].shape)}, which no budget "
                "counts. Wanted none but those of normalisation."
            )
        numbers = [tensor.data for tensor in (*own, *buffers.values()) if tensor.is_floating_point()]
        for tensor in numbers:
            tensor.fill_(torch.nan)
        reset = getattr(_torch_class(layer), "reset_parameters", None)  # not that of a class of the learner's
        if reset and (own or buffers):
            reset(layer)
        if any(tensor.isnan().any() for tensor in numbers):
            raise Refused(
                f"{named} has parameters of its own that cannot be started anew. Wanted them in layers of torch.nn "
                "with reset_parameters(), such as nn.Conv2d, nn.Linear and nn.BatchNorm2d."
            )


class _Sources(TorchDispatchMode):
    """Refuses a tensor of several numbers that is neither given, nor made by the forward."""

    def __init__(self, given: Iterable[Tensor]):
        super().__init__()
        self.kept = list(given)  # what is kept keeps its memory, so that an address stands for one tensor
        self.known = {tensor.untyped_storage().data_ptr() for tensor in self.kept}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        for tensor in tree_leaves((args, kwargs)):
            is_several = isinstance(tensor, Tensor) and tensor.numel() > 1
            if is_several and tensor.untyped_storage().data_ptr() not in self.known:
                raise Refused(
                    f"The network uses a tensor of shape {tuple(tensor.shape)} that is neither its input nor a "
                    "parameter. Is it a layer in a plain list? Use nn.ModuleList. Is it an order of channels? Use "
                    "nn.ChannelShuffle. Tables, stored images and stored weights are refused."
                )
        out = operation(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.kept += made
        self.known |= {tensor.untyped_storage().data_ptr() for tensor in made}
        return out


def _outputs(network, images, when, training=False):
    """Return the outputs for some images, if they have the right form and come from input and parameters alone."""
    with _refusing(f"The network{when}, given {len(images)} of the images,"), torch.set_grad_enabled(training):
        with _Sources([images, *network.parameters(), *network.buffers()]):
            out = network.train(training)(images)
    wanted = (len(images), CLASSES)
    if not isinstance(out, Tensor) or tuple(out.shape) != wanted:
        got = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise Refused(f"For {plural(len(images), 'image')} the network returns {got}. Wanted shape {wanted}.")
    if not out.isfinite().all():
        raise Refused(f"The network{when} returns numbers that are not finite (inf or nan).")
    return out


def _cost(network, images):
    """Return the parameters, and the MACs for one image; counted on a shape, and again on real images."""
    network.eval()
    layers = dict(network.named_modules())
    with warnings.catch_warnings(), _refusing("The network, counted by cost_table,"):
        warnings.simplefilter("ignore")  # what is not counted is refused below
        try:
            tables = cost_table(network, INPUT_SHAPE), cost_table(network, images, real=True)
        except ValuesNeeded as error:
            text = "Your forward looks at values of the image (assert, if, .item()). Leave that out."
            raise Refused(text) from error
    for table in tables:
        if table.uncounted:
            raise Refused(f"cost_table cannot count {listed(table.uncounted)}. Wanted work that it counts.")
        for row in table.rows:
            if row.params and not row.macs and not isinstance(layers.get(row.name), WITHOUT_PRODUCTS):
                raise Refused(
                    f"{row.name} ({row.kind}) has {row.params:,} parameters and no counted MACs. Call the layer "
                    "itself in your forward, as in self.f(x), and do not use its weight; or leave it out."
                )
    one, many = (table.total for table in tables)
    if many.macs != one.macs * len(images) or not one.macs:
        raise Refused(f"The network does {one.macs:,} MACs for one image, and {many.macs:,} for {len(images)} images.")
    return one.params, one.macs
