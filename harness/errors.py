"""Errors, sorted by whose move it is: the user's (exit status 2) or the run's (exit status 1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class HarnessError(Exception):
    """Base of every error whose message is written for the user. Exit status 1."""

    exit_status = 1


class RunError(HarnessError):
    """The request was sound, and the run failed: a model broke its contract, a file could not be written."""


class RequestError(HarnessError):
    """The request is wrong: an unknown name, a parameter out of range. Exit status 2."""

    exit_status = 2


LONGEST_VALUE = 80  # characters of a value that an error shows, and of a name that is compared with others


def shortened(value: str) -> str:
    """A value as errors show it: the beginning of a long one."""
    return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}..."


def shown(name: str) -> str:
    """A name that a file brings as errors show it, in one line: shortened, a line break as ``\\n``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shortened(name))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a data file: where it stands, what stands there, and what would be right."""

    file: str
    message: str
    line: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        where = self.file
        if self.line is not None:
            where += f", line {self.line}"
        if self.column is not None:
            where += f", column '{shown(self.column)}'"
        if self.value is not None:
            where += f", value {shortened(self.value)!r}"
        return f"{where}: {self.message}"


class DataError(RequestError):
    """The data cannot be used as they are. Carries every fault found, the first one in the message."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        message = str(self.faults[0])
        if len(self.faults) > 1:
            message += f" (and {len(self.faults) - 1} more: 'harness data check' lists them all)"
        super().__init__(message)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A sentence that ends an error about an unknown name: the nearest candidate, or all of them."""
    known = sorted(candidates)
    # The time that a comparison takes grows with the square of the length.
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6) if len(name) <= LONGEST_VALUE else []
    if near:
        return f"did you mean '{shown(near[0])}'?"
    return f"known: {', '.join(map(shown, known))}" if known else "there are none"


def install_line(missing: Sequence[str], install: str = "") -> str:
    """The command that brings modules that are not installed; install: as the plugin says it, '' where it does not."""
    return install or f"pip install {' '.join(missing)}"


def require_installed(what: str, missing: Sequence[str], install: str = "") -> None:
    """RequestError, with the command that brings them, where modules are missing. what: what needs them."""
    if missing:
        line = install_line(missing, install)
        raise RequestError(f"{what} needs {', '.join(missing)}, which is not installed: {line}")


def in_one_line(error: BaseException) -> str:
    """An exception that was not written for the user: its kind, and what it says."""
    return ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split())]))
