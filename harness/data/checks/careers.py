"""Checks of person-years: each takes all rows at once, and looks at lines only after a fault."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from harness.data.checks.findings import Findings, hints
from harness.data.tables.rows import Records
from harness.panel.careers import SPLITS
from harness.types import BoolArray, IntArray

INTEGER = re.compile(r"[+-]?\d{1,9}")
ZERO_DECIMALS = re.compile(r"\.0+$")


def read_years(records: Records, findings: Findings) -> tuple[IntArray, BoolArray]:
    """int32 [N], and bool [N] whether each could be read. '1998.0' is no integer."""
    column = records.year
    blank = records.tell_blanks(findings, "year", "every record needs a calendar year, as 1998")
    good = column.where(lambda value: INTEGER.fullmatch(value) is not None)
    right = "is not an integer; a calendar year is written as 1998"
    records.tell_same(findings, np.flatnonzero(~good & ~blank), "year", right)
    years = np.array([int(v) if INTEGER.fullmatch(v) else 0 for v in column.distinct], dtype=np.int32)
    return years[column.index], good


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
            f"the column is of type {records.code_type}, so the codes of {lost.sum()} rows have lost their leading "
            f"zeros (this one is '{code}'): write codes as text"
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


def check_sequence(records: Records, person: IntArray, year: IntArray, usable: BoolArray, findings: Findings) -> None:
    """Years of a person must rise from row to row: an error for each repeated year and each earlier one.

    person, year: int [N]. usable: bool [N], rows whose person and year could be read.
    """
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(person[rows], kind="stable")]
    if not (_same_person(person, rows) & (np.diff(year[rows]) <= 0)).any():
        return
    by_year = rows[np.lexsort((rows, year[rows], person[rows]))]
    again = np.flatnonzero(_same_person(person, by_year) & (np.diff(year[by_year]) == 0)) + 1
    before = dict(zip(by_year[again].tolist(), by_year[again - 1].tolist(), strict=True))

    def repeated(row: int) -> str:
        file, line, _ = records.place(before[row], "year")
        where = f"line {line}" if file == records.place(row, "year")[0] else f"{file}, line {line}"
        return f"person '{records.person.row(row)}' already has a record of this year ({where}): keep one a year"

    records.tell(findings, by_year[again], "year", repeated)
    rows = rows[~np.isin(rows, by_year[again])]
    back = np.flatnonzero(_same_person(person, rows) & (np.diff(year[rows]) < 0)) + 1
    last = dict(zip(rows[back].tolist(), year[rows[back - 1]].tolist(), strict=True))

    def unordered(row: int) -> str:
        return f"comes after {last[row]} of person '{records.person.row(row)}': sort each person's rows by year"

    records.tell(findings, rows[back], "year", unordered)


def _same_person(person: IntArray, rows: IntArray) -> BoolArray:
    return np.asarray(np.diff(person[rows]) == 0, dtype=bool)


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
            few = f"{len(split)} persons are too few to split by hash; bring more, or a column 'split'"
            findings.error(file, f"no person is in the {name} split: {few}", records.header_line)


def note_single_records(records: Records, findings: Findings) -> None:
    """A note for each career of one record."""
    if not findings.wants_notes:
        return
    for row in np.flatnonzero(records.person.used[records.person.index] == 1).tolist():
        file, line, name = records.place(row, "person")
        message = "the career has a single record, so no transition: kept, and asked about in first records only"
        findings.note(file, message, line=line, column=name, value=records.person.row(row))
