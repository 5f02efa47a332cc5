"""Numbers of a student's own: one notebook for all, and a layer drawn from the student's id and a secret.

The secret is the environment variable SALT of the instructor. Whoever knows it and an id knows the layer; without it
the public default makes the same layer for everybody who practises.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from hashlib import sha256

PUBLIC_SALT = "for practice"
MOST_DRAWS = 10_000


def salt() -> str:
    """Return the instructor's secret, or a public default, with a warning."""
    if secret := os.environ.get("SALT"):
        return secret
    warnings.warn("no SALT is set: every layer can be drawn by every student. Set SALT to a secret text", stacklevel=2)
    return PUBLIC_SALT


class Draw:
    """Choices that follow from a text alone, on any machine and in any version of Python.

    >>> pick = Draw("a text")
    >>> pick(1, 2, 3) in (1, 2, 3)
    True
    """

    def __init__(self, text: str):
        self.number = int.from_bytes(sha256(text.encode("utf-8")).digest(), "big")

    def __call__(self, *choices):
        self.number, at = divmod(self.number, len(choices))
        return choices[at]


def draw_for(student: str, question: str, make: Callable, values: Callable):
    """Return what `make(draw)` draws for a student: the same each time.

    A draw is thrown away if two of `values(drawn)`, the right one and those of the known mistakes, are equal: no
    mistake then gives the right number, and none passes for another.

    Raises:
        ValueError: an empty id, or no draw that fits.
    """
    name = student.strip().casefold()
    if not name:
        raise ValueError(f"the student's id is {student!r}; wanted one with a letter or a digit")
    secret = salt()
    for number in range(MOST_DRAWS):
        drawn = make(Draw(f"{secret}/{name}/{question}/{number}"))
        found = values(drawn)
        if all(len(set(group)) == len(group) for group in found):
            return drawn
    raise ValueError(f"{question}: none of {MOST_DRAWS} draws for {student!r} keeps all mistakes apart")
