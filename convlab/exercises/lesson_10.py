"""The exercises of lesson 10: a network within a budget, and one within a quarter of its MACs."""

from __future__ import annotations

from convlab.challenge import BUDGET, TIGHT, Design

design = Design(
    BUDGET,
    hints=[
        "A wide layer is cheap where the image is small. Pool right after the first layer, and once more later.",
        "Do not average at the end: at 2×2 positions, nn.Flatten and nn.Linear(4 * channels, 10) cost few MACs and "
        "keep what is where. Pay for channels with a depthwise and a pointwise layer, or with groups.",
        "16 channels by a 3×3 layer, pooled to 4×4; 20 by a depthwise and a pointwise layer, pooled to 2×2; "
        "flattened into nn.Linear(4 * 20, 10).",
    ],
)

tight_design = Design(
    TIGHT,
    hints=[
        "With padding, a first layer of 10 filters does 10·9·64 MACs: more than the budget. "
        "Which positions can it leave out?",
        "Without padding, a 3×3 layer makes 6×6 of 8×8 and, later, one position of 3×3. There it costs what a linear "
        "layer costs: one MAC for each weight.",
        "10 filters without padding, pooled from 6×6 to 3×3 by nn.AvgPool2d(2); 13 filters without padding; "
        "flattened into nn.Linear(13, 10).",
    ],
)
