"""Answers from shapes alone: short cuts for the functions and layers that most models are made of.

They make a count quick. What none of them answers runs on shapes in torch itself, and is counted operation by
operation, with the same result. A handler has torch's names of the arguments. It returns None for a case that torch
should judge, and answers only for tensors whose numbers lie side by side, as those of its answer do.
"""

from __future__ import annotations

from functools import lru_cache, partial
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convlab.spec import conv_kind


def _is_plain(x, other=None):
    """Say whether these are tensors of one type of decimal numbers, which is then the type of the result."""
    if not (isinstance(x, Tensor) and x.is_floating_point() and x.is_contiguous()):
        return False
    return other is None or (isinstance(other, Tensor) and x.dtype is other.dtype)


def _is_plain_or_complex(x, weight, bias, filters):
    """Say whether input, weight and bias are of one type, decimal or complex, and there is one bias a filter if any."""
    if not (isinstance(x, Tensor) and isinstance(weight, Tensor) and x.is_contiguous()):
        return False
    if x.dtype is not weight.dtype or not (x.is_floating_point() or x.is_complex()):
        return False
    return bias is None or (bias.dtype is x.dtype and bias.shape == (filters,))


META = torch.device("meta")


def _empty(shape, like):
    return torch.empty(shape, dtype=like.dtype, device=META)


def _numbers(value, axes, minimum):
    """Return one number for each axis, of an integer, of a tuple of one or of one for each; None for anything else."""
    if isinstance(value, int):
        value = (value,)
    if len(value) not in (1, axes) or min(value) < minimum:
        return None
    return value if len(value) == axes else tuple(value) * axes


def _window_sizes(sizes, kernel, stride, padding, dilation):
    """Return the output's size on each axis, as in `shape.output_shape`."""
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation)]


def _convolution(tally, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if not _is_plain_or_complex(input, weight, bias, weight.shape[0]):
        if bias is not None and bias.shape != (weight.shape[0],):  # torch does not look at it if there are no numbers
            raise ValueError(f"a bias of shape {tuple(bias.shape)}; wanted ({weight.shape[0]},), one number a filter")
        return None
    options = (tuple(one) if isinstance(one, list) else one for one in (stride, padding, dilation))
    output = _convolved(input.shape, weight.shape, *options, groups)
    if output is None:
        return None
    shape, kind, products = output
    tally.count_sums(kind, weight, shape, products, bias is not None)
    return _empty(shape, input)


@lru_cache(1 << 12)
def _convolved(size, weight_size, stride, padding, dilation, groups):
    """Return the shape, the kind and the products of each number of an output; None if torch should judge."""
    filters, depth, *kernel = weight_size
    axes = len(kernel)
    if len(size) - axes not in (1, 2) or padding == "valid":
        return None
    *lead, channels = size[:-axes]
    given = stride, padding, dilation
    stride, dilation = _numbers(stride, axes, 1), _numbers(dilation, axes, 1)
    zeros = (0,) * axes if padding == "same" else _numbers(padding, axes, 0)
    if stride is None or dilation is None or zeros is None:  # torch does not look at these either
        wanted = "positive strides and dilations, paddings of 0 or more, one or one for each axis"
        raise ValueError(f"stride, padding and dilation {given}; wanted {wanted}")
    if channels != depth * groups:
        raise ValueError(f"an input with {channels} channels; wanted {depth * groups}")
    out = size[-axes:] if padding == "same" else _window_sizes(size[-axes:], kernel, stride, zeros, dilation)
    if filters % groups or min(out) < 1 or (padding == "same" and max(stride) > 1):
        return None
    return (*lead, filters, *out), conv_kind(channels, groups, kernel), depth * prod(kernel)


def _linear(tally, input, weight, bias=None):
    if weight.dim() != 2 or not _is_plain_or_complex(input, weight, bias, weight.shape[0]):
        return None
    if input.dim() < 1 or input.shape[-1] != weight.shape[1]:
        return None
    shape = (*input.shape[:-1], weight.shape[0])
    tally.count_sums("linear", weight, shape, weight.shape[1], bias is not None)
    return _empty(shape, input)


def _same(tally, input, *, inplace=False):
    if not (_is_plain(input) and input.is_meta):
        return None
    if inplace:
        tally.products.clear(input)
        return input
    # The result holds no products, and must not seem to be a view of them.
    return torch.empty_like(input) if input in tally.products else input.detach()


def _dropout(tally, input, p=0.5, training=True, inplace=False):
    return _same(tally, input) if 0 <= p <= 1 and not inplace and input not in tally.products else None


def _bounded(tally, input, min_val=-1.0, max_val=1.0, inplace=False):
    return _same(tally, input, inplace=inplace) if min_val <= max_val else None


def _gelu(tally, input, *, approximate="none"):
    return _same(tally, input) if approximate in ("none", "tanh") else None


def _batch_norm(
    tally, input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    given = [v for v in (running_mean, running_var, weight, bias) if v is not None]
    if input.dim() < 2 or any(v.shape != input.shape[1:2] for v in given) or not (training or running_mean is not None):
        return None
    tally.use(weight)
    return _same(tally, input)


def _layer_norm(tally, input, normalized_shape, weight=None, bias=None, eps=1e-5):
    sizes = tuple(normalized_shape)
    given = [input.shape[-len(sizes) :], *(v.shape for v in (weight, bias) if v is not None)]
    if any(shape != sizes for shape in given):
        return None
    tally.use(weight)
    return _same(tally, input)


def _add_in_place(tally, input, other, *, alpha=1):
    if not (input.is_meta and _is_plain(input, other) and input.shape == other.shape):
        return None
    return None if input in tally.products or other in tally.products else input


def _add(tally, input, other):
    return None if input in tally.products or other in tally.products else _broadcast(input, other)


def _broadcast(input, other):
    if not (_is_plain(input, other) and other.is_contiguous() and (input.is_meta or other.is_meta)):
        return None
    if input.shape == other.shape:
        return _empty(input.shape, input)
    return _empty(np.broadcast_shapes(input.shape, other.shape), input)  # torch's own takes an import of 0.3 s


def _product(tally, input, other):
    answer = _broadcast(input, other)
    if answer is not None:
        tally.products.mark(answer, input, other)
    return answer


def _pool(axes, tally, input, kernel_size, stride=None, padding=0, ceil_mode=False, *, dilation=1, **options):
    if ceil_mode or options.get("return_indices") or options.get("divisor_override") is not None:
        return None
    if not _is_plain(input) or input.dim() - axes not in (1, 2) or input in tally.products:
        return None
    stride = kernel_size if stride is None or stride == [] else stride
    kernel, stride, dilation = (_numbers(value, axes, 1) for value in (kernel_size, stride, dilation))
    padding = _numbers(padding, axes, 0)
    if None in (kernel, stride, dilation, padding) or any(2 * p > k for k, p in zip(kernel, padding)):
        return None
    out = _window_sizes(input.shape[-axes:], kernel, stride, padding, dilation)
    return _empty((*input.shape[:-axes], *out), input) if min(out) > 0 else None


def _adaptive_pool(axes, tally, input, output_size):
    sizes = (output_size,) * axes if isinstance(output_size, int | None) else tuple(output_size)
    if not _is_plain(input) or input.dim() - axes not in (1, 2) or len(sizes) != axes or input in tally.products:
        return None
    out = [old if new is None else new for new, old in zip(sizes, input.shape[-axes:])]
    return _empty((*input.shape[:-axes], *out), input) if min(out) > 0 else None


FUNCTIONS = {  # function → handler
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), _convolution),
    **dict.fromkeys((F.relu, F.relu6, F.silu, F.hardswish, F.hardsigmoid), _same),
    **dict.fromkeys((torch.relu, torch.sigmoid, Tensor.sigmoid, torch.tanh, Tensor.tanh), _same),
    **dict.fromkeys((Tensor.add, torch.add), _add),
    **dict.fromkeys((Tensor.mul, torch.mul), _product),
    F.dropout: _dropout,
    F.hardtanh: _bounded,
    F.gelu: _gelu,
    F.linear: _linear,
    F.batch_norm: _batch_norm,
    F.layer_norm: _layer_norm,
    Tensor.add_: _add_in_place,
}
for _axes in (1, 2, 3):
    FUNCTIONS[getattr(F, f"max_pool{_axes}d")] = FUNCTIONS[getattr(F, f"avg_pool{_axes}d")] = partial(_pool, _axes)
    FUNCTIONS[getattr(F, f"adaptive_avg_pool{_axes}d")] = partial(_adaptive_pool, _axes)


