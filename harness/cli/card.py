"""harness card: a run on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.boards.card import Installed, card_of
from harness.cli import console
from harness.cli.options import RECORDS, JsonOption, RecordsOption, RunArgument
from harness.cli.reproduce import command, opened_by, reopen
from harness.errors import RequestError
from harness.records.kinds import MIX, is_submitted
from harness.records.naming import record_named
from harness.records.record import Record
from harness.records.store import existing_store
from harness.registry import Registry
from harness.runs.request import PanelRequest
from harness.system.files import write_atomically
from harness.system.machine import cache_folder, resolve_device
from harness.system.progress import PROGRESS, Progress

if TYPE_CHECKING:
    from harness.runs.memorisation import MemorisationProbe


def card(
    context: typer.Context,
    run: RunArgument,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file instead.", metavar="FILE")] = None,
    memorisation: Annotated[
        bool,
        typer.Option(
            "--memorisation", help="Test the fit, which must be on this machine, for knowing careers by heart."
        ),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option("--data", help="With --memorisation: where the panel's files lie.", metavar="PATH"),
    ] = None,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Print an account of one run on a page.

    It has the model, data, figures and place, calibration, for whom it holds, cost, provenance and limits. Everything
    is read from the record files of the folder, and from the installed descriptions of models and data sets. The page
    is Markdown in a pipe and in a file, and laid out on a terminal. --memorisation adds the model's answers on fifty
    test and fifty training careers: as they are, with years moved, with occupations exchanged within major groups, and
    with titles reworded.
    """
    from harness.render.card.page import plain, render

    registry: Registry = context.obj
    store = existing_store(records)
    record = record_named(run, records)
    made = card_of(record, store, _installed(record, registry, records))
    if memorisation:
        made = replace(made, memorisation=_probed(record, registry, context.meta[PROGRESS], data))
    elif data is not None:
        raise RequestError("--data goes with --memorisation: all else is read from records")
    if out is not None:
        write_atomically(out, console.json_text(plain(made)) if as_json else render(made))
        console.say(f"-> {out}")
    elif as_json:
        console.emit_json(plain(made))
    elif console.on_terminal():
        console.markdown(render(made))
    else:
        console.result(render(made))


def _installed(record: Record, registry: Registry, records: Path) -> Installed:
    asked = record.configuration
    opened = opened_by(asked.panel, registry)
    made_here = asked.model != MIX and not is_submitted(record)
    return Installed(
        model=registry.models.get(asked.model) if made_here else None,
        dataset=registry.datasets[opened.source].item if opened.is_named else None,
        command=command(record, registry, records),
    )


def _probed(record: Record, registry: Registry, progress: Progress, data: str | None) -> MemorisationProbe:
    """RequestError where there is no fit to ask, where the panel is not found, and where it has too few careers."""
    from harness.runs.fits import load
    from harness.runs.memorisation import FEW, memorisation
    from harness.runs.validation import fit_here
    from harness.runs.verify import params_of, task_of

    asked = record.configuration
    if asked.model == MIX or is_submitted(record):
        raise RequestError(f"{record.id} ({asked.model}) has no fit of its own that could be asked about other careers")
    folder = fit_here(record, registry, cache_folder())
    panel = reopen(asked.panel, registry, progress, None if data is None else PanelRequest(data=data))
    entry = registry.model(asked.model)
    fitted = load(entry.item, params_of(entry, asked.parameters), folder, resolve_device("auto", entry.item.needs))
    found = memorisation(entry.item, fitted.model, task_of(record, registry), panel)
    if found is None:
        raise RequestError(f"--memorisation: fewer than {FEW} careers of a split of '{asked.panel.name}' are at risk")
    return found
