"""harness run: fit models, score them on tasks, leave records, show the boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.boards.board import boards_with
from harness.cli import console
from harness.cli.board import print_boards
from harness.cli.options import (
    AlsoOption,
    DeviceOption,
    ForceOption,
    IsolatedOption,
    JsonOption,
    PretrainOption,
    ReuseOption,
    SeedOption,
    SeedsOption,
    SetOption,
    TimeLimitOption,
    reuse_of,
)
from harness.cli.panels import reads_careers
from harness.cli.task_option import at_risk, tasks_of
from harness.cli.workshop import isolation_of, workshop_of
from harness.data.checks.remarks import cautions
from harness.errors import HarnessError, RequestError
from harness.model import ModelSpec, Task
from harness.model.params import parse
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop, draws_nothing, execute, is_answered
from harness.runs.request import PanelRequest, Panels, RunRequest, to_yaml
from harness.runs.run import Run
from harness.system import processes
from harness.system.files import write_atomically

TasksOption = Annotated[list[str] | None, typer.Option("--task", help="A task's name, or 'all'. Repeatable.")]
ModelsOption = Annotated[list[str] | None, typer.Option("--model", help="A model's name. Repeatable.")]
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
    as_json: JsonOption = False,
) -> None:
    """Fit each model once, score it on each task of the test split, and show where it stands.

    Every finished task leaves a record file; a request that this machine has already run is not run again, unless
    --force. --config FILE reads the request from a file, and --write-config FILE writes it to one.
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
    tasks = tasks_of(request.tasks, request.task_parameters, registry)
    if write_config is not None:
        write_atomically(write_config, to_yaml(request))
        console.say(f"-> {write_config}")
        return
    isolation = isolation_of(registry, _data_of(request.panel)) if isolated else None
    workshop = replace(workshop_of(context, records, request.reuse), time_limit=time_limit, isolation=isolation)
    panels = request.panel.open_all(registry, workshop.progress)
    for said in cautions(panels.scored) if processes.is_main() else ():
        console.say(f"warning: {said}")
    batch = _Runs(request, at_risk(tasks, panels.scored, everything="all" in request.tasks), panels, workshop)
    done, failed = batch.run_all()
    if not processes.is_main():
        return
    _show(done, workshop, as_json)
    for message in failed:
        console.say(f"error: {message}")
    if failed:
        raise typer.Exit(1)


def _data_of(panel: PanelRequest) -> list[str]:
    """All that a request reads careers from."""
    return [panel.data, *panel.train_also, *([panel.pretrain] if panel.pretrain else [])]


def _given(context: typer.Context) -> set[str]:
    """The options that the user gave, on the command line or in the environment."""
    found = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in found.items() if source is not None and source.name in GIVEN}


def _over(written: RunRequest, asked: RunRequest, given: set[str]) -> RunRequest:
    """The request of a file, with the entries that the command line gives in their place."""
    of_panel = {entry: getattr(asked.panel, entry) for option, entry in PANEL_ENTRIES.items() if option in given}
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


@dataclass(frozen=True)
class _Runs:
    """The runs of a request, its tasks and panels found."""

    request: RunRequest
    tasks: Sequence[Task]
    panels: Panels
    workshop: Workshop

    def run_all(self) -> tuple[list[Record], list[str]]:
        """The records, and the message of every model that failed while others did not."""
        done: list[Record] = []
        failed: list[str] = []
        runs = list(self.request.runs())
        try:
            for name, persons in runs:
                try:
                    self._run_seeds(self._run(name, persons), done)
                except HarnessError as error:
                    if (len(runs) == 1 and not done) or self._is_shared(name):
                        raise
                    failed.append(str(error))  # the other models still get their turn
        except KeyboardInterrupt:
            console.say(f"stopped; {len(done)} finished records are kept in {self.workshop.store.folder}")
            raise
        return done, failed

    def _run(self, name: str, persons: int | None) -> Run:
        registry = self.workshop.registry
        spec = registry.model(name).item
        tasks = _predicted_tasks(spec, self.tasks) if "all" in self.request.tasks else self.tasks
        return self.request.run(name, persons, tasks=tasks, panels=self.panels, registry=registry)

    def _run_seeds(self, run: Run, done: list[Record]) -> None:
        """Every seed in turn; no further one where a second says that a seed changes nothing."""
        before: list[Record] = []
        for i, seed in enumerate(self.request.every_seed()):
            one = len(done)
            self._run_one(replace(run, seed=seed), done)
            name, distributed = run.model.item.name, run.model.item.distributed
            if i == 1 and processes.agreed(draws_nothing(before, done[one:]), distributed):
                console.say(
                    f"{name} draws nothing at random: seed {seed} gives what seed {seed - 1} gave; no other is run"
                )
                return
            before = done[one:]

    def _run_one(self, run: Run, done: list[Record]) -> None:
        known = {run.configuration(task).id() for task in run.tasks if is_answered(run, task, self.workshop)}
        for record in execute(run, self.workshop):
            done.append(record)
            console.say(_line(record, self.workshop.store, reused=record.id in known))

    def _is_shared(self, name: str) -> bool:
        """Other processes may wait for this one in the model's fit; they are ended when this one fails."""
        return processes.count() > 1 and self.workshop.registry.model(name).item.distributed


def _predicted_tasks(spec: ModelSpec, tasks: Sequence[Task]) -> Sequence[Task]:
    """Of all tasks, those that the model can answer. One that predicts a single task's event passes over the others."""
    own = [task for task in tasks if spec.only_task in (None, task.name)]
    if not own:
        raise RequestError(
            f"model '{spec.name}' predicts the outcome of task '{spec.only_task}' alone, which is empty here"
        )
    if others := [task.key for task in tasks if task not in own]:
        console.say(f"passed over: model '{spec.name}' predicts task '{spec.only_task}' alone, not {', '.join(others)}")
    return own


def _line(record: Record, store: Store, reused: bool) -> str:
    figures, cost = record.figures, record.measured
    asked = record.configuration
    seed = f" (seed {asked.seed})" if asked.seed else ""
    told = f"{asked.model} on {asked.task}{seed}: perplexity {figures['perplexity']:.4f}, "
    if reused:
        return told + f"read from the record of {cost.finished:%Y-%m-%d %H:%M} UTC; --force runs it again"
    path = store.path(record.configuration)
    return told + f"fit {cost.fit_seconds:.1f} s, score {cost.score_seconds:.1f} s -> {path}"


def _show(done: list[Record], workshop: Workshop, as_json: bool) -> None:
    if as_json:
        console.emit_json([record.model_dump(mode="json", exclude={"evidence"}) for record in done])
        return
    print_boards(boards_with(done, workshop.store))
