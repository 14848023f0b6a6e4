"""States that are one column each, of which a row has a one in its own: such columns made one column of states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.reading import FileReading
from harness.data.tables.columns import Column, TextColumn, TextTable
from harness.errors import RequestError, did_you_mean

YES = frozenset({"1", "1.0", "true", "yes"})
NO = frozenset({"0", "0.0", "false", "no", ""})


def is_dummy(column: Column) -> bool:
    """True of a column of ones and zeros, with some of both."""
    values = {value.casefold() for value in column.text().stripped().distinct}
    return values <= YES | NO and bool(values & YES) and bool(values & (NO - {""}))


def state_of_dummies(table: TextTable, parts: dict[str, str], reading: FileReading, findings: Findings) -> TextTable:
    """The table with one column in the place of ``--column occupation=FIRST..LAST``, whose codes are those columns.

    A row with a one in none of them, or in several, is an error; of the first kind, ``--missing`` leaves it out.
    RequestError where the columns from the first to the last are not all ones and zeros.
    """
    name = parts.get("occupation", "")
    first, dots, last = (piece.strip() for piece in name.partition(".."))
    if not dots or name in table.columns:
        return table
    names = _between(table, first, last)
    ones = np.stack([table.columns[one].text().stripped().where(is_one) for one in names])
    count = ones.sum(axis=0)
    for row in np.flatnonzero(count > 1).tolist():
        both = [one for one, told in zip(names, ones[:, row].tolist(), strict=True) if told]
        message = f"has a 1 in {' and '.join(both)}: a record has one state"
        findings.error(table.file, message, line=int(table.lines[row]), column=name)
    if not reading.missing:
        for row in np.flatnonzero(count == 0).tolist():
            message = "has a 1 in none of these columns: --missing NA leaves such rows out, and counts them"
            findings.error(table.file, message, line=int(table.lines[row]), column=name)
    state = TextColumn([*names, ""], np.where(count == 0, len(names), ones.argmax(axis=0)).astype(np.int64))
    columns = {one: column for one, column in table.columns.items() if one not in names}
    titles = {one: table.titles[one] for one in names if one in table.titles}
    labels = {**table.labels, **({name: titles} if len(set(titles.values())) == len(names) else {})}
    state = state.take(np.arange(table.rows))
    return replace(table, columns={**columns, name: state}, labels=labels)


def is_one(value: str) -> bool:
    """True of the entry of a column of ones and zeros that says yes."""
    return value.casefold() in YES


def _between(table: TextTable, first: str, last: str) -> list[str]:
    names, option = list(table.columns), f"--column occupation={first}..{last}"
    for end in (first, last):
        if end not in table.columns:
            raise RequestError(f"{option}: {table.file} has no column '{end}'; {did_you_mean(end, names)}")
    between = names[names.index(first) : names.index(last) + 1]
    if len(between) < 2:
        raise RequestError(f"{option}: column '{last}' does not come after '{first}' in {table.file}")
    for one in between:
        if not is_dummy(table.columns[one]):
            raise RequestError(
                f"{option}: column '{one}' is not ones and zeros; a range of states is one such column a state, and "
                "columns of one state at several times are --wide"
            )
    return between
