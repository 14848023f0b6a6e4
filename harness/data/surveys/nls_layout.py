"""Bundles of the NLS Investigator: the values, and the question and year of each reference number.

Values stand in a .csv with a header, in a Stata .dct whose values follow its dictionary, or in a .dat, separated by
blanks, whose columns the tagset, the .sps, .sas or .R file names. Questions and years stand in the .sdf or the .cdb.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.errors import DataError, Fault
from harness.types import IntArray

REFERENCE = re.compile(r"\b([A-Z]\d{7})\b")
QUESTION = re.compile(r"(.+)_(\d{4}|XRND)")
CODEBOOK = re.compile(r"^([A-Z]\d{5})\.(\d\d) +\[([^\]]+)\] +Survey Year: (\S+)", re.MULTILINE)
DESCRIBED = re.compile(r"^([A-Z]\d{5})\.(\d\d)  (\S+)\s+(.*\S)\s*$", re.MULTILINE)
COMPANIONS = (".sps", ".sas", ".r", ".nlsy79", ".nlsy97", ".tagset")
BLANK = -5  # what the site writes for a year without an interview


@dataclass(frozen=True)
class Variable:
    """A variable of a bundle. column: as its file names it; reference, question: '' where nothing says it."""

    column: str
    reference: str
    question: str
    year: str


@dataclass(frozen=True)
class Extract:
    """Values (int64 [P]) by column, and the variables in the order of the columns."""

    file: str
    values: dict[str, IntArray]
    variables: tuple[Variable, ...]


def read_extract(bundle: Bundle) -> Extract:
    """The values of a bundle and its variables. Raises RequestError, and DataError for a file that cannot be read."""
    if files := bundle.ending(".csv"):
        values = _read(files[0].read_bytes(), files[0].name, separator=",", names=None)
    elif files := bundle.ending(".dct"):
        head, _, body = files[0].read_bytes().partition(b"}")
        names = REFERENCE.findall(head.decode("latin-1")) or re.findall(r"^ +(\w+) ", head.decode("latin-1"), re.M)
        values = _read(body.lstrip(), files[0].name, separator=" ", names=names)
    elif files := bundle.ending(".dat"):
        body = files[0].read_bytes()
        columns = len(body.split(b"\n", 1)[0].split())
        values = _read(body, files[0].name, separator=" ", names=_companion_names(bundle, columns, files[0]))
    else:
        raise bundle.missing("values of the NLS Investigator (.csv, .dct or .dat)")
    described = _described(bundle)
    return Extract(files[0].name, values, tuple(_variable(name, described) for name in values))


def _read(data: bytes, file: str, separator: str, names: list[str] | None) -> dict[str, IntArray]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    data = re.sub(rb" +(?=\r?\n|$)|(?<= ) +", b"", data) if separator == " " else data
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(data),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(delimiter=separator),
        )
        columns = {}
        for name in table.column_names:
            column = table.column(name)
            if pa.types.is_floating(column.type):
                column = column.cast(pa.int64(), safe=False)
            columns[name.strip()] = column.cast(pa.int64()).fill_null(BLANK).to_numpy()
        return columns
    except pa.ArrowInvalid as error:
        raise DataError([Fault(file, f"is no table of numbers: {str(error).splitlines()[0]}")]) from error


def _companion_names(bundle: Bundle, columns: int, file: Path) -> list[str]:
    for path in bundle.ending(*COMPANIONS):
        names = list(dict.fromkeys(REFERENCE.findall(path.read_text(encoding="latin-1"))))
        if len(names) == columns:
            return names
    raise DataError(
        [Fault(file.name, f"has {columns} columns, and no tagset, .sps, .sas or .R beside it names as many")]
    )


def _described(bundle: Bundle) -> dict[str, tuple[str, str]]:
    """Reference number -> question name and survey year, as the .sdf and the .cdb have them."""
    found: dict[str, tuple[str, str]] = {}
    for path in bundle.ending(".sdf"):
        for start, end, year, rest in DESCRIBED.findall(path.read_text(encoding="latin-1")):
            found[start + end] = (re.split(r"\s{2,}", rest)[-1], year)
    for path in bundle.ending(".cdb"):
        for start, end, question, year in CODEBOOK.findall(path.read_text(encoding="latin-1")):
            found[start + end] = (question.strip(), year)
    return found


def _variable(column: str, described: dict[str, tuple[str, str]]) -> Variable:
    reference = column if REFERENCE.fullmatch(column) else ""
    question, year = described.get(column, ("", ""))
    if not reference and (match := QUESTION.fullmatch(column)):
        question, year = match[1], match[2]
    return Variable(column, reference, question, year)


def named(values: IntArray) -> dict[str, int]:
    """The number of values that are each of the site's codes for what is missing."""
    return {name: int(np.sum(values == code)) for code, name in MISSING.items() if (values == code).any()}


MISSING = {-1: "refusal", -2: "don't know", -3: "invalid skip", -4: "valid skip", -5: "non-interview"}
