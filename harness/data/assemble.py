"""Person-years of any origin become a panel, or a list of all that is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.data.columns import Column, TextColumn
from harness.data.covariates import ColumnSchema, as_covariate, with_schema
from harness.data.faults import Findings
from harness.errors import did_you_mean
from harness.panel import SPLITS, Covariate, Occupations, Panel, split_by_hash
from harness.types import BoolArray, IntArray

Place = Callable[[int, str], tuple[str, int | None, str]]
INTEGER = re.compile(r"[+-]?\d{1,9}")


@dataclass(frozen=True)
class Records:
    """The rows of a source, N of them, one per person-year.

    place: (row, 'person' | 'year' | 'occupation' | 'split' | covariate) -> file, line and column of that entry.
    code_type: the type that its file declares the occupation column to be of.
    """

    name: str
    person: TextColumn
    year: TextColumn
    occupation: TextColumn
    split: TextColumn | None
    covariates: Mapping[str, Column]
    place: Place
    schema: Mapping[str, ColumnSchema] = field(default_factory=dict)
    code_type: str = "text"
    source: Mapping[str, Any] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


class _Check:
    """One pass over the records of one source."""

    def __init__(self, records: Records, findings: Findings) -> None:
        self.records = records
        self.findings = findings

    def tell(self, row: int, column: str, message: str, value: str | None = None) -> None:
        file, line, name = self.records.place(int(row), column)
        self.findings.error(file, message, line, name, value)

    def blanks(self, column: TextColumn, name: str, right: str) -> BoolArray:
        """bool [N]: rows without a value, each an error."""
        blank = column.where(lambda value: not value)
        for row in np.flatnonzero(blank):
            self.tell(row, name, f"is blank; {right}", "")
        return blank

    def years(self) -> tuple[IntArray, BoolArray]:
        """int32 [N], and bool [N] whether each could be read."""
        column = self.records.year
        blank = self.blanks(column, "year", "every record needs a calendar year, as 1998")
        good = column.where(lambda value: INTEGER.fullmatch(value) is not None)
        for row in np.flatnonzero(~good & ~blank):
            self.tell(row, "year", "is not an integer; a calendar year is written as 1998", column.row(row))
        years = np.array([int(v) if INTEGER.fullmatch(v) else 0 for v in column.distinct], dtype=np.int32)
        return years[column.index], good

    def states(self, occupations: Occupations) -> IntArray:
        """int32 [N]: positions among the occupations, -1 for what is none of them."""
        column = self.records.occupation
        blank = self.blanks(column, "occupation", "a year without a known state has no row")
        position = {code: k for k, code in enumerate(occupations.codes)}
        states = np.array([position.get(code, -1) for code in column.distinct], dtype=np.int32)[column.index]
        unknown = np.flatnonzero((states < 0) & ~blank)
        if len(unknown):
            self._unknown_codes(unknown, position)
        return states

    def _unknown_codes(self, rows: IntArray, position: Mapping[str, int]) -> None:
        column = self.records.occupation
        without_zeros = {code.lstrip("0"): code for code in reversed(list(position)) if code.startswith("0")}
        values = [column.distinct[i] for i in np.unique(column.index[rows])]
        zeros = {v: without_zeros[bare] for v in values if (bare := _bare(v)) in without_zeros}
        if self.records.code_type != "text" and zeros:
            value, code = next(iter(zeros.items()))
            lost = rows[[column.row(row) in zeros for row in rows]]
            file, _, name = self.records.place(int(lost[0]), "occupation")
            message = (
                f"the column is of type {self.records.code_type}, so codes have lost their leading zeros in {len(lost)} "
                f"rows (this one is '{code}'): write codes as text"
            )
            self.findings.error(file, message, None, name, value)
            rows = np.setdiff1d(rows, lost)
        message_of = {value: _unknown_code(value, position, zeros) for value in values}
        for row in rows:
            value = column.row(row)
            self.tell(row, "occupation", message_of[value], value)

    def splits(self, person: IntArray, n_persons: int) -> IntArray | None:
        """int8 [P] from the split column, None without one. A person is in one split, and none is empty."""
        column = self.records.split
        if column is None:
            return None
        blank = self.blanks(column, "split", "every record says train, valid or test")
        position = {name: i for i, name in enumerate(SPLITS)}
        index = np.array([position.get(v, -1) for v in column.distinct], dtype=np.int8)[column.index]
        for row in np.flatnonzero((index < 0) & ~blank):
            value = column.row(row)
            self.tell(row, "split", f"is not a split; {did_you_mean(value, SPLITS)}", value)
        usable = (index >= 0) & (person >= 0)
        split = np.full(n_persons, -1, dtype=np.int8)
        rows = np.flatnonzero(usable)[::-1]
        split[person[rows]] = index[rows]  # the first row of each person is written last, and stays
        astray = np.flatnonzero(usable & (index != split[person]))
        _, first = np.unique(person[astray], return_index=True)
        for row in astray[np.sort(first)]:
            who, at_first = self.records.person.row(row), SPLITS[split[person[row]]]
            message = f"person '{who}' is in '{at_first}' in earlier rows: a person belongs to one split"
            self.tell(row, "split", message, column.row(row))
        return split

    def sequence(self, person: IntArray, year: IntArray, usable: BoolArray) -> None:
        """Years of a person must rise in file order: an error for every repeated and every earlier year."""
        rows = np.flatnonzero(usable)
        rows = rows[np.argsort(person[rows], kind="stable")]
        later = rows[1:][(person[rows][1:] == person[rows][:-1]) & (year[rows][1:] <= year[rows][:-1])]
        if not len(later):
            return
        by_year = rows[np.lexsort((rows, year[rows], person[rows]))]
        again = (person[by_year][1:] == person[by_year][:-1]) & (year[by_year][1:] == year[by_year][:-1])
        repeated = by_year[1:][again]
        for row, before in zip(repeated, by_year[:-1][again], strict=True):
            file, line, _ = self.records.place(int(before), "year")
            where = f"line {line}" if line is not None else file
            who = self.records.person.row(row)
            message = f"person '{who}' already has a record of this year in {where}: keep one a year"
            self.tell(row, "year", message, self.records.year.row(row))
        rows = rows[~np.isin(rows, repeated)]
        earlier = (person[rows][1:] == person[rows][:-1]) & (year[rows][1:] < year[rows][:-1])
        for row, before in zip(rows[1:][earlier], rows[:-1][earlier], strict=True):
            who = self.records.person.row(row)
            message = f"comes after {year[before]} of person '{who}': sort the rows of each person by year"
            self.tell(row, "year", message, self.records.year.row(row))


def _bare(value: str) -> str:
    """A code as it looks once it has been read as a number: no zeros in front, nothing behind the point."""
    bare = re.sub(r"\.0+$", "", value)
    return bare.lstrip("0") if bare.isdigit() else ""


def _unknown_code(value: str, position: Mapping[str, int], zeros: Mapping[str, str]) -> str:
    if value in zeros:
        return f"has lost its leading zeros: the code is '{zeros[value]}'; read and write codes as text"
    if re.sub(r"\.0+$", "", value) in position:
        return f"was read as a number: the code is '{re.sub(r'[.]0+$', '', value)}'; read and write codes as text"
    hint = did_you_mean(value, position)
    return f"no occupation has this code; {hint}" if hint.startswith("did") else "no occupation has this code"


def assemble(records: Records, occupations: Occupations, findings: Findings) -> Panel | None:
    """The panel of these records, or None after errors.

    Persons come in the order of their first row. The rows of a person need not stand together, but their years must
    rise from row to row: a file that is not in order is a file about which something was assumed wrongly.
    """
    check = _Check(records, findings)
    before = len(findings.errors)
    no_person = check.blanks(records.person, "person", "every record needs the id of its person")
    person = np.where(no_person, -1, records.person.index)
    year, good_year = check.years()
    state = check.states(occupations)
    check.sequence(person, year, good_year & ~no_person)
    split = check.splits(person, len(records.person.distinct))
    ids = np.array(records.person.distinct, dtype=str)
    order = np.arange(len(person)) if (np.diff(person) >= 0).all() else np.argsort(person, kind="stable")
    start = np.diff(person[order], prepend=-1) != 0
    covariates = _covariates(records, start, order, check)
    if split is None and len(findings.errors) == before:
        split = split_by_hash(ids)
    if split is not None:
        _empty_splits(split, records, findings)
    if len(findings.errors) > before or split is None:
        return None
    offsets = np.append(np.flatnonzero(start), len(person)).astype(np.int64)
    return Panel(
        name=records.name,
        persons=ids,
        offsets=offsets,
        year=year[order],
        state=state[order],
        occupations=occupations,
        split=split,
        covariates=covariates,
        source=records.source,
        left_out=records.left_out,
    )


def _covariates(records: Records, start: BoolArray, order: IntArray, check: _Check) -> dict[str, Covariate]:
    covariates = {}
    for name, column in records.covariates.items():
        if name not in records.schema:
            covariates[name] = as_covariate(column, start, order)
            continue

        def tell(rows: IntArray, message: str, name: str = name, text: TextColumn = column.text()) -> None:
            for row in rows:
                check.tell(row, name, message, text.row(row))

        covariates[name] = with_schema(column, records.schema[name], start, order, tell)
    return covariates


def _empty_splits(split: IntArray, records: Records, findings: Findings) -> None:
    sizes = np.bincount(split[split >= 0], minlength=len(SPLITS))
    for name, size in zip(SPLITS, sizes, strict=True):
        if size == 0:
            file, _, column = records.place(0, "split")
            right = (
                "put some persons there"
                if records.split is not None
                else f"a split of {len(split)} persons by hash left it so; bring more, or a 'split' column"
            )
            findings.error(file, f"no person is in the {name} split: {right}", None, column)
