"""The Panel Study of Income Dynamics: reference persons and their spouses, as one state a person-year."""

from __future__ import annotations

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.data.surveys.psid_layout import MISSING
from harness.data.surveys.psid_merge import Merged, listed, merged_files
from harness.data.surveys.rows import PersonYears, categorical, nested_units, numeric, recoded
from harness.data.surveys.states import EDUCATION, NO_STATE, OUT, UNEMPLOYED, key_of
from harness.errors import RequestError
from harness.panel.careers import Covariate
from harness.types import BoolArray, FloatArray, IntArray

LEVELS = ("less than high school", "high school", "some college", "college", "graduate degree")
REGIONS = {1: "northeast", 2: "north central", 3: "south", 4: "west", 5: "alaska, hawaii", 6: "foreign country"}
# Statuses of the employment question by its code; up to 1975 it had fewer answers.
STATUS = {3: UNEMPLOYED, 4: OUT, 5: OUT, 6: OUT, 7: EDUCATION, 8: OUT}
STATUS_TO_1975 = {2: UNEMPLOYED, 3: OUT, 4: OUT, 5: EDUCATION, 6: OUT}


def read_psid(bundle: Bundle) -> tuple[PersonYears, dict[str, dict[str, int]]]:
    """Person-years of a bundle, and no counts by missing code, which the PSID has none of that all variables share.

    Raises RequestError where no file holds individuals, or no variable an occupation.
    """
    merged = merged_files(bundle)
    years = sorted({year for role, year, _ in merged.variables if role == "occupation"})
    if not years:
        names = sorted({v.name for v in listed() if v.role == "occupation" and v.person == "head"})
        raise RequestError(
            f"{bundle.name}: {merged.individuals.file} was read ({len(merged.individuals.names)} variables, "
            f"{len(_needed(merged, 'id_1968')):,} persons), but careers need occupations, such as {names[0]} and "
            f"{names[-1]}: 'harness import psid --tagset FILE' writes the variables to ask the site for"
        )
    ids = np.char.add(
        np.char.add(_needed(merged, "id_1968").astype(str), "_"), _needed(merged, "person_number").astype(str)
    )
    persons, year, state, notes = _states(merged, years)
    rows = PersonYears(
        ids=ids,
        person=persons,
        year=year,
        state=state,
        covariates=_covariates(merged, persons, year=year, years=years),
        notes=notes,
    )
    kept = np.flatnonzero(state != NO_STATE)
    return rows.take(kept, {"person-years without a known state": len(state) - len(kept)}), {}


def _needed(merged: Merged, role: str) -> IntArray:
    found = merged.of(role)
    if found is None:
        raise AssertionError(f"the individuals have no {role}")
    return found


def _states(merged: Merged, years: list[int]) -> tuple[IntArray, IntArray, IntArray, dict[str, int]]:
    """Persons, years and keys of states, int64 [N] each, of everyone who was a reference person or a spouse then."""
    persons, when, states = [], [], []
    others = 0
    for year in years:
        head, wife, present = _parts(merged, year)
        state = np.full(len(head), NO_STATE, dtype=np.int64)
        for part, is_part in (("head", head), ("wife", wife)):
            state = np.where(is_part, _state(merged, part, year, len(head)), state)
        mine = np.flatnonzero(head | wife)
        others += int((present & ~head & ~wife).sum())
        persons.append(mine)
        when.append(np.full(len(mine), year, dtype=np.int64))
        states.append(state[mine])
    notes = {
        "person-years of neither a reference person nor a spouse, whose work the family file does not tell": others
    }
    return np.concatenate(persons), np.concatenate(when), np.concatenate(states), notes


