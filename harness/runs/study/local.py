"""Cells side by side on this machine: each place has a process of its own, which carries out one after another."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO

from harness.errors import RunError
from harness.runs.isolation.wire import ClosedError, receive, send
from harness.runs.study.cells import Began, Cell, Ended, Event, Remark, Step
from harness.system.processors import gpus_here, thread_variables

AT_END = 5.0  # seconds that a place has to end when the study does
KEPT_FREE = 0.1  # share of the memory that no cell is given


class SideBySide:
    """So many cells at a time, as long as the memory that they are thought to take is there.

    threads: that each may compute with. memory_mb: of all together; None where nobody knows how much is free. A cell
    of which nobody knows what it takes counts for its share of that.
    """

    def __init__(self, jobs: int, threads: int, memory_mb: float | None = None) -> None:
        self.jobs, self.threads = jobs, threads
        self.memory_mb = None if memory_mb is None else memory_mb * (1 - KEPT_FREE)
        self._events: queue.Queue[Event] = queue.Queue()
        self._places: list[_WorkerPlace] = []
        self._running: dict[str, _WorkerPlace] = {}

    def has_place(self) -> bool:
        return len(self._running) < self.jobs

    def has_room(self, cell: Cell) -> bool:
        if not self._running or self.memory_mb is None:
            return True
        taken = sum(self._takes(place.cell) for place in self._running.values())
        return taken + self._takes(cell) <= self.memory_mb

    def _takes(self, cell: Cell | None) -> float:
        if cell is None or self.memory_mb is None:
            return 0.0
        return self.memory_mb / self.jobs if cell.memory_mb is None else cell.memory_mb

    def start(self, cell: Cell) -> None:
        taken = set(map(id, self._running.values()))
        place = next((place for place in self._places if id(place) not in taken), None)
        if place is None:
            place = _WorkerPlace(len(self._places), self._environment(len(self._places)), self._events)
            self._places.append(place)
        self._running[cell.id] = place
        place.start(cell)

    def _environment(self, number: int) -> dict[str, str]:
        """Threads are given out; of several GPUs each place has one."""
        given = thread_variables(self.threads)
        gpus = gpus_here()
        return given if len(gpus) < 2 else given | {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]}

    def wait(self, seconds: float) -> Sequence[Event]:
        events = []
        try:
            events.append(self._events.get(timeout=seconds))
            while True:
                events.append(self._events.get_nowait())
        except queue.Empty:
            pass
        for event in events:
            if isinstance(event, Ended):
                del self._running[event.cell.id]
        return events

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place in self._places:
            place.stop()
        for place in self._places:
            place.join()


class _WorkerPlace:
    """One process, started when the first cell comes and again after each that ended it, and the thread that talks
    to it. The system ends a process with the thread that started it, so the thread lives as long as the place.
    """

    def __init__(self, number: int, environment: Mapping[str, str], events: queue.Queue[Event]) -> None:
        self.name = f"process {number + 1}"
        self.cell: Cell | None = None
        self._environment, self._events = dict(environment), events
        self._cells: queue.Queue[Cell | None] = queue.Queue()
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in join
        self._stopped = self._busy = False
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def start(self, cell: Cell) -> None:
        self.cell = cell
        self._cells.put(cell)

    def stop(self) -> None:
        """End the process, at once where it carries out a cell, and the thread with it."""
        with self._starting:
            self._stopped = True
            if self._process is not None and self._busy:
                self._process.kill()
        self._cells.put(None)

    def join(self) -> None:
        self._thread.join(AT_END)
        if self._process is not None and self._thread.is_alive():
            self._process.kill()
        self._said.close()

    def _work(self) -> None:
        while (cell := self._cells.get()) is not None:
            begun = time.monotonic()
            self._events.put(Began(cell=cell, where=self.name))
            self._busy = True
            try:
                ended = self._carried_out(cell)
            except (ClosedError, OSError, RunError) as error:
                why = str(error) if isinstance(error, RunError) else self._why_it_ended()
                seconds = time.monotonic() - begun
                ended = Ended(cell=cell, seconds=seconds, error=why, fault="lost", where=self.name)
            self._busy = False
            self._events.put(ended)
        if self._process is not None:
            self._close(self._process)

    def _carried_out(self, cell: Cell) -> Ended:
        source, sink = self._streams()
        self._said.seek(0)  # the process shares the place in the file
        self._said.truncate()
        send(sink, {"work": cell.work, "told": dict(cell.told)})
        while True:
            told, _ = receive(source)
            if told["event"] == "step":
                self._events.put(Step(cell=cell, text=told["text"], share=told["share"]))
            elif told["event"] == "note":
                self._events.put(Remark(cell=cell, text=told["text"]))
            else:
                del told["event"]
                return Ended(cell=cell, where=self.name, **told)

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        with self._starting:
            if self._stopped:
                raise RunError("the study was stopped")
            if self._process is not None and self._process.poll() is not None:  # ended while it had nothing to do
                self._close(self._process)
                self._process = None
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "harness.runs.study.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._said,
                    env=os.environ | self._environment,
                )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        return self._process.stdout, self._process.stdin

    def _why_it_ended(self) -> str:
        """The last words of a process that ended, and no further one until a cell comes."""
        process, self._process = self._process, None
        assert process is not None
        status = self._close(process)
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        said = [line for line in lines if line.startswith("error: ")]
        if said:
            return said[-1].removeprefix("error: ").removesuffix("; finished records are kept")
        ended = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        return f"its process ended {ended}{f': {lines[-1]}' if lines else ''}"

    def _close(self, process: subprocess.Popen[bytes]) -> int:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        return process.wait()
