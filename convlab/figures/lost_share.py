"""The figure of what is lost when a layer is replaced by two cheap steps, for each depth multiplier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from numbers import Real

from matplotlib.axes import Axes

from convlab.figures.canvas import DASHES, INK, KERNEL, check_limit, drawing, given, tint

MAX_LAYERS, MAX_KERNELS = 4, 25  # more lines, or more ticks, would be too close to tell apart


def _checked(losses):
    """Return the lost shares as a dictionary, label → list."""
    wanted = "wanted labels with their lost shares, such as {'random': [0.75, 0.5, 0]}"
    if not isinstance(losses, Mapping) or not losses:
        raise TypeError(f"{given(losses)}; {wanted}")
    check_limit("layers", len(losses), MAX_LAYERS)
    for label, shares in losses.items():
        if isinstance(shares, str) or not isinstance(shares, Sequence) or not shares:
            raise TypeError(f"{label!r} has {given(shares)}; {wanted}")
        check_limit("shares", len(shares), MAX_KERNELS)
        for share in shares:
            if not isinstance(share, Real) or isinstance(share, bool) or not isfinite(share) or not 0 <= share <= 1:
                raise ValueError(f"{label!r} has the share {share!r}; wanted a number from 0 to 1")
    return {label: list(shares) for label, shares in losses.items()}


def _percent(share):
    return f"{100 * share:.0f} %"


def _title(losses):
    """Say the largest and the smallest loss with one kernel a channel."""
    first = {label: shares[0] for label, shares in losses.items()}
    most, least = max(first, key=first.get), min(first, key=first.get)
    if most == least:
        return f"With one kernel a channel, {_percent(first[most])} is lost: {most}"
    return f"With one kernel a channel, {most} loses {_percent(first[most])}, {least} {_percent(first[least])}"


def describe_lost_share(losses) -> str:
    """Say what the title says, and what each layer loses for m = 1, 2, …"""
    losses = _checked(losses)
    rows = "; ".join(f"{label} {', '.join(map(_percent, shares))}" for label, shares in losses.items())
    return f"{_title(losses)}. Lost share of the squared weights for m = 1, 2, …: {rows}."


@drawing(describe_lost_share)
def draw_lost_share(losses, ax: Axes | None = None) -> Axes:
    """Draw what share of a layer's squared weights is lost, over the kernels m that each channel may have.

    Args:
        losses: label → the lost shares, from 0 to 1, for m = 1, 2, …; one line each.

    Raises:
        TypeError: no labels with a list of shares.
        ValueError: a share outside 0 to 1, more than 4 layers, or more than 25 shares.
    """
    losses = _checked(losses)
    for n, (label, shares) in enumerate(losses.items()):
        color = tint(KERNEL, 0.2 + 0.6 * n / len(losses), INK)
        look = {"color": color, "linestyle": DASHES[n], "marker": "osD^"[n], "markersize": 5, "linewidth": 1.8}
        ax.plot(range(1, len(shares) + 1), [100 * share for share in shares], label=label, **look)
    most = max(map(len, losses.values()))
    ax.set(xlabel="kernels for each channel, m", ylabel="lost, % of the squared weights")
    ax.set(xlim=(0.7, most + 0.3), ylim=(-3, 103))
    ax.set_xticks(range(1, most + 1))
    ax.set_box_aspect(0.5)
    ax.legend(loc="upper right", frameon=False, handlelength=3.2)
    ax.set_title(_title(losses), loc="left")
    return ax
