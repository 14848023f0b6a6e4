"""The workshop of a command: its plugins, records, cache and progress."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import typer

from harness.errors import RequestError, did_you_mean
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Reuse, Workshop
from harness.system.drafts import sweep
from harness.system.machine import cache_folder, require_cache
from harness.system.progress import PROGRESS

OBSERVE = "HARNESS_OBSERVE"  # observers that every command tells of its runs, separated by commas


def observers_of(registry: Registry, asked: Iterable[str]) -> tuple[str, ...]:
    """The observers of --observe and of HARNESS_OBSERVE. RequestError for one that is none."""
    names = list(dict.fromkeys([*asked, *os.environ.get(OBSERVE, "").replace(",", " ").split()]))
    known = registry.observers()
    for name in names:
        if name not in known:
            raise RequestError(f"no observer is called '{name}'; {did_you_mean(name, known)}")
    return tuple(names)


def workshop_of(context: typer.Context, records: Path, reuse: Reuse = "own", observe: Iterable[str] = ()) -> Workshop:
    """Runs of this command leave their records in a folder, and their fits in the user's cache.

    observe: observers that are told of them, beside those of HARNESS_OBSERVE. What killed commands left half written in
    either folder is removed. RequestError where the cache cannot be written to, or an observer is none.
    """
    observers = observers_of(context.obj, observe)
    require_cache()
    for folder in (cache_folder(), records):
        sweep(folder)
    return Workshop(
        registry=context.obj,
        store=Store(records),
        cache=cache_folder(),
        progress=context.meta[PROGRESS],
        reuse=reuse,
        observers=observers,
    )
