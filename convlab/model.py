"""What a whole model costs: its own forward runs on shapes alone, and each operation is counted as it passes.

What counts as a MAC or a FLOP is said at the top of `cost.py`. Work is met at one of three doors, in this order, and
the first that knows it counts it and answers with an empty tensor of the output's shape:

1. *Layer*. A wrapper around `nn.Module._call_impl` names the layer that runs, and answers the most common kinds as a
   whole (`answers.LAYERS`). Nothing is attached to the model.
2. *Function*. A function mode of torch sees each call of a torch function, and answers the common ones
   (`answers.FUNCTIONS`).
3. *Operation*. Every other function runs on the meta device (shapes without numbers) under a dispatch mode, which sees
   the basic operations that it is made of (`_Operations`): attention and einsum arrive there as matrix products. An
   operation that has neither a formula here nor a place in `no_products` is named as not counted.

With real=True the model computes: everything is counted at the last two doors, and every result is torch's.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Awaitable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor as Executor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from itertools import chain, islice
from math import gcd, prod
from threading import RLock, Thread, get_ident

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from convlab.forward.answers import answer_function, answer_layer, usual_kinds
from convlab.forward.inputs import arguments, example, shapes_of
from convlab.forward.no_products import WEIGHTED_SUMS, has_no_products
from convlab.forward.products import Products
from convlab.forward.untouched import Held, copied, put_back_after
from convlab.forward.values import Numbers, shape_alone
from convlab.spec import conv_kind
from convlab.table import CostTable, LayerCost
from convlab.wording import listed, printable

NOTE = (
    "For the input {}, the whole batch, in {} mode. FLOPs are exact: multiplications plus additions. "
    "Counted: the products and sums of convolutions, linear layers and matrix products. "
    "A layer with – under MACs does other work, which is not counted; nor are element-wise functions and pooling."
)
NO_WORK = (nn.Identity, nn.Flatten, nn.Unflatten)
MOST_ITEMS = 10_000  # that are asked of a generator that a forward returns
ONE_AT_A_TIME = RLock()  # a count changes `nn.Module._call_impl` for its time
RUNNING = []  # the tallies of the counts of the thread that holds the lock: only the last, innermost one counts
VALUES = "It looks at values, and a shape has none: give example tensors and real=True."
KINDS = {"standard", "grouped", "depthwise", "pointwise", "linear", "transposed", "matmul", "not called"}


class _Tally:
    """The rows of one run, and the name of the layer that is running."""

    def __init__(self, modules: dict[str, nn.Module]):
        self.modules, self.params, self.owner, self.output_shape = {}, {}, {}, None
        for name, module in modules.items():
            layer = name
            if "parametrizations" in name:  # weight_norm and its like belong to their layer
                outer = f".{name}".split(".parametrizations")[0][1:]
                layer = outer if is_parametrized(modules[outer]) else name
            self.modules.setdefault(layer, module)
            for param in module._parameters.values():
                if param is not None and id(param) not in self.owner:  # a shared parameter counts once
                    self.owner[id(param)] = layer
                    self.params[layer] = self.params.get(layer, 0) + param.numel()
        self.names = {id(module): name for name, module in self.modules.items()}
        self.running, self.rows, self.outputs, self.used_by, self.uncounted = [""], {}, {}, {}, {}
        self.error = self.stopped = None  # the last error, and the layer that it stopped
        self.products = Products()

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
        self.count(kind, weight, shape, products * outputs, max(2 * products - 1 + added, 0) * outputs)

    def use(self, *tensors):
        """Note that the running layer uses these parameters, whoever owns them."""
        for owner in filter(None, map(self.owner.get, map(id, tensors))):
            self.used_by[owner] = self.running[-1]
            if owner != self.running[-1]:
                self.rows.setdefault(self.running[-1], {})

    def kind(self, name) -> str:
        """Return the class of a layer, with its module where it is called like a kind of convolution."""
        found = type(self.modules[name])
        return f"{found.__module__}.{found.__name__}" if found.__name__ in KINDS else found.__name__

    def label(self, name=None) -> str:
        """Return a layer's name with its class; of the running layer if no name is given."""
        name = self.running[-1] if name is None else name
        return printable(f"{name} ({self.kind(name)})" if name else self.kind(name))

    def table(self, note, two_macs) -> CostTable:
        """Return the rows in the order of the run, then those of the parameters that no layer used."""
        params, rows, root = dict(self.params), [], self.label("")
        for inner, name in self.used_by.items():  # a layer that did not run, but whose parameters another one used
            if inner != name and inner not in self.rows:
                params[name] = params.get(name, 0) + params.pop(inner, 0)
        for name, counts in self.rows.items():
            out = self.outputs.get(name)
            if not counts:
                counts = {self.kind(name): (out, 0, 0)}
            for kind, (shape, macs, flops) in counts.items():
                shape = out if out and len(counts) == 1 else shape  # as the layer returns it, not as it computes it
                rows.append(LayerCost(name or root, kind, shape, params.pop(name, 0), macs, flops))
        rows += [LayerCost(name or root, "not called", None, count, 0, 0) for name, count in params.items()]
        rows = rows or [LayerCost(root, root, None, 0, 0, 0)]
        return CostTable(rows, note, tuple(self.uncounted), output_shape=self.output_shape, two_macs=two_macs)


