"""Columns of text and numbers become covariates; a schema beside the careers can say what they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.columns import Column, NumberColumn, TextColumn, arrow_text, numpy_values
from harness.data.tables.csvfile import is_regular
from harness.data.tables.missing import says_missing
from harness.errors import did_you_mean
from harness.panel.careers import Covariate
from harness.types import BoolArray, FloatArray, IntArray

Values = TypeVar("Values", IntArray, FloatArray)
SCHEMA_FILE = "columns.json"
LEADING_ZERO = re.compile(r"[+-]?0\d")


@dataclass(frozen=True, slots=True)
class ColumnSchema:
    """A covariate's nature, where that cannot be seen from its values: its kind and, if categorical, its levels."""

    kind: str
    levels: tuple[str, ...] = ()


def read_schema(path: Path, findings: Findings) -> dict[str, ColumnSchema]:
    """``columns.json``: column -> {"kind": "numeric"} or {"kind": "categorical", "levels": [...]}."""
    if not path.exists() or not is_regular(path, findings):
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        findings.error(path.name, f"is not JSON: {error.msg}", line=error.lineno)
        return {}
    except (UnicodeDecodeError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        findings.error(path.name, "is nested too deeply" if deep else "is not UTF-8 text: save it as UTF-8")
        return {}
    schema: dict[str, ColumnSchema] = {}
    for name, entry in content.items() if isinstance(content, dict) else []:
        kind = entry.get("kind") if isinstance(entry, dict) else None
        levels = entry.get("levels", []) if isinstance(entry, dict) else []
        if kind not in ("categorical", "numeric"):
            hint = did_you_mean(str(kind), ["categorical", "numeric"])
            findings.error(path.name, f"'kind' must be categorical or numeric; {hint}", column=name, value=str(kind))
        elif not isinstance(levels, list) or not all(isinstance(level, str | int | float) for level in levels):
            findings.error(
                path.name, "'levels' must be a list of words or numbers", column=name, value=str(levels)[:40]
            )
        else:
            schema[name] = ColumnSchema(kind, tuple(str(level) for level in levels))
    if not isinstance(content, dict):
        findings.error(path.name, 'must be an object: column -> {"kind": ...}', line=1)
    return schema


def ordered(values: Values, order: IntArray | None) -> Values:
    """Values of rows (of any type, [N]) in an order (int64 [N], rows of the file); as they are where it is None."""
    return values if order is None else values[order]


def as_covariate(column: Column, person_start: BoolArray, order: IntArray | None) -> Covariate:
    """The covariate that a column holds, its values in the order of ``order`` (``ordered``).

    Numbers all through make it numeric; anything else, and codes with leading zeros ('0170'), categorical with sorted
    levels. Blanks are missing. person_start: bool [N], the first record of each person, in the new order.
    """
    if isinstance(column, NumberColumn):
        return numeric(ordered(column.numbers(), order), person_start)
    column = column.stripped()
    numbers = None if any(LEADING_ZERO.match(value) for value in column.distinct) else to_numbers(column.distinct)
    if numbers is not None and not np.isnan(numbers).all():
        return numeric(ordered(numbers[column.index], order), person_start)
    return categorical(column, tuple(sorted(filter(None, column.distinct))), person_start, order)


def with_schema(
    column: Column, schema: ColumnSchema, person_start: BoolArray, order: IntArray | None
) -> tuple[Covariate, IntArray, str]:
    """The covariate that a schema says a column holds; the rows that do not fit; and what would be right there."""
    nothing = np.zeros(0, dtype=np.int64)
    if isinstance(column, NumberColumn) and schema.kind == "numeric":
        return numeric(ordered(column.numbers(), order), person_start), nothing, ""
    text = column.text()
    if schema.kind == "numeric":
        numbers = to_numbers(text.distinct)
        if numbers is not None:
            return numeric(ordered(numbers[text.index], order), person_start), nothing, ""
        bad = text.where(lambda value: to_numbers([value]) is None)
        blank = np.full(len(text), np.nan)
        right = f"is not a number, and {SCHEMA_FILE} says numbers: write one, or leave it blank"
        return numeric(blank, person_start), np.flatnonzero(bad), right
    known = set(schema.levels)
    unknown = text.where(lambda value: bool(value.strip()) and value not in known)
    right = f"is not among the levels that {SCHEMA_FILE} lists: add it there, or correct it"
    return categorical(text, schema.levels, person_start, order), np.flatnonzero(unknown), right


def to_numbers(values: list[str]) -> FloatArray | None:
    """float64 [d], NaN for what programs write where there is none; None where a value is no number.

    In a column of words, such words are words.
    """
    import pyarrow as pa

    stripped = [value.strip() for value in values]
    known = [i for i, value in enumerate(stripped) if value and not says_missing(value)]
    numbers = np.full(len(values), np.nan)
    try:
        numbers[known] = numpy_values(arrow_text([stripped[i] for i in known]).cast(pa.float64()))[0]
    except pa.ArrowInvalid:
        return None
    return numbers


def categorical(
    column: TextColumn, levels: tuple[str, ...], person_start: BoolArray, order: IntArray | None
) -> Covariate:
    position: Mapping[str, int] = {level: i for i, level in enumerate(levels)}
    target = np.array([position.get(value, -1) for value in column.distinct], dtype=np.int32)
    values = ordered(target[column.index], order)
    return Covariate("categorical", values, levels, is_fixed(values, person_start))


def numeric(values: FloatArray, person_start: BoolArray) -> Covariate:
    return Covariate("numeric", values, (), is_fixed(values, person_start))


def is_fixed(values: IntArray | FloatArray, person_start: BoolArray) -> bool:
    """True where the values, missing ones included, never change within a person."""
    changes = (values[1:] != values[:-1]) & ~person_start[1:]
    if values.dtype.kind == "f" and changes.any():
        missing = np.isnan(values)
        changes &= ~(missing[1:] & missing[:-1])
    return not changes.any()
