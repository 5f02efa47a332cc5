"""What a run changes is put back afterwards, whether or not it stopped.

What the model, its inputs and the random generators hold is looked at before the run and put back after it, part by
part, by the methods of Python's, numpy's and torch's own classes: none of the user's is called. The random states are
those of the whole process: what other threads draw meanwhile is drawn again.
"""

from __future__ import annotations

import random
import sys
import types
import warnings
from collections import OrderedDict, deque
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from itertools import chain, filterfalse
from operator import attrgetter, is_, itemgetter

import numpy as np
import torch
from torch import Tensor, nn

from convlab.forward.values import shape_alone
from convlab.wording import listed


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


def _fill_slots(found, before):
    for slot, value in before:
        if slot.__get__(found) is not value:
            slot.__set__(found, value)


def _fill_class(kind, before):
    now = vars(kind)
    for name in [name for name in now if name not in before]:
        type.__delattr__(kind, name)
    for name, value in before.items():
        if now.get(name) is not value:
            type.__setattr__(kind, name, value)


def _set_cell(cell, before):
    cell.cell_contents = before[0]


def _set_numpy_state(generator, state):
    generator.bit_generator.state = state


KINDS = [  # the first that fits: its class, its contents, how to put them back, whether the contents are looked into
    (OrderedDict, lambda found: dict(dict.items(found)), partial(_fill_dict, OrderedDict), True),
    (dict, lambda found: dict(dict.items(found)), partial(_fill_dict, dict), True),
    (list, lambda found: [*list.__iter__(found)], partial(_fill_sequence, list), True),
    (deque, lambda found: [*deque.__iter__(found)], partial(_fill_sequence, deque), True),
    (set, lambda found: {*set.__iter__(found)}, _fill_set, False),
    (bytearray, bytes, lambda found, before: bytearray.__setitem__(found, slice(None), before), False),
    (types.CellType, lambda cell: (cell.cell_contents,), _set_cell, True),
    (torch.Generator, torch.Generator.get_state, torch.Generator.set_state, False),
    (random.Random, random.Random.getstate, random.Random.setstate, False),
    (np.ndarray, np.ndarray.copy, np.copyto, False),
]
OPAQUE = {type, types.ModuleType, types.BuiltinFunctionType, str, bytes, int}
OPAQUE |= {float, complex, bool, type(None), torch.dtype, torch.device, torch.Size, range, slice}
CONTAINERS = dict, list, set, deque
NEEDS_GRAD, IS_LEAF, OWN, GRADIENT = map(attrgetter, ("requires_grad", "is_leaf", "__dict__", "grad"))
HOOKS = attrgetter("_backward_hooks", "_post_accumulate_grad_hooks")  # of a tensor; None until there is one
PARTS = itemgetter(*(name for name, part in vars(nn.Module()).items() if isinstance(part, dict)))  # hooks, parameters …


def _kinds():
    """Return the kinds, with numpy's generators if there can be any: the import takes longer than a run."""
    if "numpy.random" not in sys.modules:
        return KINDS
    state = np.random.RandomState
    generator = np.random.Generator, lambda found: found.bit_generator.state, _set_numpy_state, False
    return [*KINDS, generator, (state, state.get_state, state.set_state, False)]


