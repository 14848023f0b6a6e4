"""The workshop of a command: its plugins, records, cache and progress."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.records.store import Store
from harness.runs.execute import Reuse, Workshop
from harness.system.drafts import sweep
from harness.system.machine import cache_folder, require_cache
from harness.system.progress import PROGRESS


def workshop_of(context: typer.Context, records: Path, reuse: Reuse = "own") -> Workshop:
    """Runs of this command leave their records in a folder, and their fits in the user's cache.

    What killed commands left half written in either is removed.
    RequestError where the cache cannot be written to.
    """
    require_cache()
    for folder in (cache_folder(), records):
        sweep(folder)
    return Workshop(
        registry=context.obj,
        store=Store(records),
        cache=cache_folder(),
        progress=context.meta[PROGRESS],
        reuse=reuse,
    )
