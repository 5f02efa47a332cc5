"""The exercises of lesson 04: what two cheap steps cost."""

from __future__ import annotations

from convlab.counting import chain_cost_table, separable_layers, separable_share
from convlab.exercises.choices import Choices
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

recall_04 = Choices(
    [
        (
            "b",
            {
                "a": "That is one channel's share. The products of all 8 channels are added.",
                "b": "3·3 weights in each of 8 channels. The number of filters does not matter for one output number.",
                "c": "That is all 16 filters at one position, so 16 output numbers.",
            },
        ),
        (
            "a",
            {
                "a": "With as many groups as input channels, a group holds C/g = 1 of them.",
                "b": "A group makes 2 of the 16 outputs, M/g, but it reads C/g inputs.",
                "c": "That is the layer without groups.",
            },
        ),
        (
            "c",
            {
                "a": "A bias is added, never multiplied, so MACs stay.",
                "b": "A bias changes no shape.",
                "c": "One parameter for each output channel, and one addition for each output number.",
            },
        ),
    ]
)

write_ups_04 = Choices(
    [
        (
            "b",
            {
                "a": "Try C = 64. How many channels deep is a filter of the standard layer then?",
                "b": "It is 1/C of the filter, since the filter is C channels deep. Here C = 3.",
                "c": "It is right for this layer: 25 weights of 75.",
            },
        ),
        (
            "c",
            {
                "a": "The numbers of its own layer give 5.76, this fraction gives 0.64.",
                "b": "The inverse of 0.64 is 1.5625, and the numbers of its own layer give 5.76.",
                "c": "The costs divided are K²CMHW/(K²CHW + CMHW) = K²M/(K² + M): a factor K² got lost on the way.",
            },
        ),
        (
            "b",
            {
                "a": "With 3×3 kernels and a billion filters it was still below 9.",
                "b": "The saving K²M/(K² + M) grows with M and never reaches K².",
                "c": "With 16 filters it was 5.76, with 1,024 filters 8.92.",
            },
        ),
        (
            "b",
            {
                "a": "Count a layer with stride 2: the window stops at a quarter of the positions.",
                "b": "The window stops once for each output position. With stride 1 and padding "
                "1 a 3×3 layer keeps the size, as in this example.",
                "c": "For the layer of this example it is right: 32×32 in, 32×32 out.",
            },
        ),
    ],
    hints=[
        "Put numbers in. Each sentence can be tried on a layer of this lesson, and on one more.",
        "1: another C. 2: its own layer, counted and by the fraction. 3: the ceiling. 4: a stride of 2.",
        "One sentence is wrong for its own example, one leaves out a limit, two hold under a condition.",
    ],
)


def true_saving(out_channels, kernel_size, multiplier):
    """Return standard MACs over separable MACs, both counted."""
    layer, window = ConvSpec(3, out_channels, kernel_size), (1, 3, kernel_size, kernel_size)
    return float(1 / separable_share(layer, window, multiplier))


separable_saving = Exercise(
    target=true_saving,
    cases=[(256, 5, 1), (16, 3, 1), (6, 11, 2), (1000, 7, 4)],
    mistakes={
        "That is the inverse, separable over standard. A saving of 5 means a fifth of the work.": lambda m, k, f: (
            1 / true_saving(m, k, f)
        ),
        "The multiplier is ignored. With m kernels for each channel, both steps do m times the work.": lambda m, k, f: (
            true_saving(m, k, 1)
        ),
        "That multiplies by the multiplier. More kernels for each channel mean more work, "
        "so less is saved.": lambda m, k, f: true_saving(m, k, 1) * f,
        "The multiplier is in the depthwise step alone. The pointwise step then mixes m·C channels.": lambda m, k, f: (
            1 / (f / m + 1 / k**2)
        ),
        "The multiplier is in the pointwise step alone, or M was taken as m·M. "
        "The depthwise step has m·C kernels.": lambda m, k, f: 1 / (1 / m + f / k**2),
        "That is M/(K² + M): a factor K² got lost.": lambda m, k, f: m / (k**2 + m),
        "That is rounded down. `//` drops what comes after the point: use `/`.": lambda m, k, f: (
            k**2 * m // (f * (k**2 + m))
        ),
        "That is the ceiling K². The depthwise step costs too.": lambda m, k, f: k**2,
        "The kernel is a square: K² in place of K.": lambda m, k, f: k * m / (f * (k + m)),
        "That adds the savings of both steps. Their shares add up.": lambda m, k, f: (m + k**2) / f,
    },
    hints=[
        "Start from the share, separable over standard. The saving is its inverse.",
        "The share is m·(1/M + 1/K²).",
        "K²·M / (m·(K² + M)).",
    ],
    takeaway="K²·M / (m·(K² + M)): below K²/m, however many filters the layer has.",
)


def multiplied_macs(depthwise_outputs=6, pointwise_inputs=6):
    """Return the MACs of the two steps at 55×55 positions: kernels of 11×11, then 6 filters of 1×1."""
    return 55 * 55 * (depthwise_outputs * 11 * 11 + pointwise_inputs * 6)


separable_macs = Exercise(
    target=lambda: chain_cost_table(separable_layers(ConvSpec(3, 6, 11, stride=4), 2), (1, 3, 227, 227)).total.macs,
    mistakes={
        "That is the depthwise step alone. The pointwise step mixes its 6 channels.": lambda: 6 * 121 * 55 * 55,
        "That is the pointwise step alone.": lambda: 6 * 6 * 55 * 55,
        "That is with depth multiplier 1. Here each input channel has two kernels.": lambda: multiplied_macs(3, 3),
        "The pointwise step is counted with 3 inputs. The depthwise step gives it 3·2 channels.": lambda: (
            multiplied_macs(6, 3)
        ),
        "The depthwise step has 3·2 kernels, two for each channel, not 3.": lambda: multiplied_macs(3, 6),
        "Each depthwise kernel is counted on all 3 channels. It looks at one.": lambda: 55 * 55 * (6 * 3 * 121 + 6 * 6),
        "That is the standard layer.": lambda: 55 * 55 * 6 * 3 * 121,
        "Those are FLOPs, or twice the MACs. One MAC is one multiplication with its accumulation.": lambda: (
            2 * multiplied_macs()
        ),
        "Those are the weights. Each of them works at 55×55 positions.": lambda: 6 * 121 + 36,
        "The stride is ignored: it belongs to the depthwise step, and leaves 55×55 positions, not 217×217.": lambda: (
            217 * 217 * (6 * 121 + 36)
        ),
    },
    hints=[
        "Two layers: depthwise 3 → 6 (two 11×11 kernels for each channel) with stride 4, then pointwise 6 → 6.",
        "At each of the 55×55 positions: 6·121 products in the first step, 6·6 in the second.",
        "(726 + 36) · 3,025.",
    ],
    takeaway="Twice the kernels, nearly twice the MACs: almost all the work of this layer is in the depthwise step.",
)
