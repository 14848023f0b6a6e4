"""harness study: a grid of runs, planned, carried out side by side, by Ray or by Slurm, and merged."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli import console
from harness.cli.executors import Where
from harness.cli.options import RECORDS, IsolatedOption, JsonOption, RecordsOption, TimeLimitOption
from harness.cli.workshop import workshop_of
from harness.errors import RequestError, did_you_mean
from harness.registry import Registry
from harness.runs.isolation.hiding import isolation_of
from harness.runs.study.carry_out import carry_out
from harness.runs.study.cells import Ended
from harness.runs.study.merge import merge_folder
from harness.runs.study.place import LastPanels
from harness.runs.study.plan import PlannedCell, StudyPlan, plan
from harness.runs.study.request import StudyCell, StudyRequest
from harness.system.words import counted

app = typer.Typer(
    help="Run a grid of models, panels and seeds as one study.", no_args_is_help=True, rich_markup_mode=None
)
STATES = ("done", "fit kept", "to run", "failed", "cannot be made")
HEADINGS = ("panel", "model", "cells", *STATES[:4], "seconds left", "peak, MB")
CELL_HEADINGS = ("cell", "state", "seconds", "peak, MB", "id")
UNKNOWN = "?"
EXAMPLES = 5  # failed cells that are told one by one

FileArgument = Annotated[
    Path,
    typer.Argument(help="YAML file of a study: the request of 'harness run --config', with lists.", metavar="FILE"),
]
CellOption = Annotated[
    list[str] | None, typer.Option("--cell", help="Run or list this cell alone, by its id. Repeatable.", metavar="ID")
]


@app.command("plan")
def plan_study(
    context: typer.Context,
    file: FileArgument,
    cell: CellOption = None,
    every: Annotated[bool, typer.Option("--all", help="Print a line for every cell.")] = False,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """List the cells of a study, and the cost of those to run.

    A cell is done, failed or to run; none is run. Seconds and memory are those of the earlier record of the same model
    that is nearest in parameters and size, scaled by the number of records that it is fitted on; a ? where there is
    none.
    """
    workshop = workshop_of(context, records)
    request = StudyRequest.read(file)
    planned = plan(_chosen(request, file, context.obj, cell), workshop, LastPanels(context.obj), request.reuse)
    if as_json:
        console.emit_json([_plain(one, planned) for one in planned.cells])
        return
    if every:
        console.table(CELL_HEADINGS, [_row(one, planned) for one in planned.cells], [False, False, True, True, False])
    else:
        console.table(HEADINGS, _groups(planned), [False, False, *[True] * 7])
    console.notes(_notes(planned))


@app.command("run")
def run_study(
    context: typer.Context,
    file: FileArgument,
    cell: CellOption = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", help="Cells at a time: 1 on this machine, as many as there are CPUs for on Ray.", min=1),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of each cell: here the processors, divided by --jobs; elsewhere 1.", min=1),
    ] = None,
    on: Annotated[
        str,
        typer.Option(
            help="Where: local; ray, the cluster of RAY_ADDRESS, or one of this machine; ray://HOST:PORT; slurm."
        ),
    ] = "local",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again the cells that failed before.")
    ] = False,
    time_limit: TimeLimitOption = None,
    isolated: IsolatedOption = False,
    gpus: Annotated[float, typer.Option(help="GPUs that each cell asks Ray or Slurm for.", min=0.0)] = 0.0,
    out: Annotated[Path | None, typer.Option(help="Folder that the job array of --on slurm is written to.")] = None,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(
            help="A further option of the job array, such as --partition=short. Repeatable.", metavar="OPTION"
        ),
    ] = None,
    bundles: Annotated[
        Path | None,
        typer.Option(help="Leave the results of cells in this folder, an archive each, for 'harness study merge'."),
    ] = None,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Run the cells of a study that have no record yet.

    Each runs in a process that may fail alone. The error of a cell that fails is printed and kept beside the records,
    the others go on, and the exit status is 1. Such a cell is tried again with --retry-failed alone. A study that was
    stopped goes on where it was.
    """
    where = Where(on=on, jobs=jobs, threads=threads, gpus=gpus, out=out, sbatch=tuple(sbatch or ()), bundles=bundles)
    where.require_sound()
    if isolated and on == "local":
        isolation_of(context.obj, ())  # a system that cannot, before its cells fail one by one
    workshop, panels = workshop_of(context, records), LastPanels(context.obj)
    request = StudyRequest.read(file)
    cells = _without_bundle(_chosen(request, file, context.obj, cell), bundles)
    planned = plan(cells, workshop, panels, "isolated" if isolated else request.reuse)
    for said in planned.cautions:
        console.say(f"warning: {said}")
    further = [] if time_limit is None else ["--time-limit", f"{time_limit:g}"]
    further += ["--isolated"] if isolated else []
    executor = where.executor(panels, [str(file.absolute()), "--records", str(records.absolute()), *further])
    try:
        ended = carry_out(
            planned, executor, workshop, how=where.how(retry_failed, time_limit, isolated), tell=workshop.progress.note
        )
    except KeyboardInterrupt:
        console.say(f"stopped; finished records are kept in {records}, and the same command goes on")
        raise
    if as_json:
        console.emit_json([_plain(one, planned) | _outcome(ended.get(one.cell.id)) for one in planned.cells])
    failed = _tell(planned, ended)
    if where.is_slurm and ended:
        console.say(f"sbatch {shlex.quote(f'{out}/array.sh')}")
        console.say(f"harness study merge {shlex.quote(str(out))} --records {shlex.quote(str(records))}")
    if failed:
        raise typer.Exit(1)


