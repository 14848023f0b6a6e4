"""The forecast of one model: careers sampled step by step, every history that samples share asked about once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.errors import RequestError
from harness.forecasts.plan import Plan
from harness.model.answers import Inquiry, checked_log_prob, whole_rows
from harness.model.contract import Estimator, ModelSpec
from harness.panel.careers import Covariate, Panel
from harness.runs.execute import Workshop, fitted
from harness.runs.run import Run
from harness.system.progress import Progress, Silent
from harness.types import FloatArray, IntArray

CAREERS = 4_000  # sampled at a time: 16 MB of float64 rows for 500 states, thrice
DEAR_CAREERS = 400  # where a whole row is dear: minutes, in which the bar should move


@dataclass(frozen=True)
class Forecast:
    """One model's forecast of a plan: P persons, H years, K states, S samples, T years sampled.

    prob: float32 [P, H, K], P(state in that year | what was known); 4 P H K bytes stay in memory. states: int32
    [P, S, T], the sampled careers, -1 before a person's first sampled year. log_prob: float64 [P, H], ln P(actual
    state), NaN where that is not known. shortfall: float64 [P, H], nats by which further samples would raise it, to
    first order: ln of a mean of S draws is too low by its relative variance over 2 S. NaN with a single sample.
    changed: parameters that are not the defaults. train_also: further panels it was fitted on. pretrained_on: the one
    it learned from before. renormalised: whether rows that may sum to less than one were divided by their sum.
    fitted_without_weights: whether the panel has weights, and the fit did not use them. fit_seconds, sample_seconds:
    what it cost.
    """

    name: str
    prob: FloatArray
    states: IntArray
    log_prob: FloatArray
    shortfall: FloatArray
    changed: Mapping[str, Any] = field(default_factory=dict)
    train_also: tuple[str, ...] = ()
    pretrained_on: str | None = None
    renormalised: bool = False
    fitted_without_weights: bool = False
    fit_seconds: float = 0.0
    sample_seconds: float = 0.0


def require_rows(spec: ModelSpec) -> None:
    """RequestError where a model predicts no next state to sample."""
    if spec.only_task is not None:
        raise RequestError(
            f"model '{spec.name}' predicts the outcome of task '{spec.only_task}' alone: it has no next state to sample"
        )


def forecast(run: Run, plan: Plan, samples: int, workshop: Workshop) -> Forecast:
    """Fit the run's model on what the plan knows, or load that fit, and sample every person's careers from it.

    The run's panel should be ``plan.known``; its seed is that of the fit and of the samples, its tasks do not matter.
    """
    spec = run.model.item
    require_rows(spec)
    fit = fitted(run, workshop)
    start = time.perf_counter()
    sampler = Sampler(spec=spec, model=fit.model, plan=plan, samples=samples, seed=run.seed)
    made = collect(spec.name, plan, samples, sampler.steps(workshop.progress))
    return replace(
        made,
        changed=run.configuration(run.tasks[0]).changed,
        train_also=tuple(panel.name for panel in run.train_also),
        pretrained_on=None if run.resumes is None else run.resumes.name,
        renormalised=not spec.sums_to_one,
        fitted_without_weights=plan.panel.weight is not None and not spec.uses_weights,
        fit_seconds=round(fit.cost.seconds, 2),
        sample_seconds=round(time.perf_counter() - start, 2),
    )


def collect(name: str, plan: Plan, samples: int, steps: Iterable[SampledYear]) -> Forecast:
    """A model's forecast from the steps of a ``Sampler``."""
    shape = plan.actual.shape
    prob = np.zeros((*shape, plan.panel.n_states), dtype=np.float32)
    states = np.full((shape[0], samples, len(plan.steps)), -1, dtype=np.int32)
    log_prob, shortfall = np.full(shape, np.nan), np.full(shape, np.nan)
    for step in steps:
        t = int(np.searchsorted(plan.steps, step.year))
        states[step.persons, :, t] = step.states
        h = t - (len(plan.steps) - len(plan.years))
        if h < 0:
            continue
        starts = np.searchsorted(step.owner, np.arange(len(step.persons)))
        prob[step.persons, h] = np.add.reduceat(step.rows * step.weight[:, None], starts, axis=0)
        actual = plan.actual[step.persons, h]
        here = step.rows[np.arange(len(step.owner)), np.maximum(actual, 0)[step.owner]]
        mean = np.add.reduceat(here * step.weight, starts)
        spread = np.maximum(np.add.reduceat(here**2 * step.weight, starts) - mean**2, 0.0)
        seen = actual >= 0
        log_prob[step.persons[seen], h] = np.log(mean[seen])
        if samples > 1:
            shortfall[step.persons[seen], h] = (spread / (samples - 1) / mean**2 / 2)[seen]
    return Forecast(name=name, prob=prob, states=states, log_prob=log_prob, shortfall=shortfall)


