"""How much memory a model takes: its weights, its activations in inference, and what training keeps for backward.

The convention, stated here and used for every number of bytes:

- An *activation* is the storage of a tensor that an operation of torch makes, or of an input. A storage counts once:
  a view and an in-place result share the bytes of what they are made from. Parameters and buffers are no activations,
  and what a library needs inside one operation (its workspace) is not counted.
- It is *live* from the operation that makes it until nothing holds it: no variable, attribute or argument of a call
  that still runs. So torch frees it. An input is live all the time, as the caller of the model holds it.
- The *peak* is the most bytes that are live at once while no gradients are recorded.
- *Saved* is what autograd holds for the backward pass when the forward has ended, an input included. What two layers
  keep stands in the row of the first one.

Copies of the model run on the meta device (shapes without numbers), with torch's operations as they are there:
attention is a chain of matrix products, which take more memory than one fused operation, and a recurrent layer one of
steps. In eval mode batch normalisation returns two numbers for each channel, as on a GPU and not on a CPU.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from math import prod
from threading import get_ident
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.module import register_module_forward_hook
from torch.utils._pytree import tree_leaves

from convlab.counting import chain_cost_table, chain_input, named_layers
from convlab.forward.inputs import arguments, example
from convlab.forward.untouched import Held, copied
from convlab.forward.values import Numbers, memory_of
from convlab.model import (
    RUNNING,
    _check_modules,
    _layers_named,
    _Operations,
    _shape_of,
    _Tally,
    alone,
    forward,
    numbers_of,
)
from convlab.shape import check_shape
from convlab.spec import exact_int
from convlab.table import HEADINGS, CostTable
from convlab.wording import listed, plural, printable

if TYPE_CHECKING:
    from pandas import DataFrame

NOTE = (
    "Bytes for the whole batch: an activation is live from the operation that makes it until nothing holds it, an "
    "input all the time; a storage counts once; parameters, buffers and workspaces are no activations; attention is "
    "unfused. Weights: {}."
)
COLUMNS = {"weight_bytes": "weights", "output_bytes": "output", "saved_bytes": "saved", "peak_bytes": "peak"}


class LayerMemory(NamedTuple):
    """The memory of one layer: exact bytes, for the whole batch; its calls together, if it is called again.

    `weight_bytes` are its parameters, a shared one in the first layer alone. `output_bytes` are what it returns and no
    layer inside or before it has made; of a layer that holds others, all results of its own operations. `saved_bytes`
    are kept for the backward pass. `peak_bytes` are the most that are live while its own operations run.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    weight_bytes: int
    output_bytes: int
    saved_bytes: int
    peak_bytes: int