@app.command("merge")
def merge_study(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of the job array, or of --bundles.", metavar="FOLDER")],
    records: RecordsOption = RECORDS,
) -> None:
    """Collect the results of cells that ran elsewhere.

    They are put among the records and into the cache, and failures beside the records. To merge twice changes nothing.
    The exit status is 1 where cells failed.
    """
    workshop = workshop_of(context, records)
    merged = merge_folder(folder, workshop.store, workshop.cache)
    console.say(f"in {records}: {counted(merged.records, 'record')} of {counted(merged.cells, 'cell')}")
    for failure in merged.failed[:EXAMPLES]:
        console.say(f"failed: {failure.name}: {failure.error}")
    if merged.failed:
        console.say(
            f"{counted(len(merged.failed), 'cell')} failed: submit the array again, or --retry-failed runs them here"
        )
        raise typer.Exit(1)


def _chosen(request: StudyRequest, file: Path, registry: Registry, ids: Sequence[str] | None) -> Sequence[StudyCell]:
    """The cells of a file's study; of these ids alone. RequestError for an id that none has."""
    cells = request.cells(file.parent, registry)
    if not ids:
        return cells
    known = {cell.id: cell for cell in cells}
    if astray := [id for id in ids if id not in known]:
        raise RequestError(f"--cell {astray[0]}: {file} has no such cell; {did_you_mean(astray[0], known)}")
    return [known[id] for id in dict.fromkeys(ids)]


def _without_bundle(cells: Sequence[StudyCell], bundles: Path | None) -> Sequence[StudyCell]:
    """The cells that have left nothing in the folder of bundles."""
    return cells if bundles is None else [cell for cell in cells if not (bundles / f"{cell.id}.zip").exists()]


def _groups(planned: StudyPlan) -> list[list[str]]:
    """As ``HEADINGS``: a row for each model on each panel, and one for all."""
    groups: dict[tuple[str, str], list[PlannedCell]] = {}
    for one in planned.cells:
        groups.setdefault((_panel_name(one.cell), one.cell.model), []).append(one)
    rows = [_sums(panel, model, group, planned) for (panel, model), group in groups.items()]
    return rows if len(rows) < 2 else [*rows, _sums("all", "", planned.cells, planned)]


def _sums(panel: str, model: str, group: Sequence[PlannedCell], planned: StudyPlan) -> list[str]:
    counts = [sum(one.state == state for one in group) for state in STATES[:4]]
    left = [one for one in group if one.state in ("fit kept", "to run")]
    costs = [one.cost(planned.costs) for one in left]
    known = [cost for cost in costs if cost is not None]
    more = "" if len(known) == len(left) else f" + {len(left) - len(known)} {UNKNOWN}"
    seconds = f"{sum(cost.seconds for cost in known):,.0f}{more}" if left else "0"
    memory = f"{max(cost.memory_mb for cost in known):,.0f}" if known else UNKNOWN if left else ""
    return [panel, model, str(len(group)), *(str(count) if count else "" for count in counts), seconds, memory]


