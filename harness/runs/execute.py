"""Carry out runs: fit, score and record each task, or take the record of an identical request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.errors import RequestError, RunError
from harness.model import ModelSpec, Task, spot_check
from harness.model.spot_check import SpotCheck
from harness.panel import Corpus, Panel
from harness.records import predictions
from harness.records.record import Configuration, Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.fits import Fits, Fitted, load
from harness.runs.isolation.model import isolated
from harness.runs.isolation.process import Isolation
from harness.runs.run import Run
from harness.runs.scoring import TaskScorer, score_task, scored_here
from harness.system import processes
from harness.system.entry import Entry
from harness.system.files import require_writable_folder
from harness.system.hidden_files import hidden_files, named_paths
from harness.system.integrity import replaced_functions
from harness.system.progress import Progress, Silent
from harness.system.time_limit import time_limit

Reuse = Literal["own", "any", "never"]


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """The surroundings of runs: plugins, records, cache, and the progress that is told.

    reuse: which records of identical requests are taken for a run of now. own: those that this machine made, whose fit
    its cache holds; any: also those that came with a checkout; never: none, and every fit is made anew. time_limit:
    seconds that a model may take for its fit, and again for each task. isolation: models live in processes of their
    own, and no record of a run in this one is taken. hidden: files and folders that the careers were read from, which
    no model may open. observers: plugins that are asked to observe runs. scorer: gives the scores of a task by a fit.
    """

    registry: Registry
    store: Store
    cache: Path
    progress: Progress = field(default_factory=Silent)
    reuse: Reuse = "own"
    time_limit: float | None = None
    isolation: Isolation | None = None
    hidden: tuple[Path, ...] = ()
    observers: tuple[str, ...] = ()
    scorer: TaskScorer = field(default=scored_here)

    @property
    def fits(self) -> Fits:
        """The fits of the cache."""
        return Fits(
            cache=self.cache,
            open_panel=self.registry.open_panel,
            progress=self.progress,
            anew=self.reuse == "never",
            isolated=self.isolation is not None,
        )

    @contextmanager
    def limited(self, run: Run) -> Iterator[None]:
        """RunError in a step of the run's model that takes longer than ``time_limit``, or opens what is hidden.

        What earlier runs said of the same careers is hidden with them.
        """
        model = f"model '{run.model.item.name}'"
        hidden = (*self.hidden, predictions.folder_of(self.cache))
        with time_limit(self.time_limit, model), hidden_files(model, hidden, named_paths(run.params.model_dump())):
            yield


def execute(run: Run, workshop: Workshop) -> Iterator[Record]:
    """The record of each task in turn, on disk before it is yielded, so that a crash loses no finished one.

    A reusable record is read instead. A fit that the cache holds is loaded. Of several processes, all make the fit of a
    model that can be fitted so; the main one alone does the rest, and yields. RequestError where nobody is at risk in
    the test split; RunError where the model breaks its contract.
    """
    registry = workshop.registry
    _require_panels(run, registry)
    _tell_of_memory(run, workshop)
    for task in run.tasks:
        _require_fit_for(run.model.item, task, run.panel)
    if processes.is_main():
        registry.tell("harness_run_started", refusals=True, run=run, observers=workshop.observers)
    if workshop.isolation is not None:
        run = replace(run, model=isolated(run.model, workshop.isolation))
    fitted: Fitted | None = None
    distributed = run.model.item.distributed and processes.count() > 1
    if distributed and processes.broadcast(_needs_fit(run, workshop)):
        if not processes.is_main():
            workshop.fits.help(run)
        else:
            with workshop.limited(run):
                fitted = workshop.fits.fit(run, shared=True)
    if not processes.is_main():
        return
    known = {task.key: reusable_record(run, task, workshop) for task in run.tasks}
    asked = [task for task in run.tasks if known[task.key] is None]
    if asked and fitted is None:
        require_writable_folder(workshop.store.path(run.configuration(asked[0])).parent)  # not after hours of a fit
        with workshop.limited(run):
            fitted = workshop.fits.fit(run)
    # All are asked before any is scored: a model that has met the test split could know the answers.
    checks = {task.key: _spot_check(run, task, fitted, workshop) for task in asked if fitted is not None}
    for task in run.tasks:
        record = known[task.key]
        if fitted is not None and task.key in checks:
            record = _scored(run, checks[task.key], fitted, workshop)
        assert record is not None
        yield record


def _spot_check(run: Run, task: Task, fitted: Fitted, workshop: Workshop) -> SpotCheck:
    with workshop.limited(run):
        model = _unbiased(run, fitted, workshop).model
        return spot_check.ask(run.model.item, model, task, run.panel.part("test"))


def _scored(run: Run, check: SpotCheck, fitted: Fitted, workshop: Workshop) -> Record:
    """The record of a task whose spot check was asked, when it is on disk."""
    metrics = workshop.registry.all_metrics
    with workshop.limited(run):
        own = _unbiased(run, fitted, workshop)
        outcome = score_task(
            run, check, fitted=own, progress=workshop.progress, metrics=metrics, scorer=workshop.scorer
        )
    require_own_code(run.model, workshop.registry)
    # Probabilities before the record, so that a record of this machine has them.
    predictions.save(workshop.cache, outcome.record, {"test": outcome.predictions})
    path = workshop.store.write(outcome.record)
    told: dict[str, Any] = {"run": run, "record": outcome.record, "observers": workshop.observers, "path": path}
    workshop.registry.tell("harness_run_finished", **told)
    return outcome.record


def require_own_code(model: Entry[ModelSpec], registry: Registry) -> None:
    """RunError where the code of a model has put itself in the place of the code that scores it."""
    modules = [model.module, *(entry.module for entry in registry.models.values())]
    if replaced := next(replaced_functions(modules), None):
        raise RunError(
            f"model '{model.item.name}' was scored after '{replaced}' had been replaced by a plugin's own code: a "
            "plugin may add to the program by its hooks, and change nothing in it"
        )


def _unbiased(run: Run, fitted: Fitted, workshop: Workshop) -> Fitted:
    """The fit, isolated in a new process, which was asked nothing yet; in this process as it is."""
    if workshop.isolation is None:
        return replace(fitted, isolated=False)
    again = load(run.model.item, run.params, workshop.fits.folder(run), run.device)
    return replace(fitted, model=again.model, isolated=True)


def draws_nothing(one: Sequence[Record], other: Sequence[Record]) -> bool:
    """True where two seeds of a run gave the same evidence on every task: then its fit draws nothing at random.

    Log-likelihoods of every person, to six decimals, are not alike by chance.
    """
    return len(one) == len(other) > 0 and all(a.evidence == b.evidence for a, b in zip(one, other, strict=True))


def fitted(run: Run, workshop: Workshop) -> Fitted:
    """The model of a run, from the cache or fitted now: for those who ask more of it than the tasks do.

    The process that asks makes the whole fit. RequestError where the model cannot be trained on the panels asked for.
    """
    _require_panels(run, workshop.registry)
    return workshop.fits.fit(run)


def reusable_record(run: Run, task: Task, workshop: Workshop) -> Record | None:
    """The store's record of an identical request, where ``workshop.reuse`` lets it stand for a run of now.

    A record whose fit is here and whose probabilities are not is scored again: that is cheap, and brings them.
    """
    return workshop.store.find(run.configuration(task)) if is_answered(run, task, workshop) else None


def is_answered(run: Run, task: Task, workshop: Workshop) -> bool:
    """True where ``reusable_record`` has one; no file is read to find out."""
    asked = run.configuration(task)
    if workshop.reuse == "never" or not workshop.store.path(asked).exists():
        return False
    if workshop.isolation is not None and not was_isolated(workshop.store, asked):
        return False
    if not workshop.fits.holds(run):
        return workshop.reuse == "any"
    return predictions.path_of(workshop.cache, asked.id()).exists()


def was_isolated(store: Store, asked: Configuration) -> bool:
    """True where the store's record of a request is of a model that lived in a process of its own."""
    known = store.find(asked)
    return known is not None and known.checked is not None and known.checked.isolated


