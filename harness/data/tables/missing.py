"""Values that say that none is known, under one rule for columns of every kind; and columns that are not read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from harness.data.reading import FileReading, MissingValues
from harness.data.tables.columns import Column, NumberColumn, TextTable
from harness.errors import RequestError, did_you_mean

WORDS = frozenset({"na", "n/a", "nan", "none", "null", ".", "-", "<na>", "#n/a"})
STATA = re.compile(r"\.[a-z_]", re.IGNORECASE)  # .a to .z, and SAS's ._


def says_missing(value: str) -> bool:
    """True of a word that programs write where there is no value."""
    return value.casefold() in WORDS or STATA.fullmatch(value) is not None


def without_columns(table: TextTable, reading: FileReading, taken: Iterable[str]) -> TextTable:
    """The table without the columns of ``--drop``, and of ``--covariates`` those and whatever plays a part (taken).

    RequestError for a column that the file does not have.
    """
    for option, names in (("--drop", reading.drop), ("--covariates", reading.covariates)):
        for name in names:
            if name not in table.columns:
                raise RequestError(
                    f"{option} {name}: {table.file} has no such column; {did_you_mean(name, table.columns)}"
                )
    gone = set(reading.drop)
    if reading.covariates:
        gone |= set(table.columns) - set(reading.covariates) - set(taken)
    if not gone:
        return table
    kept = {name: column for name, column in table.columns.items() if name not in gone}
    left_out = {**table.left_out, f"columns of {table.file} that were not asked for": len(gone)}
    return replace(table, columns=kept, left_out=left_out)


def without_missing(table: TextTable, rules: Iterable[str]) -> TextTable:
    """The table with a blank wherever a value is one of those that say that none is known."""
    missing = MissingValues.of(rules)
    return replace(table, columns={name: _blanked(column, missing) for name, column in table.columns.items()})


def _blanked(column: Column, missing: MissingValues) -> Column:
    if not isinstance(column, NumberColumn):
        return column.change(lambda value: "" if missing.has(value) else value)
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = column.numbers()
    gone = np.zeros(len(numbers), dtype=bool)
    for first, last in missing.ranges:
        gone |= (numbers >= first) & (numbers <= last)
    if not gone.any():
        return column
    return NumberColumn(pc.if_else(pa.array(gone), pa.scalar(None, column.array.type), column.array))


def without_blank_rows(table: TextTable, parts: Mapping[str, str]) -> TextTable:
    """The table without rows that lack a person, a time or a state, each counted by what is missing first."""
    for part, what in (("person", "an id"), ("year", "a time"), ("occupation", "a state")):
        name = parts[part]
        if name in table.columns:
            blank = table.columns[name].text().where(lambda value: not value.strip())
            table = table.without(blank, f"rows of {table.file} without {what}")
    return table
