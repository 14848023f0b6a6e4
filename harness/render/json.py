"""Boards as JSON, for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from harness.leaderboard import OPTIONAL, Board


def plain(board: Board) -> dict[str, Any]:
    """The board as JSON-able data; floats to ten significant digits, so that every machine writes the same bytes."""
    made = _plain(asdict(board))
    assert isinstance(made, dict)
    for row in made["rows"]:
        for name in OPTIONAL:
            if row[name] is None:
                del row[name]
    return made


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def render(board: Board) -> str:
    return json.dumps(plain(board), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
