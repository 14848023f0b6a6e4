"""The tables of a whole folder of records, on every core where it is large."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.context import BaseContext
from pathlib import Path

from harness.leaderboard import Board, Planned, planned
from harness.records import Store
from harness.registry import Registry, load_registry
from harness.render import of_board, of_boards

LARGE = 1000  # records that boards show, from which starting further processes is worth its second


def boards_and_tables(store: Store, folder: Path, registry: Registry) -> tuple[list[Board], dict[Path, str]]:
    """Every board that a folder of records makes, and path -> text of all that is written of them.

    Where many records are read, further processes do it, which render with the plugins that are installed.
    RequestError where a file is no record, or records of a board disagree on who is at risk.
    """
    plans = planned(store)
    many = sum(len(plan.paths) for plan in plans) >= LARGE and len(plans) > 1 and (os.cpu_count() or 1) > 1
    if many:
        with ProcessPoolExecutor(os.cpu_count(), _context()) as pool:
            made = list(pool.map(partial(_made, folder), plans, chunksize=max(1, len(plans) // 32)))
    else:
        made = [_of_plan(plan, folder, registry) for plan in plans]
    boards = [board for board, _ in made]
    tables = {path: text for _, own in made for path, text in own.items()}
    return boards, tables | of_boards(boards, folder)


def _context() -> BaseContext:
    """Processes that begin with the slow imports done, where the system can copy one that has."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "arch.bootstrap"])
    return context


def _made(folder: Path, plan: Planned) -> tuple[Board, dict[Path, str]]:
    return _of_plan(plan, folder, load_registry())


def _of_plan(plan: Planned, folder: Path, registry: Registry) -> tuple[Board, dict[Path, str]]:
    board = plan.made()
    return board, of_board(board, folder, registry)
