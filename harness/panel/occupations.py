"""The state space of careers: codes, titles, occupational groups and labor-force statuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.types import BoolArray, IntArray

SOC_CODE = re.compile(r"\d\d-\d{4}(\.\d\d)?")  # Standard Occupational Classification, O*NET's extension included


def soc_major_group(code: str) -> str | None:
    """The first two digits of a SOC code ('dd-dddd'); None of a code that is not written so."""
    return code[:2] if SOC_CODE.fullmatch(code) else None


def soc_minor_group(code: str) -> str | None:
    """The first three digits of a SOC code, as 'dd-d'; None of a code that is not written so."""
    return code[:4] if SOC_CODE.fullmatch(code) else None


class Status(StrEnum):
    """Labor-force status of a state. Surveys that cannot tell the last two apart use the joint one."""

    EMPLOYED = "employed"
    UNEMPLOYED = "unemployed"
    EDUCATION = "education"
    OUT = "out of the labor force"
    OUT_OR_UNEMPLOYED = "out of the labor force or unemployed"


@dataclass(frozen=True, slots=True)
class Occupations:
    """The state space, in a fixed order: state ``k`` is ``codes[k]``.

    ``codes``, ``titles``, ``groups`` (major group; the code itself for a state without one) and ``statuses`` all have
    length K, and so have ``minors`` (minor group) where they are known and are not what the codes say; minors that the
    codes say are left out, so that one state space is written in one way.
    """

    codes: tuple[str, ...]
    titles: tuple[str, ...]
    groups: tuple[str, ...]
    statuses: tuple[Status, ...]
    minors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.codes), len(self.titles), len(self.groups), len(self.statuses)}
        if self.minors:
            lengths.add(len(self.minors))
        if len(lengths) != 1:
            raise ValueError(f"codes, titles, groups, statuses and minors differ in length: {sorted(lengths)}")
        if len(set(self.codes)) != len(self.codes):
            raise ValueError("two occupations have the same code")
        if self.minors == self._minors_of_codes():
            object.__setattr__(self, "minors", ())

    def _minors_of_codes(self) -> tuple[str, ...]:
        """The minor groups that SOC codes name; of any other state, its major group."""
        return tuple(soc_minor_group(code) or group for code, group in zip(self.codes, self.groups, strict=True))

    def __len__(self) -> int:
        return len(self.codes)

    def group_index(self) -> tuple[IntArray, tuple[str, ...]]:
        """Major groups as integers: int [K] into the sorted group names, and those names."""
        names, index = np.unique(np.array(self.groups, dtype=str), return_inverse=True)
        return index.astype(np.int64), tuple(str(name) for name in names)

    def minor_index(self) -> IntArray:
        """int64 [K]: minor groups as integers, each within one major group.

        Without ``minors``, a code that is written like a SOC code ('dd-dddd') says its own by its first three digits;
        any other state's is its major group.
        """
        told = self.minors or self._minors_of_codes()
        pairs = [f"{group}\x00{minor}" for group, minor in zip(self.groups, told, strict=True)]
        return np.unique(np.array(pairs, dtype=str), return_inverse=True)[1].astype(np.int64)

    def has_status(self, *statuses: Status) -> BoolArray:
        """bool [K]: whether each state has one of the statuses."""
        return np.array([status in statuses for status in self.statuses], dtype=bool)

    @property
    def in_labor_force(self) -> BoolArray:
        """bool [K]: employed or unemployed."""
        return self.has_status(Status.EMPLOYED, Status.UNEMPLOYED)

    @property
    def out_of_labor_force(self) -> BoolArray:
        """bool [K]: out of the labor force, or so in a survey that cannot tell it from unemployment.

        Education is a status of its own and is neither.
        """
        return self.has_status(Status.OUT, Status.OUT_OR_UNEMPLOYED)
