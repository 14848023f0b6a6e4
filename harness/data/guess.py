"""Guesses at the parts that the columns of a file play, from their names and then from their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

import numpy as np

from harness.data.candidates import STEM, by_values, is_time, may_be_state, named, numbers_of, range_of_dummies
from harness.data.occupations import bad_statuses
from harness.data.reading import FileReading
from harness.data.tables.columns import TextTable
from harness.data.tables.mapping import OF_AGE
from harness.data.tables.times import read_times
from harness.data.tables.wide import find_range, shared
from harness.errors import RequestError
from harness.panel.time import PER_YEAR
from harness.types import FloatArray, IntArray

# From the surest on; matched to a name in small letters, its words apart.
PERSON = (
    r"person( ?id)?|pid|pidp|idcode|pubid|caseid|user ?id|person ?nr|persnr|pnr|cpsidp|hhidpn|worker( ?id)?|ident",
    r"id|nr|individual( ?id)?|subject( ?id)?|respondent( ?id)?|case|unique ?id|nomem ?encr|xwaveid",
    r"(\w+ )?id( \w+)?|id\w+|\w+id",
)
TIME = (
    r"year|yr|syear|survey ?year|jahr|annee|ano\d?|interview ?year|year ?month|yearmonth|intdate",
    r"(\w+ )?date|wave|time|period|month|quarter|round|t|(\w+ )?(year|yr|wave)",
    r"years|months|weeks|days?|week|visit|occasion",
)
STATE = (
    r"(occupation|occ|job)( ?code)?|isco ?(88|08|68)?|soc ?\d*|kldb\w*|occ ?\d{2,4}|profession|beruf",
    r"(\w+ )*(occ|occupation|isco|job|kldb)( \w+)*|occ\w*",
    r"state|estado|activity|status|(\w+ )?ocup\w*|(\w+ )*(employment|empstat|lfs|labou?r)( \w+)*|\w*employment|code\d*",
    r"from( state)?",
    r"\w*work(ing|s|stat|status)?|employed|empl|lfp|inlf|unemp\w*",
)
AGES = (r"age|alter|edad",)
BEGIN = (r"(\w+ )?(begin|beg|start|from|onset)( \w+)?|ts|tstart|entry|von|debut|(start|beg)\w*|\w*begin",)
END = (r"(\w+ )?(end|stop|until|to|finish)( \w+)?|tf|tstop|exit|bis|fin|(end|stop)\w*|\w*end",)
WITHIN = (r"quarter|qtr|trimestre|quartal", r"month|mes|mois|monat|mth")
SOME_COLUMNS = 4
LIKE_STATES = re.compile(r"occ|isco|job|state|status|emp|act", re.IGNORECASE)
# Of surveys that number persons within households: the columns of the id.
COMPOSED = (
    ("CODUSU", "NRO_HOGAR", "COMPONENTE"),
    ("ER30001", "ER30002"),
    ("HRHHID", "HRHHID2", "PULINENO"),
    ("SERIAL", "PERNUM"),
)
SHARED = 0.5  # distinct ids a row at the least, where a row is a person and some share an id
ROWS = (r"row ?names?|x|unnamed 0|index|obs|row( ?(id|nr|number))?",)


def guess(table: TextTable, columns: Mapping[str, str], reading: FileReading) -> tuple[dict[str, str], FileReading]:
    """Part -> column and a reading, with what the user said left as it is."""
    parts = dict(columns)
    left = [name for name in table.columns if name not in set(parts.values()) | set(reading.drop)]
    person = parts.get("person") or (None if reading.rows_each else _person(table, left))
    if person and person != "person":
        parts["person"] = person
    who = table.columns[person].text().index if person is not None and person in table.columns else None
    persons = 0 if who is None else len(np.unique(who))
    left = [name for name in left if name != person]
    reading = _without_row_numbers(table, left, reading)
    left = [name for name in left if name not in reading.drop]
    if reading.wide or reading.spells or reading.rows_each:
        return _with_state(table, parts, left, reading=reading, who=who)
    told = named([name for name in left if is_time(table, name, who)], TIME[:1])
    long = told is not None and named(left, STATE) is not None
    wide = _wide(table, left, reading) if (who is None or persons > SHARED * table.rows) and not long else None
    if wide is not None:
        if persons < table.rows and "person" not in columns:
            parts.pop("person", None)  # an id of households, say: a row is a person
        return parts, reading.model_copy(update={"wide": (wide,)})
    if not {"year", "age"} & set(parts):
        spells = _spells(table, left, who)
        if spells is not None:
            reading = reading.model_copy(update={"spells": {"begin": spells[0], "end": spells[1]}})
            return _with_state(table, parts, [name for name in left if name not in spells], reading=reading, who=who)
        moving = [name for name in left if is_time(table, name, who)]
        year = named(moving, TIME) or _dated(table, moving)
        age = named(moving, AGES) if year is None else None
        if age is not None:
            left = [name for name in left if name != age]
            parts["age"] = age
        if year is not None:
            left = [name for name in left if name != year]
            parts["year"] = _with_within(table, year, left, who)
    return _with_state(table, parts, left, reading=reading, who=who)


def _person(table: TextTable, names: list[str]) -> str | None:
    """A column of ids by its name, or whose values stand together; or several of a survey that is known."""
    for several in COMPOSED:
        if all(name in table.columns for name in several):
            return "+".join(several)
    fit = [name for name in names if _is_id(table, name)]
    return named(fit, PERSON) or _repeated(table, names)


def _without_row_numbers(table: TextTable, names: list[str], reading: FileReading) -> FileReading:
    """The reading without a first column that numbers the rows, as R and pandas write it."""
    first = next(iter(table.columns), "")
    if first not in names or named([first], ROWS) is None or reading.covariates:
        return reading
    distinct = len(table.columns[first].text().distinct) == table.rows
    return reading.model_copy(update={"drop": (*reading.drop, first)}) if distinct else reading


def _is_id(table: TextTable, name: str) -> bool:
    text = table.columns[name].text()
    return len(text.distinct) >= 3 and "" not in text.distinct and len(text.distinct) * 500 >= table.rows


def _with_state(
    table: TextTable, parts: dict[str, str], left: list[str], reading: FileReading, who: IntArray | None
) -> tuple[dict[str, str], FileReading]:
    if "occupation" not in parts and not reading.wide:
        states = [name for name in left if may_be_state(table, name) and is_time(table, name, who)]
        found = named(states, STATE) or next(iter(by_values(table, left, who)), None)
        if found is not None:
            parts["occupation"] = range_of_dummies(table, found)
    parts |= dict.fromkeys(_of_no_state(table, parts), "")
    return {part: name for part, name in parts.items() if part != name or part in OF_AGE}, reading


def _of_no_state(table: TextTable, parts: Mapping[str, str]) -> list[str]:
    """Parts that say something of a state, but whose column of that name says something else: a covariate."""
    state = table.columns.get(parts.get("occupation", "occupation"))
    astray = []
    for part in ("title", "group", "status"):
        if part in parts or part not in table.columns or state is None:
            continue
        text = table.columns[part].text().stripped()
        pairs = np.unique(np.stack([state.text().index, text.index]), axis=1).shape[1]
        if pairs > len(state.text().distinct) or (part == "status" and bad_statuses(filter(None, text.distinct))):
            astray.append(part)
    return astray


def is_named_as_state(name: str) -> bool:
    """True of a column whose name says that it holds states."""
    return ".." in name or named([name], STATE) is not None


def _repeated(table: TextTable, names: list[str]) -> str | None:
    """The first column whose values come in rows that stand together, several of most."""
    for name in names[:3]:
        index = table.columns[name].text().index
        runs = 1 + int((np.diff(index) != 0).sum())
        if 3 <= len(np.unique(index)) == runs < table.rows:
            return name
    return None


def _wide(table: TextTable, names: list[str], reading: FileReading) -> str | None:
    """The longest range of columns that are one variable at several times; first of those named like a state."""
    times = read_times(names)
    groups: dict[str, list[str]] = {}
    for name, good in zip(names, times.good.tolist(), strict=True):
        stem = STEM.fullmatch(name)
        key = "" if times.kind in ("month", "quarter") and good else f"{stem[1]}#{stem[3]}" if stem else None
        if key is not None:
            groups.setdefault(key, []).append(name)
    long = [group for group in groups.values() if len(group) >= SOME_COLUMNS and _is_variable(table, group)]
    like = [group for group in long if LIKE_STATES.search(group[0])]
    for group in sorted(like or long, key=len, reverse=True):
        text = f"{group[0]}..{group[-1]}"
        try:
            find_range(text, table, reading)
        except RequestError:
            continue
        return text
    return None


def _is_variable(table: TextTable, group: list[str]) -> bool:
    """True of columns that may be states, the first and the last of which have values in common."""
    first, last = ({value for value in table.columns[name].text().distinct if value} for name in (group[0], group[-1]))
    return may_be_state(table, group[0]) and len(first & last) >= 0.5 * min(len(first), len(last))


def _spells(table: TextTable, names: list[str], who: IntArray | None) -> tuple[str, str] | None:
    """Columns of begin and end: by their names, or a pair of which one spell of a person follows the other."""
    begins, ends = ([name for name in names if named([name], form)] for form in (BEGIN, END))
    for begin, end in sorted(product(begins, ends), key=lambda pair: -_alike(*pair)):
        if begin != end and _may_be_spell(table, begin, end):
            return begin, end
    if who is None or len(np.unique(who)) == table.rows or named(names, TIME):
        return None
    order = np.argsort(who, kind="stable")
    same = np.diff(who[order]) == 0
    numbers = {name: values[order] for name in names if (values := numbers_of(table, name)) is not None}
    for first, starts in numbers.items():
        if (np.diff(starts)[same] <= 0).mean() > 0.1:
            continue
        for last, stops in numbers.items():
            follows = (starts[1:] - stops[:-1])[same]
            longer = (stops >= starts).all() and (stops > starts).mean() > 0.5
            if last != first and longer and (follows >= 0).mean() > 0.9:
                return first, last
    return None


def _alike(first: str, second: str) -> int:
    """The number of characters that two names share at their beginnings and at their ends."""
    return len(shared(first, second)) + len(shared(first[::-1], second[::-1]))


def _may_be_spell(table: TextTable, begin: str, end: str) -> bool:
    """True of two columns of numbers, or of times, of which the one that should be later nearly always is."""
    first, last = numbers_of(table, begin), numbers_of(table, end)
    if first is None or last is None:
        first, last = (_points(table, name) for name in (begin, end))
    known = ~np.isnan(first) & ~np.isnan(last)
    return bool(known.any()) and float((last >= first)[known].mean()) > 0.95


def _points(table: TextTable, name: str) -> FloatArray:
    """float64 [N]: a column as times in the unit that they show, NaN where it is none."""
    text = table.columns[name].text().stripped()
    times = read_times(text.distinct)
    return np.where(times.good & (times.kind != "whole" or not times.refused), times.value, np.nan)[text.index]


def _dated(table: TextTable, names: list[str]) -> str | None:
    """The first column of dates, months or quarters, or of numbers that are years."""
    for name in names:
        values = [value for value in table.columns[name].text().distinct if value][:500]
        times = read_times(values)
        since = times.value // PER_YEAR.get(times.unit, 1)
        years = times.kind not in ("whole", "decimal") or bool(((since >= 1900) & (since < 2100)).all())
        if values and times.good.all() and years:
            return name
    return None


def _with_within(table: TextTable, year: str, left: list[str], who: IntArray | None) -> str:
    """'YEAR+QUARTER', where a person has several records of a year and such a column says which."""
    within = named(left, WITHIN)
    if who is None or within is None:
        return year
    pairs = np.stack([who, table.columns[year].text().index])
    return f"{year}+{within}" if len(np.unique(pairs, axis=1).T) < table.rows else year
