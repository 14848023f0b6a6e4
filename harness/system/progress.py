"""Progress of long work, told without knowing of any screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Bar(Protocol):
    """One task under way."""

    def advance(self, amount: float = 1) -> None: ...

    def describe(self, text: str) -> None: ...


class Progress(Protocol):
    """Starts bars, and says what should stay readable. ``total`` None: nobody knows how much there is."""

    def bar(self, text: str, total: float | None) -> AbstractContextManager[Bar]: ...

    def note(self, text: str) -> None: ...


class _SilentBar:
    def advance(self, amount: float = 1) -> None:
        """Says nothing."""

    def describe(self, text: str) -> None:
        """Says nothing."""


PROGRESS = (
    "harness.system.progress"  # where a command finds, in the meta of its typer context, who to tell how far it is
)


class Silent:
    """For libraries, tests and pipes."""

    @contextmanager
    def bar(self, text: str, total: float | None) -> Iterator[Bar]:
        yield _SilentBar()

    def note(self, text: str) -> None:
        """Says nothing."""
