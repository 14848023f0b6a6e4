"""Distinct strings of many persons or records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.types import IntArray


@dataclass(frozen=True)
class Texts:
    """Distinct strings, and which of them each person or record has: ``strings[index[i]]``."""

    strings: tuple[str, ...]
    index: IntArray

    @classmethod
    def empty(cls, number: int) -> Texts:
        """So many empty strings."""
        return cls(("",), np.zeros(number, dtype=np.int64))

    @classmethod
    def distinct(cls, strings: Sequence[str], index: IntArray) -> Texts:
        """The same texts, strings that are alike made one."""
        place: dict[str, int] = {}
        merged = np.array([place.setdefault(string, len(place)) for string in strings], dtype=np.int64)
        return cls(tuple(place), merged[index.reshape(-1)])
