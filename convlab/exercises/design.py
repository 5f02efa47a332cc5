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
import warnings
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from itertools import pairwise
from math import sqrt
from time import perf_counter
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils.parametrize import is_parametrized
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from tqdm import tqdm

from convlab.counting import cost_table
from convlab.exercises.compare import format_answer
from convlab.exercises.exercise import at_line
from convlab.exercises.reply import Question, Reply, is_empty
from convlab.forward.values import memory_of
from convlab.measuring.accuracy import Accuracy, half_interval
from convlab.measuring.digits_training import CLASSES, INPUT_SHAPE, share_right, split_digits, train
from convlab.model import ValuesNeeded
from convlab.reports.memory import memory_table
from convlab.wording import listed, plural

EPOCHS, SEEDS, CHECK_SEEDS = 8, range(3), range(100, 108)
MAX_SECONDS, CHECK_SECONDS = 60, 120  # after which no further run begins
CHANCE, KNOWS = 1 / CLASSES, 0.5  # an untrained network that is right so often has the answers from elsewhere
WITHOUT_PRODUCTS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.PReLU)  # may have parameters all the same
NORMALISATIONS = {F.batch_norm, F.instance_norm, F.group_norm, F.layer_norm, F.rms_norm}
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

    >>> total = cost_table(starter(), INPUT_SHAPE).total
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


class Refused(Exception):
    """Why a design is not measured further, and the reply that says so."""

    def __init__(self, message: str, outcome: str = "wrong"):
        super().__init__(message)
        self.reply = Reply(outcome, message)


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


@contextmanager
def _refusing(what, build=None):
    """Turn an error of the learner's code into a refusal that quotes it."""
    try:
        yield
    except Refused:
        raise
    except (Exception, SystemExit) as error:
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
        with _refusing("Your network"):
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
        _run(network, images[:count], "")
    costs = _costs(network, images)
    if over := budget.over(*costs) if budget else []:
        raise Refused(f"Over the budget, so it was not trained. {'. '.join(over)}.")
    _run(network, images, " in training mode", training=True)
    return costs


def _accuracy(network, seed, epochs, costs):
    """Train a network and return its accuracy; refuse one that knows before, looks at other images, or changes."""
    split = split_digits(seed)
    held_out, labels = split.held_out_images, split.held_out_labels
    seen, others = (part.clone() for part in (split.images[: len(held_out)], split.images[-len(held_out) :]))
    torch.manual_seed(seed)
    _start_anew(network)
    if (known := share_right(_run(network, seen, "").repeat(held_out), labels)) >= KNOWS:
        raise Refused(
            f"Before any training the network classifies {known:.1%} of the held-out images right, where guessing "
            f"gives {CHANCE:.0%}. It has the answers from elsewhere. Wanted a network that learns in the check."
        )
    with _refusing(f"The training from seed {seed}"):
        train(network, split.images, split.labels, epochs, seed)
    run = _run(network, seen, ", trained")
    alone = torch.cat([_run(network, image[None], ", trained").out for image in seen[:3]])
    if not torch.allclose(run.out[:3], alone, rtol=1e-3, atol=1e-3):
        raise Refused("The outputs for an image depend on the other images given, or on chance.")
    if not torch.allclose(run.repeat(others), _run(network, others, ", trained").out, rtol=1e-3, atol=1e-3):
        raise Refused("The network does not do the same operations with each image. Wanted a forward that does.")
    if _costs(network, seen[:50]) != costs:
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


