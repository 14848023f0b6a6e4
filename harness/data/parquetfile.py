"""Reads parquet, keeping what the file knows about each column's type."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data.columns import Column, NumberColumn, Table, encode
from harness.data.faults import Findings


def read_parquet(path: Path, findings: Findings) -> Table | None:
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
        array = table.column(position).combine_chunks()
        kind = array.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            columns[name] = NumberColumn(array)
        elif pa.types.is_nested(kind):
            findings.error(path.name, f"is of type {kind}: a column must hold one value a row", column=name)
        elif pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
            columns[name] = encode(array)
        else:
            columns[name] = encode(array.cast(pa.string()))
    if not table.num_rows:
        findings.error(path.name, "has no rows")
        return None
    return Table(path.name, columns, table.num_rows, np.arange(1, table.num_rows + 1, dtype=np.int64))


def read_file(path: Path, findings: Findings) -> Table | None:
    """A csv, csv.gz or parquet file, by its name."""
    from harness.data.csvfile import read_csv

    return read_parquet(path, findings) if path.suffix in (".parquet", ".pq") else read_csv(path, findings)
