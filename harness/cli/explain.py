"""harness explain: what the fit behind a record estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import RECORDS, JsonOption, RecordsOption, RunArgument
from harness.cli.reproduce import command
from harness.errors import RequestError
from harness.model.contract import Table
from harness.records.kinds import label
from harness.records.naming import record_named
from harness.registry import Registry
from harness.system.files import write_atomically
from harness.system.machine import cache_folder
from harness.system.words import counted

WIDE = 110  # terminal columns below which a table leaves out its intervals
INTERVAL = "95% "


def explain(
    context: typer.Context,
    run: RunArgument,
    stage: Annotated[str | None, typer.Option("--stage", help="Print the tables of this stage alone.")] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Print the equation of this outcome alone, by its first word.")
    ] = None,
    effects: Annotated[
        bool, typer.Option("--marginal-effects", help="Print tables of average marginal effects alone.")
    ] = False,
    latex: Annotated[
        str | None,
        typer.Option("--latex", help="Write LaTeX (booktabs) for \\input to this file; - for stdout.", metavar="FILE"),
    ] = None,
    stars: Annotated[
        bool,
        typer.Option(
            "--stars", help="With --latex: stars, and errors in brackets, in the place of z, p and intervals."
        ),
    ] = False,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Print the estimates of a finished run.

    They are coefficients, standard errors and marginal effects, or importances of trees. The fit is read from this
    machine's cache. Stages with an equation for each of many outcomes are printed when --stage or --outcome asks for
    them.
    """
    from harness.runs.explain import Explainer, brief, select

    registry: Registry = context.obj
    record = record_named(run, records)
    tables = Explainer(registry, cache_folder()).tables(record, command(record, registry, records))
    tables = select(tables, stage, outcome)
    if stars and latex is None:
        raise RequestError("--stars goes with --latex FILE")
    if effects:
        tables = _effects(tables)
    shown, lines = brief(tables) if stage is None and outcome is None else (tables, [])
    if not shown:  # all that was asked for are equations of outcomes
        shown, lines = tables, []
    if as_json:
        console.emit_json({"run": record.id, "model": label(record), "tables": [_json(table) for table in tables]})
        return
    if latex is not None:
        _write(shown, latex, stars)
    else:
        asked = record.configuration
        console.result(f"{label(record)} on {asked.panel.name} ({record.id})\n")
        for table in shown:
            _print(table)
    for line in lines:
        console.say(line)


def _effects(tables: Sequence[Table]) -> list[Table]:
    """RequestError where the model has none."""
    found = [table for table in tables if "marginal effects" in table.title.lower()]
    if not found:
        raise RequestError("--marginal-effects: these tables have none")
    return found


def _json(table: Table) -> dict[str, object]:
    content = asdict(table)
    return {**content, "rows": [dict(zip(table.headings, row, strict=True)) for row in table.rows]}


def _write(tables: Sequence[Table], file: str, stars: bool) -> None:
    from harness.render import latex

    text = latex.render(tables, stars)
    if file == "-":
        console.result(text)
        return
    write_atomically(Path(file), text)
    console.say(
        f"{counted(len(tables), 'table')} in {file}, for \\input; the preamble needs booktabs, graphicx, longtable"
    )


def _print(table: Table) -> None:
    from harness.render.estimates import cell

    narrow = console.on_terminal() and console.width() < WIDE
    kept = [i for i, heading in enumerate(table.headings) if not (narrow and heading.startswith(INTERVAL))]
    headings = [table.headings[i] for i in kept]
    rows = [[cell(table.headings[i], row[i]) for i in kept] for row in table.rows]
    title = f"{table.stage}: {table.title}" if table.stage else table.title
    console.table(headings, rows, [False, *[True] * (len(kept) - 1)], title)
    for note in table.notes:
        console.result(f"  - {note}")
    console.result("")
