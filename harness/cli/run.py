"""harness run: fit models, score them on tasks, leave records, show the boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated

import typer

from harness.boards.board import boards_with
from harness.cli import console
from harness.cli.board import print_boards
from harness.cli.options import (
    RECORDS,
    ColumnOption,
    DataOption,
    JsonOption,
    OccupationsOption,
    PretrainOption,
    RecordsOption,
    SetOption,
    StrataOption,
    UnitsOption,
    WeightsOption,
)
from harness.cli.task_option import at_risk, tasks_of
from harness.errors import DataError, HarnessError, RequestError
from harness.model.contract import ModelSpec
from harness.model.params import Settings, pairs, parse, validate
from harness.model.task import Task
from harness.panel.careers import Panel
from harness.panel.pooling import pool, require_apart
from harness.panel.survey_design import surveyed
from harness.panel.weights import weighted_alike
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop, execute, is_known, require_pooling, require_pretraining
from harness.runs.run import Run
from harness.system import processes
from harness.system.machine import cache_folder, resolve_device
from harness.system.progress import Progress

TasksOption = Annotated[list[str], typer.Option("--task", help="A task's name, or 'all'. Repeatable.")]
ModelsOption = Annotated[list[str], typer.Option("--model", help="A model's name. Repeatable.")]
AlsoOption = Annotated[
    list[str] | None,
    typer.Option(
        "--train-also",
        help="A further panel to train on: a data set's name, with its defaults, or a path. Repeatable.",
        metavar="PANEL",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of every random draw.", min=0)]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
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
ForceOption = Annotated[bool, typer.Option("--force", help="Run again what the records already hold.")]


@dataclass(frozen=True)
class _Request:
    """The command line, before anything is looked up."""

    tasks: list[str]
    models: list[str]
    settings: Settings
    seed: int
    device: str
    sizes: tuple[int | None, ...]


@dataclass(frozen=True)
class _Panels:
    """scored: the one of --data. also: trained on together with it. resumes: learned from before it."""

    scored: Panel
    also: tuple[Panel, ...]
    resumes: Panel | None


def run(
    context: typer.Context,
    task: TasksOption,
    model: ModelsOption,
    data: DataOption = "market",
    settings: SetOption = None,
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    train_also: AlsoOption = None,
    pretrain: PretrainOption = None,
    weights: WeightsOption = None,
    strata: StrataOption = None,
    units: UnitsOption = None,
    train_persons: SizesOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    records: RecordsOption = RECORDS,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit each model once, score it on each task of the test split, and show where it stands.

    Every finished task leaves a record file; a request that this machine has already run is not run again, unless
    --force.
    """
    from harness.data.open import open_panel

    registry: Registry = context.obj
    given = parse(settings or [], dict.fromkeys(model))
    sizes = tuple(size or None for size in dict.fromkeys(train_persons or [0]))
    request = _Request(task, list(dict.fromkeys(model)), given, seed, device, sizes)
    if pretrain:
        require_pretraining([registry.model(name).item for name in request.models], registry)
    for name in request.models:  # wrong names before the minutes that data may take
        validate(registry.model(name).item.params, request.settings.models[name], name)
        if train_also:
            require_pooling(registry.model(name).item, registry)
    asked = tasks_of(request.tasks, request.settings, registry)
    progress = console.TerminalProgress()
    with progress.bar(f"reading {data}", None):
        panel = open_panel(
            data, request.settings.data, columns=pairs(column or []), occupations=occupations, registry=registry
        )
    panel = surveyed(panel, weights, strata, units)
    resumes = read_resumes(pretrain, panel, registry, progress)
    panels = _Panels(panel, tuple(further_panels(train_also or [], panel, registry, progress)), resumes)
    tasks = at_risk(asked, panel, everything="all" in request.tasks)
    workshop = Workshop(registry, Store(records), cache_folder(), progress, force)
    done, failed = _run_all(request, tasks, panels, workshop)
    if not processes.is_main():
        return
    _show(done, workshop, as_json)
    for message in failed:
        console.say(f"error: {message}")
    if failed:
        raise typer.Exit(1)


def read_resumes(source: str | None, panel: Panel, registry: Registry, progress: Progress) -> Panel | None:
    """The panel of --pretrain, weighted as ``panel`` is if it has the column.

    DataError or RequestError, naming the option, where it cannot be learned from.
    """
    from harness.data.open import open_panel

    if source is None:
        return None
    with progress.bar(f"reading {source}", None):
        try:
            resumes = weighted_alike(open_panel(source, registry=registry), panel)
        except DataError as error:
            raise RequestError(
                f"--pretrain {source}: 'harness data check {source}' says what is wrong ({error})"
            ) from error
        require_apart(panel, resumes.part("train"), "--pretrain")
    return resumes


