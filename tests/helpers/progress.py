"""A progress reporter that remembers what it was told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Told:
    """bars: titles and descriptions in order; notes: what should stay readable."""

    def __init__(self) -> None:
        self.bars: list[str] = []
        self.notes: list[str] = []

    @contextmanager
    def bar(self, text: str, total: float | None) -> Iterator[Told]:
        self.bars.append(text)
        yield self

    def advance(self, amount: float = 1) -> None: ...

    def describe(self, text: str) -> None:
        self.bars.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)
