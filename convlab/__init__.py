"""What convolutions cost: exact counts, the loops that check them, and the figures of the course.

The public names are those imported here. `import convlab` loads the arithmetic alone: torch is loaded when
`spec_from_module` or `to_module` is first used or a model is counted, matplotlib when `convlab.figures` is.
"""

from convlab.cost import addition_count, arithmetic_intensity, flop_count, mac_count, memory_bytes, param_count
from convlab.counting import cost_table
from convlab.shape import output_shape
from convlab.spec import ConvSpec

__version__ = "0.1.0"


def __getattr__(name):
    if name in ("spec_from_module", "to_module"):  # the two names that need torch
        from convlab import torch_layers

        return getattr(torch_layers, name)
    raise AttributeError(f"module 'convlab' has no attribute {name!r}")
