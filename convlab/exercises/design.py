"""A design under a budget: a starter that is too dear, a check that measures a design, and a record of attempts.

The check builds a network itself, starts its layers from new weights, and trains it on splits of the digits that the
attempts do not use. It shows no label of a held-out image to the network.

What it does not see: work in elementwise products, numbers written out in Python, gradients that a network changes,
and a network that behaves otherwise in its training than in the one call in training mode before. None is allowed.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from convlab.counting import cost_table
from convlab.exercises.exercise import Exercise, Reply, at_line, shown
from convlab.measuring.accuracy import Accuracy, half_interval
from convlab.measuring.digits_training import CLASSES, INPUT_SHAPE, share_right, split_digits, train
from convlab.spec import exact_int

EPOCHS, ATTEMPT_SEEDS, CHECK_SEEDS = 8, range(3), range(100, 105)
ATTEMPTS = Path("attempts.jsonl")  # beside the notebook
CHANCE, KNOWS = 1 / CLASSES, 0.5  # an untrained network that is right so often has the answers from elsewhere
WITHOUT_PRODUCTS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.PReLU)  # may have parameters all the same
LONGEST_NAME = 24  # that has room in the picture


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


# The check.


class _Refused(Exception):
    """Why a design is not measured further."""


@contextmanager
def _refusing(what, build=None):
    """Turn an error of the learner's code into a refusal that quotes it."""
    try:
        yield
    except _Refused:
        raise
    except Exception as error:
        reason = str(error).strip().rstrip(".") or "no message"
        tip = " Is nn.Flatten() missing before a linear layer?" * ("mat1 and mat2" in reason)
        raise _Refused(f"{what} stopped with {type(error).__name__}: {reason}{at_line(build, error)}.{tip}") from error


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
                raise _Refused(
                    f"The network uses a tensor of shape {tuple(tensor.shape)} that is neither its input nor a "
                    "parameter. Is it a layer in a plain list? Use nn.ModuleList. Is it an order of channels? Use "
                    "nn.ChannelShuffle. Tables, stored images and stored weights are refused."
                )
        out = operation(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.kept += made
        self.known |= {tensor.untyped_storage().data_ptr() for tensor in made}
        return out


def _outputs(model, images, when, training=False):
    """Return the outputs for some images, if they have the right form and come from input and parameters alone."""
    with _refusing(f"The network{when}, given {len(images)} of the images,"), torch.set_grad_enabled(training):
        with _Sources([images, *model.parameters(), *model.buffers()]):
            out = model.train(training)(images)
    if not isinstance(out, Tensor) or tuple(out.shape) != (len(images), CLASSES):
        got = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise _Refused(f"For {len(images)} images the network returns {got}. Wanted shape {(len(images), CLASSES)}.")
    if not out.isfinite().all():
        raise _Refused(f"The network{when} returns numbers that are not finite (inf or nan).")
    return out


def _networks(build, count):
    """Return new networks, or None if there is no answer yet."""
    with _refusing("Your function", build), torch.random.fork_rng([]):
        torch.manual_seed(0)  # no seed of a split, in case that `build` looks
        try:
            models = [build() for _ in range(count)]
        except NotImplementedError:
            return None
    for model in models:
        if model is None or model is ...:
            return None
        if not isinstance(model, nn.Module):
            raise _Refused(f"Your function returns {shown(model)}, a {type(model).__name__}. Wanted an nn.Module.")
    parts = [id(part) for model in models for part in {*model.modules(), *model.parameters()}]
    if len(set(parts)) < len(parts):
        raise _Refused("Your function returns the same layers each time. Wanted new ones: make them inside it.")
    return models


def _start_anew(model):
    """Give each layer new weights; refuse what cannot be started anew, or is brought along beside the parameters."""
    for name, layer in model.named_modules():
        named = f"{name or 'The network'} ({type(layer).__name__})"
        torch_class = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("torch.nn.modules."))
        reset = getattr(torch_class, "reset_parameters", None)  # not that of a class of the learner's
        own, buffers = [*layer.parameters(recurse=False)], dict(layer.named_buffers(recurse=False))
        if isinstance(layer, LazyModuleMixin):
            raise _Refused(f"{named} does not know its channels yet. Wanted them as numbers: nn.Linear(64, 10).")
        usual = {"running_mean", "running_var", "num_batches_tracked"} if isinstance(layer, _NormBase) else set()
        if extra := [*buffers.keys() - usual]:
            raise _Refused(
                f"{named} has the buffer {extra[0]!r} of shape {tuple(buffers[extra[0]].shape)}, which no budget "
                "counts. Wanted none but those of normalisation."
            )
        numbers = [tensor.data for tensor in (*own, *buffers.values()) if tensor.is_floating_point()]
        for tensor in numbers:
            tensor.fill_(torch.nan)
        if reset and (own or buffers):
            reset(layer)
        if any(tensor.isnan().any() for tensor in numbers):
            raise _Refused(
                f"{named} has parameters of its own that cannot be started anew. Wanted them in layers of torch.nn "
                "with reset_parameters(), such as nn.Conv2d, nn.Linear and nn.BatchNorm2d."
            )


