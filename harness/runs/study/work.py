"""The work of a study's cell: one run, its records left among the study's, or in a bundle that is brought there."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.records.record import Record
from harness.records.store import Store
from harness.runs.batch import run_all
from harness.runs.execute import Workshop
from harness.runs.fits import folder_of
from harness.runs.isolation.hiding import hidden_paths, isolation_of
from harness.runs.request import RunRequest
from harness.runs.study.bundle import packed, write_whole
from harness.runs.study.place import WorkPlace

WORK = f"{__name__}:run_cell"


def run_cell(told: Mapping[str, Any], place: WorkPlace) -> dict[str, Any]:
    """Make a run's records. told: ``request``, as ``RunRequest`` has it; ``time_limit`` in seconds, or None;
    ``isolated``; and where they are left: ``records``, a folder, or else ``bundle``, a file, or where both are None
    the answer.

    The answer: ``records``, their ids; ``heads``, what Costs learns from; ``bundle``, bytes. HarnessError as the run
    has it.
    """
    if told["records"] is not None:
        return _answer(_run(told, Store(Path(told["records"])), place))
    with tempfile.TemporaryDirectory(prefix="harness-cell-") as folder:
        store = Store(Path(folder))
        done = _run(told, store, place)
        spec = place.registry.model(done[0].configuration.model).item
        fit = folder_of(done[0].configuration, spec, place.cache)
        bundle = packed(done, store, place.cache, fit)
        if told["bundle"] is None:
            return _answer(done) | {"bundle": bundle}
        write_whole(Path(told["bundle"]), bundle)
        return _answer(done)


def _run(told: Mapping[str, Any], store: Store, place: WorkPlace) -> list[Record]:
    request = RunRequest.model_validate(told["request"])
    hidden = hidden_paths(place.registry, request.panel.sources)
    workshop = Workshop(
        registry=place.registry,
        store=store,
        cache=place.cache,
        progress=place.progress,
        reuse=request.reuse,
        time_limit=told["time_limit"],
        isolation=isolation_of(place.registry, hidden) if told["isolated"] else None,
        hidden=hidden,
    )
    sound = set(place.registry.broken)
    done, _ = run_all(request, place.open_panels(request.panel), workshop, lambda _: None)
    for plugin in place.registry.broken.keys() - sound:
        place.progress.note(f"plugin '{plugin}' failed and was passed over: {place.registry.broken[plugin]}")
    return done


def _answer(done: Sequence[Record]) -> dict[str, Any]:
    heads = [record.model_dump(mode="json", include={"id", "configuration", "measured", "facts"}) for record in done]
    return {"records": [record.id for record in done], "heads": heads}