@dataclass(frozen=True)
class SampledYear:
    """One year of some persons: what the model said of every distinct sampled history, and what was drawn.

    year: calendar year. persons: int64 [p], positions. owner: int64 [n], which of those persons each row is about, in
    rising order. rows: float64 [n, K], P(state), summing to one. weight: float64 [n], the share of the person's samples
    that have that history. states: int64 [p, S], the state drawn for each sample.
    """

    year: int
    persons: IntArray
    owner: IntArray
    rows: FloatArray
    weight: FloatArray
    states: IntArray


@dataclass(frozen=True)
class Sampler:
    """Samples the careers of a plan from one fitted model.

    The draw of a person, a calendar year and a sample number depends on these and the seed alone: not on who else is
    forecast, how many samples there are, how far ahead they go, or which model is asked. So all models meet the same
    draws, and a further sample or year leaves the others as they were. (A model's own arithmetic may still differ in
    its last digits with what it is asked beside.) Rows are divided by their sum: a model that leaves probability
    outside the choice set is sampled within it.
    """

    spec: ModelSpec
    model: Estimator
    plan: Plan
    samples: int
    seed: int = 0

    def steps(self, progress: Progress | None = None) -> Iterator[SampledYear]:
        """Every year of every person in turn, some persons at a time, within bounded memory."""
        persons = self.plan.persons
        size = max(1, self._at_once // self.samples)
        with (progress or Silent()).bar(f"{self.spec.name}: sampling careers", persons.n_persons) as bar:
            for start in range(0, persons.n_persons, size):
                chosen = np.arange(start, min(start + size, persons.n_persons))
                yield from self._some(chosen)
                bar.advance(len(chosen))

    @property
    def _at_once(self) -> int:
        return CAREERS if self.spec.whole_rows else DEAR_CAREERS

    def _some(self, chosen: IntArray) -> Iterator[SampledYear]:
        """Samples that share their history so far share a branch, and the model is asked once for all of them."""
        known = self.plan.persons.select(chosen)
        branches = _Branches(known, self.plan)
        branch: IntArray = np.tile(np.arange(len(chosen))[:, None], self.samples)  # [p, S], all at the root at first
        ids = [_words(person) for person in known.persons.tolist()]
        for t, year in enumerate(self.plan.steps.tolist()):
            begun = np.flatnonzero(branches.first <= t)
            if not len(begun):
                continue
            asked = np.flatnonzero(branches.first[branches.owner] <= t)
            rows = self._rows(branches, asked, t)
            drawn = np.stack([np.random.default_rng([self.seed, *ids[i], year]).random(self.samples) for i in begun])
            place = np.full(len(branches.owner), -1)
            place[asked] = np.arange(len(asked))
            row = place[branch[begun]]  # [p, S]
            states = np.stack([_invert(rows[r], u) for r, u in zip(row, drawn, strict=True)])
            weight = np.bincount(row.ravel(), minlength=len(asked)) / self.samples
            owner = np.searchsorted(begun, branches.owner[asked])
            yield SampledYear(year=year, persons=chosen[begun], owner=owner, rows=rows, weight=weight, states=states)
            taken = np.zeros(branch.shape, dtype=np.int64)
            taken[begun] = states
            branch = branches.grow(branch, taken, t)

    def _rows(self, branches: _Branches, asked: IntArray, step: int) -> FloatArray:
        """float64 [n, K]: the model's rows for the branches asked about, summing to one."""
        parts = []
        for start in range(0, len(asked), self._at_once):
            panel = branches.panel(asked[start : start + self._at_once], step)
            targets = panel.offsets[1:].astype(np.int64) - 1
            log_prob = checked_log_prob(self.spec, self.model, Inquiry.of(panel, targets), whole_rows(panel, targets))
            rows = np.exp(log_prob.astype(np.float64))
            parts.append(rows / rows.sum(axis=1, keepdims=True))
        return np.concatenate(parts)


def _words(person: str) -> list[int]:
    """128 bits of SHA-256 over a person's id, as numpy seeds a generator."""
    digest = hashlib.sha256(person.encode()).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]


