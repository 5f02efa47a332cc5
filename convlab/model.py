"""What a whole model costs: its own forward runs on shapes alone, and each operation is counted as it passes.

What counts as a MAC or a FLOP is said at the top of `cost.py`. Work is met at one of three doors, in this order, and
the first that knows it counts it and answers with an empty tensor of the output's shape:

1. *Layer*. A wrapper around `nn.Module.__call__` names the layer that runs, and answers the most common kinds as a
   whole (`LAYERS`). Nothing is attached to the model.
2. *Function*. A function mode of torch sees each call of a torch function, and answers the common ones (`ANSWERS`).
3. *Operation*. Every other function runs on the meta device (shapes without numbers) under a dispatch mode, which sees
   the basic operations that it is made of (`_Operations`): attention and einsum arrive there as matrix products. An
   operation that has neither a formula here nor a place in `no_products` is named as not counted.

With real=True the model computes: everything is counted at the last two doors, and every result is torch's.
"""

from __future__ import annotations

import random
import sys
import warnings
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import partial
from math import gcd, prod
from numbers import Real
from threading import RLock, get_ident

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.lazy import LazyModuleMixin
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from convlab.no_products import has_no_products
from convlab.spec import conv_kind, exact_int
from convlab.table import CostTable, LayerCost

NOTE = (
    "Counted: the products and sums of convolutions, linear layers and matrix products. "
    "A layer with – under MACs does other work, which is not counted."
)
NO_WORK = (nn.Identity, nn.Flatten, nn.Unflatten)
ONE_AT_A_TIME = RLock()  # a count changes `nn.Module.__call__` for its time
RUNNING = []  # the tallies of the counts of the thread that holds the lock: only the last, innermost one counts
on_meta = partial(tree_map_only, Tensor, lambda tensor: tensor.detach().to("meta"))


class _Tally:
    """The rows of one run, and the name of the layer that is running."""

    def __init__(self, modules: dict[str, nn.Module]):
        self.modules, self.params, self.owner = {}, {}, {}
        for name, module in modules.items():
            layer = name
            if "parametrizations" in name:  # weight_norm and its like belong to their layer
                layer = f".{name}".split(".parametrizations")[0][1:]
            self.modules.setdefault(layer, module)
            for param in module._parameters.values():
                if param is not None and id(param) not in self.owner:  # a shared parameter counts once
                    self.owner[id(param)] = layer
                    self.params[layer] = self.params.get(layer, 0) + param.numel()
        self.names = {id(module): name for name, module in self.modules.items()}
        self.running, self.rows, self.outputs, self.used_by, self.uncounted = [""], {}, {}, {}, {}

    def has_row(self, name) -> bool:
        """Say whether a layer is listed even if none of its work is counted."""
        module = self.modules[name]
        return name in self.params or not (module._modules or isinstance(module, NO_WORK))

    def count(self, kind, weight, shape, macs, flops):
        """Add to the row of the running layer, or of the layer inside it that owns the weight."""
        name, owner = self.running[-1], self.owner.get(id(weight), "")
        if owner != name and owner.startswith(f"{name}." if name else ""):
            name = owner
        kinds = self.rows.setdefault(name, {})
        _, more_macs, more_flops = kinds.get(kind, ((), 0, 0))
        kinds[kind] = tuple(shape), macs + more_macs, flops + more_flops

    def count_sums(self, kind, weight, shape, products, added):
        """Count output numbers of that shape, each a sum of so many products, and one more if `added` (see `cost`)."""
        outputs = prod(shape)
        self.count(kind, weight, shape, products * outputs, (2 * products - 1 + added) * outputs)

    def label(self, name=None) -> str:
        """Return a layer's name with its class; of the running layer if no name is given."""
        name = self.running[-1] if name is None else name
        kind = type(self.modules[name]).__name__
        return f"{name} ({kind})" if name else kind

    def table(self) -> CostTable:
        """Return the rows in the order of the run, then those of the parameters that no layer used."""
        params, rows, root = dict(self.params), [], self.label("")
        for inner, name in self.used_by.items():  # a layer that did not run, but whose parameters another one used
            if inner != name and inner not in self.rows:
                params[name] = params.get(name, 0) + params.pop(inner, 0)
        for name, counts in self.rows.items():
            tensors = [leaf for leaf in tree_leaves(self.outputs.get(name)) if isinstance(leaf, Tensor)]
            out = tuple(tensors[0].shape) if tensors else None
            if not counts:
                counts = {type(self.modules[name]).__name__: (out, 0, 0)}
            for kind, (shape, macs, flops) in counts.items():
                shape = out if out and len(counts) == 1 else shape  # as the layer returns it, not as it computes it
                rows.append(LayerCost(name or root, kind, shape, params.pop(name, 0), macs, flops))
        rows += [LayerCost(name or root, "not called", None, count, 0, 0) for name, count in params.items()]
        return CostTable(rows or [LayerCost(root, root, None, 0, 0, 0)], NOTE, tuple(self.uncounted))


