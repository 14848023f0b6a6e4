"""harness run: fit models, score them on tasks, leave records, show the boards."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.boards.board import boards_with
from harness.cli import complete, console
from harness.cli.board import print_boards
from harness.cli.options import (
    AlsoOption,
    DeviceOption,
    ForceOption,
    IsolatedOption,
    JsonOption,
    ObserveOption,
    PretrainOption,
    ProcessesOption,
    ReuseOption,
    ScoreJobsOption,
    SeedOption,
    SeedsOption,
    SetOption,
    TimeLimitOption,
    reuse_of,
)
from harness.cli.panels import reads_careers
from harness.cli.workshop import workshop_of
from harness.data.checks.remarks import cautions
from harness.data.reading import FileReading
from harness.errors import RequestError
from harness.model.params import parse
from harness.records.record import Record
from harness.registry import Registry
from harness.runs.batch import run_all
from harness.runs.execute import Workshop, require_distributed
from harness.runs.isolation.hiding import hidden_paths, isolation_of
from harness.runs.request import PanelRequest, RunRequest, to_yaml
from harness.runs.study.sharded import scored_by
from harness.runs.tasks import tasks_of
from harness.system import processes
from harness.system.files import write_atomically
from harness.system.launch import launch

TasksOption = Annotated[
    list[str] | None, typer.Option("--task", help="A task's name, or 'all'. Repeatable.", autocompletion=complete.tasks)
]
ModelsOption = Annotated[
    list[str] | None, typer.Option("--model", help="A model's name. Repeatable.", autocompletion=complete.models)
]
SizesOption = Annotated[
    list[int] | None,
    typer.Option(
        "--train-persons",
        help="Fit on so many of the training persons, and as large a share of the validation persons: a point of a "
        "learning curve. A smaller number is part of every larger one. Repeatable; 0 is all.",
        min=0,
        metavar="N",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file of a request; options of the command line come before its entries."),
]
WriteConfigOption = Annotated[
    Path | None, typer.Option("--write-config", help="Write the request to this YAML file, and run nothing.")
]
GIVEN = ("COMMANDLINE", "ENVIRONMENT")  # the sources of an option that a user gave
# Options of the command line and the entries of a request that they fill.
PANEL_ENTRIES = {
    "data": "data",
    "column": "columns",
    "occupations": "occupations",
    "weights": "weights",
    "strata": "strata",
    "units": "units",
    "train_also": "train_also",
    "pretrain": "pretrain",
}
RUN_ENTRIES = {"task": "tasks"} | {entry: entry for entry in ("train_persons", "seed", "seeds", "device", "reuse")}


@reads_careers
def run(
    context: typer.Context,
    panel: PanelRequest,
    records: Path,
    task: TasksOption = None,
    model: ModelsOption = None,
    settings: SetOption = None,
    train_also: AlsoOption = None,
    pretrain: PretrainOption = None,
    train_persons: SizesOption = None,
    seed: SeedOption = 0,
    seeds: SeedsOption = 1,
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    write_config: WriteConfigOption = None,
    reuse: ReuseOption = "own",
    force: ForceOption = False,
    time_limit: TimeLimitOption = None,
    isolated: IsolatedOption = False,
    fit_by: ProcessesOption = 1,
    score_jobs: ScoreJobsOption = 1,
    observe: ObserveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit models, score them on the test split, and rank them.

    A model is fitted once for all tasks. Every finished task leaves a record file. A request that this machine has
    already run is not run again, unless --force. --config FILE reads the request from a file, and --write-config FILE
    writes it to one.
    """
    registry: Registry = context.obj
    asked = RunRequest(
        panel=panel.model_copy(update={"train_also": tuple(train_also or ()), "pretrain": pretrain}),
        tasks=tuple(task or ()),
        models={name: {} for name in model or ()},
        train_persons=tuple(train_persons or (0,)),
        seed=seed,
        seeds=seeds,
        device=device,
        reuse=reuse_of(reuse, force),
    )
    if config is not None:
        asked = _over(RunRequest.read(config, registry), asked, _given(context) | ({"reuse"} if force else set()))
    request = _with_settings(asked, settings or [])
    for entry, option in ((request.tasks, "--task"), (request.models, "--model")):
        if not entry:
            raise RequestError(f"{option} is missing: harness run --task TASK --model MODEL, or --config FILE")
    request.require_known(registry)
    tasks_of(request.tasks, request.task_parameters, registry)  # a wrong name, before the minutes of reading
    if write_config is not None:
        write_atomically(write_config, to_yaml(request))
        console.say(f"-> {write_config}")
        return
    if fit_by > 1:
        _launch(fit_by, request, registry, isolated)
    hidden = hidden_paths(registry, request.panel.sources)
    isolation = isolation_of(registry, hidden) if isolated else None
    workshop = workshop_of(context, records, request.reuse, observe or [])
    workshop = scored_by(score_jobs, replace(workshop, time_limit=time_limit, isolation=isolation, hidden=hidden))
    panels = request.panel.open_all(registry, workshop.progress)
    for said in cautions(panels.scored) if processes.is_main() else ():
        console.say(f"warning: {said}")
    done, failed = run_all(request, panels, workshop, console.say)
    if not processes.is_main():
        return
    _show(done, workshop, as_json)
    for message in failed:
        console.say(f"error: {message}")
    if failed:
        raise typer.Exit(1)


