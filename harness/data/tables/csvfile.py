"""Reads text with delimiters: fast where it is sound, and line by line where not, to say what is wrong and where."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.columns import TextTable, encode
from harness.system.words import counted

# What decoding with "surrogateescape" leaves of a byte that is not UTF-8.
STRAY = re.compile("[\udc80-\udcff]")
MOST_UNPACKED = 8_000_000_000  # bytes that a compressed file may hold: a few kilobytes can unpack to any number
PART = 1 << 24


def read_bytes(path: Path, findings: Findings, encoding: str | None = None) -> bytes | None:
    """The content of a file, unpacked where its name ends in .gz; None where it cannot be read, which is an error.

    encoding: the file's, where it is not UTF-8, to which it is then changed.
    """
    if not is_regular(path, findings):
        return None
    try:
        packed = path.read_bytes()
    except OSError as error:
        findings.error(path.name, f"cannot be read: {error.strerror}")
        return None
    data = _unpack(path.name, packed, findings) if path.suffix == ".gz" else packed
    if data is None:
        return None
    if encoding is not None:
        data = _as_utf8(path.name, data, encoding, findings)
    if data is None:
        return None
    if path.suffix != ".gz" and data[:2] == b"\x1f\x8b":
        findings.error(path.name, "is gzip inside: name it .csv.gz")
    elif data[:4] == b"PAR1":
        findings.error(path.name, "is parquet inside: name it .parquet")
    elif data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:1000]:
        findings.error(
            path.name, "is not UTF-8 text (UTF-16, or not text at all): save it as UTF-8, or name its --encoding"
        )
    elif not data[:1000].strip() and not data.strip():
        findings.error(path.name, "is empty")
    else:
        return data
    return None


def _as_utf8(file: str, data: bytes, encoding: str, findings: Findings) -> bytes | None:
    try:
        return data.decode(encoding).encode("utf-8")
    except LookupError:
        findings.error(file, f"--encoding {encoding}: no encoding has this name; write such as latin-1 or utf-16")
    except UnicodeDecodeError as error:
        findings.error(file, f"is not {encoding} (byte 0x{data[error.start]:02x}): name another --encoding")
    except UnicodeError as error:  # what UTF-16 says of a text without its mark
        findings.error(file, f"is not {encoding} ({error}): name another --encoding")
    return None


def is_regular(path: Path, findings: Findings) -> bool:
    """False, and an error, of what is there and no regular file: a pipe that nobody writes to makes one wait."""
    if path.exists() and not path.is_file():
        findings.error(path.name, "is no regular file: write the table to one")
        return False
    return True


def _unpack(file: str, packed: bytes, findings: Findings) -> bytes | None:
    stream = zlib.decompressobj(wbits=31)
    if packed[:2] != b"\x1f\x8b":
        findings.error(file, "is not gzip inside: name it without .gz, or pack it")
        return None
    try:
        return _unpacked(file, packed, findings)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        whole = 0
        with contextlib.suppress(zlib.error):
            whole = stream.decompress(packed).count(b"\n")
        kind = "is truncated" if isinstance(error, EOFError) else "is corrupt"
        readable = f"; {counted(whole, 'line')} could be read" if whole else ""
        findings.error(file, f"the gzip {kind}{readable}: copy or download it again", line=whole + 1 if whole else None)
        return None


def _unpacked(file: str, packed: bytes, findings: Findings) -> bytes | None:
    parts, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
        while part := stream.read(PART):
            parts.append(part)
            size += len(part)
            if size > MOST_UNPACKED:
                findings.error(file, f"unpacks to more than {gigabytes(MOST_UNPACKED)}: unpack it, and name the csv")
                return None
    return b"".join(parts)


def gigabytes(size: int) -> str:
    """Bytes in words."""
    return f"{size / 1e9:,.3g} GB"


def read_text(file: str, data: bytes, findings: Findings, delimiter: str = ",") -> TextTable | None:
    """All columns of a text with a line of column names, as text; None where there is nothing to go on with.

    Rows with too many or too few entries, stray bytes and repeated column names are errors; blank lines and columns
    without a name are left out and counted.
    """
    table = _parse(data, delimiter)
    if table is None:
        return _read_slowly(file, data, delimiter, findings)
    lines = _line_breaks(data) + (not data.endswith(b"\n"))
    if lines != table.num_rows + 1:  # blank lines, or line breaks inside quotes: only a scan can count
        return _read_slowly(file, data, delimiter, findings)
    rows = table.num_rows
    return _table(file, table, findings=findings, lines=np.arange(2, rows + 2, dtype=np.int64), left_out={})


def _line_breaks(data: bytes) -> int:
    """The number of line breaks; ``bytes.count`` takes four times as long where they stand close."""
    whole = np.frombuffer(data, dtype=np.uint8)
    return sum(int(np.count_nonzero(whole[i : i + PART] == ord("\n"))) for i in range(0, len(whole), PART))


def _parse(data: bytes, delimiter: str) -> Any:
    """The quick way, a pyarrow.Table; None where the file is not wholly regular."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    coded = pa.dictionary(pa.int32(), pa.string())
    try:
        first = data[: data.find(b"\n") + 1 or len(data)].decode("utf-8-sig")
        names = next(csv.reader([first], delimiter=delimiter), [])
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(block_size=1 << 24),
            # Only inside quotes can a line break stand in a value; to look for none takes a tenth less.
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in data),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, coded), strings_can_be_null=False
            ),
        )
        return table if table.column_names == names else None
    except (pa.ArrowInvalid, UnicodeDecodeError, csv.Error):
        return None


