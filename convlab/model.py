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

import sys
import warnings
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import cache, partial
from math import gcd, prod
from threading import RLock, get_ident
from types import GeneratorType
from weakref import ref

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import UninitializedTensorMixin
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from convlab.no_products import WEIGHTED_SUMS, has_no_products
from convlab.running import Held, arguments, example, put_back_after
from convlab.spec import conv_kind
from convlab.table import CostTable, LayerCost

NOTE = (
    "Counted: the products and sums of convolutions, linear layers and matrix products. "
    "A layer with – under MACs does other work, which is not counted; nor are element-wise functions and pooling."
)
NO_WORK = (nn.Identity, nn.Flatten, nn.Unflatten)
ONE_AT_A_TIME = RLock()  # a count changes `nn.Module.__call__` for its time
RUNNING = []  # the tallies of the counts of the thread that holds the lock: only the last, innermost one counts
KINDS = {"standard", "grouped", "depthwise", "pointwise", "linear", "transposed", "matmul", "not called"}


class _Tally:
    """The rows of one run, and the name of the layer that is running."""

    def __init__(self, modules: dict[str, nn.Module]):
        self.modules, self.params, self.owner, self.output_shape = {}, {}, {}, None
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
        self.products = {}  # element-wise products, by their identity: a sum over one is a sum of products

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
        """Count output numbers of that shape, each a sum of so many products, and of one number more if `added`."""
        outputs = prod(shape)
        self.count(kind, weight, shape, products * outputs, (2 * products - 1 + added) * outputs)

    def use(self, *tensors):
        """Note that the running layer uses these parameters, whoever owns them."""
        for owner in filter(None, map(self.owner.get, map(id, tensors))):
            self.used_by[owner] = self.running[-1]

    def kind(self, name) -> str:
        """Return the class of a layer, with its module where it is called like a kind of convolution."""
        found = type(self.modules[name])
        return f"{found.__module__}.{found.__name__}" if found.__name__ in KINDS else found.__name__

    def label(self, name=None) -> str:
        """Return a layer's name with its class; of the running layer if no name is given."""
        name = self.running[-1] if name is None else name
        return f"{name} ({self.kind(name)})" if name else self.kind(name)

    def table(self) -> CostTable:
        """Return the rows in the order of the run, then those of the parameters that no layer used."""
        params, rows, root = dict(self.params), [], self.label("")
        for inner, name in self.used_by.items():  # a layer that did not run, but whose parameters another one used
            if inner != name and inner not in self.rows:
                params[name] = params.get(name, 0) + params.pop(inner, 0)
        for name, counts in self.rows.items():
            out = _shape_of(self.outputs.get(name))
            if not counts:
                counts = {self.kind(name): (out, 0, 0)}
            for kind, (shape, macs, flops) in counts.items():
                shape = out if out and len(counts) == 1 else shape  # as the layer returns it, not as it computes it
                rows.append(LayerCost(name or root, kind, shape, params.pop(name, 0), macs, flops))
        rows += [LayerCost(name or root, "not called", None, count, 0, 0) for name, count in params.items()]
        rows = rows or [LayerCost(root, root, None, 0, 0, 0)]
        return CostTable(rows, NOTE, tuple(self.uncounted), output_shape=self.output_shape)


def _shape_of(output):
    """Return the shape of the first tensor in what a layer returned, which may be kept as its shape; or None."""
    if isinstance(output, torch.Size):
        return tuple(output)
    tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    return tuple(tensors[0].shape) if tensors else None


# What the function mode answers by itself, with torch's names of the arguments. A handler returns None for a case that
# torch should judge, and answers only for tensors whose numbers lie side by side, as those of its answer do.


def _is_plain(x, other=None):
    """Say whether these are tensors of one type of decimal numbers, which is then the type of the result."""
    if not (isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex()) and x.is_contiguous()):
        return False
    return other is None or (isinstance(other, Tensor) and x.dtype is other.dtype)


def _empty(shape, like):
    return torch.empty(shape, dtype=like.dtype, device="meta")


def _numbers(value, axes):
    """Return one number for each axis, of an integer, of a tuple of one, or of a tuple of as many as there are axes."""
    if isinstance(value, int):
        return (value,) * axes
    return value if len(value) == axes else tuple(value) * axes


def _window_sizes(sizes, kernel, stride, padding, dilation):
    """Return the output's size on each axis, as in `shape.output_shape`."""
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation)]


