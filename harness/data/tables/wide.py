"""One row a person and a column a point in time: such tables made long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from operator import itemgetter

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.reading import FileReading
from harness.data.tables.columns import TextColumn, TextTable
from harness.data.tables.times import LAST_YEAR, Times, full_year, read_times
from harness.errors import RequestError, did_you_mean
from harness.panel.time import name as time_name
from harness.types import IntArray

TIME, STATE, ROW = "time", "state", "row"  # columns of a long table, unless the file has such
OF_A_YEAR = re.compile(r"(18|19|20)\d\d[-_. mqt]?$", re.IGNORECASE)  # what months of one year share
LETTER = re.compile(r"[a-z]", re.IGNORECASE)  # of a survey whose waves are letters
FAR_APART = 10  # waves that a column may stand for on average
AGES = re.compile(r"(.*[^a-z])?a(ge)?[_. ]?", re.IGNORECASE)


@dataclass(frozen=True)
class Range:
    """Columns of one variable, in the order of their times. unit, time: int64 [T]."""

    name: str
    columns: tuple[str, ...]
    unit: str
    time: IntArray


def find_range(text: str, table: TextTable, reading: FileReading) -> Range:
    """The columns that 'FIRST..LAST' or 'NAME=FIRST..LAST' stands for, their times read from their names.

    In the order of the file, from the first to the last, whatever has a name like theirs. RequestError where there is
    no such range.
    """
    name, equals, ends = text.partition("=") if "=" in text else ("", "", text)
    first, dots, last = (part.strip() for part in ends.partition(".."))
    names = list(table.columns)
    if not (first and dots and last):
        raise RequestError(f"--wide {text}: write the first and the last column, as --wide 'Jul.93..Jun.99'")
    for end in (first, last):
        if end not in table.columns:
            raise RequestError(f"--wide {text}: {table.file} has no column '{end}'; {did_you_mean(end, names)}")
    if names.index(first) >= names.index(last):
        raise RequestError(f"--wide {text}: column '{last}' does not come after '{first}' in {table.file}")
    between = names[names.index(first) : names.index(last) + 1]
    columns, times = _times(between, reading)
    if len(columns) < 2 or columns[0] != first or columns[-1] != last:
        raise RequestError(f"--wide {text}: names such as '{first}' and '{last}' tell no time; rename them, as occ1998")
    if len(np.unique(times.value)) < len(columns):
        raise RequestError(f"--wide {text}: two columns are of one {times.unit}")
    order = np.argsort(times.value)
    return Range(name.strip() if equals else STATE, tuple(columns[i] for i in order), times.unit, times.value[order])


def _times(names: Sequence[str], reading: FileReading) -> tuple[list[str], Times]:
    """Of these columns, those whose names tell a time as the first and the last do; and the times."""
    whole = read_times(names, None, reading.century)
    if (
        whole.kind in ("month", "quarter", "date", "wave", "age")
        and not whole.refused
        and whole.good[0]
        and whole.good[-1]
    ):
        return _good(names, whole)
    if whole.kind == "whole" and whole.good.all():
        return list(names), _numbers(list(names), "", reading)
    stem = OF_A_YEAR.sub("", shared(names[0], names[-1]).rstrip("0123456789"))
    tail = shared(names[0][::-1], names[-1][::-1])[::-1].lstrip("0123456789")
    like = [name for name in names if name.startswith(stem) and name.endswith(tail)]
    tokens = [name[len(stem) : len(name) - len(tail)] for name in like]
    if tokens and all(token.isdigit() for token in (tokens[0], tokens[-1])):
        kept = [i for i, token in enumerate(tokens) if token.isdigit()]
        return [like[i] for i in kept], _numbers([tokens[i] for i in kept], stem, reading)
    if all(LETTER.fullmatch(token) for token in (tokens[0], tokens[-1])):
        kept = [i for i, token in enumerate(tokens) if LETTER.fullmatch(token)]
        return [like[i] for i in kept], read_times(
            [str(ord(tokens[i].casefold()) - ord("a") + 1) for i in kept], "wave"
        )
    return _good(like, read_times(tokens, reading.unit, reading.century))


def shared(first: str, last: str) -> str:
    """The beginning that two names share."""
    same = (a == b for a, b in zip(first, last, strict=False))
    return "".join(a for a, _ in takewhile(itemgetter(1), zip(first, same, strict=False)))


def _good(names: Sequence[str], times: Times) -> tuple[list[str], Times]:
    kept = np.flatnonzero(times.good)
    good = replace(times, value=times.value[kept], order=times.order[kept], good=times.good[kept])
    return [names[i] for i in kept.tolist()], good


def _numbers(tokens: Sequence[str], stem: str, reading: FileReading) -> Times:
    """Times that are numbers in names: years, months (199807), ages after 'a' or 'age', two-digit years, or waves."""
    numbers = [int(token) for token in tokens]
    if reading.unit is not None:
        return read_times(tokens, reading.unit, reading.century)
    if min(numbers) >= 1800:
        told = read_times(tokens)
        if told.refused:
            return read_times(tokens, "month" if "month" in told.refused else "quarter")
        if told.unit == "year" and max(numbers) > LAST_YEAR:
            raise RequestError(
                f"--wide: {min(numbers)} to {max(numbers)} are no calendar years: rename the columns, as {stem}1998, "
                "or say --unit wave"
            )
        return told
    if max(numbers) < 100 and (reading.century is not None or _are_years(tokens, numbers)):
        since = 1930 if reading.century is None else reading.century
        return read_times([str(full_year(number, since)) for number in numbers])
    if max(numbers) - min(numbers) > FAR_APART * len(numbers):
        raise RequestError(
            f"--wide: {len(numbers)} columns from '{stem}{tokens[0]}' to '{stem}{tokens[-1]}' are too few to be waves "
            f"{min(numbers)} to {max(numbers)}: rename them, as {stem}1998 or {stem}1998_07, or say --unit wave"
        )
    return read_times(tokens, "age" if AGES.fullmatch(stem) else "wave")


def _are_years(tokens: Sequence[str], numbers: Sequence[int]) -> bool:
    """True of two digits each that rise from 50 or more, past 99 to 00 if need be."""
    turn = next((i for i, (a, b) in enumerate(pairwise(numbers), start=1) if b < a), len(numbers))
    years = [*numbers[:turn], *(number + 100 for number in numbers[turn:])]
    return all(len(token) == 2 for token in tokens) and numbers[0] >= 50 and years == sorted(years)


def made_long(
    table: TextTable, parts: dict[str, str], reading: FileReading, findings: Findings
) -> tuple[TextTable, dict[str, str]]:
    """A record for each person and column with a state; the parts with the columns of the long table.

    A file without a column of persons has a person a row. A column named in several ranges has its value of that time.
    """
    ranges = [find_range(text, table, reading) for text in reading.wide]
    states = [one for one in ranges if one.name in (STATE, "occupation")]
    if len(states) != 1:
        raise RequestError("--wide: one range is of the states, the others have a name, as --wide wage=w1..w7")
    state = states[0]
    if parts.get("person", "person") not in table.columns and "person" not in parts:
        findings.note(table.file, "no column says who a row is: each row is a person, by its number")
        number = TextColumn([str(line) for line in table.lines.tolist()], np.arange(table.rows))
        table = replace(table, columns={**table.columns, ROW: number})
        parts = {**parts, "person": ROW}
    used = {column for one in ranges for column in one.columns}
    rest = replace(table, columns={n: column for n, column in table.columns.items() if n not in used})
    cells = [_cells(table, one, state) for one in ranges]
    entries = cells[ranges.index(state)]
    kept = np.flatnonzero(entries.where(bool))
    rows, step = np.divmod(kept, len(state.time))
    long = rest.take(rows)
    names = [time_name(int(time), state.unit) for time in state.time]
    added = {_name(one, rest): cell.take(kept) for one, cell in zip(ranges, cells, strict=True)}
    origin = {
        _name(one, rest): TextColumn(list(one.columns), step)
        for one in ranges
        if one.time.tolist() == state.time.tolist()
    }
    blank = table.rows * len(state.time) - len(kept)
    left_out = {**long.left_out, **({f"entries of {table.file} without a state": blank} if blank else {})}
    time = TextColumn(names, step).take(np.arange(len(step)))
    long = replace(
        long,
        columns={**long.columns, **added, TIME: time},
        origin={**origin, TIME: TextColumn(list(state.columns), step)},
        left_out=left_out,
        facts={**table.facts, "shape": f"wide: {len(state.time)} columns, {state.columns[0]} to {state.columns[-1]}"},
        labels={**table.labels, STATE: _labels(table, state)},
    )
    return long, {**parts, "year": TIME, "occupation": _name(state, rest)}


def _labels(table: TextTable, state: Range) -> dict[str, str]:
    return {value: label for column in reversed(state.columns) for value, label in table.labels.get(column, {}).items()}


def _name(one: Range, rest: TextTable) -> str:
    return STATE if one.name in (STATE, "occupation") else one.name


def _cells(table: TextTable, one: Range, state: Range) -> TextColumn:
    """The entries of one range, row by row, at the times of the states; blank where it has no column of a time."""
    position: dict[str, int] = {"": 0}
    made = np.zeros((table.rows, len(state.time)), dtype=np.int64)
    place = {int(time): i for i, time in enumerate(state.time)}
    for column, time in zip(one.columns, one.time.tolist(), strict=True):
        if time in place and one.unit == state.unit:
            text = table.columns[column].text().stripped()
            target = np.array([position.setdefault(value, len(position)) for value in text.distinct], dtype=np.int64)
            made[:, place[time]] = target[text.index]
    return TextColumn(list(position), made.reshape(-1))