def _table(file: str, table: Any, findings: Findings, lines: np.ndarray, left_out: dict[str, int]) -> TextTable | None:
    """Columns by name, each name once."""
    times = Counter(name.strip() for name in table.column_names)
    for name, count in times.items():
        if name and count > 1:
            findings.error(file, f"{count} columns have this name: give each its own", line=1, column=name)
    if times[""]:
        left_out = {**left_out, f"columns of {file} without a name": times[""]}
    columns = {}
    for position, name in enumerate(table.column_names):
        if name.strip() and name.strip() not in columns:
            columns[name.strip()] = encode(table.column(position))
    if not table.num_rows:
        findings.error(file, "has column names and no rows", line=1)
        return None
    return TextTable(file, columns, table.num_rows, lines, left_out=left_out)


def _read_slowly(file: str, data: bytes, delimiter: str, findings: Findings) -> TextTable | None:
    """Every row with its line; errors for stray bytes, ragged rows and a quote that never closes."""
    import pyarrow as pa

    text = data.decode("utf-8-sig", "surrogateescape")
    rows, lines, blank = _rows(file, text, delimiter, findings)
    if not rows:
        findings.error(file, "is empty: it has no line of column names")
        return None
    header, rows, lines = rows[0], rows[1:], lines[1:]
    if STRAY.search(text):
        _tell_stray_bytes(file, [header, *rows], [1, *lines], findings)
    whole = [len(row) == len(header) for row in rows]
    for row, line, sound in zip(rows, lines, whole, strict=True):
        if not sound:
            findings.error(file, f"the row has {len(row)} entries, the header {len(header)}", line=line)
    kept = [row for row, sound in zip(rows, whole, strict=True) if sound]
    arrays = [pa.array([row[i] for row in kept], pa.string()) for i in range(len(header))]
    left_out = {f"blank lines of {file}": blank} if blank else {}
    numbers = np.array([line for line, sound in zip(lines, whole, strict=True) if sound], dtype=np.int64)
    return _table(file, pa.Table.from_arrays(arrays, names=header), findings=findings, lines=numbers, left_out=left_out)


def _rows(file: str, text: str, delimiter: str, findings: Findings) -> tuple[list[list[str]], list[int], int]:
    """Rows, the line each begins on, and how many blank lines were passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    lines: list[int] = []
    blank, begins = 0, 1
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(begins)
            else:
                blank += 1
            begins = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)
    if text.count('"') % 2:
        findings.error(file, "a quote opens in this row and never closes", line=lines[-1])
        if len(rows) > 1:  # all that follows the quote is in its row: no row of the table, nor a value to be shown
            rows.pop()
            lines.pop()
    return rows, lines, blank


def _tell_stray_bytes(file: str, rows: list[list[str]], lines: list[int], findings: Findings) -> None:
    """An error for every entry with a byte that is not UTF-8; the entry is read as Latin-1 from here on."""
    header = rows[0]
    for row, line in zip(rows, lines, strict=True):
        for position, entry in enumerate(row):
            stray = STRAY.search(entry)
            if stray is None:
                continue
            raw = entry.encode("utf-8", "surrogateescape")
            row[position] = raw.decode("latin-1")
            findings.error(
                file,
                f"byte 0x{ord(stray[0]) - 0xDC00:02x} is not UTF-8 (in Latin-1 the entry reads {row[position]!r}): "
                "save the whole file as UTF-8, or name its --encoding",
                line=line,
                column=header[position] if position < len(header) else None,
                value=raw.decode("utf-8", "replace"),
            )
