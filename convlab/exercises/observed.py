"""What a network does with images: the operations it runs, the numbers of its own that they touch, what it costs.

What cannot be counted, or comes from elsewhere than the images and the parameters, is refused.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from inspect import signature

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from convlab.counting import cost_table
from convlab.exercises.exercise import at_line
from convlab.exercises.reply import Reply
from convlab.forward.values import memory_of
from convlab.measuring.digits_training import CLASSES, INPUT_SHAPE
from convlab.model import ValuesNeeded
from convlab.reports.memory import memory_table
from convlab.wording import listed, plural

WITHOUT_PRODUCTS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.PReLU)  # may have parameters all the same
NORMALISATIONS = {F.batch_norm, F.instance_norm, F.group_norm, F.layer_norm, F.rms_norm}


class Refused(Exception):
    """Why a design is not measured further, and the reply that says so."""

    def __init__(self, message: str, outcome: str = "wrong"):
        super().__init__(message)
        self.reply = Reply(outcome, message)


@contextmanager
def refusing(what, build=None):
    """Turn an error of the learner's code into a refusal that quotes it."""
    try:
        yield
    except Refused:
        raise
    except (Exception, SystemExit) as error:
        reason = str(error).strip().rstrip(".") or "no message"
        tip = " Is nn.Flatten() missing before a linear layer?" * ("mat1 and mat2" in reason)
        raise Refused(f"{what} stopped with {type(error).__name__}: {reason}{at_line(build, error)}.{tip}") from error


class Run(TorchDispatchMode):
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


def run_on(network, images, when, training=False):
    """Return the run on some images, if its outputs have the right form and come from images and parameters alone."""
    run = Run(network, images)
    with refusing(f"The network{when}, given {len(images)} of the images,"), torch.set_grad_enabled(training):
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


def costs_of(network, images):
    """Return parameters, and for one image MACs and bytes at the peak; counted on a shape and again on real images."""
    run = run_on(network, images, "")
    layers = dict(network.named_modules())
    with warnings.catch_warnings(), refusing("The network, counted by cost_table,"):
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
