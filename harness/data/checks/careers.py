"""Checks of person-years: each takes all rows at once, and looks at lines only after a fault."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.data.checks.findings import Findings, hints
from harness.data.tables.columns import Column, NumberColumn
from harness.data.tables.rows import Records
from harness.data.tables.times import Times, read_times
from harness.panel.careers import SPLITS
from harness.panel.time import PER_YEAR
from harness.system.words import counted
from harness.types import BoolArray, IntArray

FEWEST_PAIRS = 20  # records that follow one another, for a column to be told an end of spells
MANY, NEARLY_ALL = 0.25, 0.95  # shares of spells that are longer than a point, and that end before the next begins
FIRST_YEAR = 1800
SOME, MOST_TIMES = 1000, 3000  # values that are looked at first, and distinct times of a column at the most
ZERO_DECIMALS = re.compile(r"\.0+$")


@dataclass(frozen=True, slots=True)
class RecordTimes:
    """The persons and times of records. person: int [N], -1 where it could not be read. value: int32 [N], in the unit.

    good: bool [N], of times that could be read. rows: int64 [n], those where both could, by person and then as in the
    file; a slice where that is all of them as they stand.
    """

    person: IntArray
    value: IntArray
    good: BoolArray
    unit: str
    rows: IntArray | slice

    @classmethod
    def of(cls, person: IntArray, value: IntArray, good: BoolArray, unit: str) -> RecordTimes:
        usable = good & (person >= 0)
        rows: IntArray | slice = slice(None)
        if not usable.all() or (person[1:] < person[:-1]).any():
            rows = np.flatnonzero(usable)
            rows = rows[np.argsort(person[rows], kind="stable")]
        return cls(person, value, good, unit=unit, rows=rows)

    def numbered(self) -> IntArray:
        """int64 [n]: ``rows``, as numbers."""
        return np.arange(len(self.person)) if isinstance(self.rows, slice) else self.rows


def read_years(records: Records, person: IntArray, findings: Findings) -> RecordTimes:
    """The times of these persons' records (int [N], -1 where a person could not be read)."""
    column = records.year
    blank = records.tell_blanks(findings, "year", "every record needs a calendar year, as 1998")
    known = [value for value in column.distinct if value]
    times = read_times(known, records.unit)
    file, line, name = records.place(0, "year") if len(column) else (records.name, None, "year")
    if times.refused or times.kind == "date":
        message = times.refused or "are dates, and records are a year apart or a quarter or a month: write those"
        findings.error(file, message, line=line, column=name, value=column.row(0))
    elif times.note:
        findings.note(file, times.note, column=name)
    place = {value: i for i, value in enumerate(known)}
    spot = np.array([place.get(value, -1) for value in column.distinct], dtype=np.int64)
    good = np.append(times.good, False)[spot][column.index]
    right = "is not an integer; a calendar year is written as 1998"
    if times.kind != "whole":
        right = f"is no {times.unit} like the others of its column; write such as {_example(times, known)}"
    records.tell_same(findings, np.flatnonzero(~good & ~blank), "year", right)
    value = np.append(times.value, 0)[spot].astype(np.int32)[column.index]
    return RecordTimes.of(person, value, np.asarray(good, dtype=bool), times.unit)


def _example(times: Times, known: Sequence[str]) -> str:
    return known[int(np.flatnonzero(times.good)[0])]


def read_states(records: Records, codes: Sequence[str], findings: Findings) -> IntArray:
    """int32 [N]: positions among the codes, -1 for what is none of them."""
    column = records.occupation
    position = {code: k for k, code in enumerate(codes)}
    states = np.array([position.get(code, -1) for code in column.distinct], dtype=np.int32)[column.index]
    unknown = np.flatnonzero((states < 0) & column.where(bool))
    if len(unknown):
        _tell_unknown_codes(records, unknown, position, findings)
    return states


