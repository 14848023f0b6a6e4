"""Files of Stata, SPSS and SAS, with what they say of their columns and values (read by pyreadstat)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.columns import Column, NumberColumn, TextTable, encode
from harness.data.tables.csvfile import MOST_UNPACKED, gigabytes, is_regular
from harness.data.tables.extras import imported
from harness.panel.time import PER_YEAR
from harness.panel.time import name as time_name

READERS = {
    ".dta": ("read_dta", "Stata"),
    ".sav": ("read_sav", "SPSS"),
    ".zsav": ("read_sav", "SPSS"),
    ".por": ("read_por", "SPSS"),
    ".sas7bdat": ("read_sas7bdat", "SAS"),
    ".xpt": ("read_xport", "SAS"),
}
EXACT = 1 << 53  # up to here a floating-point number is the whole number that it looks like
CARD = 80  # bytes: a SAS transport file is whole cards, and says nowhere how many rows it has
# Unit, and how many of it one is, of what Stata counts from January 1960; weeks become dates.
STATA_TIMES = {"%tm": ("month", 1), "%tq": ("quarter", 1), "%th": ("quarter", 2), "%tw": ("week", 1)}


def read_labelled(path: Path, findings: Findings) -> TextTable | None:
    """All columns of a file of Stata, SPSS or SAS; None, and an error, where it cannot be read.

    Missing values of every kind (``.a`` to ``.z``, SPSS's own of a user) are missing; codes stay codes, and their
    labels stand beside them; dates are written as 2001-03-14.
    """
    if not is_regular(path, findings):
        return None
    pyreadstat = imported("pyreadstat", path)
    reader, program = READERS[path.suffix.casefold()]
    read = getattr(pyreadstat, reader)
    if path.suffix.casefold() == ".xpt" and path.stat().st_size % CARD:
        findings.error(path.name, "is truncated: save or download it again")
        return None
    try:
        _, head = read(str(path), metadataonly=True)
        size = 8 * (head.number_rows or 0) * max(head.number_columns or 0, 1)
        if size > MOST_UNPACKED:
            message = (
                f"unpacks to {gigabytes(size)}, more than {gigabytes(MOST_UNPACKED)}: keep fewer columns or persons"
            )
            findings.error(path.name, message)
            return None
        columns, meta = read(str(path), output_format="dict")
    except MemoryError:
        findings.error(path.name, "does not fit into memory: keep fewer columns or persons")
        return None
    except Exception as error:  # noqa: BLE001  # pyreadstat raises errors of its own, and whatever decoding does
        reason = " ".join(str(error).split()) or type(error).__name__
        findings.error(path.name, f"is not a readable file of {program} ({reason}): save or download it again")
        return None
    return _table(path.name, program, columns, meta=meta, findings=findings)


def _table(file: str, program: str, columns: dict[str, list[Any]], meta: Any, findings: Findings) -> TextTable | None:
    rows = len(next(iter(columns.values()), ()))
    if not rows:
        findings.error(file, "has no rows")
        return None
    formats = meta.original_variable_types
    made = {name: _column(values, str(formats.get(name) or "")) for name, values in columns.items()}
    return TextTable(
        file,
        made,
        rows,
        np.arange(1, rows + 1, dtype=np.int64),
        header_line=None,
        facts={"format": program, "encoding": str(meta.file_encoding or "UTF-8"), "blanks": "missing values"},
        titles={name: title for name, title in meta.column_names_to_labels.items() if title},
        labels={name: _labels(of) for name, of in meta.variable_value_labels.items()},
    )


def _labels(values: Any) -> dict[str, str]:
    """Value, as ``NumberColumn.text`` writes it, -> label."""
    return {_written(value): str(label).strip() for value, label in values.items()}


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _column(values: Sequence[Any], form: str) -> Column:
    """Numbers as numbers, all else as text; times of Stata by their names."""
    import pyarrow as pa

    if form[:3] in STATA_TIMES:
        return encode(pa.array([None if v is None else _counted(int(v), form[:3]) for v in values], pa.string()))
    if (numbers := _numbers(values)) is not None:
        return NumberColumn(numbers)
    return encode(pa.array([_text(value) for value in values], pa.string()))


def _counted(number: int, form: str) -> str:
    """A time that Stata counts from 1960: a half-year by its first quarter, a week (52 a year) by its first day."""
    if form == "%tw":
        year, week = divmod(number, 52)
        return (datetime.date(1960 + year, 1, 1) + datetime.timedelta(7 * week)).isoformat()
    unit, step = STATA_TIMES[form]
    return time_name(step * number + 1960 * PER_YEAR[unit], unit)


def _numbers(values: Sequence[Any]) -> Any:
    """A pyarrow array of numbers, whole ones as integers; None where they are something else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # numbers and text, one beside the other
        return None
    if pa.types.is_null(array.type):
        return array.cast(pa.float64())
    if pa.types.is_integer(array.type):
        return array.cast(pa.int64())
    if not pa.types.is_floating(array.type):
        return None
    whole = pc.and_(pc.equal(array, pc.round(array)), pc.less(pc.abs(array), float(EXACT)))
    return array.cast(pa.int64()) if pc.all(whole).as_py() else array.cast(pa.float64())


def _text(value: Any) -> str | None:
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else str(value)