def _panel_name(cell: StudyCell) -> str:
    panel = cell.request.panel
    return " ".join([panel.data, *(f"{name}={value}" for name, value in panel.parameters.items())])


def _row(one: PlannedCell, planned: StudyPlan) -> list[str]:
    """As ``CELL_HEADINGS``."""
    cost = one.cost(planned.costs)
    figures = ["", ""] if one.state == "done" else [UNKNOWN, UNKNOWN]
    if cost is not None:
        figures = [f"{cost.seconds:,.1f}", f"{cost.memory_mb:,.0f}"]
    return [one.cell.name(), one.state, *figures, one.cell.id]


def _notes(planned: StudyPlan) -> list[str]:
    """Sentences below the table: what the figures rest on, and why cells failed or cannot be made."""
    left = [one for one in planned.cells if one.state in ("to run", "fit kept")]
    costs = [one.cost(planned.costs) for one in left]
    scaled = sum(cost is not None and (cost.scaled or not cost.same) for cost in costs)
    unknown = sorted({one.cell.model for one, cost in zip(left, costs, strict=True) if cost is None})
    lines = (
        [f"{scaled} of {counted(len(left), 'cell')}: by a record of another size or other parameters"] if scaled else []
    )
    if unknown:
        lines.append(f"no earlier record to judge by: {', '.join(unknown)}")
    for state in ("failed", "cannot be made"):
        found = [one for one in planned.cells if one.state == state]
        lines += [f"{state}: {one.cell.name()}: {one.why}" for one in found[:EXAMPLES]]
        if len(found) > EXAMPLES:
            lines.append(f"{state}: and {len(found) - EXAMPLES} more; --all and --json list them")
    if any(one.state == "failed" for one in planned.cells):
        lines.append("cells that failed are tried again with 'harness study run --retry-failed' alone")
    return lines


def _tell(planned: StudyPlan, ended: Mapping[str, Ended]) -> bool:
    """Say how the study stands; True where a cell has failed, now or before."""
    before = sum(one.state == "done" for one in planned.cells)
    handed = sum(one.handed_over for one in ended.values())
    now = sum(not one.error and not one.handed_over for one in ended.values())
    failed = sum(bool(one.error) for one in ended.values())
    kept = sum(one.state == "failed" and one.cell.id not in ended for one in planned.cells)
    never = [one for one in planned.cells if one.state == "cannot be made"]
    parts = [f"{before} done before", f"{now} now"] + ([f"{handed} written down"] if handed else [])
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{kept} failed before and were not tried again (--retry-failed does)"] if kept else []
    parts += [f"{len(never)} cannot be made"] if never else []
    for one in never[:EXAMPLES]:
        console.say(f"cannot be made: {one.cell.name()}: {one.why}")
    console.say(f"{counted(len(planned.cells), 'cell')}: {', '.join(parts)}")
    return bool(failed or kept or never)


def _plain(one: PlannedCell, planned: StudyPlan) -> dict[str, Any]:
    cost = one.cost(planned.costs)
    return {
        "cell": one.cell.id,
        "name": one.cell.name(),
        "state": one.state,
        "why": one.why,
        "panel": _panel_name(one.cell),
        "model": one.cell.model,
        "parameters": one.cell.request.models[one.cell.model],
        "seed": one.cell.request.seed,
        "train_persons": one.cell.persons,
        "tasks": list(one.cell.request.tasks),
        "records": list(one.records),
        "seconds": None if cost is None else cost.seconds,
        "memory_mb": None if cost is None else cost.memory_mb,
        "basis": None if cost is None else {"same_parameters": cost.same, "scaled": cost.scaled},
    }


def _outcome(ended: Ended | None) -> dict[str, Any]:
    """The end of a cell in this command; None of one that was not carried out."""
    if ended is None:
        return {"ended": None}
    how = "handed over" if ended.handed_over else "failed" if ended.error else "done"
    return {"ended": {"how": how, "seconds": ended.seconds, "error": ended.error, "where": ended.where}}
