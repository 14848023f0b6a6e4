"""The columns of a file and the parts that they play."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.data.checks.findings import Findings
from harness.data.checks.ids import MOST_CHARACTERS, check_ids, check_lengths
from harness.data.tables.columns import TextColumn, TextTable
from harness.data.tables.rows import Records
from harness.errors import RequestError, did_you_mean

OF_STATES = ("occupation", "title", "group")
REQUIRED = ("person", "year", "occupation")
OPTIONAL_PARTS = ("title", "group", "status", "split")
OF_AGE = ("age", "birth_year")  # parts only where they are mapped: a column of such a name is a covariate
NUMBER_ID = re.compile(r"[+-]?\d+(\.0+)?")


def parse_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """``person=ID`` and its like, from the command line: part -> column. RequestError for what is no such pair."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        part, equals, column = pair.partition("=")
        if not equals:
            raise RequestError(f"--column {pair}: write part=column, as --column person=ID")
        mapping[part.strip()] = column.strip()
    return mapping


def check_parts(mapping: Mapping[str, str]) -> None:
    """RequestError where a mapping names a part that does not exist, or one column for two parts."""
    for part in mapping:
        known = REQUIRED + OPTIONAL_PARTS + OF_AGE
        if part not in known:
            raise RequestError(f"--column {part}=: no such part; {did_you_mean(part, known)}")
    taken: dict[str, str] = {}
    for part, column in mapping.items():
        if column and column in taken:
            raise RequestError(f"--column: '{column}' cannot be both {taken[column]} and {part}")
        taken[column] = part


def parts_of(
    table: TextTable, mapping: Mapping[str, str], optional: Iterable[str], findings: Findings
) -> dict[str, str]:
    """Part -> column, for every part that the table has. A part not mapped is the column of its own name.

    A required column that is missing, or a mapped one, is an error. An optional part mapped to nothing
    (``status=``) is not taken, and its column is a covariate like any other.
    """
    parts: dict[str, str] = {}
    for part in (*REQUIRED, *optional):
        column = mapping.get(part, part)
        if column in table.columns:
            parts[part] = column
        elif part in REQUIRED or mapping.get(part):
            findings.error(table.file, _missing(part, column, table, mapping), line=table.header_line, column=column)
    return parts


def _missing(part: str, column: str, table: TextTable, mapping: Mapping[str, str]) -> str:
    names = list(table.columns)
    if len(names) == 1 and names[0] not in mapping.values():  # one that is asked for is no line of several fields
        return (
            "there is no such column, as the file has a single one: say --delimiter MARK; a file of fixed width that a "
            "survey's site gives is for 'harness import', and another is written as csv first"
        )
    way = "" if part == "split" else f"; name it so, or say --column {part}=NAME"
    way += "; or --rows-each N, where each person has N rows, one after another" if part == "person" else ""
    return f"there is no such column; {did_you_mean(column, names)}{way}"


def person_ids(column: TextColumn) -> TextColumn:
    """Ids as text: where every one is a whole number, '3.0' is '3' (pandas writes it so beside a blank)."""
    column = column.stripped()
    if column.digits:
        return column
    if all(NUMBER_ID.fullmatch(value) or not value for value in column.distinct):
        return column.change(lambda value: value.partition(".")[0])
    return column


def _short(ids: TextColumn) -> TextColumn:
    """Ids that are too long, which has been told, cut off: no array is to be as wide as they are."""
    if max(map(len, ids.distinct), default=0) <= MOST_CHARACTERS:
        return ids
    return ids.change(lambda value: value[:MOST_CHARACTERS])


def records_of(
    name: str, reader: str, table: TextTable, parts: Mapping[str, str], findings: Findings
) -> Records | None:
    """The records of a table; columns that play no part are covariates. None where a required part is missing.

    ``title``, ``group`` and ``status`` say something of the state itself, so they are never covariates.
    """
    if any(part not in parts for part in REQUIRED):
        return None
    check_ids(table, parts["person"], findings)
    for part in (p for p in OF_STATES if p in parts):
        check_lengths(table, parts[part], part, findings)
    text = {part: table.columns[column].text().stripped() for part, column in parts.items()}

    def place(row: int, part: str) -> tuple[str, int | None, str]:
        column = parts.get(part, part)
        return table.file, int(table.lines[row]), table.origin[column].row(row) if column in table.origin else column

    return Records(
        name=name,
        person=_short(person_ids(text["person"])),
        year=text["year"],
        occupation=text["occupation"],
        split=text.get("split"),
        covariates={column: values for column, values in table.columns.items() if column not in parts.values()},
        place=place,
        header_line=table.header_line,
        code_type=table.columns[parts["occupation"]].type,
        source={"reader": reader, "file": table.file},
        left_out=table.left_out,
        unit=table.facts.get("unit"),
    )
