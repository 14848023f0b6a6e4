"""Text files with any delimiter, with or without a line of column names, with a decimal point or a comma."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

from harness.data.checks.findings import Findings
from harness.data.reading import FileReading
from harness.data.tables.columns import TextColumn, TextTable
from harness.data.tables.csvfile import read_bytes, read_text
from harness.errors import Fault, RequestError

CANDIDATES = (",", "\t", ";", "|")
NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "blanks": " ", "space": " "}
LINES = 20  # that a delimiter is looked for in
BLANKS = re.compile(rb"[ \t]+")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WITH_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+|[+-]?\d*,\d+")
PLAIN = re.compile(r"[+-]?\d+")
NO_GROUP = re.compile(r",(\d{1,2}|\d{4,})$")  # digits behind a comma that separates no thousands


@dataclass(frozen=True, slots=True)
class _Layout:
    """delimiter: of the text once it is laid out, a tab where it was blanks. names: '' where the file has the line."""

    delimiter: str
    names: tuple[str, ...]


def read_delimited(path: Path, reading: FileReading, findings: Findings) -> TextTable | None:
    """All columns of a text file as text; None where there is nothing to go on with.

    The delimiter is the one that the lines agree on, or ``--delimiter``. A first line of numbers alone is a row, and
    columns are then called V1, V2, ... as R does, or as ``--names`` says.
    """
    data = read_bytes(path, findings, reading.encoding)
    if data is None:
        return None
    delimiter = _delimiter(data, path, reading)
    blanks = delimiter == " "
    if blanks:
        data, delimiter = _with_tabs(data), "\t"
    names = _names(data, delimiter, reading)
    if not names:
        table = read_text(path.name, data, findings, delimiter)
    else:
        table = _without_header(path.name, data, delimiter, names=names, findings=findings)
    if table is None:
        return None
    table, decimal = _with_points(table, delimiter, reading)
    shown = "blanks" if blanks else {"\t": "tab"}.get(delimiter, delimiter)
    facts = {
        "format": "text",
        "delimiter": shown,
        "encoding": reading.encoding or "UTF-8",
        **({"decimal mark": ","} if decimal else {}),
        **({"column names": "none in the file"} if names else {}),
    }
    return replace(table, facts=facts)


def _delimiter(data: bytes, path: Path, reading: FileReading) -> str:
    if reading.delimiter is not None:
        mark = NAMED.get(reading.delimiter.casefold(), reading.delimiter)
        if len(mark) != 1 or mark in '"\r\n':
            raise RequestError(f"--delimiter {reading.delimiter}: write one character, tab or blanks")
        return mark
    text = data[: 1 << 16].decode("utf-8-sig", "replace")
    lines = [line for line in text.splitlines()[: LINES + 1] if line.strip()][:LINES]
    if not lines:
        return ","
    header = _counts(lines[0])
    if path.name.removesuffix(".gz").endswith(".csv") and header[","]:
        return ","
    rows = [_counts(line) for line in lines]
    agreed = [mark for mark in CANDIDATES if header[mark] and len({row[mark] for row in rows}) == 1]
    found = agreed or [mark for mark in CANDIDATES if header[mark]]
    if found:
        return max(found, key=header.__getitem__)
    return " " if len(lines[0].split()) > 1 and not path.name.removesuffix(".gz").endswith(".csv") else ","


def _counts(line: str) -> dict[str, int]:
    """The times that each candidate stands in a line, outside quotes."""
    outside = re.sub(r'"[^"]*"', "", line)
    return {mark: outside.count(mark) for mark in CANDIDATES}


def _with_tabs(data: bytes) -> bytes:
    """Text between blanks as text between tabs, line by line; R's row names are a column without a name."""
    lines = [line.strip() for line in data.splitlines()]
    if b'"' in data:
        text = io.StringIO()
        write = csv.writer(text, delimiter="\t", lineterminator="\n")
        words = (line.decode("utf-8", "surrogateescape") for line in lines)
        write.writerows(csv.reader(words, delimiter=" ", skipinitialspace=True))
        lines = text.getvalue().encode("utf-8", "surrogateescape").splitlines()
    else:
        lines = [BLANKS.sub(b"\t", line) for line in lines]
    if len(lines) > 1 and lines[1].count(b"\t") == lines[0].count(b"\t") + 1:
        lines[0] = b"\t" + lines[0]
    return b"\n".join(lines) + b"\n"


def _names(data: bytes, delimiter: str, reading: FileReading) -> tuple[str, ...]:
    """Names of the columns where no line of the file has them."""
    first = data[: data.find(b"\n") + 1 or len(data)].decode("utf-8-sig", "replace")
    try:
        entries = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error:  # a fault that the reading of the whole file tells
        return ()
    if reading.names:
        if len(reading.names) != len(entries):
            raise RequestError(f"--names has {len(reading.names)} names, and the first row {len(entries)} entries")
        return reading.names
    known = [entry for entry in entries if entry.strip()]
    if not known or not all(NUMBER.fullmatch(entry.strip()) for entry in known) or len(set(known)) < 2:
        return ()
    return tuple(f"V{i}" for i in range(1, len(entries) + 1))


def _without_header(
    file: str, data: bytes, delimiter: str, names: tuple[str, ...], findings: Findings
) -> TextTable | None:
    """The table of a text whose first line is a row; lines are those of the file."""
    header = delimiter.join(names).encode()
    found = Findings(wants_notes=findings.wants_notes)
    table = read_text(file, header + b"\n" + data.removeprefix(b"\xef\xbb\xbf"), found, delimiter)
    findings.errors += [_a_line_up(fault) for fault in found.errors]
    findings.notes += [_a_line_up(fault) for fault in found.notes]
    return None if table is None else replace(table, lines=table.lines - 1, header_line=None)


def _a_line_up(fault: Fault) -> Fault:
    return fault if fault.line is None else replace(fault, line=max(fault.line - 1, 1))


def _with_points(table: TextTable, delimiter: str, reading: FileReading) -> tuple[TextTable, bool]:
    """The table with decimal points, and True where it had commas."""
    if reading.decimal not in (None, ".", ","):
        raise RequestError(f"--decimal {reading.decimal}: write . or ,")
    if reading.decimal == "." or (reading.decimal is None and delimiter == ","):
        return table, False
    changed = {
        name: column.change(_with_point)
        for name, column in table.columns.items()
        if isinstance(column, TextColumn) and _has_commas(column, sure=reading.decimal == ",")
    }
    return replace(table, columns={**table.columns, **changed}), bool(changed)


def _has_commas(column: TextColumn, sure: bool) -> bool:
    """True of numbers with decimal commas. sure: the user said so, and commas are not those between thousands."""
    commas = [value for value in column.distinct if WITH_COMMA.fullmatch(value.strip())]
    if sure or not commas:
        return bool(commas)
    rest = [value.strip() for value in column.distinct if not WITH_COMMA.fullmatch(value.strip())]
    numbers = all(not value or PLAIN.fullmatch(value) or not any(map(str.isdigit, value)) for value in rest)
    return numbers and any(NO_GROUP.search(value.strip()) for value in commas)


def _with_point(value: str) -> str:
    return value.strip().replace(".", "").replace(",", ".") if WITH_COMMA.fullmatch(value.strip()) else value
