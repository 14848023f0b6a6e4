"""Boards as text: Markdown, CSV and JSON here, any further format through the hook ``harness_render``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.errors import RequestError, did_you_mean
from harness.leaderboard import Board
from harness.records import write_atomically
from harness.registry import Registry
from harness.render import csv, json, markdown

FORMATS: dict[str, Callable[[Board], str]] = {"md": markdown.render, "csv": csv.render, "json": json.render}


def render(board: Board, format: str, registry: Registry) -> str:
    """The board's text in this format; a plugin's own rendering comes first. RequestError for an unknown format."""
    text: str | None = registry.manager.hook.harness_render(board=board, format=format)
    if text is not None:
        return text
    if format not in FORMATS:
        raise RequestError(f"no format is called '{format}'; {did_you_mean(format, FORMATS)}")
    return FORMATS[format](board)


def files(boards: list[Board], folder: Path, registry: Registry) -> dict[Path, str]:
    """Path -> text of every table: ``<folder>/<panel>/<task>.md``, ``.csv`` and ``.json``."""
    return {
        folder / board.folder / f"{board.task}.{format}": render(board, format, registry)
        for board in boards
        for format in FORMATS
    }


def write(tables: dict[Path, str]) -> list[Path]:
    """Write the tables that differ from what is on disk; the paths written."""
    changed = stale(tables)
    for path in changed:
        write_atomically(path, tables[path])
    return changed


def stale(tables: dict[Path, str]) -> list[Path]:
    """The tables whose file is missing or is not, byte for byte, what the records give."""
    return [path for path, text in tables.items() if not path.exists() or path.read_bytes() != text.encode()]
