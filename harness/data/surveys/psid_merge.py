"""Files of the PSID joined: individuals, and the families that they lived in year by year."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.data.surveys.psid_layout import MISSING, PsidTable, read_tables
from harness.types import IntArray

LISTS = Path(__file__).parent / "lists"
# First numbers of the variables of the family files whose occupations the list does not have: found by label.
FAMILY_FILES = ((66001, 2017), (72001, 2019), (78001, 2021), (82001, 2023))
OCCUPATION = re.compile(r"MAIN OCC.*JOB ?1.*(2000|2010|2018) CODE.*\((HD|RP|WF|SP)\)")
EMPLOYMENT = re.compile(r"(BC|DE)1 EMPLOYMENT STATUS-1ST MENTION")
CODINGS = {"2000": "census2000", "2010": "census2010", "2018": "census2018"}


@dataclass(frozen=True, slots=True)
class PsidVariable:
    """A variable of a role; person: 'head', 'wife' or '' where it is of the family or the individual."""

    role: str
    year: int
    person: str
    name: str
    coding: str


@cache
def listed() -> tuple[PsidVariable, ...]:
    """The variables that the package knows."""
    with (LISTS / "psid.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            PsidVariable(
                role=row["role"],
                year=int(row["year"] or 0),
                person=row["person"],
                name=row["variable"],
                coding=row["coding"],
            )
            for row in csv.DictReader(file)
        )


@dataclass(frozen=True)
class Merged:
    """The individuals of a bundle, and its families, joined to them by the interview number of each year."""

    individuals: PsidTable
    families: tuple[PsidTable, ...]
    variables: dict[tuple[str, int, str], PsidVariable]

    def of(self, role: str, year: int = 0, person: str = "") -> IntArray | None:
        """int64 [P]: a variable for each individual, ``MISSING`` where it has none; None where no file has it."""
        variable = self.variables.get((role, year, person))
        if variable is None:
            return None
        if variable.name in self.individuals.names:
            return self.individuals.column(variable.name)
        table = next(one for one in self.families if variable.name in one.names)
        own, link = self.of("person_interview", year), self.variables[("interview", year, "")]
        if own is None:
            return None
        number, value = table.column(link.name), table.column(variable.name)
        order = np.argsort(number, kind="stable")
        place = np.minimum(np.searchsorted(number[order], own), len(order) - 1)
        return np.where((number[order][place] == own) & (own > 0), value[order][place], MISSING)


def merged_files(bundle: Bundle) -> Merged:
    """The files of a bundle, joined. RequestError where none holds individuals."""
    tables = read_tables(bundle)
    individuals = next((one for one in tables if {"ER30001", "ER30002"} <= set(one.names)), None)
    if individuals is None:
        raise bundle.missing("individual file (with ER30001 and ER30002, the identity of each person)")
    families = tuple(one for one in tables if one is not individuals)
    held = {name for one in tables for name in one.names}
    found = {(v.role, v.year, v.person): v for v in listed() if v.name in held}
    for table in tables:
        for variable in _by_label(table):
            found.setdefault((variable.role, variable.year, variable.person), variable)
    joined = set(individuals.names)
    linked = {
        key: v
        for key, v in found.items()
        if v.name in joined or v.role == "interview" or ("interview", v.year, "") in found
    }
    return Merged(individuals, families, linked)


def _by_label(table: PsidTable) -> list[PsidVariable]:
    """Variables that their labels tell: occupations and statuses of late waves, birth years, schooling and weights."""
    found = []
    for name, label in table.labels.items():
        short = re.search(r"(?:^|\D)(\d\d)$", label)
        year = int(short[1]) + (1900 if int(short[1]) >= 68 else 2000) if short else 0
        late = _wave(name)
        if match := OCCUPATION.search(label):
            person = "head" if match[2] in ("HD", "RP") else "wife"
            found.append(PsidVariable("occupation", late, person, name=name, coding=CODINGS[match[1]]))
        elif match := EMPLOYMENT.search(label):
            found.append(PsidVariable("status", late, "head" if match[1] == "BC" else "wife", name=name, coding=""))
        elif "YEAR INDIVIDUAL BORN" in label or "YEAR BORN" in label:
            found.append(PsidVariable("birth_year", year, "", name=name, coding=""))
        elif "YEARS COMPLETED EDUCATION" in label or "COMPLETED EDUCATION" in label:
            found.append(PsidVariable("grade", year, "", name=name, coding=""))
        elif re.search(r"INDIVIDUAL.*(WEIGHT|\bWT)\b", label) and "CROSS" not in label:
            found.append(PsidVariable("weight", year, "", name=name, coding=""))
    return [one for one in found if one.year]


def _wave(name: str) -> int:
    number = re.fullmatch(r"ER(\d+)\w?", name)
    waves = [year for first, year in FAMILY_FILES if number and int(number[1]) >= first]
    return waves[-1] if waves else 0
