"""Data frames of R, in ``.rds``, ``.RData`` and ``.rda`` files (parsed by rdata, which runs nothing of them)."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.columns import Column, NumberColumn, TextColumn, TextTable, encode
from harness.data.tables.csvfile import MOST_UNPACKED, gigabytes, is_regular
from harness.data.tables.extras import imported
from harness.errors import RequestError, did_you_mean
from harness.panel.time import PER_YEAR
from harness.panel.time import name as time_name

EPOCH = date(1970, 1, 1)
COUNTED = {"yearmon": "month", "yearqtr": "quarter"}  # of zoo, years with decimals
UNKNOWN = "is not a valid RObjectType"
MAGIC = (b"RDX2\n", b"RDX3\n")


def read_r(path: Path, wanted: str | None, findings: Findings) -> TextTable | None:
    """The data frame of a file of R; None, and an error, where it cannot be read.

    wanted: its name, where the file holds several. RequestError, with their names, where it must be said.
    """
    if not is_regular(path, findings):
        return None
    rdata = imported("rdata", path)
    try:
        data = _unpacked(path.read_bytes())
        if data is None:
            findings.error(path.name, f"unpacks to more than {gigabytes(MOST_UNPACKED)}: keep fewer objects or columns")
            return None
        several = data[:5] in MAGIC
        read = rdata.parser.parse_data(data, extension=".rda" if several else ".rds")
        frames = dict(_frames(read.object, several))
    except Exception as error:  # noqa: BLE001  # the parser meets whatever a broken file makes of it
        if UNKNOWN in str(error):  # functions and environments hold parts that the parser has no name for
            message = "holds functions or environments, or is broken: save the data frame alone, saveRDS(x, 'x.rds')"
            findings.error(path.name, message)
            return None
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        findings.error(path.name, f"is not a readable file of R ({reason}): save it again with saveRDS or save")
        return None
    if not frames:
        findings.error(path.name, "holds no data frame: save one with saveRDS or save (as.data.frame(x) of a matrix)")
        return None
    name = _chosen(path, list(frames), wanted)
    return _table(path.name, name, frames[name], findings)


def _unpacked(packed: bytes) -> bytes | None:
    """The content, unpacked as R packs; None where it is too large."""
    if packed[:2] == b"\x1f\x8b":
        stream: Any = zlib.decompressobj(wbits=31)
    elif packed[:3] == b"BZh":
        stream = bz2.BZ2Decompressor()
    elif packed[:6] == b"\xfd7zXZ\x00":
        stream = lzma.LZMADecompressor()
    else:
        return packed
    data: bytes = stream.decompress(packed, MOST_UNPACKED + 1)
    if not stream.eof and len(data) <= MOST_UNPACKED:
        raise EOFError("it is truncated")
    return None if len(data) > MOST_UNPACKED else data


def _chosen(path: Path, names: list[str], wanted: str | None) -> str:
    if wanted is not None and wanted not in names:
        raise RequestError(f"--object {wanted}: {path.name} has no such data frame; {did_you_mean(wanted, names)}")
    if wanted is None and len(names) > 1:
        raise RequestError(f"{path.name} holds {len(names)} data frames, {', '.join(names)}: choose one, --object NAME")
    return wanted or names[0]


def _frames(root: Any, named: bool) -> Iterator[tuple[str, Any]]:
    """The data frames by name; of a single object, under no name."""
    for name, one in _pairs(root) if named else [("", root)]:
        if _is(one, "data.frame"):
            yield name, one
        elif one.info.type.name == "VEC":  # a list of data frames
            names = _texts(_attributes(one).get("names"))
            for inner, part in zip(names, one.value, strict=False):
                if _is(part, "data.frame"):
                    yield f"{name}${inner}" if name else inner, part


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a pairlist, by their tags."""
    while node is not None and node.info.type.name == "LIST":
        tag = node.tag
        while tag is not None and tag.info.type.name == "REF":
            tag = tag.referenced_object
        yield ("" if tag is None else tag.value.value.decode("utf-8", "replace")), node.value[0]
        node = node.value[1]


def _attributes(one: Any) -> dict[str, Any]:
    return dict(_pairs(one.attributes))


def _texts(vector: Any) -> list[str]:
    return [] if vector is None else [_string(entry) or "" for entry in vector.value]


def _string(entry: Any) -> str | None:
    value = entry.value
    if value is None:
        return None
    try:
        return str(value.decode("utf-8"))
    except UnicodeDecodeError:
        return str(value.decode("latin-1"))


