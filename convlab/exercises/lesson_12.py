"""The exercises of lesson 12: a network of few parameters, and one that needs little memory."""

from __future__ import annotations

from convlab.exercises.choices import Choices
from convlab.exercises.design import BUDGET, LOW_MEMORY, Design

recall_12 = Choices(
    [
        (
            "c",
            {
                "a": "Zero is inside the interval, so the runs do not show which is better.",
                "b": "Not shown is not equal: the difference may be anywhere in the interval.",
                "c": "Zero is inside, so no difference is shown, and none is excluded.",
            },
        ),
        (
            "b",
            {
                "a": "The layer has the same weights wherever it works.",
                "b": "MACs are weights times positions, and there are a quarter of the positions.",
                "c": "MACs yes. But no weight of a convolution belongs to a position.",
            },
        ),
        (
            "b",
            {
                "a": "Both images meet the same weights.",
                "b": "Each image has its own numbers between the layers.",
                "c": "The activations, yes. But both images meet the same weights.",
            },
        ),
    ]
)

design = Design(
    BUDGET,
    hints=[
        "Which layer holds most of the parameters? A linear layer behind 90 numbers has 900 weights, behind 24 numbers "
        "240. So keep what is where until the image is one position, and do not average.",
        "Without padding, a 3×3 layer makes 6×6 of 8×8, and one position of 3×3. Between them a pooling layer. The "
        "second of two such layers then has most of the weights, and groups divide them.",
        "nn.Conv2d(1, 16, 3), nn.AvgPool2d(2), nn.Conv2d(16, 24, 3, groups=8), nn.Linear(24, 10), without biases in "
        "the convolutions, with BatchNorm and ReLU after each.",
    ],
)

low_memory_design = Design(
    LOW_MEMORY,
    hints=[
        "The peak is where a layer makes as many numbers as it is given: in the normalisation behind the first layer. "
        "How many filters may that have, at 8×8 positions, and how many at 6×6?",
        "Two maps of 6 filters at 6×6 positions are 2·6·36·4 bytes. Few maps hold little, so take the accuracy from "
        "weights where the image is small: they cost no bytes there.",
        "6 filters without padding, a pooling layer that leaves 3×3, then a standard 3×3 layer without padding: one "
        "position, so its 54 weights a filter cost 54 MACs. Choose its filters by the MACs.",
    ],
)
