"""Average marginal effects on the probability of every outcome, with clustered standard errors by the delta method.

Means over the training transitions: of a 0/1 variable, the change from 0 to 1; of another number, the derivative; of a
level, the change from the reference level to it. Every term of a formula that has the variable moves along. Of terms
that stand alone they are statsmodels' ``MNLogit.get_margeff(dummy=True)``, and Stata's ``margins, dydx(*)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.estimation.logits import log_shares
from harness.plugins.mnl.effects import POINTS, STEP
from harness.plugins.mnl.estimates import EstimateTable, rows_of
from harness.plugins.mnl.formula import Formula, Variables
from harness.plugins.mnl.optimum import MultinomialFit
from harness.types import FloatArray

ROWS_AT_ONCE = 5_000
NOTES = (
    "percentage points, means over the training transitions; standard errors by the delta method, clustered by person",
    "of a 0/1 variable: from 0 to 1; of another number: the derivative; of a level: against the reference level; all "
    "terms of a variable move along",
)


@dataclass(frozen=True, kw_only=True)
class VariableMove:
    """A variable at two values, and how far apart these are."""

    name: str
    before: Variables
    after: Variables
    apart: float


def outcome_effects(fit: MultinomialFit, formula: Formula, variables: Variables) -> EstimateTable:
    """A table with a column an outcome, the base last."""
    values, errors, names = [], [], []
    for move in _moves(variables):
        effect, gradient = _effect(fit, formula, move)
        names.append(move.name)
        values.append(POINTS * effect)
        errors.append(POINTS * _errors(fit, gradient))
    order = [*range(1, len(fit.outcomes)), 0]
    shape = (len(names), len(fit.outcomes))
    return EstimateTable(
        stage="effects",
        title="Average marginal effects on P(next state)",
        terms=tuple(names),
        outcomes=tuple(fit.outcomes[j] for j in order),
        value=rows_of(np.array(values).reshape(shape)[:, order]),
        error=rows_of(np.array(errors).reshape(shape)[:, order]),
        notes=NOTES,
        heading="percentage points",
    )


def _moves(variables: Variables) -> Iterator[VariableMove]:
    for name, column in variables.columns.items():
        if column.levels:
            for place, level in enumerate(column.levels[1:], start=1):
                yield VariableMove(
                    name=f"{name} = {level}, against {column.levels[0]}",
                    before=variables.with_level(name, 0),
                    after=variables.with_level(name, place),
                    apart=1.0,
                )
            continue
        values = variables.numbers[name]
        if np.isin(values, (0.0, 1.0)).all():
            low, high, apart = np.zeros_like(values), np.ones_like(values), 1.0
        else:
            step = STEP * (float(values.std()) or 1.0)
            low, high, apart = values - step, values + step, 2 * step
        yield VariableMove(
            name=name, before=variables.with_number(name, low), after=variables.with_number(name, high), apart=apart
        )


def _effect(fit: MultinomialFit, formula: Formula, move: VariableMove) -> tuple[FloatArray, FloatArray]:
    """The mean change of each P, float64 [J], and its gradient in the coefficients, float64 [J, equations * terms]."""
    beta = fit.optimum.coefficients
    n_terms, equations = beta.shape
    effect, gradient = np.zeros(1 + equations), np.zeros((1 + equations, equations, n_terms))
    share = fit.data.weight / (fit.data.weight.sum() * move.apart)
    for sign, at in ((-1.0, move.before), (1.0, move.after)):
        _, raw = formula.matrix(at)
        for start in range(0, len(raw), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            X = fit.scaling.apply(raw[rows, 1:])
            P = np.exp(log_shares(X, beta))
            heavy = sign * share[rows]
            effect += heavy @ P
            own = (P * heavy[:, None]).T @ X  # [J, terms]
            pairs = (P[:, :, None] * P[:, None, 1:]).reshape(len(X), -1)
            gradient -= ((pairs * heavy[:, None]).T @ X).reshape(gradient.shape)
            for k in range(equations):
                gradient[k + 1, k] += own[k + 1]
    return effect, gradient.reshape(1 + equations, -1)


def _errors(fit: MultinomialFit, gradient: FloatArray) -> FloatArray:
    """float64 [J]"""
    covariance = fit.optimum.covariance
    if covariance is None:
        return np.full(len(gradient), np.nan)
    return np.asarray(np.sqrt(np.maximum(np.einsum("jp,pq,jq->j", gradient, covariance, gradient), 0.0)))
