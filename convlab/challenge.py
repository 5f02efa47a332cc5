"""A design under a budget: a starter that is too dear, a check that measures a design, and a record of attempts.

The check builds a network itself, starts its layers from new weights, and trains it on splits of the digits that the
attempts do not use. It shows no label of a held-out image to the network.
"""

from __future__ import annotations

import json
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
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from convlab import cost_table
from convlab.exercise import Exercise, Reply, at_line, shown
from convlab.spec import exact_int
from convlab.trained import Trained
from convlab.training import CLASSES, INPUT_SHAPE, split_digits, train, train_and_test

EPOCHS, ATTEMPT_SEEDS, CHECK_SEEDS = 8, range(3), range(100, 105)
ATTEMPTS = Path("attempts.jsonl")  # beside the notebook
CHANCE, KNOWS = 1 / CLASSES, 0.5  # an untrained network that is right so often has the answers from elsewhere
WITHOUT_PRODUCTS = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "PReLU")  # may have parameters all the same


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
        reason = str(error).strip() or "no message"
        raise _Refused(f"{what} stopped with {type(error).__name__}: {reason}{at_line(build, error)}.") from error


class _Sources(TorchDispatchMode):
    """Refuses a tensor of several numbers that is neither given to the network nor made by its forward."""

    def __init__(self, given: Iterable[Tensor]):
        super().__init__()
        self.kept = list(given)  # what is kept keeps its memory, so that an address stands for one tensor
        self.known = {tensor.untyped_storage().data_ptr() for tensor in self.kept}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        for tensor in tree_leaves((args, kwargs)):
            is_several = isinstance(tensor, Tensor) and tensor.numel() > 1
            if is_several and tensor.untyped_storage().data_ptr() not in self.known:
                raise _Refused(
                    f"The forward uses a tensor of shape {tuple(tensor.shape)} that is neither its input nor a "
                    "parameter. Wanted a network that knows only what it learns: no tables, no stored images."
                )
        out = operation(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.kept += made
        self.known |= {tensor.untyped_storage().data_ptr() for tensor in made}
        return out


def _outputs(model, images, when):
    """Return the outputs for some images, if they have the right form and come from input and parameters alone."""
    with _refusing(f"The network{when}, given {len(images)} of the images,"), torch.no_grad():
        with _Sources([images, *model.parameters(), *model.buffers()]):
            out = model(images)
    if not isinstance(out, Tensor) or tuple(out.shape) != (len(images), CLASSES):
        got = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise _Refused(f"For {len(images)} images the network returns {got}. Wanted shape {(len(images), CLASSES)}.")
    if not out.isfinite().all():
        raise _Refused(f"The network{when} returns numbers that are not finite (inf or nan).")
    return out


def _share_right(out, labels):
    return (out.argmax(1) == labels).double().mean().item()


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


def _check_layers(model):
    """Refuse what cannot be started anew, and what a network could bring along beside its parameters."""
    for name, layer in model.named_modules():
        named = f"{name or 'The network'} ({type(layer).__name__})"
        own, buffers = [*layer.parameters(recurse=False)], [*layer.named_buffers(recurse=False)]
        is_torch = type(layer).__module__.startswith("torch.nn.modules.") and hasattr(layer, "reset_parameters")
        if own and not is_torch:
            raise _Refused(
                f"{named} has parameters of its own that cannot be started anew. Wanted them in layers of torch.nn "
                "with reset_parameters(), such as nn.Conv2d, nn.Linear and nn.BatchNorm2d."
            )
        if buffers and not (is_torch and isinstance(layer, nn.modules.batchnorm._NormBase)):
            raise _Refused(
                f"{named} has the buffer {buffers[0][0]!r} of shape {tuple(buffers[0][1].shape)}, which no budget "
                "counts. Wanted none but those of normalisation."
            )


def _cost(model, images):
    """Return the parameters, and the MACs for one image; counted on a shape, and again on real images."""
    model.eval()
    with warnings.catch_warnings(), _refusing("The network, counted by cost_table,"):
        warnings.simplefilter("ignore")  # what is not counted is refused below
        tables = cost_table(model, INPUT_SHAPE), cost_table(model, images, real=True)
    for table in tables:
        if table.uncounted:
            raise _Refused(f"cost_table cannot count {', '.join(table.uncounted)}. Wanted work that it counts.")
        idle = [row for row in table.rows if row.params and not row.macs and not row.kind.startswith(WITHOUT_PRODUCTS)]
        if idle:
            raise _Refused(
                f"{idle[0].name} ({idle[0].kind}) has {idle[0].params:,} parameters and no counted MACs. "
                "Wanted parameters whose work is counted, or those of normalisation."
            )
    one, many = (table.total for table in tables)
    if many.macs != one.macs * len(images):
        raise _Refused(f"The network does {one.macs:,} MACs for one image, and {many.macs:,} for {len(images)} images.")
    return one.params, one.macs


def _measured(models, budget, seeds, epochs):
    """Train and test networks, one for each seed; refuse as early as possible."""
    splits = [split_digits(seed) for seed in seeds]
    images, accuracies = splits[0].held_out_images, []
    for model in models:
        _check_layers(model)
        for count in (1, 2, 50):
            _outputs(model.eval(), images[:count], "")
        params, macs = _cost(model, images[:50])
        if over := budget.over(params, macs):
            raise _Refused(f"Over the budget, so it was not trained. {'. '.join(over)}.")
        for layer in model.modules():
            if [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]:
                type(layer).reset_parameters(layer)
    for model, split, seed in zip(tqdm(models, delay=2, leave=False, desc="training"), splits, seeds):
        images, labels = split.held_out_images, split.held_out_labels
        if (known := _share_right(_outputs(model.eval(), images, ""), labels)) >= KNOWS:
            raise _Refused(
                f"Before any training the network classifies {known:.1%} of the held-out images right, where guessing "
                f"gives {CHANCE:.0%}. It has the answers from elsewhere. Wanted a network that learns in the check."
            )
        with _refusing(f"The training from seed {seed}"):
            train(model, split.images, split.labels, epochs, seed)
        out = _outputs(model.eval(), images, ", trained")
        alone = torch.cat([_outputs(model, image[None], ", trained") for image in images[:3]])
        if not torch.allclose(out[:3], alone, rtol=1e-3, atol=1e-3):
            raise _Refused("The outputs for an image depend on the other images given, or on chance.")
        if _cost(model, images[:50]) != (params, macs):
            raise _Refused(f"The network's costs are no longer {params:,} parameters and {macs:,} MACs after training.")
        accuracies.append(_share_right(out, labels))
    return Trained("design", params, macs, tuple(seeds), tuple(accuracies), epochs, torch.__version__)


def judge(
    build: Callable[[], nn.Module],
    budget: Budget = BUDGET,
    seeds: Iterable[int] = CHECK_SEEDS,
    epochs: int = EPOCHS,
) -> Reply:
    """Measure a design and reply: not yet, wrong because …, or right with the margins. It never raises for a design.

    The order: the form of the network and its costs, without training; then, for each seed, a network with new
    weights learns the seed's training images and is tested on those that the seed holds out.

    Args:
        build: a function without arguments that returns a new network each time: (n, 1, 8, 8) → (n, 10).
        seeds: two at least.

    >>> judge(starter, seeds=[0, 1]).outcome
    'wrong'
    """
    seeds = tuple(seeds)
    if build is None or build is ...:
        return Reply("not yet", "Give a function that builds your network, and run the cell again.")
    if isinstance(build, nn.Module) or not callable(build):
        return Reply(
            "wrong",
            f"You gave something of type {type(build).__name__}. Wanted a function that builds a network: its name.",
        )
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        try:
            models = _networks(build, len(seeds))
            if models is None:
                return Reply(
                    "not yet", "Your function returns None so far. Let it return a network; run the cell again."
                )
            return _verdict(_measured(models, budget, seeds, epochs), budget)
        except _Refused as refused:
            return Reply("wrong", str(refused))


def _verdict(trained, budget):
    """Return the reply to a design that is within its budget."""
    margin, error = trained.mean - budget.accuracy, trained.spread / len(trained.seeds) ** 0.5
    side = "below" if margin < 0 else "above"
    reply = f"{trained.mean:.2%} of the held-out images, {100 * abs(margin):.2f} points {side} {budget.accuracy:.2%}: "
    reply += f"the mean of {len(trained.seeds)} runs, with a standard error of {100 * error:.2f} points."
    if abs(margin) < 2 * error:
        reply += "\nThat is within two standard errors of the limit: with other seeds the answer could be another."
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


def attempt(name: str, build: Callable[[], nn.Module] | None, path: str | Path = ATTEMPTS, **options) -> Reply:
    """Train a design on the seeds 0 to 2, and add the result to a file, one line an attempt.

    Args:
        name: what the attempt is called in the picture.
        build: as for `judge`. None, or a function that returns None, is no attempt, and nothing is written.
        options: `seeds` and `epochs` of `train_and_test`.

    Raises: what the network raises.
    """
    with torch.random.fork_rng([]):
        if build is None or build is ... or build() is None:
            return Reply("not yet", "Let your function return a network, and run the cell again.")
    options = {"seeds": ATTEMPT_SEEDS, "epochs": EPOCHS} | options
    found = train_and_test({str(name): build}, **options)[str(name)]
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


def attempts(path: str | Path = ATTEMPTS) -> list[Trained]:
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
    found = Trained(str(row["label"]), params, macs, seeds, accuracies, epochs, str(row["torch_version"]))
    return replace(found, source="your attempts")