def _is(one: Any, kind: str) -> bool:
    return kind in _texts(_attributes(one).get("class"))


def _table(file: str, name: str, frame: Any, findings: Findings) -> TextTable | None:
    columns: dict[str, Column] = {}
    labels: dict[str, dict[str, str]] = {}
    titles: dict[str, str] = {}
    left_out: dict[str, int] = {}
    for column, vector in zip(_texts(_attributes(frame)["names"]), frame.value, strict=True):
        told = _attributes(vector)
        made = _column(vector, told)
        if made is None:
            left_out[f"columns of {file} that are no vector of numbers, words or dates"] = (
                left_out.get(f"columns of {file} that are no vector of numbers, words or dates", 0) + 1
            )
            continue
        columns[column] = made
        if "label" in told and told["label"].info.type.name == "STR":
            titles[column] = _texts(told["label"])[0]
        if "labels" in told:
            codes = _column(told["labels"], {})
            names = _texts(_attributes(told["labels"]).get("names"))
            if codes is not None:
                text = codes.text()
                labels[column] = {text.row(i): label for i, label in enumerate(names)}
    if _is(frame, "stslist"):
        columns, labels = _sequences(frame, columns)
    rows = len(next(iter(columns.values()), ()))
    if not rows:
        findings.error(file, "has no rows")
        return None
    facts = {"format": "R", "blanks": "missing values", **({"data frame": name} if name else {})}
    lines = np.arange(1, rows + 1, dtype=np.int64)
    return TextTable(
        file, columns, rows, lines, header_line=None, left_out=left_out, facts=facts, titles=titles, labels=labels
    )


def _sequences(frame: Any, columns: dict[str, Column]) -> tuple[dict[str, Column], dict[str, dict[str, str]]]:
    """The columns of TraMineR's state sequences: blanks in the place of its marks for no state, and its labels."""
    told = _attributes(frame)
    none = {mark for name in ("void", "nr", "missing") for mark in _words(told.get(name))}
    labels = dict(zip(_words(told.get("alphabet")), _words(told.get("labels")), strict=False))
    made: dict[str, Column] = {
        name: column.text().change(lambda value: "" if value in none else value) for name, column in columns.items()
    }
    return made, dict.fromkeys(columns, labels) if labels else {}


def _words(vector: Any) -> list[str]:
    return _texts(vector) if vector is not None and vector.info.type.name == "STR" else []


def _column(vector: Any, told: dict[str, Any]) -> Column | None:
    """Numbers as numbers; factors, words, dates and truth values as text; None for what is no such vector."""
    import pyarrow as pa

    kind, classes = vector.info.type.name, _texts(told.get("class"))
    if kind == "STR":
        return encode(pa.array([_string(entry) for entry in vector.value], pa.string()))
    if kind not in ("INT", "REAL", "LGL"):
        return None
    masked = np.ma.masked_invalid(vector.value) if kind == "REAL" else np.ma.asarray(vector.value)
    absent = np.ma.getmaskarray(masked)
    values = np.asarray(masked.filled(0))
    if "integer64" in classes:  # whole numbers of bit64, in the bytes of floating-point ones
        raw = np.asarray(vector.value, dtype=np.float64).view(np.int64)
        return NumberColumn(pa.array(raw, mask=raw == np.iinfo(np.int64).min))
    if counted := next((of for name, of in COUNTED.items() if name in classes), None):
        points = np.where(absent, 0, np.round(values * PER_YEAR[counted])).astype(np.int64)
        names = [None if gone else time_name(int(p), counted) for p, gone in zip(points, absent, strict=True)]
        return encode(pa.array(names, pa.string()))
    if "factor" in classes:
        levels = _texts(told["levels"])
        index = np.where(absent | (values < 1), len(levels), values - 1).astype(np.int64)
        return TextColumn([*levels, ""], index).take(np.arange(len(index))).change(str)
    if "Date" in classes or "POSIXct" in classes:
        days = values if "Date" in classes else values / 86_400
        dates = [
            None if gone else (EPOCH + timedelta(int(day // 1))).isoformat()
            for day, gone in zip(days, absent, strict=True)
        ]
        return encode(pa.array(dates, pa.string()))
    if kind == "LGL":
        return encode(
            pa.array([None if gone else str(bool(v)).upper() for v, gone in zip(values, absent, strict=True)])
        )
    kept = values.astype(np.int64) if kind == "INT" else values.astype(np.float64)
    return NumberColumn(pa.array(kept, mask=absent))
