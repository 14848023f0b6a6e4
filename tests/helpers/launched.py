"""The processes of one launch, as a launcher starts them: forked from one that has imported torch, talking by gloo."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

LONGEST = 200.0  # seconds
PRELOADED = ["harness.plugins.career.model", "harness.plugins.llm.model", "torch.distributed.fsdp"]


def launched(processes: int, threads: int, work: Callable[..., Any], *told: Any) -> list[Any]:
    """The values of ``work(*told)`` in each process. None of all where one of them dies: a launcher ends the others.

    work: a function of a module.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ends, started = [], []
    for rank in range(processes):
        own, other = context.Pipe(duplex=False)
        environment = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": processes,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        given = {name: str(value) for name, value in environment.items()} if processes > 1 else {}
        process = context.Process(target=_carried_out, args=(other, given, threads, work, told))
        process.start()
        other.close()
        ends.append(own)
        started.append(process)
    try:
        return _answers(ends)
    except EOFError:
        return []
    finally:
        for process in started:
            process.kill()
            process.join()


def _answers(ends: list[Connection]) -> list[Any]:
    """Of every process, in order. EOFError where one has died."""
    found: dict[int, Any] = {}
    until = time.monotonic() + LONGEST
    while len(found) < len(ends):
        left = [end for i, end in enumerate(ends) if i not in found]
        ready = wait(left, timeout=max(0.0, until - time.monotonic()))
        assert ready, "the processes did not end"
        for end in ready:
            assert isinstance(end, Connection)
            found[ends.index(end)] = end.recv()
    return [found[i] for i in range(len(ends))]


def _carried_out(
    answer: Connection, environment: dict[str, str], threads: int, work: Callable[..., Any], told: tuple[Any, ...]
) -> None:
    import torch

    from harness.system import processes

    os.environ.update(environment)
    torch.set_num_threads(threads)
    answer.send(work(*told))
    processes.close_group()