class Held:
    """What some objects hold, and all that can be reached from there, as it was when this was made.

    That includes the classes of the user's modules, and what functions have closed over, hooks above all. Not looked
    into: globals, caches of functools, Python's modules, iterators, and what C keeps. A model
    has hundreds of parts, most of them empty dicts of torch's, so these are only remembered as empty.
    """

    def __init__(self, *roots):
        self.dicts, self.empty, self.others, self.tensors, self.layers = [], [], [], [], []
        self.kinds, self.classes, self.gradients, self.hooks = _kinds(), set(), [], []
        seen, todo, tensors = set(), [*roots], []
        while todo or tensors:
            if not todo:  # all tensors at once, which is faster than one by one
                todo, tensors = self._look_at_tensors(tensors), []
                continue
            thing = todo.pop()
            kind = type(thing)
            if kind in OPAQUE or id(thing) in seen:
                continue
            seen.add(id(thing))
            try:
                if isinstance(thing, Tensor):
                    tensors.append(thing)
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

    def _look_at_tensors(self, tensors):
        """Keep the flags and the gradients of tensors, and return what hangs on them."""
        try:
            flags, own, hooks = [*map(NEEDS_GRAD, tensors)], [*map(OWN, tensors)], [*map(HOOKS, tensors)]
            gradients = [*map(GRADIENT, leaves := [*filter(IS_LEAF, tensors)])]
        except Exception:  # of one of them; of a single one nothing can be kept
            return [part for one in tensors for part in self._look_at_tensors([one])] if len(tensors) > 1 else []
        self.tensors += zip(tensors, flags)
        self.hooks += zip(tensors, hooks)
        self.gradients += [(leaf, gradient) for leaf, gradient in zip(leaves, gradients) if gradient is not None]
        self.empty += filterfalse(None, own)
        following = [value for attributes in filter(None, own) for value in self._look_at_dict(attributes)]
        return [*following, *gradients, *chain.from_iterable(hooks)]

    def _look_at_module(self, module, kind):
        own = module.__dict__
        self.dicts.append((own, own.copy()))
        if not kind.__module__.startswith("torch.nn.modules."):
            self._keep_slots(module)
            return [*own.values(), *(part for one in kind.__mro__ for part in self._look_at_class(one))]
        # torch's own layers keep nothing else from a run, so there is less to look at
        self.layers.append(own)
        return [value for part in filter(None, PARTS(own)) for value in self._look_at_dict(part)]

    def _look_at_class(self, kind):
        """Keep what a class of the user's holds, and return its containers."""
        if kind.__module__.partition(".")[0] in ("torch", "builtins") or kind in self.classes:
            return []
        self.classes.add(kind)
        before = dict(vars(kind))
        self.others.append((kind, before, _fill_class))
        return [value for value in before.values() if isinstance(value, CONTAINERS)]

    def _look_at(self, thing):
        if isinstance(thing, tuple | frozenset):
            return [*(tuple if isinstance(thing, tuple) else frozenset).__iter__(thing)]
        if isinstance(thing, types.FunctionType):
            return [*(thing.__closure__ or ()), *(thing.__defaults__ or ()), thing.__kwdefaults__, thing.__dict__]
        if isinstance(thing, types.MethodType):
            return [thing.__self__, thing.__func__]
        if isinstance(thing, partial):
            return [thing.func, thing.args, thing.keywords]
        following = self._keep_slots(thing)
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

    def _keep_slots(self, thing):
        """Keep what the __slots__ of a thing hold, and return it."""
        kinds = (vars(kind) for kind in type(thing).__mro__ if "__slots__" in vars(kind))
        slots = [slot for kind in kinds for slot in kind.values() if type(slot) is types.MemberDescriptorType]
        before = []
        for slot in slots:
            try:
                before.append((slot, slot.__get__(thing)))
            except AttributeError:  # empty
                continue
        if before and type(thing).__module__.partition(".")[0] not in sys.stdlib_module_names:
            self.others.append((thing, before, _fill_slots))
            return [value for _, value in before]
        return []

    @staticmethod
    def _are_dicts_same(pairs) -> bool:
        """Say whether the dicts hold the same objects under the same keys, in the same order, as their copies."""
        found, before = zip(*pairs) if pairs else ((), ())
        return (
            [*map(len, found)] == [*map(len, before)]
            and all(map(is_, chain.from_iterable(found), chain.from_iterable(before)))
            and all(map(is_, *(chain.from_iterable(map(dict.values, dicts)) for dicts in (found, before))))
        )

    def put_back(self) -> list[str]:
        """Give everything that changed its contents again; return the kinds of what could not be put back."""
        failed, kept = [], {id(found) for found, _ in self.dicts}
        for found in filter(None, chain(self.empty, chain.from_iterable(map(PARTS, self.layers)))):
            if id(found) not in kept:
                found.clear()
        if not self._are_dicts_same(self.dicts):  # all at once, which is fast and nearly always so
            for found, before in self.dicts:
                if not self._are_dicts_same([(found, before)]):
                    found.clear()
                    found.update(before)
        for thing, before, put_back in self.others:
            try:
                if _is_changed(thing, before):
                    put_back(thing, before)
            except Exception:
                failed.append(type(thing).__name__)
        for tensor, needs_grad in self.tensors:
            if tensor.requires_grad != needs_grad:
                tensor.requires_grad_(needs_grad)
        for tensor, hooks in self.hooks:
            if HOOKS(tensor) != hooks:
                tensor._backward_hooks, tensor._post_accumulate_grad_hooks = hooks
        for tensor, gradient in self.gradients:
            if tensor.grad is not gradient:
                tensor.grad = gradient
        return failed


def _is_changed(thing, before) -> bool:
    """Say whether a container holds other objects than before; of what is no container nobody asks."""
    if isinstance(thing, dict):
        now = [*map(id, dict.keys(thing)), *map(id, dict.values(thing))]
        return now != [*map(id, before), *map(id, before.values())]
    if isinstance(thing, set):
        return {*map(id, set.__iter__(thing))} != {*map(id, before)}
    if isinstance(thing, list | deque):
        kind = list if isinstance(thing, list) else deque
        return [*map(id, kind.__iter__(thing))] != [*map(id, before)]
    return True


def copied(model: nn.Module, held: Held, real: bool) -> nn.Module:
    """Return a copy of a model for a run, whose tensors are shapes alone unless it is to compute.

    Raises:
        RuntimeError: the model cannot be copied.
    """
    memo = {}
    for tensor, needs_grad in () if real else held.tensors:
        shape, is_param = shape_alone(tensor), isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(shape, needs_grad) if is_param else shape.requires_grad_(needs_grad)
    try:
        return deepcopy(model, memo)
    except Exception as error:
        way_out = "leave real=True out, or what cannot be copied" if real else "leave what cannot be copied out of it"
        raise RuntimeError(f"a copy of the model runs, and it cannot be copied: {error}; {way_out}") from error


@contextmanager
def put_back_after(held: Held):
    """Put back, whatever happens, what was held, the random states of Python, numpy and torch, and torch's dtype."""
    python_state, numpy_random = random.getstate(), sys.modules.get("numpy.random")
    numpy_state, dtype = numpy_random and numpy_random.get_state(), torch.get_default_dtype()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
            yield
    finally:
        torch.set_default_dtype(dtype)
        random.setstate(python_state)
        if numpy_random:
            numpy_random.set_state(numpy_state)
        failed = held.put_back()
        if failed:
            warnings.warn(f"could not be put back as before: {listed(sorted({*failed}))}", stacklevel=2)
