"""harness leaderboard and harness compare: what the record files say."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from harness.cli import console
from harness.cli.options import BOARDS, RECORDS, BoardsOption, JsonOption, RecordsOption
from harness.errors import RequestError, RunError, did_you_mean
from harness.leaderboard import Board, boards, label
from harness.records import Store, figures, find_record
from harness.registry import Registry

WIDE = 150  # terminal columns below which a board leaves out what it cost


def leaderboard(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Print this task's boards alone.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Print this panel's boards alone.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="Print as md, tex, csv, json or html.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a table is stale.")] = False,
    records: RecordsOption = RECORDS,
    folder: BoardsOption = BOARDS,
) -> None:
    """Regenerate every table from the record files, and print those asked for.

    --check compares instead of writing: the tables byte for byte, and every figure in every record with what its
    evidence gives.
    """
    from harness import render

    registry: Registry = context.obj
    every = records_folder(records).all()
    if not every:
        raise RequestError(f"{records}: no record files; 'harness run' makes them")
    made = boards(every)
    chosen = of_task_and_panel(made, task, data)
    tables = render.files(made, folder, registry)
    if check:
        metrics = [entry.item for entry in registry.metrics.values()]
        wrong = [record.id for record in every if not _agree(record.figures, figures(record, metrics))]
        if wrong:
            raise RunError(f"records whose figures are not those of their evidence: {', '.join(wrong)}")
        if stale := render.stale(tables):
            raise RunError(f"stale: {', '.join(map(str, stale))}; 'harness leaderboard' regenerates them")
        console.say(f"{len(tables)} tables and {len(every)} records agree")
        return
    written = render.write(tables)
    if format is None:
        print_boards(chosen)
    elif format == render.PAGE:
        console.result(render.page(chosen))
    else:
        for board in chosen:
            console.result(render.render(board, format, registry))
    console.say(f"{len(written)} of {len(tables)} tables changed in {folder}")


def _agree(kept: Mapping[str, float | None], computed: Mapping[str, float | None]) -> bool:
    """Whether a record's figures are those of its evidence; one that is older than a figure has no value to compare."""
    return all(computed.get(key) == value for key, value in kept.items())


def of_task_and_panel(made: list[Board], task: str | None, data: str | None) -> list[Board]:
    """Those of a task, of a panel, or all. RequestError for a name that no record has."""
    for asked, names, kind in ((task, {b.task for b in made}, "task"), (data, {b.panel for b in made}, "panel")):
        if asked is not None and asked not in names:
            raise RequestError(f"no record of {kind} '{asked}'; {did_you_mean(asked, names)}")
    return [b for b in made if task in (None, b.task) and data in (None, b.panel)]


def print_boards(chosen: Sequence[Board]) -> None:
    """Tables on a terminal, as wide as it allows; Markdown in a pipe."""
    from harness.render import markdown
    from harness.render.table import columns, notes

    for board in chosen:
        if not console.on_terminal():
            console.result(markdown.render(board))
            continue
        narrow = shutil.get_terminal_size().columns < WIDE
        shown = columns(board, costs=not narrow)
        title = f"{board.panel}: {board.task} ({board.transitions:,} transitions of {board.persons:,} persons)"
        rows = [[column.cell(row) for column in shown] for row in board.rows]
        console.table([c.heading for c in shown], rows, [c.number for c in shown], title)
        for note in notes(board):
            console.result(f"  {note}")
        console.result("")


def compare(
    runs: Annotated[list[str], typer.Argument(help="Ids of two or more records, or how they begin.")],
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Differences in log-likelihood per transition from the first run, paired on persons, with intervals."""
    from harness import inference

    if len(runs) < 2:
        raise RequestError("compare needs two records or more")
    every = records_folder(records).all()
    chosen = [find_record(every, run) for run in runs]
    first = chosen[0]
    for other in chosen[1:]:
        same = (other.configuration.panel.fingerprint, other.configuration.task)
        alike = same == (first.configuration.panel.fingerprint, first.configuration.task)
        if not alike or not other.evidence.same_transitions(first.evidence):
            raise RequestError(
                f"{other.id} and {first.id} are not of one task on one panel; their figures do not compare"
            )
    sums = np.column_stack([record.evidence.log_likelihood for record in chosen])
    estimates = inference.differences(sums[:, 1:], sums[:, 0], first.evidence.counted)
    if as_json:
        content = [
            {"run": r.id, "model": label(r), "against": first.id, "difference": e.value, "low": e.low, "high": e.high}
            | {"standard_error": e.standard_error, "p": e.p}
            for r, e in zip(chosen[1:], estimates, strict=True)
        ]
        console.emit_json(content)
        return
    rows = [
        [r.id, label(r), f"{e.value:+.5f}", f"{e.standard_error:.5f}", f"[{e.low:+.5f}, {e.high:+.5f}]", f"{e.p:.4f}"]
        for r, e in zip(chosen[1:], estimates, strict=True)
    ]
    weights = first.configuration.panel.source.get("weights")
    per = "transition" if weights is None else f"transition weighted by {weights}"
    title = f"log-likelihood per {per} less that of {label(first)} ({first.id}), in nats; above 0 is better"
    console.table(["run", "model", "difference", "se", "95% interval", "p"], rows, [False, False, *[True] * 4], title)


def records_folder(folder: Path) -> Store:
    """The store of a folder that must exist. RequestError otherwise."""
    if not folder.is_dir():
        raise RequestError(f"{folder}: no such folder of records; 'harness run' makes one, --records names another")
    return Store(folder)
