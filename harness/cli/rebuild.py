"""The tables of a whole folder of records, on every core where it is large."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

from harness.boards.board import Board, Planned, planned
from harness.records.store import Store
from harness.registry import Registry, load_registry
from harness.render import INDEX, MOST_BOARDS, of_board, of_boards, of_panel, overview

LARGE = 2000  # record files from which starting further processes is worth its seconds


def boards_and_tables(store: Store, folder: Path, registry: Registry) -> tuple[list[Board], dict[Path, str]]:
    """Every board that a folder of records makes, and path -> text of all that is written of them.

    Where there are many, further processes read and render, a panel at a time, with the plugins that are installed.
    RequestError where a file is no record, or records of a board disagree on who is at risk.
    """
    cores = os.cpu_count() or 1
    if cores > 1 and len(store.paths()) >= LARGE:
        with ProcessPoolExecutor(cores, _context(), _end_when_interrupted) as pool:
            with _interrupted_later():
                pool.submit(os.getpid)  # their imports take as long as finding out which records are shown
            plans = planned(store)
            made = list(pool.map(partial(_made, folder, _apart(plans)), _panels(plans)))
    else:
        plans = planned(store)
        made = [_of_panel(folder, _apart(plans), registry, panel) for panel in _panels(plans)]
    boards = [board for own, _ in made for board in own]
    tables = {path: text for _, own in made for path, text in own.items()}
    return boards, tables | ({folder / INDEX: overview(boards)} if _apart(plans) else of_boards(boards, folder))


def _apart(plans: list[Planned]) -> bool:
    """Whether each panel has a page of its own, whatever the boards are like."""
    return len(plans) > MOST_BOARDS


def _panels(plans: list[Planned]) -> list[list[Planned]]:
    return [list(group) for _, group in groupby(plans, key=lambda plan: plan.folder)]


def _context() -> BaseContext:
    """Processes that begin with the slow imports done, where the system can copy one that has."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "arch.bootstrap"])
    with _interrupted_later(inherited=True):
        forkserver.ensure_running()
    return context


@contextmanager
def _interrupted_later(inherited: bool = False) -> Iterator[None]:
    """Ctrl-C waits until this is done, as processes that are half started would tell the user where they were.

    inherited: those started meanwhile never hear of it, nor do we.
    """
    if threading.current_thread() is not threading.main_thread():  # which has none of it
        yield
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if inherited else lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        raise KeyboardInterrupt


def _end_when_interrupted() -> None:
    """Without a word: the first process says what happened."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _made(folder: Path, apart: bool, panel: list[Planned]) -> tuple[list[Board], dict[Path, str]]:
    gc.disable()  # a tenth of the time goes into looking for cycles that figures do not make, in seconds of life
    return _of_panel(folder, apart, load_registry(), panel)


def _of_panel(
    folder: Path, apart: bool, registry: Registry, panel: list[Planned]
) -> tuple[list[Board], dict[Path, str]]:
    boards = [plan.made() for plan in panel]
    tables = of_panel(boards, folder) if apart else {}
    for board in boards:
        tables |= of_board(board, folder, registry)
    return boards, tables
