"""Estimates of a MNLogit, with standard errors clustered by person where its Hessian can be had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.estimation.logits import clustered
from harness.plugins.mnl.estimates import EstimateTable, Sizes, log_null, natural, rows_of, why_no_errors
from harness.plugins.mnl.likelihood import Ridge, RidgeMNLogit
from harness.plugins.mnl.linear import Linear
from harness.plugins.mnl.solve import MOST_COEFFICIENTS, FittedLogit, Labelled, problem
from harness.types import FloatArray, IntArray


@dataclass(frozen=True)
class About:
    """Texts of a table beside its numbers. outcomes: the reference first. errors: whether they are wanted."""

    stage: str
    title: str
    outcomes: tuple[str, ...]
    references: tuple[str, ...]
    notes: tuple[str, ...]
    errors: bool


def explained(linear: Linear, data: Labelled, person: IntArray, fitted: FittedLogit, about: About) -> EstimateTable:
    """One equation an outcome but the reference. person: int64 [n], whose each observation is."""
    model, beta, covariance = problem(data, fitted.penalty), linear.coefficients.ravel(order="F"), None
    if not about.errors:
        why = "standard_errors=false"
    elif beta.size > MOST_COEFFICIENTS:
        why = f"the Hessian of {beta.size:,} coefficients is too large"
    else:
        why = why_no_errors(person, beta.size)
    if not why:
        covariance = clustered(_sums(model, beta, person), -model.hessian(beta), len(person))
    value, error = natural(linear.scaling, linear.coefficients, covariance)
    towards = "zero" if len(about.outcomes) == 2 else "their mean over all outcomes"
    sizes = Sizes(
        weight=data.weight,
        person=person,
        log_likelihood=model.log_likelihood(beta),
        log_null=log_null(data.y, data.weight),
        penalty=fitted.penalty,
        references=about.references,
        further=about.notes,
        towards=towards,
        without_errors=why,
        converged=fitted.converged,
    )
    names = ("constant", *(term.name for term in linear.terms))
    return EstimateTable(
        stage=about.stage,
        title=about.title,
        terms=names,
        outcomes=about.outcomes[1:],
        value=rows_of(value),
        error=rows_of(error),
        notes=sizes.notes(),
    )


def _sums(model: Ridge, beta: FloatArray, person: IntArray) -> FloatArray:
    """float64 [P, coefficients]: scores summed by person."""
    if isinstance(model, RidgeMNLogit):
        return np.asarray(model.score_sums(beta, person))
    persons, place = np.unique(person, return_inverse=True)
    sums = np.zeros((len(persons), beta.size))
    np.add.at(sums, place, model.score_obs(beta))
    return sums