def _tell_unknown_codes(records: Records, rows: IntArray, codes: Mapping[str, int], findings: Findings) -> None:
    column = records.occupation
    values = [column.distinct[i] for i in np.unique(column.index[rows])]
    zeros = lost_zeros(values, codes)
    if zeros and records.code_type != "text":  # one fault of the column, not one of each row
        value, code = next(iter(zeros.items()))
        lost = column.where(zeros.__contains__)
        file, _, name = records.place(int(np.flatnonzero(lost)[0]), "occupation")
        message = (
            f"the column is of type {records.code_type}, so the codes of {counted(int(lost.sum()), 'row')} have lost "
            f"their leading zeros (this one is '{code}'): write codes as text"
        )
        findings.error(file, message, line=None, column=name, value=value)
        rows = rows[~lost[rows]]
    messages = unknown_codes(values, codes)
    records.tell(findings, rows, "occupation", lambda row: messages[column.row(row)])


def lost_zeros(values: Iterable[str], codes: Iterable[str]) -> dict[str, str]:
    """value -> the code that it is, for values that are a code read as a number, its leading zeros lost."""
    with_zeros = {bare_code(code): code for code in reversed(list(codes)) if code.startswith("0")}
    return {value: with_zeros[bare_code(value)] for value in values if bare_code(value) in with_zeros}


def unknown_codes(values: Sequence[str], codes: Collection[str]) -> dict[str, str]:
    """Hints on values that are none of the codes: the code that each was before it was read as a number."""
    zeros = lost_zeros(values, codes)
    near = hints([value for value in values if value not in zeros], list(codes))
    return {value: _unknown_code(value, codes, zeros, near) for value in values}


def bare_code(value: str) -> str:
    """A code as it looks once it has been read as a number: no zeros in front, nothing behind the point."""
    bare = ZERO_DECIMALS.sub("", value)
    return (bare.lstrip("0") or "0") if bare.isdigit() else bare


def _unknown_code(value: str, codes: Collection[str], zeros: Mapping[str, str], near: Mapping[str, str]) -> str:
    if value in zeros:
        return f"has lost its leading zeros: the code is '{zeros[value]}'; read and write codes as text"
    if (bare := ZERO_DECIMALS.sub("", value)) in codes:
        return f"was read as a number: the code is '{bare}'; read and write codes as text"
    return f"no occupation has this code{near[value]}"


def check_sequence(records: Records, times: RecordTimes, findings: Findings) -> None:
    """Years of a person must rise from row to row: an error for each repeated year and each earlier one."""
    person, year, unit = times.person, times.value, times.unit
    here = year[times.rows]
    if not (_same_person(person, times.rows) & (here[1:] <= here[:-1])).any():
        return
    rows = times.numbered()
    by_year = rows[np.lexsort((rows, year[rows], person[rows]))]
    again = np.flatnonzero(_same_person(person, by_year) & (np.diff(year[by_year]) == 0)) + 1
    before = dict(zip(by_year[again].tolist(), by_year[again - 1].tolist(), strict=True))

    def repeated(row: int) -> str:
        file, line, _ = records.place(before[row], "year")
        where = f"line {line}" if file == records.place(row, "year")[0] else f"{file}, line {line}"
        said = f"person '{records.person.row(row)}' already has a record of this {unit} ({where}): "
        return f"{said}keep one {'a year' if unit == 'year' else 'of each'}, or say which counts (--main)"

    records.tell(findings, by_year[again], "year", repeated)
    rows = rows[~np.isin(rows, by_year[again])]
    back = np.flatnonzero(_same_person(person, rows) & (np.diff(year[rows]) < 0)) + 1
    last = dict(zip(rows[back].tolist(), year[rows[back - 1]].tolist(), strict=True))

    def unordered(row: int) -> str:
        said = f"comes after {last[row]} of person '{records.person.row(row)}'"
        return f"{said}: sort each person's rows by {unit}, or --order time"

    records.tell(findings, rows[back], "year", unordered)


def _same_person(person: IntArray, rows: IntArray | slice) -> BoolArray:
    here = person[rows]
    return np.asarray(here[1:] == here[:-1], dtype=bool)


