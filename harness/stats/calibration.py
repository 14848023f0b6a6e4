"""Calibration of predicted probabilities: are those that were told 0.2 right two times in ten?"""

from __future__ import annotations

import numpy as np

from harness.types import FloatArray, IntArray

NEWTON_STEPS = 100
NEAR_ENOUGH = 1e-10  # a step, of the intercept and the slope, after which there is no other
FINE = 1e-6  # a step below which rounding decides whether the likelihood rises
RISE = 1e-4  # of the promised rise of the likelihood
BINS = 10  # of a reliability curve


def reliability(
    prob: FloatArray, events: IntArray | FloatArray, others: IntArray | FloatArray, bins: int = BINS
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bins of equal mass, rising in probability: what each counts for, its mean probability, the share that happened.

    prob: float64 [c], rising. events, others: [c], what counts at each with the event, and without. Equal
    probabilities stay together, so there may be fewer bins than asked for (Nguyen and O'Connor 2015, "Posterior
    calibration and exploratory analysis for natural language processing models", section 3). Each float64 [b].
    """
    mass = (events + others).astype(np.float64)
    middle = np.cumsum(mass) - mass / 2
    of = np.minimum((middle / mass.sum() * bins).astype(np.int64), bins - 1)
    weights = mass, mass * prob, events.astype(np.float64)
    counted, predicted, happened = (np.bincount(of, w, bins).astype(np.float64) for w in weights)
    kept = counted > 0
    return counted[kept], predicted[kept] / counted[kept], happened[kept] / counted[kept]


def expected_error(prob: FloatArray, events: IntArray | FloatArray, others: IntArray | FloatArray) -> float:
    """Mean distance between the share that happened and the mean probability, over the bins of ``reliability``.

    The expected calibration error, in probability. Zero is out of reach: with few transitions shares differ by chance.
    """
    counted, predicted, observed = reliability(prob, events, others)
    return float((counted * np.abs(observed - predicted)).sum() / counted.sum())


def calibration(
    prob: FloatArray, events: IntArray | FloatArray, others: IntArray | FloatArray
) -> tuple[float, float] | None:
    """Intercept and slope of a logit regression of an event on the log-odds of its predicted probability.

    Zero and one where the probabilities are right; a slope below one where they lie too far apart, above one where too
    near (Cox 1958, "Two further applications of a model for binary regression", Biometrika 45). By maximum likelihood.

    prob: float64 [c], inside (0, 1), rising. events, others: [c], how often each was told and the event happened, and
    did not; or what these count for. None where there is no maximum: without an event or a non-event, with a single
    probability, or where probabilities of events and of non-events do not overlap.
    """
    log_odds = np.log(prob) - np.log1p(-prob)
    with_event, without = log_odds[events > 0], log_odds[others > 0]
    if not len(with_event) or not len(without):
        return None
    if with_event.min() >= without.max() or with_event.max() <= without.min():  # Albert and Anderson (1984): separation
        return None
    return _logit(log_odds, events.astype(np.float64), others.astype(np.float64))


def _logit(x: FloatArray, events: FloatArray, others: FloatArray) -> tuple[float, float]:
    """Newton's method from a flat line; a step that does not raise the likelihood as it should is halved."""
    total = events + others
    centre = float((total * x).sum() / total.sum())  # about which the two are nearly uncorrelated
    design = np.column_stack([np.ones(len(x)), x - centre])

    def told(at: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """-ln P of an event and of none, float64 [c] each, and the log-likelihood."""
        line = design @ at
        of_event, of_none = np.logaddexp(0.0, -line), np.logaddexp(0.0, line)
        return of_event, of_none, float(-(events * of_event + others * of_none).sum())

    at = np.array([np.log(events.sum() / others.sum()), 0.0])
    of_event, of_none, level = told(at)
    for _ in range(NEWTON_STEPS):
        fitted, rest = np.exp(-of_event), np.exp(-of_none)
        gradient = design.T @ (events * rest - others * fitted)
        step = np.linalg.solve(design.T @ (design * (total * fitted * rest)[:, None]), gradient)
        if np.abs(step).max() <= NEAR_ENOUGH:
            break
        rise = RISE * float(gradient @ step)  # what the slope promises of a step of this length (Armijo)
        while (found := told(at + step))[2] < level + rise and np.abs(step).max() > FINE:
            step, rise = step / 2, rise / 2
        at, (of_event, of_none, level) = at + step, found
    return float(at[0] - at[1] * centre), float(at[1])
