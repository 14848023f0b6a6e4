"""The Current Population Survey: persons linked over their months by CPSIDP, one state a calendar year."""

from __future__ import annotations

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.data.surveys.ipums import MISSING, Persons, read_persons
from harness.data.surveys.rows import PersonYears, categorical, numeric, recoded
from harness.data.surveys.states import EDUCATION, NO_STATE, OUT, UNEMPLOYED, key_of
from harness.errors import RequestError
from harness.panel.careers import Covariate
from harness.types import IntArray

LEVELS = ("less than high school", "high school", "some college", "college", "graduate degree")
EDUCATION_BOUNDS = (73, 80, 111, 123)  # of IPUMS's EDUC: high school diploma, some college, bachelor's, master's
RACES = {100: "white", 200: "black", 300: "american indian", 651: "asian", 652: "pacific islander"}
DIVISIONS = {1: "northeast", 2: "north central", 3: "south", 4: "west"}  # of IPUMS's REGION, by its first digit
NEEDED = ("CPSIDP", "YEAR", "EMPSTAT")
OPTIONAL = (
    *("MONTH", "MISH", "AGE", "SEX", "RACE", "EDUC", "REGION", "STATEFIP", "SCHLCOLL"),
    *("OCC", "OCC2010", "OCC1990", "WTFINL", "LNKFW1YWT", "STRATA", "CLUSTER"),
)
EMPLOYED, SEEKING = (10, 12), (20, 21, 22)
AT_SCHOOL = (1, 2, 3, 4)


def read_cps(bundle: Bundle, scheme: str) -> tuple[PersonYears, dict[str, dict[str, int]]]:
    """Person-years of an extract: of each person the calendar month asked of in most years, of equal ones the latest.

    So two records of a person are whole years apart, whichever months the rotation brought.
    Under 'occ1990dd' occupations are those of OCC1990, else those of OCC, as asked. RequestError where a variable that
    careers need is not in the extract.
    """
    persons = read_persons(bundle, (*NEEDED, *OPTIONAL))
    source = "OCC1990" if scheme == "occ1990dd" else "OCC"
    if lacking := [name for name in (*NEEDED, source) if name not in persons.columns]:
        raise RequestError(
            f"{bundle.name}: {persons.file} was read ({len(persons.names)} variables, "
            f"{len(next(iter(persons.columns.values()), [])):,} persons' records), but careers need "
            f"{', '.join(lacking)}: add them to the extract"
        )
    linked = persons.whole("CPSIDP")
    ids, person = np.unique(linked, return_inverse=True)
    year = persons.whole("YEAR")
    state = _states(persons, source, year)
    month = persons.whole("MONTH") if "MONTH" in persons.columns else np.zeros(len(year), dtype=np.int64)
    usable = np.flatnonzero((linked > 0) & (state != NO_STATE))
    kept = usable[_own_month(person[usable], year[usable], month[usable])]
    notes = {
        "records without CPSIDP, which cannot be linked": int((linked <= 0).sum()),
        "records of children, the armed forces, or without a status": int(((linked > 0) & (state == NO_STATE)).sum()),
        "records of other months than the one that a person is followed in": len(usable) - len(kept),
    }
    rows = PersonYears(
        ids=ids.astype(str),
        person=person,
        year=year,
        state=state,
        covariates=_covariates(persons, year),
    )
    return rows.take(kept, notes), {}


def _own_month(person: IntArray, year: IntArray, month: IntArray) -> IntArray:
    """int64: places of the records of each person's own calendar month, one a year, in order."""
    when = person.astype(np.int64) * 100 + month
    first = np.unique(np.stack([when, year]), axis=1, return_index=True)[1]  # one record a month
    own, times = np.unique(when[first], return_counts=True)
    order = np.lexsort((own, times, own // 100))
    best = own[order[np.append(np.diff(own[order] // 100) != 0, True)]] if len(own) else own
    kept = first[np.isin(when[first], best)]
    return np.asarray(kept[np.lexsort((year[kept], person[kept]))], dtype=np.int64)


def _states(persons: Persons, source: str, year: IntArray) -> IntArray:
    """int64 [N]: keys of states: the occupation of the employed, else unemployed, at school or out."""
    status, code = persons.whole("EMPSTAT"), persons.whole(source)
    if source == "OCC1990":
        occupation = key_of("occ1990", code)
    else:
        occupation = np.full(len(year), NO_STATE, dtype=np.int64)
        for first, last, coding in CODINGS:
            within = (year >= first) & (year <= last)
            occupation[within] = key_of(coding, code[within])
    state = np.where(np.isin(status, EMPLOYED), occupation, NO_STATE)
    state = np.where(np.isin(status, SEEKING), UNEMPLOYED, state)
    state = np.where((status >= 30) & (status < 40), OUT, state)
    school = np.isin(persons.whole("SCHLCOLL"), AT_SCHOOL) if "SCHLCOLL" in persons.columns else status == 33
    return np.where((state == OUT) & school, EDUCATION, state)


CODINGS = (  # years of the basic monthly survey and the codes of OCC then, as IPUMS documents them
    (1971, 1982, "census1970"),
    (1983, 1991, "census1980"),
    (1992, 2002, "census1990"),
    (2003, 2010, "census2002"),
    (2011, 2019, "census2010"),
    (2020, 2099, "census2018"),
)


def _covariates(persons: Persons, year: IntArray) -> dict[str, Covariate]:
    found: dict[str, Covariate] = {}
    held = persons.columns
    if "AGE" in held:
        found["birth_year"] = numeric(_birth_years(persons, year))
    if "SEX" in held:
        found["gender"] = recoded(persons.whole("SEX"), {1: "male", 2: "female"})
    if "RACE" in held:
        found["race"] = recoded(persons.whole("RACE"), RACES)
    if "REGION" in held:
        found["region"] = recoded(persons.whole("REGION") // 10, DIVISIONS)
    if "EDUC" in held:
        code = persons.whole("EDUC")
        level = np.searchsorted(EDUCATION_BOUNDS, code, side="right")
        found["education"] = categorical(np.where((code <= 1) | (code >= 999), MISSING, level), LEVELS)
    for name, column in (("WTFINL", "weight"), ("LNKFW1YWT", "link_weight")):
        if name in held:
            found[column] = numeric(np.where(held[name] > 0, held[name], np.nan))
    for name, column in (("STATEFIP", "state_fips"), ("STRATA", "stratum"), ("CLUSTER", "unit")):
        if name in held:
            codes = persons.whole(name)
            found[column] = recoded(codes, {int(code): str(code) for code in np.unique(codes) if code > 0})
    return found


def _birth_years(persons: Persons, year: IntArray) -> np.ndarray:
    """float64 [N]: of each person the year less the age at the first interview, so that it is one."""
    age, linked = persons.columns["AGE"], persons.whole("CPSIDP")
    born = year - age
    order = np.lexsort((year, linked))
    first = order[np.flatnonzero(np.diff(linked[order], prepend=-2))]
    place = np.searchsorted(linked[first], linked)
    return np.asarray(born[first][place], dtype=np.float64)
