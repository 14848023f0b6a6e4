"""Reads a table by its name: text, parquet and feather with what they know of types, and other programs' files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.reading import FileReading
from harness.data.tables.columns import Column, NumberColumn, TextTable, encode
from harness.data.tables.csvfile import MOST_UNPACKED, gigabytes, is_regular
from harness.data.tables.delimited import read_delimited
from harness.data.tables.packed import unpacked

PLAIN = FileReading()


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
    named = list(zip(table.column_names, table.columns, strict=True))
    del table
    return _table(path.name, named, "parquet", findings)


def _table(file: str, named: list[tuple[str, Any]], form: str, findings: Findings) -> TextTable | None:
    """A table of columns (pyarrow.ChunkedArray) by name, which are taken from the list one by one: a large one does not
    stand in memory twice. None, and an error, where it has no rows.
    """
    import pyarrow as pa

    rows = len(named[0][1]) if named else 0
    columns: dict[str, Column] = {}
    named.reverse()
    while named:
        name, chunks = named.pop()
        if name in columns:
            findings.error(file, "two columns have this name: give each its own", column=name)
            continue
        try:
            columns[name] = _column(chunks.combine_chunks())
        except (pa.ArrowException, UnicodeDecodeError):
            findings.error(file, f"is of type {chunks.type}: write text or numbers, one value a row", column=name)
    if not rows:
        findings.error(file, "has no rows")
        return None
    lines = np.arange(1, rows + 1, dtype=np.int64)
    return TextTable(file, columns, rows, lines, header_line=None, facts={"format": form})


def _one_file(path: Path, findings: Findings) -> Any:
    """A pyarrow.Table; None, and an error, where it would not fit into memory.

    Text stays encoded as the file has it: to write it out, row by row, takes longer than all else.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        if not _fits(path.name, [file.metadata], findings):
            return None
        text = [
            one.name for one in file.schema_arrow if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)
        ]
    with parquet.ParquetFile(path, read_dictionary=text) as file:
        return file.read()


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
        if pa.types.is_string(array.type.value_type):
            return encode(array).as_first_seen()
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NumberColumn(array)
    return encode(array.cast(pa.string()))


TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat", ".asc", ".raw")
ARROW = (".feather", ".arrow")
LABELLED = (".dta", ".sav", ".zsav", ".por", ".sas7bdat", ".xpt")
OF_R = (".rds", ".rdata", ".rda")
WORKBOOKS = (".xlsx", ".xlsm")
PACKED = (".zip", ".gz")
ENDINGS = (*TEXT, ".parquet", *ARROW, *LABELLED, *OF_R, *WORKBOOKS)


def is_readable(name: str) -> bool:
    """True of a file whose name says that it is a table, packed or not."""
    path = Path(name)
    if path.suffix.casefold() == ".gz":
        return Path(path.stem).suffix.casefold() in ENDINGS
    return path.suffix.casefold() in (*ENDINGS, ".zip")


def is_parquet_folder(path: Path) -> bool:
    return path.is_dir() and next(path.rglob("*.parquet"), None) is not None


def read_file(path: Path, findings: Findings, year: str = "", reading: FileReading = PLAIN) -> TextTable | None:
    """A table by its name; None, and an error, where it cannot be read.

    year: the column that rows of a folder of files are sorted by.
    """
    kind = path.suffix.casefold()
    if kind == ".parquet" or is_parquet_folder(path):
        return read_parquet(path, findings, year)
    if kind in ARROW:
        return read_feather(path, findings)
    if kind in LABELLED:
        from harness.data.tables.labelled import read_labelled

        return read_labelled(path, findings)
    if kind in OF_R:
        from harness.data.tables.rfile import read_r

        return read_r(path, reading.object, findings)
    if kind in WORKBOOKS:
        from harness.data.tables.excel import read_excel

        return read_excel(path, reading.object, findings)
    if kind == ".zip" or (kind == ".gz" and Path(path.stem).suffix.casefold() not in TEXT):
        with unpacked(path, reading.object, is_readable, findings) as inside:
            return None if inside is None else read_file(inside, findings, year, reading)
    return read_delimited(path, reading, findings)


def read_feather(path: Path, findings: Findings) -> TextTable | None:
    """All columns of a feather (arrow) file; None, and an error, where it cannot be read."""
    import pyarrow as pa
    from pyarrow import feather

    if not is_regular(path, findings):
        return None
    try:
        table = feather.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        findings.error(path.name, f"is not a readable feather file ({reason}): write it again")
        return None
    named = list(zip(table.column_names, table.columns, strict=True))
    del table
    return _table(path.name, named, "feather", findings)
