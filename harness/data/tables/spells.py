"""One row a spell, with its begin and its end: such tables made a record for each point in time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.covariates import to_numbers
from harness.data.reading import FileReading
from harness.data.tables.columns import NumberColumn, TextColumn, TextTable
from harness.data.tables.dates import is_open_end
from harness.data.tables.times import Times, read_times
from harness.data.tables.wide import TIME
from harness.errors import RequestError, did_you_mean
from harness.panel.time import name as time_name
from harness.system.words import counted
from harness.types import BoolArray, FloatArray, IntArray

BLANK, WRONG = -1, -2  # in the place of times
MOST_RECORDS = 100_000_000
RULES = "longest, latest, or such as hours=COLUMN"
COUNTED = (
    "is no calendar year: --unit wave takes numbers that count from a start (days, weeks, years), --unit age ages, and "
    "--century two-digit years"
)
RIGHT = f"say which counts, --main {RULES}"


def made_records(
    table: TextTable, parts: dict[str, str], reading: FileReading, findings: Findings
) -> tuple[TextTable, dict[str, str]] | None:
    """A record of each spell's state for each point in time from its begin to its end; None after errors.

    An end that is blank is the last of the file: the spell goes on. A spell that begins where another ends has that
    point. Of spells that overlap further, one counts (``--main``).
    """
    begin, end = _columns(table, reading)
    spells = _spells(table, begin, end, reading=reading, findings=findings)
    if spells is None:
        return None
    kept = _one_each(table, parts, spells, reading=reading, findings=findings)
    if kept is None:
        return None
    unit = spells.unit
    rest = replace(table, columns={n: column for n, column in table.columns.items() if n not in (begin, end)})
    long = rest.take(spells.rows[kept])
    points, index = np.unique(spells.time[kept], return_inverse=True)
    named = TextColumn([time_name(int(point), unit) for point in points], index.astype(np.int64))
    left_out = dict(long.left_out)
    if lost := len(spells.rows) - len(kept):
        left_out[f"{unit}s of spells of {table.file} in which another counts"] = lost
    long = replace(
        long,
        columns={**long.columns, TIME: named},
        origin={**long.origin, TIME: TextColumn([begin], np.zeros(len(kept), dtype=np.int64))},
        left_out=left_out,
        facts={**table.facts, "shape": f"spells, from {begin} to {end}"},
    )
    return long, {**parts, "year": TIME}


@dataclass(frozen=True)
class _Spells:
    """first, last: int64 [N], ends of each spell; rows, time: int64 [n], spell and point of every record of one."""

    unit: str
    first: IntArray
    last: IntArray
    rows: IntArray
    time: IntArray


def _spells(table: TextTable, begin: str, end: str, reading: FileReading, findings: Findings) -> _Spells | None:
    """All records of all spells; None, and errors, where one has no sound begin and end."""
    columns = {name: table.columns[name].text().stripped() for name in (begin, end)}
    columns[end] = columns[end].change(lambda value: "" if is_open_end(value) else value)
    values = list(dict.fromkeys(value for column in columns.values() for value in column.distinct if value))
    times = read_times(values, reading.unit, reading.century, reading.dates)
    if reading.unit is None and (times.refused or _are_century_months(times)):
        times = _otherwise(values, times)
    if refused := times.refused or (COUNTED if reading.unit is None and _count_from_a_start(times) else None):
        findings.error(table.file, refused, column=begin)
        return None
    place = {value: int(times.value[i]) if times.good[i] else WRONG for i, value in enumerate(values)} | {"": BLANK}
    first, last = (np.array([place[v] for v in c.distinct], dtype=np.int64)[c.index] for c in columns.values())
    open_ended = last == BLANK
    _tell_wrong(table, columns[begin], first < 0, name=begin, findings=findings)
    _tell_wrong(table, columns[end], last == WRONG, name=end, findings=findings)
    if open_ended.all():
        findings.error(table.file, "has no end at all: name the column of ends", column=end)
    if findings.errors:
        return None
    last = np.where(open_ended, max(int(last.max()), int(first.max())), last)
    if count := int(open_ended.sum()):
        findings.note(
            table.file,
            f"{counted(count, 'spell has', 'spells have')} no end, or one such as 'present' or 9999, and "
            f"{'goes' if count == 1 else 'go'} on to the last of the file",
            column=end,
        )
    text, begun = columns[end], columns[begin]
    for row in np.flatnonzero(last < first).tolist():
        message = f"the spell ends before it begins ({begun.row(row)})"
        findings.error(table.file, message, line=int(table.lines[row]), column=end, value=text.row(row))
    lengths = (last - first + 1).clip(0)
    if int(lengths.sum()) > MOST_RECORDS:
        message = (
            f"spells cover {int(lengths.sum()):,} {times.unit}s, more than {MOST_RECORDS:,}: are they {times.unit}s?"
        )
        findings.error(table.file, message, column=begin)
    if findings.errors:
        return None
    rows = np.repeat(np.arange(table.rows), lengths)
    time = first[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return _Spells(times.unit, first=first, last=last, rows=rows, time=time)


def _columns(table: TextTable, reading: FileReading) -> tuple[str, str]:
    if set(reading.spells) != {"begin", "end"}:
        raise RequestError("--spells: write the columns of begin and end, as --spells begin=TS end=TF")
    for end, name in reading.spells.items():
        if name not in table.columns:
            raise RequestError(
                f"--spells {end}={name}: {table.file} has no such column; {did_you_mean(name, table.columns)}"
            )
    return reading.spells["begin"], reading.spells["end"]


def _tell_wrong(table: TextTable, column: TextColumn, wrong: BoolArray, name: str, findings: Findings) -> None:
    for row in np.flatnonzero(wrong).tolist():
        message = "is no time like the others of its column" if column.row(row) else "is blank: a spell has a begin"
        findings.error(table.file, message, line=int(table.lines[row]), column=name, value=column.row(row))


def _are_century_months(times: Times) -> bool:
    known = times.value[times.good]
    return times.kind == "whole" and len(known) > 0 and known.min() > 150 and known.max() < 1700


def _count_from_a_start(times: Times) -> bool:
    """True of times that are no calendar years, but numbers from nought on, perhaps with decimals."""
    known = times.value[times.good]
    return times.kind == "decimal" or (times.kind == "whole" and len(known) > 0 and known.min() < 150)


def _otherwise(values: list[str], times: Times) -> Times:
    """Of a spell, numbers that are no years are months or quarters."""
    unit = "quarter" if "quarter" in (times.refused or "") else "month"
    return read_times(values, unit)


def _one_each(
    table: TextTable, parts: dict[str, str], spells: _Spells, reading: FileReading, findings: Findings
) -> IntArray | None:
    """int64: of all records those that count, by person and time; None, and an error, where no rule says which."""
    name = parts.get("person", "person")
    if name not in table.columns:
        return np.arange(len(spells.rows))  # an error of its own later
    rows = spells.rows
    person = table.columns[name].text().stripped().index[rows]
    key = main_key(table, reading, spells.last - spells.first)
    order = np.lexsort((rows, spells.first[rows], key[rows], spells.time, person))
    same = (np.diff(person[order]) == 0) & (np.diff(spells.time[order]) == 0)
    if reading.main is None and (real := same & ~_meet(spells, order)).any():
        row = int(rows[order[1:][real][0]])
        message = f"overlaps another spell of its person ({int(real.sum()):,} {spells.unit}s are held twice): {RIGHT}"
        findings.error(table.file, message, line=int(table.lines[row]), column=reading.spells["begin"])
        return None
    return np.asarray(order[np.append(~same, True)], dtype=np.int64)


def _meet(spells: _Spells, order: IntArray) -> BoolArray:
    """bool: of records next to each other in this order, those where one spell begins as the other ends."""
    earlier, later = spells.rows[order[:-1]], spells.rows[order[1:]]
    at = spells.time[order[1:]]
    return np.asarray((spells.first[later] == at) & (spells.last[earlier] == at), dtype=bool)


def main_key(table: TextTable, reading: FileReading, length: IntArray | None) -> FloatArray:
    """float64 [N]: the record or spell with the largest is the main one. RequestError for a rule that is none."""
    rule = reading.main
    if rule in (None, "latest"):
        return np.zeros(table.rows)
    if rule == "longest":
        if length is None:
            raise RequestError("--main longest is for --spells: write latest, or such as hours=COLUMN")
        return length.astype(np.float64)
    name = str(rule).partition("=")[2]
    if name not in table.columns:
        near = f"; {did_you_mean(name, table.columns)}" if name else ""
        raise RequestError(f"--main {rule}: write {RULES}{near}")
    column = table.columns[name]
    if isinstance(column, NumberColumn):
        return np.nan_to_num(column.numbers(), nan=-np.inf)
    numbers = to_numbers(column.distinct)
    if numbers is None:
        raise RequestError(f"--main {rule}: '{name}' is no column of numbers")
    return np.nan_to_num(numbers, nan=-np.inf)[column.index]
