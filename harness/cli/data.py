"""harness data: what is in a source, what is wrong with it, and the same careers in another form."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import complete, console, look
from harness.cli.faults import told
from harness.cli.options import JsonOption
from harness.cli.panels import ColumnOption, OccupationsOption, reads_file
from harness.cli.sharding import Sharding
from harness.data.reading import FileReading
from harness.errors import RequestError
from harness.model.params import pairs
from harness.system.progress import PROGRESS
from harness.system.words import counted, told_left_out

if TYPE_CHECKING:
    from harness.data.describe import Description
    from harness.data.write import Format

app = typer.Typer(help="Describe, check and convert careers.", no_args_is_help=True, rich_markup_mode=None)

app.command("look")(look.look)

SourceArgument = Annotated[
    str,
    typer.Argument(
        help="A data set's name, a panel folder, a file of careers, or a CAREER folder.",
        metavar="SOURCE",
        autocompletion=complete.datasets,
    ),
]
DataSetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter of a named data set, such as persons=500.", metavar="NAME=VALUE"),
]


class Form(StrEnum):
    """Forms that careers can be written in."""

    CSV_GZ = "csv.gz"
    CSV = "csv"
    PARQUET = "parquet"
    CAREER = "career"
    SHARDS = "shards"


WRITTEN: dict[Form, Format] = {
    Form.CSV_GZ: "csv.gz",
    Form.CSV: "csv",
    Form.PARQUET: "parquet",
    Form.CAREER: "career",
}


def _settings(given: list[str] | None) -> dict[str, str]:
    return pairs([text.removeprefix("data.") for text in given or []], "--set")


@app.command("describe")
@reads_file
def describe(
    context: typer.Context,
    source: SourceArgument,
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    *,
    reading: FileReading,
    settings: DataSetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a source in counts.

    They are of persons, years, states, transitions, splits and covariates.
    """
    from harness.data.describe import describe as describe_panel

    with context.meta[PROGRESS].bar(f"reading {source}", None):
        panel = context.obj.open_panel(source, _settings(settings), column or [], occupations, reading=reading)
        found = describe_panel(panel)
    if as_json:
        console.emit_json(found.as_json())
    else:
        _show(found)


@app.command("check")
@reads_file
def check(
    context: typer.Context,
    source: SourceArgument,
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    *,
    reading: FileReading,
    settings: DataSetOption = None,
    show_all: Annotated[bool, typer.Option("--all", help="List every fault, not three of each kind.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the faults of a source, with file, line and value.

    Three of each kind are shown. The exit status is 2 for an error.
    """
    from harness.data.open import check as check_source

    with context.meta[PROGRESS].bar(f"checking {source}", None):
        found = check_source(
            source,
            _settings(settings),
            columns=column or [],
            occupations=occupations,
            reading=reading,
            datasets=context.obj.datasets,
        )
    panel = found.panel
    if as_json:
        console.emit_json(
            {
                "source": source,
                "errors": [asdict(fault) for fault in found.errors],
                "notes": [asdict(fault) for fault in found.notes],
                "persons": panel.n_persons if panel else None,
                "records": panel.n_records if panel else None,
                "left_out": dict(panel.left_out) if panel else {},
            }
        )
    else:
        lines = [*told("error", found.errors, show_all), *told("note", found.notes, show_all)]
        if panel:
            lines += [told_left_out(reason, count) for reason, count in panel.left_out.items()]
        size = f"{counted(panel.n_persons, 'person')}, {counted(panel.n_records, 'record')}" if panel else "not read"
        faults = f"{counted(len(found.errors), 'error')}, {counted(len(found.notes), 'note')}"
        lines.append(f"{source}: {faults}; {size}")
        console.result("\n".join(lines))
    if found.errors:
        raise typer.Exit(2)


@app.command("convert")
@reads_file
def convert(
    context: typer.Context,
    source: SourceArgument,
    folder: Annotated[Path, typer.Argument(help="A new folder to write to.", metavar="FOLDER")],
    form: Annotated[Form, typer.Option("--to", help="Form of the careers.")] = Form.CSV_GZ,
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    *,
    reading: FileReading,
    settings: DataSetOption = None,
    shards: Annotated[
        int | None,
        typer.Option("--shards", help="--to shards: how many; of a folder of parquet files each is one.", min=1),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="--to shards: processes that write at a time.", min=1)] = 1,
    as_json: JsonOption = False,
) -> None:
    """Write a source as a panel folder, CAREER files or shards.

    A panel folder reads back equal. Shards are for careers larger than memory.
    """
    from harness.data.write import write_panel

    stopped = f"{folder} is not written"
    if form is Form.SHARDS:
        asked = Sharding(
            source=source,
            settings=_settings(settings),
            columns=pairs(column or []),
            occupations=occupations,
            reading=reading,
            shards=shards,
            jobs=jobs,
        )
        with console.told_if_stopped(stopped):
            asked.write(context, folder, as_json)
        return
    if shards is not None or jobs > 1:
        raise RequestError("--shards and --jobs are for --to shards")
    with console.told_if_stopped(stopped), context.meta[PROGRESS].bar(f"converting {source}", None):
        panel = context.obj.open_panel(source, _settings(settings), column or [], occupations, reading=reading)
        files = write_panel(panel, folder, WRITTEN[form])
    if as_json:
        fingerprint = None if form is Form.CAREER else panel.fingerprint()
        console.emit_json({"files": [str(file) for file in files], "fingerprint": fingerprint})
    else:
        console.result("\n".join(str(file) for file in files))


@app.command("lists")
def lists(as_json: JsonOption = False) -> None:
    """List the code lists that come with the package.

    --occupations NAME takes one in the place of a table.
    """
    from harness.data.codelists import code_lists
    from harness.data.codelists.partial import PARTIAL

    found, partial = code_lists().values(), PARTIAL.values()
    if as_json:
        console.emit_json([*map(asdict, found), *map(asdict, partial)])
        return
    rows = [[one.name, f"{one.codes:,}", one.summary, f"{one.source}; {one.license}"] for one in found]
    rows += [[one.name, "groups", one.summary, one.note] for one in partial]
    console.table(["code list", "codes", "", "source and license"], rows, right=[False, True, False, False])


def _show(found: Description) -> None:
    from harness.data.describe import percent

    console.table(["", found.name], found.figures(), right=[False, True])
    sizes = [[name, f"{s.persons:,}", f"{s.records:,}", f"{s.transitions:,}"] for name, s in found.splits.items()]
    console.table(["split", "persons", "records", "transitions"], sizes, right=[False, True, True, True])
    statuses = [
        [status, f"{share:.1%}", percent(found.stay_rate_by_status.get(status))]
        for status, share in found.by_status.items()
    ]
    console.table(["status", "records", "stay rate"], statuses, right=[False, True, True])
    covariates = [
        [name, c.kind, str(c.levels or ""), "yes" if c.fixed else "no", f"{c.missing:.1%}"]
        for name, c in found.covariates.items()
    ]
    if covariates:
        headings = ["covariate", "kind", "levels", "fixed", "missing"]
        console.table(headings, covariates, right=[False, False, True, False, True])
    for reason, count in found.left_out.items():
        console.result(told_left_out(reason, count))