def _needs_fit(run: Run, workshop: Workshop) -> bool:
    if workshop.fits.holds(run) and not workshop.fits.anew:
        return False
    return not all(is_answered(run, task, workshop) for task in run.tasks)


def _require_panels(run: Run, registry: Registry) -> None:
    if run.train_also:
        require_multi_panel(run.model.item, registry)
    if run.resumes is not None:
        require_pretrainable([run.model.item], registry)


def _tell_of_memory(run: Run, workshop: Workshop) -> None:
    """A note, naming the models that need not, where a model reads a pooled corpus into memory."""
    corpora = [other.name for other in run.train_also if isinstance(other, Corpus)]
    if corpora and not run.model.item.streaming and processes.is_main() and _needs_fit(run, workshop):
        those = _those(workshop.registry, lambda spec: spec.multi_panel and spec.streaming)
        workshop.progress.note(
            f"model '{run.model.item.name}' reads the training careers of {', '.join(corpora)} into memory; models "
            f"that read a corpus in windows: {those}"
        )


def _require_fit_for(spec: ModelSpec, task: Task, panel: Panel) -> None:
    if spec.only_task not in (None, task.name):
        raise RequestError(
            f"model '{spec.name}' predicts the outcome of task '{spec.only_task}' alone, not '{task.key}'"
        )
    if task.entry and not spec.first_records:
        raise RequestError(f"model '{spec.name}' cannot predict a career's first record: leave out task.entry")
    if empty := empty_task_message(task, panel):
        raise RequestError(empty)


