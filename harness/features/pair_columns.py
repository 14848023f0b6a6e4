"""Columns of all (transition, alternative) pairs of n transitions and A alternatives, without a row for each pair.

Nearly all of what describes a pair is of its alternative and one code of its transition, so that a table says it once
for all transitions of that code. The rest describes the few alternatives that a person has been in, pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """A column that is ``values[code[i], a]`` for transition i and alternative a.

    values: float32 [s, A]; [s, 1] where it is the same for all alternatives. code: int64 [n], where -1 is the last row.
    """

    values: FloatArray
    code: IntArray

    @classmethod
    def of_alternatives(cls, values: FloatArray | IntArray, n: int) -> CodedColumn:
        """One that is the same for all n transitions; values: float [A]."""
        return cls(values.astype(np.float32)[None], np.zeros(n, dtype=np.int64))

    @classmethod
    def of_transitions(cls, values: FloatArray) -> CodedColumn:
        """One that is the same for all alternatives; values: float [n]."""
        return cls(values.astype(np.float32)[:, None], np.arange(len(values)))

    @property
    def by_alternative(self) -> bool:
        return bool(self.values.shape[1] > 1)

    def at(self, row: IntArray, alternative: IntArray) -> FloatArray:
        """float32 [q]"""
        return np.asarray(self.values[self.code[row], alternative if self.by_alternative else 0])


@dataclass(frozen=True, slots=True)
class ListedPairs:
    """Columns that one value fills but for e pairs.

    place: int64 [e], rising, i A + a of each pair that is listed. values: position of a column -> float32 [e];
    otherwise: position -> the value of every other pair.
    """

    place: IntArray
    values: Mapping[int, FloatArray]
    otherwise: Mapping[int, float]

    def find(self, place: IntArray) -> IntArray:
        """int64 [q]: where these are listed; e for those that are not."""
        found = np.searchsorted(self.place, place)
        return np.where(np.append(self.place, -1)[found] == place, found, len(self.place))


@dataclass(frozen=True, slots=True)
class PairColumns:
    """All columns, each by its position: those of codes, and those that are listed. n, A: transitions, alternatives."""

    n: int
    n_alternatives: int
    coded: Mapping[int, CodedColumn]
    listed: ListedPairs

    def __len__(self) -> int:
        """The number of columns."""
        return len(self.coded) + len(self.listed.values)

    def matrix(self, row: IntArray, alternative: IntArray) -> FloatArray:
        """float32 [q, number of columns], of some pairs: int64 [q] each."""
        X = np.empty((len(row), len(self)), dtype=np.float32)
        for j, column in self.coded.items():
            X[:, j] = column.at(row, alternative)
        found = self.listed.find(row * self.n_alternatives + alternative)
        for j, values in self.listed.values.items():
            X[:, j] = np.append(values, np.float32(self.listed.otherwise[j]))[found]
        return X

    def part(self, start: int, stop: int) -> PairColumns:
        """Those of the transitions from start to stop."""
        first = start * self.n_alternatives
        few = slice(*np.searchsorted(self.listed.place, [first, stop * self.n_alternatives]))
        listed = ListedPairs(
            self.listed.place[few] - first,
            {j: values[few] for j, values in self.listed.values.items()},
            self.listed.otherwise,
        )
        coded = {j: CodedColumn(column.values, column.code[start:stop]) for j, column in self.coded.items()}
        return PairColumns(stop - start, self.n_alternatives, coded, listed)
