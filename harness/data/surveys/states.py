"""States of imported careers: keys of codes and statuses, and the state space that they become.

A key is an int64: a status below zero, else the place of a coding in ``CODINGS`` times ``SPAN`` plus the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.codelists import titles_of
from harness.data.codelists.groups import GROUPS, group_of
from harness.data.codelists.partial import title_of
from harness.data.surveys.crosswalks import Crosswalk, occ1990dd_of
from harness.errors import RequestError
from harness.panel.occupations import Occupations, Status
from harness.types import IntArray

CODINGS = ("census1970", "census1980", "census1990", "occ1990", "census2002", "census2010", "census2018", "occ1990dd")
SPAN = 100_000
NO_STATE, UNEMPLOYED, OUT, EDUCATION, NOT_WORKING = -9, -1, -2, -3, -4
STATUSES = {
    UNEMPLOYED: ("UNEMPLOYED", "Unemployed", Status.UNEMPLOYED),
    OUT: ("OUT", "Out of the labor force", Status.OUT),
    EDUCATION: ("EDUCATION", "Education", Status.EDUCATION),
    NOT_WORKING: ("NOTWORK", "Out of the labor force or unemployed", Status.OUT_OR_UNEMPLOYED),
}
DIGITS = {"census1970": 3, "census1980": 3, "census1990": 3, "occ1990": 3, "occ1990dd": 3}  # of the others: 4
NO_OCCUPATION = {  # codes that stand for no occupation, or one that was not told
    "census1970": (0, 990, 991, 995, 996, 997, 998, 999),
    "census1980": (0, 905, 909, 990, 991, 995, 996, 997, 998, 999),
    "census1990": (0, 905, 909, 990, 991, 995, 996, 997, 998, 999),
    "occ1990": (0, 905, 991, 999),
    "occ1990dd": (0, 999),
}
NO_OCCUPATION_2000S = (0, 9920, 9950, 9960, 9970, 9980, 9990, 9999)


def key_of(coding: str, codes: IntArray) -> IntArray:
    """int64: the keys of these codes (int64); ``NO_STATE`` where a code names no occupation.

    'census2000', three digits, is 'census2002' without the last one, which is a zero.
    """
    codes = codes.astype(np.int64)
    if coding == "census2000":
        coding, codes = "census2002", codes * 10
    nothing = np.isin(codes, NO_OCCUPATION.get(coding, NO_OCCUPATION_2000S)) | (codes < 0) | (codes >= SPAN)
    return np.where(nothing, NO_STATE, CODINGS.index(coding) * SPAN + codes)


@dataclass(frozen=True)
class Space:
    """A state space for keys. place: key -> state; keys that are not in it have none."""

    occupations: Occupations
    place: Mapping[int, int]
    unmapped: Mapping[str, int]  # coding -> number of codes without a counterpart

    def of(self, keys: IntArray) -> IntArray:
        """int64 [N]: the state of each key, -1 where it has none."""
        distinct, index = np.unique(keys, return_inverse=True)
        found = np.array([self.place.get(int(key), -1) for key in distinct], dtype=np.int64)
        return found[index]


def own_space(keys: IntArray) -> Space:
    """The survey's own codes as states: each coding's apart, its year before the code where there are several."""
    distinct = _occurring(keys)
    codings = sorted({key // SPAN for key in distinct if key >= 0})
    entries = {}
    for key in distinct:
        entries[key] = _status(key) if key < 0 else _own(key, several=len(codings) > 1)
    return _space(entries, {})


def occ1990dd_space(keys: IntArray, crosswalks: Mapping[str, Crosswalk]) -> Space:
    """occ1990dd as states, as LABOR-LLM has them; RequestError where a coding has no crosswalk."""
    entries: dict[int, tuple[str, str, str, Status]] = {}
    unmapped: dict[str, int] = {}
    titles = titles_of("occ1990dd")
    for key in _occurring(keys):
        if key < 0:
            entries[key] = _status(key)
            continue
        coding, code = CODINGS[key // SPAN], key % SPAN
        target = occ1990dd_of(coding, code, crosswalks)
        if target is None:
            unmapped[coding] = unmapped.get(coding, 0) + 1
            continue
        name = f"{target:03d}"
        entries[key] = (name, titles.get(name, f"occ1990dd {name}"), group_of("occ1990dd", target), Status.EMPLOYED)
    return _space(entries, unmapped)


def space_for(keys: IntArray, scheme: str, crosswalk: Path | None) -> Space:
    """The state space of a scheme, 'own' or 'occ1990dd'."""
    from harness.data.surveys.crosswalks import read_crosswalks

    if scheme == "own":
        if crosswalk is not None:
            raise RequestError("--crosswalk is for --occupations occ1990dd")
        return own_space(keys)
    return occ1990dd_space(keys, read_crosswalks(crosswalk))


def _occurring(keys: IntArray) -> list[int]:
    return [int(key) for key in np.unique(keys) if key != NO_STATE]


def _status(key: int) -> tuple[str, str, str, Status]:
    code, title, status = STATUSES[key]
    return code, title, code, status


def _own(key: int, several: bool) -> tuple[str, str, str, Status]:
    coding, code = CODINGS[key // SPAN], key % SPAN
    written = f"{code:0{DIGITS.get(coding, 4)}d}"
    group = group_of(coding, code)
    title = title_of(coding, written)
    name = f"{coding.removeprefix('census')}-{written}" if several else written
    title = f"{title} ({coding.removeprefix('census')} code)" if several else title
    label = f"{coding.removeprefix('census')} {group}" if several and group in GROUPS[coding].values() else group
    return name, title, label, Status.EMPLOYED


def _space(entries: Mapping[int, tuple[str, str, str, Status]], unmapped: Mapping[str, int]) -> Space:
    """One state for each code, in the order of the codes, statuses last."""
    rows = {entry[0]: entry for entry in entries.values()}
    last = {status[0] for status in STATUSES.values()}
    codes = sorted(rows, key=lambda code: (code in last, code))
    position = {code: i for i, code in enumerate(codes)}
    occupations = Occupations(
        codes=tuple(codes),
        titles=tuple(rows[code][1] for code in codes),
        groups=tuple(rows[code][2] for code in codes),
        statuses=tuple(rows[code][3] for code in codes),
    )
    return Space(occupations, {key: position[entry[0]] for key, entry in entries.items()}, dict(unmapped))
