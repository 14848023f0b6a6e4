"""Reads a table by its name: csv, csv.gz, or parquet with what that knows of each column's type."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.columns import Column, NumberColumn, TextTable, encode
from harness.data.tables.csvfile import MOST_UNPACKED, gigabytes, is_regular, read_csv


def read_parquet(path: Path, findings: Findings, year: str = "") -> TextTable | None:
    """All columns of a parquet file: numbers stay numbers, all else becomes text; None where it cannot be read.

    A folder of parquet files is read whole, what its folders are named by ('occupation=0110') as text; its rows have no
    order of their own, and come in that of the column ``year``, if there is one.
    """
    import pyarrow as pa

    if not path.is_dir() and not is_regular(path, findings):
        return None
    try:
        table = _partitions(path, year, findings) if path.is_dir() else _one_file(path, findings)
        if table is None:
            return None
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


def _one_file(path: Path, findings: Findings) -> Any:
    """A pyarrow.Table; None, and an error, where it would not fit into memory."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return file.read() if _fits(path.name, [file.metadata], findings) else None


def _partitions(path: Path, year: str, findings: Findings) -> Any:
    """A pyarrow.Table of all files of a folder; None, and an error, where it would not fit into memory."""
    import pyarrow as pa
    from pyarrow import dataset

    inside = [file.relative_to(path) for file in sorted(path.rglob("*.parquet"))]
    keys = dict.fromkeys(part.partition("=")[0] for file in inside for part in file.parts[:-1] if "=" in part)
    told = dataset.partitioning(pa.schema([(key, pa.string()) for key in keys]), flavor="hive")
    found = dataset.dataset(path, format="parquet", partitioning=told)
    if not _fits(path.name, [fragment.metadata for fragment in found.get_fragments()], findings):
        return None
    table = found.to_table()
    return table.sort_by(year) if year in table.column_names else table


def _fits(file: str, metadata: Iterable[Any], findings: Findings) -> bool:
    """False, and an error, where these parquet files say that they unpack to more than one may."""
    size = 0
    for one in metadata:
        packed = sum(one.row_group(i).total_byte_size for i in range(one.num_row_groups))
        size += max(packed, 8 * one.num_rows * one.num_columns)  # a number of a million rows alike takes a few bytes
    if size > MOST_UNPACKED:
        findings.error(
            file, f"unpacks to {gigabytes(size)}, more than {gigabytes(MOST_UNPACKED)}: keep fewer columns or persons"
        )
    return size <= MOST_UNPACKED


def _column(array: Any) -> Column:
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):  # pandas writes categories so, in an order of its own
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NumberColumn(array)
    return encode(array.cast(pa.string()))


def read_file(path: Path, findings: Findings, year: str = "") -> TextTable | None:
    """A csv, csv.gz or parquet file, by its name. year: the column that rows of a folder of files are sorted by."""
    return read_parquet(path, findings, year) if path.suffix == ".parquet" else read_csv(path, findings)
