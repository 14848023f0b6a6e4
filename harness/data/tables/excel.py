"""Sheets of workbooks, as spreadsheets save them (read by openpyxl)."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.columns import Column, NumberColumn, TextTable, encode
from harness.data.tables.csvfile import MOST_UNPACKED, gigabytes, is_regular
from harness.data.tables.extras import imported
from harness.errors import RequestError, did_you_mean


def read_excel(path: Path, wanted: str | None, findings: Findings) -> TextTable | None:
    """A sheet of a workbook whose first row names the columns; None, and an error, where it cannot be read.

    wanted: the sheet's name, where several hold something. RequestError, with their names, where it must be said.
    """
    if not is_regular(path, findings):
        return None
    openpyxl = imported("openpyxl", path)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_UNPACKED:
            findings.error(
                path.name, f"unpacks to {gigabytes(size)}, more than {gigabytes(MOST_UNPACKED)}: save it as csv"
            )
            return None
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        finally:
            book.close()
    except Exception as error:  # noqa: BLE001  # a broken workbook fails in its archive, its XML or anywhere between
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        findings.error(path.name, f"is not a readable workbook ({reason}): save it again as .xlsx")
        return None
    filled = [name for name, rows in sheets.items() if any(value is not None for row in rows for value in row)]
    if wanted is not None and wanted not in sheets:
        raise RequestError(f"--object {wanted}: {path.name} has no such sheet; {did_you_mean(wanted, sheets)}")
    if wanted is None and len(filled) > 1:
        raise RequestError(f"{path.name} holds {len(filled)} sheets, {', '.join(filled)}: choose one, --object NAME")
    name = wanted or (filled[0] if filled else "")
    return _table(path.name, name, sheets.get(name, []), findings)


def _table(file: str, sheet: str, rows: list[tuple[Any, ...]], findings: Findings) -> TextTable | None:
    numbered = [(i, row) for i, row in enumerate(rows, start=1) if any(value is not None for value in row)]
    if len(numbered) < 2:
        findings.error(file, "has no rows below a row of column names")
        return None
    (top, header), body = numbered[0], numbered[1:]
    columns: dict[str, Column] = {}
    for position, heading in enumerate(header):
        name = "" if heading is None else str(heading).strip()
        if name in columns:
            findings.error(file, "two columns have this name: give each its own", line=top, column=name)
        elif name:
            columns[name] = _column([row[position] if position < len(row) else None for _, row in body])
    blank = len(rows) - len(numbered)
    left_out = {f"blank rows of {file}": blank} if blank else {}
    if unnamed := sum(heading is None for heading in header):
        left_out[f"columns of {file} without a name"] = unnamed
    lines = np.array([i for i, _ in body], dtype=np.int64)
    facts = {"format": "workbook", "sheet": sheet}
    return TextTable(file, columns, len(body), lines, header_line=top, left_out=left_out, facts=facts)


def _column(values: list[Any]) -> Column:
    import pyarrow as pa

    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        if all(value is None or float(value).is_integer() for value in values):
            return NumberColumn(pa.array([None if v is None else int(v) for v in values], pa.int64()))
        return NumberColumn(pa.array([None if v is None else float(v) for v in values], pa.float64()))
    return encode(pa.array([_text(value) for value in values], pa.string()))


def _text(value: Any) -> str | None:
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else str(value)
