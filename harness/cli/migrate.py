"""harness migrate: record files of older versions as this one would write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import RECORDS, RecordsOption
from harness.errors import RequestError, RunError
from harness.records.record import Record, figures
from harness.records.store import Store, existing_store, to_text
from harness.registry import Registry
from harness.stats.figures import Metric
from harness.system.files import write_atomically
from harness.system.signatures import signature_of


def migrate(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where there is something to do.")] = False,
    records: RecordsOption = RECORDS,
) -> None:
    """Rewrite record files of older versions in the present form.

    Figures that a record is too old to have are computed from its evidence, and its layout and place become those of
    this version. Ids, requests, evidence and measured costs stay as they are. So do the figures that a record has,
    which must be those of its evidence. Parts that the evidence does not hold, such as slices, need another run. A
    signed record is left alone, since its signature is of its bytes.
    """
    registry: Registry = context.obj
    store = existing_store(records)
    refused: list[str] = []
    done = 0
    for path in store.paths():
        try:
            told = _migrated(store, path, registry.all_metrics, write=not check)
        except RequestError as error:
            refused.append(str(error))
            continue
        if told:
            done += 1
            console.result(f"{path}: {told}")
    console.say(f"{done} of {len(store.paths())} record files {'are out of date' if check else 'changed'}")
    if refused:
        raise RequestError("\n".join([f"{len(refused)} of the record files left as they are:", *refused]))
    if check and done:
        raise RunError("'harness migrate' brings them up to date")


def _migrated(store: Store, path: Path, metrics: Sequence[Metric], write: bool) -> str:
    """A sentence on what was done to a file, or would be; empty where nothing.

    RequestError, with the reason, where it is left as it is.
    """
    record = store.read(path)
    made = _with_younger_figures(record, metrics, path)
    text, place = to_text(made), store.path(record.configuration)
    added = [name for name in made.figures if name not in record.figures]
    done = [f"added {', '.join(added)}"] if added else []
    if text.encode() != path.read_bytes() and not added:
        done.append("laid out anew")
    if place != path:
        if place.exists():
            raise RequestError(f"{path}: record {record.id} stands in {place} as well: remove one of them")
        done.append(f"moved to {place}")
    if done and signature_of(path).exists():
        raise RequestError(
            f"{path}: it is signed, and its signature is of its bytes; remove {signature_of(path).name} first"
        )
    if done and write:
        write_atomically(place, text)
        if place != path:
            path.unlink()
    return "; ".join(done)


def _with_younger_figures(record: Record, metrics: Sequence[Metric], path: Path) -> Record:
    computed = figures(record, metrics)
    wrong = [name for name, value in record.figures.items() if name in computed and computed[name] != value]
    if wrong:
        raise RequestError(
            f"{path}: {wrong[0]} is {record.figures[wrong[0]]}, and {computed[wrong[0]]} by its evidence"
        )
    younger = {name: value for name, value in computed.items() if name not in record.figures}
    return record.model_copy(update={"figures": {**record.figures, **younger}}) if younger else record
