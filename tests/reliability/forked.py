"""The command in processes forked from one that has imported everything: hundreds of commands in minutes."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
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
    """``make(*one)`` of each, in order, in fresh processes, which have imported what commands need and fork them."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    with (
        tempfile.TemporaryDirectory(prefix="reliability-") as place,
        multiprocessing.get_context("spawn").Pool(processes, initializer=_begin, initargs=(place,)) as pool,
    ):
        return list(pool.imap(partial(_unpacked, make), asked, chunksize=1))


def _unpacked(make: Callable[..., Made], one: tuple[Any, ...]) -> Made:
    return make(*one)


def _begin(place: str) -> None:
    """Make temporary files in this folder, which goes in the end, and import what commands need."""
    tempfile.tempdir = place
    import pandas
    import pyarrow.csv
    import pyarrow.parquet

    import harness.boards.board
    import harness.cli.run
    import harness.model.audit
    import harness.runs.isolation.model

    assert all((pandas, pyarrow.csv, pyarrow.parquet, harness))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms that a command is typed under.

    surroundings: of the environment. before: what its process does first. seconds: after which it is killed, with all
    that it started. said_in: where its stdout and stderr go; its folder, where None.
    """

    surroundings: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None
    seconds: float = LONGEST
    said_in: Path | None = None


def typed(folder: Path, line: Sequence[str], terms: Terms | None = None) -> Done:
    """Type a command of ``harness`` in the folder, whose ``cache`` it uses."""
    terms, begun = terms or Terms(), time.monotonic()
    out, err = started_out(folder, terms)
    status = _wait(started(folder, line, terms), begun + terms.seconds)
    said = err.read_text(errors="replace") if err.exists() else ""
    told = out.read_text(errors="replace") if out.exists() else ""
    return Done(status, told, said, time.monotonic() - begun)


def started_out(folder: Path, terms: Terms) -> tuple[Path, Path]:
    """The files of the command's stdout and stderr."""
    return (terms.said_in or folder) / "stdout", (terms.said_in or folder) / "stderr"


def started(folder: Path, line: Sequence[str], terms: Terms) -> int:
    """The id of a process that does the command, the first of a group of its own."""
    if (child := os.fork()) == 0:
        _become(folder, line, terms)
    return child


def limited_memory(size: int) -> Callable[[], None]:
    """A process's first act, to have so many bytes of address space."""
    return partial(resource.setrlimit, resource.RLIMIT_AS, (size, size))


def ended(child: int, seconds: float = LONGEST) -> int:
    """The status of a process that ``started`` started, when it has ended, or was killed for want of time."""
    return _wait(child, time.monotonic() + seconds)


def _wait(child: int, deadline: float) -> int:
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        time.sleep(0.005)
    kill(child)
    os.waitpid(child, 0)
    return 128 + signal.SIGKILL


def kill(child: int) -> None:
    """End a process of ``started``, with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def _become(folder: Path, line: Sequence[str], terms: Terms) -> NoReturn:
    """This process does the command and ends."""
    from harness.__main__ import main

    status = 70
    try:
        os.chdir(folder)
        os.setpgid(0, 0)
        os.environ.update(terms.surroundings, HARNESS_CACHE=str(folder / "cache"))
        sys.path[:0] = terms.surroundings.get("PYTHONPATH", "").split(os.pathsep)[:1]
        for file, stream in zip(started_out(folder, terms), (1, 2), strict=True):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        if terms.before is not None:
            terms.before()
        sys.argv = ["harness", *line]
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
