"""Limits that no forecast passes which was made without the answers, for probabilities that nobody here saw made.

Two kinds. Where the true probabilities are known, the limit is a theorem: whatever Q says of what is to come, the
expectation of Q(what happens) / P(what happens) under the truth P is one, transition by transition, so that over all
transitions ln Q - ln P is ``LN_ODDS`` or more once in a thousand times at most (Ville 1939; Shafer 2021, "Testing by
betting", Journal of the Royal Statistical Society A 184). Where they are not, one supposition is made: a forecast may
know more than the best checked model, and yet most of what that leaves open is not decided in advance. The
shares below are set far from what honest models were seen to reach, and are passed by three standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.stats.figures import Evidence, auc, calibration_table
from harness.stats.inference import Resampled, SurveyDesign
from harness.types import FloatArray

LN_ODDS = float(np.log(1000.0))  # nats in all by which a forecast beats the truth once in a thousand times at most
LOSS_LEFT = 2 / 3  # of the loss of the best checked model; honest ones left .79 of another's and more
SURPRISES_LEFT = 1 / 2  # of its surprises; honest ones left .64 of another's and more
SURE, NEARLY_SURE = 0.99, 0.9  # probabilities of what is certain, and of what a checked model all but knows
ERRORS = 3.09  # standard errors from a limit: one side of a normal distribution leaves a thousandth
FEW = 20  # persons, or units that are drawn, below which an error says nothing


@dataclass(frozen=True, slots=True)
class ShareLeft:
    """A forecast's loss, or its surprises, as a share of the reference's. passed: below the limit by three errors."""

    claimed: float
    reference: float
    passed: bool


def odds_against_truth(claimed: Evidence, truth: Evidence, design: SurveyDesign | None) -> float | None:
    """Nats in all by which a forecast beats the truth, where these pass the limit; else None.

    Of a weighted panel, whose sums are no likelihoods, where they pass zero by three standard errors.
    """
    gap = float(claimed.log_likelihood.sum() - truth.log_likelihood.sum())
    if claimed.weight is None:
        return gap if gap >= LN_ODDS else None
    drawn = Resampled(np.column_stack([claimed.log_likelihood, truth.log_likelihood]), claimed.counted, design)
    if drawn.units < FEW:
        return None
    error = float((drawn.means[:, 0] - drawn.means[:, 1]).std(ddof=1))
    return gap if drawn.mean[0] - drawn.mean[1] > ERRORS * error else None


def loss_left(claimed: Evidence, reference: Evidence, design: SurveyDesign | None) -> ShareLeft | None:
    """Nats per transition of both. None of few persons."""
    return _left(-claimed.log_likelihood, -reference.log_likelihood, claimed, design=design, share=LOSS_LEFT)


def surprises_left(claimed: Evidence, reference: Evidence, design: SurveyDesign | None) -> ShareLeft | None:
    """Share of transitions that end otherwise than was likeliest; of an event, of pairs that are told apart wrongly.

    The first do not depend on how sure a forecast says it is, nor do the second, which are 1 - AUC; their error is that
    of Hanley and McNeil (1982, Radiology 143) for as many of either outcome as there are persons at most, as if each
    had one transition. None of few persons, and where the evidence has neither.
    """
    if claimed.brier is not None:
        return _pairs_left(claimed, reference)
    if claimed.top_1 is None or reference.top_1 is None:
        return None
    mine, theirs = (np.subtract(claimed.counted, hits, dtype=np.float64) for hits in (claimed.top_1, reference.top_1))
    return _left(mine, theirs, claimed, design=design, share=SURPRISES_LEFT)


def _left(
    claimed: FloatArray, reference: FloatArray, of: Evidence, design: SurveyDesign | None, share: float
) -> ShareLeft | None:
    drawn = Resampled(np.column_stack([claimed, reference]), of.counted, design)
    if drawn.units < FEW:
        return None
    error = float((drawn.means[:, 0] - share * drawn.means[:, 1]).std(ddof=1))
    mine, theirs = (float(mean) for mean in drawn.mean)
    return ShareLeft(mine, theirs, mine - share * theirs < -ERRORS * error)


def _pairs_left(claimed: Evidence, reference: Evidence) -> ShareLeft | None:
    areas = auc(claimed), auc(reference)
    if areas[0] is None or areas[1] is None or len(claimed.ids) < FEW:
        return None
    assert claimed.event_counts is not None
    events, persons = float(claimed.event_counts.sum()), float(len(claimed.ids))
    n, m = min(events, persons), min(float(claimed.counted.sum()) - events, persons)
    mine, theirs = _hanley(areas[0], n, m), _hanley(areas[1], n, m)
    gap = (1 - areas[0]) - SURPRISES_LEFT * (1 - areas[1])
    error = float(np.hypot(mine, SURPRISES_LEFT * theirs))
    return ShareLeft(1 - areas[0], 1 - areas[1], gap < -ERRORS * error)


def _hanley(area: float, events: float, others: float) -> float:
    """Standard error of an area under the ROC curve."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (events - 1) * (first - area**2) + (others - 1) * (second - area**2)
    return float(np.sqrt(max(variance, 0.0) / max(events * others, 1.0)))


