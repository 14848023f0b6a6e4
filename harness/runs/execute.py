"""Fit and score. The only caller of a model, and the one place that checks what a model returns."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError
from harness.model.checked import named, row_sums, score, unseen
from harness.model.contract import Context, Estimator, ModelSpec
from harness.model.task import EachState, Task
from harness.panel.careers import Panel
from harness.panel.pooling import pool, require_apart
from harness.records import predictions as probabilities
from harness.records.predictions import Said
from harness.records.record import Measured, Record, now
from harness.records.recording import Scored, mass_of, record_of
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.run import Run
from harness.stats.figures import Scores
from harness.system import processes
from harness.system.files import unfinished
from harness.system.machine import measured, versions
from harness.system.progress import Progress, Silent


@dataclass(frozen=True)
class Workshop:
    """Where a run works and whom it tells: records, cache, plugins, progress.

    force: redo what is already there, from the start. trust: take the store's record of an identical request.
    """

    registry: Registry
    store: Store
    cache: Path
    progress: Progress = field(default_factory=Silent)
    force: bool = False
    trust: bool = True


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model ready to be scored, with what its fit cost; killed attempts count up to their last checkpoint."""

    model: Estimator
    seconds: float
    peak_memory_mb: float
    facts: dict[str, Any]
    started: datetime


def execute(run: Run, workshop: Workshop) -> Iterator[Record]:
    """The record of each task in turn, on disk before it is yielded, so that a crash loses no finished one.

    An identical request that the store already holds is read instead. A fit that the cache holds is loaded. Of several
    processes, all make the fit of a model that can be fitted so; the main one alone does the rest, and yields.
    RequestError where nobody is at risk in the test split; RunError where the model breaks its contract.
    """
    spec = run.model.item
    _require_panels(run, workshop.registry)
    for task in run.tasks:
        _require_fit_for(spec, task, run.panel)
    if processes.is_main():
        workshop.registry.manager.hook.harness_run_started(run=run)
    fitted: Fitted | None = None
    if spec.distributed and processes.count() > 1 and processes.told_by_main(_needs_fit(run, workshop)):
        if not processes.is_main():
            _help_fit(run, workshop)
        else:
            fitted = _fit(run, workshop, shared=True)
    for task in run.tasks if processes.is_main() else ():
        record = workshop.store.find(run.configuration(task)) if is_known(run, task, workshop) else None
        if record is None:
            fitted = fitted or _fit(run, workshop)
            record = _score(run, task, fitted, workshop)
            workshop.store.write(record)
            workshop.registry.manager.hook.harness_run_finished(run=run, record=record)
        yield record


def fitted(run: Run, workshop: Workshop) -> Fitted:
    """The model of a run, from the cache or fitted now: for what asks more of it than the tasks do.

    The process that asks makes the whole fit. RequestError where the model cannot be trained on the panels asked for.
    """
    _require_panels(run, workshop.registry)
    return _fit(run, workshop)


def _require_panels(run: Run, registry: Registry) -> None:
    if run.train_also:
        require_pooling(run.model.item, registry)
    if run.resumes is not None:
        require_pretraining([run.model.item], registry)


def _require_fit_for(spec: ModelSpec, task: Task, panel: Panel) -> None:
    if spec.only_task not in (None, task.name):
        raise RequestError(
            f"model '{spec.name}' predicts the outcome of task '{spec.only_task}' alone, not '{task.key}'"
        )
    if task.entry and not spec.first_records:
        raise RequestError(f"model '{spec.name}' cannot predict a career's first record: leave out task.entry")
    if empty := why_empty(task, panel):
        raise RequestError(empty)


def require_pooling(spec: ModelSpec, registry: Registry) -> None:
    """RequestError, naming the models that can, where a model cannot be trained on several panels."""
    if not spec.multi_panel:
        able = sorted(entry.item.name for entry in registry.models.values() if entry.item.multi_panel)
        raise RequestError(
            f"model '{spec.name}' is trained on one panel alone: leave out --train-also, or ask for a model that pools "
            f"panels ({', '.join(able) or 'none is installed'})"
        )


def require_pretraining(specs: Sequence[ModelSpec], registry: Registry) -> None:
    """RequestError, naming the models that can, where none of these can be pre-trained."""
    if not any(spec.pretrainable for spec in specs):
        able = sorted(entry.item.name for entry in registry.models.values() if entry.item.pretrainable)
        raise RequestError(
            f"--pretrain: {' and '.join(spec.name for spec in specs)} cannot be pre-trained; ask for a model that can "
            f"({', '.join(able) or 'none is installed'})"
        )


def why_empty(task: Task, panel: Panel) -> str | None:
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


def is_known(run: Run, task: Task, workshop: Workshop) -> bool:
    """Whether an identical request's record is taken for this one.

    Not where the fit is here, and what it said of each transition is not: scoring it again is cheap and brings that.
    """
    asked = run.configuration(task)
    if workshop.force or not workshop.trust or not workshop.store.path(asked).exists():
        return False
    return not _folder(run, workshop).exists() or probabilities.path_of(workshop.cache, asked.id()).exists()