class _Run(TorchDispatchMode):
    """One run of a network on images: what it returns, whose numbers it touches, and the same done with other images.

    A tensor of several numbers that is neither the images, nor the network's own, nor made by the run is refused.
    """

    def __init__(self, network, images):
        super().__init__()
        self.images, self.out, self.steps, self.touched = images, None, [], {}
        folded = [layer for layer in network.modules() if isinstance(layer, _NormBase) and layer.weight is None]
        counted = [*network.parameters(), *(tensor for layer in folded for tensor in layer.buffers() if tensor.dim())]
        own = {memory_of(tensor): (tensor, 0) for tensor in network.buffers()}
        for tensor in counted:  # all numbers in its memory, also those that it is not a view of
            own[memory_of(tensor)] = tensor, tensor.untyped_storage().nbytes() // tensor.element_size()
        self.own, self.made = own, {memory_of(images)}

    @property
    def params(self) -> int:
        """How many numbers of the network's own were touched.

        A normalisation comes to two numbers a channel: its weight and bias, or, if it has none, its statistics.
        """
        return sum(self.touched.values())

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            memory = memory_of(tensor)
            if memory in self.own:
                self.touched[memory] = self.own[memory][1]
            elif memory not in self.made and tensor.numel() > 1:
                raise Refused(
                    f"The network uses a tensor of shape {tuple(tensor.shape)} that is neither its input nor a "
                    "parameter. Is it a layer in a plain list? Use nn.ModuleList. Is it an order of channels? Use "
                    "nn.ChannelShuffle. Tables, stored images and stored weights are refused."
                )
        out = operation(*args, **kwargs)
        self.steps.append((operation, args, kwargs, out))  # which keeps the memory, so that none is used anew
        self.made |= {*map(memory_of, _tensors(out))}
        return out

    def repeat(self, images) -> Tensor:
        """Return what the same operations make of other images of that number; no code of the network runs."""
        now = {memory_of(self.images): images.untyped_storage()}

        def moved(tensor):
            if memory_of(tensor) not in now:
                return tensor
            seen = torch.empty(0, dtype=tensor.dtype)
            return seen.set_(now[memory_of(tensor)], tensor.storage_offset(), tensor.shape, tensor.stride())

        with torch.no_grad():
            for operation, args, kwargs, made in self.steps:
                again = operation(*tree_map_only(Tensor, moved, args), **tree_map_only(Tensor, moved, kwargs))
                for old, new in zip(_tensors(made), _tensors(again), strict=True):
                    now[memory_of(old)] = new.untyped_storage()
            return moved(self.out)


def _tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _run(network, images, when, training=False):
    """Return the run on some images, if its outputs have the right form and come from images and parameters alone."""
    run = _Run(network, images)
    with _refusing(f"The network{when}, given {len(images)} of the images,"), torch.set_grad_enabled(training):
        network.train(training)
        with run:
            run.out = out = network(images)
    wanted = (len(images), CLASSES)
    if not isinstance(out, Tensor) or tuple(out.shape) != wanted:
        got = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise Refused(f"For {plural(len(images), 'image')} the network returns {got}. Wanted shape {wanted}.")
    if not out.isfinite().all():
        raise Refused(f"The network{when} returns numbers that are not finite (inf or nan).")
    return run


class _WeightsApart(TorchFunctionMode):
    """Multiplies what a normalisation or PReLU gives by its weights in an operation of its own, which a count sees."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.prelu:
            x, weight = args
            return F.relu(x) - _along_channels(weight, x) * F.relu(-x)
        if function not in NORMALISATIONS:
            return function(*args, **kwargs)
        given = signature(function).bind(*args, **kwargs)
        weight, bias = (given.arguments.pop(name, None) for name in ("weight", "bias"))
        out = function(*given.args, **given.kwargs)
        if function not in (F.layer_norm, F.rms_norm):
            weight, bias = (None if one is None else _along_channels(one, out) for one in (weight, bias))
        out = out if weight is None else out * weight
        return out if bias is None else out + bias


def _along_channels(numbers, x):
    return numbers.reshape(-1, *[1] * (x.dim() - 2))


class _Apart(nn.Module):
    """A network whose weights of normalisation are apart."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        with _WeightsApart():
            return self.network(x)


def _costs(network, images):
    """Return parameters, and for one image MACs and bytes at the peak; counted on a shape and again on real images."""
    run = _run(network, images, "")
    layers = dict(network.named_modules())
    with warnings.catch_warnings(), _refusing("The network, counted by cost_table,"):
        warnings.simplefilter("ignore")  # what is not counted is refused below
        try:
            tables = cost_table(network, INPUT_SHAPE), cost_table(network, images, real=True)
            apart = cost_table(_Apart(network).eval(), images[:2], real=True)
            peak_bytes = memory_table(network, INPUT_SHAPE).total.peak_bytes
        except ValuesNeeded as error:
            text = "Your forward looks at values of the image (assert, if, .item()). Leave that out."
            raise Refused(text) from error
    for table in tables:
        if table.uncounted:
            raise Refused(f"cost_table cannot count {listed(table.uncounted)}. Wanted work that it counts.")
    if apart.uncounted:
        raise Refused(
            f"Products with the weights of a normalisation or PReLU are summed by {listed(apart.uncounted)}, which is "
            "the work of a linear layer that no count sees. Put an activation between, or leave out the weights."
        )
    for table in tables:
        for row in table.rows:
            if row.params and not row.macs and not isinstance(layers.get(row.name), WITHOUT_PRODUCTS):
                raise Refused(
                    f"{row.name} ({row.kind}) has {row.params:,} parameters and no counted MACs. Call the layer "
                    "itself in your forward, as in self.f(x), and do not use its weight; or leave it out."
                )
    one, many = (table.total for table in tables)
    if many.macs != one.macs * len(images) or not one.macs:
        raise Refused(f"The network does {one.macs:,} MACs for one image, and {many.macs:,} for {len(images)} images.")
    return run.params, one.macs, peak_bytes
