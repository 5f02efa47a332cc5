"""How numbers and lists are written for a reader: the one place for each habit of the course's messages."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Integral


def format_number(value, digits: int = 6) -> str:
    """Write a number: a whole one with separators, another to so many significant digits.

    >>> format_number(1228800), format_number(2.0), format_number(2 / 3), format_number(0.043906, 3)
    ('1,228,800', '2', '0.666667', '0.0439')
    """
    is_whole = isinstance(value, Integral) or (isfinite(value) and value == int(value))
    return f"{int(value):,}" if is_whole else f"{float(value):,.{digits}g}"


def percent(share: float, digits: int = 3) -> str:
    """Write a share from 0 to 1 in percent.

    >>> percent(0.0439063), percent(1)
    ('4.39 %', '100 %')
    """
    return f"{100 * share:.{digits}g} %"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    >>> plural(1, "thread"), plural(1200, "channel")
    ('1 thread', '1,200 channels')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Write words in a row, `last` before the last one.

    >>> listed("a"), listed("ab"), listed("abc", "or")
    ('a', 'a and b', 'a, b or c')
    """
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def minus(number) -> str:
    """Write a number with a minus as long as a plus, not a hyphen.

    >>> minus(-3)
    '−3'
    """
    return str(number).replace("-", "−")


def printable(text: str, kept: str = "") -> str:
    """Return a text with the signs written out that a terminal would obey or nobody would see, but for those kept.

    >>> print(printable("\x1b[31mred"))
    \\x1b[31mred
    """
    return "".join(sign if sign.isprintable() or sign in kept else repr(sign)[1:-1] for sign in text)
