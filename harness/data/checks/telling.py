"""Covariates that tell the state of their own record: a model sees them at the record that it is asked about.

Hours that are zero in a year without work, the wage or the industry of that year's job, the tenure in it. Each is
measured by a forecast: how much of what is not known of a record, given the record before and the covariate there, does
the covariate's own value take away? Forecasts are shares by cell, smoothed towards coarser cells and always of other
persons. The education or the region of a year takes away next to nothing, since they were nearly known the year before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.panel.careers import Covariate, Panel
from harness.stats.labels import distinct_numbers, numbered_as_met
from harness.types import FloatArray, IntArray

FOLDS = 5
LEVELS = 60  # of a covariate that are told apart, the most frequent ones; the others are one
BINS = 16  # of the numbers that are not frequent ones
FREQUENT = 0.01  # of the records: a number with a bin of its own, as zero hours
PRIOR = 10.0  # transitions that a coarser cell counts for in a finer one
FEW = 200  # transitions below which nothing is said
MOST = 40_000  # transitions that are looked at: those of every k-th person
ERRORS = 3.0  # standard errors, by person, from the share that counts
SHARE = 0.1  # of what was not known, from which a covariate gives it away; honest ones take a thirtieth at most
EACH = "each"  # state has a value of its own
WORDS = {"status": "the status", "stay": "whether the state was left", "state": "the state that was moved to"}


@dataclass(frozen=True, slots=True)
class Telling:
    """A covariate that gives its record away. outcome: a key of ``WORDS``, or ``EACH``. share: of the unknown."""

    covariate: str
    outcome: str
    share: float

    @property
    def text(self) -> str:
        """A clause for whoever reads of it."""
        if self.outcome == EACH:
            return "has one value for each state of its own record"
        return f"tells {WORDS[self.outcome]} at its own record ({self.share:.0%} of what was not known before)"


def telling(panel: Panel) -> tuple[Telling, ...]:
    """The covariates that give the states of their records away, each with the outcome that it tells most of."""
    found = []
    for name, covariate in sorted(panel.covariates.items()):
        if _is_of_the_state(panel, covariate):
            found.append(Telling(name, EACH, 1.0))
        elif much := [one for one in told(panel, covariate) if one[2]]:
            outcome, share, _ = max(much, key=lambda one: one[1])
            found.append(Telling(name, outcome, share))
    return tuple(found)


def _is_of_the_state(panel: Panel, covariate: Covariate) -> bool:
    """True where each state has one value, however few the records, and it is not simply fixed for the person."""
    if covariate.fixed:
        return False
    _, value = np.unique(covariate.values, return_inverse=True)
    if value.max(initial=0) == 0:
        return False
    pairs = distinct_numbers(panel.state.astype(np.int64) * (value.max() + 1) + value)
    states = int(np.count_nonzero(np.bincount(panel.state)))
    return len(pairs) == states and panel.n_records > 2 * states


def told(panel: Panel, covariate: Covariate) -> Iterator[tuple[str, float, bool]]:
    """Of each outcome with enough transitions: its name, the share of uncertainty taken away, and if that is too much.

    Nothing of a covariate that is fixed, which is known from the first record on.
    """
    if covariate.fixed:
        return
    later = panel.transitions
    if len(later) > MOST:
        later = later[panel.person[later] % -(-len(later) // MOST) == 0]
    value, changed = _bins(covariate), _change(covariate, later)
    now = _paired(value[later], changed)
    before = value[later - 1]
    origin, state = panel.state[later - 1].astype(np.int64), panel.state[later].astype(np.int64)
    status, _ = numbered_as_met(str(of) for of in panel.occupations.statuses)
    group, _ = panel.occupations.group_index()
    moved = origin != state
    every = np.ones(len(later), dtype=bool)
    for outcome, among, given, ends in (
        ("status", every, status[origin], status[state]),
        ("stay", every, origin, moved.astype(np.int64)),
        ("state", moved, group[origin], state),
    ):
        if among.sum() >= FEW and len(np.unique(ends[among])) > 1:
            cells = _Cells(given[among], before[among], now[among], ends[among])
            yield outcome, *_taken_away(cells, panel.person[later][among])


def _taken_away(cells: _Cells, person: IntArray) -> tuple[float, bool]:
    """The share of the loss without the record's own value that is saved with it, and whether it is too much."""
    _, number = np.unique(person, return_inverse=True)
    without, with_it = cells.losses(number % FOLDS)
    share = 1 - float(with_it.sum() / without.sum())
    excess = np.bincount(number, (1 - SHARE) * without - with_it)
    error = float(np.sqrt(len(excess)) * excess.std())
    return share, float(excess.sum()) > ERRORS * error


