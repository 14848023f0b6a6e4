"""Labels as whole numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np

from harness.types import FloatArray, IntArray, StrArray

Label = TypeVar("Label", bound=Hashable)


def numbered_as_met(labels: Iterable[Label]) -> tuple[IntArray, list[Label]]:
    """int64 [n]: labels numbered from 0 in the order of their first occurrence; and the different ones."""
    known: dict[Label, int] = {}
    numbers = [known.setdefault(label, len(known)) for label in labels]
    return np.array(numbers, dtype=np.int64), list(known)


def numbered_in_order(values: StrArray | IntArray | FloatArray) -> IntArray:
    """int64 [n]: values numbered from 0 in the order that they sort in."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def distinct_numbers(values: IntArray) -> IntArray:
    """The distinct ones of whole numbers [n], rising.

    By sorting: ``numpy.unique`` looks each up in a table, which takes ten times as long for a million.
    """
    if not len(values):
        return values
    rising = np.sort(values)
    return np.asarray(rising[np.append(True, rising[1:] != rising[:-1])])