def _shape_of(output, depth=4):
    """Return the shape of the first tensor in what a layer returned; None if there is none."""
    if isinstance(output, Tensor):
        return tuple(output.shape)
    if isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, tuple | list | set):
        parts = output
    else:
        parts = getattr(output, "__dict__", {}).values()
    return next((shape for part in parts if depth and (shape := _shape_of(part, depth - 1)) is not None), None)


QUERIES = {"__get__", "__len__", "dim", "numel", "size", "stride", "is_floating_point", "is_contiguous"}
SET_DATA = Tensor.data.__set__
RESHAPING = {"set_", "resize_", "resize_as_", "t_", "transpose_", "squeeze_", "swapaxes_", "swapdims_"}
EXPOSING = {"numpy", "__array__", "__dlpack__", "data_ptr"}  # the numbers, to somebody past torch's sight
SHOWING = EXPOSING | {"untyped_storage", "storage"}


class _Functions(TorchFunctionMode):
    """Answers a torch function from the shapes, or runs it where the dispatch mode counts its operations."""

    def __init__(self, tally, operations, numbers, real):
        super().__init__()
        self.tally, self.operations, self.numbers, self.real = tally, operations, numbers, real

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.tally is not RUNNING[-1]:
            return function(*args, **kwargs)
        is_inside_func = torch._C._functorch.peek_interpreter_stack() is not None  # shapes are of one sample there
        answer = None if is_inside_func else answer_function(self.tally, function, args, kwargs)
        if answer is not None and not self.real:
            return answer
        name = getattr(function, "__name__", "")
        if name in QUERIES or is_inside_func:
            return function(*args, **kwargs)
        if (name == "__set__" or name in RESHAPING) and self.numbers.is_kept(args[0]):
            return self._set(name, function, *args)
        if name in EXPOSING and self.real:
            self.tally.uncounted[f"what is done outside torch with the numbers of {name}() in {self.tally.label()}"] = (
                True
            )
        if self.numbers.copies or name in SHOWING:
            args, kwargs = self.numbers.as_seen((args, kwargs), to_write=name in SHOWING)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if answer is None:
            self.tally.use(*tensors)
        if self.real:
            self.operations.counts = answer is None
            try:
                return function(*args, **kwargs)
            finally:
                self.operations.counts = True
        if any(tensor.layout is not torch.strided for tensor in tensors):
            self.tally.uncounted[f"{name} of a sparse tensor in {self.tally.label()}"] = True
        if not any(map(self.numbers.are_missing, tensors)):
            return function(*args, **kwargs)
        # Beside a tensor without numbers the others lose theirs too, and those that the function changes for good.
        if targets := [leaf for leaf in tree_leaves(kwargs.get("out")) if isinstance(leaf, Tensor)]:
            return self._change(targets, function, args, kwargs)
        if (name.endswith("_") and name[:1] != "_") or name.startswith(("__i", "__set")):
            return self._change(args[:1], function, args, kwargs)
        args, kwargs = self.numbers.without((args, kwargs))
        return function(*args, **kwargs)

    def _set(self, name, function, target, *values):
        """Give a tensor of the user's other data, `x.data = y`, for the rest of the run; leave its flags alone."""
        sets_data = function == SET_DATA
        if name in RESHAPING or (sets_data and values[0].shape != target.shape):
            way_out = "which is done on real data alone: give example tensors and real=True"
            raise RuntimeError(f"{name} on a tensor of the model's changes its shape, {way_out}")
        if sets_data and self.numbers.are_missing(values[0]):
            self.numbers.forget(target)
        elif sets_data:
            with torch._C._DisableTorchDispatch():
                self.numbers.as_seen(target, to_write=True).copy_(values[0])

    def _change(self, targets, function, args, kwargs):
        """Run a function that changes its targets, and let each target be a shape alone from now on."""
        lost = {id(target): shape_alone(target) for target in targets if not target.is_meta}
        replace = partial(tree_map_only, Tensor, lambda tensor: lost.get(id(tensor), tensor))
        args, kwargs = self.numbers.without(replace((args, kwargs)))
        result = function(*args, **kwargs)
        back = {}
        for target in targets:
            if id(target) in lost:
                self.numbers.forget(target)
                if not self.numbers.is_kept(target):
                    instead = lost[id(target)]
                    try:
                        torch.utils.swap_tensors(target, instead)
                    except RuntimeError:  # somebody else refers to it: then it is only known to have no numbers
                        continue
                    back[id(instead)] = target
                    self.tally.products.move(instead, target)
        return tree_map_only(Tensor, lambda tensor: back.get(id(tensor), tensor), result)