def _is_kept(folder: Path, workshop: Workshop) -> bool:
    return folder.exists() and not workshop.force


def _needs_fit(run: Run, workshop: Workshop) -> bool:
    if _is_kept(_folder(run, workshop), workshop):
        return False
    return not all(is_known(run, task, workshop) for task in run.tasks)


def _folder(run: Run, workshop: Workshop) -> Path:
    return workshop.cache / "fits" / run.fit_name()


def _help_fit(run: Run, workshop: Workshop) -> None:
    """Do this process's part of a fit that the main one keeps."""
    model = run.model.item.build(run.params)
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch, named(run.model.item.name, "fit"):
        _train(model, run, workshop, Path(scratch), shared=True)


def _train(model: Estimator, run: Run, workshop: Workshop, scratch: Path, shared: bool) -> None:
    also = pool(run.panel, run.train_also)
    if run.resumes is not None:
        require_apart(run.panel, run.resumes.part("train"), "--pretrain")
    context = Context(run.seed, scratch, workshop.cache, run.device, workshop.progress, also, shared, run.resumes)
    model.fit(run.learned("train"), run.learned("valid"), context)


def _fit(run: Run, workshop: Workshop, shared: bool = False) -> Fitted:
    folder = _folder(run, workshop)
    if _is_kept(folder, workshop):
        return _load(run, folder)
    model = run.model.item.build(run.params)
    started = now()
    with unfinished(workshop.cache, run.fit_name(), anew=workshop.force) as scratch:
        with measured() as cost, named(run.model.item.name, "fit"):
            _train(model, run, workshop, scratch.folder, shared)
        with named(run.model.item.name, "facts"):
            facts = json.loads(json.dumps(dict(model.facts())))
        fitted = Fitted(model, scratch.seconds + cost.seconds, cost.peak_memory_mb, facts, started)
        _keep(run.model.item.name, fitted, folder)
    return fitted


def _keep(name: str, fitted: Fitted, folder: Path) -> None:
    """Save a fit under a temporary name and rename it, so that a half-written one is never loaded."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        (partial / "model").mkdir()
        with named(name, "save"):
            fitted.model.save(partial / "model")
        kept = {"seconds": fitted.seconds, "peak_memory_mb": fitted.peak_memory_mb, "facts": fitted.facts}
        (partial / "fit.json").write_text(json.dumps(kept | {"started": fitted.started.isoformat()}), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _load(run: Run, folder: Path) -> Fitted:
    kept = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    model = run.model.item.build(run.params)
    with named(run.model.item.name, "load"):
        model.load(folder / "model")
    started = datetime.fromisoformat(kept["started"])
    return Fitted(model, kept["seconds"], kept["peak_memory_mb"], kept["facts"], started)


def _score(run: Run, task: Task, fitted: Fitted, workshop: Workshop) -> Record:
    spec, test = run.model.item, run.panel.part("test")
    with measured() as cost:
        scores = score(spec, fitted.model, task, test, workshop.progress)
    mass = None
    if scores.mass_low is not None and scores.mass_high is not None:
        mass = mass_of(scores.mass_high, scores.weight, float(np.log(scores.mass_high / scores.mass_low).max()))
    elif not spec.sums_to_one and isinstance(task.partition, EachState):
        mass = mass_of(*row_sums(spec, fitted.model, task, test))
    took = Measured(
        fit_seconds=round(fitted.seconds, 2),
        score_seconds=round(cost.seconds, 2),
        peak_memory_mb=round(max(fitted.peak_memory_mb, cost.peak_memory_mb), 1),
        device=run.device,
        cpu_count=os.cpu_count() or 1,
        platform=f"{platform.system()} {platform.machine()}",
        versions=versions(spec.needs),
        started=fitted.started,
        finished=now(),
    )
    facts = fitted.facts | unseen(spec, fitted.model, task, test) | _without_weights(spec, test)
    record = record_of(
        Scored(
            configuration=run.configuration(task),
            task=task,
            panel=run.panel,
            scores=scores,
            measured=took,
            facts=facts | {"train_persons": run.learned("train").n_persons},
            sums_to_one=spec.sums_to_one,
            knows_truth=spec.simulated_only,
            mass=mass,
        ),
        [entry.item for entry in workshop.registry.metrics.values()],
    )
    _keep_said(run, task, fitted, workshop, (record, scores))
    return record


def _keep_said(run: Run, task: Task, fitted: Fitted, workshop: Workshop, done: tuple[Record, Scores]) -> None:
    """What ensembles are made from; before the record is written, so that a record of this machine has it."""
    valid, test, progress = run.panel.part("valid"), run.panel.part("test"), workshop.progress
    on_valid = score(run.model.item, fitted.model, task, valid, progress, ranks=False)
    said = {"valid": Said.of(task, valid, on_valid), "test": Said.of(task, test, done[1], run.panel)}
    probabilities.save(workshop.cache, done[0], said)


def _without_weights(spec: ModelSpec, test: Panel) -> dict[str, bool]:
    """A fact for the record of a weighted panel: that the fit did not use its weights."""
    return {} if test.weight is None or spec.uses_weights else {"fitted_without_weights": True}
