"""Parts that the logits share: standardised columns, shares, a conditional logit, and errors that know who is whom.

Complete separation is common among hundreds of states: the unpenalised optimum then does not exist, and Newton's method
runs to infinity, in statsmodels even while it reports convergence. A ridge on standardised columns makes it exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from harness.errors import RunError
from harness.features.pairs import Pairs
from harness.types import BoolArray, FloatArray, IntArray

PAIRS_AT_ONCE = 200_000  # pairs whose moments are summed at once: 64 MB with 40 columns
MOST_STEPS = 50
MOST_DEVIATIONS = 8.0


@dataclass(frozen=True)
class Scaling:
    """Standardises columns that vary: kept int64 [d'], center and scale float64 [d'].

    low, high: float64 [d'], the standardised columns' range in estimation, and at most eight standard deviations from
    their mean. Beyond it a column keeps the nearest value: of an age or a year that nobody was seen at, a polynomial
    says nothing.
    """

    kept: IntArray
    center: FloatArray
    scale: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, X: FloatArray, weight: FloatArray | None = None, least: FloatArray | float = 1e-8) -> Scaling:
        """weight: float64 [n], what each row counts for; one where None. least: float64 [d], standard deviations up to
        which a column does not vary.
        """
        if not len(X):
            return cls(np.zeros(0, dtype=np.int64), *np.zeros((4, 0)))
        weight = np.ones(len(X)) if weight is None else weight
        center = weight @ X / weight.sum()
        spread = np.array([np.sqrt(weight @ (X[:, j] - center[j]) ** 2 / weight.sum()) for j in range(X.shape[1])])
        kept = np.flatnonzero(spread > least)
        center, spread, seen = center[kept], spread[kept], X[weight > 0][:, kept]
        low, high = ((edge - center) / spread for edge in (seen.min(axis=0), seen.max(axis=0)))
        return cls(
            kept=kept,
            center=center,
            scale=spread,
            low=np.maximum(low, -MOST_DEVIATIONS),
            high=np.minimum(high, MOST_DEVIATIONS),
        )

    def arrays(self) -> dict[str, FloatArray | IntArray]:
        """Its parts by name, as ``of_arrays`` takes them."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @classmethod
    def of_arrays(cls, stored: Mapping[str, Any]) -> Scaling:
        """Of ``arrays``, among whatever else is stored with them."""
        return cls(**{part.name: stored[part.name] for part in fields(cls)})

    def take(self, columns: IntArray) -> Scaling:
        """Of some of the columns that are kept, which are then all there are."""
        parts = (self.center, self.scale, self.low, self.high)
        return Scaling(np.arange(len(columns)), *(part[columns] for part in parts))

    def apply(self, X: FloatArray) -> FloatArray:
        """float64 [n, 1 + d']: a constant, and the columns within their range."""
        scaled = np.empty((len(X), 1 + len(self.kept)))
        scaled[:, 0] = 1.0
        for j, column in enumerate(self.kept):
            scaled[:, 1 + j] = self.column(j, X[:, column])
        return scaled

    def column(self, j: int, values: FloatArray) -> FloatArray:
        """float64 [n]: values of the j-th column that is kept, standardised and within its range."""
        return np.asarray(np.clip((values - self.center[j]) / self.scale[j], self.low[j], self.high[j]))

    @property
    def to_natural(self) -> FloatArray:
        """float64 [1 + d', 1 + d']: from coefficients of ``apply``'s columns to those of the columns as they were."""
        change = np.diag(np.concatenate([[1.0], 1 / self.scale]))
        change[0, 1:] = -self.center / self.scale
        return change


def log_softmax(utility: FloatArray) -> FloatArray:
    """float64 [n, alternatives]: ln P of each row's alternatives, from their utilities."""
    centred = utility.astype(np.float64)
    centred -= centred.max(axis=1, keepdims=True)
    return np.asarray(centred - np.log(np.exp(centred).sum(axis=1, keepdims=True)), dtype=np.float64)


def log_shares(X: FloatArray, coefficients: FloatArray) -> FloatArray:
    """float64 [n, alternatives]: ln P of a multinomial logit, the first alternative's coefficients being zero."""
    return log_softmax(np.column_stack([np.zeros(len(X)), X @ coefficients]))


Fitted = TypeVar("Fitted")


def down_the_path(
    penalties: Sequence[float], climb: Callable[[float, Fitted | None], Fitted], loss: Callable[[Fitted], float]
) -> Fitted:
    """Fits at falling penalties, each begun where the one before ended, until the held-out loss no longer falls.

    climb: of a penalty and the fit before it. loss: what the validation split says; infinite where it says nothing, so
    that the largest penalty stands.
    """
    found = best = climb(max(penalties), None)
    lowest = loss(best)
    for penalty in sorted(penalties, reverse=True)[1:]:
        found = climb(penalty, found)
        if (level := loss(found)) >= lowest:
            break
        best, lowest = found, level
    return best


def inverse_of(curvature: FloatArray) -> FloatArray:
    """float64 [d, d]: of a symmetric matrix, by Cholesky where it is positive definite: half the work of LAPACK's LU.

    LinAlgError where it is singular.
    """
    from scipy.linalg import lapack

    factor, failed = lapack.dpotrf(curvature, lower=True)
    if not failed:
        lower, failed = lapack.dpotri(factor, lower=True, overwrite_c=True)
    if failed:
        return np.asarray(np.linalg.inv(curvature))
    below = np.tril(lower)
    return np.asarray(below + np.tril(below, -1).T)


def clustered(sums: FloatArray, curvature: FloatArray, observations: int) -> FloatArray:
    """float64 [d, d]: covariance of d coefficients that holds up when the observations of a person depend.

    sums: float64 [P, d], the scores summed by person. curvature: float64 [d, d], minus the Hessian of the penalised
    log-likelihood. statsmodels' sandwich (``cov_cluster``; Liang and Zeger 1986, eq. 7) with its correction for few
    clusters; sums take the place of a score for every observation, which would not fit into memory. NaN where there is
    one person, or no observation more than coefficients. RunError where the curvature is singular.
    """
    from statsmodels.stats.sandwich_covariance import cov_cluster

    n_persons, width = sums.shape
    if n_persons < 2 or observations <= width:
        return np.full((width, width), np.nan)
    try:
        bread = inverse_of(curvature)
    except np.linalg.LinAlgError as error:
        raise RunError("the Hessian is singular, so there are no standard errors: ask for a penalty above 0") from error
    correction = n_persons / (n_persons - 1) * (observations - 1) / (observations - width)
    return np.asarray(cov_cluster((sums, bread), np.arange(n_persons), use_correction=False) * correction)


@dataclass(frozen=True)
class Chosen:
    """Choices to estimate from: c choice sets with q pairs and d columns.

    label: bool [q], the chosen pair of each set. Z: float64 [q, d]. weight: float64 [c], what each choice counts for.
    """

    pairs: Pairs
    label: BoolArray
    Z: FloatArray
    weight: FloatArray

    def log_likelihood(self, weights: FloatArray) -> float:
        return float(self.weight @ self.pairs.log_softmax(self.Z @ weights)[self.label])

    def moments(self, weights: FloatArray) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
        """For some choice sets at a time: which, minus their Hessian [d, d], and the score of each, [sets, d]."""
        length = np.diff(np.append(self.pairs.begin, len(self.pairs)))
        probability = np.exp(self.pairs.log_softmax(self.Z @ weights))
        start = 0
        while start < len(length):
            first = self.pairs.begin[start]
            stop = max(start + 1, int(np.searchsorted(self.pairs.begin, first + PAIRS_AT_ONCE)))
            rows = slice(first, first + length[start:stop].sum())
            Z, p, weight = self.Z[rows], probability[rows], self.weight[start:stop]
            mean = np.add.reduceat(p[:, None] * Z, self.pairs.begin[start:stop] - first, axis=0)
            heavy = p * np.repeat(weight, length[start:stop])
            curvature = (Z * heavy[:, None]).T @ Z - (mean * weight[:, None]).T @ mean
            yield slice(start, stop), curvature, weight[:, None] * (Z[self.label[rows]] - mean)
            start = stop


@dataclass(frozen=True)
class Weights:
    """A conditional logit: estimates float64 [d], curvature float64 [d, d] (minus the penalised Hessian there)."""

    estimates: FloatArray
    curvature: FloatArray
    log_likelihood: float


def conditional_logit(chosen: Chosen, penalty: float) -> Weights:
    """Weights of the columns of Z: McFadden's (1974) conditional logit by Newton's method, eq. 12.

    The ridge penalty makes the likelihood strictly concave; steps are halved until they gain.
    """

    def value(weights: FloatArray) -> float:
        return chosen.log_likelihood(weights) - penalty / 2 * float(weights @ weights)

    width = chosen.Z.shape[1]
    weights, curvature = np.zeros(width), penalty * np.eye(width)
    if not len(chosen.pairs):
        return Weights(weights, curvature, 0.0)
    for _ in range(MOST_STEPS):
        curvature, slope = penalty * np.eye(width), -penalty * weights
        for _, part, scores in chosen.moments(weights):
            curvature, slope = curvature + part, slope + scores.sum(axis=0)
        step, here = np.linalg.lstsq(curvature, slope)[0], value(weights)
        if slope @ step < 1e-9 * max(1.0, abs(here)):
            break
        while value(weights + step) < here and np.abs(step).max() > 1e-8:
            step = step / 2
        weights = weights + step
    return Weights(weights, curvature, chosen.log_likelihood(weights))


def conditional_covariance(chosen: Chosen, fitted: Weights, penalty: float, person: IntArray) -> FloatArray:
    """float64 [d, d]: the clustered covariance of a conditional logit. person: int64 [c], whose choice each is."""
    width = len(fitted.estimates)
    persons, place = np.unique(person, return_inverse=True)
    if not len(persons):
        return np.full((width, width), np.nan)
    sums, total = np.zeros((len(persons), width)), chosen.weight.sum()
    for sets, _, scores in chosen.moments(fitted.estimates):
        # The penalty's slope, shared out by weight, so that the scores sum to zero as those of a likelihood do.
        shared = chosen.weight[sets, None] / total * penalty * fitted.estimates
        np.add.at(sums, place[sets], scores - shared)
    return clustered(sums, fitted.curvature, len(person))
