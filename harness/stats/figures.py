"""From a model's probability of each transition to the figures on a board.

Every figure here is a function of ``Evidence``: sums by person, and for binary tasks a table of counts by probability.
That is what a record file keeps, so every figure can be recomputed from the file alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np

from harness.stats.calibration import calibration, expected_error
from harness.types import BoolArray, FloatArray, IntArray

# Probabilities of an event are counted on this grid, so that a table of at most 10,001 cells carries the ranking that
# the AUC is computed from, however many transitions there are.
GRID = 10_000
DECIMALS = 6  # that record files keep


@dataclass(frozen=True)
class Scores:
    """The probabilities of one model on one task, a transition at a time; n transitions of P persons.

    log_prob: float64 [n], ln P(observed outcome). person: int64 [n], position among the panel's persons.
    log_event, happened: float64 and bool [n], binary tasks only. rank: int64 [n], place of the observed outcome, 1 the
    likeliest; log_likeliest: float64 [n], ln P of that one; only where whole rows were asked for.
    log_prob_unnormalized: float64 [n], ``log_prob`` before rows were renormalised; mass_low, mass_high: float64 [n],
    bounds on the sum of each row; rank_least: int64 [n], the place that the outcome has at the least, where rank counts
    states that were not priced by the most that they can be; only where rows were renormalised. weight: float64 [n],
    the weight that each transition counts with; one where None. No other column is multiplied by it.
    """

    persons: int
    log_prob: FloatArray
    person: IntArray
    log_event: FloatArray | None = None
    happened: BoolArray | None = None
    rank: IntArray | None = None
    rank_least: IntArray | None = None
    log_prob_unnormalized: FloatArray | None = None
    mass_low: FloatArray | None = None
    mass_high: FloatArray | None = None
    weight: FloatArray | None = None
    log_likeliest: FloatArray | None = None

    @classmethod
    def concat(cls, persons: int, parts: Sequence[Scores]) -> Scores:
        """The transitions of all parts, one part after another; none where there are no parts.

        persons: how many the panel has, into which ``person`` of every part points. ValueError where one part has a
        column that another one lacks.
        """
        if not parts:
            return cls(persons, np.zeros(0), np.zeros(0, dtype=np.int64))
        columns: dict[str, Any] = {}
        for name in (field.name for field in fields(cls) if field.name != "persons"):
            values = [getattr(part, name) for part in parts]
            absent = sum(value is None for value in values)
            if absent not in (0, len(values)):
                raise ValueError(f"{len(values) - absent} of {len(values)} parts have {name}, and the others have not")
            columns[name] = None if absent else np.concatenate(values)
        return cls(persons, **columns)


@dataclass(frozen=True)
class Evidence:
    """Sums that the figures are computed from; all arrays have length P, persons without a transition at risk left out.

    ids: the persons. transitions: int64, how many at risk. log_likelihood: float64, in nats. top_1, top_5: int64 hits.
    brier: float64, sums of squared errors. cells, event_counts, other_counts: int64 [c], the table of probabilities of
    the event in units of 1/10,000 and how many transitions with and without the event stand in each cell.
    likeliest_cells, likeliest_right, likeliest_wrong: the same of the likeliest outcome's probability, and whether that
    is what happened; of tasks with many outcomes, where whole rows were asked for.
    log_likelihood_open: float64, in nats, of the same rows before they were renormalised; None where they were not.
    weight: float64, sums of the weights of a weighted panel's transitions. Every other column, but for the number of
    transitions, is then a sum of what they count for, hits and cells too; those that count for nothing are left out.
    units, strata: int64, how each person was drawn, of panels with a survey design.
    """

    ids: tuple[str, ...]
    transitions: IntArray
    log_likelihood: FloatArray
    top_1: IntArray | FloatArray | None = None
    top_5: IntArray | FloatArray | None = None
    brier: FloatArray | None = None
    cells: IntArray | None = None
    event_counts: IntArray | FloatArray | None = None
    other_counts: IntArray | FloatArray | None = None
    log_likelihood_open: FloatArray | None = None
    weight: FloatArray | None = None
    likeliest_cells: IntArray | None = None
    likeliest_right: IntArray | FloatArray | None = None
    likeliest_wrong: IntArray | FloatArray | None = None
    units: IntArray | None = None
    strata: IntArray | None = None

    @property
    def counted(self) -> IntArray | FloatArray:
        """[P]: what each person's transitions count for together; how many they are where the panel has no weights."""
        return self.transitions if self.weight is None else self.weight

    @cached_property
    def calibration_line(self) -> tuple[float, float] | None:
        """Intercept and slope of ``harness.stats.calibration``, of the table of cells."""
        table = calibration_table(self)
        if table is None:
            return None
        inside = np.clip(table[0], 0.5 / GRID, 1 - 0.5 / GRID)  # half a cell inside, where log-odds are finite
        return calibration(inside, table[1], table[2])


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure: key, what is better, and its value from the evidence (None where it is not defined)."""

    key: str
    better: Literal["higher", "lower", "nearer one", "nearer zero"]
    compute: Callable[[Evidence], float | None]


def gather(scores: Scores, ids: list[str]) -> Evidence:
    """Sum scores by person. ids: the P person ids that ``scores.person`` points into."""
    scores = _nonzero_weight(scores)
    n = np.bincount(scores.person, minlength=scores.persons)
    here = np.flatnonzero(n)

    def by_person(values: FloatArray | BoolArray) -> FloatArray:
        counted = values if scores.weight is None else values * scores.weight
        return np.asarray(np.bincount(scores.person, weights=counted, minlength=scores.persons)[here], dtype=np.float64)

    def hits(most: int) -> IntArray | FloatArray | None:
        if scores.rank is None:
            return None
        found = by_person(scores.rank <= most)
        return found.astype(np.int64) if scores.weight is None else found

    brier = cells = events = others = None
    if scores.log_event is not None and scores.happened is not None:
        prob = np.exp(scores.log_event)
        brier = by_person((prob - scores.happened) ** 2)
        cells, events, others = _cells(prob, scores.happened, scores.weight)
    likeliest: tuple[Any, ...] = (None, None, None)
    if scores.log_likeliest is not None and scores.rank is not None:
        likeliest = _cells(np.exp(scores.log_likeliest), scores.rank == 1, scores.weight)
    return Evidence(
        ids=tuple(ids[i] for i in here),
        transitions=n[here],
        log_likelihood=by_person(scores.log_prob),
        top_1=hits(1),
        top_5=hits(5),
        brier=brier,
        cells=cells,
        event_counts=events,
        other_counts=others,
        log_likelihood_open=None if scores.log_prob_unnormalized is None else by_person(scores.log_prob_unnormalized),
        weight=None if scores.weight is None else by_person(np.ones(len(scores.person))),
        likeliest_cells=likeliest[0],
        likeliest_right=likeliest[1],
        likeliest_wrong=likeliest[2],
    )


def counting(scores: Scores) -> BoolArray:
    """bool [n]: which transitions count for something, in the figures as record files keep them."""
    if scores.weight is None:
        return np.ones(len(scores.person), dtype=bool)
    total = np.bincount(scores.person, weights=scores.weight, minlength=scores.persons)
    return np.asarray((scores.weight > 0) & (np.round(total, DECIMALS) > 0)[scores.person], dtype=bool)


def _nonzero_weight(scores: Scores) -> Scores:
    """Without transitions of weight zero, and without persons whose weights are zero as record files keep them."""
    if scores.weight is None:
        return scores
    kept = counting(scores)
    columns: dict[str, Any] = {}
    for field in fields(scores):
        values = getattr(scores, field.name)
        columns[field.name] = values if values is None or field.name == "persons" else values[kept]
    return Scores(**columns)


def _cells(
    prob: FloatArray, happened: BoolArray, weight: FloatArray | None
) -> tuple[IntArray, IntArray | FloatArray, IntArray | FloatArray]:
    """Of the event's probabilities [n]: cells that are not empty; what counts in each with the event, and without."""
    cell = np.rint(prob * GRID).astype(np.int64)
    cells = np.flatnonzero(np.bincount(cell, minlength=GRID + 1))
    both = []
    for chosen in (happened, ~happened):
        counted = None if weight is None else weight[chosen]
        both.append(np.bincount(cell[chosen], weights=counted, minlength=GRID + 1)[cells])
    return cells, both[0], both[1]


