"""Ids of persons that a program has rounded or that are no ids: two strangers never share a career."""

from __future__ import annotations

import re

from harness.data.checks.findings import Findings
from harness.data.tables.columns import Column, NumberColumn, TextTable

MOST_CHARACTERS = 200  # of an id or a code: arrays of text are as wide as their longest entry
LONGEST_TITLE = 1_000  # and of what describes a state
SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?[eE]\+\d+")  # as a spreadsheet, R or pandas writes a number that is large
DECIMAL = re.compile(r"[+-]?(\d+)\.0+")
NUL = "\x00"
EXACT = 2**53  # from here on neighbouring whole numbers are one float64


def check_ids(table: TextTable, name: str, findings: Findings) -> None:
    """One error for a column of ids that has lost digits, and one for ids too long. name: of the column."""
    column = table.columns[name]
    told = _rounded(column)
    if told is not None:
        row, message = told
        line = int(table.lines[row])
        findings.error(table.file, message, line=line, column=name, value=column.text().row(row))
    check_lengths(table, name, "person", findings)


def check_lengths(table: TextTable, name: str, part: str, findings: Findings) -> None:
    """An error for the first entry of a column of text that is longer than any id, code or title is, or that holds NUL.

    part: the part that the column plays. Arrays of text end at NULs: two ids of which one has more would be one.
    """
    column = table.columns[name]
    if isinstance(column, NumberColumn):
        return
    what = {"person": "an id", "occupation": "a code"}.get(part, f"a {part}")
    most = MOST_CHARACTERS if what in ("an id", "a code") else LONGEST_TITLE
    if max(map(len, column.distinct), default=0) > most:
        long = [value for value in column.distinct if len(value) > most]
        row = _first(column, long[0])
        more = f" (and {len(long) - 1:,} more are)" if len(long) > 1 else ""
        message = f"is {len(long[0]):,} characters long{more}: {what} has {most:,} at most"
        findings.error(table.file, message, line=int(table.lines[row]), column=name, value=long[0])
    if NUL in "".join(column.distinct):
        value = next(value for value in column.distinct if NUL in value)
        line = int(table.lines[_first(column, value)])
        message = f"holds the character NUL, which is no part of {what}: the file is damaged, or no text"
        findings.error(table.file, message, line=line, column=name, value=value)


def _first(column: Column, value: str) -> int:
    return int(column.text().where(lambda other: other == value).argmax())


def _rounded(column: Column) -> tuple[int, str] | None:
    """The first row whose id has lost digits, and how."""
    if isinstance(column, NumberColumn):
        row = column.first_inexact()
        if row is None:
            return None
        return row, (
            f"the column is of type {column.type}, in which neighbouring ids of this size are one number: write ids as "
            "whole numbers or as text"
        )
    if column.digits:
        return None
    right = "persons with other ids may be written alike: write ids as text"
    for value in column.distinct:
        stripped = value.strip()
        if SCIENTIFIC.fullmatch(stripped):
            return _first(column, value), f"is a number in scientific notation, rounded to the digits shown; {right}"
        decimal = DECIMAL.fullmatch(stripped)
        if decimal and len(decimal[1]) <= MOST_CHARACTERS and int(decimal[1]) >= EXACT:
            return _first(column, value), f"was a floating-point number, which has no digits for ids past 2^53; {right}"
    return None
