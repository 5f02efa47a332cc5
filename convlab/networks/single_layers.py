"""The layers whose time lesson 10 measures: one of each kind, at equal shapes, and at equal MACs."""

from __future__ import annotations

from convlab.shape import Shape
from convlab.spec import ConvSpec

SIZE = 28  # height and width of every image


def layer(in_channels: int, out_channels: int, kernel_size: int, groups: int = 1) -> ConvSpec:
    """Return a layer without bias that keeps the image's size."""
    return ConvSpec(in_channels, out_channels, kernel_size, padding="same", groups=groups, bias=False)


def add_inputs(family: dict[str, list[ConvSpec]], batch: int) -> dict[str, tuple[list[ConvSpec], Shape]]:
    """Return label → (layers, input shape)."""
    return {label: (layers, (batch, layers[0].in_channels, SIZE, SIZE)) for label, layers in family.items()}


def equal_shapes(batch: int = 1) -> dict[str, tuple[list[ConvSpec], Shape]]:
    """Return label → (layers, input shape): one layer of each kind that maps equal shapes to equal shapes.

    The standard one is the 3×3 layer of ResNet-50 on 28×28 (He et al. 2015, table 1, conv3_x).

    >>> layers, input_shape = equal_shapes()["8 groups"]
    >>> layers[0].groups, input_shape
    (8, (1, 128, 28, 28))
    """
    depthwise, pointwise = layer(128, 128, 3, 128), layer(128, 128, 1)
    family = {"standard": [layer(128, 128, 3)]}
    family |= {f"{groups} groups": [layer(128, 128, 3, groups)] for groups in (2, 4, 8, 32)}
    family |= {"depthwise": [depthwise], "pointwise": [pointwise], "separable": [depthwise, pointwise]}
    return add_inputs(family, batch)


def equal_macs(batch: int = 1) -> dict[str, tuple[list[ConvSpec], Shape]]:
    """Return label → (layers, input shape): each kind with as many channels as 64·64·9 MACs a position can pay for.

    >>> layers, input_shape = equal_macs()["8 groups"]
    >>> layers[0].in_channels, layers[0].out_channels, input_shape
    (128, 256, (1, 128, 28, 28))
    """
    family = {
        "standard": [layer(64, 64, 3)],
        "2 groups": [layer(64, 128, 3, 2)],
        "4 groups": [layer(128, 128, 3, 4)],
        "8 groups": [layer(128, 256, 3, 8)],
        "32 groups": [layer(256, 512, 3, 32)],
        "depthwise": [layer(4096, 4096, 3, 4096)],
        "pointwise": [layer(192, 192, 1)],
        "separable": [layer(192, 192, 3, 192), layer(192, 183, 1)],
    }
    return add_inputs(family, batch)