def _convolution(tally, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    (filters, depth, *kernel), lead = weight.shape, tuple(input.shape)
    axes = len(kernel)
    if not _is_plain(input, weight) or len(lead) - axes not in (1, 2) or padding == "valid":
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
    return _empty(shape, input)


def _linear(tally, input, weight, bias=None):
    if not _is_plain(input, weight) or weight.dim() != 2 or input.dim() < 1 or input.shape[-1] != weight.shape[1]:
        return None
    shape = (*input.shape[:-1], weight.shape[0])
    tally.count_sums("linear", weight, shape, weight.shape[1], bias is not None)
    return _empty(shape, input)


def _same(tally, input, *args, inplace=False, **kwargs):
    return (input if inplace else input.detach()) if _is_plain(input) and input.is_meta else None


def _batch_norm(tally, input, running_mean=None, running_var=None, weight=None, *args, **kwargs):
    tally.use(weight)
    channels = {v.shape[0] for v in (running_mean, weight) if v is not None}
    return _same(tally, input) if input.dim() > 1 and channels <= {input.shape[1]} else None


def _layer_norm(tally, input, normalized_shape, weight=None, *args, **kwargs):
    tally.use(weight)
    return _same(tally, input) if input.shape[-len(normalized_shape) :] == tuple(normalized_shape) else None


def _add_in_place(tally, input, other, alpha=1):
    return input if input.is_meta and _is_plain(input, other) and input.shape == other.shape else None


def _broadcast(tally, input, other):
    if not (_is_plain(input, other) and other.is_contiguous() and (input.is_meta or other.is_meta)):
        return None
    same = input.shape == other.shape
    return _empty(
        input.shape if same else np.broadcast_shapes(input.shape, other.shape), input
    )  # torch's imports 0.3 s


def _product(tally, input, other):
    answer = _broadcast(tally, input, other)
    if answer is not None:
        tally.products[id(answer)] = ref(answer)
    return answer


def _pool(axes, tally, input, kernel_size, stride=None, padding=0, ceil_mode=False, *_, dilation=1, **options):
    if ceil_mode or options.get("return_indices") or not _is_plain(input) or input.dim() - axes not in (1, 2):
        return None
    numbers = [_numbers(value, axes) for value in (kernel_size, stride or kernel_size, padding, dilation)]
    out = _window_sizes(input.shape[-axes:], *numbers)
    if min(out) < 1 or any(2 * p > k for k, p in zip(numbers[0], numbers[2])):
        return None
    return _empty((*input.shape[:-axes], *out), input)


def _adaptive_pool(axes, tally, input, output_size):
    sizes = _numbers(output_size, axes)
    if not _is_plain(input) or input.dim() - axes not in (1, 2) or len(sizes) != axes:
        return None
    return _empty((*input.shape[:-axes], *(n or old for n, old in zip(sizes, input.shape[-axes:]))), input)


ANSWERS = {  # function → handler
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), _convolution),
    **dict.fromkeys((F.dropout, F.relu, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish), _same),
    **dict.fromkeys((F.hardsigmoid, torch.relu, torch.sigmoid, Tensor.sigmoid, torch.tanh, Tensor.tanh), _same),
    **dict.fromkeys((Tensor.add, torch.add), _broadcast),
    **dict.fromkeys((Tensor.mul, torch.mul), _product),
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
        kwargs, handler = kwargs or {}, ANSWERS.get(function)
        if self.tally is not RUNNING[-1]:
            return function(*args, **kwargs)
        answer = self._answer(handler, args, kwargs) if handler else None
        if self.real:
            self.operations.counts = answer is None
            try:
                return function(*args, **kwargs)
            finally:
                self.operations.counts = True
        if answer is not None:
            return answer
        if getattr(function, "__name__", "") in QUERIES:
            return function(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self.tally.use(*tensors)
        # Beside a tensor without numbers the others lose theirs too, unless the function is to change one of them.
        name = getattr(function, "__name__", "")
        if name == "__set__" and self.operations.is_kept(args[0]):  # x.data = y, on a tensor of the user's
            return None
        changes = (name.endswith("_") and name[:1] != "_") or name.startswith(("__i", "__set")) or "out" in kwargs
        if not changes and any(map(self.operations.has_no_numbers, tensors)):
            args, kwargs = self.operations.without_numbers((args, kwargs))
        return function(*args, **kwargs)

    def _answer(self, handler, args, kwargs):
        """Return what a handler answers, or None if torch should judge: other arguments, or inside a torch.func."""
        if torch._C._functorch.peek_interpreter_stack() is not None:  # shapes are those of one sample there
            return None
        with torch._C._DisableTorchDispatch():
            try:
                return handler(self.tally, *args, **kwargs)
            except (TypeError, AttributeError):  # arguments that the handler does not know
                return None


# What the dispatch mode counts: torch's basic operations. A matrix product has its left factor at this position.
LEFT_FACTOR = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "vdot": 0, "addmm": 1, "baddbmm": 1, "addbmm": 1, "addmv": 1}


