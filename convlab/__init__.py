"""What convolutions cost: exact counts, the loops that check them, and the figures of the course.

`import convlab` loads the arithmetic alone. torch is loaded when `spec_from_module` or `to_module` is first used or a
model is counted, matplotlib when `convlab.draw` is.
"""

import sys

from convlab.cost import (
    MemoryBytes,
    addition_count,
    arithmetic_intensity,
    flop_count,
    mac_count,
    memory_bytes,
    multiplication_count,
    param_count,
)
from convlab.shape import output_shape
from convlab.spec import ConvSpec
from convlab.table import CostTable, LayerCost, chain_cost_table

__version__ = "0.1.0"

__all__ = [
    "ConvSpec",
    "CostTable",
    "LayerCost",
    "MemoryBytes",
    "addition_count",
    "arithmetic_intensity",
    "cost_table",
    "flop_count",
    "mac_count",
    "memory_bytes",
    "multiplication_count",
    "output_shape",
    "param_count",
    "spec_from_module",
    "to_module",
]


def cost_table(model, *inputs, real: bool = False, **named_inputs) -> CostTable:
    """Return what each layer of a model costs, and the total, as exact integers for the whole batch.

    A chain of `ConvSpec`s takes one input shape (N, C, H, W). An `nn.Module` takes what its forward takes; the forward
    runs on shapes alone, without arithmetic, and leaves the model and the random states as they were.

    The table of an `nn.Module` has one row for each layer and kind of work, in the order of the run. A layer called
    twice is counted twice, its parameters once; its output shape is that of the last call. A transposed convolution
    multiplies each input number with (M/g)·K·K weights. Attention and einsum count as the matrix products that they
    are made of. Element-wise work, normalisation and pooling are not counted: such layers are listed with their
    parameters. An operation with products but without a formula here is named below the table and in a warning.

    Args:
        model: ConvSpecs or (name, ConvSpec) pairs, each layer's input being the output of the one before; or an
            `nn.Module`.
        inputs: a shape or an example tensor for each input of the forward.
        real: for an `nn.Module` whose forward looks at values: count while a copy of it runs on real data, on zeros
            where a shape is given. As slow as the model, with its memory.
        named_inputs: the same, for keyword arguments of the forward.

    Raises:
        TypeError: something that is no layer, no input, or a shape that holds no integers.
        ValueError: no layer; a shape that does not fit a chain; a lazy or compiled module, by name.
        RuntimeError: the forward of a module stopped; the message names the layer, the reason and the way out.

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

        if not inputs and "input_shape" in named_inputs:  # the name that a chain's shape has
            inputs = (named_inputs.pop("input_shape"),)
        return model_cost_table(model, *inputs, real=real, **named_inputs)
    if len(inputs) + len(named_inputs) != 1 or not set(named_inputs) <= {"input_shape"}:
        raise TypeError(f"a chain of ConvSpecs with {len(inputs)} inputs; wanted one input_shape (N, C, H, W)")
    return chain_cost_table(model, *inputs, **named_inputs)


def __getattr__(name):
    if name in ("spec_from_module", "to_module"):  # the two names that need torch
        from convlab import modules

        return getattr(modules, name)
    raise AttributeError(f"module 'convlab' has no attribute {name!r}")