def log_likelihood(evidence: Evidence) -> float:
    """Sum of ln P(observed outcome), in nats, each times what its transition counts for."""
    return float(evidence.log_likelihood.sum())


def n_transitions(evidence: Evidence) -> int:
    return int(evidence.transitions.sum())


def _mean(values: FloatArray | IntArray, evidence: Evidence) -> float:
    """Of sums by person, over all that counts."""
    return float(values.sum()) / float(evidence.counted.sum())


def perplexity(evidence: Evidence) -> float:
    """exp(-log-likelihood / transitions); of a weighted panel exp(-sum w ln P / sum w)."""
    return float(np.exp(-_mean(evidence.log_likelihood, evidence)))


def perplexity_open(evidence: Evidence) -> float | None:
    """Perplexity before rows were renormalised: of a language model, that of the text by the chain rule alone."""
    if evidence.log_likelihood_open is None:
        return None
    return float(np.exp(-_mean(evidence.log_likelihood_open, evidence)))


def log_loss(evidence: Evidence) -> float | None:
    """Mean -ln P(observed outcome) of a binary task, in nats; None for the others, where perplexity says the same."""
    return None if evidence.brier is None else -_mean(evidence.log_likelihood, evidence)


def accuracy(hits: IntArray | FloatArray | None, evidence: Evidence) -> float | None:
    return None if hits is None else _mean(hits, evidence)


