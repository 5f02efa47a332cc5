"""The explorer of the window: which cells of the padded image one output number is computed from."""

from __future__ import annotations

from convlab.cost import products_per_output
from convlab.explore.page import Explorer, Slider, check_range
from convlab.figures.canvas import show
from convlab.figures.window import WindowStep, describe_window, draw_window
from convlab.shape import Shape, output_shape, pads
from convlab.spec import ConvSpec, Pair
from convlab.wording import plural

SLIDERS = (
    Slider("size", "image side", 1, 12),
    Slider("kernel", "kernel K", 1, 5),
    Slider("stride", "stride s", 1, 4),
    Slider("padding", "padding p", 0, 4),
    Slider("dilation", "dilation d", 1, 3),
)


def say_window(step: WindowStep) -> str:
    """Say which cells the window reads, and how many products one output number sums."""
    (_, each, high, wide), count = step.spec.weight_shape, products_per_output(step.spec)
    depth = "C" if step.spec.groups == 1 else "C/g"
    product = f"{depth}·K·K = {each}·{high}·{wide} = {plural(count, 'product')}"
    return f"{describe_window(step)} One output number sums {product}."


def explore_window(spec: ConvSpec, input_shape: Shape, position: Pair = (0, 0)) -> Explorer:
    """Return an explorer of the window: sliders for the image's side, K, s, p and d; arrow keys move the window.

    Args:
        spec: the layer to begin with; its channels and groups stay. Both axes need the same numbers.
        input_shape: (N, C, H, W), with H = W from 1 to 12.
        position: the (row, column) of the output cell to begin with.

    Raises:
        TypeError: what `output_shape` raises, or a position that holds something else than integers.
        ValueError: what `output_shape` raises, a position outside the output, two axes that differ, or a number
            outside its slider: K to 5, s to 4, p to 4, d to 3.

    >>> explore_window(ConvSpec(3, 8, 3, padding=1), (1, 3, 5, 5), position=(0, 1))  # doctest: +NORMALIZE_WHITESPACE
    Output (0, 1) of 5 × 5 is computed from rows −1 to 1 and columns 0 to 2 of the 5 × 5 input; padding zeros among
    the 9 numbers read: 3. One output number sums C·K·K = 3·3·3 = 27 products.
    """
    step = WindowStep(spec, input_shape, position)
    output_shape(spec, input_shape)
    (top, bottom), (left, right) = pads(spec)
    axes = {
        "size": tuple(input_shape[2:]),
        "kernel": spec.kernel_size,
        "stride": spec.stride,
        "padding": (top, bottom, left, right),
        "dilation": spec.dilation,
    }
    for slider in SLIDERS:
        if len(set(axes[slider.key])) > 1:
            raise ValueError(f"{slider.label} is {axes[slider.key]}; wanted equal numbers, which one slider can set")
    state = {key: numbers[0] for key, numbers in axes.items()}
    check_range(SLIDERS, state)
    text = say_window(step)
    state |= {
        "channels": spec.weight_shape[1],
        "groups": spec.groups,
        "row": int(position[0]),
        "column": int(position[1]),
    }
    return Explorer("window", SLIDERS, state, show(draw_window, step), text)
