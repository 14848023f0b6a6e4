"""The optimum of an unpenalised multinomial logit, and which of its coefficients have none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import RunError
from harness.estimation.logits import Scaling, clustered
from harness.plugins.mnl.estimates import EstimateTable, Sizes, log_null, natural, rows_of, why_no_errors
from harness.plugins.mnl.likelihood import RidgeMNLogit
from harness.plugins.mnl.solve import SMALLEST_CURVATURE, Labelled
from harness.types import BoolArray, FloatArray, IntArray

HALVINGS = 30
LEAST_GAIN = 1e-10  # nats that a step promises, which is then not worth it
LEAST_SHARE = 0.05  # of a direction in which the likelihood is flat, that makes a coefficient part of it
MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class MultinomialOptimum:
    """coefficients: float64 [1 + d, equations]. flat: bool [1 + d, equations], those without an optimum.

    covariance: float64 [p, p], clustered by person, of what is identified, zero along what is flat; None where it
    cannot be had. log_likelihood: weighted.
    """

    coefficients: FloatArray
    flat: BoolArray
    covariance: FloatArray | None
    log_likelihood: float
    converged: bool

    def facts(self) -> dict[str, Any]:
        return {"converged": self.converged, "coefficients_without_optimum": int(self.flat.sum())}


@dataclass(frozen=True, kw_only=True)
class MultinomialFit:
    """An optimum with the names of its terms and outcomes, the base first, and what it was estimated on."""

    names: tuple[str, ...]
    outcomes: tuple[str, ...]
    scaling: Scaling
    optimum: MultinomialOptimum
    data: Labelled

    def without_optimum(self) -> Iterator[str]:
        """A sentence on the coefficients that have no optimum, where there are any."""
        places = np.argwhere(self.optimum.flat)
        if not len(places):
            return
        names = ("constant", *self.names[1:])
        named = [f"'{names[t]}' for {self.outcomes[1 + j]}" for t, j in places[:MOST_NAMED]]
        more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
        yield (
            f"{len(places)} coefficients have no optimum ({', '.join(named)}{more}): the data tell these outcomes for "
            "certain there, so they run to infinity, and are left where the likelihood no longer rises"
        )

    def table(self, person: IntArray, formula: str) -> EstimateTable:
        """One equation an outcome but the base. person: int64 [n], whose each transition is."""
        value, error = natural(self.scaling, self.optimum.coefficients, self.optimum.covariance)
        flat = self.optimum.flat
        notes = [f"outcome: the state of the next record, against {self.outcomes[0]}", f"formula: {formula}"]
        sizes = Sizes(
            weight=self.data.weight,
            person=person,
            log_likelihood=self.optimum.log_likelihood,
            log_null=log_null(self.data.y, self.data.weight),
            penalty=0.0,
            further=(*notes, *self.without_optimum()),
            without_errors=why_no_errors(person, self.optimum.coefficients.size),
            converged=self.optimum.converged,
        )
        return EstimateTable(
            stage="all",
            title="Multinomial logit of the next state",
            terms=("constant", *self.names[1:]),
            outcomes=self.outcomes[1:],
            value=rows_of(np.where(flat, np.nan, value)),
            error=rows_of(np.where(flat, np.nan, error)),
            notes=sizes.notes(),
        )


def maximum(data: Labelled, scaling: Scaling, person: IntArray, iterations: int) -> MultinomialOptimum:
    """The maximum of the likelihood by Newton's steps, each halved until it gains.

    Where the likelihood has no maximum it rises towards one at infinity; the steps end when the next promises less than
    ``LEAST_GAIN`` nats. data: of columns that ``scaling`` standardised. person: int64 [n].
    """
    model = RidgeMNLogit(data.y, data.X, data.weight, np.zeros(data.X.shape[1]))
    beta = np.zeros(data.X.shape[1] * int(data.y.max()))
    value, converged, promised = model.loglike(beta), False, np.inf
    curvature = -model.hessian(beta)
    for _ in range(iterations):
        step, promised = _step(curvature, model.score(beta))
        if promised <= LEAST_GAIN:
            converged = True
            break
        beta, value = _climb(model, beta, step, value)
        curvature = -model.hessian(beta)
    if not np.isfinite(value):
        raise RunError("mlogit: the likelihood is not finite; take a shorter formula")
    shape = (data.X.shape[1], int(data.y.max()))
    known, unknown = _identified(curvature / data.weight.sum())
    flat = _without_optimum(unknown, scaling, shape)
    covariance = None
    if not why_no_errors(person, beta.size):
        sums = model.score_sums(beta, person) @ known
        within = clustered(sums, known.T @ curvature @ known, len(person))
        covariance = known @ within @ known.T
    return MultinomialOptimum(
        coefficients=beta.reshape(shape, order="F"),
        flat=flat,
        covariance=covariance,
        log_likelihood=value,
        converged=converged,
    )


def _step(curvature: FloatArray, slope: FloatArray) -> tuple[FloatArray, float]:
    """Newton's step and the gain that it promises. A trace of the diagonal keeps flat directions from endless steps."""
    damped = curvature + np.eye(len(slope)) * (1e-12 * float(np.trace(curvature)) / len(slope))
    try:
        step = np.linalg.solve(damped, slope)
    except np.linalg.LinAlgError as error:
        raise RunError("mlogit: the Hessian is singular; leave terms out of the formula") from error
    return step, float(slope @ step) / 2


def _climb(model: RidgeMNLogit, beta: FloatArray, step: FloatArray, value: float) -> tuple[FloatArray, float]:
    """The first of the step, its half, its quarter ... that gains; where it was, if none does."""
    for halving in range(HALVINGS):
        found = beta + step / 2**halving
        level = model.loglike(found)
        if level > value:
            return found, level
    return beta, value


def _identified(curvature: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bases of the directions in which the likelihood curves and in which it is flat, float64 [p, q] and [p, p - q].

    curvature: float64 [p, p], minus the Hessian an observation, of standardised columns.
    """
    level, directions = np.linalg.eigh(curvature)
    curved = level > SMALLEST_CURVATURE
    return directions[:, curved], directions[:, ~curved]


def _without_optimum(flat: FloatArray, scaling: Scaling, shape: tuple[int, int]) -> BoolArray:
    """bool, of a shape [1 + d, equations]: the coefficients that move along the flat directions, float64 [p, r].

    The constants are those of columns that are not centred: to centre a dummy makes its direction one of theirs too.
    """
    moved = flat.T.reshape(flat.shape[1], shape[1], shape[0]).copy()  # [r, equations, 1 + d]
    moved[:, :, 0] -= moved[:, :, 1:] @ (scaling.center / scaling.scale)
    basis, _ = np.linalg.qr(moved.reshape(flat.shape[1], flat.shape[0]).T)
    return np.asarray((basis**2).sum(axis=1).reshape(shape, order="F") > LEAST_SHARE)
