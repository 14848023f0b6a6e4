"""Weights of an ensemble: the mixture of several models' probabilities that the validation split finds the likeliest.

P(outcome) = sum over models m of w_m P_m(outcome), with w on the simplex: the linear opinion pool, its weights chosen
by log score (Hall and Mitchell 2007; Geweke and Amisano 2011, "Optimal prediction pools"), which is stacking (Wolpert
1992) with the log-likelihood as its loss. The log score is concave in w, so there is one best value, and how far any w
is from it can be bounded: the gain of a model is its mean P_m / P_mix, and by Jensen's inequality (Cover 1984, "An
algorithm for maximizing expected log investment return")

    best mean ln P - mean ln P_mix <= ln max over m of gain_m <= max over m of gain_m - 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.errors import RunError
from harness.types import BoolArray, FloatArray

GAP = 1e-9  # nats per transition
EM_STEPS = 20
NEWTON_STEPS = 500
RIDGE = 1e-10  # relative: two models that say the same leave the curvature singular
SUFFICIENT = 1e-4  # share of the promised gain that a step must bring (Armijo)


@dataclass(frozen=True)
class MixtureWeights:
    """values: float64 [M], zero or more, summing to one. gap: nats per transition that no other weights can gain."""

    values: FloatArray
    gap: float


def log_mixture(log_prob: FloatArray, weights: FloatArray) -> FloatArray:
    """float64 [n]: ln of the mixture's probabilities, from ln P [n, M] of the models and weights [M]."""
    used = weights > 0
    inside = log_prob[:, used].astype(np.float64)
    top = inside.max(axis=1)
    return np.asarray(np.minimum(top + np.log(np.exp(inside - top[:, None]) @ weights[used]), 0.0), dtype=np.float64)


def best_weights(log_prob: FloatArray, counts: FloatArray) -> MixtureWeights:
    """The weights that maximise the sum of counts times ln P_mix, to within ``GAP`` nats per transition.

    log_prob: float64 [n, M], finite. counts: float64 [n], what each transition counts for, zero or more, not all zero.
    EM's multiplicative steps (Cover 1984), each of which gains, lead to where Newton's are safe: sequential quadratic
    programming over w >= 0, with the scale of w left to the objective (Kim, Carbonetto, Stephens and Anitescu 2020, "A
    fast algorithm for maximum likelihood estimation of mixture proportions"). RunError where the gap does not close.
    """
    kept = counts > 0
    inside, share = log_prob[kept].astype(np.float64), counts[kept] / counts[kept].sum()
    relative = np.exp(inside - inside.max(axis=1, keepdims=True))
    values = np.full(log_prob.shape[1], 1 / log_prob.shape[1])
    for _ in range(EM_STEPS):
        values = _normalised(values * _gains(relative, share, values))
    for _ in range(NEWTON_STEPS):
        gap = float(_gains(relative, share, values).max()) - 1
        if gap <= GAP:
            return MixtureWeights(values, max(gap, 0.0))
        values = _normalised(_newton(relative, share, values))
    raise RunError(
        f"the weights of {len(values)} runs could not be found: after {NEWTON_STEPS} steps others may still gain "
        f"{gap:.1e} nats per transition, where {GAP:.0e} is asked for"
    )


def _normalised(values: FloatArray) -> FloatArray:
    return np.asarray(values / values.sum(), dtype=np.float64)


def _gains(relative: FloatArray, share: FloatArray, values: FloatArray) -> FloatArray:
    """float64 [M]: mean P_m / P_mix, at most one for every model at the best weights, and one for those it uses."""
    return np.asarray((share / (relative @ values)) @ relative, dtype=np.float64)


def _newton(relative: FloatArray, share: FloatArray, values: FloatArray) -> FloatArray:
    """A better point: towards the minimum of the quadratic model over w >= 0, as far as it gains; else a step of EM.

    Minimised is -mean ln P_mix + sum of w, whose minimum over w >= 0 lies on the simplex.
    """

    def value(point: FloatArray) -> float:
        mixed = relative @ point
        return float(point.sum() - share @ np.log(mixed)) if (mixed > 0).all() else np.inf

    ratio = relative / (relative @ values)[:, None]
    gains = share @ ratio
    curvature = (ratio * share[:, None]).T @ ratio
    curvature += RIDGE * np.trace(curvature) / len(values) * np.eye(len(values))
    step = _least_quadratic(curvature, curvature @ values + gains - 1, values) - values
    slope, here, length = float((1 - gains) @ step), value(values), 1.0
    rounding = 1e-14 * (1 + abs(here))  # near the minimum the value can no longer tell one point from the next
    while length > 1e-6:
        if value(values + length * step) <= here + SUFFICIENT * length * slope + rounding:
            return values + length * step
        length /= 2
    return values * gains


def _least_quadratic(curvature: FloatArray, slope: FloatArray, start: FloatArray) -> FloatArray:
    """float64 [M]: the minimum of y'Hy / 2 - c'y over y >= 0, by active sets (Lawson and Hanson 1974, chapter 23).

    curvature: H, positive definite [M, M]. slope: c [M]. start: [M], zero or more; where the search begins.
    """
    point, free = start.copy(), start > 0
    for _ in range(10 * len(start)):
        point, free = _within(curvature, slope, point, free)
        gain = np.where(free, -np.inf, slope - curvature @ point)
        if gain.max() <= 1e-12:
            break
        free[gain.argmax()] = True
    return point


def _within(
    curvature: FloatArray, slope: FloatArray, point: FloatArray, free: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """The minimum over the free coordinates, those that it would take below zero held there; and which are free yet."""
    free = free.copy()
    while True:
        trial = np.zeros(len(point))
        trial[free] = np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
        below = np.flatnonzero(free & (trial <= 0))
        if not len(below):
            return trial, free
        reach = point[below] / np.maximum(point[below] - trial[below], 1e-300)
        point = point + reach.min() * (trial - point)
        stopped = below[reach <= reach.min()]
        point[stopped], free[stopped] = 0.0, False
