"""Files that hold the outcomes of a run, and the isolation of its model from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import RequestError
from harness.registry import Registry
from harness.runs.isolation import sandbox
from harness.runs.isolation.process import Isolation
from harness.system.machine import cache_folder


def hidden_paths(registry: Registry, data: Iterable[str]) -> tuple[Path, ...]:
    """The files and folders that models must not open. data: names of data sets, or paths."""
    return tuple(Path(place).expanduser() for place in data if place not in registry.datasets)


def isolation_of(registry: Registry, hidden: tuple[Path, ...]) -> Isolation:
    """Isolation from files and folders. RequestError where this system has no such means."""
    if not sandbox.is_known():
        raise RequestError("--isolated needs Landlock (Linux 5.13 or later), which this system does not have")
    modules = {entry.module for entry in registry.models.values()}
    modules |= {entry.module for entry in registry.encoders.values()}
    return Isolation(cache=cache_folder(), hidden=hidden, modules=tuple(sorted(modules)))