def _cost(model, images):
    """Return the parameters, and the MACs for one image; counted on a shape, and again on real images."""
    model.eval()
    layers = dict(model.named_modules())
    with warnings.catch_warnings(), _refusing("The network, counted by cost_table,"):
        warnings.simplefilter("ignore")  # what is not counted is refused below
        try:
            tables = cost_table(model, INPUT_SHAPE), cost_table(model, images, real=True)
        except RuntimeError as error:
            if "looks at values" in str(error):
                error = _Refused("Your forward looks at values of the image (assert, if, .item()). Leave that out.")
            raise error
    for table in tables:
        if table.uncounted:
            raise _Refused(f"cost_table cannot count {', '.join(table.uncounted)}. Wanted work that it counts.")
        for row in table.rows:
            if row.params and not row.macs and not isinstance(layers.get(row.name), WITHOUT_PRODUCTS):
                raise _Refused(
                    f"{row.name} ({row.kind}) has {row.params:,} parameters and no counted MACs. Call the layer "
                    "itself in your forward, as in self.f(x), and do not use its weight; or leave it out."
                )
    one, many = (table.total for table in tables)
    if many.macs != one.macs * len(images) or not one.macs:
        raise _Refused(f"The network does {one.macs:,} MACs for one image, and {many.macs:,} for {len(images)} images.")
    return one.params, one.macs


def _trained(models, budget, seeds, epochs):
    """Train and test networks, one for each seed; refuse as early as possible."""
    splits = [split_digits(seed) for seed in seeds]
    images, accuracies = splits[0].held_out_images, []
    for model in models:
        _start_anew(model)
        for count in (1, 2, 50):
            _outputs(model, images[:count], "")
        params, macs = _cost(model, images[:50])
        if over := budget.over(params, macs) if budget else []:
            raise _Refused(f"Over the budget, so it was not trained. {'. '.join(over)}.")
        _outputs(model, splits[0].images[:50], " in training mode", training=True)
    for model, split, seed in zip(tqdm(models, delay=2, leave=False, file=sys.stdout, desc="training"), splits, seeds):
        torch.manual_seed(seed)
        _start_anew(model)
        images, labels = split.held_out_images, split.held_out_labels
        if (known := share_right(_outputs(model, images, ""), labels)) >= KNOWS:
            raise _Refused(
                f"Before any training the network classifies {known:.1%} of the held-out images right, where guessing "
                f"gives {CHANCE:.0%}. It has the answers from elsewhere. Wanted a network that learns in the check."
            )
        with _refusing(f"The training from seed {seed}"):
            train(model, split.images, split.labels, epochs, seed)
        out = _outputs(model, images, ", trained")
        alone = torch.cat([_outputs(model, image[None], ", trained") for image in images[:3]])
        if not torch.allclose(out[:3], alone, rtol=1e-3, atol=1e-3):
            raise _Refused("The outputs for an image depend on the other images given, or on chance.")
        if _cost(model, images[:50]) != (params, macs):
            raise _Refused(f"The network's costs are no longer {params:,} parameters and {macs:,} MACs after training.")
        accuracies.append(share_right(out, labels))
    return Accuracy("design", params, macs, tuple(seeds), tuple(accuracies), epochs, torch.__version__)


def _measured(build, budget, seeds, epochs) -> Accuracy | Reply:
    """Return what the networks of a function learn, or a reply if there is nothing to measure."""
    if build is None or build is ...:
        return Reply("not yet", "Give a function that builds your network, and run the cell again.")
    if isinstance(build, nn.Module) or not callable(build):
        return Reply(
            "wrong",
            f"You gave something of type {type(build).__name__}. Wanted a function that builds a network: its name.",
        )
    try:
        with torch.random.fork_rng([]):
            if models := _networks(build, len(seeds)):
                return _trained(models, budget, seeds, epochs)
    except _Refused as refused:
        return Reply("wrong", str(refused))
    return Reply("not yet", "Your function returns None so far. Let it return a network; run the cell again.")


