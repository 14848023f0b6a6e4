"""The transitions that make the difference between two runs, from the predictions of both
(``harness.records.predictions``).

A difference is ln P of what happened by the other run less that by the first, in nats, times what the transition counts
for: their sum over all transitions is the difference between the two log-likelihoods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.errors import RequestError
from harness.records.predictions import Predictions
from harness.records.slices import FIRST
from harness.types import BoolArray, FloatArray, IntArray

EVENT, OTHER = "event", "no event"  # outcomes of a binary task
AGE = "age"


@dataclass(frozen=True, slots=True)
class TransitionDifference:
    """One transition and the predictions of both runs for it.

    year: of the later record. age: the band of ages it was at. origin, state: titles of the states before and after.
    weight: what it counts for; 1 where the panel has no weights. p_first, p_other: probabilities of what happened.
    difference: in nats, times the weight. None: what the cache does not say.
    """

    person: str
    year: int
    age: str | None
    origin: str | None
    state: str | None
    weight: float
    p_first: float
    p_other: float
    difference: float


@dataclass(frozen=True, slots=True)
class TransitionKind:
    """All transitions from one state to one outcome: a state, or of a binary task whether the event happened.

    transitions: how many. p_first, p_other: mean probabilities of what happened. difference: the sum, in nats.
    """

    origin: str
    outcome: str
    transitions: int
    p_first: float
    p_other: float
    difference: float


@dataclass(frozen=True, slots=True)
class DifferingTransitions:
    """The transitions in which two runs differ. Tuples are named for the run that gave what happened the higher
    probability, largest difference first.

    total: in nats, over all transitions. gained, lost: its positive and its negative part; better, worse: how many
    transitions they are of. kinds: how many kinds of transitions there are; 0 where the cache does not say what kind a
    transition is.
    """

    total: float
    gained: float
    lost: float
    better: int
    worse: int
    for_other: tuple[TransitionDifference, ...]
    for_first: tuple[TransitionDifference, ...]
    kinds: int
    kinds_for_other: tuple[TransitionKind, ...]
    kinds_for_first: tuple[TransitionKind, ...]


def differing(first: Predictions, other: Predictions, most: int) -> DifferingTransitions:
    """The transitions, and the kinds of them, on which two runs differ most: at most so many each way.

    RequestError where the two are not of the same transitions.
    """
    if not first.same_transitions(other):
        raise RequestError(
            "the predictions of the two runs are not of the same transitions, though their records are of one task on "
            "one panel: run both again with --force"
        )
    gap = (other.log_prob - first.log_prob) * first.counts()
    of, names = _kinds(first)
    sums: FloatArray = np.zeros(len(names))
    np.add.at(sums, of, gap[: len(of)])
    return DifferingTransitions(
        total=float(gap.sum()),
        gained=float(gap[gap > 0].sum()),
        lost=float(gap[gap < 0].sum()),
        better=int((gap > 0).sum()),
        worse=int((gap < 0).sum()),
        for_other=tuple(_transition(first, other, i, gap) for i in _largest(gap, most)),
        for_first=tuple(_transition(first, other, i, gap) for i in _largest(-gap, most)),
        kinds=len(names),
        kinds_for_other=tuple(_kind(first, other, of == k, names[k]) for k in _largest(sums, most)),
        kinds_for_first=tuple(_kind(first, other, of == k, names[k]) for k in _largest(-sums, most)),
    )


def _largest(values: FloatArray, most: int) -> list[int]:
    """Positions of the largest values above zero, these first; of equal ones, the earlier."""
    order = np.argsort(-values, kind="stable")[:most]
    return [int(i) for i in order if values[i] > 0]


def _transition(first: Predictions, other: Predictions, i: int, gap: FloatArray) -> TransitionDifference:
    ages = None if first.slicing is None else first.slicing.levels.get(AGE)
    return TransitionDifference(
        person=str(first.ids[first.person[i]]),
        year=int(first.year[i]),
        age=None if ages is None else ages.names[ages.of[i]],
        origin=_title(first, first.origin, i),
        state=_title(first, first.state, i),
        weight=1.0 if first.weight is None else float(first.weight[i]),
        p_first=float(np.exp(first.log_prob[i])),
        p_other=float(np.exp(other.log_prob[i])),
        difference=float(gap[i]),
    )


def _title(predictions: Predictions, states: IntArray | None, i: int) -> str | None:
    if states is None or predictions.titles is None:
        return None
    return FIRST if states[i] < 0 else str(predictions.titles[states[i]])


def _kinds(predictions: Predictions) -> tuple[IntArray, list[tuple[str, str]]]:
    """int64 [n]: the kind of each transition; origin and outcome of each kind. Empty where that is not known."""
    if predictions.origin is None or predictions.state is None or predictions.titles is None:
        return np.zeros(0, dtype=np.int64), []
    titles = [*predictions.titles.tolist(), FIRST]  # an origin of -1 is the last
    outcomes = titles if predictions.happened is None else [OTHER, EVENT]
    outcome = predictions.state if predictions.happened is None else predictions.happened
    pairs, of = np.unique(np.column_stack([predictions.origin, outcome]).astype(np.int64), axis=0, return_inverse=True)
    return of.reshape(-1), [(titles[origin], outcomes[to]) for origin, to in pairs.tolist()]


def _kind(first: Predictions, other: Predictions, here: BoolArray, names: tuple[str, str]) -> TransitionKind:
    counts = first.counts()[here]

    def mean(predictions: Predictions) -> float:
        return float(np.average(np.exp(predictions.log_prob[here]), weights=counts))

    gap = other.log_prob[here] - first.log_prob[here]
    return TransitionKind(*names, int((counts > 0).sum()), mean(first), mean(other), float(counts @ gap))
