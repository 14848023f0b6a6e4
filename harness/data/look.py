"""A look at a file: its form, the parts of its columns, its times and states, and the options that read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.data.candidates import by_values
from harness.data.checks.findings import Findings
from harness.data.checks.telling import telling
from harness.data.formats.single_file import read_single_file
from harness.data.guess import guess, is_named_as_state
from harness.data.open import no_source, table_of
from harness.data.reading import FileReading
from harness.data.tables.columns import TextTable
from harness.data.tables.files import is_readable, read_file
from harness.data.tables.mapping import check_parts
from harness.errors import Fault, RequestError
from harness.panel.careers import Panel

TRIES = 8
FIRST_YEAR = 1000  # a smaller number is no calendar year
SOME_OTHERS = 5
MISSING = re.compile(r"\(--missing ([^)]*)\)")


@dataclass(frozen=True, slots=True)
class ColumnLook:
    """One column: the part that it plays, the type and number of its values, the first of them, its title."""

    name: str
    part: str
    type: str
    values: int
    examples: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class Look:
    """The reading of a file, as it was guessed. panel: None where it could not be read so; errors say why."""

    facts: Mapping[str, str]
    rows: int
    columns: tuple[ColumnLook, ...]
    mapping: Mapping[str, str]
    reading: FileReading
    errors: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    panel: Panel | None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def stay_rate(self) -> float | None:
        """Share of transitions that keep the state."""
        if self.panel is None or not len(self.panel.transitions):
            return None
        later = self.panel.transitions
        return float((self.panel.state[later] == self.panel.state[later - 1]).mean())


def look(path: Path, columns: Mapping[str, str], occupations: Path | None, reading: FileReading) -> Look:
    """Guess how a file is read, and read it. DataError where it is no table at all."""
    check_parts(dict(columns))
    occupations = table_of(occupations)
    if not (path.is_dir() or is_readable(path.name)):
        raise RequestError(no_source(path, path, ()))
    findings = Findings()
    table = read_file(path, findings, reading=reading)
    findings.raise_errors()
    if table is None:
        raise AssertionError(f"{path}: no table, and no fault told")
    mapping, how = guess(table, columns, reading)
    found, panel = Findings(), None
    for _ in range(TRIES):
        found = Findings(wants_notes=True)
        panel = read_single_file(path, mapping, occupations, reading=how, findings=found)
        other = _mended(found, how, table, mapping)
        if other is None:
            break
        how = other
    notes = [*found.in_order().notes, *_of_choice(table, columns, mapping, how), *(_of_telling(panel) if panel else [])]
    return Look(
        facts=table.facts,
        rows=table.rows,
        columns=tuple(_columns(table, mapping, how)),
        mapping=mapping,
        reading=how,
        errors=tuple(found.in_order().errors),
        notes=tuple(notes),
        panel=panel,
        left_out={} if panel is None else panel.left_out,
    )


def _mended(found: Findings, how: FileReading, table: TextTable, mapping: Mapping[str, str]) -> FileReading | None:
    """The reading with the option that a fault names; None where none does that is not given already."""
    for fault in found.errors:
        said = fault.message
        if codes := MISSING.search(said):
            code = codes[1].strip("'")
            if code not in how.missing:
                return how.model_copy(update={"missing": (*how.missing, code)})
        for unit in ("month", "quarter"):
            if f"--unit {unit}" in said and how.unit is None:
                return how.model_copy(update={"unit": unit})
        if said.startswith("have decimals") and how.unit is None and how.every is None:
            return how.model_copy(update=_of_decimals(table, mapping))
        if "--order time" in said and how.order is None:
            return how.model_copy(update={"order": "time"})
        if "--unit wave takes" in said and how.unit is None:
            return how.model_copy(update={"unit": "wave"})
        if "--every" in said and how.every is None and how.unit is None:
            return how.model_copy(update={"every": "year"})
        if "--main" in said and how.main is None:
            return how.model_copy(update={"main": "longest" if how.spells else "latest"})
        if said.startswith("is blank") and not how.missing:
            return how.model_copy(update={"missing": ("NA",)})
    return None if found.errors else _of_numbers(how, table, mapping)


def _of_decimals(table: TextTable, mapping: Mapping[str, str]) -> dict[str, str]:
    """Years with decimals, where they are years or are named so, else whole numbers of whatever unit."""
    name = mapping.get("year", "year")
    first = next(value for value in table.columns[name].text().distinct if value)
    if re.search(r"\bage\b", name.casefold()):
        return {"unit": "age", "main": "latest"}
    years = float(first) >= FIRST_YEAR or "year" in name.casefold()
    return {"every": "year"} if years else {"unit": "wave", "main": "latest"}


def _of_numbers(how: FileReading, table: TextTable, mapping: Mapping[str, str]) -> FileReading | None:
    """Years that are two digits or the numbers of waves."""
    name = mapping.get("year", "year")
    if how.unit or how.century is not None or how.spells or how.wide or name not in table.columns:
        return None
    values = [value for value in table.columns[name].text().distinct if value]
    numbers = [int(float(value)) for value in values if re.fullmatch(r"\d{1,5}(\.0*)?", value)]
    if len(numbers) < len(values) or not numbers or min(numbers) >= 150:
        return None
    if min(numbers) >= 50 and max(numbers) < 100:
        return how.model_copy(update={"century": 1930})
    return how.model_copy(update={"unit": "age" if "age" in name.casefold() and min(numbers) >= 10 else "wave"})


def _of_choice(
    table: TextTable, columns: Mapping[str, str], mapping: Mapping[str, str], how: FileReading
) -> list[Fault]:
    """A note where nothing but its values says that a column is of states, with others that could be."""
    name, person = mapping.get("occupation"), mapping.get("person", "person")
    if name is None or "occupation" in columns or person not in table.columns or is_named_as_state(name):
        return []
    left = [one for one in table.columns if one not in {*mapping.values(), *how.spells.values()}]
    others = by_values(table, left, table.columns[person].text().index)[:SOME_OTHERS]
    also = f", and so may {', '.join(others)}" if others else ""
    message = f"was taken for the state by its values{also}: --column occupation=NAME says which it is"
    return [Fault(table.file, message, column=name)]


def _of_telling(panel: Panel) -> list[Fault]:
    return [
        Fault(panel.name, f"{one.text}: --drop {one.covariate}, or --lag {one.covariate}", column=one.covariate)
        for one in telling(panel)
    ]


def _columns(table: TextTable, mapping: Mapping[str, str], how: FileReading) -> list[ColumnLook]:
    part = {piece: name for name, column in mapping.items() for piece in (column, *column.split("+"))}
    part |= {column: end for end, column in how.spells.items()}
    part = {name: name for name in ("person", "year", "occupation") if name not in mapping} | part
    times = set(_ranges(table, how))
    looks = []
    for name, column in table.columns.items():
        text = column.text()
        known = [value for value in text.distinct if value]
        plays = "state at a time" if name in times else part.get(name, "not read" if name in how.drop else "covariate")
        title = table.titles.get(name, "")
        looks.append(ColumnLook(name, plays, column.type, values=len(known), examples=tuple(known[:3]), title=title))
    return looks


def _ranges(table: TextTable, how: FileReading) -> list[str]:
    from harness.data.tables.wide import find_range

    return [column for text in how.wide for column in find_range(text, table, how).columns]
