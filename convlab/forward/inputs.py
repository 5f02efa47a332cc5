"""What a forward is given: shapes become tensors, the rest is handed on."""

from __future__ import annotations

from copy import copy
from functools import partial
from numbers import Real
from operator import is_
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves

from convlab.spec import exact_int


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

    One `input_shape` alone is the first argument, as that of a chain.

    Raises:
        TypeError: no input at all, or something beside a `Call`.
    """
    if any(isinstance(value, Call) for value in inputs):
        if len(inputs) > 1 or named_inputs:
            raise TypeError("a Call holds all arguments of the forward; wanted nothing beside it")
        return inputs[0].args, inputs[0].kwargs
    if not (inputs or named_inputs):
        raise TypeError(
            "no input; wanted a shape such as (1, 3, 224, 224), or an example tensor, for each input; "
            "Call() for a forward that takes none"
        )
    if not inputs and "input_shape" in named_inputs:
        named_inputs = dict(named_inputs)
        inputs = (named_inputs.pop("input_shape"),)
    return inputs, named_inputs


def shapes_of(examples) -> list[tuple[int, ...]]:
    """Return the shapes of the tensors among what a forward is given."""
    return [tuple(leaf.shape) for leaf in tree_leaves(examples) if isinstance(leaf, Tensor)]


def example(value, dtype: torch.dtype, device, made: dict | None = None):
    """Return a tensor of zeros for a shape, a copy of a tensor; inside tuples, lists and dicts too; the rest as it is.

    A shape is a tuple or a list of numbers. A packed sequence keeps its lengths. What is given twice, as one object, is
    one object again.

    Raises:
        TypeError: a shape that holds something else than integers.
        ValueError: a shape that holds a number below 1.
    """
    made = {} if made is None else made
    if id(value) in made:
        return made[id(value)]
    made[id(value)] = value  # what a container finds that holds itself
    found = made[id(value)] = _example(value, partial(example, dtype=dtype, device=device, made=made))
    if isinstance(found, Tensor) and not isinstance(value, Tensor):
        del made[id(value)]  # a shape: two equal ones are two tensors
    return found


def _example(value, of):
    """Return the example of a value; `of` gives that of a part."""
    dtype, device = of.keywords["dtype"], of.keywords["device"]
    if isinstance(value, AsIs):
        return value.value
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, PackedSequence):
        return PackedSequence(of(value.data), *value[1:])
    if isinstance(value, tuple | list):
        is_named = hasattr(value, "_fields")
        if value and not is_named and all(isinstance(n, Real) for n in value):
            where = f"of the input shape {tuple(value)}"
            try:
                sizes = [exact_int(f"number {n} {where}", size, 1) for n, size in enumerate(value, 1)]
            except (TypeError, ValueError) as error:
                raise type(error)(f"{error}; as_is(…) hands on what is no shape") from None
            return torch.zeros(sizes, dtype=dtype, device=device)
        return _rebuilt(value, [of(item) for item in value], lambda items: _sequence(value, items, is_named))
    if isinstance(value, dict):
        return _rebuilt(value, {key: of(item) for key, item in value.items()}, lambda items: _mapping(value, items))
    return value


def _sequence(value, items, is_named):
    return type(value)(*items) if is_named else type(value)(items)


def _mapping(value, items):
    made = copy(value)
    for key, item in items.items():
        made[key] = item
    return made


def _rebuilt(value, items, build):
    """Return a container like `value` with other items; the value itself where no item is another."""
    before = value.values() if isinstance(value, dict) else value
    if all(map(is_, before, items.values() if isinstance(items, dict) else items)):
        return value
    try:
        return build(items)
    except Exception as error:
        kind = type(value).__name__
        raise TypeError(f"a {kind} cannot be made anew with other items: {error}; wanted as_is(…) around it") from error
