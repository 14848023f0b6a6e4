"""The plan of a study: of every cell whether it is done, what is reused, what failed, and what the rest will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from harness.data.checks.remarks import cautions
from harness.errors import RequestError
from harness.model import Task
from harness.panel import Panel
from harness.records import predictions
from harness.runs.batch import predicted_tasks
from harness.runs.execute import Workshop, was_isolated
from harness.runs.request import Panels
from harness.runs.run import Run
from harness.runs.study.costs import CellCost, Costs, Workload
from harness.runs.study.failures import Failures
from harness.runs.study.place import LastPanels
from harness.runs.study.request import StudyCell
from harness.runs.tasks import at_risk, tasks_of

State = Literal["done", "fit kept", "to run", "failed", "cannot be made"]
Counts = Literal["any", "own", "isolated"]
STATES: tuple[State, ...] = ("done", "fit kept", "to run", "failed", "cannot be made")


@dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """A cell and its state. fit kept: the cache has the fit, and scoring is left.

    fit: its name in the cache. records: the ids of those that it leaves. load: for its cost. why: the error of one that
    failed, or cannot be made.
    """

    cell: StudyCell
    state: State
    fit: str = ""
    records: tuple[str, ...] = ()
    load: Workload | None = None
    why: str = ""

    def cost(self, costs: Costs) -> CellCost | None:
        """The seconds and the memory that it will take; None where nothing is left to do, and where nobody knows."""
        if self.load is None or self.state == "done":
            return None
        return costs.of(self.load, fit_is_kept=self.state == "fit kept")


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """The cells of a study in the request's order, panel by panel, and what is known of costs.

    cautions: sentences on panels that whoever reads their figures must know.
    """

    cells: tuple[PlannedCell, ...]
    costs: Costs
    cautions: tuple[str, ...] = ()

    def count(self) -> dict[State, int]:
        """The number of cells in each state that some are in."""
        found = Counter(planned.state for planned in self.cells)
        return {state: found[state] for state in STATES if found[state]}

    def left(self, retry_failed: bool) -> list[PlannedCell]:
        """The cells that are carried out: of each panel the longest first, so that none is waited for at the end."""
        states = ("to run", "fit kept", *(["failed"] if retry_failed else []))
        panels: dict[str, int] = {}
        found = []
        for planned in self.cells:
            if planned.state in states:
                panel = panels.setdefault(planned.cell.request.panel.model_dump_json(), len(panels))
                cost = planned.cost(self.costs)
                found.append(((panel, -(cost.seconds if cost else 0.0)), planned))
        return [planned for _, planned in sorted(found, key=lambda one: one[0])]


def plan(cells: Sequence[StudyCell], workshop: Workshop, panels: LastPanels, only: Counts) -> StudyPlan:
    """The state of every cell. panels: opened in turn, as cells come panel by panel. only: the records that count: any,
    with those that came with a checkout; this machine's own; of these, those of isolated models.

    RequestError where careers cannot be read: that is wrong for all cells that are to read them.
    """
    costs = Costs.of_store(workshop.store, {cell.model for cell in cells})
    planned: list[PlannedCell] = []
    seen: dict[str, list[str]] = {}
    with workshop.progress.bar("planning", len(cells)) as bar:
        for cell in cells:
            opened = panels.open(cell.request.panel)
            if (panel := cell.request.panel.model_dump_json()) not in seen:
                seen[panel] = [f"{opened.scored.name}: {sentence}" for sentence in cautions(opened.scored)]
            planned.append(_planned(cell, opened, workshop, only))
            bar.advance()
    return StudyPlan(cells=tuple(planned), costs=costs, cautions=tuple(chain(*seen.values())))


def _planned(cell: StudyCell, panels: Panels, workshop: Workshop, only: Counts) -> PlannedCell:
    try:
        run = _run(cell, panels, workshop)
    except RequestError as error:
        return PlannedCell(cell=cell, state="cannot be made", why=str(error))
    missing = [task for task in run.tasks if not _has_record(run, task, workshop, only)]
    planned = PlannedCell(
        cell=cell,
        state="to run" if missing else "done",
        fit=run.fit_name,
        records=tuple(run.configuration(task).id() for task in run.tasks),
        load=_load(run, missing),
    )
    if missing and (failure := Failures(workshop.store.folder).of(cell)) is not None:
        return replace(planned, state="failed", why=failure.error)
    return replace(planned, state="fit kept") if missing and workshop.fits.holds(run) else planned


def _run(cell: StudyCell, panels: Panels, workshop: Workshop) -> Run:
    """The run of a cell, for its names alone: no device is asked for. RequestError where it cannot be made."""
    asked, registry = cell.request.model_copy(update={"device": "cpu"}), workshop.registry
    everything = "all" in asked.tasks
    tasks: Sequence[Task] = tasks_of(asked.tasks, asked.task_parameters, registry)
    tasks = at_risk(list(tasks), panels.scored, everything=everything, tell=_nobody)
    if everything:
        tasks = predicted_tasks(registry.model(cell.model).item, tasks, _nobody)
    return asked.run(cell.model, cell.persons, tasks=tasks, panels=panels, registry=registry)


def _nobody(said: str) -> None:
    """Takes what is told of every cell alike."""


def _has_record(run: Run, task: Task, workshop: Workshop, only: Counts) -> bool:
    """True where the task needs no run: a cell may have been carried out elsewhere, its fit left there."""
    asked = run.configuration(task)
    if not workshop.store.path(asked).exists():
        return False
    if only == "isolated" and not was_isolated(workshop.store, asked):
        return False
    return only == "any" or predictions.path_of(workshop.cache, asked.id()).exists()


def _load(run: Run, tasks: Iterable[Task]) -> Workload:
    return Workload(
        model=run.model.item.name,
        parameters=run.configuration(run.tasks[0]).parameters,
        tasks=tuple(task.key for task in tasks),
        fitted=run.panel.n_records * (run.train_persons or _train_persons(run.panel)) / run.panel.n_persons,
        scored=run.panel.n_records,
    )


def _train_persons(panel: Panel) -> int:
    return panel.part("train").n_persons
