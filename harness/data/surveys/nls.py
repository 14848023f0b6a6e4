"""NLSY79 and NLSY97: rosters of jobs, weekly statuses and schooling of the year, as one state a person-year."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.data.surveys.nls_layout import Extract, named, read_extract
from harness.data.surveys.nls_roles import NEEDED, Role, roles_of
from harness.data.surveys.rows import PersonYears, categorical, nested_units, numeric, recoded
from harness.data.surveys.states import EDUCATION, NO_STATE, NOT_WORKING, OUT, UNEMPLOYED, key_of
from harness.errors import RequestError
from harness.panel.careers import Covariate
from harness.types import BoolArray, IntArray

Roles = dict[str, list[Role]]
RACES = {
    "nlsy79": {1: "hispanic", 2: "black", 3: "neither black nor hispanic"},
    "nlsy97": {1: "black", 2: "hispanic", 3: "mixed race, not hispanic", 4: "neither black nor hispanic"},
}
REGIONS = {1: "northeast", 2: "north central", 3: "south", 4: "west"}
LEVELS = ("less than high school", "high school", "some college", "college", "graduate degree")
ENROLLED = {"nlsy79": (2, 3), "nlsy97": (8, 9, 10, 11)}
# Codes of a week in either work history. 1: without an employer and looking for none; 3: with one, not known how long;
# 6 and 7: military service; 100 and more: an employer.
WEEK_UNDETERMINED, WEEK_UNEMPLOYED, WEEK_OUT, WEEK_WORKING, FIRST_EMPLOYER = 2, 4, (1, 5), (3, 6, 7), 100
ESR = {3: UNEMPLOYED, 4: OUT, 5: OUT, 6: OUT, 7: OUT}  # 5: going to school, where nothing says enrolled


def read_nls(bundle: Bundle, survey: str) -> tuple[PersonYears, dict[str, dict[str, int]]]:
    """Person-years of a bundle, and for each part how many values have each code for what is missing.

    Raises RequestError where no variable holds the person or an occupation.
    """
    extract = read_extract(bundle)
    roles = roles_of(extract, survey)
    if lacking := [role for role in NEEDED if role not in roles]:
        raise RequestError(
            f"{bundle.name}: {extract.file} was read ({len(extract.variables):,} variables, "
            f"{len(next(iter(extract.values.values()), [])):,} persons), but careers need {_words(lacking)}: "
            f"'harness import {survey} --tagset FILE' writes the variables to ask the site for"
        )
    values = extract.values
    years = sorted({one.year for one in roles["occupation"]})
    blocks = [_state_of_year(values, roles, year=year, survey=survey) for year in years]
    persons = len(values[roles["id"][0].column])
    ids = values[roles["id"][0].column].astype(str)
    rows = PersonYears(
        ids=ids,
        person=np.tile(np.arange(persons), len(years)),
        year=np.repeat(np.array(years, dtype=np.int64), persons),
        state=np.concatenate([state for state, _ in blocks]),
        covariates=_covariates(values, roles, years=years, survey=survey),
    )
    notes = {
        "jobs of a year beside its main job": sum(beside for _, beside in blocks),
        "person-years without a known state": int((rows.state == NO_STATE).sum()),
    }
    kept = np.flatnonzero(rows.state != NO_STATE)
    notes["persons without any year with a state"] = persons - len(np.unique(rows.person[kept]))
    return rows.take(kept, notes), _missing(extract, roles)


def _words(lacking: Iterable[str]) -> str:
    told = {"id": "the person (CASEID or PUBID)", "occupation": "occupations (OCCALL-EMP.nn or YEMP_OCCODE-2002.nn)"}
    return " and ".join(told[role] for role in lacking)


def _of(roles: Roles, role: str, year: int) -> list[Role]:
    return [one for one in roles.get(role, ()) if one.year == year]


def _state_of_year(values: dict[str, IntArray], roles: Roles, year: int, survey: str) -> tuple[IntArray, int]:
    """int64 [P]: keys of the states of one year; and how many jobs stood beside main jobs."""
    state, beside = _main_job(values, _of(roles, "occupation", year), _of(roles, "hours", year))
    without = _without_work(values, roles, year)
    idle = _worked_no_week(values, roles, year)
    state = np.where(idle & (without != NO_STATE), NO_STATE, state)
    for one in _of(roles, "enrolled", year):
        enrolled = np.isin(values[one.column], ENROLLED[survey])
        state = np.where((state == NO_STATE) & enrolled, EDUCATION, state)
    return np.where(state == NO_STATE, without, state), beside


def _main_job(values: dict[str, IntArray], jobs: list[Role], hours: list[Role]) -> tuple[IntArray, int]:
    """The occupation of the job with the most hours a week; of equal ones, of the first in the roster."""
    jobs = sorted(jobs, key=lambda one: one.job)
    worked = {one.job: values[one.column] for one in hours}
    keys = np.stack([key_of(one.coding, values[one.column]) for one in jobs])
    spent = np.stack([np.maximum(worked.get(one.job, np.zeros_like(keys[0])), 0) for one in jobs])
    best = np.argmax(np.where(keys == NO_STATE, -1, spent), axis=0)
    distinct = (keys != NO_STATE).sum(axis=0)
    cps = jobs[0].job == 0  # the current or most recent job, which the roster lists once more
    beside = np.maximum(distinct - 1 - (cps & (keys[0] != NO_STATE)), 0) if cps else np.maximum(distinct - 1, 0)
    return keys[best, np.arange(keys.shape[1])], int(beside.sum())


def _weeks(values: dict[str, IntArray], roles: Roles, year: int) -> dict[str, IntArray]:
    """int64 [P]: weeks of the year of each kind, among those that the extract holds."""
    weeks = [values[one.column] for one in _of(roles, "week_status", year)]
    if not weeks:
        return {}
    statuses = np.stack(weeks)
    return {
        "unemployed": (statuses == WEEK_UNEMPLOYED).sum(axis=0),
        "out": np.isin(statuses, WEEK_OUT).sum(axis=0),
        "undetermined": (statuses == WEEK_UNDETERMINED).sum(axis=0),
        "working": (np.isin(statuses, WEEK_WORKING) | (statuses >= FIRST_EMPLOYER)).sum(axis=0),
    }


def _worked_no_week(values: dict[str, IntArray], roles: Roles, year: int) -> BoolArray:
    """bool [P]: the work history says that no week of the year was worked, whatever the roster lists."""
    weeks = _weeks(values, roles, year)
    if weeks:
        told = weeks["unemployed"] + weeks["out"] + weeks["undetermined"]
        return np.asarray((weeks["working"] == 0) & (told > 0))
    worked = _of(roles, "weeks_worked", year)
    return values[worked[0].column] == 0 if worked else np.array(False)


def _without_work(values: dict[str, IntArray], roles: Roles, year: int) -> IntArray:
    """int64 [P]: the state of a year in which nothing names an occupation and nobody is enrolled."""
    persons = len(values[roles["id"][0].column])
    state = np.full(persons, NO_STATE, dtype=np.int64)
    weeks = _weeks(values, roles, year)
    if weeks:
        idle = weeks["unemployed"] + weeks["out"] + weeks["undetermined"]
        more = np.where(weeks["unemployed"] >= weeks["out"], UNEMPLOYED, OUT)
        unclear = weeks["undetermined"] > weeks["unemployed"] + weeks["out"]
        state = np.where((idle > 0) & (idle >= weeks["working"]), np.where(unclear, NOT_WORKING, more), state)
    for one in _of(roles, "esr", year):
        for code, status in ESR.items():
            state = np.where((state == NO_STATE) & (values[one.column] == code), status, state)
    for one in _of(roles, "weeks_worked", year):
        few = (values[one.column] >= 0) & (values[one.column] <= 26)
        state = np.where((state == NO_STATE) & few, NOT_WORKING, state)
    return state


def _covariates(values: dict[str, IntArray], roles: Roles, years: list[int], survey: str) -> dict[str, Covariate]:
    """Columns of every person in every year, year after year."""
    found: dict[str, Covariate] = {}
    fixed = {name: np.tile(values[roles[name][0].column], len(years)) for name in roles if not roles[name][0].year}
    if "birth_year" in fixed:
        born = fixed["birth_year"].astype(np.float64)
        found["birth_year"] = numeric(np.where(born < 0, np.nan, np.where(born < 100, born + 1900, born)))
    if "sex" in fixed:
        found["gender"] = recoded(fixed["sex"], {1: "male", 2: "female"})
    if "race" in fixed:
        found["ethnicity"] = recoded(fixed["race"], RACES[survey])
    if "region" in roles:
        found["region"] = recoded(np.concatenate([_carried(values, roles["region"], year) for year in years]), REGIONS)
    if "grade" in roles or "degree" in roles:
        found["education"] = categorical(np.concatenate(_education(values, roles, years)), LEVELS)
    if "weight" in fixed:
        found["weight"] = numeric(np.where(fixed["weight"] < 0, np.nan, fixed["weight"] / 100.0))
    for name in ("sample", "stratum"):
        if name in fixed:
            codes = [int(code) for code in np.unique(fixed[name]) if code >= 0]
            found[name] = recoded(fixed[name], {code: str(code) for code in codes})
    if "unit" in fixed:
        found["unit"] = nested_units(fixed.get("stratum", np.zeros_like(fixed["unit"])), fixed["unit"])
    return found


def _carried(values: dict[str, IntArray], roles: list[Role], year: int) -> IntArray:
    """int64 [P]: the last value that is not missing, up to the year."""
    carried = np.full(len(values[roles[0].column]), -5, dtype=np.int64)
    for one in sorted(roles, key=lambda one: one.year):
        if one.year <= year:
            carried = np.where(values[one.column] >= 0, values[one.column], carried)
    return carried


def _education(values: dict[str, IntArray], roles: Roles, years: list[int]) -> list[IntArray]:
    """For each year int64 [P]: the highest level reached up to then, by degrees and grades; -1 where none is known."""
    reached = [
        (one.year, _level(values[one.column], one.role)) for role in ("grade", "degree") for one in roles.get(role, ())
    ]
    return [
        np.max([level for told, level in reached if told <= year] or [reached[0][1] * 0 - 1], axis=0) for year in years
    ]


def _level(codes: IntArray, role: str) -> IntArray:
    """Places in ``LEVELS``: of grades completed (95: ungraded), or of degrees (1 GED to 7 professional degree)."""
    bounds = (12, 13, 16, 17) if role == "grade" else (1, 3, 4, 5)
    level = np.searchsorted(bounds, codes, side="right")
    return np.where((codes < 0) | (codes > 25), -1, level)


def _missing(extract: Extract, roles: Roles) -> dict[str, dict[str, int]]:
    return {role: named(np.concatenate([extract.values[one.column] for one in ones])) for role, ones in roles.items()}
