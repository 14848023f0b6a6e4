"""Boards as JSON, for machines."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from math import isnan
from typing import Any

from pydantic import BaseModel

from harness.boards.board import Board
from harness.boards.rows import OPTIONAL_FIELDS
from harness.boards.views import Views
from harness.stats.inference import Estimate

DIGITS = 10  # significant, of figures: every machine writes the same bytes
VIEW_DIGITS = 6  # of views


def plain(board: Board) -> dict[str, Any]:
    """The board as JSON-able data; floats to ten significant digits, those of its views to six.

    What is none of an optional field is left out, and so are views of a board that has none.
    """
    made = {field.name: _plain(getattr(board, field.name), DIGITS) for field in fields(board) if field.name != "views"}
    if made["few_units"] is None:
        del made["few_units"]
    if not board.cautions:
        del made["cautions"]
    for row in made["rows"]:
        for name in OPTIONAL_FIELDS:
            if row[name] is None:
                del row[name]
    if board.views != Views():
        made["views"] = _plain(board.views, VIEW_DIGITS)
        if board.views.by_clock is None:
            del made["views"]["by_clock"]
        made["views"]["slices"] = [
            {"by": part["dimension"], "level": level.pop("name"), **level}
            for part in made["views"]["slices"]
            for level in part["levels"]
        ]
    return made


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, digits) for item in value]
    if isinstance(value, Estimate):
        return _estimate(value, digits)
    if is_dataclass(value):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    elif isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return {str(name): _plain(item, digits) for name, item in value.items()}


def _estimate(of: Estimate, digits: int) -> dict[str, float | None]:
    """Compared with nothing, p is not said; of an error that is not to be had, null."""
    parts = {"value": of.value, "standard_error": of.standard_error, "low": of.low, "high": of.high}
    parts |= {} if of.p is None else {"p": of.p}
    parts |= {} if of.p_adjusted is None else {"p_adjusted": of.p_adjusted}
    return {name: None if isnan(part) else float(f"{part:.{digits}g}") for name, part in parts.items()}


def render(board: Board) -> str:
    return text(plain(board))


def text(content: dict[str, Any]) -> str:
    """The content that ``plain`` made, as the file has it."""
    return _lines(content, "") + "\n"


def _lines(value: object, indent: str) -> str:
    """An entry a line, and an item of a list a line, so that differences can be read."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        entries = [f"{inner}{json.dumps(name, ensure_ascii=False)}: {_lines(of, inner)}" for name, of in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + _line(item) for item in value) + f"\n{indent}]"
    return _line(value)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