def _launch(fit_by: int, request: RunRequest, registry: Registry, isolated: bool) -> None:
    """Have this command carried out by so many processes, and exit with their status; in one of them go on.

    RequestError where no model of the request can be fitted so, or a launcher has started another number.
    """
    if isolated:
        raise RequestError("--processes: an isolated model is fitted by one process alone; leave out one of the two")
    if processes.count() == 1:
        require_distributed([registry.model(name).item for name in request.models], registry)
        raise typer.Exit(launch(fit_by, sys.argv[1:]))
    if processes.count() != fit_by:
        raise RequestError(f"--processes {fit_by}: a launcher has started {processes.count()} already; leave it out")


def _given(context: typer.Context) -> set[str]:
    """The options that the user gave, on the command line or in the environment."""
    found = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in found.items() if source is not None and source.name in GIVEN}


def _over(written: RunRequest, asked: RunRequest, given: set[str]) -> RunRequest:
    """The request of a file, with the entries that the command line gives in their place."""
    of_panel = {entry: getattr(asked.panel, entry) for option, entry in PANEL_ENTRIES.items() if option in given}
    of_file = {entry: getattr(asked.panel.reading, entry) for entry in FileReading.model_fields if entry in given}
    of_panel["reading"] = written.panel.reading.model_copy(update=of_file)
    changes: dict[str, Any] = {entry: getattr(asked, entry) for option, entry in RUN_ENTRIES.items() if option in given}
    if "model" in given:
        changes["models"] = {name: written.models.get(name, {}) for name in asked.models}
    return written.model_copy(update={**changes, "panel": written.panel.model_copy(update=of_panel)})


def _with_settings(request: RunRequest, settings: Sequence[str]) -> RunRequest:
    """The request with the values of --set, each where its owner's are. RequestError for an owner that is none."""
    values = parse(settings, request.models)
    data = request.panel.parameters | dict(values.data)
    return request.model_copy(
        update={
            "panel": request.panel.model_copy(update={"parameters": data}),
            "task_parameters": request.task_parameters | dict(values.task),
            "models": {name: own | dict(values.models[name]) for name, own in request.models.items()},
        }
    )


def _show(done: list[Record], workshop: Workshop, as_json: bool) -> None:
    if as_json:
        console.emit_json([record.model_dump(mode="json", exclude={"evidence"}) for record in done])
        return
    print_boards(boards_with(done, workshop.store))