# What the dispatch mode counts: torch's basic operations. A matrix product has its left factor at this position.
LEFT_FACTOR = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "vdot": 0, "addmm": 1, "baddbmm": 1, "addbmm": 1, "addmv": 1}


class _Operations(TorchDispatchMode):
    """Counts the basic operations of torch; names those for which there is no formula; keeps the user's tensors."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operation imports torch's compiler, for a second

    def __init__(self, tally, numbers, real):
        super().__init__()
        self.tally, self.numbers, self.real = tally, numbers, real
        self.counts = True  # whether the function mode has not counted this one already

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.tally is not RUNNING[-1]:
            return operation(*args, **kwargs)
        name, namespace = operation.overloadpacket.__name__.rstrip("_"), operation.namespace
        if name.startswith("conv") and isinstance(args[0], Tensor) and args[0].is_complex() and self.counts:
            return self._name_whole(operation, args, kwargs)  # torch makes three of real numbers of it
        formula = FORMULAS.get(name) if namespace == "aten" else None
        if namespace == "quantized" and name in QUANTIZED:
            formula = _count_quantized
        is_known = formula is not None or (namespace == "aten" and name in WEIGHTED_SUMS)
        if self.counts and not is_known and operation._can_decompose():
            with self:
                return operation.decompose(*args, **kwargs)
        out = self._run(operation, args, kwargs)
        if not self.counts:
            return out
        if formula and not _is_sparse(args):
            formula(self.tally, *args, **kwargs | {"out": out})
        elif not self._is_free_of_products(operation, name, args, kwargs, out):
            self.tally.uncounted[f"{operation} in {self.tally.label()}"] = True
        return out

    def _name_whole(self, operation, args, kwargs):
        self.tally.uncounted[f"{operation} in {self.tally.label()}"] = True
        return self._run(operation, args, kwargs)

    def _run(self, operation, args, kwargs):
        """Run an operation, without numbers if one of its tensors has none, and never into a tensor of the user's."""
        written, numbers = _written(operation), self.numbers
        if written:
            args = tuple(numbers.as_seen(arg, n in written) for n, arg in enumerate(args))
            kwargs = {key: numbers.as_seen(arg, key in written) for key, arg in kwargs.items()}
        elif numbers.copies:
            args, kwargs = numbers.as_seen((args, kwargs))
        if self.real:
            return operation(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if any(map(numbers.are_missing, tensors)):
            targets = [args[n] for n in written if isinstance(n, int) and n < len(args)]
            targets += [kwargs[key] for key in written if key in kwargs]
            targets = [leaf for leaf in tree_leaves(targets) if isinstance(leaf, Tensor)]
            filled = [target for target in targets if not target.is_meta]
            if filled:  # numbers that nobody knows now: whoever looks at them is told
                for target in filled:
                    numbers.forget(target)
                return targets[0] if len(operation._schema.returns) < 2 else tuple(targets)
            args, kwargs = numbers.without((args, kwargs))
            if "device" in kwargs and operation is torch.ops.aten._to_copy.default:
                kwargs = {**kwargs, "device": "meta"}  # moved, and still without numbers
        return operation(*args, **kwargs)

    def _is_free_of_products(self, operation, name, args, kwargs, out):
        if self.tally.products.is_sum(operation, args, kwargs, out):
            return False
        if operation.namespace == "aten":
            if name in WEIGHTED_SUMS:
                return False
            if name in ("_embedding_bag", "_embedding_bag_forward_only"):  # a sum of rows, or of rows times weights
                return len(args) < 7 or args[6] is None
        tagged = {torch.Tag.pointwise, torch.Tag.reduction} & set(operation.tags)
        return bool(tagged) or operation.is_view or has_no_products(operation.namespace, name)


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


def _count_attention(tally, query, key, value, *args, out, **kwargs):
    tally.count_sums("matmul", query, (*out.shape[:-1], key.shape[-2]), query.shape[-1], False)
    tally.count_sums("matmul", value, out.shape, key.shape[-2], False)


def _count_recurrent_layer(tally, x, input_weight, hidden_weight, *args, out, **kwargs):
    has_bias = args[9]
    for weight in (input_weight, hidden_weight):
        tally.count_sums("linear", weight, (*x.shape[:2], weight.shape[0]), weight.shape[1], has_bias)


def _count_grouped_matmul(tally, rows, weight, *args, out, **kwargs):
    products = rows.shape[-1] if weight.dim() == 3 else rows.shape[-1] // out.shape[0]  # two matrices: cut on their sum
    tally.count_sums("matmul", weight, out.shape, products, False)


def _count_quantized(tally, x, packed, *args, out, **kwargs):
    weight, bias = packed.unpack()
    kind = "linear" if weight.dim() == 2 else conv_kind(x.shape[1], x.shape[1] // weight.shape[1], weight.shape[2:])
    tally.count_sums(kind, packed, out.shape, prod(weight.shape[1:]), bias is not None)


QUANTIZED = {f"{name}{end}" for name in ("linear", "conv1d", "conv2d", "conv3d") for end in ("", "_relu")}
FORMULAS = {name: partial(_count_matmul, name) for name in LEFT_FACTOR}
FORMULAS |= {"_grouped_mm": _count_grouped_matmul}
FORMULAS |= {"scaled_dot_product_attention": _count_attention, "mkldnn_rnn_layer": _count_recurrent_layer}
FORMULAS |= {"linear": _count_linear, "convolution": _count_convolution, "_convolution": _count_convolution}


# The run.


LAZY = {UninitializedParameter, UninitializedBuffer}
HIDING = (*LAZY, torch.jit.ScriptModule)


def _check_modules(modules, held, real):
    """Refuse a module that would hide its work, by name."""
    kinds = {*map(type, modules.values()), *(type(tensor) for tensor, _ in held.tensors)}
    if not any(issubclass(kind, HIDING) for kind in kinds) and not any(name.endswith("_orig_mod") for name in modules):
        return
    for name, module in modules.items():
        why = ""
        if not LAZY.isdisjoint(map(type, chain(module._parameters.values(), module._buffers.values()))):
            why = "does not know its channels yet; run one input through the model first"
        if "_orig_mod" in module._modules:
            why = "comes from torch.compile, which hides its work; count the model before that"
        if isinstance(module, torch.jit.ScriptModule) and not real:
            why = "is a ScriptModule, whose work shows only on real data; wanted real=True"
        if why:
            raise ValueError(f"{name or 'the model'} ({type(module).__name__}) {why}")


@contextmanager
def _layers_named(tally, real):
    """Tell the tally which layer runs, by wrapping `nn.Module._call_impl` for the time of the run.

    torch.fx wraps `__call__`, for which Python looks at every class of modules that there is. Every thread sees the
    wrapper, and so does a count inside a forward: it passes on the calls that are theirs.
    """
    original, running, names, thread = nn.Module._call_impl, tally.running, tally.names, get_ident()
    listed, usual = {name for name in tally.modules if tally.has_row(name)}, set() if real else usual_kinds()

    def call(module, *args, **kwargs):
        if get_ident() != thread or tally is not RUNNING[-1]:
            is_mine = id(module) in names and (real or any(isinstance(x, Tensor) and x.is_meta for x in args))
            if get_ident() != thread and is_mine:
                tally.uncounted[f"the work of other threads in {tally.label(names[id(module)])}"] = True
            return original(module, *args, **kwargs)
        depth, name = len(running), names.get(id(module), running[-1])  # an unlisted one belongs to its caller
        running.append(name)
        if type(module) in usual and (output := answer_layer(tally, module, args, kwargs)) is not None:
            running.pop()
            if name in listed:
                tally.rows.setdefault(name, {})
            return output
        try:
            output = original(module, *args, **kwargs)
        except Exception as error:
            if tally.error is not error:  # the innermost layer that it stopped, whether or not the model goes on
                tally.error, tally.stopped = error, tally.label()
            raise
        finally:
            del running[depth:]
        if name in listed:
            tally.rows.setdefault(name, {})
            with torch._C.DisableTorchFunction():
                tally.outputs[name] = _shape_of(output)
        return output

    def handed_on(way):
        def hand_on(self, *args, **kwargs):
            if get_ident() == thread and tally is RUNNING[-1]:
                tally.uncounted[f"what {tally.label()} hands to other threads"] = True
            return way(self, *args, **kwargs)

        return hand_on

    with ExitStack() as stack:
        for kind, name in ((Thread, "start"), (Executor, "submit")):
            stack.callback(setattr, kind, name, getattr(kind, name))
            setattr(kind, name, handed_on(getattr(kind, name)))
        stack.callback(setattr, nn.Module, "_call_impl", original)
        nn.Module._call_impl = call
        yield


class ValuesNeeded(RuntimeError):
    """The forward looks at values, and a shape has none."""


HINTS = {  # words of an error, in lower case, and the way out; the first that fit
    ("flexattention", "flex_attention"): "It cannot be counted: use F.scaled_dot_product_attention, which can.",
    ("higherorderoperator",): "An operator that takes functions cannot be counted: call one of them instead.",
    ("nestedtensor", "sym_size"): "Nested tensors cannot be counted: pad them.",
    ("does not require grad", "inference tensor"): "A count records no gradients: leave what needs them out.",
    ("meta", "fake impl", "no data", "data-dependent", "allocated"): VALUES,
    ("dtype", "scalar type", "expected tensor for argument #1 'indices'"): (
        "A shape stands for decimal numbers; for integers give an example tensor."
    ),
}


def _stopped(tally, error, inputs, real) -> RuntimeError:
    """Return the error that says which layer stopped, why, on what, and the way out."""
    whole = printable(str(error).strip(), "\n")
    given = [tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf for leaf in tree_leaves(inputs)]
    layer = tally.stopped if tally.error is error else tally.label()
    text = f"{layer} stopped with {type(error).__name__}: {whole.partition(chr(10))[0]}"
    text += f"\nThe model was given {given}."
    fitting = (hint for words, hint in HINTS.items() if any(word in whole.lower() for word in words))
    hint = next((hint for hint in fitting if hint is not VALUES or not real), "")
    return (ValuesNeeded if hint is VALUES else RuntimeError)(f"{text} {hint}".rstrip())


def model_cost_table(model: nn.Module, inputs: tuple, named_inputs: dict, real=False, two_macs=False) -> CostTable:
    """Return what each layer of a model costs; see `convlab.counting.cost_table`."""
    given = arguments(inputs, named_inputs)
    with alone(model, given) as held:
        return _count(model, given, held, real, two_macs)


@contextmanager
def alone(*roots):
    """Let no other count run meanwhile, and put back afterwards what the roots hold, which is returned."""
    with ONE_AT_A_TIME, ExitStack() as stack:
        stack.callback(sys.setrecursionlimit, sys.getrecursionlimit())
        sys.setrecursionlimit(max(10_000, sys.getrecursionlimit()))  # each layer inside a layer takes four calls
        RUNNING.append(None)  # a count outside this one does not see the preparations
        stack.callback(RUNNING.pop)
        held = Held(*roots)
        stack.enter_context(put_back_after(held))
        yield held


def numbers_of(model, real: bool) -> tuple:
    """Return the type and the device of the numbers that stand for a shape in a run of a model."""
    first = next((param for param in model.parameters() if param.is_floating_point()), torch.empty(0))
    return first.dtype, first.device if real else "meta"


def forward(tally, model, args, kwargs, real: bool):
    """Run the forward of a model, whose layers and operations go to the tally, and return its output.

    Raises:
        RuntimeError: it stopped; the message names the layer, the reason and the way out.
    """
    RUNNING.append(tally)
    try:
        return _finished(tally, model(*args, **kwargs))
    except Exception as error:
        raise _stopped(tally, error, (args, kwargs), real) from error
    finally:
        RUNNING.pop()


def _finished(tally, output):
    """Return what a forward returned, with the work done that a generator in it still had to do."""
    for leaf in tree_leaves(output):
        if isinstance(leaf, Iterator):
            items = [*islice(leaf, MOST_ITEMS)]
            output = items if leaf is output else output
            if len(items) < MOST_ITEMS:
                continue
        if isinstance(leaf, Iterator | Awaitable):
            tally.uncounted[f"what the {type(leaf).__name__} that {tally.label('')} returned has still to do"] = True
    return output


def _count(model, given, held, real, two_macs):
    modules = dict(model.named_modules())
    _check_modules(modules, held, real)
    if real:
        model = copied(model, held, real)
        modules = dict(model.named_modules())
    tally = _Tally(modules)
    numbers = Numbers(held)
    operations = _Operations(tally, numbers, real)
    args, kwargs = example(given, *numbers_of(model, real))
    with ExitStack() as stack:
        # No gradients, and below autograd a linear layer arrives as one operation. inference_mode would do both, but
        # whatever the forward keeps from the run, in a cache outside of the model, could never be trained with.
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch._C._AutoDispatchBelowAutograd())
        stack.enter_context(_layers_named(tally, real))
        if real and any(isinstance(leaf, Tensor) and not leaf.numel() for leaf in tree_leaves((args, kwargs))):
            stack.callback(torch.backends.mkldnn.set_flags, *torch.backends.mkldnn.set_flags(False)[:1])  # divides by 0
        stack.enter_context(operations)
        stack.enter_context(_Functions(tally, operations, numbers, real))
        output = forward(tally, model, args, kwargs, real)
        with torch._C.DisableTorchFunction():
            tally.output_shape = _shape_of(output)
    if tally.uncounted:
        warnings.warn(f"not counted: {', '.join(tally.uncounted)}", stacklevel=4)
    training = getattr(model, "training", False)
    note = NOTE.format(listed([*map(str, shapes_of((args, kwargs)))] or ["given"]), "training" if training else "eval")
    return tally.table(note, two_macs)