def judge(build: Callable, budget: Budget = BUDGET, seeds: Iterable[int] = CHECK_SEEDS, epochs: int = EPOCHS) -> Reply:
    """Measure a design and reply: not yet, wrong because …, or right with the margins. It never raises for a design.

    The order: the form of the network and its costs, without training; then, for each seed, a network with new
    weights learns the seed's training images and is tested on those that the seed holds out.

    Args:
        build: a function without arguments that returns a new network each time: (n, 1, 8, 8) → (n, 10).
        seeds: two at least.

    >>> judge(starter, seeds=[0, 1]).outcome
    'wrong'
    """
    found = _measured(build, budget, tuple(seeds), epochs)
    return found if isinstance(found, Reply) else _verdict(found, budget)


def _verdict(trained, budget):
    """Return the reply to a design that is within its budget."""
    margin, half = trained.mean - budget.accuracy, half_interval(trained.accuracies)
    side = "below" if margin < 0 else "above"
    reply = f"{trained.mean:.2%} of the held-out images, {100 * abs(margin):.2f} points {side} {budget.accuracy:.2%}: "
    reply += f"the mean of {len(trained.seeds)} runs, ± {100 * half:.2f} points (95 % interval)."
    if abs(margin) <= half:
        reply = f"Too close to call: the 95 % interval holds the limit, and this mean is {side} it.\n{reply}"
    reply += f"\n{trained.params:,} parameters, {budget.params - trained.params:,} to spare."
    reply += f" {trained.macs:,} MACs, {budget.macs - trained.macs:,} to spare."
    return Reply("wrong" if margin < 0 else "right", reply)


class Design:
    """An exercise with a design as its answer: `check.design(build)`, and hints as an `Exercise` has them."""

    def __init__(self, budget: Budget, hints: list[str]):
        self.budget, self.hint = budget, Exercise(None, (), hints, "").hint

    def __call__(self, build) -> Reply:
        """Return the reply of `judge` under this budget."""
        return judge(build, self.budget)


# The attempts.


def attempt(
    name: str, build: Callable | None, path: str | Path = ATTEMPTS, seeds=ATTEMPT_SEEDS, epochs=EPOCHS
) -> Reply:
    """Measure a design on the seeds 0 to 2 as `judge` does, and add the result to a file, one line an attempt.

    A design over the budget is measured and kept too. One that `judge` would refuse otherwise is not.

    Args:
        name: what the attempt is called in the picture: 24 letters at most.
        build: as for `judge`. None, or a function that returns None, is no attempt, and nothing is written.
    """
    name = str(name)
    if len(name) > LONGEST_NAME:
        return Reply("wrong", f"{shown(name)} has {len(name)} letters. Wanted a name of {LONGEST_NAME} at most.")
    found = _measured(build, None, tuple(seeds), epochs)
    if isinstance(found, Reply):
        return found
    found = replace(found, label=name)
    costs = f"{found.params:,} parameters, {found.macs:,} MACs"
    reply = f"{found.label}: {found.mean:.2%} in {len(found.seeds)} runs, {costs}."
    if over := BUDGET.over(found.params, found.macs):
        reply += f" {'. '.join(over)}."
    line = json.dumps({**asdict(found), "date": datetime.now(UTC).isoformat(timespec="seconds")})
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # in one write, on a line of its own even if the last one was cut off
    except OSError as error:
        reply += f"\nIt could not be kept in {path}: {error.strerror or error}."
    return Reply("attempt", reply)


def attempts(path: str | Path = ATTEMPTS) -> list[Accuracy]:
    """Return all attempts in a file, the oldest first; an empty list if there is no file.

    A line that cannot be read is left out with a warning that names it. The file is never changed.
    """
    if not Path(path).exists():
        return []
    found = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            try:
                found.append(_read(line))
            except (ValueError, TypeError, KeyError) as error:
                reason = f"{type(error).__name__}: {error}"
                warnings.warn(f"{path}, line {number} cannot be read and is left out: {reason}", stacklevel=2)
    return found


def _read(line):
    """Return the attempt of a line, if its numbers can be those of one."""
    row = json.loads(line)
    params, macs, epochs = (exact_int(name, row[name], 0) for name in ("params", "macs", "epochs"))
    seeds, accuracies = (tuple(row[name]) for name in ("seeds", "accuracies"))
    if not all(0 <= share <= 1 for share in accuracies):
        raise ValueError(f"accuracies={accuracies}; wanted shares from 0 to 1")
    found = Accuracy(str(row["label"]), params, macs, seeds, accuracies, epochs, str(row["torch_version"]))
    return replace(found, source="your attempts")