def further_panels(sources: list[str], panel: Panel, registry: Registry, progress: Progress) -> list[Panel]:
    """The panels of --train-also, each weighted as ``panel`` is if it has the column.

    In an order that is not the command line's, so that one request has one id.
    """
    from harness.data.open import open_panel

    found = []
    for source in sources:
        with progress.bar(f"reading {source}", None):
            found.append(weighted_alike(open_panel(source, registry=registry), panel))
    pool(panel, found)  # what is wrong with them, before the minutes of a fit
    return sorted(found, key=lambda other: (other.name, other.fingerprint()))


def _run_all(
    request: _Request, tasks: Sequence[Task], panels: _Panels, workshop: Workshop
) -> tuple[list[Record], list[str]]:
    done: list[Record] = []
    failed: list[str] = []
    try:
        for name, size in product(request.models, request.sizes):
            try:
                _run_one(_run_of(request, (name, size), tasks, panels, workshop), workshop, done)
            except HarnessError as error:
                if (len(request.models) == len(request.sizes) == 1 and not done) or _is_shared(name, workshop):
                    raise
                failed.append(str(error))  # the other models still get their turn
    except KeyboardInterrupt:
        console.say(f"stopped; {len(done)} finished records are kept in {workshop.store.folder}")
        raise
    return done, failed


def _is_shared(name: str, workshop: Workshop) -> bool:
    """Whether other processes may wait for this one in the model's fit; they are ended when this one fails."""
    return processes.count() > 1 and workshop.registry.model(name).item.distributed


def _run_of(
    request: _Request, asked_for: tuple[str, int | None], tasks: Sequence[Task], panels: _Panels, workshop: Workshop
) -> Run:
    name, size = asked_for
    entry = workshop.registry.model(name)
    params = validate(entry.item.params, request.settings.models[name], name)
    device = resolve_device(request.device, entry.item.needs)
    resumes = panels.resumes if entry.item.pretrainable else None
    asked = _its_own(entry.item, tasks) if "all" in request.tasks else tasks
    return Run(entry, params, tuple(asked), panels.scored, request.seed, device, panels.also, resumes, size)


def _its_own(spec: ModelSpec, tasks: Sequence[Task]) -> Sequence[Task]:
    """Of all tasks, those that the model can answer. One that predicts a single task's event passes over the others."""
    own = [task for task in tasks if spec.only_task in (None, task.name)]
    if not own:
        raise RequestError(
            f"model '{spec.name}' predicts the outcome of task '{spec.only_task}' alone, which is empty here"
        )
    if others := [task.key for task in tasks if task not in own]:
        console.say(f"passed over: model '{spec.name}' predicts task '{spec.only_task}' alone, not {', '.join(others)}")
    return own


def _run_one(run: Run, workshop: Workshop, done: list[Record]) -> None:
    # A record that came with a checkout, whose fit this machine does not hold, is run again, not trusted.
    trust = not workshop.force and _fitted_here(run, workshop)
    known = _recorded(run, workshop) if trust else set()
    for record in execute(run, replace(workshop, trust=trust)):
        done.append(record)
        console.say(_line(record, workshop.store, reused=record.id in known))


def _fitted_here(run: Run, workshop: Workshop) -> bool:
    return (workshop.cache / "fits" / run.fit_name()).exists()


def _recorded(run: Run, workshop: Workshop) -> set[str]:
    """Ids of the tasks whose record is taken as it is there."""
    return {run.configuration(task).id() for task in run.tasks if is_known(run, task, workshop)}


def _line(record: Record, store: Store, reused: bool) -> str:
    figures, cost = record.figures, record.measured
    told = f"{record.configuration.model} on {record.configuration.task}: perplexity {figures['perplexity']:.4f}, "
    if reused:
        return told + f"read from the record of {cost.finished:%Y-%m-%d %H:%M} UTC; --force runs it again"
    path = store.path(record.configuration)
    return told + f"fit {cost.fit_seconds:.1f} s, score {cost.score_seconds:.1f} s -> {path}"


def _show(done: list[Record], workshop: Workshop, as_json: bool) -> None:
    if as_json:
        console.emit_json([record.model_dump(mode="json", exclude={"evidence"}) for record in done])
        return
    print_boards(boards_with(done, workshop.store))
