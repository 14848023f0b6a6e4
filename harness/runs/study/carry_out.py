"""A study carried out: cells by an executor, their records brought home, failures kept, progress told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import RunError
from harness.runs.execute import Workshop
from harness.runs.study.bundle import merge
from harness.runs.study.cells import Began, Cell, Ended, Event, Executor, Remark, Step, run_cells
from harness.runs.study.failures import Failures
from harness.runs.study.plan import PlannedCell, StudyPlan
from harness.runs.study.work import WORK
from harness.system.progress import Bar, Progress

NEARLY = 0.99  # share of a cell that is told as done until it is


@dataclass(frozen=True, kw_only=True)
class HowToCarryOut:
    """retry_failed: cells that failed are tried again. time_limit: seconds for a fit, and again for each task.

    isolated: each model lives in a process of its own. away: records are made elsewhere and brought home. bundles: a
    folder that they are left in, in place of the store, and failures too. gpus: that each cell asks for.
    """

    retry_failed: bool = False
    time_limit: float | None = None
    isolated: bool = False
    away: bool = False
    bundles: Path | None = None
    gpus: float = 0.0


def carry_out(
    plan: StudyPlan, executor: Executor, workshop: Workshop, how: HowToCarryOut, tell: Callable[[str], None]
) -> dict[str, Ended]:
    """The end of each cell that was left to do, by its id. tell: takes a line for each."""
    left = plan.left(how.retry_failed)
    study = _Study(plan=plan, left={one.cell.id: one for one in left}, workshop=workshop, how=how)
    found: dict[str, Ended] = {}
    with _shown(workshop.progress, {one.cell.id: study.seconds(one) for one in left}) as shown:
        for ended in run_cells(study.cells(), executor, shown.watch):
            settled = study.settle(ended)
            found[settled.cell.id] = settled
            if not settled.handed_over:
                tell(f"{len(found)}/{len(left)} {_line(settled)}")
    return found


def _line(ended: Ended) -> str:
    name, where = ended.cell.name, f" on {ended.where}" if ended.where else ""
    return f"{name}: failed{where}: {ended.error}" if ended.error else f"{name}: {ended.seconds:.1f} s"


@dataclass(frozen=True, kw_only=True)
class _Study:
    """The cells that are left, and what becomes of them."""

    plan: StudyPlan
    left: Mapping[str, PlannedCell]
    workshop: Workshop
    how: HowToCarryOut

    def seconds(self, planned: PlannedCell) -> float | None:
        cost = planned.cost(self.plan.costs)
        return None if cost is None else cost.seconds

    def cells(self) -> Iterator[Cell]:
        """One after another, each with its cost as it is known by then."""
        how, records = self.how, str(self.workshop.store.folder.absolute())
        for planned in self.left.values():
            asked, cost = planned.cell.request, planned.cost(self.plan.costs)
            yield Cell(
                id=planned.cell.id,
                name=planned.cell.name(),
                work=WORK,
                told={
                    "request": asked.model_dump(mode="json"),
                    "time_limit": how.time_limit,
                    "isolated": how.isolated,
                    "records": None if how.away or how.bundles else records,
                    "bundle": str(how.bundles / f"{planned.cell.id}.zip") if how.bundles else None,
                },
                panel=asked.panel,
                fit=planned.fit,
                seconds=None if cost is None else cost.seconds,
                memory_mb=None if cost is None else cost.memory_mb,
                gpus=how.gpus,
            )

    def settle(self, ended: Ended) -> Ended:
        """Bring home what the cell left, or keep its error; how it ended, then."""
        if ended.handed_over:
            return ended
        planned = self.left[ended.cell.id]
        if ended.answer is not None:
            try:
                self._bring_home(planned, ended)
            except RunError as error:
                ended = replace(ended, answer=None, error=str(error), fault="run")
        failures = Failures(self.how.bundles or self.workshop.store.folder)
        if ended.error:
            failures.keep(planned.cell, ended)
        else:
            failures.forget(planned.cell.id)
        return ended

    def _bring_home(self, planned: PlannedCell, ended: Ended) -> None:
        assert ended.answer is not None
        if sorted(ended.answer["records"]) != sorted(planned.records):
            raise RunError(
                f"its records are {', '.join(ended.answer['records'])}, and those asked for are "
                f"{', '.join(planned.records)}: it was made by other code or from other data; install the same there"
            )
        if "bundle" in ended.answer:
            merge(ended.answer["bundle"], self.workshop.store, self.workshop.cache)
        self.plan.costs.learn(ended.answer["heads"])


@dataclass
class _Running:
    """A cell under way. share: that it says is done; None where it does not."""

    cell: Cell
    bar: Bar
    close: ExitStack
    began: float
    share: float | None = None
    shown: float = 0.0

    def done(self) -> float:
        """The share that is done, by its own word or else by what it was thought to take."""
        by_time = (time.monotonic() - self.began) / self.cell.seconds if self.cell.seconds else 0.0
        return min(NEARLY, by_time if self.cell.seconds else self.share or 0.0)


@contextmanager
def _shown(progress: Progress, seconds: Mapping[str, float | None]) -> Iterator[_Shown]:
    """Bars of cells, by their ids. seconds: that each is thought to take; one of which nobody knows takes the mean."""
    known = [one for one in seconds.values() if one]
    mean = sum(known) / len(known) if known else 1.0
    weights = {cell: one or mean for cell, one in seconds.items()}
    with progress.bar(f"0/{len(weights)} cells", sum(weights.values()) or 1.0) as bar:
        shown = _Shown(progress=progress, weights=weights, all=bar)
        try:
            yield shown
        finally:
            for one in shown.running.values():
                one.close.close()


@dataclass(kw_only=True)
class _Shown:
    """Bars: one of all cells, by the seconds that each is thought to take, and one of each that runs."""

    progress: Progress
    weights: Mapping[str, float]
    all: Bar
    running: dict[str, _Running] = field(default_factory=dict)
    ended: int = 0
    failed: int = 0

    def watch(self, events: Sequence[Event]) -> None:
        """Show what has happened, and that time has passed."""
        for event in events:
            if isinstance(event, Began):
                stack = ExitStack()
                bar = stack.enter_context(self.progress.bar(event.cell.name, 1.0))
                self.running[event.cell.id] = _Running(event.cell, bar, stack, time.monotonic())
            elif isinstance(event, Step) and (one := self.running.get(event.cell.id)) is not None:
                one.share = event.share
                one.bar.describe(f"{event.cell.name}: {event.text}")
            elif isinstance(event, Remark):
                self.progress.note(f"{event.cell.name}: {event.text}")
            elif isinstance(event, Ended):
                self._end(event)
        for one in self.running.values():
            self._advance(one, one.done())

    def _advance(self, one: _Running, share: float) -> None:
        if share > one.shown:
            one.bar.advance(share - one.shown)
            self.all.advance((share - one.shown) * self.weights[one.cell.id])
            one.shown = share

    def _end(self, event: Ended) -> None:
        self.ended += 1
        self.failed += bool(event.error)
        if (one := self.running.pop(event.cell.id, None)) is not None:
            self._advance(one, 1.0)
            one.close.close()
        failed = f", {self.failed} failed" if self.failed else ""
        self.all.describe(f"{self.ended}/{len(self.weights)} cells{failed}")
