"""Reads a panel folder: ``careers.csv[.gz]`` or ``careers.parquet``, ``occupations.csv``, perhaps ``columns.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.data.assemble import assemble
from harness.data.checks.findings import Findings
from harness.data.codelists.partial import partial_of
from harness.data.covariates import SCHEMA_FILE, read_schema
from harness.data.formats.single_file import partly_listed
from harness.data.lagged import lagged
from harness.data.occupations import read_occupations
from harness.data.reading import FileReading
from harness.data.tables.files import read_file
from harness.data.tables.mapping import parts_of, records_of
from harness.data.tables.prepare import prepared
from harness.errors import did_you_mean
from harness.panel.careers import Panel

CAREERS = ("careers.csv", "careers.csv.gz", "careers.parquet")
OCCUPATIONS = "occupations.csv"


def is_panel_folder(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in (*CAREERS, OCCUPATIONS))


def read_folder(
    path: Path, mapping: Mapping[str, str], occupations: Path | None, reading: FileReading, findings: Findings
) -> Panel | None:
    """The panel of a folder, named after the folder; None after errors, which are in ``findings``.

    mapping: part -> column, for careers whose columns have other names. occupations: a table to use in place of the
    folder's own. reading: what is missing or not wanted, and how often a record is kept.
    """
    present = [name for name in CAREERS if (path / name).exists()]
    partial = partial_of(occupations)
    table_path = path / OCCUPATIONS if occupations is None else occupations
    schema = read_schema(path / SCHEMA_FILE, findings)
    states, left_out = None, dict[str, int]()
    if partial is None and table_path.exists():
        states, left_out = read_occupations(table_path, findings)
    elif partial is None:
        findings.error(table_path.name, "is missing: the panel needs a table code,title,soc,status beside its careers")
    if len(present) != 1:
        right = "keep one" if present else f"the careers must be there as {', '.join(CAREERS[:-1])} or {CAREERS[-1]}"
        findings.error(path.resolve().name, f"holds {' and '.join(present) or 'no careers'}: {right}")
        return None
    table = read_file(path / present[0], findings, mapping.get("year", "year"), reading)
    found = None if table is None else table.columns
    made = None if table is None else prepared(table, mapping, reading, findings)
    if found is None or made is None:
        return None
    table, mapping = made
    parts = parts_of(table, mapping, ["split"], findings)
    for column in schema:
        if column not in found:
            message = f"{table.file} has no such column; {did_you_mean(column, found)}"
            findings.error(SCHEMA_FILE, message, column=column)
    records = records_of(path.resolve().name, "folder", table, parts=parts, findings=findings)
    if records is None:
        return None
    if partial is not None:
        states = partly_listed(records, partial, {}, findings)
    told = {"options": given} if (given := reading.given()) else {}
    left_out = {**table.left_out, **left_out}
    records = replace(records, left_out=left_out, source={**records.source, **told}, schema=schema)
    panel = assemble(records, states, findings)
    return None if panel is None else lagged(panel, reading.lag)