class _Operations(TorchDispatchMode):
    """Counts the basic operations of torch; names those for which there is no formula; keeps the user's tensors."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operation imports torch's compiler, for a second

    def __init__(self, tally, held, real):
        super().__init__()
        self.tally, self.held, self.real, self.kept, self.unknown = tally, held, real, None, {}
        self.counts = True  # whether the function mode has not counted this one already

    def is_kept(self, tensor) -> bool:
        """Say whether a tensor is the user's: a parameter, a buffer, something given, or a view of one."""
        if self.kept is None:  # made when it is first needed
            self.kept = {_memory(tensor) for tensor, _ in self.held.tensors}
        return _memory(tensor) in self.kept

    def has_no_numbers(self, tensor) -> bool:
        """Say whether a tensor is a shape alone, or was to be filled from one that is."""
        return tensor.is_meta or (bool(self.unknown) and _memory(tensor) in self.unknown)

    def without_numbers(self, arguments):
        """Return the arguments with every tensor as a shape alone; those that are already stay the same object."""
        with torch._C._DisableTorchDispatch():
            return tree_map_only(Tensor, lambda tensor: tensor if tensor.is_meta else _meta(tensor), arguments)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.tally is not RUNNING[-1]:
            return operation(*args, **kwargs)
        name, namespace = operation.overloadpacket.__name__.rstrip("_"), operation.namespace
        is_known = namespace == "aten" and (name in FORMULAS or name in WEIGHTED_SUMS)
        if self.counts and not is_known and operation._can_decompose():
            with self:
                return operation.decompose(*args, **kwargs)
        out = self._run(operation, args, kwargs)
        if not self.counts:
            return out
        if is_known and name in FORMULAS and not _is_sparse(args):
            FORMULAS[name](self.tally, *args, out=out, **kwargs)
        elif not self._is_free_of_products(operation, name, args, out):
            self.tally.uncounted[f"{operation} in {self.tally.label()}"] = True
        return out

    def _run(self, operation, args, kwargs):
        """Run an operation, without numbers if one of its tensors has none, and never into a tensor of the user's."""
        written = _written(operation)
        if written:
            args = tuple(self._copy_of_kept(arg) if n in written else arg for n, arg in enumerate(args))
            kwargs = {key: self._copy_of_kept(arg) if key in written else arg for key, arg in kwargs.items()}
        if self.real:
            return operation(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if any(map(self.has_no_numbers, tensors)):
            targets = [args[n] for n in written if isinstance(n, int) and n < len(args)]
            targets += [kwargs[key] for key in written if key in kwargs]
            filled = [leaf for leaf in tree_leaves(targets) if isinstance(leaf, Tensor) and not leaf.is_meta]
            if filled:  # numbers that nobody knows now: whoever looks at them is told
                self.unknown |= {_memory(tensor): tensor for tensor in filled}
                return filled[0]
            args, kwargs = self.without_numbers((args, kwargs))
        return operation(*args, **kwargs)

    def _copy_of_kept(self, value):
        """Return a value with each of the user's own tensors copied: parameters, buffers, what is given."""
        return tree_map_only(Tensor, lambda tensor: tensor.clone() if self.is_kept(tensor) else tensor, value)

    def _is_free_of_products(self, operation, name, args, out):
        if operation.namespace == "aten":
            if name in WEIGHTED_SUMS:
                return False
            if name in ("_embedding_bag", "_embedding_bag_forward_only"):  # a sum of rows, or of rows times weights
                return len(args) < 7 or args[6] is None
            products = self.tally.products
            if name == "mul" and isinstance(args[1], Tensor) and args[1].dim() and args[0].dim():
                products[id(out)] = ref(out)
            elif args and id(args[0]) in products and products[id(args[0])]() is args[0]:
                if name in ("sum", "mean", "cumsum"):
                    return False
                if operation.is_view:
                    products[id(out)] = ref(out)
        tagged = {torch.Tag.pointwise, torch.Tag.reduction} & set(operation.tags)
        return bool(tagged) or operation.is_view or has_no_products(operation.namespace, name)


def _meta(tensor):
    return (
        torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        if (tensor.layout is torch.strided and not tensor.is_quantized)
        else torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    )


def _memory(tensor):
    """Return what stands for the memory of a tensor, the same for all its views."""
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


def _is_sparse(args):
    return any(isinstance(arg, Tensor) and arg.layout is not torch.strided for arg in args)


@cache
def _written(operation):
    """Return the positions and the names of the arguments that an operation changes."""
    written = [n for n, arg in enumerate(operation._schema.arguments) if arg.alias_info and arg.alias_info.is_write]
    return {*written, *(operation._schema.arguments[n].name for n in written)}


def _count_matmul(name, tally, *args, out, beta=1, **kwargs):
    at = LEFT_FACTOR[name]
    products = args[at].shape[-1] * (args[at].shape[0] if name == "addbmm" else 1)
    tally.count_sums("matmul", args[at + 1], out.shape, products, at == 1 and beta != 0)


def _count_linear(tally, x, weight, bias=None, *, out):
    tally.count_sums("linear", weight, out.shape, weight.shape[-1], bias is not None)


def _count_convolution(tally, x, weight, bias, stride, padding, dilation, transposed, extra, groups, *_, out):
    if not transposed:
        kind, products = conv_kind(x.shape[1], groups, weight.shape[2:]), prod(weight.shape[1:])
        tally.count_sums(kind, weight, out.shape, products, bias is not None)
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
    tally.count("transposed", weight, out.shape, macs, flops)


FORMULAS = {name: partial(_count_matmul, name) for name in LEFT_FACTOR}
FORMULAS |= {"linear": _count_linear, "convolution": _count_convolution, "_convolution": _count_convolution}


# The run.


def _check_modules(modules, real):
    """Refuse a module that would hide its work, by name."""
    for name, module in modules.items():
        layer = f"{name or 'the model'} ({type(module).__name__})"
        if any(isinstance(param, UninitializedTensorMixin) for param in module._parameters.values()):
            raise ValueError(f"{layer} does not know its channels yet; run one input through the model first")
        if "_orig_mod" in module._modules:
            raise ValueError(f"{layer} comes from torch.compile, which hides its work; count the model before that")
        if isinstance(module, torch.jit.ScriptModule) and not real:
            raise ValueError(f"{layer} is a ScriptModule, whose work shows only on real data; wanted real=True")


def _conv_layer(tally, conv, x):
    weight, bias = conv._parameters.get("weight"), conv._parameters.get("bias")
    if conv.padding_mode != "zeros" or weight is None or "bias" not in conv._parameters:
        return None
    return _convolution(tally, x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _batch_norm_layer(tally, norm, x):
    return _same(tally, x) if x.dim() == 4 and x.shape[1] == norm.num_features else None


def _relu_layer(tally, relu, x):
    return _same(tally, x, inplace=relu.inplace)


LAYERS = {nn.Conv2d: _conv_layer, nn.BatchNorm2d: _batch_norm_layer, nn.ReLU: _relu_layer, nn.ReLU6: _relu_layer}


def _usual_kinds() -> set:
    """Return the classes of `LAYERS` that nobody has changed, neither by another forward nor by a hook for all."""
    if any(getattr(nn.modules.module, name) for name in ("_global_forward_hooks", "_global_forward_pre_hooks")):
        return set()
    methods = "forward", "_conv_forward"
    own = {kind: [vars(kind)[name] for name in methods if name in vars(kind)] for kind in LAYERS}
    return {kind for kind, found in own.items() if all(f.__module__.startswith("torch.nn.modules.") for f in found)}


def _answer_layer(tally, module, args, kwargs):
    """Answer a common layer as a whole, quicker than function by function; None if torch should judge."""
    own = module.__dict__
    if kwargs or len(args) != 1 or "forward" in own or own["_forward_hooks"] or own["_forward_pre_hooks"]:
        return None
    if not isinstance(args[0], Tensor):
        return None
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():  # here even x.shape would be a function
        return LAYERS[type(module)](tally, module, args[0])


@contextmanager
def _layers_named(tally, real):
    """Tell the tally which layer runs, as torch.fx does: by wrapping `nn.Module.__call__` for the time of the run.

    Every thread sees the wrapper, and so does a count inside a forward: it passes on the calls that are theirs.
    """
    original, running, names, thread = nn.Module.__call__, tally.running, tally.names, get_ident()
    listed, usual = {name for name in tally.modules if tally.has_row(name)}, set() if real else _usual_kinds()

    def call(module, *args, **kwargs):
        if get_ident() != thread or tally is not RUNNING[-1]:
            return original(module, *args, **kwargs)
        depth, name = len(running), names.get(id(module), running[-1])  # an unlisted one belongs to its caller
        running.append(name)
        output = _answer_layer(tally, module, args, kwargs) if type(module) in usual else None
        if output is None:
            output = original(module, *args, **kwargs)
        del running[depth:]  # more than one, if a layer inside failed and the model went on
        if name in listed:
            tally.rows.setdefault(name, {})
            if real:  # a shape, to hold no data
                with torch._C.DisableTorchFunction():
                    output_shape = _shape_of(output)
                tally.outputs[name] = output_shape and torch.Size(output_shape)
            else:
                tally.outputs[name] = output
        return output

    nn.Module.__call__ = call
    try:
        yield
    finally:
        nn.Module.__call__ = original


class ValuesNeeded(RuntimeError):
    """The forward looks at values, and a shape has none."""


HINTS = (  # words of an error, in lower case, and the way out
    (("dtype", "scalar type", "expected tensor for argument #1 'indices'"), "A shape stands for decimal numbers; for "
     "integers give an example tensor."),
    (("does not require grad", "inference tensor"), "A count records no gradients: leave their computation out of the "
     "forward, or count the model without that part."),
)  # fmt: skip
NEEDS_VALUES = "meta", "fake impl", "no data", "data-dependent", "flexattention"


def _stopped(tally, error, inputs, real) -> RuntimeError:
    """Return the error that says which layer stopped, why, on what, and the way out."""
    whole = str(error).strip()
    given = [tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf for leaf in tree_leaves(inputs)]
    text = f"{tally.label()} stopped with {type(error).__name__}: {whole.partition(chr(10))[0]}"
    text += f"\nThe model was given {given}."
    if not real and any(words in whole.lower() for words in NEEDS_VALUES):
        return ValuesNeeded(f"{text} It looks at values, and a shape has none: give example tensors and real=True.")
    hint = next((f" {hint}" for words, hint in HINTS if any(word in whole.lower() for word in words)), "")
    return RuntimeError(text + hint)


def model_cost_table(model: nn.Module, *inputs, real: bool = False, **named_inputs) -> CostTable:
    """Return what each layer of a model costs; see `convlab.counting.cost_table`."""
    inputs, named_inputs = arguments(inputs, named_inputs)
    with ONE_AT_A_TIME:
        held = Held(model, inputs, named_inputs)
        with put_back_after(held):
            return _count(model, inputs, named_inputs, held, real)


def _count(model, inputs, named_inputs, held, real):
    try:
        model = deepcopy(model) if real else model
    except Exception as error:
        raise RuntimeError(f"real=True runs a copy of the model, and it cannot be copied: {error}") from error
    modules = dict(model.named_modules())
    _check_modules(modules, real)
    tally = _Tally(modules)
    operations = _Operations(tally, held, real)
    first = next((param for param in model.parameters() if param.is_floating_point()), torch.empty(0))
    args, kwargs = example((inputs, named_inputs), first.dtype, first.device if real else "meta")
    with ExitStack() as stack:
        stack.callback(sys.setrecursionlimit, sys.getrecursionlimit())
        sys.setrecursionlimit(max(10_000, sys.getrecursionlimit()))  # each layer inside a layer takes four calls
        stack.enter_context(torch.inference_mode())  # no gradients, and a linear layer arrives as one operation
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))  # attention as the matrix products that it is
        stack.enter_context(_layers_named(tally, real))
        if real:  # oneDNN runs a recurrent layer as one operation whose products do not show; without it they do
            stack.callback(torch.backends.mkldnn.set_flags, *torch.backends.mkldnn.set_flags(False)[:1])
        stack.enter_context(operations)
        stack.enter_context(_Functions(tally, operations, real))
        RUNNING.append(tally)
        stack.callback(RUNNING.pop)
        try:
            output = model(*args, **kwargs)
            if isinstance(output, GeneratorType):  # its work is done when it is asked for
                output = [*output]
        except Exception as error:
            raise _stopped(tally, error, (args, kwargs), real) from error
        with torch._C.DisableTorchFunction():
            tally.output_shape = _shape_of(output)
    if tally.uncounted:
        warnings.warn(f"not counted: {', '.join(tally.uncounted)}", stacklevel=4)
    return tally.table()
