"""From a fitted model to the record of one task, and to the probability of every transition that ensembles are made
of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.model import EachState, Estimator, ModelSpec, Task
from harness.model.scoring import row_sums, score, unseen
from harness.model.spot_check import SpotCheck
from harness.panel import Panel
from harness.records.predictions import Predictions
from harness.records.record import Checked, Mass, Measured, Record
from harness.records.recording import Scored, mass_of, of_panel, record_of
from harness.records.slices import Slicing
from harness.runs.fits import Fitted
from harness.runs.run import Run
from harness.stats.figures import Metric, Scores
from harness.system.machine import Cost, measured
from harness.system.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """One task of a run, scored. predictions: of the test split, for the cache and never for a record."""

    record: Record
    predictions: Predictions


class TaskScorer(Protocol):
    """Gives the scores of all that a task asks about in the test split of a run's panel, by the run's fit."""

    def __call__(self, run: Run, fitted: Fitted, task: Task, progress: Progress) -> Scores: ...


def scored_here(run: Run, fitted: Fitted, task: Task, progress: Progress) -> Scores:
    """The scores, by this process (``TaskScorer``)."""
    return score(run.model.item, fitted.model, task=task, test=run.panel.part("test"), progress=progress)


def score_task(
    run: Run,
    check: SpotCheck,
    fitted: Fitted,
    progress: Progress,
    metrics: Sequence[Metric] = (),
    scorer: TaskScorer = scored_here,
) -> Outcome:
    """Score the test split on the task of the spot check, which the model was asked before.

    metrics: those of plugins. RunError where the model breaks its contract or fails the check.
    """
    spec, task, test = run.model.item, check.task, check.test
    with measured() as cost:
        scores = scorer(run, fitted, task, progress)
    check.require_same(scores)
    slicing = Slicing.of(run.panel, test, task.transitions(test))
    facts = fitted.facts | unseen(spec, fitted.model, task, test) | _fitted_without_weights(spec, test)
    facts |= of_panel(run.cautions)
    scored = Scored(
        configuration=run.configuration(task),
        task=task,
        panel=run.panel,
        scores=scores,
        measured=Measured.of(
            fitted.cost + Cost(peak_memory_mb=run.read_memory_mb),
            cost,
            device=run.device,
            needs=spec.needs,
            started=fitted.started,
        ),
        facts=facts | {"train_persons": run.learned("train").n_persons},
        sums_to_one=spec.sums_to_one,
        knows_truth=spec.simulated_only,
        mass=_mass(spec, fitted.model, task=task, test=test, scores=scores),
        slicing=slicing,
        checked=Checked(
            transitions=check.sizes.transitions,
            whole_rows=check.sizes.rows,
            alone=check.sizes.alone,
            isolated=fitted.isolated,
        ),
    )
    return Outcome(record_of(scored, metrics), Predictions.of(task, test, scores, slicing))


def score_valid(spec: ModelSpec, model: Estimator, task: Task, panel: Panel, progress: Progress) -> Predictions:
    """The probabilities of the validation split, on which the weights of a mixture are chosen."""
    valid = panel.part("valid")
    return Predictions.of(task, valid, score(spec, model, task=task, test=valid, progress=progress, ranks=False))


def _mass(spec: ModelSpec, model: Estimator, task: Task, test: Panel, scores: Scores) -> Mass | None:
    """The probability inside the choice set of a model whose rows may sum to less than one; None of any other."""
    if scores.mass_low is not None and scores.mass_high is not None:
        return mass_of(scores.mass_high, scores.weight, float(np.log(scores.mass_high / scores.mass_low).max()))
    if spec.sums_to_one or not isinstance(task.partition, EachState):
        return None
    return mass_of(*row_sums(spec, model, task, test))


def _fitted_without_weights(spec: ModelSpec, test: Panel) -> dict[str, bool]:
    """A fact for the record of a weighted panel: that the fit did not use its weights."""
    return {} if test.weight is None or spec.uses_weights else {"fitted_without_weights": True}
