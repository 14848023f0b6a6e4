"""Guesses at the parts that the columns of a file play, from their names and then from their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from harness.data.covariates import to_numbers
from harness.data.reading import FileReading
from harness.data.tables.columns import TextTable
from harness.data.tables.times import read_times
from harness.data.tables.wide import find_range
from harness.errors import RequestError
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
)
STATE = (
    r"(occupation|occ|job)( ?code)?|isco ?(88|08|68)?|soc ?\d*|kldb\w*|occ ?\d{2,4}|profession|beruf",
    r"(\w+ )*(occ|occupation|isco|job|kldb)( \w+)*|occ\w*",
    r"state|estado|activity|status|(\w+ )?ocup\w*|(\w+ )*(employment|empstat|lfs|labou?r)( \w+)*|\w*employment|code\d*",
)
BEGIN = (r"(\w+ )?(begin|beg|start|from|onset)( \w+)?|ts|tstart|entry|von|debut|(start|begin|beg)(date|m|y|time)?",)
END = (r"(\w+ )?(end|stop|until|to|finish)( \w+)?|tf|tstop|exit|bis|fin|(end|stop)(date|m|y|time)?",)
WITHIN = (r"quarter|qtr|trimestre|quartal", r"month|mes|mois|monat|mth")
DECIMALS = re.compile(r"[+-]?\d+\.\d*[1-9]\d*")
STEM = re.compile(r"(.*?)(\d+)(\D*)")
SOME_COLUMNS = 4
RARELY = 0.02  # share of steps in which a state changes at the least
LIKE_STATES = re.compile(r"occ|isco|job|state|status|emp|act", re.IGNORECASE)
# Of surveys that number persons within households: the columns of the id.
COMPOSED = (
    ("CODUSU", "NRO_HOGAR", "COMPONENTE"),
    ("ER30001", "ER30002"),
    ("HRHHID", "HRHHID2", "PULINENO"),
    ("SERIAL", "PERNUM"),
)
MOST_STATES = 2000


def guess(table: TextTable, columns: Mapping[str, str], reading: FileReading) -> tuple[dict[str, str], FileReading]:
    """Part -> column and a reading, with what the user said left as it is."""
    parts = dict(columns)
    left = [name for name in table.columns if name not in set(parts.values()) | set(reading.drop)]
    person = parts.get("person") or _person(table, left)
    if person and person != "person":
        parts["person"] = person
    who = table.columns[person].text().index if person is not None and person in table.columns else None
    once = who is not None and len(np.unique(who)) == table.rows
    left = [name for name in left if name != person]
    if reading.wide or reading.spells:
        return _with_state(table, parts, left, reading=reading, who=who)
    long = _named(left, TIME[:1]) is not None and _named(left, STATE) is not None
    wide = _wide(table, left, reading) if (who is None or once) and not long else None
    if wide is not None:
        return parts, reading.model_copy(update={"wide": (wide,)})
    if "year" not in parts:
        spells = _spells(table, left, who)
        if spells is not None:
            reading = reading.model_copy(update={"spells": {"begin": spells[0], "end": spells[1]}})
            return _with_state(table, parts, [name for name in left if name not in spells], reading=reading, who=who)
        year = _named(left, TIME) or _dated(table, left)
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
    return _named(fit, PERSON) or _repeated(table, names)


def _is_id(table: TextTable, name: str) -> bool:
    text = table.columns[name].text()
    return len(text.distinct) >= 3 and "" not in text.distinct and len(text.distinct) * 500 >= table.rows


def _with_state(
    table: TextTable, parts: dict[str, str], left: list[str], reading: FileReading, who: IntArray | None
) -> tuple[dict[str, str], FileReading]:
    if "occupation" not in parts and not reading.wide:
        found = _named([name for name in left if _is_state(table, name)], STATE) or _varying(table, left, who)
        if found is not None:
            parts["occupation"] = found
    return {part: name for part, name in parts.items() if part != name}, reading


def _words(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[^a-z0-9]+", " ", apart.casefold()).strip()


def _named(names: Iterable[str], patterns: tuple[str, ...]) -> str | None:
    names = list(names)
    return next((name for form in patterns for name in names if re.fullmatch(form, _words(name))), None)


def _repeated(table: TextTable, names: list[str]) -> str | None:
    """The first column whose values come in rows that stand together, several of most."""
    for name in names[:3]:
        index = table.columns[name].text().index
        runs = 1 + int((np.diff(index) != 0).sum())
        if 3 <= len(np.unique(index)) == runs < table.rows:
            return name
    return None


def _is_state(table: TextTable, name: str) -> bool:
    """True of a column with as many values as there may be states, and no measure among the first of them."""
    distinct = table.columns[name].text().distinct
    return 2 <= len(distinct) <= MOST_STATES and not any(map(DECIMALS.fullmatch, distinct[:50]))


def _varying(table: TextTable, names: list[str], who: IntArray | None) -> str | None:
    """Of the columns that change within persons, the first with the most values that codes of states may have."""
    if who is None:
        return None
    order = np.argsort(who, kind="stable")
    same = np.diff(who[order]) == 0
    best, most = None, 2
    for name in names:
        index = table.columns[name].text().index[order]
        changes = float((np.diff(index) != 0)[same].mean()) if same.any() else 0.0
        distinct = len(np.unique(index))
        if _is_state(table, name) and changes > RARELY and most < distinct <= table.rows // 4:
            best, most = name, distinct
    return best


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
    return _is_state(table, group[0]) and len(first & last) >= 0.5 * min(len(first), len(last))


def _spells(table: TextTable, names: list[str], who: IntArray | None) -> tuple[str, str] | None:
    """Columns of begin and end: by their names, or a pair of which one spell of a person follows the other."""
    begin, end = _named(names, BEGIN), _named(names, END)
    if begin and end:
        return begin, end
    if who is None or len(np.unique(who)) == table.rows or _named(names, TIME):
        return None
    order = np.argsort(who, kind="stable")
    same = np.diff(who[order]) == 0
    numbers = {name: values[order] for name in names if (values := _numbers(table, name)) is not None}
    for first, begins in numbers.items():
        if (np.diff(begins)[same] <= 0).mean() > 0.1:
            continue
        for last, ends in numbers.items():
            follows = (begins[1:] - ends[:-1])[same]
            longer = (ends >= begins).all() and (ends > begins).mean() > 0.5
            if last != first and longer and (follows >= 0).mean() > 0.9:
                return first, last
    return None


def _numbers(table: TextTable, name: str) -> FloatArray | None:
    text = table.columns[name].text()
    numbers = to_numbers(text.distinct)
    return None if numbers is None or np.isnan(numbers).any() else numbers[text.index]


def _dated(table: TextTable, names: list[str]) -> str | None:
    """The first column of dates, months or quarters, or of numbers that are years."""
    for name in names:
        values = [value for value in table.columns[name].text().distinct if value][:500]
        times = read_times(values)
        years = times.kind != "whole" or bool(((times.value >= 1900) & (times.value < 2100)).all())
        if values and times.good.all() and years:
            return name
    return None


def _with_within(table: TextTable, year: str, left: list[str], who: IntArray | None) -> str:
    """'YEAR+QUARTER', where a person has several records of a year and such a column says which."""
    within = _named(left, WITHIN)
    if who is None or within is None:
        return year
    pairs = np.stack([who, table.columns[year].text().index])
    return f"{year}+{within}" if len(np.unique(pairs, axis=1).T) < table.rows else year
