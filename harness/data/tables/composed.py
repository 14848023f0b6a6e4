"""Parts that no single column is: ids and times of several columns, and ages in the place of years."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.covariates import to_numbers
from harness.data.reading import FileReading
from harness.data.tables.columns import Column, NumberColumn, TextColumn, TextTable, encode
from harness.data.tables.times import full_year, read_times
from harness.data.tables.wide import ROW, TIME
from harness.errors import RequestError
from harness.panel.time import PER_YEAR
from harness.types import FloatArray

MONTH = re.compile(r"mon|mth|mes|mois", re.IGNORECASE)
BIRTH, AGE = "birth_year", "age"


def composed(table: TextTable, parts: dict[str, str]) -> tuple[TextTable, dict[str, str]]:
    """The table with a column for every part that is several columns joined by '+', as ``person=HOUSEHOLD+MEMBER``.

    Of a time, the first is the year and the second a quarter (1 to 4) or a month.
    """
    for part, name in list(parts.items()):
        pieces = [piece.strip() for piece in name.split("+")]
        if name in table.columns or len(pieces) < 2 or any(piece not in table.columns for piece in pieces):
            continue
        columns = [table.columns[piece].text().stripped() for piece in pieces]
        if part == "year":
            quarters = _are_quarters(table, pieces[1:2])
            columns = [_whole(columns[0]), _within_year(columns[1], quarters), *columns[2:]]
        made = columns[0]
        for column in columns[1:]:
            made = _joined(made, column)
        kept = {n: column for n, column in table.columns.items() if n not in pieces or part not in ("person", "year")}
        table = replace(table, columns={**kept, name: made})
    return table, parts


def composed_ends(table: TextTable, reading: FileReading) -> TextTable:
    """The table with a column for each end of a spell that is several joined by '+', as ``begin=YEAR+MONTH``.

    An end with a year and no month is no time, and told as such; one with neither is blank.
    """
    ends = {name: [piece.strip() for piece in name.split("+")] for name in reading.spells.values()}
    ends = {name: pieces for name, pieces in ends.items() if len(pieces) == 2 and {*pieces} <= {*table.columns}}
    quarters = _are_quarters(table, [within for _, within in ends.values()])
    made: dict[str, Column] = {}
    for name, pieces in ends.items():
        year, within = (table.columns[piece].text().stripped() for piece in pieces)
        made[name] = _joined(_whole(year), _within_year(within, quarters), half="{}-{}")
    used = {piece for pieces in ends.values() for piece in pieces}
    return replace(table, columns={n: c for n, c in table.columns.items() if n not in used} | made)


def _whole(column: TextColumn) -> TextColumn:
    """The column with '1998.0' as '1998', as programs write it beside a blank."""
    return column.change(lambda value: value.removesuffix(".0"))


def numbered(table: TextTable, parts: dict[str, str], each: int) -> tuple[TextTable, dict[str, str]]:
    """The table with persons, and where it has no times waves, by the places of rows: ``each`` rows a person.

    RequestError where the rows are no multiple of it, or a column says who a person is.
    """
    if parts.get("person", "person") in table.columns:
        raise RequestError(f"--rows-each {each}: column '{parts.get('person', 'person')}' says who a person is already")
    if table.rows % each:
        raise RequestError(f"--rows-each {each}: {table.file} has {table.rows:,} rows, which are no multiple of it")
    person, wave = np.divmod(np.arange(table.rows), each)
    columns = {**table.columns, ROW: TextColumn([str(i) for i in range(1, table.rows // each + 1)], person)}
    parts = {**parts, "person": ROW}
    if parts.get("year", "year") not in columns and not {"year", AGE} & set(parts):
        columns[TIME] = TextColumn([f"wave {i}" for i in range(1, each + 1)], wave)
        parts["year"] = TIME
    return replace(table, columns=columns), parts


def _are_quarters(table: TextTable, names: Iterable[str]) -> bool:
    """True of columns of quarters: by their names, or where no number in any of them is above four."""
    names = list(names)
    if any(MONTH.search(name) for name in names):
        return False
    values = [value for name in names for value in _whole(table.columns[name].text().stripped()).distinct]
    numbers = [int(value) for value in values if value.isdigit()]
    return bool(numbers) and max(numbers) <= 4


def _within_year(column: TextColumn, quarters: bool) -> TextColumn:
    """'Q3' of a column of quarters, '07' of one of months."""
    column = _whole(column)
    return column.change(lambda value: (f"Q{value}" if quarters else value.zfill(2)) if value else "")


def _joined(left: TextColumn, right: TextColumn, half: str = "") -> TextColumn:
    """Values joined by a hyphen. half: form of one of which a part is blank."""
    width = len(right.distinct)
    pairs, index = np.unique(left.index.astype(np.int64) * width + right.index, return_inverse=True)
    names = [(left.distinct[pair // width], right.distinct[pair % width]) for pair in pairs.tolist()]
    joined = [f"{a}-{b}" if a and b else half.format(a, b) if a or b else "" for a, b in names]
    position: dict[str, int] = {}
    target = np.array([position.setdefault(one, len(position)) for one in joined], dtype=np.int64)
    return TextColumn(list(position), target[index])


def aged(
    table: TextTable, parts: dict[str, str], reading: FileReading, findings: Findings
) -> tuple[TextTable, dict[str, str]]:
    """The table with a year of birth, from the columns that ``--column age=`` and ``birth_year=`` name.

    An age without a year is the time of a record, in years of age, unless a year of birth makes a calendar year of it.
    """
    age, birth = (_numbers(table, parts, part, findings) for part in (AGE, BIRTH))
    taken = {name for part, name in parts.items() if part in (AGE, BIRTH)}
    parts = {part: name for part, name in parts.items() if part not in (AGE, BIRTH)}
    if age is None and birth is None:
        return table, parts
    columns = {name: column for name, column in table.columns.items() if name not in taken}
    if birth is not None and reading.century is not None:
        short = birth < 100
        birth = np.where(short, full_year(np.nan_to_num(birth).astype(int), reading.century), birth)  # type: ignore[arg-type]
    year = parts.get("year", "year")
    if age is not None and year not in columns:
        values = [None if np.isnan(a) else int(a) for a in age]
        if birth is None:
            columns["time"] = _text([None if v is None else f"age {v}" for v in values])
        else:
            born = [None if np.isnan(b) else int(b) for b in birth]
            years = [None if a is None or b is None else str(a + b) for a, b in zip(values, born, strict=True)]
            columns["time"] = _text(years)
        parts["year"] = "time"
    elif age is not None and birth is None:
        birth = _born(table, parts, year, age=age, reading=reading)
    if birth is not None:
        import pyarrow as pa

        columns[BIRTH] = NumberColumn(pa.array(birth, pa.float64(), from_pandas=True))
    return replace(table, columns=columns), parts


def _text(values: list[str | None]) -> TextColumn:
    import pyarrow as pa

    return encode(pa.array(values, pa.string()))


def _numbers(table: TextTable, parts: dict[str, str], part: str, findings: Findings) -> FloatArray | None:
    """float64 [N] of the column that plays the part, NaN for missing; None where there is none."""
    name = parts.get(part)
    if name is None:
        return None
    if name not in table.columns:
        findings.error(table.file, f"there is no such column, for --column {part}=", column=name)
        return None
    column = table.columns[name]
    if isinstance(column, NumberColumn):
        return column.numbers()
    numbers = to_numbers(column.distinct)
    if numbers is None:
        findings.error(table.file, f"is no column of numbers, and cannot be the {part}", column=name)
        return None
    return numbers[column.index]


def _born(table: TextTable, parts: dict[str, str], year: str, age: FloatArray, reading: FileReading) -> FloatArray:
    """float64 [N]: the year less the age, as the first record of each person that has both tells it."""
    column = table.columns[year].text().stripped()
    times = read_times(column.distinct, reading.unit, reading.century, reading.dates)
    known = np.where(times.good, times.value // PER_YEAR.get(times.unit, 1), np.nan)[column.index]
    born = known - np.floor(age)
    person = table.columns[parts.get("person", "person")].text().stripped().index
    told = np.flatnonzero(~np.isnan(born))
    first = np.full(int(person.max(initial=0)) + 1, np.nan)
    first[person[told[::-1]]] = born[told[::-1]]
    return np.asarray(first[person], dtype=np.float64)