def read_split(records: Records, person: IntArray, findings: Findings) -> IntArray | None:
    """int8 [P], a position in ``SPLITS``, from the split column, None without one. A person is in one split."""
    column = records.split
    if column is None:
        return None
    blank = records.tell_blanks(findings, "split", "every record says train, valid or test")
    position: dict[str, int] = {name: i for i, name in enumerate(SPLITS)}
    index = np.array([position.get(value, -1) for value in column.distinct], dtype=np.int8)[column.index]
    wrong = np.flatnonzero((index < 0) & ~blank)
    near = hints([column.distinct[i] for i in np.unique(column.index[wrong])], SPLITS)
    records.tell(findings, wrong, "split", lambda row: f"is not a split{near[column.row(row)]}")
    split = np.full(len(records.person.distinct), -1, dtype=np.int8)
    usable = np.flatnonzero((index >= 0) & (person >= 0))
    split[person[usable[::-1]]] = index[usable[::-1]]  # the first row of each person is written last, and stays
    astray = usable[index[usable] != split[person[usable]]]
    _, first = np.unique(person[astray], return_index=True)

    def two_splits(row: int) -> str:
        at_first = SPLITS[split[person[row]]]
        return f"person '{records.person.row(row)}' is in '{at_first}' above: a person belongs to one split"

    records.tell(findings, astray[np.sort(first)], "split", two_splits)
    return split


def check_split_sizes(records: Records, split: IntArray, findings: Findings) -> None:
    """No split is empty. split: int8 [P], -1 where it could not be read."""
    sizes = np.bincount(split[split >= 0], minlength=len(SPLITS))
    file, _, column = records.place(0, "split")
    for name, size in zip(SPLITS, sizes, strict=True):
        if size == 0 and records.split is not None:
            findings.error(file, f"no person is in the {name} split: put some there", None, column)
        elif size == 0:
            few = f"{counted(len(split), 'person is', 'persons are')} too few to split by hash"
            few += "; bring more, or a column 'split'"
            findings.error(file, f"no person is in the {name} split: {few}", records.header_line)


def note_single_records(records: Records, findings: Findings) -> None:
    """A note for each career of one record."""
    if not findings.wants_notes:
        return
    for row in np.flatnonzero(records.person.used[records.person.index] == 1).tolist():
        file, line, name = records.place(row, "person")
        message = "the career has a single record, so no transition: kept, and asked about in first records only"
        findings.note(file, message, line=line, column=name, value=records.person.row(row))


def check_spells(records: Records, times: RecordTimes, findings: Findings) -> None:
    """An error for a covariate that is the end of a spell: years of such a file are begins, and steps are spells.

    It is never before its record's time, seldom after the person's next one, and not always as far away.
    """
    rows, unit = times.rows, times.unit
    later = np.flatnonzero(_same_person(times.person, rows))
    if len(later) < FEWEST_PAIRS or unit not in PER_YEAR:
        return
    begins = times.value[rows]
    for name, column in records.covariates.items():
        if isinstance(column, NumberColumn) and (unit != "year" or (column.numbers()[rows] < begins).any()):
            continue  # numbers are years
        ends = _as_times(column, unit)
        if ends is None or (ends[rows] < begins).any():
            continue
        lengths = ends[rows] - begins
        follows = ends[rows][later] <= begins[later + 1]
        if len(np.unique(lengths)) > 1 and (lengths > 0).mean() > MANY and follows.mean() > NEARLY_ALL:
            first = int(times.numbered()[0])
            file, line, begin = records.place(first, "year")
            message = (
                f"'{name}' looks like the end of a spell that begins here: --spells begin={begin} end={name} reads a "
                f"record for each {unit} of it, --drop {name} only its begin"
            )
            findings.error(file, message, line=line, column=begin, value=records.year.row(first))


def _as_times(column: Column, unit: str) -> IntArray | None:
    """int64 [N]: a column of times in this unit; None for any other, which is seen from its first values."""
    if isinstance(column, NumberColumn):
        numbers = column.numbers()
        some = numbers[:SOME]
        if np.isnan(some).any() or (some != np.round(some)).any() or len(np.unique(numbers)) > MOST_TIMES:
            return None
    text = column.text()
    if len(text.distinct) > MOST_TIMES:
        return None
    times = read_times(text.distinct, unit if unit == "year" else None)
    if not times.good.all() or times.unit != unit or times.refused:
        return None
    if unit == "year" and times.value.min() < FIRST_YEAR:
        return None
    return times.value[text.index]
