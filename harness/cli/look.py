"""harness data look: what a file is taken to be, and the line that runs models on it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import console
from harness.cli.faults import told
from harness.cli.options import JsonOption
from harness.cli.panels import ColumnOption, OccupationsOption, reads_file
from harness.data.reading import FileReading
from harness.errors import RequestError
from harness.model.params import pairs
from harness.panel import time
from harness.runs.request import PanelRequest, RunRequest, to_yaml
from harness.system.files import write_atomically
from harness.system.progress import PROGRESS
from harness.system.words import counted, told_left_out

if TYPE_CHECKING:
    from harness.data.look import Look

RUN = "harness run --task next_occ --model markov"  # a first model, which takes no time
SHOWN = 24  # columns that are shown one by one
SaveOption = Annotated[
    Path | None, typer.Option("--save-mapping", help="Write the request to this YAML file, for harness run --config.")
]


@reads_file
def look(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file of careers, of any form.", metavar="FILE")],
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    *,
    reading: FileReading,
    save_mapping: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Guess how a file is read, and print the line to run.

    Options that are given are kept. The exit status is 2 if the file cannot be read even so.
    """
    from harness.data.look import look as look_at

    if not file.exists():
        raise RequestError(f"{file}: there is no such file")
    with context.meta[PROGRESS].bar(f"looking at {file}", None):
        seen = look_at(file, pairs(column or []), occupations, reading)
    request = PanelRequest(data=str(file), columns=dict(seen.mapping), occupations=occupations, reading=seen.reading)
    if as_json:
        console.emit_json(_plain(seen, request))
    else:
        _show(seen, request)
    if save_mapping is not None and seen.panel is not None:
        *_, task, _, model = RUN.split()
        run = RunRequest(panel=request, tasks=(task,), models={model: {}})
        write_atomically(save_mapping, to_yaml(run))
        console.say(f"-> {save_mapping}: harness run --config {shlex.quote(str(save_mapping))}")
    if seen.panel is None:
        raise typer.Exit(2)


def line(request: PanelRequest) -> str:
    """The command that runs a first model on these careers."""
    words = [*RUN.split(), "--data", request.data]
    for part, name in request.columns.items():
        words += ["--column", f"{part}={name}"]
    words += ["--occupations", str(request.occupations)] if request.occupations else []
    return shlex.join([*words, *request.reading.words()])


def _size(seen: Look) -> dict[str, Any]:
    panel = seen.panel
    if panel is None:
        return {}
    return {
        "persons": panel.n_persons,
        "records": panel.n_records,
        "transitions": len(panel.transitions),
        "states": panel.n_states,
        "time_unit": panel.unit,
        "first": time.name(int(panel.year.min()), panel.unit),
        "last": time.name(int(panel.year.max()), panel.unit),
        "stay_rate": seen.stay_rate,
    }


def _plain(seen: Look, request: PanelRequest) -> dict[str, Any]:
    return {
        **{"file": request.data, "facts": dict(seen.facts), "rows": seen.rows},
        "columns": [asdict(column) for column in seen.columns],
        "errors": [asdict(fault) for fault in seen.errors],
        "notes": [asdict(fault) for fault in seen.notes],
        "left_out": dict(seen.left_out),
        "panel": _size(seen) or None,
        "command": line(request) if seen.panel is not None else None,
    }


def _show(seen: Look, request: PanelRequest) -> None:
    facts = [f"{what} {said}" for what, said in seen.facts.items() if what != "blanks"]
    console.result(
        f"{request.data}: {', '.join(facts)}; {counted(seen.rows, 'row')}, {counted(len(seen.columns), 'column')}"
    )
    shown = [one for one in seen.columns if one.part not in ("covariate", "state at a time")]
    rest = [one for one in seen.columns if one not in shown]
    rows = [
        [one.name, one.part, one.type, f"{one.values:,}", ", ".join(one.examples), one.title]
        for one in [*shown, *rest][:SHOWN]
    ]
    headings = ["column", "part", "type", "values", "such as", "title"]
    console.table(headings, rows, right=[heading == "values" for heading in headings])
    if len(seen.columns) > SHOWN:
        console.result(f"and {counted(len(seen.columns) - SHOWN, 'more column')}")
    if size := _size(seen):
        stay = "none" if size["stay_rate"] is None else f"{size['stay_rate']:.3f}"
        console.result(
            f"{counted(size['persons'], 'person')}, {counted(size['records'], 'record')}, "
            f"{counted(size['transitions'], 'transition')}, {counted(size['states'], 'state')}, stay rate {stay}; "
            f"unit of time {size['time_unit']}, {size['first']} to {size['last']}"
        )
    lines = [*told("error", seen.errors), *told("note", seen.notes)]
    lines += [told_left_out(reason, count) for reason, count in seen.left_out.items()]
    for one in lines:
        console.result(one)
    if seen.panel is not None:
        console.result(line(request))
