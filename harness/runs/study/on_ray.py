"""Cells as tasks of Ray: careers lie in its object store, and what a cell leaves comes back as bytes."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass, field
from functools import cache
from types import TracebackType
from typing import Any

from harness.errors import RequestError, RunError, in_one_line, require_installed
from harness.registry import Registry, load_registry
from harness.runs.request import PanelRequest, Panels
from harness.runs.study.cells import Began, Cell, Ended, Event, Remark
from harness.runs.study.place import PassedOn, WorkPlace, do_work
from harness.system.machine import cache_folder
from harness.system.processors import thread_variables

RETRIES = 3  # times that a cell is begun again whose node or process was lost
MEGABYTE = 1 << 20
ANSWERS = 10.0  # seconds that a cluster has to answer
LOOKED_AT = 2.0  # seconds for which the cluster's size is taken to be what it was


@dataclass
class OnRay:
    """Carries cells out on a cluster of Ray.

    address: ``ray`` for the cluster of RAY_ADDRESS, or else one that is started here for the time of the study; or
    ``ray://HOST:PORT``. threads: CPUs that each cell asks for. most: cells at a time;
    as many as the cluster has CPUs for where None. open_panels: the careers that are put into the object store, each
    once. RequestError where Ray is not installed, does not answer, or has no node that is large enough.
    """

    address: str
    threads: int
    open_panels: Callable[[PanelRequest], Panels]
    most: int | None = None
    _ray: Any = None
    _running: dict[Any, Cell] = field(default_factory=dict)
    _panels: dict[str, Any] = field(default_factory=dict)
    _new: list[Event] = field(default_factory=list)
    _looked: tuple[float, int] = (-LOOKED_AT, 0)
    _said: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> OnRay:
        self._ray = _connected(self.address)
        self._said.enter_context(redirect_stdout(sys.stderr))  # Ray tells of lost nodes, and results go to stdout
        nodes = self._nodes()
        largest = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
        if self.threads > largest:
            self.__exit__(None, None, None)
            raise RequestError(f"--threads {self.threads}: the largest node of the cluster has {largest:g} CPUs")
        self._task = self._ray.remote(_carry_out)
        self._memory = max(node.get("memory", 0.0) for node in nodes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in self._running:
            self._ray.cancel(running, force=True)
        self._ray.shutdown()
        self._said.close()

    def _nodes(self) -> list[Mapping[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _places(self) -> int:
        """Cells that the cluster has CPUs for, as it is now: nodes come and go."""
        looked, places = self._looked
        if time.monotonic() - looked > LOOKED_AT:
            places = sum(int(node.get("CPU", 0.0) // self.threads) for node in self._nodes())
            self._looked = time.monotonic(), places
        return max(1, places)

    def has_place(self) -> bool:
        return len(self._running) < (self._places() if self.most is None else min(self.most, self._places()))

    def has_room(self, cell: Cell) -> bool:
        """Ray waits with a cell until a node has what it asks for."""
        return True

    def start(self, cell: Cell) -> None:
        asked: dict[str, Any] = {"num_cpus": self.threads, "num_gpus": cell.gpus, "max_retries": RETRIES}
        if cell.memory_mb is not None:
            asked["memory"] = int(min(cell.memory_mb * MEGABYTE, self._memory))
        task = self._task.options(**asked, name=cell.name, runtime_env={"env_vars": thread_variables(self.threads)})
        self._running[task.remote(cell.work, dict(cell.told), self._panels_of(cell))] = cell
        self._new.append(Began(cell=cell, where="Ray"))

    def _panels_of(self, cell: Cell) -> Any:
        """The careers of a cell, by reference: in its task they are there as they are."""
        if cell.panel is None:
            return None
        name = cell.panel.model_dump_json()
        if name not in self._panels:
            self._panels[name] = self._ray.put(self.open_panels(cell.panel))
        return self._panels[name]

    def wait(self, seconds: float) -> Sequence[Event]:
        events, self._new = self._new, []
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=0 if events else seconds)
        if ready:
            ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        for one in ready:
            events += self._ended(self._running.pop(one), one)
        return events

    def _ended(self, cell: Cell, task: Any) -> list[Event]:
        try:
            told = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            why = f"lost {RETRIES + 1} times, its process or its node with it ({in_one_line(error)[:300]})"
            return [Ended(cell=cell, error=why, fault="lost", where="Ray")]
        remarks: list[Event] = [Remark(cell=cell, text=text) for text in told.pop("notes")]
        return [*remarks, Ended(cell=cell, **told)]


def _connected(address: str) -> Any:
    """Ray, connected. RequestError where it is not installed, or nobody answers."""
    try:
        import ray
    except ImportError:
        require_installed("--on ray", ["ray"], "pip install 'labor-harness[ray]'")
        raise
    given = os.environ.get("RAY_ADDRESS", "") if address == "ray" else address
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if given:
            _require_answer(given)
            ray.init(given, **quiet)
        else:
            ray.init("local", include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, SystemExit) as error:
        where = given or address
        raise RequestError(
            f"--on {address}: no cluster of Ray answers at {where} ({in_one_line(error)[:200]})"
        ) from error
    return ray


def _require_answer(address: str) -> None:
    """OSError where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS).close()


def _carry_out(work: str, told: Mapping[str, Any], panels: Panels | None) -> dict[str, Any]:
    """The task, in a process of a node. ``Ended`` as a mapping, but for the cell, and the notes that were said."""
    notes: list[str] = []

    def open_panels(asked: PanelRequest) -> Panels:
        if panels is None:
            raise RunError("this cell was given no careers")
        return panels

    place = WorkPlace(
        registry=_registry(),
        cache=cache_folder(),
        open_panels=open_panels,
        progress=PassedOn(lambda text, share: None, notes.append),
    )
    return asdict(do_work(work, told, place)) | {"where": _node(), "notes": notes}


@cache
def _registry() -> Registry:
    """The plugins of this process, found once for all cells that it carries out."""
    return load_registry()


def _node() -> str:
    import ray

    context = ray.get_runtime_context()
    return f"node {context.get_node_id()[:8]}"
