"""Numbers in sentences."""

from __future__ import annotations


def counted(n: int, thing: str, several: str = "") -> str:
    """A number with its noun: '1 person', '2 persons', '1,000 persons'.

    thing: the noun for one. several: the noun for any other number, where it is not the first with an s.
    """
    return f"{n:,} {thing if n == 1 else several or f'{thing}s'}"


def told_left_out(reason: str, n: int) -> str:
    """A line on things that were left out, n of them; reason: in the plural, as a panel keeps it."""
    return f"left out: {reason} ({n:,})"
