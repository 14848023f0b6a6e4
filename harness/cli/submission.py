"""harness submission: the checks that a maintainer makes of a submitted record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import JsonOption
from harness.cli.panels import ColumnOption, OccupationsOption
from harness.cli.reproduce import reopen
from harness.data.tables.times import point
from harness.errors import HarnessError, RequestError
from harness.model.params import pairs
from harness.panel.careers import Panel
from harness.records.kinds import is_submitted
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.request import PanelRequest
from harness.runs.verify import verify
from harness.submission import checks
from harness.submission.again import scored_again
from harness.submission.checks import CheckLine
from harness.submission.statement import Statement
from harness.system.progress import PROGRESS, Progress

app = typer.Typer(help="Check a submission to a leaderboard.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Check what is submitted to a leaderboard."""


@dataclass(frozen=True)
class _CheckRequest:
    """All that the command line says beside the record."""

    registry: Registry
    progress: Progress
    panel: PanelRequest | None
    table: Path | None
    code: str | None
    cutoff: str | None


@app.command("check")
def check_submission(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The record file that 'harness score' wrote.", metavar="FILE")],
    data: Annotated[
        str | None, typer.Option("--data", help="Path of the record's panel, if it was read from files.")
    ] = None,
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    table: Annotated[
        Path | None,
        typer.Option("--file", help="The table of probabilities, to be scored again.", metavar="TABLE"),
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", help="Address of the replication code, as the request says.", metavar="URL")
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(
            "--base-cutoff", help="The last year, or 1998-07, that a pre-trained base can have read of.", metavar="TIME"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a submitted record, with a line for each check.

    schema: the file is a record, unedited, of submitted probabilities. figures: they are those of its evidence.
    coverage: it counts the task's transitions of the test split, each once. evidence: the table of --file gives the
    same. code: replication code is named. base: a statement on pre-training, compared with --base-cutoff. The exit
    status is 1 where a check fails.
    """
    panel = None
    if data is not None or column or occupations is not None:
        panel = PanelRequest(data=data or "market", columns=pairs(column or []), occupations=occupations)
    asked = _CheckRequest(context.obj, context.meta[PROGRESS], panel, table=table, code=code, cutoff=cutoff)
    lines = list(_lines(file, asked))
    if as_json:
        console.emit_json([asdict(line) for line in lines])
    else:
        for line in lines:
            console.result(f"{line.verdict:<6}  {line.name}: {line.said}")
    if any(line.verdict == "failed" for line in lines):
        raise typer.Exit(1)


def _lines(file: Path, asked: _CheckRequest) -> Iterator[CheckLine]:
    """The checks in order; those that need a record or its panel are left out where there is none."""
    try:
        record = Store(file.parent).read(file)
    except RequestError as error:
        yield CheckLine("schema", "failed", str(error))
        return
    yield from checks.of_record(record, asked.registry)
    stated = Statement.of(record.facts)
    yield checks.of_code(stated, asked.code)
    try:
        panel = reopen(record.configuration.panel, asked.registry, asked.progress, asked.panel)
    except HarnessError as error:
        yield CheckLine("coverage", "failed", str(error))
        return
    yield checks.of_coverage(record, panel, asked.registry)
    yield checks.of_base(stated, panel, None if asked.cutoff is None else point(asked.cutoff, panel.unit))
    yield _evidence(record, panel, asked)


def _evidence(record: Record, panel: Panel, asked: _CheckRequest) -> CheckLine:
    if asked.table is None or not is_submitted(record):
        return CheckLine("evidence", "note", "not recomputed: --file names the table of probabilities")
    with tempfile.TemporaryDirectory(prefix="harness-check-") as scratch:
        place = Path(scratch)
        workshop = Workshop(registry=asked.registry, store=Store(place / "records"), cache=place / "cache")
        try:
            again = scored_again(record, asked.table, panel, workshop)
        except (HarnessError, OSError) as error:
            return CheckLine("evidence", "failed", str(error))
        return checks.of_file(record, verify(record, again))
