"""The command in processes forked from one that has imported everything: hundreds of commands in minutes."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

LONGEST = 120.0  # seconds
Made = TypeVar("Made")


@dataclass(frozen=True)
class Done:
    """A command that has ended. status: as the shell has it; told: its stdout; said: its stderr."""

    status: int
    told: str
    said: str
    seconds: float


def in_parallel(make: Callable[..., Made], asked: Sequence[tuple[Any, ...]], processes: int = 2) -> list[Made]:
    """``make(*one)`` of each, in order, in forked processes, each of which has imported what commands need."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    with multiprocessing.get_context("fork").Pool(processes, initializer=_import_all) as pool:
        return list(pool.imap(partial(_unpacked, make), asked, chunksize=1))


def _unpacked(make: Callable[..., Made], one: tuple[Any, ...]) -> Made:
    return make(*one)


def _import_all() -> None:
    import arch.bootstrap
    import pandas
    import pyarrow.csv
    import pyarrow.parquet

    import harness.boards.board
    import harness.cli.run
    import harness.model.audit
    import harness.runs.isolation.model

    assert all((arch.bootstrap, pandas, pyarrow.csv, pyarrow.parquet, harness))


def typed(
    folder: Path, line: Sequence[str], surroundings: Mapping[str, str], memory: int = 0, seconds: float = LONGEST
) -> Done:
    """Type a command of ``harness`` in the folder, which gets ``cache``, ``stdout`` and ``stderr``.

    memory: bytes of address space, 0 for no limit. A command that lasts longer than so many seconds is killed.
    """
    begun = time.monotonic()
    out, err = folder / "stdout", folder / "stderr"
    if (child := os.fork()) == 0:
        _become(folder, line, surroundings, memory)
    status = _wait(child, begun + seconds)
    said = err.read_text(errors="replace") if err.exists() else ""
    told = out.read_text(errors="replace") if out.exists() else ""
    return Done(status, told, said, time.monotonic() - begun)


def _wait(child: int, deadline: float) -> int:
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 128 + signal.SIGKILL


def _become(folder: Path, line: Sequence[str], surroundings: Mapping[str, str], memory: int) -> NoReturn:
    """This process does the command and ends."""
    from harness.__main__ import main

    status = 70
    try:
        os.chdir(folder)
        os.environ.update(surroundings, HARNESS_CACHE=str(folder / "cache"))
        sys.path[:0] = surroundings.get("PYTHONPATH", "").split(os.pathsep)[:1]
        for name, stream in (("stdout", 1), ("stderr", 2)):
            opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        sys.argv = ["harness", *line]
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
