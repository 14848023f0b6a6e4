"""Reads a table by its name: csv, csv.gz, or parquet with what that knows of each column's type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.columns import Column, NumberColumn, TextTable, encode
from harness.data.tables.csvfile import read_csv


def read_parquet(path: Path, findings: Findings) -> TextTable | None:
    """All columns of a parquet file: numbers stay numbers, all else becomes text; None where it cannot be read."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        findings.error(path.name, f"is not a readable parquet file ({reason}): write it again")
        return None
    columns: dict[str, Column] = {}
    for position, name in enumerate(table.column_names):
        if name in columns:
            findings.error(path.name, "two columns have this name: give each its own", column=name)
            continue
        try:
            columns[name] = _column(table.column(position).combine_chunks())
        except (pa.ArrowException, UnicodeDecodeError):
            kind = table.column(position).type
            findings.error(path.name, f"is of type {kind}: write text or numbers, one value a row", column=name)
    if not table.num_rows:
        findings.error(path.name, "has no rows")
        return None
    return TextTable(
        path.name, columns, table.num_rows, np.arange(1, table.num_rows + 1, dtype=np.int64), header_line=None
    )


def _column(array: Any) -> Column:
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):  # pandas writes categories so, in an order of its own
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NumberColumn(array)
    return encode(array.cast(pa.string()))


def read_file(path: Path, findings: Findings) -> TextTable | None:
    """A csv, csv.gz or parquet file, by its name."""
    return read_parquet(path, findings) if path.suffix == ".parquet" else read_csv(path, findings)