# What the function mode answers by itself. A handler returns None for a case that torch should judge.


def _is_plain(x, other=None):
    """Say whether these are tensors of one floating-point type, which is then the type of the result."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        return False
    return other is None or (isinstance(other, Tensor) and x.dtype is other.dtype)


def _numbers(value, axes):
    """Return one number for each axis, of an integer, of a tuple of one, or of a tuple of as many as there are axes."""
    if isinstance(value, int):
        return (value,) * axes
    return value if len(value) == axes else tuple(value) * axes


def _window_sizes(sizes, kernel, stride, padding, dilation):
    """Return the output's size on each axis, as in `shape.output_shape`."""
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation)]


def _convolution(tally, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    (filters, depth, *kernel), lead = weight.shape, tuple(x.shape)
    axes = len(kernel)
    if not _is_plain(x, weight) or len(lead) - axes not in (1, 2) or padding == "valid":
        return None
    out, channels, lead = lead[-axes:], lead[-axes - 1], lead[: -axes - 1]
    stride = _numbers(stride, axes)
    if padding != "same":
        out = _window_sizes(out, kernel, stride, _numbers(padding, axes), _numbers(dilation, axes))
    if channels != depth * groups:
        raise ValueError(f"an input with {channels} channels; wanted {depth * groups}")
    if filters % groups or min(out) < 1 or (padding == "same" and max(stride) > 1):
        return None
    shape = (*lead, filters, *out)
    tally.count_sums(conv_kind(channels, groups, kernel), weight, shape, depth * prod(kernel), bias is not None)
    return torch.empty(shape, dtype=x.dtype, device="meta")


def _linear(tally, x, weight, bias=None):
    if not _is_plain(x, weight) or weight.dim() != 2 or x.dim() < 1 or x.shape[-1] != weight.shape[1]:
        return None
    shape = (*x.shape[:-1], weight.shape[0])
    tally.count_sums("linear", weight, shape, weight.shape[1], bias is not None)
    return torch.empty(shape, dtype=x.dtype, device="meta")


def _same(tally, x, *args, inplace=False, **kwargs):
    return (x if inplace else x.detach()) if _is_plain(x) and x.is_meta else None


def _batch_norm(tally, x, mean=None, var=None, weight=None, *args, **kwargs):
    channels = {v.shape[0] for v in (mean, weight) if v is not None}
    return _same(tally, x) if x.dim() > 1 and channels <= {x.shape[1]} else None


def _layer_norm(tally, x, normalized_shape, *args, **kwargs):
    return _same(tally, x) if x.shape[-len(normalized_shape) :] == tuple(normalized_shape) else None


def _add_in_place(tally, x, y):
    return x if x.is_meta and _is_plain(x, y) and x.shape == y.shape else None


def _broadcast(tally, x, y, *args, **kwargs):
    if args or kwargs or not _is_plain(x, y) or not (x.is_meta or y.is_meta):
        return None
    shape = x.shape if x.shape == y.shape else np.broadcast_shapes(x.shape, y.shape)  # torch's takes an import of 0.3 s
    return torch.empty(shape, dtype=x.dtype, device="meta")


def _pool(axes, tally, x, kernel_size, stride=None, padding=0, ceil_mode=False, *_, dilation=1, **options):
    if ceil_mode or options.get("return_indices") or not _is_plain(x) or x.dim() - axes not in (1, 2):
        return None
    numbers = [_numbers(value, axes) for value in (kernel_size, stride or kernel_size, padding, dilation)]
    out = _window_sizes(x.shape[-axes:], *numbers)
    return torch.empty((*x.shape[:-axes], *out), dtype=x.dtype, device="meta") if min(out) > 0 else None


def _adaptive_pool(axes, tally, x, output_size):
    if not _is_plain(x) or x.dim() - axes not in (1, 2):
        return None
    out = [n or old for n, old in zip(_numbers(output_size, axes), x.shape[-axes:])]
    return torch.empty((*x.shape[:-axes], *out), dtype=x.dtype, device="meta")


ANSWERS = {  # function → handler
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), _convolution),
    **dict.fromkeys((F.dropout, F.relu, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish), _same),
    **dict.fromkeys((F.hardsigmoid, torch.relu, torch.sigmoid, Tensor.sigmoid, torch.tanh, Tensor.tanh), _same),
    **dict.fromkeys((Tensor.add, Tensor.mul, torch.add, torch.mul), _broadcast),
    F.linear: _linear,
    F.batch_norm: _batch_norm,
    F.layer_norm: _layer_norm,
    Tensor.add_: _add_in_place,
}
for _axes in (1, 2, 3):
    ANSWERS[getattr(F, f"max_pool{_axes}d")] = ANSWERS[getattr(F, f"avg_pool{_axes}d")] = partial(_pool, _axes)
    ANSWERS[getattr(F, f"adaptive_avg_pool{_axes}d")] = partial(_adaptive_pool, _axes)