def require_multi_panel(spec: ModelSpec, registry: Registry) -> None:
    """RequestError, naming the models that can, where a model cannot be trained on several panels."""
    if not spec.multi_panel:
        raise RequestError(
            f"model '{spec.name}' is trained on one panel alone: leave out --train-also, or ask for a model that pools "
            f"panels ({_those(registry, lambda spec: spec.multi_panel)})"
        )


def require_pretrainable(specs: Sequence[ModelSpec], registry: Registry) -> None:
    """RequestError, naming the models that can, where none of these can be pre-trained."""
    if not any(spec.pretrainable for spec in specs):
        raise RequestError(
            f"--pretrain: {' and '.join(spec.name for spec in specs)} cannot be pre-trained; ask for a model that can "
            f"({_those(registry, lambda spec: spec.pretrainable)})"
        )


def require_distributed(specs: Sequence[ModelSpec], registry: Registry) -> None:
    """RequestError, naming the models that can, where none of these can be fitted by several processes."""
    if not any(spec.distributed for spec in specs):
        raise RequestError(
            f"--processes: {' and '.join(spec.name for spec in specs)} cannot be fitted by several; ask for a model "
            f"that can ({_those(registry, lambda spec: spec.distributed)}), or see --score-jobs"
        )


def _those(registry: Registry, can: Callable[[ModelSpec], bool]) -> str:
    """The names of the installed models that can do something, for an error on those that cannot."""
    return ", ".join(sorted(name for name, entry in registry.models.items() if can(entry.item))) or "none is installed"


def empty_task_message(task: Task, panel: Panel) -> str | None:
    """A sentence saying that a task has nobody at risk in the test split, or None."""
    test = panel.part("test")
    at_risk = task.transitions(test)
    if len(at_risk) and test.weights(at_risk).any():
        return None
    which = "at risk and has a weight above zero" if len(at_risk) else "at risk"
    return (
        f"task '{task.key}' is empty on '{panel.name}': none of its test transitions is {which} ({task.summary}; "
        f"{task.outcomes})"
    )
