"""Finds the optimum of a penalised logit, at one penalty or along a path of them chosen on the validation split.

By gradients, and then by Newton's steps where the Hessian, which grows with the square of (states x terms), can be
had; a Logit, and what has no penalty, by statsmodels' Newton, or its lbfgs where Newton does not come near.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.errors import RunError
from harness.estimation.logits import down_the_path, log_shares
from harness.estimation.multinomial import ChoiceRows, Coefficients, Problem, fit
from harness.plugins.mnl.likelihood import Ridge, RidgeLogit, RidgeMNLogit
from harness.types import FloatArray, IntArray

NEWTON_SIZE = 400  # coefficients up to which Newton's Hessian costs less than the steps that it saves
MOST_COEFFICIENTS = 4000  # whose Hessian is worth its seconds once: 128 MB
NEWTON_STEPS = 35  # after which it has not come near: from afar it can go back and forth for ever
CHORD_STEPS = 20
TOLERANCE = 1e-7  # of a step of the gradients' climb, relative to the mean log-likelihood
NOTHING: IntArray = np.zeros(0, dtype=np.int64)
NEAR_ENOUGH = 1e-6  # nats that a step promises, which is then the last
SMALLEST_CURVATURE = 1e-7  # of standardised columns, an observation: below it an unpenalised optimum does not exist


@dataclass(frozen=True)
class Labelled:
    """X: float64 [n, d]. y: int64 [n], classes from 0. weight: float64 [n], what each counts for."""

    X: FloatArray
    y: IntArray
    weight: FloatArray

    def loss(self, coefficients: FloatArray) -> float:
        """Mean -ln P of the classes, in nats. coefficients: float64 [d, classes - 1]."""
        log_prob = log_shares(self.X, coefficients)[np.arange(len(self.y)), self.y]
        return -float(self.weight @ log_prob) / float(self.weight.sum())


@dataclass(frozen=True)
class FittedLogit:
    """coefficients: float64 [d, equations], of every alternative but the first. penalty: of all but the constants."""

    coefficients: FloatArray
    penalty: float
    converged: bool


def problem(data: Labelled, penalty: float) -> Ridge:
    """The likelihood at one penalty on standardised columns; the first is a constant and goes free."""
    ridge = np.full(data.X.shape[1], penalty)
    ridge[0] = 0.0
    two = int(data.y.max(initial=0)) < 2
    return (RidgeLogit if two else RidgeMNLogit)(data.y, data.X, data.weight, ridge)


def fit_ridge(data: Labelled, penalty: float, iterations: int, start: FloatArray) -> FittedLogit:
    """The maximum of the penalised log-likelihood. start: float64 [d, equations].

    RunError where what comes back is not finite, or no better than the start: statsmodels can say converged all the
    same; and where without a penalty there is no optimum.
    """
    model, begin = problem(data, penalty), np.ravel(start, order="F")
    if penalty > 0 and isinstance(model, RidgeMNLogit):
        # From afar Newton's method goes back and forth among many equations; from near it ends the path.
        return _at_the_optimum(data, _by_gradients(data, penalty, iterations, start), NEWTON_SIZE)
    ways = ("newton", "lbfgs") if begin.size <= NEWTON_SIZE else ("lbfgs",)
    for way in ways:
        found, converged = _climb(model, way, min(iterations, NEWTON_STEPS) if way == "newton" else iterations, begin)
        better = np.isfinite(found).all() and model.loglike(found) >= model.loglike(begin)
        if better and (converged or way == ways[-1]):
            break
    else:
        raise RunError(f"{_name(model)} ended worse than it began at penalty {penalty:g}; try larger penalties")
    if penalty == 0:
        _require_optimum(model, found, converged)
    return FittedLogit(found.reshape(start.shape, order="F"), penalty, converged)


def _name(model: Ridge) -> str:
    return "statsmodels' Logit" if isinstance(model, RidgeLogit) else "statsmodels' MNLogit"


def _by_gradients(data: Labelled, penalty: float, iterations: int, start: FloatArray) -> FittedLogit:
    """The same optimum by the core's solver, in a third of the time that statsmodels' lbfgs takes.

    There every alternative has coefficients and each is penalised, which is the same: see ``likelihood``.
    """
    n_classes = start.shape[1] + 1
    choices = ChoiceRows(
        X=data.X, row=NOTHING, alternative=NOTHING, Z=np.zeros((0, 0)), member=np.zeros((n_classes, 0))
    )
    zeros = Coefficients.zeros(choices)
    every = np.column_stack([np.zeros(len(start)), start])
    ridge = np.full_like(every, penalty)
    ridge[0] = 0.0
    asked = Problem(choices, data.y, data.weight, replace(zeros, alternative=ridge))
    begin = replace(zeros, alternative=every - every.mean(axis=1, keepdims=True))
    found = fit(asked, begin, TOLERANCE, iterations)
    against = found.coefficients.alternative[:, 1:] - found.coefficients.alternative[:, :1]
    return FittedLogit(against, penalty, found.converged)


def _climb(model: Ridge, way: str, iterations: int, begin: FloatArray) -> tuple[FloatArray, bool]:
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, HessianInversionWarning, PerfectSeparationWarning

    n = max(model.counts.sum(), 1e-300)

    def value_and_slope(params: FloatArray) -> tuple[float, FloatArray]:
        if isinstance(model, RidgeMNLogit):
            value, slope = model.loglike_and_score(params)
        else:
            value, slope = model.loglike(params), model.score(params)
        return value / n, slope / n

    loose = model.ridge.any()  # without a penalty a flat likelihood has to be told from an optimum
    more: dict[str, Any] = {"tol": 1e-9}
    if way == "lbfgs":
        stop = {"pgtol": 1e-5, "factr": 1e8} if loose else {"pgtol": 1e-9, "factr": 10.0}
        more = {**stop, "loglike_and_score": value_and_slope}
    with warnings.catch_warnings():
        # Reported as ``converged``: a penalised optimum exists, and stopping a little short of it is another penalty.
        for category in (ConvergenceWarning, HessianInversionWarning, PerfectSeparationWarning, RuntimeWarning):
            warnings.simplefilter("ignore", category)
        try:
            result = model.fit(begin, method=way, maxiter=iterations, disp=0, skip_hessian=True, **more)
        except np.linalg.LinAlgError:  # Newton's, where columns are collinear and nothing is penalised
            return np.full_like(begin, np.nan), False
    return np.ravel(np.asarray(result.params), order="F"), bool(result.mle_retvals["converged"])


def _require_optimum(model: Ridge, found: FloatArray, converged: bool) -> None:
    """RunError where the likelihood is flat: classes are separated or columns collinear, and estimates mean nothing."""
    curvature = np.linalg.eigvalsh(-model.hessian(found))[0] / model.counts.sum()
    if not converged or curvature < SMALLEST_CURVATURE:
        raise RunError(
            f"{_name(model)} found no optimum without a penalty: terms that are collinear, or that tell an outcome for "
            "certain, have none; ask for penalties above 0, or for fewer terms"
        )


def fit_path(
    data: Labelled, held_out: Labelled, penalties: Sequence[float], iterations: int, start: FloatArray | None = None
) -> FittedLogit:
    """Fits at falling penalties, each begun where the one before ended, until the held-out loss no longer falls.

    start: float64 [d, equations], where the first fit begins, or zero. Where nothing is held out, the largest penalty.
    """
    begin = np.zeros((data.X.shape[1], max(int(data.y.max(initial=1)), 1))) if start is None else start

    def climb(penalty: float, before: FittedLogit | None) -> FittedLogit:
        return fit_ridge(data, penalty, iterations, begin if before is None else before.coefficients)

    def loss(fitted: FittedLogit) -> float:
        return held_out.loss(fitted.coefficients) if len(held_out.y) else np.inf

    return _at_the_optimum(data, down_the_path(penalties, climb, loss), MOST_COEFFICIENTS)


def _at_the_optimum(data: Labelled, fitted: FittedLogit, most: int) -> FittedLogit:
    """A fit by gradients brought to the optimum by Newton's steps that share one Hessian (the chord method).

    Where they stop the likelihood is as good as there, but some coefficients lie a good part of a standard error off.
    most: coefficients up to which the Hessian is worth its seconds.
    """
    beta, shape = fitted.coefficients.ravel(order="F"), fitted.coefficients.shape
    if beta.size > most:
        return fitted
    from scipy.linalg import cho_factor, cho_solve

    model = problem(data, fitted.penalty)
    try:
        factor = cho_factor(-model.hessian(beta), lower=True, overwrite_a=True)
    except np.linalg.LinAlgError:
        return fitted
    value, slope = model.loglike(beta), model.score(beta)
    for _ in range(CHORD_STEPS):
        step = np.asarray(cho_solve(factor, slope))
        if slope @ step / 2 <= NEAR_ENOUGH:
            return FittedLogit((beta + step).reshape(shape, order="F"), fitted.penalty, converged=True)
        found = model.loglike(beta + step)
        if not found > value:
            break
        beta, value = beta + step, found
        slope = model.score(beta)
    return FittedLogit(beta.reshape(shape, order="F"), fitted.penalty, fitted.converged)
