"""Times of records made plain: their unit, thinned to a coarser one, one record of a person each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.reading import FileReading
from harness.data.tables.columns import TextColumn, TextTable
from harness.data.tables.spells import main_key
from harness.data.tables.times import Times, read_times
from harness.errors import RequestError
from harness.panel.time import PER_YEAR
from harness.panel.time import name as time_name
from harness.types import IntArray

WITHIN = {
    "date": "are dates: say how often a record is kept, --every year, quarter or month, the last of each",
    "decimal": "have decimals: if they are years (1998.25 is April 1998), say how often a record is kept, --every "
    "year, quarter or month; else cut the decimals off with their unit, --unit wave, month or age",
}


def timed(
    table: TextTable, parts: dict[str, str], reading: FileReading, findings: Findings
) -> tuple[TextTable, str | None]:
    """The table with times by their names, thinned as asked, and their unit: None where they are plain years or wrong.

    Of several records of one person and time, ``--main`` keeps one, and ``--every`` the last of each period; those that
    go are counted.
    """
    name = parts.get("year", "year")
    if name not in table.columns or parts.get("person", "person") not in table.columns:
        return table, None
    column = table.columns[name].text().stripped()
    known = column.change(lambda value: value)
    times = read_times([value for value in known.distinct if value], reading.unit, reading.century, reading.dates)
    if times.refused and reading.unit is None and reading.every and "--unit month" in times.refused:
        times = read_times([value for value in known.distinct if value], "month", reading.century)
    refused = times.refused or (WITHIN.get(times.kind) if not reading.every else None)
    if refused:
        first = int(np.flatnonzero(known.where(bool))[0]) if known.where(bool).any() else 0
        findings.error(table.file, refused, line=int(table.lines[first]), column=name, value=known.row(first))
        return table, None
    if times.note:
        findings.note(table.file, times.note, column=name)
    table, unit = _thinned(table, known, parts, times=times, reading=reading)
    return table, unit


def _thinned(
    table: TextTable, column: TextColumn, parts: dict[str, str], times: Times, reading: FileReading
) -> tuple[TextTable, str]:
    unit, at = _every(reading, times.unit)
    per = PER_YEAR.get(times.unit, 1) // PER_YEAR.get(unit, 1)
    place = {value: i for i, value in enumerate(v for v in column.distinct if v)}
    names = [
        time_name(int(times.value[place[v]]) // per, unit) if v in place and times.good[place[v]] else v
        for v in column.distinct
    ]
    changed = column if names == column.distinct else column.named(names)
    columns = {**table.columns, parts.get("year", "year"): changed}
    if at is None and not reading.every and not reading.main and reading.order != "time":
        return replace(table, columns=columns), unit
    spot = np.array([place.get(value, -1) for value in column.distinct], dtype=np.int64)[column.index]
    good = (spot >= 0) & np.append(times.good, False)[spot]
    value, order = np.append(times.value, 0)[spot], np.append(times.order, 0)[spot]
    kept = np.ones(table.rows, dtype=bool)
    reasons: dict[str, int] = {}
    if at is not None:
        kept = ~good | (value % per == at - 1)
        reasons[f"records of {table.file} that are not of {times.unit} {at} of their {unit}"] = int((~kept).sum())
    if reading.every or reading.main:
        key = main_key(table, reading, length=None) if reading.main and not reading.spells else np.zeros(table.rows)
        last = _last(
            table.columns[parts.get("person", "person")].text().stripped().index,
            value // per,
            good & kept,
            (order, key),
        )
        gone = good & kept & ~last
        what = f"the last of their {unit}" if reading.every else "the main one of their time"
        reasons[f"records of {table.file} that are not {what}"] = int(gone.sum())
        kept &= ~gone
    left_out = {**table.left_out, **{reason: count for reason, count in reasons.items() if count}}
    table = replace(table, columns=columns, left_out=left_out)
    rows = np.lexsort((order, value)) if reading.order == "time" else np.arange(table.rows)
    rows = rows[kept[rows]]
    return (table if reading.order != "time" and kept.all() else table.take(rows)), unit


def _every(reading: FileReading, unit: str) -> tuple[str, int | None]:
    """The unit that is thinned to, and the month or quarter of it that is kept. RequestError where it cannot be."""
    if reading.every is None:
        return unit, None
    period, colon, at = reading.every.partition(":")
    if period not in PER_YEAR:
        raise RequestError(f"--every {reading.every}: write year, quarter or month, or such as year:6 for that of June")
    if unit not in PER_YEAR or PER_YEAR[unit] < PER_YEAR[period]:
        raise RequestError(f"--every {reading.every}: times are {unit}s, which have no {period}s to be thinned to")
    per = PER_YEAR[unit] // PER_YEAR[period]
    if colon and per == 1:
        raise RequestError(f"--every {reading.every}: times are {unit}s already, one of each: leave '{colon}{at}' out")
    if colon and not (at.isdigit() and 1 <= int(at) <= per):
        raise RequestError(f"--every {reading.every}: write the {unit} of the {period} as a number from 1 to {per}")
    return period, int(at) if colon else None


def _last(person: IntArray, period: IntArray, among: np.ndarray, keys: tuple[IntArray, np.ndarray]) -> np.ndarray:
    """bool [N]: of each person and period the last record by these keys, and by its row where they are alike."""
    rows = np.flatnonzero(among)
    order = rows[np.lexsort((rows, keys[1][rows], keys[0][rows], period[rows], person[rows]))]
    ends = np.append((np.diff(person[order]) != 0) | (np.diff(period[order]) != 0), True)[: len(order)]
    last = np.zeros(len(person), dtype=bool)
    last[order[ends]] = True
    return last
