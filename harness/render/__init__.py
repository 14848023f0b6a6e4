"""Boards as text: a form for each purpose here, any further format through the hook ``harness_render``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.boards.board import Board
from harness.errors import RequestError, did_you_mean
from harness.registry import Registry
from harness.render.boards import csv_tables, json_tables, markdown
from harness.render.boards import latex as board_latex
from harness.system.files import write_atomically

FORMATS: dict[str, Callable[[Board], str]] = {
    "md": markdown.render,
    "tex": board_latex.render,
    "csv": csv_tables.render,
    "json": json_tables.render,
}
OF_CONTENT: dict[str, Callable[[dict[str, Any]], str]] = {"csv": csv_tables.text, "json": json_tables.text}
PAGE = "html"  # of all boards at once
INDEX = "index.html"
MOST_BOARDS = 40  # on one page
LARGEST_PAGE = 2_000_000  # bytes


def render(board: Board, format: str, registry: Registry) -> str:
    """The board's text in this format; a plugin's own rendering comes first. RequestError for an unknown format."""
    text = _by_plugin(board, format, registry)
    if text is not None:
        return text
    if format == PAGE:
        return page([board])
    if format not in FORMATS:
        raise RequestError(f"no format is called '{format}'; {did_you_mean(format, [*FORMATS, PAGE])}")
    return FORMATS[format](board)


def _by_plugin(board: Board, format: str, registry: Registry) -> str | None:
    """Of the plugin that was registered last, as pluggy has it."""
    answers = registry.tell("harness_render", board=board, format=format)
    return answers[-1] if answers else None


def page(boards: list[Board]) -> str:
    """One HTML page of all the boards, which needs no other file."""
    from harness.render import html

    return html.render(boards)


def files(boards: list[Board], folder: Path, registry: Registry) -> dict[Path, str]:
    """Path -> text of every table, and of the page of all: ``of_board`` and ``of_boards``."""
    made: dict[Path, str] = {}
    for board in boards:
        made |= of_board(board, folder, registry)
    return made | of_boards(boards, folder)


def of_board(board: Board, folder: Path, registry: Registry) -> dict[Path, str]:
    """Path -> text of one board's tables.

    ``<folder>/<panel>/<task>.md``, ``.tex``, ``.csv``, ``.json``; ``<task>-slices.csv``, ``<task>-calibration.csv`` and
    ``<task>-curves.csv`` where there are such views.
    """
    at, content = folder / board.folder, json_tables.plain(board)  # once, for both forms that are made of it
    made = {}
    for format, own in FORMATS.items():
        text = _by_plugin(board, format, registry)
        if text is None:
            text = OF_CONTENT[format](content) if format in OF_CONTENT else own(board)
        made[at / f"{board.task}.{format}"] = text
    return made | {at / f"{board.task}-{name}.csv": text for name, text in csv_tables.views(board).items()}


def of_boards(boards: list[Board], folder: Path) -> dict[Path, str]:
    """Path -> text of what is made of all boards at once: the page, ``<folder>/index.html``.

    Where one page would be too large to open at ease, each panel has its own, ``<folder>/<panel>/index.html``, and the
    page of all lists them.
    """
    if len(boards) <= MOST_BOARDS:
        whole = page(boards)
        if len(whole.encode()) <= LARGEST_PAGE:
            return {folder / INDEX: whole}
    made = {folder / INDEX: overview(boards)}
    for _, group in groupby(boards, key=lambda board: board.folder):
        made |= of_panel(list(group), folder)
    return made


def overview(boards: list[Board]) -> str:
    """A page that lists the boards, where each panel has a page of its own."""
    from harness.render import html

    return html.overview(boards, INDEX)


def of_panel(boards: list[Board], folder: Path) -> dict[Path, str]:
    """Path -> text of one panel's own page."""
    from harness.render import html

    return {folder / boards[0].folder / INDEX: html.render(boards, above=f"../{INDEX}")}


def write(tables: dict[Path, str]) -> list[Path]:
    """Write the tables that differ from what is on disk; the paths written."""
    changed = stale(tables)
    for path in changed:
        write_atomically(path, tables[path])
    return changed


def stale(tables: dict[Path, str]) -> list[Path]:
    """The tables whose file is missing or is not, byte for byte, what the records give."""
    return [path for path, text in tables.items() if not path.exists() or path.read_bytes() != text.encode()]
