"""The exercises of lesson 04: depthwise-separable convolution."""

from __future__ import annotations

from convlab.counting import chain_cost_table, separable_layers, separable_share
from convlab.exercises.common import integers
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec


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
        "That is D2's M/(K² + M): a factor K² is lost in it.": lambda m, k, f: m / (k**2 + m),
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
        "The pointwise step is counted with 3 inputs. The depthwise step hands it 3·2 channels.": lambda: (
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


def true_merged_kernel(depthwise, pointwise, multiplier):
    """Return the weights (M, C, K, K) of the layer that equals a depthwise and a pointwise layer in a row."""
    products = pointwise * depthwise[:, 0]  # (M, m·C, K, K)
    filters, _, *kernel = products.shape
    return products.reshape(filters, -1, multiplier, *kernel).sum(2)


merged_kernel = Exercise(
    target=true_merged_kernel,
    cases=[
        (integers(3, 1, 2, 2), integers(4, 3, 1, 1), 1),
        (integers(4, 1, 3, 3), integers(5, 4, 1, 1), 2),
        (integers(6, 1, 3, 3), integers(2, 6, 1, 1), 3),
    ],
    mistakes={
        "The multiplier is ignored: that has m·C input channels. "
        "Add the m kernels of each input channel.": lambda d, p, m: p * d[:, 0],
        "That sums over the input channels too. The merged kernel keeps them: "
        "the convolution does that sum.": lambda d, p, m: (p * d[:, 0]).sum(1, keepdim=True),
        "That sums over all channels, and drops their axis.": lambda d, p, m: (p * d[:, 0]).sum(1),
        "The kernels of a channel are neighbours: channel 0 has the kernels 0 to m − 1, "
        "channel 1 the next m.": lambda d, p, m: (p * d[:, 0]).reshape(len(p), m, -1, *d.shape[2:]).sum(1),
        "The first two axes are swapped: PyTorch's order is (M, C, K, K).": lambda d, p, m: true_merged_kernel(
            d, p, m
        ).transpose(0, 1),
        "That is the sum of the two weights. One is applied after the other, so they multiply.": lambda d, p, m: (
            (p + d[:, 0]).reshape(len(p), -1, m, *d.shape[2:]).sum(2)
        ),
        "That leaves out the weights of the pointwise step.": lambda d, p, m: true_merged_kernel(d, p * 0 + 1, m),
        "That is the mean over the m kernels. Their outputs are added.": lambda d, p, m: (
            true_merged_kernel(d, p, m) / m
        ),
    },
    hints=[
        "Follow one input number to one output number. It goes through m kernels, and each has its own weight in P.",
        "products = pointwise * depthwise[:, 0] has shape (M, m·C, K, K). Which of its m·C entries are of channel c?",
        "products.reshape(M, C, multiplier, K, K).sum(2)",
    ],
    takeaway="For one input channel, the M kernels are mixtures of m kernels: a matrix of rank m at most.",
)