def _bins(covariate: Covariate) -> IntArray:
    """int64 [N]: the bin of each value, 0 for a missing one."""
    if covariate.kind == "categorical":
        counts = np.bincount(covariate.values + 1, minlength=len(covariate.levels) + 1)[1:]
        place = np.full(len(counts) + 1, LEVELS + 1, dtype=np.int64)
        place[np.argsort(-counts, kind="stable")[:LEVELS]] = np.arange(1, min(LEVELS, len(counts)) + 1)
        place[-1] = 0  # a value of -1 is missing
        return np.asarray(place[covariate.values])
    values = covariate.values.astype(np.float64)
    here = ~np.isnan(values)
    distinct, index, counts = np.unique(values[here], return_inverse=True, return_counts=True)
    frequent = counts >= max(FREQUENT * here.sum(), 2)
    edges = np.quantile(values[here], np.arange(1, BINS) / BINS) if here.any() else np.zeros(0)
    own = np.where(frequent, BINS + np.cumsum(frequent), np.searchsorted(edges, distinct, side="right") + 1)
    made = np.zeros(len(values), dtype=np.int64)
    made[here] = own[index]
    return made


def _change(covariate: Covariate, later: IntArray) -> IntArray:
    """int64 [n]: 0 where a value is that of the record before, 1 where it rose, 2 where it fell, 3 without one."""
    values = covariate.values.astype(np.float64)
    if covariate.kind == "categorical":
        values = np.where(covariate.values < 0, np.nan, values)
        step = (values[later] != values[later - 1]).astype(np.float64)
    else:
        step = np.sign(values[later] - values[later - 1])
    missing = np.isnan(values[later]) | np.isnan(values[later - 1])
    return np.where(missing, 3, np.where(step > 0, 1, np.where(step < 0, 2, 0))).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Each of n transitions. given, before: what is known of it; now: the covariate there; ends: the outcome."""

    given: IntArray
    before: IntArray
    now: IntArray
    ends: IntArray

    def losses(self, fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """-ln P of the outcomes, without the covariate's own value and with it; forecasts are of the other folds."""
        known = _paired(self.given, self.before)
        without = (self.given, known)
        with_it = (self.now, _paired(self.given, self.now), _paired(known, self.now))
        return self._loss(without, fold), self._loss(with_it, fold)

    def _loss(self, chain: Sequence[IntArray], fold: IntArray) -> FloatArray:
        """chain: cells from coarse to fine; shares in each are smoothed towards those in the one before."""
        _, ends = np.unique(self.ends, return_inverse=True)
        k = int(ends.max()) + 1
        n, hits = _others(np.zeros(len(ends), dtype=np.int64), fold), _others(ends, fold)
        prob = (hits + 0.5) / (n + 0.5 * k)
        for cells in chain:
            n, hits = _others(cells, fold), _others(_paired(cells, ends), fold)
            prob = (hits + PRIOR * prob) / (n + PRIOR)
        return np.asarray(-np.log(prob))


def _paired(first: IntArray, second: IntArray) -> IntArray:
    """int64 [n]: one number for each pair of numbers, from 0 up."""
    _, made = np.unique(first * (int(second.max(initial=0)) + 1) + second, return_inverse=True)
    return np.asarray(made, dtype=np.int64)


def _others(cells: IntArray, fold: IntArray) -> FloatArray:
    """float64 [n]: how many of the other folds are in the cell of each."""
    width = int(cells.max(initial=0)) + 1
    every = np.bincount(cells, minlength=width)
    own = np.bincount(cells * FOLDS + fold, minlength=width * FOLDS)
    return np.asarray(every[cells] - own[cells * FOLDS + fold], dtype=np.float64)
