"""harness card: a run on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.boards.card import Installed, card_of
from harness.cli import console
from harness.cli.board import record_of, records_folder
from harness.cli.options import RECORDS, JsonOption, RecordsOption, RunArgument
from harness.cli.reproduce import command, opened_by
from harness.records.kinds import MIX, is_submitted
from harness.records.record import Record
from harness.registry import Registry
from harness.system.files import write_atomically


def card(
    context: typer.Context,
    run: RunArgument,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file instead.", metavar="FILE")] = None,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """A run on one page: model, data, figures and place, calibration, for whom it holds, cost, provenance, limits.

    Everything is read from the record files of the folder, and from what is installed: what a model and a data set are.
    Markdown in a pipe and in a file; laid out on a terminal.
    """
    from harness.render.card.page import plain, render

    registry: Registry = context.obj
    store = records_folder(records)
    record = record_of(run, records)
    made = card_of(record, store, _installed(record, registry, records))
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
