"""Collects what is wrong with a source, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.errors import DataError, Fault, did_you_mean

MOST_HINTS = 100


def hints(values: Iterable[str], candidates: Sequence[str]) -> dict[str, str]:
    """value -> '; did you mean ...?' for the first hundred: a column of other things has no near misses to look for."""
    found: dict[str, str] = {}
    for value in values:
        near = did_you_mean(value, candidates) if len(found) < MOST_HINTS else ""
        few = near if near.startswith("did") or len(candidates) <= 5 else ""
        found[value] = f"; {few}" if few else ""
    return found


@dataclass
class Findings:
    """Findings of the readers. ``errors`` stop the reading; ``notes`` are worth a look and stop nothing.

    wants_notes: whether anyone will read the notes, so that opening a sound source takes no time over them.
    """

    errors: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    wants_notes: bool = False

    def error(
        self,
        file: str,
        message: str,
        line: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        self.errors.append(Fault(file=file, message=message, line=line, column=column, value=value))

    def note(
        self,
        file: str,
        message: str,
        line: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        if self.wants_notes:
            self.notes.append(Fault(file=file, message=message, line=line, column=column, value=value))

    def in_order(self) -> Findings:
        """The same findings by file and line; what concerns a whole file comes before its lines."""

        def position(fault: Fault) -> tuple[str, int]:
            return fault.file, fault.line or 0

        return Findings(sorted(self.errors, key=position), sorted(self.notes, key=position), self.wants_notes)

    def raise_errors(self) -> None:
        """DataError with every error, if there is one."""
        if self.errors:
            raise DataError(self.in_order().errors)
