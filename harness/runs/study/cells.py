"""The engine: cells are started where an executor has room, and told as they end, the work of each whatever it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from harness.runs.request import PanelRequest

TICK = 0.5  # seconds between two looks at what runs
Fault = Literal["", "request", "run", "lost"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One piece of work that a process does alone.

    work: ``package.module:function`` of this installation; it is called with ``told``, which is JSON, and a
    ``harness.runs.study.place.WorkPlace``, and returns JSON. panel: the careers that it reads: they are opened once
    for all cells of a process. fit: of cells that name the same fit one runs at a time, so that the others find it in
    the cache. seconds, memory_mb: what it will take; None where nobody knows. gpus: how many it needs.
    """

    id: str
    name: str
    work: str
    told: Mapping[str, Any]
    panel: PanelRequest | None = None
    fit: str = ""
    seconds: float | None = None
    memory_mb: float | None = None
    gpus: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Began:
    """A cell is under way. where: the process or the node, in words."""

    cell: Cell
    where: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """The step that a cell is at, and the share of it that is done, None where nobody knows."""

    cell: Cell
    text: str
    share: float | None


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A sentence that a cell says beside its result."""

    cell: Cell
    text: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A cell came to its end. answer: what its work returned; None where it failed.

    fault: whose move it is. request: the user's; run: the model's; lost: its process or its node ended under it.
    handed_over: it was written down for another program, which carries it out later.
    """

    cell: Cell
    seconds: float = 0.0
    answer: Mapping[str, Any] | None = None
    error: str = ""
    fault: Fault = ""
    where: str = ""
    handed_over: bool = False


Event = Began | Step | Remark | Ended


class Executor(AbstractContextManager["Executor"], Protocol):
    """Carries cells out somewhere. Left, it stops what still runs."""

    def has_place(self) -> bool:
        """True where one more cell could run beside those that do."""
        ...

    def has_room(self, cell: Cell) -> bool:
        """True where this cell could begin now. Always, where nothing runs."""
        ...

    def start(self, cell: Cell) -> None: ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """Everything that has happened since; waits so long for the first."""
        ...


def run_cells(
    cells: Iterable[Cell], executor: Executor, watch: Callable[[Sequence[Event]], None] = lambda _: None
) -> Generator[Ended, None, None]:
    """Carry out cells, each as soon as there is room, and yield each as it ends.

    A cell that fails ends with its error; the others go on. ``cells`` is drawn from one at a time, when there is room
    for it, so that it may depend on what was yielded before: a search asks for its next trial so. watch: told all that
    has happened, every ``TICK`` seconds or sooner.
    """
    queue = _Queue(iter(cells))
    with executor:
        while True:
            while executor.has_place() and (cell := queue.draw(executor)) is not None:
                queue.running[cell.id] = cell
                executor.start(cell)
            if not queue.running:
                return
            events = executor.wait(TICK)
            watch(events)
            for event in events:
                if isinstance(event, Ended):
                    del queue.running[event.cell.id]
                    yield event


@dataclass
class _Queue:
    """Cells that wait, and those that run, by id."""

    source: Iterator[Cell]
    waiting: deque[Cell] = field(default_factory=deque)
    running: dict[str, Cell] = field(default_factory=dict)

    def draw(self, executor: Executor) -> Cell | None:
        """The first cell that could begin now, taken out of the queue.

        One whose fit another cell makes lets others by; one that finds no room does not, or it might wait for ever.
        """
        for cell in [*self.waiting]:
            if self._is_free(cell):
                if not executor.has_room(cell):
                    return None
                self.waiting.remove(cell)
                return cell
        for cell in self.source:
            if self._is_free(cell) and executor.has_room(cell):
                return cell
            self.waiting.append(cell)
            if self._is_free(cell):
                return None
        return None

    def _is_free(self, cell: Cell) -> bool:
        return not cell.fit or all(cell.fit != other.fit for other in self.running.values())
