"""The rows of a file of probabilities, a batch at a time: the longest takes no more memory than what it says."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data.tables.columns import TextColumn, encode
from harness.errors import Fault, RequestError
from harness.submission.layout import FileLayout, as_text, names_of
from harness.types import FloatArray

BLOCK = 1 << 24  # bytes of a csv file that are parsed at a time
BATCH = 1 << 19  # rows of a parquet file
CELLS = 1 << 24  # and numbers in them, of a wide one
NO_ROWS = "{}: has column names and no rows"
NUMBER = re.compile(r"\s*([+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?|nan|)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class RowBatch:
    """Rows ``first``, ``first`` + 1, ... of a file, from 0. values: float64 [n, m], NaN where there is none."""

    first: int
    person: TextColumn
    year: TextColumn
    state: TextColumn | None
    values: FloatArray


def batches(layout: FileLayout) -> Iterator[RowBatch]:
    """The rows of the file. RequestError, with the line, where one is no row of the table or its number no number."""
    first = 0
    for record_batch in _arrow_batches(layout):
        if not record_batch.num_rows:
            continue
        text = {name: _text(layout, record_batch, name) for name in (layout.person, layout.year, layout.state) if name}
        values = np.column_stack([_numbers(layout, record_batch, name) for name in layout.values])
        state = text[layout.state] if layout.state else None
        yield RowBatch(first=first, person=text[layout.person], year=text[layout.year], state=state, values=values)
        first += record_batch.num_rows
    if not first:
        raise RequestError(NO_ROWS.format(layout.path.name))


def _arrow_batches(layout: FileLayout) -> Iterator[Any]:
    import pyarrow as pa

    wanted = [name for name in (layout.person, layout.year, layout.state) if name]
    try:
        if layout.kind == "parquet":
            from pyarrow import parquet

            size = max(1, min(BATCH, CELLS // len(layout.values)))
            with parquet.ParquetFile(layout.path) as file:
                yield from file.iter_batches(size, columns=[*wanted, *layout.values])
            return
        yield from _csv_batches(layout, wanted)
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        if layout.kind != "parquet":
            _tell_line(layout)
        reason = str(error).splitlines()[0]
        raise RequestError(f"{layout.path.name}: cannot be read ({reason}): write it again") from error


def _csv_batches(layout: FileLayout, wanted: Sequence[str]) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    coded = pa.dictionary(pa.int32(), pa.string())
    types = dict.fromkeys(wanted, coded) | dict.fromkeys(layout.values, pa.float64())
    names = names_of(layout.path, layout.kind)
    with pa.input_stream(str(layout.path), compression="gzip" if layout.kind == "csv.gz" else None) as stream:
        yield from arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(block_size=BLOCK, column_names=names, skip_rows=1),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=False, null_values=[""]
            ),
        )


def _text(layout: FileLayout, batch: Any, name: str) -> TextColumn:
    import pyarrow as pa

    array = batch.column(name)
    try:
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        plain = array if kind == pa.string() else array.cast(kind).cast(pa.string())
        return encode(plain).stripped()
    except pa.ArrowException as error:
        raise RequestError(layout.fault(f"is of type {array.type}: write text or numbers", column=name)) from error


def _numbers(layout: FileLayout, batch: Any, name: str) -> FloatArray:
    import pyarrow as pa

    array = batch.column(name)
    if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type) or pa.types.is_decimal(array.type)):
        raise RequestError(layout.fault(f"is of type {array.type}: write numbers", column=name))
    return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _tell_line(layout: FileLayout) -> None:
    """RequestError of the first row that is none of the table; the quick reader does not say where it stands."""
    file, line = layout.path.name, 1
    try:
        with as_text(layout.path, layout.kind) as text:
            reader = csv.reader(text)
            names = [name.strip() for name in next(reader)]
            empty, numbers = True, [(names.index(name), name) for name in layout.values]
            for row in reader:
                line, empty = reader.line_num, False
                if row and len(row) != len(names):
                    message = f"the row has {len(row)} entries, the header {len(names)}"
                    raise RequestError(str(Fault(file, message, line)))
                for position, name in numbers if row else ():
                    if not NUMBER.fullmatch(row[position]):
                        raise RequestError(
                            str(
                                Fault(
                                    file=file,
                                    message=_no_number(row[position]),
                                    line=line,
                                    column=name,
                                    value=row[position],
                                )
                            )
                        )
                if any("\udc80" <= c <= "\udcff" for entry in row for c in entry):
                    raise RequestError(str(Fault(file, "is not UTF-8: save the whole file as UTF-8", line)))
            if empty:
                raise RequestError(NO_ROWS.format(file))
    except (OSError, EOFError, csv.Error) as error:
        raise RequestError(str(Fault(file, f"cannot be read on ({error}): write it again", line + 1))) from error


def _no_number(entry: str) -> str:
    if re.fullmatch(r"\s*[+-]?\d*,\d+\s*", entry):
        return "is not a number: write the decimals behind a point"
    return "is not a number"
