"""harness score: probabilities made elsewhere, scored as every model's are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.boards.board import boards_with
from harness.cli import complete, console
from harness.cli.board import print_boards
from harness.cli.options import JsonOption, SetOption
from harness.cli.panels import reads_careers
from harness.cli.workshop import workshop_of
from harness.errors import RequestError
from harness.model.params import pairs, parse
from harness.panel.careers import Panel
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.request import PanelRequest
from harness.runs.tasks import at_risk, tasks_of
from harness.submission import Submission, check, submitted
from harness.submission.statement import stated

FileColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--file-column",
        help="The column of a part of FILE, such as probability=p; parts are person, year, state, probability and "
        "log_probability. Repeatable.",
        metavar="WHAT=COLUMN",
    ),
]


@reads_careers
def score(
    context: typer.Context,
    panel: PanelRequest,
    records: Path,
    file: Annotated[
        Path | None, typer.Argument(help="Table of probabilities: parquet, csv or csv.gz.", metavar="FILE")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name for boards.")] = None,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="A task's name, or 'all'. Repeatable.", autocompletion=complete.tasks),
    ] = None,
    file_column: FileColumnOption = None,
    log: Annotated[bool, typer.Option("--log", help="The numbers are natural logarithms of probabilities.")] = False,
    floor: Annotated[
        float, typer.Option("--floor", help="Share of a uniform distribution to mix into every row, such as 1e-9.")
    ] = 0.0,
    code: Annotated[
        str | None, typer.Option("--code", help="Address of the code that made FILE, for boards.", metavar="URL")
    ] = None,
    seen: Annotated[
        str | None,
        typer.Option(
            "--base-may-have-seen", help="May a pre-trained base know these careers?", metavar="yes|no|unknown"
        ),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(
            "--template",
            help="Write the transitions that FILE must cover to this csv or parquet file, and score nothing.",
        ),
    ] = None,
    valid: Annotated[
        bool, typer.Option("--valid", help="With --template: the validation split's transitions as well.")
    ] = False,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score probabilities that were made in R, Stata or elsewhere.

    They stand on the board, marked as submitted. FILE is a table of one of three forms. Long: columns person, year,
    state and probability (or log_probability), a row for every state of every transition. Wide: person, year, and a
    column named by the code of each state. For a binary task alone: person, year and probability, that of the task's
    event. Whole rows, long or wide, answer every task.

    A transition is identified by its person and by the year that is predicted, not by the year of its origin. Each one
    of the test split must be there once, its probabilities must sum to 1 within 1e-4, and none may be 0. --floor 1e-9
    mends zeros in the open: a row becomes (1 - floor) P / sum P + floor / states, and the record says so. Rows of the
    training split are not used. With all of the validation split as well, a submission can be part of 'harness mix'.

    --template FILE writes the transitions that are needed, a row each: person, year, split, origin (the state before)
    and origin_year; and FILE.states.csv, every state with its code. Read codes and ids as text (in R, colClasses =
    "character"; in Stata, stringcols), or 0110 becomes 110.
    """
    registry: Registry = context.obj
    asked = parse(settings or [], [])
    workshop = workshop_of(context, records)
    _require_career_columns(panel)
    request = panel.model_copy(update={"parameters": dict(asked.data)})
    if template is not None:
        _require_alone(file, name)
        tasks = tasks_of(task or [], asked.task, registry)
        careers = request.open(registry, workshop.progress)
        _write_template(template, careers, valid, entries=any(one.entry for one in tasks))
        return
    if file is None or name is None or not task:
        lacking = "FILE" if file is None else "--name" if name is None else "--task"
        raise RequestError(
            f"{lacking} is missing: harness score FILE --name NAME --task TASK; --template lists the transitions"
        )
    submission = Submission(
        name=name,
        file=file,
        columns=pairs(file_column or [], "--file-column"),
        log=log,
        floor=floor,
        statement=stated(code, seen),
    )
    check(submission, registry)
    tasks = tasks_of(task, asked.task, registry)
    careers = request.open(registry, workshop.progress)
    made = []
    asked_of = at_risk(tasks, careers, everything="all" in task, tell=console.say)
    for record in submitted(submission, asked_of, careers, workshop):
        console.say(_line(record, workshop.store))
        made.append(record)
    _show(made, workshop.store, as_json)


def _require_career_columns(panel: PanelRequest) -> None:
    if astray := [part for part in panel.columns if part in ("state", "probability", "log_probability")]:
        raise RequestError(
            f"--column {astray[0]}={panel.columns[astray[0]]}: --column is of the careers that --data names; of FILE, "
            f"say --file-column {astray[0]}={panel.columns[astray[0]]}"
        )


def _require_alone(file: Path | None, name: str | None) -> None:
    if file is not None or name is not None:
        raise RequestError(
            "--template writes the transitions to be filled in, and scores nothing: leave out FILE and --name"
        )


def _write_template(path: Path, panel: Panel, valid: bool, entries: bool) -> None:
    from harness.submission.template import write_template

    for written in write_template(path, panel, ("test", "valid") if valid else ("test",), entries):
        console.say(f"-> {written}")


def _line(record: Record, store: Store) -> str:
    asked = record.configuration
    return (
        f"{asked.model} (submitted) on {asked.task}: perplexity {record.figures['perplexity']:.4f}, score "
        f"{record.measured.score_seconds:.1f} s -> {store.path(asked)}"
    )


def _show(made: list[Record], store: Store, as_json: bool) -> None:
    found, ids = boards_with(made, store), {record.id for record in made}
    for board in found:
        for row in board.unchecked:
            if row.record in ids and row.implausible:
                console.say(f"warning: {row.label} on {board.task} is implausible: {row.implausible}")
    if as_json:
        console.emit_json([record.model_dump(mode="json", exclude={"evidence"}) for record in made])
    else:
        print_boards(found)
