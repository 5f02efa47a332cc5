"""The key of assignment 1, count one layer: hidden cases, a layer of one's own, and what each mistake earns."""

from __future__ import annotations

from itertools import product
from math import ceil, prod

from marking import FunctionQuestion, OwnNumbers

from convlab.cost import flop_count, mac_count, memory_bytes, param_count
from convlab.exercises.exercise import Exercise, Mistake
from convlab.shape import output_shape
from convlab.spec import ConvSpec

TITLE = "Assignment 1: count one layer"


def input_cells(output, size, kernel, stride, padding, dilation):
    """Return the first and the last input cell that an output reads, by going through the taps."""
    taps = (output * stride - padding + tap * dilation for tap in range(kernel))
    inside = [cell for cell in taps if 0 <= cell < size]
    return inside[0], inside[-1]


def _start(i, s, p):
    return i * s - p


CELLS = Exercise(
    target=input_cells,
    cases=[  # the border of the padding on both sides, with a dilation that steps over it
        (0, 20, 3, 2, 3, 2),
        (9, 20, 3, 2, 3, 2),
        (4, 31, 5, 3, 2, 1),
        (0, 17, 4, 2, 4, 3),
        (10, 31, 4, 3, 4, 3),
    ],
    mistakes={
        Mistake(
            "The padding is ignored: output 0 begins `padding` cells before the input.", 0.5
        ): lambda i, n, k, s, p, d: (
            i * s,
            i * s + d * (k - 1),
        ),
        Mistake(
            "The stride is ignored: the next output begins `stride` cells further on.", 0.2
        ): lambda i, n, k, s, p, d: (
            input_cells(i, n, k, 1, p, d) if any(0 <= i - p + u * d < n for u in range(k)) else (0, 0)
        ),
        Mistake("The span is (kernel − 1)·dilation cells, not kernel·dilation.", 0.6): lambda i, n, k, s, p, d: (
            input_cells(i, n, k, s, p, d)[0],
            min(_start(i, s, p) + k * d, n - 1),
        ),
        Mistake("Cells of the padding are in it. They are no cells of the input.", 0.5): lambda i, n, k, s, p, d: (
            _start(i, s, p),
            _start(i, s, p) + d * (k - 1),
        ),
        Mistake(
            "That cuts at the border. With a dilation the first cell inside is the first tap inside.", 0.6
        ): lambda i, n, k, s, p, d: (
            max(_start(i, s, p), 0),
            min(_start(i, s, p) + d * (k - 1), n - 1),
        ),
        Mistake("The dilation is ignored: two taps are `dilation` cells apart.", 0.3): lambda i, n, k, s, p, d: (
            input_cells(i, n, k, s, p, 1) if any(0 <= _start(i, s, p) + u < n for u in range(k)) else (0, 0)
        ),
        Mistake("The last cell is one too far: it is itself read.", 0.6): lambda i, n, k, s, p, d: (
            input_cells(i, n, k, s, p, d)[0],
            input_cells(i, n, k, s, p, d)[1] + 1,
        ),
    },
    hints=(),
    takeaway="The taps of output i are at i·s − p + u·d, and those outside are padding.",
)


def _real_taps(size, kernel, stride, padding, dilation):
    """Return how many products of one axis meet a cell of the input."""
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return sum(0 <= i * stride - padding + u * dilation < size for i, u in product(range(outputs), range(kernel)))


def _axes(spec, shape):
    return [*zip(shape[2:], spec.kernel_size, spec.stride, spec.padding, spec.dilation)]


def real_macs(spec, input_shape):
    """Return the MACs of a layer that meet no padding zero: on each axis the taps inside, and their product."""
    taps = [_real_taps(*axis) for axis in _axes(spec, input_shape)]
    return input_shape[0] * spec.out_channels * spec.in_channels // spec.groups * prod(taps)


def _one_axis(spec, shape):
    rows, out = _axes(spec, shape)[0], output_shape(spec, shape)
    depth = shape[0] * spec.out_channels * spec.in_channels // spec.groups
    return depth * _real_taps(*rows) * out[3] * spec.kernel_size[1]


