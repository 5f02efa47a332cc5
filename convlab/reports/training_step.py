"""What one training step costs in MACs: the forward, the gradient of each layer's input and that of its weights.

A convolution sums over pairs (o, t) of an output number and a tap, those at padding zeros included: y[o] += w[t]·x[p],
where p is the place that tap t reads for o. With g = ∂L/∂y the chain rule sums over the same pairs twice more:
∂L/∂x[p] += w[t]·g[o] and ∂L/∂w[t] += x[p]·g[o]. So each gradient takes as many MACs as the forward, whatever the
groups, the stride, the padding and the dilation. A transposed convolution has pairs of an input number and a tap, a
matrix product triples (row, inner, column): the same holds. The gradient of a bias is a sum without products.

Source: Goodfellow, Bengio & Courville 2016, section 9.5 (the three operations that training a convolution takes).
"""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves, tree_map_only

from convlab.counting import cost_table
from convlab.forward.inputs import AsIs, arguments, example
from convlab.forward.untouched import Held, copied
from convlab.forward.values import Numbers, memory_of
from convlab.model import (
    FORMULAS,
    LEFT_FACTOR,
    RUNNING,
    _layers_named,
    _Operations,
    _Tally,
    alone,
    forward,
    numbers_of,
)
from convlab.table import CostTable

HEADINGS = ("layer", "kind", "forward MACs", "input gradient MACs", "weight gradient MACs", "step MACs")
PAIRS = {*LEFT_FACTOR, "linear", "convolution", "_convolution", "_grouped_mm"}  # operations with two factors
NOTE = (
    "One step on the whole batch: forward and backward, without loss, optimizer and recomputation. Counted: the MACs "
    "of convolutions, linear layers and matrix products; other layers are left out. – is a gradient that none needs."
)


class TrainingCost(NamedTuple):
    """What one layer costs in a training step: exact integers, in MACs, for the whole batch; `step_macs` is the sum."""

    name: str
    kind: str
    forward_macs: int
    input_gradient_macs: int
    weight_gradient_macs: int
    step_macs: int


class TrainingTable:
    """Rows of `TrainingCost` and their total: text when printed, a table in Jupyter, a DataFrame on request."""

    def __init__(self, rows, uncounted: tuple[str, ...] = ()):
        self.rows, self.note, self.uncounted = tuple(TrainingCost(*row, sum(row[2:])) for row in rows), NOTE, uncounted
        self.total = TrainingCost("total", "", *(sum(row[column] for row in self.rows) for column in range(2, 6)))

    def to_pandas(self, rows=None, columns=TrainingCost._fields):
        """Return the rows, without the total, as a DataFrame."""
        from pandas import DataFrame  # here, so that importing this stays fast

        return DataFrame(self.rows if rows is None else rows, columns=columns)

    def _display_frame(self):
        frame = self.to_pandas([*self.rows, self.total], HEADINGS)
        return frame.map(lambda value: value if isinstance(value, str) else f"{value:,}" if value else "–")

    _below, __str__, __repr__ = CostTable._below, CostTable.__str__, CostTable.__str__
    _repr_html_ = CostTable._repr_html_


class _Gradients(_Operations):
    """Notes for each operation with products its layer, its MACs, and how many of its factors need a gradient."""

    def __init__(self, tally, held, real, given):
        super().__init__(tally, Numbers(held), real)
        self.found, self.alive = [], _tensors(given)
        self.computed = {*map(memory_of, self.alive)}  # the model's input, and what is computed from it

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, operation.overloadpacket.__name__.rstrip("_")
        if self.tally is not RUNNING[-1]:
            return operation(*args, **kwargs)
        out = self._run(operation, args, kwargs)
        if not self.computed.isdisjoint(map(memory_of, _tensors((args, kwargs)))):
            self.alive += _tensors(out)  # so that no later tensor gets the same memory
            self.computed |= {*map(memory_of, _tensors(out))}
        if operation.namespace == "aten" and name in FORMULAS:
            FORMULAS[name](counted := _Tally({}), *args, out=out, **kwargs)
            macs = sum(macs for _, macs, _ in counted.rows[""].values())
            factors, weight = args[LEFT_FACTOR.get(name, 0) :][:2], None
            if name not in PAIRS and any(factor.requires_grad for factor in _tensors((args, kwargs))):
                self.tally.uncounted[f"the gradients of {operation} in {self.tally.label()}"] = True
                factors = ()
            is_computed = [memory_of(factor) in self.computed for factor in factors]
            if not all(is_computed):
                weight = factors[0 if is_computed[1] else 1]
            needs = [sum(f.requires_grad for f in factors if (f is weight) == of_weight) for of_weight in (False, True)]
            owner = self.tally.owner.get(id(getattr(weight, "_base", None))) or self.tally.owner.get(id(weight))
            self.found.append((self.tally.running[-1], owner, macs, needs, out))
        return out


