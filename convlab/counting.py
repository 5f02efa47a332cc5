"""What a chain of layers costs, and what any model costs: the table that the lessons print.

`cost_table` is the one door: it counts a chain here, by the formulas of `cost`, and hands an `nn.Module` to `model`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import prod

from convlab.cost import additions_per_output, mac_count, param_count, products_per_output
from convlab.shape import Shape, check_shape, check_spec, output_shape
from convlab.spec import ConvSpec, conv_kind
from convlab.table import CostTable, LayerCost

NOTE = "For the input {}, the whole batch. FLOPs are exact: multiplications plus additions."


def named_layers(layers) -> list[tuple[str, ConvSpec]]:
    """Return `layers` as (name, spec) pairs; a layer without a name is called "layer 1", "layer 2", …

    Raises:
        TypeError: not a sequence, or an item that is neither a ConvSpec nor a (name, ConvSpec) pair.
        ValueError: no layer at all.
    """
    wanted = "wanted a list of ConvSpec or of (name, ConvSpec) pairs"
    if isinstance(layers, str | ConvSpec) or not isinstance(layers, Iterable):
        raise TypeError(f"layers={layers!r} is a {type(layers).__name__}; {wanted}")
    pairs = []
    for number, layer in enumerate(layers, 1):
        is_pair = isinstance(layer, tuple | list) and len(layer) == 2 and isinstance(layer[0], str)
        name, spec = layer if is_pair else (f"layer {number}", layer)
        if not isinstance(spec, ConvSpec):
            raise TypeError(f"layer {number} is {layer!r}; {wanted}")
        pairs.append((name, spec))
    if not pairs:
        raise ValueError(f"layers={layers!r} has no layer; {wanted}")
    return pairs


def layer_cost(name: str, spec: ConvSpec, input_shape: Shape) -> LayerCost:
    """Return the row of one layer. A pointwise layer from a 1×1 image to a 1×1 image is a linear layer.

    Raises: what `output_shape` raises.

    >>> layer_cost("fc", ConvSpec(8, 6, 1), (1, 8, 1, 1))
    LayerCost(name='fc', kind='linear', output_shape=(1, 6, 1, 1), params=54, macs=48, flops=96)
    """
    out, kind = output_shape(spec, input_shape), conv_kind(spec.in_channels, spec.groups, spec.kernel_size)
    if kind == "pointwise" and tuple(input_shape[2:]) == out[2:] == (1, 1):
        kind = "linear"
    multiplications, additions = products_per_output(spec) * prod(out), additions_per_output(spec) * prod(out)
    return LayerCost(name, kind, out, param_count(spec), multiplications, multiplications + additions)


def chain_cost_table(layers, input_shape: Shape, two_macs: bool = False) -> CostTable:
    """Return what each layer of a chain costs; each layer's input is the output of the one before.

    Args:
        layers: ConvSpecs or (name, ConvSpec) pairs, in order.
        input_shape: (N, C, H, W) of the first layer's input.
        two_macs: whether the table has a column of 2 × MACs.

    Raises:
        TypeError: something that is no layer, or a shape that holds no integers.
        ValueError: no layer, a shape of the wrong length, or a layer that does not fit its input; the message
            names the layer.

    >>> table = chain_cost_table(ConvSpec.separable(3, 256, 5, bias=False), (1, 3, 12, 12))
    >>> [row.macs for row in table.rows], table.total.macs  # 75 * 64 + 3 * 256 * 64
    ([4800, 49152], 53952)
    """
    rows, shape = [], check_shape(input_shape)
    for name, spec in named_layers(layers):
        try:
            rows.append(layer_cost(name, spec, shape))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        shape = rows[-1].output_shape
    return CostTable(rows, NOTE.format(tuple(input_shape)), two_macs=two_macs)


def chain_input(inputs: tuple, named_inputs: dict) -> Shape:
    """Return the one input of a chain, given by position or as `input_shape`.

    Raises:
        TypeError: none, several, or one of another name.
    """
    if len(inputs) + len(named_inputs) != 1 or not set(named_inputs) <= {"input_shape"}:
        raise TypeError(f"a chain of ConvSpecs with {len(inputs)} inputs; wanted one input_shape (N, C, H, W)")
    return inputs[0] if inputs else named_inputs["input_shape"]


def separable_layers(spec: ConvSpec, multiplier: int = 1) -> tuple[ConvSpec, ConvSpec]:
    """Return the two layers, depthwise and pointwise, of the separable convolution that takes the place of `spec`.

    >>> [layer.weight_shape for layer in separable_layers(ConvSpec(3, 256, 5))]
    [(3, 1, 5, 5), (256, 3, 1, 1)]
    """
    options = {name: getattr(check_spec(spec), name) for name in ("stride", "padding", "dilation", "bias")}
    return ConvSpec.separable(spec.in_channels, spec.out_channels, spec.kernel_size, multiplier=multiplier, **options)


def separable_share(spec: ConvSpec, input_shape: Shape, multiplier: int = 1, count: Callable = mac_count) -> Fraction:
    """Return the MACs of a separable layer as an exact share of those of the layer whose place it takes.

    Without groups that is m·(1/M + 1/K²), whatever the channels and the image.

    Args:
        multiplier: m, the kernels for each input channel in the depthwise step.
        count: a function of a spec and an input shape; `mac_count` if left out.

    >>> separable_share(ConvSpec(3, 256, 5), (1, 3, 12, 12))  # 1/256 + 1/25
    Fraction(281, 6400)

    Source: Howard et al. 2017 (MobileNets), section 3.1.
    """
    depthwise, pointwise = separable_layers(spec, multiplier)
    separable = count(depthwise, input_shape) + count(pointwise, output_shape(depthwise, input_shape))
    return Fraction(separable, count(spec, input_shape))


def cost_table(model, /, *inputs, real: bool = False, two_macs: bool = False, **named_inputs) -> CostTable:
    """Return what each layer of a model costs, and the total, as exact integers for the whole batch.

    A chain of `ConvSpec`s takes one input shape (N, C, H, W). An `nn.Module` takes what its forward takes; the forward
    runs on shapes alone, without arithmetic. The model, the inputs and the random states are afterwards as they were,
    but for what a forward keeps in globals and the iterators that it advances.

    The table of an `nn.Module` has one row for each layer and kind of work, in the order of the run. A layer called
    twice is counted twice, its parameters once; its output shape is that of the last call. A transposed convolution
    multiplies each input number with (M/g)·K·K weights. Attention and einsum count as the matrix products that they
    are made of; a product of complex numbers is one multiplication. Element-wise work, normalisation and pooling are
    not counted: such layers are listed with their parameters. An operation with sums of products but without a formula
    here is named below the table and in a warning.

    A sum along an axis on which both factors of element-wise products vary is such a sum, also after they were copied,
    reshaped, scaled by a number, masked, added to, joined or stored; a mean of gated maps is pooling, and is named
    only where the gates have been copied to full maps. Products with one number and added up by `+`, squares, norms,
    and sums of a function of products are element-wise work. Work that a forward hands to `Thread` or
    `ThreadPoolExecutor`, or by numpy() with real=True, is named too. Not seen: other ways to threads and to shared
    memory, arithmetic of Python's own numbers, and loops in C++ that call nothing of torch.

    Args:
        model: ConvSpecs or (name, ConvSpec) pairs, each layer's input being the output of the one before; or an
            `nn.Module`.
        inputs: a shape or an example tensor for each input of the forward. A tuple or a list of numbers is a shape:
            `as_is(…)` hands it on as it is. `Call(…)` holds all arguments of a forward whose names
            are those of this function.
        real: for an `nn.Module` whose forward looks at values: count while a copy of it runs on real data, on zeros
            where a shape is given. As slow as the model, with its memory.
        two_macs: whether the table has a column of 2 × MACs, which many call FLOPs.
        named_inputs: the same, for keyword arguments of the forward.

    Raises:
        TypeError: something that is no layer, no input, or a shape that holds no integers.
        ValueError: no layer; a shape that does not fit a chain; a lazy or compiled module, by name.
        RuntimeError: the forward of a module stopped; the message names the layer, the reason and the way out.
            If the forward looks at values, it is a `model.ValuesNeeded`.

    >>> table = cost_table(ConvSpec.separable(3, 256, 5, bias=False), (1, 3, 12, 12))
    >>> [row.macs for row in table.rows], table.total.macs  # 75 * 64 + 3 * 256 * 64
    ([4800, 49152], 53952)
    >>> from torch import nn
    >>> table = cost_table(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)), (1, 3, 12, 12))
    >>> [(row.name, row.kind, row.macs) for row in table.rows]  # 27 * 8 * 100, 8 * 4 * 100
    [('0', 'standard', 21600), ('1', 'ReLU', 0), ('2', 'pointwise', 3200)]
    """
    torch = sys.modules.get("torch")  # without torch there is no nn.Module
    if torch and isinstance(model, torch.nn.Module):
        from convlab.model import model_cost_table

        return model_cost_table(model, inputs, named_inputs, real, two_macs)
    return chain_cost_table(model, chain_input(inputs, named_inputs), two_macs)
