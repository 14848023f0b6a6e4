"""The tables of a whole folder of records; of many records by one process a core, a panel at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from harness.boards.board import Board, PlannedBoard, planned
from harness.errors import RequestError
from harness.records.current import Folder
from harness.registry import Registry, load_registry
from harness.render import INDEX, MOST_BOARDS, of_board, of_boards, of_panel, overview
from harness.system.side_by_side import in_processes

MANY_RECORDS = 2000  # record files from which starting further processes is worth its seconds

Tables = dict[Path, str]  # path -> text


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """Every board of a folder of records, all that is written of them, and the errors of files that are no records."""

    boards: list[Board]
    tables: Tables
    refused: dict[Path, RequestError]


def boards_and_tables(records: Folder, folder: Path, registry: Registry) -> Rebuilt:
    """Every board that a folder of records makes, and all that is written of them into ``folder``.

    Further processes render with the plugins that are installed. RequestError where records of a board disagree on who
    is at risk.
    """
    plans = planned(records)
    paged = len(plans) > MOST_BOARDS  # each panel has a page of its own
    panels = [list(group) for _, group in groupby(plans, key=lambda plan: plan.folder)]
    processes = min(os.cpu_count() or 1, len(panels))
    if processes > 1 and len(records.store.paths()) >= MANY_RECORDS:
        made = _by_processes(processes, panels, folder, paged)
    else:
        made = [_of_panel(panel, folder, paged, registry) for panel in panels]
    boards = [board for own in made for board in own.boards]
    tables = {path: text for own in made for path, text in own.tables.items()}
    if boards:
        tables |= {folder / INDEX: overview(boards)} if paged else of_boards(boards, folder)
    for own in made:
        records.refuse(own.refused)
    return Rebuilt(boards=boards, tables=tables, refused=records.refused)


def _by_processes(processes: int, panels: list[list[PlannedBoard]], folder: Path, paged: bool) -> list[Rebuilt]:
    """The boards and tables of each panel."""
    made = dict(in_processes([partial(_of_panel, panel, folder, paged) for panel in panels], processes))
    return [made[place] for place in range(len(panels))]


def _of_panel(panel: list[PlannedBoard], folder: Path, paged: bool, registry: Registry | None = None) -> Rebuilt:
    """The boards of one panel and their tables. registry: loaded where None, as in a process of its own."""
    registry = registry or load_registry()
    found = [plan.made_of_sound() for plan in panel]
    boards = [board for board, _ in found if board is not None]
    tables = of_panel(boards, folder) if paged and boards else {}
    for board in boards:
        tables |= of_board(board, folder, registry)
    return Rebuilt(
        boards=boards, tables=tables, refused={path: error for _, errors in found for path, error in errors.items()}
    )