QUERIES = {"__get__", "__len__", "dim", "numel", "size", "stride", "is_floating_point", "is_contiguous"}


class _Functions(TorchFunctionMode):
    """Answers a torch function from the shapes, or runs it where the dispatch mode counts its operations."""

    def __init__(self, tally, operations, real):
        super().__init__()
        self.tally, self.operations, self.real = tally, operations, real

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if self.tally is not RUNNING[-1]:
            return function(*args, **(kwargs or {}))
        kwargs, handler = kwargs or {}, ANSWERS.get(function)
        answer = handler(self.tally, *args, **kwargs) if handler else None
        if self.real:
            self.operations.counts = answer is None
            try:
                return function(*args, **kwargs)
            finally:
                self.operations.counts = True
        if answer is not None:
            return answer
        name = getattr(function, "__name__", "")
        if name in QUERIES:
            return function(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        for owner in filter(None, map(self.tally.owner.get, map(id, tensors))):
            self.tally.used_by[owner] = self.tally.running[-1]
        if any(tensor.is_meta for tensor in tensors):
            args, kwargs = on_meta((args, kwargs))
        elif (
            (name.endswith("_") and name[0] != "_") or name.startswith(("__i", "__set")) or "out" in kwargs
        ):  # on the model's own tensors: change a copy of them
            args, kwargs = tree_map_only(Tensor, Tensor.clone, (args, kwargs))
        with self.operations:
            return function(*args, **kwargs)


# What the dispatch mode counts: torch's basic operations. A matrix product has its left factor at this position.
LEFT_FACTOR = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "vdot": 0, "addmm": 1, "baddbmm": 1, "addbmm": 1, "addmv": 1}


