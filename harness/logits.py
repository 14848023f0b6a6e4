"""Penalised logits: statsmodels' likelihoods with a ridge, and a conditional logit for pairs of alternatives.

Complete separation is common among hundreds of states: the unpenalised optimum then does not exist, and Newton's method
runs to infinity, in statsmodels even while it reports convergence. A ridge on standardised columns makes the optimum
exist, and lbfgs needs no Hessian, which grows with the square of the alternatives.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import RunError
from harness.features_alternatives import Pairs
from harness.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Scaling:
    """Standardises columns that vary: kept int64 [d'], center and scale float64 [d']."""

    kept: IntArray
    center: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, X: FloatArray) -> Scaling:
        spread = X.std(axis=0) if len(X) else np.zeros(X.shape[1])
        kept = np.flatnonzero(spread > 1e-8)
        return cls(kept, X[:, kept].mean(axis=0) if len(X) else np.zeros(0), spread[kept])

    def apply(self, X: FloatArray) -> FloatArray:
        """float64 [n, 1 + d']: a constant, and the columns within eight standard deviations of their mean."""
        scaled = np.clip((X[:, self.kept] - self.center) / self.scale, -8.0, 8.0)
        return np.column_stack([np.ones(len(X)), scaled])


@dataclass(frozen=True)
class Fitted:
    """coefficients: float64 [1 + d, equations], of every alternative but the first. converged: as lbfgs has it."""

    coefficients: FloatArray
    converged: bool


def fit_ridge(model: Any, penalty: float, iterations: int, start: FloatArray) -> Fitted:
    """The maximum of a statsmodels likelihood less ``penalty / 2`` times the squared coefficients, by lbfgs.

    The first column of the model's design is a constant and goes free. start: float64 [1 + d, equations]. RunError
    where what comes back is not finite, or no better than the start: statsmodels can say converged all the same.
    """
    n, width = model.exog.shape
    penalised = np.ones(start.size)
    penalised[::width] = 0.0  # statsmodels strings the equations together, each begun by its constant

    # MNLogit has both at the price of one.
    both = getattr(model, "loglike_and_score", lambda params: (model.loglike(params), model.score(params)))

    def value_and_slope(params: FloatArray) -> tuple[float, FloatArray]:
        value, slope = both(params)
        value = float(value) - penalty / 2 * float(penalised @ params**2)
        return value / n, (np.asarray(slope) - penalty * penalised * params) / n

    begin = np.ravel(start, order="F")
    with warnings.catch_warnings():
        from statsmodels.tools.sm_exceptions import ConvergenceWarning

        # Reported as ``converged``: a penalised optimum exists, and stopping a little short of it is another penalty.
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = model.fit(
            begin,
            method="lbfgs",
            maxiter=iterations,
            disp=0,
            skip_hessian=True,
            pgtol=1e-5,
            factr=1e8,
            loglike_and_score=value_and_slope,
        )
    found = np.ravel(np.asarray(result.params), order="F")
    if not np.isfinite(found).all() or not value_and_slope(found)[0] >= value_and_slope(begin)[0]:
        name = type(model).__name__
        raise RunError(f"statsmodels' {name} ended worse than it began at penalty {penalty:g}; try larger penalties")
    return Fitted(found.reshape(start.shape, order="F"), bool(result.mle_retvals["converged"]))


def log_shares(X: FloatArray, coefficients: FloatArray) -> FloatArray:
    """float64 [n, alternatives]: ln P of a multinomial logit, the first alternative's coefficients being zero."""
    utility = np.column_stack([np.zeros(len(X)), X @ coefficients])
    top = utility.max(axis=1, keepdims=True)
    centred = utility - top
    return np.asarray(centred - np.log(np.exp(centred).sum(axis=1, keepdims=True)), dtype=np.float64)


@dataclass(frozen=True)
class Path:
    """The best of several penalties: coefficients float64 [1 + d, equations], and what the validation split said."""

    coefficients: FloatArray
    penalty: float
    converged: bool
    loss: float


def fit_path(model: Any, held_out: tuple[FloatArray, IntArray], penalties: Sequence[float], iterations: int) -> Path:
    """Fits at falling penalties, each begun where the one before ended, until the held-out loss no longer falls.

    held_out: X float64 [n, 1 + d] and class int64 [n]. The first fit begins at zero.
    """
    X, y = held_out
    coefficients = np.zeros((model.exog.shape[1], len(np.unique(model.endog)) - 1))
    best: Path | None = None
    for penalty in sorted(penalties, reverse=True):
        fitted = fit_ridge(model, penalty, iterations, coefficients)
        coefficients = fitted.coefficients
        loss = -float(log_shares(X, coefficients)[np.arange(len(y)), y].mean())
        if best is not None and loss >= best.loss:
            break
        best = Path(coefficients, penalty, fitted.converged, loss)
    assert best is not None  # there is at least one penalty
    return best


def conditional_logit(pairs: Pairs, label: BoolArray, Z: FloatArray, penalty: float) -> FloatArray:
    """Weights float64 [d] of the columns of Z [q, d]: McFadden's (1974) conditional logit by Newton's method.

    The ridge penalty makes the likelihood strictly concave; steps are halved until they gain.
    """

    def value(weights: FloatArray) -> float:
        return float(pairs.log_softmax(Z @ weights)[label].sum()) - penalty / 2 * float(weights @ weights)

    weights, best = np.zeros(Z.shape[1]), -np.inf
    if not len(pairs):
        return weights
    for _ in range(50):
        p = np.exp(pairs.log_softmax(Z @ weights))
        slope = Z.T @ (label - p) - penalty * weights
        mean = np.add.reduceat(p[:, None] * Z, pairs.begin, axis=0)  # [choice sets, d]
        curvature = (Z * p[:, None]).T @ Z - mean.T @ mean + penalty * np.eye(len(weights))
        step, here = np.linalg.solve(curvature, slope), value(weights)
        while value(weights + step) < here and np.abs(step).max() > 1e-8:
            step = step / 2
        weights, best = weights + step, here
        if slope @ step < 1e-6 * max(1.0, abs(best)):
            break
    return weights