def readable_bytes(count: int) -> str:
    """Write bytes with a binary unit: 1 KiB is 1,024 B.

    >>> readable_bytes(1023), readable_bytes(1536), readable_bytes(102760448)
    ('1,023 B', '1.5 KiB', '98.0 MiB')
    """
    power = min(max(count.bit_length() - 1, 0) // 10, 4)
    return f"{count / 1024**power:,.1f} {'KMGT'[power - 1]}iB" if power else f"{count:,} B"


class MemoryTable:
    """Rows of `LayerMemory` and their total: text when printed, a table in Jupyter, a DataFrame on request.

    Args:
        rows: the layers.
        weights: the bytes of the parameters by the type of their numbers.
        buffer_bytes: those of the buffers, which stand in no row.
        output_shape: of the model.
        note: what is to be said beside the convention.
        uncounted: what could not be watched.
    """

    def __init__(
        self, rows: Iterable[LayerMemory], weights: dict, buffer_bytes=0, output_shape=None, note="", uncounted=()
    ):
        self.rows, self.weights, self.buffer_bytes, self.output_shape = tuple(rows), weights, buffer_bytes, output_shape
        kinds = [f"{readable_bytes(count)} {kind}" for kind, count in weights.items()] or ["none"]
        buffers = f"; buffers, in no row: {readable_bytes(buffer_bytes)}" * bool(buffer_bytes)
        self.note, self.uncounted = NOTE.format(listed(kinds) + buffers) + note, uncounted

    @cached_property
    def total(self) -> LayerMemory:
        """The sums of weights, outputs and saved bytes, and the highest peak."""
        *_, weights, outputs, saved, peaks = zip(*self.rows)
        return LayerMemory("total", "", self.output_shape, sum(weights), sum(outputs), sum(saved), max(peaks))

    def to_pandas(self, rows: Iterable[LayerMemory] | None = None) -> DataFrame:
        """Return the rows, without the total, or other ones, as a DataFrame of exact bytes."""
        from pandas import DataFrame  # here, so that importing stays fast

        return DataFrame(self.rows if rows is None else rows, columns=LayerMemory._fields)

    def _display_frame(self) -> DataFrame:
        frame = self.to_pandas([*self.rows, self.total])
        frame["name"] = [printable(name) for name in frame["name"]]
        for name in COLUMNS:
            frame[name] = [readable_bytes(int(count)) if count else "–" for count in frame[name]]
        frame["output_shape"] = [str(shape) if shape else "–" for shape in frame["output_shape"]]
        return frame.rename(columns=HEADINGS | COLUMNS)

    _below, _repr_html_ = CostTable._below, CostTable._repr_html_
    __str__ = __repr__ = CostTable.__str__


def _storages(value) -> dict:
    """Return the storages of the tensors in a value, each once, by what stands for its memory."""
    tensors = [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
    for layout in {tensor.layout for tensor in tensors} - {torch.strided}:
        raise ValueError(f"a tensor of layout {layout}; wanted torch.strided, whose numbers lie in one storage")
    return {memory_of(tensor): tensor.untyped_storage() for tensor in tensors}


class _Watch(_Operations):
    """Follows which storages are live, and adds up the bytes of each layer."""

    def __init__(self, tally, held, real, given, own):
        super().__init__(tally, Numbers(held), real)
        self.own, self.layers, self.live, self.unnamed = own, defaultdict(Counter), {}, set()
        self._take_up(given)
        self.thread = get_ident()
        self.unnamed.clear()  # an input is the output of no layer
        self.given_bytes = self._live_bytes()

    def _take_up(self, value):
        found = {key: storage for key, storage in _storages(value).items() if key not in self.own}
        self.unnamed |= found.keys() - self.live.keys()
        self.live |= {key: (StorageWeakRef(storage), storage.nbytes()) for key, storage in found.items()}

    def _live_bytes(self):
        return sum(size for _, size in self.live.values())

    def _name_outputs(self, name, value):
        for key in _storages(value).keys() & self.unnamed:
            self.unnamed.remove(key)
            self.layers[name]["output"] += self.live[key][1]

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs, tally = kwargs or {}, self.tally
        if tally is not RUNNING[-1]:
            return operation(*args, **kwargs)
        self.live = {key: found for key, found in self.live.items() if not found[0].expired()}
        self.unnamed &= self.live.keys()
        tally.use(*(leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)))
        out, name = self._run(operation, args, kwargs), tally.running[-1]
        self._take_up(out)
        if tally.modules[name]._modules:
            self._name_outputs(name, out)
        if not operation.is_view:
            row = self.layers[name]
            row["peak"] = max(row["peak"], self._live_bytes())
        return out

    def returned(self, module, inputs, output):
        """Note what a layer returns: a hook for all modules, also for those of other threads and of other counts."""
        name = self.tally.names.get(id(module))
        if name is None or get_ident() != self.thread or self.tally is not RUNNING[-1]:
            return
        self.tally.outputs[name] = _shape_of(output)
        if not module._modules:
            self._name_outputs(name, output)
            if self.tally.has_row(name):
                self.layers[name]["calls"] += 1


class _Saved:
    """A tensor that autograd holds: alive as long as the operation whose gradient needs it."""

    def __init__(self, tensor):
        self.tensor = tensor


def _run(model, given, held, real, gradients) -> _Watch:
    """Run a copy of the model once, with or without gradients, and return what was found."""
    model = copied(model, held, real)
    tally = _Tally(dict(model.named_modules()))
    own = {memory_of(tensor): tensor for tensor, _ in Held(model).tensors}  # held, so that no other gets its place
    args, kwargs = example(given, *numbers_of(model, real))
    watch, saved = _Watch(tally, held, real, (args, kwargs), own), []

    def pack(tensor):
        kept = _Saved(tensor.detach())  # else a result that its own operation keeps would never be freed
        saved.append((tally.running[-1], ref(kept)))
        return kept

    with ExitStack() as stack:
        stack.enter_context(torch.set_grad_enabled(gradients))
        stack.enter_context(saved_tensors_hooks(pack, lambda kept: kept.tensor))
        stack.enter_context(_layers_named(tally, real=True))  # whose answers for the common layers are not asked for
        stack.callback(register_module_forward_hook(watch.returned).remove)
        stack.enter_context(watch)
        output = forward(tally, model, args, kwargs, real)
    tally.output_shape = _shape_of(output)
    for name, weak in saved:
        for key, storage in _storages(kept.tensor).items() if (kept := weak()) else ():
            watch.layers[name]["saved"] += storage.nbytes() * (key not in own)
            own[key] = kept.tensor
    return watch


def _model_table(model, inputs, named_inputs, real) -> MemoryTable:
    given = arguments(inputs, named_inputs)
    with alone(model, given) as held, torch.inference_mode(False):
        _check_modules(dict(model.named_modules()), held, real)
        watch = _run(model, given, held, real, gradients=False)
        for name, sizes in _run(model, given, held, real, gradients=True).layers.items():
            watch.layers[name]["saved"] = sizes["saved"]
    tally, layers = watch.tally, watch.layers
    root, weights, kinds = tally.modules[""], Counter(), Counter()
    for param in root.parameters():
        weights[tally.owner.get(id(param), "")] += param.nbytes
        kinds[str(param.dtype).removeprefix("torch.")] += param.nbytes
    for inner, name in tally.used_by.items():  # a layer that did not run, but whose parameters another one used
        if inner not in layers:
            weights[name] += weights.pop(inner, 0)
    rows = []
    for name in [*layers, *(name for name in weights if name not in layers)]:
        sizes, kind = (layers[name], tally.kind(name)) if name in layers else (Counter(), "not called")
        numbers = weights[name], sizes["output"], sizes["saved"], sizes["peak"]
        rows.append(LayerMemory(name or tally.label(""), kind, tally.outputs.get(name), *numbers))
    rows = rows or [LayerMemory(tally.label(""), tally.label(""), tally.output_shape, 0, 0, 0, watch.given_bytes)]
    note = f" The model was in {'training' if root.training else 'eval'} mode."
    buffers = sum(buffer.nbytes for buffer in root.buffers())
    return MemoryTable(rows, dict(kinds), buffers, tally.output_shape, note, tuple(tally.uncounted))


def _chain_table(layers, input_shape, item_bytes) -> MemoryTable:
    """Return the table of a chain: a convolution keeps its input; live are the first input, its own and its output."""
    rows, item_bytes, layers = [], exact_int("item_bytes", item_bytes, 1), named_layers(layers)
    given = found = prod(check_shape(input_shape))
    for name, kind, shape, params, *_ in chain_cost_table(layers, input_shape).rows:
        numbers = params, prod(shape), found, given + found * bool(rows) + prod(shape)
        rows.append(LayerMemory(name, kind, shape, *(count * item_bytes for count in numbers)))
        found = prod(shape)
    weights = {f"in numbers of {plural(item_bytes, 'byte')}": sum(row.weight_bytes for row in rows)}
    return MemoryTable(rows, weights, output_shape=rows[-1].output_shape)


def memory_table(model, /, *inputs, real: bool = False, item_bytes: int | None = None, **named_inputs) -> MemoryTable:
    """Return the bytes of each layer's weights and activations, and of the peak, for the whole batch.

    An `nn.Module` runs twice, without and with gradients, in the mode that it is in: call `model.eval()` or
    `model.train()` first. The model, the inputs and the random states are afterwards as they were.

    Args:
        model: ConvSpecs or (name, ConvSpec) pairs, each layer's input being the output of the one before; or an
            `nn.Module`.
        inputs: a shape or an example tensor for each input of the forward, as for `cost_table`.
        real: for an `nn.Module` whose forward looks at values: copies of it compute, with the model's own memory.
        item_bytes: for ConvSpecs alone, the bytes of one number: 4, as of float32, if left out.
        named_inputs: the same, for keyword arguments of the forward.

    Raises: what `cost_table` raises, and a TypeError for `item_bytes` beside an `nn.Module`, a RuntimeError for a model
        that cannot be copied and for a sparse tensor, with the layer's name.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 1))
    >>> table = memory_table(model, (1, 3, 12, 12))
    >>> [row.output_bytes for row in table.rows]  # 4 bytes * (8 * 100, nothing new, 4 * 100)
    [3200, 0, 1600]
    >>> [row.saved_bytes for row in table.rows]  # the input, 4 * 432; what ReLU returns, for itself and the last
    [1728, 3200, 0]
    >>> table.total.peak_bytes  # in the last layer: 1728 + 3200 + 1600
    6528
    """
    if isinstance(model, nn.Module):
        if item_bytes is not None:
            raise TypeError(f"item_bytes={item_bytes!r} beside an nn.Module; wanted it for ConvSpecs alone")
        return _model_table(model, inputs, named_inputs, real)
    return _chain_table(model, chain_input(inputs, named_inputs), 4 if item_bytes is None else item_bytes)