def _tensors(tree) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _run(model, inputs, held, real):
    """Run a copy's forward with gradients, on shapes alone if not `real`; return its output and the operations."""
    model = copied(model, held, real)
    dtype, device = numbers_of(model, real)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # which switches gradients on, too
        kept = tree_map_only(Tensor, lambda x: AsIs(example(x, None, device).requires_grad_(x.requires_grad)), inputs)
        args, kwargs = example(kept, dtype, device)
        gradients = _Gradients(_Tally(dict(model.named_modules())), held, real, (args, kwargs))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))  # as in `model`, and for the same reasons
        stack.callback(torch.backends.mkldnn.set_flags, *torch.backends.mkldnn.set_flags(False)[:1])
        stack.enter_context(_layers_named(gradients.tally, real=True))
        stack.enter_context(gradients)
        return forward(gradients.tally, model, args, kwargs, real), gradients


def _reached(output) -> set:
    """Return the operations that a gradient passes on its way back from the output, as nodes of torch's graph."""
    nodes, todo = set(), [tensor.grad_fn for tensor, _ in Held(output).tensors]
    while todo:
        node = todo.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            todo += [before for before, _ in node.next_functions]
    return nodes


def training_table(model, /, *inputs, real: bool = False, **named_inputs) -> TrainingTable:
    """Return what one training step costs in each layer: the MACs of the forward and of the gradients that are needed.

    A gradient comes back from every number that the forward returns. Weights need one if they are trainable; a layer's
    input, if a trainable parameter lies before it or the model's input is a tensor that requires one. A factor that is
    not computed from the model's input counts as weights; in attention's products both factors count as input. The
    model, its inputs and the random states are afterwards as they were.

    Args:
        model, inputs, real, named_inputs: as in `cost_table`; in a chain of ConvSpecs everything is trainable.

    Raises: what `cost_table` raises; a RuntimeError for a model that cannot be copied, and for a forward that does
        other work when gradients are recorded.

    >>> table = training_table(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)), (1, 3, 12, 12))
    >>> [row[2:] for row in table.rows], table.total.step_macs  # the image needs no gradient
    ([(21600, 0, 21600, 43200), (3200, 3200, 3200, 9600)], 52800)
    """
    table = cost_table(model, *inputs, real=real, **named_inputs)
    if not isinstance(model, nn.Module):
        return TrainingTable((r.name, r.kind, r.macs, r.macs * (n > 0), r.macs) for n, r in enumerate(table.rows))
    given = arguments(inputs, named_inputs)
    with alone(model, given) as held:
        output, gradients = _run(model, given, held, real)
    nodes, macs = _reached(output), {row.name: [0, 0, 0] for row in table.rows if row.macs}
    custom = {node for node in nodes if isinstance(node, torch.autograd.function.BackwardCFunction)}
    for layer, owner, count, needs, out in gradients.found:
        flags = needs if out.grad_fn in nodes - custom else (0, 0)
        row = macs.setdefault(owner if owner in macs else layer or gradients.tally.label(""), [0, 0, 0])
        row[:] = row[0] + count, row[1] + count * flags[0], row[2] + count * flags[1]
    if (found := sum(row[0] for row in macs.values())) != table.total.macs:
        raise RuntimeError(f"the forward takes {table.total.macs:,} MACs, and {found:,} when gradients are recorded")
    uncounted = *gradients.tally.uncounted, *sorted({f"{node.name()}, which is the model's own" for node in custom})
    if uncounted:
        warnings.warn(f"not counted: {', '.join(uncounted)}", stacklevel=2)
    kinds = {name: ", ".join(row.kind for row in table.rows if row.macs and row.name == name) for name in macs}
    return TrainingTable(((name, kinds[name], *row) for name, row in macs.items()), table.uncounted + uncounted)
