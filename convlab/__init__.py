"""What convolutions cost: exact counts, the loops that check them, and the figures of the course.

`import convlab` loads the arithmetic alone. torch is loaded when `spec_from_module` or `to_module` is first used,
matplotlib when `convlab.draw` is.
"""

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
from convlab.table import CostTable, LayerCost, cost_table

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


def __getattr__(name):
    if name in ("spec_from_module", "to_module"):  # the two names that need torch
        from convlab import modules

        return getattr(modules, name)
    raise AttributeError(f"module 'convlab' has no attribute {name!r}")
