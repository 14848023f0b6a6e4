"""Work that further processes of this program do side by side."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")


def in_processes(work: Sequence[Callable[[], T]], processes: int) -> Iterator[tuple[int, T]]:
    """The place of each piece of work and what it returned, as they are done.

    work: functions of modules, or parts of these (``functools.partial``), which other processes can be told of. An
    error, as Ctrl-C, ends the further processes at once.
    """
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is this process's alone to answer
        places = {pool.submit(one): place for place, one in enumerate(work)}  # the first starts them all
        signal.signal(signal.SIGINT, before)
        try:
            for made in as_completed(places):
                yield places[made], made.result()
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise
