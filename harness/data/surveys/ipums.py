"""Extracts of IPUMS CPS: fixed width with its DDI codebook, rectangular or hierarchical, or csv; persons by CPSIDP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.data.surveys.fixed_width import Lines, Place, read_lines
from harness.errors import DataError, Fault
from harness.types import FloatArray, IntArray

MISSING = -1


@dataclass(frozen=True)
class Codebook:
    """Variables of an extract: places, and the types of records that hold each ('' of a rectangular file)."""

    places: dict[str, Place]
    records: dict[str, tuple[str, ...]]
    record_type: str  # the variable that tells the types apart; '' where there is one type


@dataclass(frozen=True)
class Persons:
    """Person records of an extract, float64 [N] by variable, NaN where blank."""

    file: str
    names: tuple[str, ...]
    columns: dict[str, FloatArray]

    def whole(self, name: str) -> IntArray:
        """int64 [N]: a variable, ``MISSING`` where blank."""
        values = self.columns[name]
        return np.where(np.isnan(values), MISSING, values).astype(np.int64)


def read_persons(bundle: Bundle, wanted: tuple[str, ...]) -> Persons:
    """The variables that are wanted and there, of every person record. RequestError, or DataError for a faulty file."""
    if files := bundle.ending(".csv", ".csv.gz"):
        return _csv(files[0], wanted)
    files = bundle.ending(".dat", ".dat.gz")
    if not files:
        raise bundle.missing("IPUMS extract (.dat.gz with its .xml, or .csv.gz)")
    stem = files[0].name.split(".")[0]
    books = [path for path in bundle.ending(".xml") if path.name.split(".")[0] == stem]
    if not books:
        raise bundle.missing(f"codebook {stem}.xml, which says where the columns of {files[0].name} stand (DDI)")
    return _fixed(files[0], _codebook(books[0]), wanted)


def _codebook(path: Path) -> Codebook:
    text = path.read_bytes()
    if b"<!ENTITY" in text or b"<!DOCTYPE" in text:
        raise DataError([Fault(path.name, "declares entities, which no codebook of IPUMS does")])
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError([Fault(path.name, f"is no XML: {error}")]) from error
    space = match[0] if (match := re.match(r"\{.*\}", root.tag)) else ""
    places, records = {}, {}
    for variable in root.iter(f"{space}var"):
        location = variable.find(f"{space}location")
        if location is not None:
            name = str(variable.get("name")).upper()
            first, last = int(location.get("StartPos", "1")), int(location.get("EndPos", "1"))
            places[name] = Place(first, last, int(variable.get("dcml") or 0))
            records[name] = tuple(str(variable.get("rectype") or "").split())
    groups = [one for one in root.iter(f"{space}recGrp") if one.get("rectype")]
    several = len({one.get("rectype") for one in groups}) > 1
    kind = str(groups[0].get("recidvar") or "RECTYPE").upper() if several else ""
    if not places:
        raise DataError([Fault(path.name, "names no variables")])
    return Codebook(places, records, kind)


def _fixed(path: Path, book: Codebook, wanted: tuple[str, ...]) -> Persons:
    lines = read_lines(path)
    names = tuple(book.places)
    if not book.record_type:
        return Persons(path.name, names, {n: lines.numbers(book.places[n], n) for n in wanted if n in names})
    kinds = lines.words(book.places[book.record_type])
    persons, households = np.flatnonzero(kinds == "P"), np.flatnonzero(kinds == "H")
    of = np.searchsorted(households, persons) - 1
    if len(persons) and (not len(households) or of.min() < 0):
        raise DataError([Fault(path.name, "a person's record stands before any household's")])
    mine, theirs = lines.take(persons), lines.take(households)
    return Persons(path.name, names, {n: _of_record(book, n, mine, theirs, of=of) for n in wanted if n in names})


def _of_record(book: Codebook, name: str, persons: Lines, households: Lines, *, of: IntArray) -> FloatArray:
    """float64 [N]: a variable of the person, or of the household that the person is listed under."""
    if "P" in book.records[name]:
        return persons.numbers(book.places[name], name)
    return households.numbers(book.places[name], name)[of]


def _csv(path: Path, wanted: tuple[str, ...]) -> Persons:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        with arrow_csv.open_csv(path) as opened:
            written = {name.upper(): name for name in opened.schema.names}
        kept = {name: written[name] for name in (*wanted, "RECTYPE") if name in written}
        table = arrow_csv.read_csv(path, convert_options=arrow_csv.ConvertOptions(include_columns=list(kept.values())))
        if "RECTYPE" in kept and pa.types.is_string(table.column(kept["RECTYPE"]).type):
            table = table.filter(pa.compute.equal(table.column(kept["RECTYPE"]), "P"))
        columns = {
            name: table.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
            for name, column in kept.items()
            if name != "RECTYPE"
        }
    except pa.ArrowInvalid as error:
        raise DataError([Fault(path.name, f"is no table of numbers: {str(error).splitlines()[0]}")]) from error
    return Persons(path.name, tuple(written), {n: np.asarray(c, dtype=np.float64) for n, c in columns.items()})
