"""From what a model said of each transition to the figures on a board.

Every figure here is a function of ``Evidence``: sums by person, and for binary tasks a table of counts by probability.
That is what a record file keeps, so every figure can be recomputed from the file alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.types import BoolArray, FloatArray, IntArray

# Probabilities of an event are counted on this grid, so that a table of at most 10,001 cells carries the ranking that
# the AUC is computed from, however many transitions there are.
GRID = 10_000


@dataclass(frozen=True)
class Scores:
    """What one model said on one task, a transition at a time; n transitions of P persons.

    log_prob: float64 [n], ln P(observed outcome). person: int64 [n], position among the panel's persons.
    log_event, happened: float64 and bool [n], binary tasks only. rank: int64 [n], place of the observed outcome, 1 the
    likeliest; only where whole rows were asked for. log_prob_open: float64 [n], ``log_prob`` before rows were
    renormalised; mass_low, mass_high: float64 [n], bounds on the sum of each row; only where they were.
    """

    persons: int
    log_prob: FloatArray
    person: IntArray
    log_event: FloatArray | None = None
    happened: BoolArray | None = None
    rank: IntArray | None = None
    log_prob_open: FloatArray | None = None
    mass_low: FloatArray | None = None
    mass_high: FloatArray | None = None


@dataclass(frozen=True)
class Evidence:
    """What the figures are computed from; all arrays have length P, persons without a transition at risk left out.

    ids: the persons. transitions: int64, how many at risk. log_likelihood: float64, in nats. top_1, top_5: int64 hits.
    brier: float64, sums of squared errors. cells, event_counts, other_counts: int64 [c], the table of probabilities of
    the event in units of 1/10,000 and how many transitions with and without the event stand in each cell.
    log_likelihood_open: float64, in nats, of the same rows before they were renormalised; None where they were not.
    """

    ids: tuple[str, ...]
    transitions: IntArray
    log_likelihood: FloatArray
    top_1: IntArray | None = None
    top_5: IntArray | None = None
    brier: FloatArray | None = None
    cells: IntArray | None = None
    event_counts: IntArray | None = None
    other_counts: IntArray | None = None
    log_likelihood_open: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure: key, the better direction, and its value from the evidence (None where it is not defined)."""

    key: str
    better: Literal["higher", "lower"]
    compute: Callable[[Evidence], float | None]


def gather(scores: Scores, ids: list[str]) -> Evidence:
    """Sum scores by person. ids: the P person ids that ``scores.person`` points into."""
    n = np.bincount(scores.person, minlength=scores.persons)
    here = np.flatnonzero(n)

    def by_person(values: FloatArray | BoolArray) -> FloatArray:
        return np.asarray(np.bincount(scores.person, weights=values, minlength=scores.persons)[here], dtype=np.float64)

    top_1 = top_5 = None
    if scores.rank is not None:
        top_1 = by_person(scores.rank <= 1).astype(np.int64)
        top_5 = by_person(scores.rank <= 5).astype(np.int64)
    brier = cells = events = others = None
    if scores.log_event is not None and scores.happened is not None:
        prob = np.exp(scores.log_event)
        brier = by_person((prob - scores.happened) ** 2)
        cell = np.rint(prob * GRID).astype(np.int64)
        with_event = np.bincount(cell[scores.happened], minlength=GRID + 1)
        without = np.bincount(cell[~scores.happened], minlength=GRID + 1)
        cells = np.flatnonzero(with_event + without)
        events, others = with_event[cells], without[cells]
    return Evidence(
        ids=tuple(ids[i] for i in here),
        transitions=n[here],
        log_likelihood=by_person(scores.log_prob),
        top_1=top_1,
        top_5=top_5,
        brier=brier,
        cells=cells,
        event_counts=events,
        other_counts=others,
        log_likelihood_open=None if scores.log_prob_open is None else by_person(scores.log_prob_open),
    )


def log_likelihood(evidence: Evidence) -> float:
    """Sum of ln P(observed outcome), in nats."""
    return float(evidence.log_likelihood.sum())


def n_transitions(evidence: Evidence) -> int:
    return int(evidence.transitions.sum())


def perplexity(evidence: Evidence) -> float:
    """exp(-log-likelihood / transitions)."""
    return float(np.exp(-log_likelihood(evidence) / n_transitions(evidence)))


def perplexity_open(evidence: Evidence) -> float | None:
    """Perplexity before rows were renormalised: of a language model, that of the text by the chain rule alone."""
    if evidence.log_likelihood_open is None:
        return None
    return float(np.exp(-evidence.log_likelihood_open.sum() / n_transitions(evidence)))


def log_loss(evidence: Evidence) -> float | None:
    """Mean -ln P(observed outcome) of a binary task, in nats; None for the others, where perplexity says the same."""
    return None if evidence.brier is None else -log_likelihood(evidence) / n_transitions(evidence)


def accuracy(hits: IntArray | None, evidence: Evidence) -> float | None:
    return None if hits is None else float(hits.sum()) / n_transitions(evidence)


def brier_score(evidence: Evidence) -> float | None:
    """Mean squared error of P(event): the two-outcome form, 0 to 1."""
    return None if evidence.brier is None else float(evidence.brier.sum()) / n_transitions(evidence)


def auc(evidence: Evidence) -> float | None:
    """Area under the ROC curve: P(event's probability > non-event's) + half of P(equal), on the grid of 1/10,000.

    None without both an event and a non-event.
    """
    if evidence.cells is None or evidence.event_counts is None or evidence.other_counts is None:
        return None
    events, others = evidence.event_counts.astype(np.float64), evidence.other_counts.astype(np.float64)
    pairs = events.sum() * others.sum()
    if pairs == 0:
        return None
    below = np.cumsum(others) - others
    return float((events * (below + others / 2)).sum() / pairs)


METRICS: tuple[Metric, ...] = (
    Metric("log_likelihood", "higher", log_likelihood),
    Metric("perplexity", "lower", perplexity),
    Metric("perplexity_open", "lower", perplexity_open),
    Metric("top_1", "higher", lambda e: accuracy(e.top_1, e)),
    Metric("top_5", "higher", lambda e: accuracy(e.top_5, e)),
    Metric("auc", "higher", auc),
    Metric("log_loss", "lower", log_loss),
    Metric("brier", "lower", brier_score),
)
