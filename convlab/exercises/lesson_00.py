"""The exercises of lesson 00: start here."""

from __future__ import annotations

from convlab import cost
from convlab.exercises.exercise import Exercise
from convlab.spec import ConvSpec

filter_multiplications = Exercise(
    target=lambda: cost.products_per_output(ConvSpec(3, 6, 11)),
    mistakes={
        "That is one channel. The filter has 11×11 weights for each of the 3 channels.": lambda: 11 * 11,
        "Those are the additions: n products need n − 1 of them. Count the products.": lambda: 11 * 11 * 3 - 1,
        "That is twice the weights. Count the multiplications alone.": lambda: 2 * 363,
        "Those are multiplications and additions together. Count the multiplications.": lambda: 2 * 363 - 1,
        "The sizes are added there. Each of the 11 rows has 11 columns: they multiply.": lambda: 11 + 11 + 3,
        "The channels are added there. Each of the 3 channels has its own 11×11 weights.": lambda: 11 * 11 + 3,
        "That is a row of the kernel in each channel. The kernel has 11 rows.": lambda: 11 * 3,
    },
    hints=[
        "Each weight of the filter is multiplied by the input number under it, once.",
        "How many weights does a box of 11 rows, 11 columns and 3 channels hold?",
        "11 · 11 · 3.",
    ],
    takeaway="One output number takes one multiplication for each weight of the filter.",
)

multiplications = Exercise(
    target=lambda kernel, channels, filters, size: kernel**2 * channels * filters * size**2,
    cases=[(5, 3, 1, 8), (5, 3, 256, 8), (3, 16, 7, 30)],
    mistakes={
        "Kernel and output are squares: kernel·kernel weights, size·size positions.": lambda k, c, m, s: k * c * m * s,
        "That is twice the multiplications. Additions are not counted here.": lambda k, c, m, s: (
            2 * k**2 * c * m * s**2
        ),
        "In Python ^ is no power: 5^2 is 7. Write **.": lambda k, c, m, s: (k ^ 2) * c * m * (s ^ 2),
        "Those are multiplications and additions together. Count the multiplications alone.": lambda k, c, m, s: (
            (2 * k**2 * c - 1) * m * s**2
        ),
        "`size` is the output's side already. Nothing is to be taken from it.": lambda k, c, m, s: (
            k**2 * c * m * (s - k + 1) ** 2
        ),
        "The number of filters is missing.": lambda k, c, m, s: k**2 * c * s**2,
        "The input channels are missing.": lambda k, c, m, s: k**2 * m * s**2,
        "The kernel is a square: it has kernel·kernel weights in each channel.": lambda k, c, m, s: k * c * m * s**2,
        "The output is a square: it has size·size positions.": lambda k, c, m, s: k**2 * c * m * s,
        "A bias is in it. A bias is added, never multiplied.": lambda k, c, m, s: (k**2 * c + 1) * m * s**2,
        "The positions are missing: the window does its work at each of them.": lambda k, c, m, s: k**2 * c * m,
    },
    hints=[
        "You know the multiplications for one output number. How many output numbers are there?",
        "There are size·size positions, and each filter gives one number at each of them.",
        "kernel·kernel·channels for one number, times filters·size·size numbers.",
    ],
    takeaway="Work for one output number, times the number of output numbers: that is the whole course's first step.",
)