REAL_MACS = Exercise(
    target=real_macs,
    cases=[
        (ConvSpec(2, 4, (3, 2), padding=(1, 1)), (2, 2, 5, 7)),
        (ConvSpec(6, 4, (5, 3), stride=(2, 1), padding=(2, 1)), (3, 6, 9, 8)),
        (ConvSpec(3, 5, 3, stride=2, padding=2, dilation=2, bias=False), (2, 3, 11, 12)),
    ],
    mistakes={
        Mistake("Those are all MACs, with those that meet a padding zero.", 0.3): mac_count,
        Mistake("Only the rows leave the padding out. Columns have some too.", 0.5): _one_axis,
        Mistake("The batch is forgotten.", 0.7): lambda spec, shape: real_macs(spec, (1, *shape[1:])),
        Mistake(
            "The input channels are forgotten: a kernel has a layer of weights for each.", 0.3
        ): lambda spec, shape: real_macs(spec, shape) // spec.in_channels,
        Mistake(
            "Those are the MACs of the layer without padding. With it there are more outputs.", 0.3
        ): lambda spec, x: mac_count(ConvSpec(**{**vars_of(spec), "padding": 0}), x),
        Mistake("Those are FLOPs, or twice the MACs.", 0.5): lambda spec, shape: 2 * real_macs(spec, shape),
    },
    hints=(),
    takeaway="The taps inside are counted axis by axis, and multiplied.",
)


def vars_of(spec):
    """Return a layer's fields."""
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


def make_layer(pick):
    """Draw a layer without bias, whose stride leaves a remainder, and a batch."""
    channels = pick(3, 4, 5, 6, 7, 8)
    kernel = pick(3, 5, 7), pick(2, 4, 6)
    spec = ConvSpec(channels, pick(*range(10, 33)), kernel, stride=pick(2, 3), padding=pick(1, 2), bias=False)
    return spec, (pick(2, 3, 4), channels, pick(*range(29, 48)), pick(*range(50, 69)))


def _rounded_up(spec, shape):
    sides = [ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1 for n, k, s, p, d in _axes(spec, shape)]
    return shape[0] * spec.out_channels * prod(sides) * prod(spec.weight_shape[1:])


def _outputs(spec, shape):
    return prod(output_shape(spec, shape))


def _all_bytes(spec, shape):
    return memory_bytes(spec, shape, 4).total_bytes


OWN = OwnNumbers(
    "a1-own",
    make_layer,
    {  # name → (what is right, {mistake: what it gives}), of a layer and an input's shape
        "my_params": (
            lambda spec, x: param_count(spec),
            {
                Mistake("A bias is in it. This layer has none.", 0.5): lambda spec, x: (
                    param_count(spec) + spec.out_channels
                ),
                Mistake("That has one filter only.", 0.2): lambda spec, x: prod(spec.weight_shape[1:]),
                Mistake("The input channels are missing.", 0.2): lambda spec, x: (
                    spec.out_channels * prod(spec.kernel_size)
                ),
            },
        ),
        "my_macs": (
            mac_count,
            {
                Mistake("The batch is forgotten.", 0.7): lambda spec, x: mac_count(spec, (1, *x[1:])),
                Mistake("Those are 2 × MACs.", 0.5): lambda spec, x: 2 * mac_count(spec, x),
                Mistake("An output's size rounds down.", 0.5): _rounded_up,
                Mistake("Those are exact FLOPs.", 0.5): flop_count,
            },
        ),
        "my_flops": (
            flop_count,
            {
                Mistake(
                    "Those are 2 × MACs. Exact FLOPs count the additions, one fewer an output.", 0.5
                ): lambda spec, x: 2 * mac_count(spec, x),
                Mistake("Those are MACs.", 0.3): mac_count,
                Mistake("The batch is forgotten.", 0.7): lambda spec, x: flop_count(spec, (1, *x[1:])),
                Mistake("An output's size rounds down.", 0.5): lambda spec, x: (
                    2 * _rounded_up(spec, x) - _rounded_up(spec, x) // prod(spec.weight_shape[1:])
                ),
            },
        ),
        "my_bytes": (
            _all_bytes,
            {
                Mistake("Those are numbers. One in float32 takes 4 bytes.", 0.5): lambda spec, x: (
                    _all_bytes(spec, x) // 4
                ),
                Mistake("The weights are missing.", 0.6): lambda spec, x: 4 * (prod(x) + _outputs(spec, x)),
                Mistake("The input is missing.", 0.6): lambda spec, x: _all_bytes(spec, x) - 4 * prod(x),
                Mistake("The output is missing.", 0.6): lambda spec, x: _all_bytes(spec, x) - 4 * _outputs(spec, x),
                Mistake("Those are the bytes of the weights alone.", 0.3): lambda spec, x: 4 * param_count(spec),
                Mistake("The batch is forgotten.", 0.7): lambda spec, x: _all_bytes(spec, (1, *x[1:])),
            },
        ),
    },
    in_words={"2 × MACs − FLOPs": _outputs},
)


def questions(student: str) -> dict:
    """Return grade_id → question, for one student."""
    return {
        "a1-cells-points": FunctionQuestion("my_input_cells", CELLS),
        "a1-real-points": FunctionQuestion("my_real_macs", REAL_MACS),
        "a1-own-points": OWN.question(student),
    }
