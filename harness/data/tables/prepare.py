"""The steps between a file as it is and a table with a row for each record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.data.checks.findings import Findings
from harness.data.reading import FileReading
from harness.data.tables.columns import TextTable
from harness.data.tables.composed import aged, composed, composed_ends, numbered
from harness.data.tables.dummies import state_of_dummies
from harness.data.tables.missing import without_blank_rows, without_columns, without_missing
from harness.data.tables.spells import made_records
from harness.data.tables.timed import timed
from harness.data.tables.times import FIRST_YEAR, LAST_YEAR
from harness.data.tables.wide import made_long
from harness.errors import RequestError


def prepared(
    table: TextTable, mapping: Mapping[str, str], reading: FileReading, findings: Findings
) -> tuple[TextTable, dict[str, str]] | None:
    """The table of records and part -> column; None after errors.

    In this order: values that are missing, columns of several, the shape, ages, rows without a state, times, columns
    that are not asked for, labels. A covariate whose every value has a label is of the labels; codes stay codes.
    """
    if reading.wide and reading.spells:
        raise RequestError("--wide and --spells are two shapes: a file has one of them")
    if reading.century is not None and not FIRST_YEAR <= reading.century <= LAST_YEAR:
        raise RequestError(f"--century {reading.century}: write the first of a hundred calendar years, as 1930")
    if reading.wide and (told := {"year", "occupation"} & set(mapping)):
        part = min(told)
        raise RequestError(f"--column {part}={mapping[part]}: with --wide the ranges say each {part}; leave one out")
    before = len(findings.errors)
    parts = dict(mapping)
    if reading.missing:
        table = without_missing(table, reading.missing)
    table, parts = composed(table, parts)
    table = composed_ends(table, reading)
    table = state_of_dummies(table, parts, reading, findings)
    if reading.rows_each is not None:
        table, parts = numbered(table, parts, reading.rows_each)
    if reading.wide:
        table, parts = made_long(table, parts, reading, findings)
    elif reading.spells:
        made = made_records(table, parts, reading, findings)
        if made is None:
            return None
        table, parts = made
    table, parts = aged(table, parts, reading, findings)
    if reading.missing or "blanks" in table.facts or reading.wide:
        table = without_blank_rows(table, {part: parts.get(part, part) for part in ("person", "year", "occupation")})
        if not table.rows:
            findings.error(table.file, "has no row with a person, a time and a state")
            return None
    table, unit = timed(table, parts, reading, findings)
    if len(findings.errors) > before:
        return None
    taken = {parts.get(part, part) for part in ("person", "year", "occupation", "split", "title", "group", "status")}
    table = without_columns(
        table, reading, taken | {"birth_year"} if "birth_year" in mapping or "age" in mapping else taken
    )
    return _labelled(replace(table, facts={**table.facts, "unit": unit or "year"}), taken), parts


def _labelled(table: TextTable, taken: set[str]) -> TextTable:
    """The table with covariates in the words of their labels, where every value has one."""
    columns = dict(table.columns)
    for name, labels in table.labels.items():
        if name in columns and name not in taken:
            text = columns[name].text()
            if all(value in labels or not value for value in text.distinct) and len(set(labels.values())) == len(
                labels
            ):
                columns[name] = text.change(lambda value, labels=labels: labels.get(value, ""))  # type: ignore[misc]
    return replace(table, columns=columns)
