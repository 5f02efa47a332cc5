"""Run a model's forward for its own sake: what it is given, and everything put back afterwards, whatever happened.

Shapes become tensors here. What the model, its inputs and the random generators hold is looked at before the run and
put back after it, part by part, by the methods of Python's and torch's own classes: none of the user's is called.
"""

from __future__ import annotations

import random
import sys
import types
import warnings
from collections import OrderedDict, deque
from contextlib import contextmanager
from copy import copy
from functools import partial
from numbers import Real
from operator import is_
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from convlab.spec import exact_int
from convlab.wording import listed


class AsIs(NamedTuple):
    """An argument of a forward that is handed on as it is; see `as_is`."""

    value: object


def as_is(value) -> AsIs:
    """Return an argument that is no shape, though it looks like one: a tuple or a list of numbers.

    >>> as_is((7, 7))
    AsIs(value=(7, 7))
    """
    return AsIs(value)


class Call:
    """The arguments of a forward, for names that the counting function has itself: `Call((1, 3, 8, 8), real=True)`."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


def arguments(inputs: tuple, named_inputs: dict) -> tuple[tuple, dict]:
    """Return the positional and the named arguments of a forward; one `Call` stands for all of them.

    Raises:
        TypeError: no input at all, or something beside a `Call`.
    """
    if any(isinstance(value, Call) for value in inputs):
        if len(inputs) > 1 or named_inputs:
            raise TypeError("a Call holds all arguments of the forward; wanted nothing beside it")
        inputs, named_inputs = inputs[0].args, inputs[0].kwargs
    if not (inputs or named_inputs):
        raise TypeError("no input; wanted a shape such as (1, 3, 224, 224), or an example tensor, for each input")
    return inputs, named_inputs


def example(value, dtype: torch.dtype, device):
    """Return a tensor of zeros for a shape, a copy of a tensor; inside tuples, lists and dicts too; the rest as it is.

    A shape is a tuple or a list of numbers. A packed sequence keeps its lengths.

    Raises:
        TypeError: a shape that holds something else than integers.
        ValueError: a shape that holds a number below 1.
    """
    if isinstance(value, AsIs):
        return value.value
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, PackedSequence):
        return PackedSequence(example(value.data, dtype, device), *value[1:])
    if isinstance(value, tuple | list):
        is_named = hasattr(value, "_fields")
        if value and not is_named and all(isinstance(n, Real) for n in value):
            where = f"of the input shape {tuple(value)}"
            sizes = [exact_int(f"number {n} {where}", size, 1) for n, size in enumerate(value, 1)]
            return torch.zeros(sizes, dtype=dtype, device=device)
        items = [example(item, dtype, device) for item in value]
        return type(value)(*items) if is_named else type(value)(items)
    if isinstance(value, dict):
        made = copy(value)
        for key, item in value.items():
            made[key] = example(item, dtype, device)
        return made
    return value


# What is put back. Only methods of Python's, numpy's and torch's own classes are called, never one of the user's.


def _fill_dict(kind, found, before):
    kind.clear(found)
    for key, item in before.items():
        kind.__setitem__(found, key, item)


def _fill_sequence(kind, found, before):
    kind.clear(found)
    kind.extend(found, before)


def _fill_set(found, before):
    set.clear(found)
    set.update(found, before)


def _set_numpy_state(generator, state):
    generator.bit_generator.state = state


KINDS = [  # the first that fits: its class, its contents, how to put them back, whether the contents are looked into
    (OrderedDict, lambda found: dict(dict.items(found)), partial(_fill_dict, OrderedDict), True),
    (dict, lambda found: dict(dict.items(found)), partial(_fill_dict, dict), True),
    (list, lambda found: [*list.__iter__(found)], partial(_fill_sequence, list), True),
    (deque, lambda found: [*deque.__iter__(found)], partial(_fill_sequence, deque), True),
    (set, lambda found: {*set.__iter__(found)}, _fill_set, False),
    (torch.Generator, torch.Generator.get_state, torch.Generator.set_state, False),
    (random.Random, random.Random.getstate, random.Random.setstate, False),
    (np.ndarray, np.ndarray.copy, np.copyto, False),
]
OPAQUE = {type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType, str, bytes, int}
OPAQUE |= {float, complex, bool, type(None), torch.dtype, torch.device, torch.Size, range, slice}
HOOKS = [name for name in nn.Module().__dict__ if "_hooks" in name]


def _kinds():
    """Return the kinds, with numpy's generators if there can be any: the import takes longer than a run."""
    if "numpy.random" not in sys.modules:
        return KINDS
    state = np.random.RandomState
    generator = np.random.Generator, lambda found: found.bit_generator.state, _set_numpy_state, False
    return [*KINDS, generator, (state, state.get_state, state.set_state, False)]


