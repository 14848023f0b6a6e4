"""Columns by their names and values: which of them may be times or states."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from harness.data.covariates import to_numbers
from harness.data.tables.columns import TextTable
from harness.data.tables.dummies import is_dummy, is_one
from harness.types import FloatArray, IntArray

DECIMALS = re.compile(r"[+-]?\d+\.\d*[1-9]\d*")
STEM = re.compile(r"(.*?)(\d+)(\D*)")
RARELY = 0.02  # share of steps in which a state changes at the least
MOST_STATES = 2000
MEASURES = (
    r"(\w+ )?(age|exper|experience|tenure|wages?|lwage|income|inc|hours|weight|wt|kids|educ|school|salary|grade)",
)


def is_time(table: TextTable, name: str, who: IntArray | None) -> bool:
    """False of what a person has but once, as a year of birth, where persons have several rows."""
    return share_of_changes(table, name, who) != 0.0


def share_of_changes(table: TextTable, name: str, who: IntArray | None) -> float | None:
    """The share of steps between rows of a person in which a column changes; None where there are none."""
    if who is None:
        return None
    order = np.argsort(who, kind="stable")
    same = np.diff(who[order]) == 0
    index = table.columns[name].text().index[order]
    return float((np.diff(index) != 0)[same].mean()) if same.any() else None


def _words(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[^a-z0-9]+", " ", apart.casefold()).strip()


def named(names: Iterable[str], patterns: tuple[str, ...]) -> str | None:
    """The first of the names that is of the first pattern (a regular expression of words in small letters) to fit."""
    names = list(names)
    return next((name for form in patterns for name in names if re.fullmatch(form, _words(name))), None)


def may_be_state(table: TextTable, name: str) -> bool:
    """True of a column with as many values as there may be states, and no measure among the first of them."""
    distinct = table.columns[name].text().distinct
    return 2 <= len(distinct) <= MOST_STATES and not any(map(DECIMALS.fullmatch, distinct[:50]))


def by_values(table: TextTable, names: list[str], who: IntArray | None) -> list[str]:
    """Columns that may be states by their values: words before numbers, then those with the most values.

    They change within persons, and are no measures: nothing that rises all along a career, as ages do.
    """
    found = []
    for name in names:
        changes = share_of_changes(table, name, who)
        text = table.columns[name].text()
        if changes is None or not may_be_state(table, name) or changes <= RARELY or named([name], MEASURES):
            continue
        distinct, number = len(np.unique(text.index)), to_numbers(text.distinct) is not None
        if 2 < distinct <= table.rows // 4 and not (number and _rises(table, name, who)):
            found.append((number, -distinct, name))
    return [name for *_, name in sorted(found, key=lambda one: one[:2])]


def _rises(table: TextTable, name: str, who: IntArray | None) -> bool:
    text = table.columns[name].text()
    numbers = to_numbers(text.distinct)
    if numbers is None or who is None:
        return False
    order = np.argsort(who, kind="stable")
    values: FloatArray = numbers[text.index[order]]
    steps = np.diff(values)[np.diff(who[order]) == 0]
    return bool((steps < 0).mean() < RARELY)


def range_of_dummies(table: TextTable, name: str) -> str:
    """'occ1..occ9' where this column and those behind it are ones and zeros, with at most a one in each row."""
    stem = STEM.fullmatch(name)
    if stem is None or not is_dummy(table.columns[name]):
        return name
    names = list(table.columns)
    like: list[str] = []
    for one in names[names.index(name) :]:
        other = STEM.fullmatch(one)
        if other is None or (other[1], other[3]) != (stem[1], stem[3]) or not is_dummy(table.columns[one]):
            break
        like.append(one)
    ones = np.sum([table.columns[one].text().where(is_one) for one in like], axis=0)
    return f"{like[0]}..{like[-1]}" if len(like) > 1 and (ones == 1).all() else name


def numbers_of(table: TextTable, name: str) -> FloatArray | None:
    """float64 [N]: a column of numbers; None where an entry is none."""
    text = table.columns[name].text()
    numbers = to_numbers(text.distinct)
    return None if numbers is None or np.isnan(numbers).any() else numbers[text.index]