class _Operations(TorchDispatchMode):
    """Counts the basic operations of torch; names those for which there is no formula."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operation imports torch's compiler, for a second

    def __init__(self, tally):
        super().__init__()
        self.tally, self.counts = tally, True  # counts: whether the function mode has not counted this one already

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if self.tally is not RUNNING[-1]:
            return operation(*args, **(kwargs or {}))
        kwargs, name = kwargs or {}, operation.overloadpacket.__name__.rstrip("_")
        has_formula = name in LEFT_FACTOR or name in ("convolution", "_convolution", "linear")
        if self.counts and not has_formula and operation._can_decompose():
            with self:
                return operation.decompose(*args, **kwargs)
        out = operation(*args, **kwargs)
        if not self.counts:
            return out
        if name in LEFT_FACTOR:
            at = LEFT_FACTOR[name]
            products = args[at].shape[-1] * (args[at].shape[0] if name == "addbmm" else 1)
            self.tally.count_sums("matmul", args[at + 1], out.shape, products, at == 1)
        elif name == "linear":
            _, weight, bias = (*args, None)[:3]
            self.tally.count_sums("linear", weight, out.shape, weight.shape[1], bias is not None)
        elif has_formula:
            self._convolution(*args, out=out)
        elif not self._is_free_of_products(operation, name, args):
            self.tally.uncounted[f"{operation} in {self.tally.label()}"] = True
        return out

    @staticmethod
    def _is_free_of_products(operation, name, args):
        if name in ("_embedding_bag", "_embedding_bag_forward_only"):  # a sum of rows, or of rows times weights
            return len(args) < 7 or args[6] is None
        tagged = {torch.Tag.pointwise, torch.Tag.reduction} & set(operation.tags)
        return bool(tagged) or operation.is_view or has_no_products(operation.namespace, name)

    def _convolution(self, x, weight, bias, stride, padding, dilation, transposed, extra, groups, *_, out):
        if not transposed:
            kind, products = conv_kind(x.shape[1], groups, weight.shape[2:]), prod(weight.shape[1:])
            self.tally.count_sums(kind, weight, out.shape, products, bias is not None)
            return
        # Transposed: each input number meets (M/g)·K·K weights, and its products land at i·s + u·d on each axis, for
        # i < n and u < k. Of a product into a place the first is no addition, so places are taken from the additions.
        # (i, u) and (i', u') land together if i − i' = t·d/gcd and u' − u = t·s/gcd, gcd = gcd(s, d). So a place is
        # counted once by its pair with the smallest i: the pairs without a partner (i − d/gcd, u + s/gcd). Padding
        # cuts the border off afterwards. Source: Dumoulin & Visin 2016, section 4; with dilation derived here.
        macs = x.numel() * prod(weight.shape[1:])
        places = x.shape[0] * weight.shape[1] * groups
        for n, k, s, d in zip(x.shape[2:], weight.shape[2:], stride, dilation):
            places *= n * k - max(n - d // gcd(s, d), 0) * max(k - s // gcd(s, d), 0)
        flops = 2 * macs - places + out.numel() * (bias is not None)
        self.tally.count("transposed", weight, out.shape, macs, flops)


# The run.


def _check_modules(modules, real):
    """Refuse a module that would hide its work, by name."""
    for name, module in modules.items():
        layer = f"{name or 'the model'} ({type(module).__name__})"
        if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
            raise ValueError(f"{layer} does not know its channels yet; run one input through the model first")
        if "_orig_mod" in module._modules:
            raise ValueError(f"{layer} comes from torch.compile, which hides its work; count the model before that")
        if isinstance(module, torch.jit.ScriptModule) and not real:
            raise ValueError(f"{layer} is a ScriptModule, whose work shows only on real data; wanted real=True")


@contextmanager
def _untouched(modules):
    """Restore, whatever happens, what the modules hold, and the random states."""
    held = []
    for module in modules:
        own = module.__dict__
        if type(module).__module__.startswith("torch.nn.modules."):  # these keep nothing else from a run
            held += (own, own["_parameters"], own["_buffers"])
        else:
            held += [own, *(value for value in own.values() if isinstance(value, dict | list | set))]
    saved = [value.copy() if value else () for value in held]
    python_state, numpy_random = random.getstate(), sys.modules.get("numpy.random")  # an import takes longer than a run
    numpy_state = numpy_random and numpy_random.get_state()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
            yield
    finally:
        for value, before in zip(held, saved):
            if value or before:
                value.clear()
                value.extend(before) if isinstance(value, list) else value.update(before)
        random.setstate(python_state)
        if numpy_random:
            numpy_random.set_state(numpy_state)


def _conv_layer(tally, conv, x):
    weight, bias = conv._parameters["weight"], conv._parameters["bias"]
    if conv.padding_mode != "zeros" or not isinstance(weight, Tensor):
        return None
    return _convolution(tally, x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _batch_norm_layer(tally, norm, x):
    return _same(tally, x) if x.dim() == 4 and x.shape[1] == norm.num_features else None


def _relu_layer(tally, relu, x):
    return _same(tally, x, inplace=relu.inplace)


LAYERS = {nn.Conv2d: _conv_layer, nn.BatchNorm2d: _batch_norm_layer, nn.ReLU: _relu_layer, nn.ReLU6: _relu_layer}


def _answer_layer(tally, module, args, kwargs):
    """Answer a common layer as a whole, quicker than function by function; None if torch should judge."""
    is_usual = len(args) == 1 and not (kwargs or module._forward_hooks or module._forward_pre_hooks)
    if not is_usual or not isinstance(args[0], Tensor):
        return None
    with torch._C.DisableTorchFunction():  # here even x.shape would be a torch function
        return LAYERS[type(module)](tally, module, args[0])


@contextmanager
def _layers_named(tally, real):
    """Tell the tally which layer runs, as torch.fx does: by wrapping `nn.Module.__call__` for the time of the run.

    Every thread sees the wrapper, and so does a count inside a forward: it passes on the calls that are theirs.
    """
    original, running, names, thread = nn.Module.__call__, tally.running, tally.names, get_ident()
    listed = {name for name in tally.modules if tally.has_row(name)}

    def call(module, *args, **kwargs):
        if get_ident() != thread or tally is not RUNNING[-1]:
            return original(module, *args, **kwargs)
        depth, name = len(running), names.get(id(module), running[-1])  # an unlisted one belongs to its caller
        running.append(name)
        output = _answer_layer(tally, module, args, kwargs) if type(module) in LAYERS and not real else None
        if output is None:
            output = original(module, *args, **kwargs)
        del running[depth:]  # more than one, if a layer inside failed and the model went on
        if name in listed:
            tally.rows.setdefault(name, {})
            tally.outputs[name] = on_meta(output) if real else output  # shapes: do not hold the data
        return output

    nn.Module.__call__ = call
    try:
        yield
    finally:
        nn.Module.__call__ = original


def _example(value, dtype, device):
    """Return a tensor for a shape, a copy for a tensor; inside lists and dicts too; anything else as it is."""
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, tuple | list) and value and all(isinstance(n, Real) for n in value):
        sizes = [exact_int(f"number {n} of the input shape {tuple(value)}", size, 1) for n, size in enumerate(value, 1)]
        return torch.zeros(sizes, dtype=dtype, device=device)
    if isinstance(value, tuple | list):
        return type(value)(_example(item, dtype, device) for item in value)
    if isinstance(value, dict):
        return {key: _example(item, dtype, device) for key, item in value.items()}
    return value


class ValuesNeeded(RuntimeError):
    """The forward looks at values, and a shape has none."""


def _stopped(tally, error, inputs, real) -> RuntimeError:
    """Return the error that says which layer stopped, why, on what, and the way out."""
    reason = str(error).strip().partition("\n")[0]
    given = [tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf for leaf in tree_leaves(inputs)]
    text = f"{tally.label()} stopped with {type(error).__name__}: {reason}\nThe model was given {given}."
    if not real and "meta" in reason.lower():
        return ValuesNeeded(f"{text} It looks at values, and a shape has none: give example tensors and real=True.")
    if "dtype" in reason or "scalar types" in reason:
        text += " A shape stands for decimal numbers; for integers give an example tensor."
    return RuntimeError(text)


def model_cost_table(model: nn.Module, *inputs, real: bool = False, **named_inputs) -> CostTable:
    """Return what each layer of a model costs; see `convlab.counting.cost_table`."""
    if not (inputs or named_inputs):
        raise TypeError("no input; wanted a shape such as (1, 3, 224, 224), or an example tensor, for each input")
    try:
        model = deepcopy(model) if real else model
    except Exception as error:
        raise RuntimeError(f"real=True runs a copy of the model, and it cannot be copied: {error}") from error
    modules = dict(model.named_modules())
    _check_modules(modules, real)
    tally = _Tally(modules)
    operations = _Operations(tally)
    first = next((param for param in model.parameters() if param.is_floating_point()), torch.empty(0))
    args, kwargs = _example((inputs, named_inputs), first.dtype, first.device if real else "meta")
    with ONE_AT_A_TIME, ExitStack() as stack:
        stack.enter_context(_untouched([] if real else modules.values()))
        stack.enter_context(torch.inference_mode())  # no gradients, and a linear layer arrives as one operation
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))  # attention as the matrix products that it is
        stack.enter_context(_layers_named(tally, real))
        if real:  # everything passes the dispatch mode, ScriptModules included
            # oneDNN runs a recurrent layer as one operation whose products do not show; without it they do.
            stack.callback(torch.backends.mkldnn.set_flags, *torch.backends.mkldnn.set_flags(False)[:1])
            stack.enter_context(operations)
        stack.enter_context(_Functions(tally, operations, real))
        RUNNING.append(tally)
        stack.callback(RUNNING.pop)
        try:
            model(*args, **kwargs)
        except Exception as error:
            raise _stopped(tally, error, (args, kwargs), real) from error
    if tally.uncounted:
        warnings.warn(f"not counted: {', '.join(tally.uncounted)}", stacklevel=3)
    return tally.table()