def _parts(merged: Merged, year: int) -> tuple[BoolArray, BoolArray, BoolArray]:
    """bool [P]: reference persons, spouses and partners, and all who lived in a family then."""
    relation, sequence = merged.of("relation", year), merged.of("sequence", year)
    if relation is None:
        raise RequestError(f"the individual file lacks the relation to the reference person of {year}: ask for it too")
    present = (relation > 0) if sequence is None else (sequence >= 1) & (sequence <= 20)
    if year == 1968:
        number = _needed(merged, "person_number")
        present = (number >= 1) & (number <= 20) & (relation > 0)
    head = present & np.isin(relation, (1,) if year < 1983 else (10,))
    wife = present & np.isin(relation, (2,) if year < 1983 else (20, 22))
    return head, wife, present


def _state(merged: Merged, part: str, year: int, persons: int) -> IntArray:
    """int64 [P]: the occupation where it is told and the status does not deny work, else the status."""
    occupation, status = merged.of("occupation", year, part), merged.of("status", year, part)
    coding = merged.variables[("occupation", year, part)].coding if occupation is not None else "census1970"
    state = np.full(persons, NO_STATE, dtype=np.int64) if occupation is None else key_of(coding, occupation)
    if status is None:
        return state
    for code, meant in (STATUS_TO_1975 if year < 1976 else STATUS).items():
        state = np.where(status == code, meant, state)
    return state


def _covariates(merged: Merged, person: IntArray, year: IntArray, years: list[int]) -> dict[str, Covariate]:
    found: dict[str, Covariate] = {}
    sex = merged.of("sex")
    if sex is not None:
        found["gender"] = recoded(sex[person], {1: "male", 2: "female"})
    if (born := _first(merged, "birth_year", (1850, 2100))) is not None:
        found["birth_year"] = numeric(born[person])
    if _years_of(merged, "grade"):
        found["education"] = categorical(_education(merged, person, year), LEVELS)
    regions = {one: merged.of("region", one) for one in years}
    if any(column is not None for column in regions.values()):
        values = np.full(len(person), MISSING, dtype=np.int64)
        for one, column in regions.items():
            if column is not None:
                values[year == one] = column[person[year == one]]
        found["region"] = recoded(values, REGIONS)
    stratum, unit = merged.of("stratum"), merged.of("unit")
    if stratum is not None:
        found["stratum"] = recoded(stratum[person], {int(code): str(code) for code in np.unique(stratum) if code > 0})
        if unit is not None:
            found["unit"] = nested_units(stratum[person], unit[person])
    if (weight := _weights(merged, person, year)) is not None:
        found["weight"] = numeric(weight)
    return found


def _years_of(merged: Merged, role: str) -> list[int]:
    return sorted(year for kind, year, _ in merged.variables if kind == role)


def _first(merged: Merged, role: str, bounds: tuple[int, int]) -> FloatArray | None:
    """float64 [P]: the first value within the bounds that any year tells, NaN where none does."""
    found: FloatArray | None = None
    for year in _years_of(merged, role):
        column = merged.of(role, year)
        if column is not None:
            told = np.where((column >= bounds[0]) & (column <= bounds[1]), column.astype(np.float64), np.nan)
            found = told if found is None else np.where(np.isnan(found), told, found)
    return found


def _education(merged: Merged, person: IntArray, year: IntArray) -> IntArray:
    """int64 [N]: the highest level that the years completed up to then reach; -1 where none is told."""
    levels = np.full(len(year), -1, dtype=np.int64)
    for told in _years_of(merged, "grade"):
        column = merged.of("grade", told)
        if column is not None:
            reached = np.searchsorted((12, 13, 16, 17), column, side="right")
            reached = np.where((column >= 1) & (column <= 17), reached, -1)[person]
            levels = np.where(year >= told, np.maximum(levels, reached), levels)
    return levels


def _weights(merged: Merged, person: IntArray, year: IntArray) -> FloatArray | None:
    """float64 [N]: each year's individual weight, NaN in a year without one; None where no file has any."""
    if not _years_of(merged, "weight"):
        return None
    weights = np.full(len(year), np.nan)
    for told in _years_of(merged, "weight"):
        column = merged.individuals.numbers(merged.variables[("weight", told, "")].name)
        weights = np.where(year == told, column[person], weights)
    return weights
