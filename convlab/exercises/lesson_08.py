"""The exercises of lesson 08: a count that lacks a part, and the report of a U-Net."""

from __future__ import annotations

from functools import cache

from convlab.counting import cost_table
from convlab.exercises.choices import Choices
from convlab.exercises.exercise import Exercise
from convlab.exercises.facts import Facts
from convlab.networks.unet import UNet
from convlab.reports.memory import memory_table
from convlab.reports.training_step import training_table

recall_08 = Choices(
    [
        (
            "a",
            {
                "a": "2 × MACs, so half of the number.",
                "b": "PyTorch's counter gives 2 × MACs, not MACs.",
                "c": "That doubles the number once more.",
            },
        ),
        (
            "c",
            {
                "a": "The parameters stay. Each weight is used at more positions.",
                "b": "One side alone gives a factor of 2. Both sides grow.",
                "c": "Four times as many positions, and each weight works once at each of them.",
            },
        ),
        (
            "a",
            {
                "a": "Each input number is spread over the output by a kernel for each output channel.",
                "b": "So thop counts: a whole window at each output position. Most of such a window is empty.",
                "c": "Those are the weights. Each of them works at every input position.",
            },
        ),
    ]
)


def in_attention(each):
    """Return an exercise-shaped function: `each(printed, missing MACs, layers, tokens²·width)`."""

    def makes(printed, layers, texts, tokens, width):
        return each(printed, 2 * layers * texts * tokens**2 * width)

    return makes


