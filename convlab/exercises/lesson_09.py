"""The exercises of lesson 09: judge a claim, and find the error in a formula and in a confirmation."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from convlab import cost, shape
from convlab.audit.claim import VERDICTS
from convlab.counting import chain_cost_table, separable_layers
from convlab.exercises.choices import Choices
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

recall_09 = Choices(
    [
        (
            "b",
            {
                "a": "Equal numbers in different units are a reason to doubt both.",
                "b": "With bias, FLOPs are twice the MACs, so a count of MACs should be half of it.",
                "c": "A bias changes no MACs, and no number of FLOPs into one of MACs.",
            },
        ),
        (
            "a",
            {
                "a": "Each filter reads C/g channels, so weights and products shrink. There still are M biases.",
                "b": "There is one bias for each of the M outputs, with groups too.",
                "c": "The output has M channels with groups too.",
            },
        ),
        (
            "c",
            {
                "a": "That is one byte each, as in int8.",
                "b": "That is two bytes each, as in float16.",
                "c": "A float32 number has 32 bits, 4 bytes.",
            },
        ),
    ]
)

LETTERS = dict(zip(VERDICTS, "abcdef"))
GENERAL = {  # what is told about a verdict that is not the right one, if the claim has no sentence of its own for it
    "right": "It does not hold just as it is printed.",
    "wrong": "It does hold, as the text names or shows its condition, or under one that it leaves open.",
    "typo": "A typo is a slip: the print does not hold, and what is plainly meant does. That is not the case here.",
    "unstated": "It needs no condition beyond those that the text names or shows.",
    "measure": "No time and no accuracy is needed to decide it. Count.",
    "missing": "Missing is what is promised and does not come. This can be read, and judged.",
}


def verdict(holds: str, /, **told: str) -> tuple[str, dict[str, str]]:
    """Return a question whose options, a to f, are the six verdicts: the right letter, and what each is told."""
    return LETTERS[holds], {letter: told.get(name, GENERAL[name]) for name, letter in LETTERS.items()}


judge_parameters = Choices(
    [
        verdict(
            "typo",
            right="As it is printed it says nothing: N is defined nowhere.",
            wrong="What is meant is plain: the same sentence counts C₁ filters in all, and ends with 1/G of the "
            "parameters. With C₁ in the place of N it holds.",
            typo="N stands for C₁, the number of filters in all: with it, and with no other number of the sentence, "
            "1/G of the parameters is left. D0 also writes it rightly, further down.",
            unstated="No condition helps: a letter is wrong, and nothing is left open.",
        ),
        verdict(
            "unstated",
            right="Put numbers into its formula with bias. The M biases stay, whatever g is.",
            wrong="Without bias it holds exactly.",
            unstated="It holds without bias. With bias, (K²·C/g + 1)·M is more than a g-th of (K²·C + 1)·M, by D3's "
            "own formulas.",
        ),
    ]
)

judge_groups = Choices(
    [
        verdict(
            "right",
            right="A group has C/g inputs and M/g outputs.",
            wrong="Cut the layer into g small layers side by side. How many inputs and outputs has each?",
        ),
        verdict(
            "wrong",
            right="Then grouping would save nothing: without groups there are 8·6 = 48 weights too.",
            wrong="A group makes 6/2 = 3 outputs: 4·3 weights, 24 in both. Sentence 3, from the same text, says so.",
            typo="The 6 is calculated with: 4·6 = 24, and 24·2 = 48. So it is meant.",
            unstated="The code names all sizes and the groups. With bias there would be 30, not 48.",
        ),
    ]
)

judge_steps = Choices(
    [
        verdict(
            "right",
            right="A filter weighs each channel, then adds. The depthwise step does the first half.",
            wrong="Take one filter of a standard layer, and leave out its sum over the channels. What is left?",
            unstated="It is about one filter, and D1 says so: the standard layer does that step N times.",
        ),
        verdict(
            "measure",
            right="Which count shows it? Efficiency is accuracy or speed for a cost.",
            wrong="A count cannot refute it either.",
            unstated="Under which condition could a count settle it? It gives the cost alone.",
            measure="Efficiency is accuracy or speed for a cost. A count gives the cost alone.",
        ),
    ]
)

judge_shapes = Choices(
    [
        verdict(
            "right",
            right="The fourth argument in its code is the stride, 3. Printed code counts.",
            wrong="Run its code: the output has that shape.",
            unstated="The words leave the stride out. The code does not: it is the fourth argument.",
        ),
        verdict(
            "unstated",
            right="With stride 1, the default, it is 217×217.",
            wrong="With stride 4 it is 55×55, with padding 0 or 1.",
            unstated="It holds with stride 4, and D0 has no stride: no word, no calculation and no code shows one.",
        ),
    ]
)

judge_readme = Choices(
    [
        verdict(
            "right",
            right="VGG-16 has 138,357,544 parameters, and in millions that rounds to it.",
            wrong="Count: 138,357,544 parameters.",
        ),
        verdict(
            "wrong",
            right="The MACs round to 15.47 billion.",
            wrong="The column names its unit, MACs, and no convention gives this sum: it has two of them.",
            typo="VGG-19 differs in the same way. So it was calculated, and is no slip.",
            unstated="The unit is named, and the image is in the README's code. What is left open?",
        ),
    ]
)

judge_book = Choices(
    [
        verdict(
            "wrong",
            right="Count the weights, and take 4 bytes for each.",
            wrong="218 MB in the original AlexNet, 172 MB in the book's. Sentence 2, on the same page, says 164, and "
            'after it the page has "more than 40 million parameters": 4 bytes each.',
            typo="What would be meant? The page goes on with the limited memory of early GPUs.",
            unstated="It says what is counted: parameters. With 8 bytes a weight it would still be less than half.",
        ),
        verdict(
            "unstated",
            right="With MB as 10⁶ bytes it is 172.",
            wrong="In units of 2²⁰ bytes it is 164.0.",
            unstated="It holds with MB as 2²⁰ bytes, often written MiB. With 10⁶ bytes it is 172.",
            typo="164 is no slip: it is exact in another unit.",
        ),
        verdict(
            "wrong",
            right="85.98 million multiplications and additions, 42.99 million MACs. And in units of 2²⁰?",
            wrong="In millions 86 FLOPs or 43 MACs, in units of 2²⁰ 82 or 41: none rounds to 81. With bias, as in the "
            "book's code, it is 82.0 in units of 2²⁰.",
            typo="A slip for 82? Nothing shows it. 81.99, without bias, may have been cut: that is calculated.",
            unstated="With M as 2²⁰ it is 82.0, or 81.99 without bias. A printed number has to be what holds, rounded.",
        ),
    ]
)

made_up_claims = Choices(
    [
        verdict(
            "unstated",
            right="Without padding the output is 18×18, and the layer does 1,492,992 MACs.",
            wrong="With padding 1 it holds.",
            unstated="It holds with padding 1 and stride 1, and neither is named. Without padding it is 1,492,992.",
        ),
        verdict(
            "right",
            right="The code names the padding: 3·3·16·32 products at 20·20 positions.",
            wrong="3·3·16 products for each of 32·20·20 output numbers.",
            unstated="The code names the padding. The stride is PyTorch's default and need not be named.",
        ),
        verdict(
            "wrong",
            right="That is a quarter of 4,640. Do the biases shrink too?",
            wrong="The code shows a layer with bias, PyTorch's default: 1,152 weights and 32 biases, 1,184.",
            typo="1,160 is a quarter of 4,640: it is calculated, not misprinted.",
            unstated="Nothing is left open: without `bias=False` the layer has a bias. It has 1,184 parameters.",
        ),
        verdict(
            "typo",
            right="3·3·16·23 is 3,312.",
            wrong="The value is right, and so is the formula in letters. Only one factor is misprinted.",
            typo="32, not 23: the formula and the value are right.",
            unstated="The sizes are named. Multiply what is printed.",
        ),
        verdict(
            "measure",
            right="The MACs are a quarter. Is the time?",
            wrong="It may be so on some machine, and a count cannot tell.",
            unstated="A condition such as the machine would be needed, and then a clock: no count settles it.",
            measure="A time does not follow from a count. It depends on the layer, the library and the machine.",
        ),
    ],
    hints=[
        "For each: which conditions does it name, or show in a calculation or in code? Then count.",
        "1: no padding is named. 2 and 3: the code shows it, and the default bias. 4: multiply. 5: what is it about?",
        "Each of five verdicts occurs once; nothing is missing.",
    ],
)


def true_saving(kernel_size, out_channels, groups):
    """Return standard MACs over those of a separable layer whose pointwise step has groups, for one window."""
    layer, window = ConvSpec(groups, out_channels, kernel_size), (1, groups, kernel_size, kernel_size)
    depthwise, pointwise = separable_layers(layer)
    steps = [depthwise, replace(pointwise, groups=groups)]
    return cost.mac_count(layer, window) / chain_cost_table(steps, window).total.macs


grouped_saving = Exercise(
    target=true_saving,
    cases=[(3, 64, 16), (5, 12, 3), (3, 240, 8), (7, 10, 1)],
    mistakes={
        "That is the printed formula. It divides both steps by g, "
        "and only the pointwise step has groups.": lambda k, m, g: g * k**2 * m / (k**2 + m),
        "That is without groups. The pointwise step has g of them.": lambda k, m, g: k**2 * m / (k**2 + m),
        "That is the inverse, separable over standard.": lambda k, m, g: 1 / true_saving(k, m, g),
        "A factor K² is lost: for M = 1 and g = 1 both layers cost nearly the same, "
        "and that gives far below 1.": lambda k, m, g: m / (k**2 + m / g),
        "That divides the depthwise step by g. It is the pointwise step that has the groups.": lambda k, m, g: (
            k**2 * m / (k**2 / g + m)
        ),
        "The kernel is a square: K² in place of K.": lambda k, m, g: k * m / (k + m / g),
        "That is the depthwise step alone. The pointwise step costs too.": lambda k, m, g: m,
        "That is M/g. The K² products of the standard layer and of the depthwise step are missing.": lambda k, m, g: (
            m / g
        ),
        "That is the pointwise step alone. The depthwise step costs too.": lambda k, m, g: g * k**2,
    },
    hints=[
        "Limits: the depthwise step alone costs 1/M of the standard layer. So which number can the saving never pass? "
        "Try K = 3, M = 64, g = 16 in the printed formula.",
        "For each input channel and position: standard K²·M products, depthwise K², pointwise M/g.",
        "K²·M / (K² + M/g).",
    ],
    takeaway="K²·M / (K² + M/g): below M, however many groups, and below g·K², however many filters.",
)


# 16 rows for 8 channels: read in the place of the channels they double the count, and FLOPs are twice the MACs.
CHECKED = ConvSpec(8, 12, 5, stride=2, groups=4)
IMAGE = (1, 8, 16, 23)

verified_macs = Exercise(
    target=lambda: cost.mac_count(CHECKED, IMAGE),
    mistakes={
        "That is what both print. One counts FLOPs, the other MACs of a layer with 16 channels.": lambda: (
            cost.flop_count(CHECKED, IMAGE)
        ),
        "Those are FLOPs without bias. A MAC is one multiplication with its accumulation.": lambda: cost.flop_count(
            replace(CHECKED, bias=False), IMAGE
        ),
        "That is half: one channel of the two that each filter sees, or halved twice.": lambda: (
            cost.mac_count(CHECKED, IMAGE) // 2
        ),
        "The groups are ignored: each filter sees 8/4 channels.": lambda: cost.mac_count(
            replace(CHECKED, groups=1), IMAGE
        ),
        "The groups are applied twice. A filter sees 8/4 channels, and there are still 12 filters.": lambda: (
            cost.mac_count(CHECKED, IMAGE) // 4
        ),
        "The stride is ignored. The window stops at 6×10 positions.": lambda: cost.mac_count(
            replace(CHECKED, stride=1), IMAGE
        ),
        "The additions of the bias are in it. A bias is added, never multiplied.": lambda: (
            cost.mac_count(CHECKED, IMAGE) + prod(shape.output_shape(CHECKED, IMAGE))
        ),
        "Those are the weights. Each of them works at 6×10 positions.": lambda: prod(CHECKED.weight_shape),
        "That is one filter. The layer has 12.": lambda: cost.mac_count(CHECKED, IMAGE) // 12,
    },
    hints=[
        "Two units: what does thop count, and what does the formula count? They cannot be equal.",
        "(x) is x, no tuple. thop unpacks the batch, so its first number is no longer N. Which axis does it then take "
        "for the channels? Count by hand: 12·6·10 output numbers, and the products of one.",
        "720 output numbers of (8/4)·5·5 = 50 products each.",
    ],
    takeaway="Two equal numbers are no proof when they have different units. MACs are half the FLOPs with bias.",
)
