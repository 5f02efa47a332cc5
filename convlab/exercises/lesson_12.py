"""The exercises of lesson 11: a network within a budget, and one within a quarter of its MACs."""

from __future__ import annotations

from convlab.exercises.design import BUDGET, TIGHT, Design

design = Design(
    BUDGET,
    hints=[
        "A wide layer is cheap where the image is small. Pool right after the first layer, and once more later.",
        "Do not average at the end: at 2×2 positions, nn.Flatten and nn.Linear(4 * channels, 10) cost few MACs and "
        "keep what is where. Pay for channels with a depthwise and a pointwise layer, or with groups.",
        "A standard layer on 8×8 and a separable one on 4×4 are enough, with a pooling layer after each. Choose the "
        "channels by cost_table: as many as the MACs, then the parameters allow.",
    ],
)

tight_design = Design(
    TIGHT,
    hints=[
        "With padding, a first layer of 10 filters does 10·9·64 MACs: more than the budget. "
        "Which positions can it leave out?",
        "Without padding, a 3×3 layer makes 6×6 of 8×8 and, later, one position of 3×3. There it costs what a linear "
        "layer costs: one MAC for each weight.",
        "Two such layers with a pooling layer between them: 8×8, 6×6, 3×3, one position. Choose the filters of the "
        "first by the MACs, those of the second by the parameters.",
    ],
)