# Whole layers.


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
USES = {
    nn.Conv2d: "conv2d",
    nn.BatchNorm2d: "batch_norm",
    nn.ReLU: "relu",
    nn.ReLU6: "hardtanh",
}  # of torch.nn.functional
METHODS = {"forward", "_conv_forward", "_check_input_dim", "_call_impl", "_wrapped_call_impl", "__call__"}


def _is_torchs(function) -> bool:
    """Say whether a function is written in torch's own files, or in C."""
    code = getattr(function, "__code__", None)
    return code is None or code.co_filename.startswith(torch.__path__[0])


def usual_kinds() -> set:
    """Return the classes of `LAYERS` that nobody has changed, by another method, another function or a hook for all."""
    if any(getattr(nn.modules.module, name) for name in ("_global_forward_hooks", "_global_forward_pre_hooks")):
        return set()
    usual = set()
    for kind, function in USES.items():
        methods = [getattr(kind, name) for name in METHODS if hasattr(kind, name)]
        if all(map(_is_torchs, [*methods, getattr(F, function)])):
            usual.add(kind)
    return usual


def answer_layer(tally, module, args, kwargs):
    """Answer a layer of a usual kind as a whole, and note its output shape; None if torch should judge."""
    own = module.__dict__
    if kwargs or len(args) != 1 or own["_forward_hooks"] or own["_forward_pre_hooks"] or not METHODS.isdisjoint(own):
        return None
    if not isinstance(args[0], Tensor) or torch._C._functorch.peek_interpreter_stack() is not None:
        return None
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():  # here even x.shape would be a function
        output = LAYERS[type(module)](tally, module, args[0])
        if output is not None:
            tally.outputs[tally.running[-1]] = tuple(output.shape)
        return output


def answer_function(tally, function, args, kwargs):
    """Answer a torch function; None if there is no handler, or torch should judge."""
    handler = FUNCTIONS.get(function)
    if handler is None:
        return None
    with torch._C._DisableTorchDispatch():
        try:
            return handler(tally, *args, **kwargs)
        except (TypeError, AttributeError):  # arguments that the handler does not know
            return None
