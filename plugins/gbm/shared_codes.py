"""Codes of transitions put together, so that what many columns say of them is looked up once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.features.pair_columns import CodedColumn
from harness.types import FloatArray, IntArray

SHARE = 6  # a code has at most a sixth as many values as there are transitions, or putting it together costs more
ALIKE = 1.05  # unless it has hardly more values than one that it is made of


@dataclass(frozen=True, slots=True)
class SharedCode:
    """One code of n transitions and the columns that it tells.

    code: int64 [n], from 0. size: the number of its values, s. columns: position, float32 [r, A], the values of the
    column's own codes, and int64 [s], the one of each of this code's; None where they are the same.
    """

    code: IntArray
    size: int
    columns: tuple[tuple[int, FloatArray, IntArray | None], ...]

    def with_other(self, other: SharedCode) -> SharedCode:
        """Both as one."""
        _, first, code = np.unique(self.code * other.size + other.code, return_index=True, return_inverse=True)
        columns = [
            (j, values, shared.code[first] if place is None else place[shared.code[first]])
            for shared in (self, other)
            for j, values, place in shared.columns
        ]
        return SharedCode(code, len(first), tuple(columns))


def shared_codes(columns: Mapping[int, CodedColumn], n: int) -> list[SharedCode]:
    """Few codes that tell all columns of n transitions."""
    left = sorted((_alone(j, column) for j, column in columns.items()), key=lambda shared: shared.size)
    found: list[SharedCode] = []
    while left:
        one = left[0]
        further: list[SharedCode] = []
        for other in left[1:]:
            both = one.with_other(other)
            fits = both.size <= max(n / SHARE, ALIKE * max(one.size, other.size))
            one, further = (both, further) if fits else (one, [*further, other])
        found.append(one)
        left = further
    return found


def _alone(j: int, column: CodedColumn) -> SharedCode:
    used, code = np.unique(column.code, return_inverse=True)
    return SharedCode(code, len(used), ((j, column.values[used], None),))
