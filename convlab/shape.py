"""How large the output of a convolution is."""

from __future__ import annotations

from convlab.spec import ConvSpec, Pair, exact_int

Shape = tuple[int, int, int, int]  # (N, C, H, W): images in the batch, channels, height, width
AXES = (("N", "images in the batch"), ("C", "channels"), ("H", "height"), ("W", "width"))


def check_spec(spec) -> ConvSpec:
    """Return `spec`, or raise a TypeError that says what was given instead of a ConvSpec."""
    if not isinstance(spec, ConvSpec):
        raise TypeError(
            f"{spec!r} is a {type(spec).__name__}; wanted a ConvSpec, such as ConvSpec(3, 16, 3, padding=1)"
        )
    return spec


def check_shape(input_shape) -> Shape:
    """Return `input_shape` as a tuple of four positive integers (N, C, H, W).

    Raises:
        TypeError: not a sequence of integers.
        ValueError: not four numbers, or one below 1.
    """
    if not isinstance(input_shape, tuple | list):
        raise TypeError(f"input_shape={input_shape!r} is a {type(input_shape).__name__}; wanted a tuple (N, C, H, W)")
    if len(input_shape) != 4:
        raise ValueError(
            f"input_shape={tuple(input_shape)!r} has {len(input_shape)} numbers; wanted 4: (N, C, H, W), as in PyTorch"
        )
    return tuple(exact_int(f"input_shape's {axis} ({word})", n, 1) for (axis, word), n in zip(AXES, input_shape))


def pads(spec: ConvSpec) -> tuple[Pair, Pair]:
    """Return the zeros added around the image: ((top, bottom), (left, right)).

    `"same"` adds d·(K − 1) zeros in all and puts the odd one at the bottom and on the right, as PyTorch does.

    >>> pads(ConvSpec(3, 16, (3, 4), padding="same"))
    ((1, 1), (1, 2))
    """
    if check_spec(spec).padding == "valid":
        return (0, 0), (0, 0)
    if spec.padding == "same":
        totals = [d * (k - 1) for k, d in zip(spec.kernel_size, spec.dilation)]
        return tuple((total // 2, total - total // 2) for total in totals)
    return tuple((p, p) for p in spec.padding)


def output_shape(spec: ConvSpec, input_shape: Shape) -> Shape:
    """Return the shape of the layer's output for an input of shape (N, C, H, W).

    On each axis: floor((H + p_before + p_after − d·(K − 1) − 1) / s) + 1.

    Args:
        spec: the layer.
        input_shape: (N, C, H, W), as in PyTorch: images, channels, rows, columns.

    Returns:
        (N, M, output height, output width).

    Raises:
        TypeError: `spec` is no ConvSpec, or the shape holds something that is no integer.
        ValueError: not four numbers, a number below 1, channels that do not match, or a window larger than the
            padded image.

    >>> output_shape(ConvSpec(3, 6, 11, stride=4), (1, 3, 227, 227))  # (227 - 11) / 4 + 1 = 55
    (1, 6, 55, 55)
    >>> output_shape(ConvSpec(3, 6, 3, 3), (1, 3, 6, 6))  # the fourth argument is the stride
    (1, 6, 2, 2)

    Source: Dumoulin & Visin 2016, Relationship 15; the shape section of `torch.nn.Conv2d`.
    """
    check_spec(spec)
    images, channels, *sizes = check_shape(input_shape)
    if channels != spec.in_channels:
        raise ValueError(
            f"input_shape={tuple(input_shape)} has {channels} channels; "
            f"wanted in_channels={spec.in_channels}, the second number of (N, C, H, W)"
        )
    out = []
    for axis, size, pad, k, s, d in zip(
        ("height", "width"), sizes, pads(spec), spec.kernel_size, spec.stride, spec.dilation
    ):
        span, padded = d * (k - 1) + 1, size + sum(pad)
        if span > padded:
            raise ValueError(
                f"the window spans {span} and the padded image has {padded} ({axis}: {size} + {pad[0]} + {pad[1]}); "
                f"wanted a window no larger than the image: kernel_size={spec.kernel_size}, dilation={spec.dilation}"
            )
        out.append((padded - span) // s + 1)
    return images, spec.out_channels, *out
