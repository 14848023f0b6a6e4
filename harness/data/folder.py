"""Reads a panel folder: ``careers.csv[.gz]`` or ``careers.parquet``, ``occupations.csv``, perhaps ``columns.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.data.assemble import Records, assemble
from harness.data.columns import Table
from harness.data.covariates import SCHEMA_FILE, ColumnSchema, read_schema
from harness.data.faults import Findings
from harness.data.mapping import REQUIRED, parts_of, person_ids
from harness.data.occupations import read_occupations
from harness.data.parquetfile import read_file
from harness.errors import did_you_mean
from harness.panel import Panel

CAREERS = ("careers.csv", "careers.csv.gz", "careers.parquet")
OCCUPATIONS = "occupations.csv"


def is_panel_folder(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in (*CAREERS, OCCUPATIONS))


def read_folder(path: Path, mapping: Mapping[str, str], occupations: Path | None, findings: Findings) -> Panel | None:
    """The panel of a folder, named after the folder; None after errors, which are in ``findings``.

    mapping: part -> column, for careers whose columns have other names. occupations: a table to use in place of the
    folder's own.
    """
    present = [name for name in CAREERS if (path / name).exists()]
    if len(present) != 1:
        right = "keep one" if present else f"the careers must be there as {', '.join(CAREERS[:-1])} or {CAREERS[-1]}"
        findings.error(path.name, f"holds {' and '.join(present) or 'no careers'}: {right}")
    table_path = occupations or path / OCCUPATIONS
    states, left_out = None, {}
    if table_path.exists():
        states, left_out = read_occupations(table_path, findings)
    else:
        findings.error(table_path.name, "is missing: the panel needs a table code,title,soc,status beside its careers")
    table = read_file(path / present[0], findings) if len(present) == 1 else None
    if table is None:
        return None
    schema = read_schema(path / SCHEMA_FILE, findings)
    records = records_of(path.name, table, mapping, findings, schema, {"reader": "folder", "file": table.file})
    if records is None or states is None:
        return None
    records.left_out.update(left_out)
    return assemble(records, states, findings)


def records_of(
    name: str,
    table: Table,
    mapping: Mapping[str, str],
    findings: Findings,
    schema: Mapping[str, ColumnSchema],
    source: Mapping[str, str],
) -> Records | None:
    """The records of a table: person, year, occupation, perhaps split, and every other column as a covariate."""
    parts = parts_of(table, mapping, ["split"], findings)
    for column in schema:
        if column not in table.columns:
            message = f"{table.file} has no such column; {did_you_mean(column, table.columns)}"
            findings.error(SCHEMA_FILE, message, column=column)
    if any(part not in parts for part in REQUIRED):
        return None
    text = {part: table.columns[column].text().stripped() for part, column in parts.items()}

    def place(row: int, part: str) -> tuple[str, int | None, str]:
        return table.file, int(table.lines[row]), parts.get(part, part)

    return Records(
        name=name,
        person=person_ids(text["person"]),
        year=text["year"],
        occupation=text["occupation"],
        split=text.get("split"),
        covariates={name: column for name, column in table.columns.items() if name not in parts.values()},
        place=place,
        schema=schema,
        code_type=table.columns[parts["occupation"]].type,
        source=source,
        left_out=dict(table.left_out),
    )
