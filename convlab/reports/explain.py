"""Which conventions give a number that a paper or a tool has printed for a model.

A convention is a choice at each of a few points: MACs, 2 × MACs, exact FLOPs, or MACs and the additions of biases; the
whole model or a part; the whole batch or one image; digits rounded or cut. Others are what five tools add to the MACs
for normalisation, activations and pooling, as lesson 06 finds it: for layers that are modules, in eval mode.
"""

from __future__ import annotations

import re
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from html import escape
from math import prod
from numbers import Real
from textwrap import fill
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import pooling
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from convlab.counting import cost_table, named_layers
from convlab.forward.inputs import Call
from convlab.table import StyledTable
from convlab.torch_layers import to_module
from convlab.wording import format_number, plural

ZEROS = {"": 0, "K": 3, "k": 3, "M": 6, "G": 9, "B": 9, "T": 12, "thousand": 3, "million": 6, "billion": 9}
WORDS = {  # what a unit word says
    "FLOPs": "flops?",
    "MACs": "macs?|m-?adds?|mult(?:iply)?-(?:adds?|accumulates?)",
    "parameters": "params?|parameters?|weights?",
    "operations": "ops|operations",
}
PRINTED = re.compile(
    r"\s*[~≈]?\s*(?P<whole>\d{1,3}(?:[,_ ]\d{3})+|\d+)(?P<tail>(?:\.\d+)?(?:[eE]\+?\d{1,2})?)\s*"
    rf"(?P<zeros>{'|'.join(ZEROS)})[\s-]*(?:{'|'.join(f'(?P<{unit}>(?i:{word}))' for unit, word in WORDS.items())})?\s*"
)
FORMS = "4.1e9, 4_089_184_256, '3.86 GMac', '569 million', '4.1 GFLOPs', '0.57B' or '25.6M params'"
HOWS = "exactly", "rounded", "cut"
CONVOLUTIONS = {"standard", "grouped", "depthwise", "pointwise", "transposed"}


class Match(NamedTuple):
    """A convention that gives the printed number: its value for the model, and "exactly", "rounded" or "cut"."""

    convention: str
    value: int | float
    how: str


_Count = namedtuple("_Count", "convention unit value assumptions")  # assumptions: how many it makes
_Call = namedtuple("_Call", "module batch inputs outputs")  # of a layer: how many numbers go in and come out


def _biases(call):
    return call.outputs * (call.module.bias is not None)


def _scaled(call):  # a normalisation multiplies and adds once, and once more if it has weights
    return call.inputs * (1 + call.module.affine)


WEIGHTED, AVERAGE, ADAPTIVE = (_ConvNd, nn.Linear), pooling._AvgPoolNd, pooling._AdaptiveAvgPoolNd
TWICE = nn.ReLU, nn.PReLU, nn.ELU, AVERAGE, ADAPTIVE, pooling._MaxPoolNd, pooling._AdaptiveMaxPoolNd
NORM_OR_MEAN = _BatchNorm, AVERAGE, ADAPTIVE
TOOLS = {  # what is counted beside the MACs: of which layers, and how many for a call
    "MACs + bias additions": {WEIGHTED: _biases},
    "MACs + 4 for each BatchNorm number + averages, as thop": {
        _BatchNorm: lambda c: 2 * _scaled(c),
        **{AVERAGE: lambda c: c.outputs, ADAPTIVE: lambda c: c.inputs + c.outputs},
    },
    "MACs + 2 for each BatchNorm number + averages, as fvcore": {_BatchNorm: _scaled, ADAPTIVE: lambda c: c.inputs},
    "MACs + 1 for each BatchNorm number + averages, as torchprofile": {NORM_OR_MEAN: lambda c: c.outputs},
    "MACs + biases + 2 for each number of BatchNorm, ReLU and pooling, as ptflops": {
        **{WEIGHTED: _biases, _BatchNorm: _scaled, TWICE: lambda c: 2 * c.inputs},
        (nn.ReLU6, nn.LeakyReLU): lambda c: c.inputs,
    },
    "MACs + biases + BatchNorm parameters, as torchinfo": {
        WEIGHTED: _biases,
        _BatchNorm: lambda c: c.batch * sum(param.numel() for param in c.module.parameters()),
    },
}
CHOSEN = {  # assumptions; whether a parameter counts: of a BatchNorm or not, its name, itself
    "all parameters": (0, lambda in_norm, name, param: True),
    "trainable parameters": (1, lambda in_norm, name, param: param.requires_grad),
    "parameters without BatchNorm": (1, lambda in_norm, name, param: not in_norm),
    "parameters without biases": (1, lambda in_norm, name, param: in_norm or "bias" not in name),
    "parameters without BatchNorm and biases": (2, lambda in_norm, name, param: not in_norm and "bias" not in name),
}