@dataclass(frozen=True, slots=True)
class Certainty:
    """Shares of transitions. sure: of which a forecast is; wrong: of which it is, and they ended otherwise. reference:
    of which the checked model is nearly sure. passed: of what the reference is not nearly sure of, the forecast is sure
    of more than half, by three errors, and is wrong there no more often than it said.
    """

    sure: float
    wrong: float
    reference: float
    passed: bool


def certainty(claimed: Evidence, reference: Evidence) -> Certainty | None:
    """Sureness of the likeliest outcome, or of an event either way. None of few persons, and without probabilities."""
    mine, theirs = _sure(claimed, SURE), _sure(reference, NEARLY_SURE)
    persons = len(claimed.ids)
    if mine is None or theirs is None or persons < FEW:
        return None
    sure, wrong, expected = mine
    limit = (1 + theirs[0]) / 2
    error = float(np.sqrt(limit * (1 - limit) / persons))  # as if a person's transitions were one
    rightly = wrong <= expected + ERRORS * float(np.sqrt(expected / persons))
    return Certainty(sure, wrong, theirs[0], sure > limit + ERRORS * error and rightly)


def _sure(evidence: Evidence, from_: float) -> tuple[float, float, float] | None:
    """Shares of all transitions: those told with so high a probability, the wrong ones, and as many as it expects."""
    table = calibration_table(evidence)
    if table is None:
        return None
    prob, events, others = table[0], np.asarray(table[1], float), np.asarray(table[2], float)
    total = float((events + others).sum())
    high = prob >= from_
    low = 1 - prob >= from_ if evidence.brier is not None else np.zeros(len(prob), dtype=bool)
    counted = events + others
    wrong = others[high].sum() + events[low].sum()
    expected = ((1 - prob) * counted)[high].sum() + (prob * counted)[low].sum()
    return float(counted[high | low].sum() / total), float(wrong / total), float(expected / total)


def loss_of_shares(evidence: Evidence, stays: float | None, states: int) -> float | None:
    """Nats per transition of who knows shares alone: of an event how often it happens, else how often persons stay.

    Movers go anywhere. A model that does worse knows nothing of where a person comes from, and is no reference. stays:
    the share of transitions that keep the state; None where that is not known, as then is the loss.
    """
    if evidence.event_counts is not None and evidence.brier is not None:
        return _entropy(float(np.sum(evidence.event_counts)) / float(evidence.counted.sum()))
    return None if stays is None else _entropy(stays) + (1 - stays) * float(np.log(max(states - 1, 1)))


def _entropy(share: float) -> float:
    return -sum(p * float(np.log(p)) for p in (share, 1 - share) if p > 0)
