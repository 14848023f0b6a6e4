"""The layout of a file of probabilities made elsewhere: the part that each column plays.

Three forms. Long: person, year, state, probability; a row for every state of every transition. Wide: person, year, then
a column named by each state's code. Event: person, year, probability; of one binary task's event alone.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from harness.data.checks.careers import lost_zeros
from harness.errors import Fault, RequestError, did_you_mean, shown
from harness.system.files import require_regular

Kind = Literal["csv", "csv.gz", "parquet"]
Form = Literal["long", "wide", "event"]
PARTS = ("person", "year", "state", "probability", "log_probability")


@dataclass(frozen=True)
class FileLayout:
    """The columns of a file and the parts that they play.

    values: the columns of numbers: the one of a long file or of an event, in a wide file one for each state, in the
    order of the states. log: whether they are natural logarithms. columns: what the user mapped, part -> column.
    """

    path: Path
    kind: Kind
    form: Form
    person: str
    year: str
    state: str | None
    values: tuple[str, ...]
    log: bool
    columns: Mapping[str, str]

    @property
    def described(self) -> str:
        """Form and kind, as a record keeps them: 'long csv.gz'."""
        return f"{self.form} {self.kind}"

    def at(self, row: int) -> str:
        """A row's place, in words; row: from 0, among the rows of the file."""
        return f"row {row + 1}" if self.kind == "parquet" else f"line {_line(self, row)}"

    def fault(self, message: str, row: int | None = None, column: str | None = None, value: str | None = None) -> str:
        """A fault and its place, in words."""
        place = self.path.name if row is None else f"{self.path.name}, {self.at(row)}"
        return str(Fault(file=place, message=message, line=None, column=column, value=value))


def kind_of(path: Path) -> Kind:
    """By its first bytes, whatever it is called. RequestError where it cannot be read, or is no such file."""
    require_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(1000)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror}); name a csv, csv.gz or parquet file") from error
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:2] == b"\x1f\x8b":
        return "csv.gz"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head:
        raise RequestError(f"{path.name}: is neither parquet nor UTF-8 text: write it as csv, csv.gz or parquet")
    if not head.strip():
        raise RequestError(f"{path.name}: is empty")
    return "csv"


def layout_of(path: Path, columns: Mapping[str, str], codes: Sequence[str], log: bool = False) -> FileLayout:
    """The layout of a file, from the names of its columns.

    columns: part -> column, of ``PARTS``; a part that is not mapped is the column of its own name. codes: of the K
    states. log: the numbers of a wide file, or of a column mapped to 'probability', are natural logarithms.
    RequestError where a column is missing, is there twice, or plays two parts.
    """
    _check_parts(columns)
    kind = kind_of(path)
    names = names_of(path, kind)
    for name in names:
        if names.count(name) > 1:
            raise RequestError(str(Fault(path.name, "two columns have this name: give each its own", column=name)))
    found = {part: columns.get(part, part) for part in PARTS if part in columns or part in names}
    for part in ("person", "year", *columns):
        if found.get(part, part) not in names:
            raise RequestError(_missing(path, part, found.get(part, part), names))
    given = [part for part in ("probability", "log_probability") if part in found]
    given = [part for part in given if part in columns] or given
    if len(given) == 2:
        raise RequestError(f"{path.name}: has a column probability and a column log_probability: keep one")
    form: Form = "wide" if not given else "long" if "state" in found else "event"
    values = (found[given[0]],) if given else _of_states(path, codes, names)
    log = log or "log_probability" in given
    state = found["state"] if form == "long" else None
    return FileLayout(
        path=path,
        kind=kind,
        form=form,
        person=found["person"],
        year=found["year"],
        state=state,
        values=values,
        log=log,
        columns=dict(columns),
    )


def _check_parts(columns: Mapping[str, str]) -> None:
    for part in columns:
        if part not in PARTS:
            raise RequestError(f"--file-column {part}=: no such part; {did_you_mean(part, PARTS)}")
    for column in columns.values():
        parts = [part for part, other in columns.items() if other == column]
        if len(parts) > 1:
            raise RequestError(f"--file-column: '{column}' cannot be both {parts[0]} and {parts[1]}")


def _missing(path: Path, part: str, column: str, names: Sequence[str]) -> str:
    if len(names) == 1 and (mark := next((m for m in ";\t|" if m in names[0]), None)):
        message = f"there is no such column; the file seems to be separated by {mark!r}: write it with commas"
    else:
        message = f"there is no such column; {did_you_mean(column, names)}; name it so, or --file-column {part}=NAME"
    return str(Fault(path.name, message, column=column))


def _of_states(path: Path, codes: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a wide file. RequestError, with what the other forms would need, where a state has none."""
    there = set(names)
    absent = [code for code in codes if code not in there]
    if not absent:
        return tuple(codes)
    others = f" (nor have {len(absent) - 1:,} more of {len(codes):,})" if len(absent) > 1 else ""
    if len(absent) == len(codes) and not (
        any(_as_r_writes(code) in there for code in codes) or lost_zeros(names, codes)
    ):
        raise RequestError(
            f"{path.name}: has no column probability or log_probability (--file-column probability=NAME), and none is "
            "named by a state's code; its columns: "
            f"{', '.join(map(shown, names[:8]))}{', ...' if len(names) > 8 else ''}"
        )
    written, without = _as_r_writes(absent[0]), lost_zeros(names, absent[:1])
    way = f"R wrote it as '{written}': data.frame(..., check.names = FALSE)" if written in there else "add it"
    way = f"column '{next(iter(without))}' has lost its leading zeros: write codes as text" if without else way
    raise RequestError(f"{path.name}: state '{absent[0]}' has no column{others}: {way}; a wide file has one a state")


def _as_r_writes(code: str) -> str:
    """R's make.names."""
    changed = re.sub(r"[^A-Za-z0-9._]", ".", code)
    return changed if re.match(r"[A-Za-z]|\.(?!\d)", changed) else f"X{changed}"


def names_of(path: Path, kind: Kind) -> list[str]:
    """The names of a file's columns, in order."""
    if kind == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        try:
            return [str(name) for name in parquet.read_schema(path).names]
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise RequestError(f"{path.name}: is not a readable parquet file ({reason}): write it again") from error
    with as_text(path, kind) as file:
        try:
            return [name.strip() for name in next(csv.reader(file), [])]
        except (OSError, EOFError, csv.Error) as error:
            raise RequestError(f"{path.name}: its first line cannot be read ({error}): write it again") from error


@contextmanager
def as_text(path: Path, kind: Kind) -> Iterator[IO[str]]:
    """A csv file opened, unpacked; bytes that are not UTF-8 as 'surrogateescape' leaves them.

    RequestError where it cannot be unpacked.
    """
    import gzip

    with gzip.open(path, "rb") if kind == "csv.gz" else path.open("rb") as packed:
        try:
            yield io.TextIOWrapper(packed, "utf-8-sig", "surrogateescape", newline="")
        except (zlib.error, gzip.BadGzipFile, EOFError) as error:
            raise RequestError(f"{path.name}: the gzip is damaged ({error}): write it again") from error


def _line(layout: FileLayout, row: int) -> int:
    """The line of a csv file that a row begins on: blank lines, and breaks inside quotes, are no rows."""
    with as_text(layout.path, layout.kind) as file:
        reader, begins, passed = csv.reader(file), 1, -1  # the names are no row
        for entries in reader:
            passed += bool(entries)
            if entries and passed == row + 1:
                break
            begins = reader.line_num + 1
    return begins
