"""Variables of the National Longitudinal Surveys that careers are made of, by reference number or by question."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.data.surveys.nls_layout import Extract, Variable

LISTS = Path(__file__).parent / "lists"
# Question names, with every '-', '.' and '~' as '_': what the lists lack is found by them.
QUESTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "nlsy79": (
        ("id", r"CASEID"),
        ("birth_year", r"Q1_3_A_Y"),
        ("sex", r"SAMPLE_SEX"),
        ("race", r"SAMPLE_RACE"),
        ("sample", r"SAMPLE_ID"),
        ("weight", r"C?_?SAMPWEIGHT"),
        ("occupation", r"OCCALL_EMP_(?P<job>\d\d)"),
        ("week_status", r"STATUS_WK_NUM(?P<week>\d{4})"),
        ("grade", r"HGCREV\d\d"),
        ("enrolled", r"ENROLLMTREV\d\d"),
        ("region", r"REGION"),
    ),
    "nlsy97": (
        ("id", r"PUBID"),
        ("birth_year", r"KEY_BDATE_Y"),
        ("sex", r"KEY_SEX"),
        ("race", r"KEY_RACE_ETHNICITY"),
        ("sample", r"CV_SAMPLE_TYPE"),
        ("weight", r"SAMPLING_WEIGHT_CC"),
        ("stratum", r"VSTRAT"),
        ("unit", r"VPSU"),
        ("occupation", r"YEMP_OCCODE_(?P<coding>2002|2010)_(?P<job>\d\d)"),
        ("hours", r"CV_HRS_PER_WEEK_(?P<job>\d\d)"),
        ("week_status", r"EMP_STATUS_(?P<year>\d{4})_\d\d"),
        ("weeks_worked", r"CVC_WKSWK_YR_(ALL|ET|SE)?_?(?P<short>\d\d)"),
        ("grade", r"CV_HGC_EVER(_EDT)?"),
        ("degree", r"CV_HIGHEST_DEGREE_EVER(_EDT)?"),
        ("enrolled", r"CV_ENROLLSTAT(_EDT)?"),
        ("region", r"CV_CENSUS_REGION"),
        ("esr", r"CV_ESR(_COLLAPSED)?"),
    ),
}
NEEDED = ("id", "occupation")
FIXED = ("id", "birth_year", "sex", "race", "sample", "weight", "stratum", "unit")


@dataclass(frozen=True, slots=True)
class Role:
    """The part that a variable plays. year: 0 where it is fixed; job: its number in the roster of the year."""

    role: str
    year: int = 0
    job: int = 0
    coding: str = ""
    column: str = ""


@cache
def listed(survey: str) -> dict[str, Role]:
    """Roles by reference number, of the variables that the package knows."""
    with (LISTS / "nls.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["reference"]: Role(row["role"], int(row["year"] or 0), int(row["job"] or 0), row["coding"])
            for row in csv.DictReader(file)
            if row["survey"] == survey
        }


def roles_of(extract: Extract, survey: str) -> dict[str, list[Role]]:
    """The variables of an extract by the part they play; those that play none are left out."""
    found: dict[str, list[Role]] = {}
    for variable in extract.variables:
        role = listed(survey).get(variable.reference) or _by_question(variable, survey)
        if role:
            placed = Role(role.role, role.year, job=role.job, coding=role.coding, column=variable.column)
            found.setdefault(role.role, []).append(placed)
    return found


def _by_question(variable: Variable, survey: str) -> Role | None:
    question = re.sub(r"[-.~]", "_", variable.question.upper())
    for role, pattern in QUESTIONS[survey]:
        if match := re.fullmatch(pattern, question):
            parts = match.groupdict()
            year = int(variable.year) if variable.year.isdigit() and role not in FIXED else 0
            if parts.get("year"):
                year = int(parts["year"])
            if parts.get("short"):
                year = 1900 + int(parts["short"]) + (100 if int(parts["short"]) < 70 else 0)
            if parts.get("week"):
                year = _year_of_week(int(parts["week"]))
            return Role(role, year, job=int(parts.get("job") or 0), coding=_coding(survey, year, parts.get("coding")))
    return None


def _coding(survey: str, year: int, told: str | None) -> str:
    if told:
        return f"census{told}"
    return "census1970" if year <= 2000 else "census2000" if year == 2002 else "census2002"


def _year_of_week(week: int) -> int:
    """The calendar year of a week of the work history, which begins with the first of 1978."""
    from datetime import date, timedelta

    return (date(1978, 1, 1) + timedelta(weeks=week - 1)).year


def tagset(survey: str) -> list[str]:
    """The reference numbers to ask the site for, in its order."""
    return sorted(listed(survey))