class Explanation:
    """The conventions that give a printed number, best first, or the nearest: text when printed, a table in Jupyter."""

    def __init__(self, printed, number: Fraction, step: Fraction, unit: str, counts: list[_Count]):
        found = [(how, count) for count in counts if (how := _how(count.value - number, step))]
        found.sort(key=lambda pair: HOWS.index(pair[0]))  # the counts come with the fewest assumptions first
        self.matches = [Match(count.convention, _plain(count.value), how) for how, count in found]
        nearest = sorted(counts, key=lambda count: max(count.value / number, number / count.value))[:3]
        self._rows = self.matches or [
            (c.convention, _plain(c.value), f"{float(number / c.value):.4g}") for c in nearest
        ]
        self._below = f"None of {len(counts)} conventions gives {printed}; these are the nearest."
        if found:
            digits, says = plural(len(str(number // step)), "digit"), found[0][1].unit
            chance = ", the likeliest first; the others may match by chance" if len(found) > 1 else ""
            verb = "give" if len(found) > 1 else "gives"
            self._below = f"{len(found)} of {len(counts)} conventions {verb} {printed} to its {digits}{chance}."
            if {unit, says} == {"MACs", "FLOPs"}:
                self._below += f" The printed unit says {unit}; the first counts {says}."

    def _display_frame(self):
        from pandas import DataFrame  # here, so that importing this stays fast

        rows = [(convention, format_number(value), how) for convention, value, how in self._rows]
        return DataFrame(rows, columns=["convention", "value", "gives it" if self.matches else "printed ÷ value"])

    def __str__(self) -> str:
        return f"{self._display_frame().to_string(index=False)}\n{fill(self._below, 90)}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        looks = {".col0": "text-align: left", "caption": "caption-side: bottom; text-align: left"}
        return StyledTable(self._display_frame(), looks, str(self)).set_caption(escape(self._below)).to_html()


def _how(over: Fraction, step: Fraction) -> str:
    """Say how a value that is over the printed number by so much becomes it; "" if it does not."""
    return "exactly" if not over else "rounded" if abs(over) <= step / 2 else "cut" if 0 < over < step else ""


def _plain(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _read(printed) -> tuple[Fraction, Fraction, str]:
    """Return a printed number, what its last digit stands for, and the unit that its word says."""
    problem = f"printed={printed!r}; wanted a positive number, such as {FORMS}"
    if isinstance(printed, bool) or not isinstance(printed, str | Real):
        raise TypeError(problem)
    found = PRINTED.fullmatch(str(printed))
    number = Decimal(re.sub("[,_ ]", "", found["whole"]) + found["tail"]) if found else 0
    if not number:
        raise ValueError(problem)
    if not (isinstance(printed, str) and (found["tail"] or found["zeros"])):
        number = number.normalize()  # zeros at the end of a bare number may be no digits
    unit, zeros = Fraction(10) ** ZEROS[found["zeros"]], number.as_tuple().exponent
    return Fraction(number) * unit, Fraction(10) ** zeros * unit, next(filter(found.group, WORDS), "")


def _run(model, input, real):
    """Return the model as a module, the rows of its cost table, and the calls of its layers."""
    calls = []
    if not isinstance(model, nn.Module):
        rows = cost_table(model, input).rows
        with torch.device("meta"):
            layers = [
                nn.Linear(spec.in_channels, spec.out_channels, spec.bias) if row.kind == "linear" else to_module(spec)
                for row, (_, spec) in zip(rows, named_layers(model))
            ]
        shapes = [row.output_shape for row in rows]
        return nn.Sequential(*layers), rows, [_Call(m, s[0], 0, prod(s)) for m, s in zip(layers, shapes)]

    def note(module, args, output, keep=calls.append):  # a list's own method: a run puts back what it can look into
        if args and isinstance(args[0], Tensor) and isinstance(output, Tensor):
            keep(_Call(module, (*args[0].shape, 1)[0], args[0].numel(), output.numel()))

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        return model, cost_table(model, input, real=real).rows, calls
    finally:
        for hook in hooks:
            hook.remove()


def _operation_counts(rows, calls) -> list[_Count]:
    linear, heads = [r for r in rows if r.kind == "linear"], [c for c in calls if isinstance(c.module, nn.Linear)]
    left_out = {
        "": ([], []),
        ", without the linear layers": (linear, heads),
        ", without the last linear layer": (linear[-1:], heads[-1:]),
        ", convolutions only": ([row for row in rows if row.kind not in CONVOLUTIONS], heads),
    }
    counts = []
    for part, (no_rows, no_calls) in left_out.items():
        macs, flops = (sum(getattr(r, column) for r in rows if r not in no_rows) for column in ("macs", "flops"))
        counts += [_Count(f"MACs{part}", "MACs", macs, bool(part))]
        counts += [_Count(f"2 × MACs{part}", "FLOPs", 2 * macs, 1 + bool(part))]
        counts += [_Count(f"exact FLOPs{part}", "FLOPs", flops, 1 + bool(part))]
        kept = [call for call in calls if call not in no_calls]
        for name, added in [*TOOLS.items()][: 1 if part else None]:
            value = macs + sum(of(call) for kind, of in added.items() for call in kept if isinstance(call.module, kind))
            more = bool(part) + (2 if ", as " in name else 1)
            counts += [_Count(f"{name}{part}", "MACs", value, more)]
            counts += [_Count(f"2 × ({name}){part}", "FLOPs", 2 * value, more + 1)]
    batch = calls[-1].batch if calls else 1
    images = [_Count(f"{name}, per image", unit, Fraction(n, batch), more + 1) for name, unit, n, more in counts]
    return counts + images * (batch > 1)


def _parameter_counts(network) -> list[_Count]:
    modules, counts = [*network.modules()], []
    linear = [module for module in modules if isinstance(module, nn.Linear)]
    left_out = {"": [], ", without the linear layers": linear, ", without the last linear layer": linear[-1:]}
    for part, without in left_out.items():
        kept = [module for module in modules if module not in without]
        owned = {p: (isinstance(m, _BatchNorm), name) for m in kept for name, p in m.named_parameters(recurse=False)}
        for convention, (more, counts_it) in CHOSEN.items():
            value = sum(p.numel() for p, owner in owned.items() if counts_it(*owner, p))
            counts.append(_Count(convention + part, "parameters", value, more + bool(part)))
        norms = [module for module in kept if isinstance(module, _BatchNorm) and module.track_running_stats]
        value = sum(p.numel() for p in owned) + sum(2 * module.num_features for module in norms)
        biases = sum(m.out_channels for m in kept if isinstance(m, _ConvNd) and m.bias is None)
        for more, add in (("", 0), (" and a bias in each convolution", biases)):
            name = f"parameters with BatchNorm's running statistics{more}{part}"
            counts.append(_Count(name, "parameters", value + add, 1 + bool(add) + bool(part)))
    return counts


def explain(model, input, printed, real: bool = False) -> Explanation:
    """Return every known convention by which a model has the number that a paper or a tool printed for it, best first.

    A number with decimals or a unit gives the value to its last digit; zeros at the end of a bare integer may be no
    digits. A unit word chooses between parameters and operations, not between MACs and FLOPs, since many write FLOPs
    for MACs. Equality comes before rounding, rounding before cutting, fewer assumptions before more. Of conventions
    that count the same for this model only the simplest is named.

    Args:
        model: an `nn.Module`, or a chain as `cost_table` takes it.
        input: a shape or an example tensor; a tuple of several, or a `Call(…)`.
        printed: a number or a text, such as 4.1e9, "569 million", "3.86 GMac" or "25.6M params".
        real: as in `cost_table`.

    Raises: what `cost_table` raises; a TypeError or ValueError for something printed that is no such number.

    >>> from convlab.networks.papers import vgg16
    >>> explain(vgg16(), (1, 3, 224, 224), "15.3 billion FLOPs").matches[0]
    Match(convention='MACs, without the linear layers', value=15346630656, how='rounded')
    """
    number, step, unit = _read(printed)
    if isinstance(input, tuple) and not all(isinstance(size, int) for size in input):
        input = Call(*input)
    network, rows, calls = _run(model, input, real)
    counts = _parameter_counts(network) if unit in ("", "parameters") else []
    counts += _operation_counts(rows, calls) if unit != "parameters" else []
    first = {}
    for count in sorted(counts, key=lambda count: count.assumptions):
        if count.value:
            first.setdefault((count.unit == "parameters", count.value), count)
    return Explanation(printed, number, step, unit, [c._replace(value=Fraction(c.value)) for c in first.values()])
