"""Numbers in columns of fixed width, column by column, so that memory is that of the columns asked for."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import DataError, Fault
from harness.types import FloatArray, IntArray, StrArray

ROWS = 1 << 18  # lines at a time
BLANK, ZERO, NEWLINE, RETURN, MINUS = 32, 48, 10, 13, 45


@dataclass(frozen=True)
class Place:
    """Characters of a line, from 1, both ends included. decimals: how many digits stand after an unwritten point."""

    first: int
    last: int
    decimals: int = 0


@dataclass(frozen=True)
class Lines:
    """Lines of a file: bytes, and where each begins and ends in them (int64 [N])."""

    file: str
    data: np.ndarray
    start: IntArray
    stop: IntArray

    def take(self, rows: IntArray) -> Lines:
        """These lines alone."""
        return Lines(self.file, self.data, self.start[rows], self.stop[rows])

    def __len__(self) -> int:
        return len(self.start)

    def characters(self, place: Place) -> np.ndarray:
        """uint8 [N, width]: the characters of a column, blanks where a line is too short."""
        offsets = np.arange(place.first - 1, place.last)
        where = self.start[:, None] + offsets
        found = self.data[np.minimum(where, len(self.data) - 1)]
        return np.where(where < self.stop[:, None], found, BLANK)

    def numbers(self, place: Place, column: str) -> FloatArray:
        """float64 [N]: the numbers of a column, NaN where it is blank. DataError where it holds anything else."""
        parts = [
            self._numbers(self.take(np.arange(i, min(i + ROWS, len(self)))), place, column=column, before=i)
            for i in range(0, len(self), ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    @staticmethod
    def _numbers(lines: Lines, place: Place, column: str, before: int) -> FloatArray:
        characters = lines.characters(place)
        digits = characters.astype(np.int64) - ZERO
        is_digit = (digits >= 0) & (digits <= 9)
        other = ~is_digit & (characters != BLANK) & (characters != MINUS)
        if other.any():
            return _written(lines, characters, column=column, before=before)
        value = np.zeros(len(lines))
        for j in range(digits.shape[1]):
            value = np.where(is_digit[:, j], value * 10 + digits[:, j], value)
        value = np.where((characters == MINUS).any(axis=1), -value, value) / 10**place.decimals
        return np.where(is_digit.any(axis=1), value, np.nan)

    def words(self, place: Place) -> StrArray:
        """str [N]: the text of a column, blanks around it left out."""
        characters = np.ascontiguousarray(self.characters(place))
        return np.char.strip(characters.view(f"S{characters.shape[1]}")[:, 0].astype(str))


def _written(lines: Lines, characters: np.ndarray, column: str, before: int) -> FloatArray:
    """Numbers with a written point, or a '.' for what is missing."""
    words = np.ascontiguousarray(characters).view(f"S{characters.shape[1]}")[:, 0]
    found = np.full(len(words), np.nan)
    for i, word in enumerate(words):
        text = word.strip()
        if text not in (b"", b"."):
            try:
                found[i] = float(text)
            except ValueError:
                value = text.decode("latin-1")
                fault = Fault(lines.file, "is not a number", line=before + i + 1, column=column, value=value)
                raise DataError([fault]) from None
    return found


def read_lines(path: Path) -> Lines:
    """The lines of a file, .gz or not; blank ones are left out. DataError where it cannot be read or is empty."""
    try:
        if path.suffix == ".gz":
            data = np.frombuffer(gzip.decompress(path.read_bytes()), dtype=np.uint8)
        else:
            data = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.empty(0, dtype=np.uint8)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise DataError([Fault(path.name, f"cannot be read ({error}): download it again")]) from error
    ends = np.flatnonzero(data == NEWLINE)
    if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        ends = np.append(ends, len(data))
    start = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else np.empty(0, dtype=np.int64)
    stop = np.where((ends > start) & (data[np.maximum(ends - 1, 0)] == RETURN), ends - 1, ends) if len(ends) else ends
    kept = np.flatnonzero(stop > start)
    if not len(kept):
        raise DataError([Fault(path.name, "is empty")])
    return Lines(path.name, data, start[kept], stop[kept].astype(np.int64))


def columns_of(lines: Lines, places: Mapping[str, Place]) -> dict[str, FloatArray]:
    """The numbers (float64 [N]) of several columns."""
    return {name: lines.numbers(place, name) for name, place in places.items()}
