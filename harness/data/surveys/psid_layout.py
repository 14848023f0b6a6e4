"""Files of the PSID Data Center: fixed width with the places in a .do, .sps or .sas file, or csv."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.data.surveys.fixed_width import Lines, Place, read_lines
from harness.errors import DataError, Fault
from harness.types import IntArray

PLACE = re.compile(r"\b([A-Za-z]+\d+\w*)\s+(\d+)\s*-\s*(\d+)")
LABEL = re.compile(r"\b([A-Z]+\d+\w*)\b[^\"'\n]{0,60}?[\"]([^\"\n]*)[\"]")
SYNTAX = (".do", ".sps", ".sas")
MISSING = -9  # a blank: no data for the person or the family


@dataclass(frozen=True)
class PsidTable:
    """A table whose columns are read when asked for. labels: by variable, where the syntax file has them."""

    file: str
    names: tuple[str, ...]
    labels: dict[str, str]
    lines: Lines | None = None
    places: dict[str, Place] | None = None
    values: dict[str, IntArray] | None = None

    def column(self, name: str) -> IntArray:
        """int64 [N]: the values of a variable, ``MISSING`` where blank; what stands after a point is left out."""
        if self.values is not None:
            return self.values[name]
        if self.lines is None or self.places is None:
            raise AssertionError("a table has lines or values")
        found = self.lines.numbers(self.places[name], name)
        return np.where(np.isnan(found), MISSING, found).astype(np.int64)

    def numbers(self, name: str) -> np.ndarray:
        """float64 [N]: as ``column``, with what stands after a point, NaN where blank."""
        if self.lines is not None and self.places is not None:
            return self.lines.numbers(self.places[name], name)
        column = self.column(name).astype(np.float64)
        return np.where(column == MISSING, np.nan, column)


def read_tables(bundle: Bundle) -> list[PsidTable]:
    """Every table of a bundle. RequestError where there is none, DataError where a text has no syntax file."""
    tables = [_csv(path) for path in bundle.ending(".csv")]
    stems = {path.name.split(".")[0].lower() for path in bundle.ending(".csv")}
    for path in bundle.ending(".txt"):
        stem = path.name.split(".")[0].lower()
        if stem in stems or "label" in stem or "readme" in stem:
            continue
        syntax = [one for one in bundle.ending(*SYNTAX) if one.name.split(".")[0].lower() == stem]
        if not syntax:
            raise DataError([Fault(path.name, "has no .do, .sps or .sas file of the same name beside it")])
        tables.append(_text(path, syntax))
    if not tables:
        raise bundle.missing("table of the PSID (.txt with .do, .sps or .sas, or .csv)")
    return tables


def _text(path: Path, syntax: list[Path]) -> PsidTable:
    places: dict[str, Place] = {}
    labels: dict[str, str] = {}
    for one in syntax:
        text = one.read_text(encoding="latin-1")
        places = places or {m[1].upper(): Place(int(m[2]), int(m[3])) for m in PLACE.finditer(text)}
        labels = labels or {m[1].upper(): " ".join(m[2].split()) for m in LABEL.finditer(text)}
    if not places:
        raise DataError([Fault(syntax[0].name, "names no columns of the text beside it")])
    return PsidTable(path.name, tuple(places), labels, lines=read_lines(path), places=places)


def _csv(path: Path) -> PsidTable:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        table = arrow_csv.read_csv(path)
        values = {
            name.strip().upper(): table.column(name).cast(pa.float64()).fill_null(MISSING).to_numpy().astype(np.int64)
            for name in table.column_names
        }
    except pa.ArrowInvalid as error:
        raise DataError([Fault(path.name, f"is no table of numbers: {str(error).splitlines()[0]}")]) from error
    return PsidTable(path.name, tuple(values), {}, values=values)
