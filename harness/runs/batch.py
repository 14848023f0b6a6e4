"""The runs of a request, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.errors import HarnessError, RequestError
from harness.model import ModelSpec, Task
from harness.records.record import Record
from harness.records.store import Store
from harness.runs.execute import Workshop, draws_nothing, execute, is_answered
from harness.runs.request import Panels, RunRequest
from harness.runs.run import Run
from harness.runs.tasks import at_risk, tasks_of
from harness.system import processes

Tell = Callable[[str], None]


def run_all(request: RunRequest, panels: Panels, workshop: Workshop, tell: Tell) -> tuple[list[Record], list[str]]:
    """The records of a request, and the message of every model that failed while others did not.

    panels: of the request, opened. tell: takes a line after each run, and on what is passed over. RequestError for an
    unknown name or parameter; the error of the model where a single one was asked for.
    """
    tasks = tasks_of(request.tasks, request.task_parameters, workshop.registry)
    some = at_risk(tasks, panels.scored, everything="all" in request.tasks, tell=tell)
    return _Runs(request=request, tasks=some, panels=panels, workshop=workshop, tell=tell).run_all()


@dataclass(frozen=True, kw_only=True)
class _Runs:
    """The runs of a request, its tasks and panels found."""

    request: RunRequest
    tasks: Sequence[Task]
    panels: Panels
    workshop: Workshop
    tell: Tell

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
            self.tell(f"stopped; {len(done)} finished records are kept in {self.workshop.store.folder}")
            raise
        return done, failed

    def _run(self, name: str, persons: int | None) -> Run:
        registry = self.workshop.registry
        spec = registry.model(name).item
        tasks = predicted_tasks(spec, self.tasks, self.tell) if "all" in self.request.tasks else self.tasks
        return self.request.run(name, persons, tasks=tasks, panels=self.panels, registry=registry)

    def _run_seeds(self, run: Run, done: list[Record]) -> None:
        """Every seed in turn; no further one where a second says that a seed changes nothing."""
        before: list[Record] = []
        for i, seed in enumerate(self.request.every_seed()):
            one = len(done)
            self._run_one(replace(run, seed=seed), done)
            name, distributed = run.model.item.name, run.model.item.distributed
            if i == 1 and processes.agreed(draws_nothing(before, done[one:]), distributed):
                self.tell(
                    f"{name} draws nothing at random: seed {seed} gives what seed {seed - 1} gave; no other is run"
                )
                return
            before = done[one:]

    def _run_one(self, run: Run, done: list[Record]) -> None:
        known = {run.configuration(task).id() for task in run.tasks if is_answered(run, task, self.workshop)}
        for record in execute(run, self.workshop):
            done.append(record)
            self.tell(_line(record, self.workshop.store, reused=record.id in known))

    def _is_shared(self, name: str) -> bool:
        """Other processes may wait for this one in the model's fit; they are ended when this one fails."""
        return processes.count() > 1 and self.workshop.registry.model(name).item.distributed


def predicted_tasks(spec: ModelSpec, tasks: Sequence[Task], tell: Tell) -> Sequence[Task]:
    """Of all tasks, those that the model can answer. One that predicts a single task's event passes over the others."""
    own = [task for task in tasks if spec.only_task in (None, task.name)]
    if not own:
        raise RequestError(
            f"model '{spec.name}' predicts the outcome of task '{spec.only_task}' alone, which is empty here"
        )
    if others := [task.key for task in tasks if task not in own]:
        tell(f"passed over: model '{spec.name}' predicts task '{spec.only_task}' alone, not {', '.join(others)}")
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