def brier_score(evidence: Evidence) -> float | None:
    """Mean squared error of P(event): the two-outcome form, 0 to 1."""
    return None if evidence.brier is None else _mean(evidence.brier, evidence)


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


def calibration_table(evidence: Evidence) -> tuple[FloatArray, IntArray | FloatArray, IntArray | FloatArray] | None:
    """Probabilities [c], rising, and what counts at each with and without what they are of; None where there are none.

    Of the event in a binary task; of the likeliest outcome, where there are many (Guo et al. 2017, "On calibration of
    modern neural networks", section 2).
    """
    if evidence.cells is not None and evidence.event_counts is not None and evidence.other_counts is not None:
        return evidence.cells / GRID, evidence.event_counts, evidence.other_counts
    cells, right, wrong = evidence.likeliest_cells, evidence.likeliest_right, evidence.likeliest_wrong
    if cells is not None and right is not None and wrong is not None:
        return cells / GRID, right, wrong
    return None


def calibration_slope(evidence: Evidence) -> float | None:
    """Cox's slope of the probabilities in the evidence; None without them, or where they have none."""
    line = evidence.calibration_line
    return None if line is None else round(line[1], DECIMALS) + 0.0  # 0.0 and not -0.0


def calibration_intercept(evidence: Evidence) -> float | None:
    """Cox's intercept, as ``calibration_slope``."""
    line = evidence.calibration_line
    return None if line is None else round(line[0], DECIMALS) + 0.0


def calibration_error(evidence: Evidence) -> float | None:
    """Expected calibration error in bins of equal mass; None without probabilities of an event."""
    table = calibration_table(evidence)
    return None if table is None else round(expected_error(*table), DECIMALS)


METRICS: tuple[Metric, ...] = (
    Metric("log_likelihood", "higher", log_likelihood),
    Metric("perplexity", "lower", perplexity),
    Metric("perplexity_open", "lower", perplexity_open),
    Metric("top_1", "higher", lambda e: accuracy(e.top_1, e)),
    Metric("top_5", "higher", lambda e: accuracy(e.top_5, e)),
    Metric("auc", "higher", auc),
    Metric("log_loss", "lower", log_loss),
    Metric("brier", "lower", brier_score),
    Metric("calibration_slope", "nearer one", calibration_slope),
    Metric("calibration_intercept", "nearer zero", calibration_intercept),
    Metric("calibration_error", "lower", calibration_error),
)