def _invert(rows: FloatArray, drawn: FloatArray) -> IntArray:
    """int64 [S]: the state where the running sum of each row [S, K] passes each draw [S]."""
    passed = np.cumsum(rows, axis=1) <= drawn[:, None]
    return np.asarray(np.minimum(passed.sum(axis=1), rows.shape[1] - 1), dtype=np.int64)


class _Branches:
    """The distinct sampled histories of some persons, as a tree that grows by a year at a time.

    owner: int64 [n], position among the persons, in rising order. path: int64 [n, T], the state of every step so far.
    first: int64 [p], the first step that each person is sampled in.
    """

    def __init__(self, known: Panel, plan: Plan) -> None:
        self.known, self.plan = known, plan
        self.owner = np.arange(known.n_persons, dtype=np.int64)
        self.path = np.zeros((known.n_persons, len(plan.steps)), dtype=np.int64)
        self.first = np.searchsorted(plan.steps, known.year[known.offsets[1:] - 1], side="right")

    def grow(self, branch: IntArray, states: IntArray, step: int) -> IntArray:
        """Follow every sample from its branch (int64 [p, S]) to the state it takes; int64 [p, S], the new branches."""
        n_states = self.known.n_states
        made, branch = np.unique(branch * n_states + states, return_inverse=True)
        self.owner, self.path = self.owner[made // n_states], self.path[made // n_states]
        self.path[:, step] = made % n_states
        return branch.reshape(states.shape)

    def panel(self, asked: IntArray, step: int) -> Panel:
        """The careers of these branches, the last record that of ``step``: its state repeats the one before."""
        known, owner = self.known, self.owner[asked]
        lengths = np.diff(known.offsets)[owner]
        whole = lengths + step - self.first[owner] + 1
        offsets = np.concatenate([[0], np.cumsum(whole)]).astype(np.int64)
        row = np.repeat(np.arange(len(asked)), whole)
        position = np.arange(offsets[-1]) - offsets[row]
        source = known.offsets[owner][row] + np.minimum(position, lengths[row] - 1)
        sampled = position >= lengths[row]
        at = (self.first[owner][row] + position - lengths[row])[sampled]
        year, state = known.year[source].copy(), known.state[source].copy()
        passed = np.zeros(len(year))
        passed[sampled] = self.plan.steps[at] - year[sampled]
        year[sampled] = self.plan.steps[at]
        state[sampled] = self.path[asked][row[sampled], at]
        targets = offsets[1:] - 1
        state[targets] = state[targets - 1]
        return replace(
            known,
            persons=known.persons[owner],
            offsets=offsets,
            year=year,
            state=state,
            split=known.split[owner],
            weight=None,  # what a record counts for is no model's business, nor how persons were drawn
            units=None,
            strata=None,
            covariates={n: self._at(n, c, source, passed) for n, c in known.covariates.items()},
        )

    def _at(self, name: str, covariate: Covariate, source: IntArray, passed: FloatArray) -> Covariate:
        taken = covariate.take(source)
        return replace(taken, values=taken.values + passed) if name in self.plan.moving else taken
