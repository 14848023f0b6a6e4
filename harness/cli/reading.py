"""The options that say how a file of careers is read, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from harness.data.reading import FileReading
from harness.errors import RequestError
from harness.model.params import pairs

METAVARS = {
    "object": "NAME",
    "delimiter": "MARK",
    "decimal": ".|,",
    "names": "A,B,...",
    "titles_from": "labels|codes",
    "wide": "[NAME=]FIRST..LAST",
    "spells": "begin=COLUMN end=COLUMN",
    "main": "longest|latest|NAME=COLUMN",
    "unit": "year|quarter|month|wave|age",
    "century": "YEAR",
    "dates": "day|month|DATE",
    "every": "PERIOD",
    "order": "file|time",
    "rows_each": "N",
    "missing": "VALUES",
    "drop": "A,B,...",
    "covariates": "A,B,...",
    "lag": "A,B,...",
}
TYPES: Mapping[str, Any] = {
    "wide": list[str] | None,
    "spells": tuple[str, str] | None,
    "century": int | None,
    "rows_each": int | None,
}


def _both_ends(words: tuple[str, str] | None) -> tuple[str, str] | None:
    """The two words of a spell. RequestError where the second is the next option."""
    if words and any(word.startswith("--") for word in words):
        raise RequestError(f"--spells {' '.join(words)}: write both ends, as --spells begin=FROM end=TO")
    return words


def _parameter(name: str) -> inspect.Parameter:
    """The option of an entry of ``FileReading``, whose description it shows."""
    described = str(FileReading.model_fields[name].description)
    text = f"{described[:1].upper()}{described[1:]}.{' Repeatable.' if name == 'wide' else ''}"
    checked = _both_ends if name == "spells" else None
    option = typer.Option(f"--{name.replace('_', '-')}", help=text, metavar=METAVARS.get(name), callback=checked)
    kind = Annotated[TYPES.get(name, str | None), option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def reading_parameters() -> dict[str, inspect.Parameter]:
    """The options by name, for the signature of a command."""
    return {name: _parameter(name) for name in FileReading.model_fields}


def reading_of(given: dict[str, Any]) -> FileReading:
    """The reading of these options, which are taken out of what was given. RequestError for a value that is none."""
    asked = {name: given.pop(name) for name in FileReading.model_fields}
    if asked["spells"] is not None:
        asked["spells"] = pairs(asked["spells"], "--spells")
    return FileReading.of({name: value for name, value in asked.items() if value not in (None, [], ())})
