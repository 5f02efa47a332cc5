"""What convolutions cost: exact counts, the loops that check them, and the figures of the course.

The public names are those imported here and those in `LATE`. `import convlab` loads the arithmetic alone: torch is
loaded when one of `LATE` is first used or a model is counted, matplotlib when `convlab.figures` is.
"""

from convlab.cost import addition_count, arithmetic_intensity, flop_count, mac_count, memory_bytes, param_count
from convlab.counting import cost_table
from convlab.shape import output_shape
from convlab.spec import ConvSpec

__version__ = "0.1.0"
LATE = {  # the names that need torch, and where they are
    "Call": "forward.inputs",
    "as_is": "forward.inputs",
    "explain": "reports.explain",
    "memory_table": "reports.memory",
    "report": "reports.report",
    "spec_from_module": "torch_layers",
    "to_module": "torch_layers",
    "training_table": "reports.training_step",
}


def __getattr__(name):
    if name in LATE:
        from importlib import import_module

        return getattr(import_module(f"convlab.{LATE[name]}"), name)
    raise AttributeError(f"module 'convlab' has no attribute {name!r}")
