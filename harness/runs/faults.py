"""The first fault of a request as one line: which entry, what is wrong with it, and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from harness.errors import did_you_mean

MAPPINGS = ("dict_type", "model_type", "model_attributes_type", "mapping_type")
BRANCHES = ("[", "-")  # of pydantic's names for one of several types, which no entry has


def first_fault(kind: type[BaseModel], error: ValidationError) -> str:
    """Path of the entry and what is wrong with it. kind: what the content was read as."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if not (isinstance(part, str) and any(b in part for b in BRANCHES))]
    where = ".".join(path) or "the whole"
    if first["type"] == "extra_forbidden":
        return f"{where}: there is no such entry; {did_you_mean(path[-1], _entries(kind, path[:-1]))}"
    if first["type"] in MAPPINGS:
        return f"{where}: {first['input']!r} is no mapping; write entries with values, as {{name: value}}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _entries(kind: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Names of the entries that stand at a path of a request."""
    for part in path:
        field = kind.model_fields.get(part)
        kind = kind if field is None else next(_models(field.annotation), kind)
    return list(kind.model_fields)


def _models(annotation: Any) -> Any:
    """The models in an annotation, such as the one of a list's items."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
