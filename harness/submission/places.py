"""Places of a panel's records, and the transitions that a file of probabilities must cover."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.panel.careers import Panel
from harness.types import IntArray


@dataclass(frozen=True)
class Places:
    """Places of a panel's records, by person and year."""

    panel: Panel

    @cached_property
    def persons(self) -> dict[str, int]:
        """id -> position among the panel's persons."""
        return {str(person): i for i, person in enumerate(self.panel.persons.tolist())}

    @cached_property
    def _keys(self) -> tuple[IntArray, int, int]:
        years = self.panel.year.astype(np.int64)
        low, span = int(years.min()), int(years.max() - years.min()) + 1
        return self.panel.person * span + years - low, low, span

    def records(self, person: IntArray, year: IntArray) -> IntArray:
        """int64 [n]: the record of each person (position) and year, -1 where the person has none of that year."""
        keys, low, span = self._keys
        inside = (year >= low) & (year < low + span)
        wanted = person * span + np.where(inside, year - low, 0)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(inside & (keys[at] == wanted), at, -1)


@dataclass(frozen=True)
class Wanted:
    """The transitions that a file must cover: int64, target records of the panel, in its order.

    test: all of them are needed. valid: of use where all of them are there. m: how many probabilities a transition has.
    """

    test: IntArray
    valid: IntArray
    m: int

    @property
    def records(self) -> IntArray:
        return np.concatenate([self.test, self.valid])


def where(panel: Panel, record: int) -> str:
    """A record's person and year, in words."""
    return f"person '{panel.persons[panel.person[record]]}', year {panel.year[record]}"
