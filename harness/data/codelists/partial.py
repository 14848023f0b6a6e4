"""Classifications of which the package has the groups, and titles only where a crosswalk names the codes.

A code that no published list here names is titled by its classification, its number and its major group: never by the
title that its number has in another year.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.data.codelists import FOLDER, pairs_of, titles_of
from harness.data.codelists.groups import GROUPS, ISCO_88, SOC, group_of
from harness.panel.occupations import Occupations, Status, soc_major_group, soc_minor_group

SOC_CODE = re.compile(r"\d\d-\d{4}(\.\d\d)?")
# Numbers that occ1990dd gives to occupations which had another number in 1990: of Census 1990 codes, 177, 466 and 467
# are other occupations, and the rest are not used.
RENUMBERED = frozenset({177, 408, 450, 451, 466, 467, 470, 471, 472})
STATUSES = {
    "UNEMPLOYED": ("Unemployed", Status.UNEMPLOYED),
    "OUT": ("Out of the labor force", Status.OUT),
    "EDUCATION": ("Education", Status.EDUCATION),
}


@dataclass(frozen=True, slots=True)
class PartialList:
    """A classification by its groups: its name, a line on it, and a note on where its titles come from."""

    name: str
    summary: str
    note: str


BY_GROUP = "no list of its titles comes with the package, so they are the code and its major group"
BY_CROSSWALK = "titles are those of occ1990dd, where the codes have one by Dorn's rules"
PARTIAL = {
    one.name: one
    for one in (
        PartialList("census1970", "Census 1970, three digits; 13 major groups", BY_GROUP),
        PartialList("census1980", "Census 1980, three digits; 16 major groups", BY_GROUP),
        PartialList("census1990", "Census 1990, three digits; 16 major groups", BY_CROSSWALK),
        PartialList("occ1990", "OCC1990 of IPUMS, three digits; 16 major groups", BY_CROSSWALK),
        PartialList("census2018", "Census 2018, four digits; groups of the SOC", BY_GROUP),
        PartialList("soc2010", "SOC 2010, detailed occupations; groups by two and three digits", BY_GROUP),
        PartialList("isco88", "ISCO-88; groups by the first digit, minor groups by three", BY_GROUP),
    )
}


def partial_of(path: Path | None) -> PartialList | None:
    """The classification that ``path_of_partial`` stands for; None for any other path."""
    return PARTIAL.get(path.name) if path is not None and path.parent == FOLDER else None


def path_of_partial(name: str) -> Path:
    """The name that stands for a classification in the place of a table's path: no file is there."""
    return FOLDER / name


def occ1990dd_of_1990(coding: str, code: int) -> int | None:
    """The occ1990dd code of one of OCC1990 or Census 1990; None where no rule that the package has says it."""
    target = dict(pairs_of("occ1990_occ1990dd")).get(code, code)
    if coding == "census1990" and target == code and code in RENUMBERED:
        return None
    return target if f"{target:03d}" in titles_of("occ1990dd") else None


def title_of(coding: str, code: str) -> str:
    """The title of a code, from its list or by its crosswalk, or its classification, number and major group."""
    listed = titles_of(coding).get(code)
    if listed is not None:
        return listed
    if coding in ("occ1990", "census1990") and code.isdigit():
        target = occ1990dd_of_1990(coding, int(code))
        if target is not None:
            title = titles_of("occ1990dd")[f"{target:03d}"]
            return title if target == int(code) else f"{title} ({_named(coding)} code {code})"
    group = major_of(coding, code)
    return f"{_named(coding)} occupation {code}, {SOC.get(group, group) if coding != 'isco88' else ISCO_88[group]}"


def major_of(coding: str, code: str) -> str:
    """The major group of a code; the code itself where its classification has none for it."""
    if coding == "soc2010":
        return soc_major_group(code) or code
    if coding == "isco88":
        return code[0] if code.isdigit() else code
    return group_of(coding, int(code)) if code.isdigit() else code


def states_of_codes(coding: str, codes: Iterable[str]) -> Occupations:
    """The states of those codes that are of the classification or name a status, sorted; others are left out."""
    known = sorted(code for code in set(codes) if code in STATUSES or _is_code(coding, code))
    working = [code not in STATUSES for code in known]
    return Occupations(
        codes=tuple(known),
        titles=tuple(
            title_of(coding, _written(coding, c)) if w else STATUSES[c][0] for c, w in zip(known, working, strict=True)
        ),
        groups=tuple(major_of(coding, c) if w else c for c, w in zip(known, working, strict=True)),
        statuses=tuple(Status.EMPLOYED if w else STATUSES[c][1] for c, w in zip(known, working, strict=True)),
        minors=tuple(_minor(coding, c) if w else c for c, w in zip(known, working, strict=True)),
    )


def _is_code(coding: str, code: str) -> bool:
    if coding == "soc2010":
        return SOC_CODE.fullmatch(code) is not None
    if coding == "isco88":
        return code.isdigit() and len(code) <= 4
    return code.isdigit() and group_of(coding, int(code)) in GROUPS[coding].values()


def _written(coding: str, code: str) -> str:
    """A code with the zeros that a program may have lost."""
    width = {"soc2010": 0, "isco88": 0, "census2018": 4}.get(coding, 3)
    return code.zfill(width)


def _minor(coding: str, code: str) -> str:
    if coding == "soc2010":
        return soc_minor_group(code) or code
    return code[:3] if coding == "isco88" else major_of(coding, code)


def _named(coding: str) -> str:
    """'Census 1980', as a title names it."""
    for short, name in (("census", "Census "), ("soc", "SOC "), ("isco", "ISCO-")):
        if coding.startswith(short):
            return f"{name}{coding.removeprefix(short)}"
    return coding