class Held:
    """What some objects hold, and all that can be reached from there, as it was when this was made.

    Not looked into: what functions have closed over, classes, and modules of Python. A model has hundreds of parts,
    most of them empty dicts of torch's, so these are only remembered as empty.
    """

    def __init__(self, *roots):
        self.dicts, self.empty, self.others, self.tensors, self.kinds = [], [], [], [], _kinds()
        seen, todo = set(), [*roots]
        while todo:
            thing = todo.pop()
            kind = type(thing)
            if kind in OPAQUE or id(thing) in seen:
                continue
            seen.add(id(thing))
            try:
                if isinstance(thing, Tensor):
                    self.tensors.append((thing, thing.requires_grad))
                elif isinstance(thing, nn.Module):
                    todo += self._look_at_module(thing, kind)
                elif kind is dict or kind is OrderedDict:
                    todo += self._look_at_dict(thing)
                elif not isinstance(thing, type):
                    todo += self._look_at(thing)
            except Exception:  # something that cannot even be looked at cannot be put back either
                continue

    def _look_at_dict(self, found):
        """Keep what a dict holds, and return what has to be looked at next."""
        if not found:
            self.empty.append(found)
            return ()
        self.dicts.append((found, found.copy()))
        return found.values()

    def _look_at_module(self, module, kind):
        own = module.__dict__
        self.dicts.append((own, own.copy()))
        if not kind.__module__.startswith("torch.nn.modules."):
            return own.values()
        # torch's own layers keep nothing else from a run, so there is less to look at
        for name in HOOKS:
            if own[name]:
                self.dicts.append((own[name], own[name].copy()))
        for part in (own["_parameters"], own["_buffers"]):
            for tensor in self._look_at_dict(part):
                if tensor is not None:
                    self.tensors.append((tensor, tensor.requires_grad))
        return self._look_at_dict(own["_modules"])

    def _look_at(self, thing):
        if isinstance(thing, tuple | frozenset):
            return [*(tuple if isinstance(thing, tuple) else frozenset).__iter__(thing)]
        following = []
        for kind, contents, put_back, has_parts in self.kinds:
            if isinstance(thing, kind):
                before = contents(thing)
                self.others.append((thing, before, put_back))
                following += (before.values() if isinstance(before, dict) else before) if has_parts else ()
                break
        try:
            own = object.__getattribute__(thing, "__dict__")
        except AttributeError:
            return following
        return [*following, *(self._look_at_dict(own) if type(own) is dict else ())]

    def put_back(self) -> list[str]:
        """Give everything that changed its contents again; return the kinds of what could not be put back."""
        failed = []
        for found in self.empty:
            if found:
                found.clear()
        for found, before in self.dicts:
            if len(found) != len(before) or not all(map(is_, found.values(), before.values())):
                found.clear()
                found.update(before)
        for thing, before, put_back in self.others:
            try:
                put_back(thing, before)
            except Exception:
                failed.append(type(thing).__name__)
        for tensor, requires_grad in self.tensors:
            if tensor.requires_grad != requires_grad:
                tensor.requires_grad_(requires_grad)
        return failed


@contextmanager
def put_back_after(held: Held):
    """Put back, whatever happens, what was held, and the random states of Python, numpy and torch."""
    python_state, numpy_random = random.getstate(), sys.modules.get("numpy.random")
    numpy_state = numpy_random and numpy_random.get_state()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
            yield
    finally:
        failed = held.put_back()
        random.setstate(python_state)
        if numpy_random:
            numpy_random.set_state(numpy_state)
        if failed:
            warnings.warn(f"could not be put back as before: {listed(sorted({*failed}))}", stacklevel=2)
