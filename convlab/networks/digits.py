"""One small network for small images of digits in four kinds, so that accuracy and cost differ by the kind alone."""

from __future__ import annotations

from functools import partial

from torch import nn

KINDS = ("standard", "grouped", "shuffled", "separable")
GROUPS = 4  # of a grouped and of a shuffled layer
WIDTHS = {  # of each kind, the standard one having 8 channels; MACs within 5 %, parameters within 10 %
    "equal width": dict.fromkeys(KINDS, 8),
    "equal MACs": {"standard": 8, "grouped": 16, "shuffled": 16, "separable": 19},
    "equal parameters": {"standard": 8, "grouped": 16, "shuffled": 16, "separable": 18},
}


def small_network(kind: str, width: int) -> nn.Sequential:
    """Return a network (n, 1, side, side) → (n, 10): a first 3×3 layer, four 3×3 blocks of one kind, a linear layer.

    Args:
        kind: of the blocks: "standard"; "grouped"; "shuffled", which is grouped with a channel shuffle behind each
            layer; "separable", depthwise then pointwise.
        width: channels of all layers.

    Raises:
        ValueError: another kind, or what torch raises if the 4 groups do not divide the width.

    >>> from convlab.counting import cost_table
    >>> total = cost_table(small_network("standard", 8), (1, 1, 14, 14)).total
    >>> total.params, total.macs
    (2546, 296432)
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}; wanted one of {', '.join(KINDS)}")

    def conv(channels, kernel_size, groups=1):
        return nn.Conv2d(channels, width, kernel_size, padding="same", groups=groups, bias=False)

    def block():
        layers = {
            "standard": lambda: [conv(width, 3)],
            "grouped": lambda: [conv(width, 3, GROUPS)],
            "shuffled": lambda: [conv(width, 3, GROUPS), nn.ChannelShuffle(GROUPS)],
            "separable": lambda: [conv(width, 3, width), conv(width, 1)],
        }[kind]()
        return [*layers, nn.BatchNorm2d(width), nn.ReLU()]

    return nn.Sequential(
        *(conv(1, 3), nn.BatchNorm2d(width), nn.ReLU()),
        *(*block(), *block(), nn.MaxPool2d(2), *block(), *block()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)),
    )


def builders(comparison: str) -> dict[str, partial]:
    """Return label → a function that returns a new network, of each kind; `comparison` is a key of WIDTHS.

    >>> list(builders("equal MACs"))
    ['standard 8', 'grouped 16', 'shuffled 16', 'separable 19']
    """
    return {f"{kind} {width}": partial(small_network, kind, width) for kind, width in WIDTHS[comparison].items()}
