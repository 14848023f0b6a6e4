"""Boards as JSON, for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from harness.leaderboard import OPTIONAL, Board
from harness.views import Views

VIEW_DIGITS = 6


def plain(board: Board) -> dict[str, Any]:
    """The board as JSON-able data; floats to ten significant digits, so that every machine writes the same bytes.

    Of its views, six; a row that is too short for them has none there.
    """
    made = _plain(asdict(board), 10)
    assert isinstance(made, dict)
    for row in made["rows"]:
        for name in OPTIONAL:
            if row[name] is None:
                del row[name]
    if board.views == Views():
        del made["views"]
    else:
        made["views"] = _plain(asdict(board.views), VIEW_DIGITS)
    return made


def _plain(value: object, digits: int) -> object:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"), digits)
    if isinstance(value, dict):
        return {str(name): _plain(item, digits) for name, item in value.items() if not _is_empty_p(name, item)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, digits) for item in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _is_empty_p(name: object, item: object) -> bool:
    """Of estimates that were compared with nothing, p is not said."""
    return name in ("p", "p_adjusted") and item is None


def render(board: Board) -> str:
    return _lines(plain(board), "", 3) + "\n"


def _lines(value: object, indent: str, depth: int) -> str:
    """Entries on lines of their own down to a depth, so that differences can be read; what lies below on one line."""
    if not value or depth == 0 or not isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner = indent + "  "
    if isinstance(value, dict):
        entries = [f"{inner}{json.dumps(k, ensure_ascii=False)}: {_lines(v, inner, depth)}" for k, v in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    entries = [inner + _lines(item, inner, depth - 1) for item in value]
    return "[\n" + ",\n".join(entries) + f"\n{indent}]"