macs_of_transformer = Exercise(
    target=in_attention(lambda printed, missing: printed // 2 + missing),
    cases=[(10_387_456, 2, 1, 32, 64), (20_480, 1, 2, 5, 8), (344_064, 3, 4, 7, 16)],
    mistakes={
        "That is the printed number: 2 × MACs, and without attention.": lambda printed, *_: printed,
        "Those are MACs, but the products of tokens with tokens are still missing.": lambda printed, *_: printed // 2,
        "That adds MACs to 2 × MACs. Halve the printed number first.": in_attention(
            lambda printed, missing: printed + missing
        ),
        "That is 2 × MACs of everything. Wanted MACs.": in_attention(lambda printed, missing: printed + 2 * missing),
        "What you add is in 2 × MACs. The other part is in MACs.": in_attention(
            lambda printed, missing: printed // 2 + 2 * missing
        ),
        "That has one product of tokens with tokens in each layer. There are two: scores and mixtures.": in_attention(
            lambda printed, missing: printed // 2 + missing // 2
        ),
        "That adds attention for one layer.": lambda p, layers, n, t, d: p // 2 + 2 * n * t * t * d,
        "That adds attention for one text of the batch.": lambda p, layers, n, t, d: p // 2 + 2 * layers * t * t * d,
        "That lets tokens of different texts meet. Each text has tokens² pairs.": lambda p, layers, n, t, d: (
            p // 2 + 2 * layers * (n * t) ** 2 * d
        ),
        "That is linear in the tokens. Each token meets each.": lambda p, layers, n, t, d: (
            p // 2 + 2 * layers * n * t * d
        ),
        "That takes width², as a linear layer does. A pair takes width products.": lambda p, layers, n, t, d: (
            p // 2 + 2 * layers * n * t * d * d
        ),
        "That is what the counter misses, alone.": in_attention(lambda printed, missing: missing),
    },
    hints=[
        "Two things are wrong with the number: its convention, and what it lacks. Half of it is in MACs.",
        "In each layer and each text, tokens² pairs take width MACs for the scores, and as many for the mixtures.",
        "printed // 2 + 2 * layers * texts * tokens**2 * width",
    ],
    takeaway="A wrong number can be repaired if you know what its tool leaves out.",
)

INPUT_SHAPE = 2, 3, 32, 48
PIXELS = 2 * 32 * 48  # of both images
FIRST, DOWN, UP, LAST = 216 * PIXELS, 1_152 * PIXELS // 4, 512 * PIXELS // 4, 32 * PIXELS  # MACs


@cache
def unet_totals():
    """Return the totals of the three tables of the U-Net: cost, memory, training step."""
    return tuple(table(UNet().eval(), INPUT_SHAPE).total for table in (cost_table, memory_table, training_table))


def macs():
    """Return the MACs of the U-Net."""
    return unet_totals()[0].macs


def flops():
    """Return the exact FLOPs of the U-Net."""
    return unet_totals()[0].flops


def live(channels):
    """Return a function that returns the bytes of maps with so many channels in all, at the image's full size."""
    return lambda: channels * PIXELS * 4


unet_report = Facts(
    {
        "parameters": Exercise(
            target=lambda: unet_totals()[0].params,
            mistakes={
                "The bias of `last` is missing.": lambda: 1_912,
                "That has a bias in every layer. Three say bias=False.": lambda: 1_946,
                "That leaves `up` out. A transposed convolution has weights too.": lambda: 1_402,
                "`last` reads 16 channels: 8 early ones and 8 from `up`.": lambda: 1_898,
                "That counts them for each image. The batch shares them.": lambda: 2 * 1_914,
                "Those are their bytes.": lambda: 4 * 1_914,
            },
            hints=(),
            takeaway="216 + 1,152 + 512 weights, and 34 numbers in `last`.",
        ),
        "MACs": Exercise(
            target=macs,
            mistakes={
                "That is one image. The batch has two.": lambda: macs() // 2,
                "Those are 2 × MACs.": lambda: 2 * macs(),
                "Those are exact FLOPs.": flops,
                "That counts `up` at its output, as thop does. Count its input numbers.": lambda: macs() + 3 * UP,
                "That leaves `up` out. It multiplies too.": lambda: macs() - UP,
                "`last` reads 16 channels: 8 early ones and 8 from `up`.": lambda: macs() - LAST // 2,
                "The stride of `down` is ignored.": lambda: macs() + 3 * DOWN,
                "That leaves `last` out. A 1×1 convolution multiplies too.": lambda: macs() - LAST,
            },
            hints=(),
            takeaway="663,552 + 884,736 + 393,216 + 98,304.",
        ),
        "2 × MACs": Exercise(
            target=lambda: 2 * macs(),
            mistakes={
                "Those are MACs.": macs,
                "Those are exact FLOPs.": flops,
                "That is doubled twice.": lambda: 4 * macs(),
                "That is twice thop's count, with `up` counted at its output.": lambda: 2 * (macs() + 3 * UP),
                "The bias is no part of 2 × MACs.": lambda: 2 * macs() + 2 * PIXELS,
            },
            hints=(),
            takeaway="Twice the MACs, with bias and without.",
        ),
        "exact FLOPs": Exercise(
            target=flops,
            mistakes={
                "Those are MACs.": macs,
                "Those are 2 × MACs. A sum of n products has n − 1 additions, and three layers have no bias.": lambda: (
                    2 * macs()
                ),
                "`last` has a bias, which is one more addition for each of its output numbers.": lambda: (
                    flops() - 2 * PIXELS
                ),
                "`up` has no bias either: one addition less for each of its output numbers.": lambda: (
                    flops() + 8 * PIXELS
                ),
                "That adds the bias to 2 × MACs. It takes the place of the missing addition.": lambda: (
                    2 * macs() + 2 * PIXELS
                ),
                "Those are the additions alone.": lambda: flops() - macs(),
                "That is one image. The batch has two.": lambda: flops() // 2,
            },
            hints=(),
            takeaway="2 × MACs, less one for each output number of the three layers without bias.",
        ),
        "peak activation bytes": Exercise(
            target=lambda: unet_totals()[1].peak_bytes,
            mistakes={
                "Those are numbers. Each takes 4 bytes.": lambda: 39 * PIXELS,
                "The input is missing: whoever called the network holds it.": live(36),
                "`early` is missing: `cat` still needs it.": live(31),
                "`small` is missing: its variable holds it.": live(35),
                "That is what `cat` joins and makes. The input and `small` are live too.": live(32),
                "That is the input and the output of `last` alone. Others are live beside them.": live(18),
                "That is the largest tensor alone. Others are live beside it.": live(16),
                "That is while `last` runs. There is a moment with more.": live(33),
                "That is before `cat` has made its result.": live(23),
                "That adds all tensors up. They are not all live at once.": live(53),
                "The weights are in it. They are no activations.": lambda: 39 * PIXELS * 4 + 4 * 1_914,
                "That is one image. The batch has two.": live(39 / 2),
                "Those are KiB. Wanted bytes.": lambda: 39 * PIXELS * 4 / 1024,
            },
            hints=(),
            takeaway="In `cat`, which has no MACs: the input, early, small, what `up` gave, and the result.",
        ),
        "MACs of a training step": Exercise(
            target=lambda: unet_totals()[2].step_macs,
            mistakes={
                "That is three times the forward. The image needs no gradient.": lambda: 3 * macs(),
                "The gradients of the inputs are missing.": lambda: 2 * macs(),
                "That is the forward alone.": macs,
                "The gradients of the weights are missing.": lambda: 2 * macs() - FIRST,
                "The input that needs no gradient is that of `first`.": lambda: 3 * macs() - LAST,
                "Those are 2 × MACs.": lambda: 2 * (3 * macs() - FIRST),
                "That is one image. The batch has two.": lambda: (3 * macs() - FIRST) // 2,
            },
            hints=(),
            takeaway="Three times the forward, less one forward of `first`.",
        ),
        "not counted": Choices(
            [
                (
                    "a",
                    {
                        "a": "They sum no products, so they have no MACs. In time and memory they count.",
                        "b": "Its products are in all these numbers.",
                        "c": "They are counted: by our convention padding zeros are numbers like others.",
                    },
                )
            ]
        ),
        "4.1 MFLOPs": Choices(
            [
                (
                    "b",
                    {
                        "a": "MACs would be 2.0 million.",
                        "b": "2 × MACs are 4.08 million, and no other convention here rounds to 4.1.",
                        "c": "Exact FLOPs are 4.02 million, which rounds to 4.0.",
                    },
                )
            ]
        ),
    },
    hints=[
        "Write down for each line of the forward which tensor it makes, of which shape. MACs, bytes and gradients "
        "follow from these shapes.",
        "Only `first` reads the image. `up` starts from 2·16·16·24 input numbers. While `cat` runs, what it joins and "
        "what it makes are both live.",
        "Let P be the 2·32·48 pixels. MACs: 216·P + 1152·P/4 + 512·P/4 + 32·P. Peak: (3 + 8 + 4 + 8 + 16)·P numbers of "
        "4 bytes. A step: 3 × MACs, less 216·P.",
    ],
)
