"""Estimates for a person to read: coefficients with standard errors, of terms as they were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import erfc, isfinite, sqrt
from typing import Any

import numpy as np

from harness.estimation.logits import Scaling
from harness.model import Table
from harness.types import FloatArray, IntArray

HEADINGS = ("coefficient", "standard error", "z", "p", "95% low", "95% high")
NORMAL_975 = 1.959963984540054
Values = tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class EstimateTable:
    """One logit, or one set of effects. value, error: terms x outcomes; error is None where it is not known.

    outcomes: one equation each; a single nameless one of a binary or conditional logit. notes: a sentence each.
    """

    stage: str
    title: str
    terms: tuple[str, ...]
    outcomes: tuple[str, ...]
    value: Values
    error: Values
    notes: tuple[str, ...] = ()
    heading: str = HEADINGS[0]

    def tables(self) -> list[Table]:
        """A table an outcome."""
        made = []
        for j, outcome in enumerate(self.outcomes):
            rows = [
                _row(name, value[j], error[j])
                for name, value, error in zip(self.terms, self.value, self.error, strict=True)
            ]
            title = f"{self.title}: {outcome}" if outcome else self.title
            headings = ("term", self.heading, *HEADINGS[1:])
            made.append(
                Table(
                    title=title,
                    headings=headings,
                    rows=tuple(rows),
                    notes=self.notes,
                    stage=self.stage,
                    outcome=outcome,
                )
            )
        return made

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> EstimateTable:
        nested = {name: tuple(tuple(row) for row in stored[name]) for name in ("value", "error")}
        flat = {name: tuple(stored[name]) for name in ("terms", "outcomes", "notes")}
        return cls(**{**stored, **nested, **flat})


def _row(name: str, value: float | None, error: float | None) -> tuple[str | float | None, ...]:
    if value is None or error is None or not error > 0:
        return (name, value, error, None, None, None, None)
    z = value / error
    return (name, value, error, z, erfc(abs(z) / sqrt(2)), value - NORMAL_975 * error, value + NORMAL_975 * error)


def rows_of(values: FloatArray) -> Values:
    """Numbers of a table; None for what is not finite."""
    return tuple(tuple(v if isfinite(v) else None for v in row) for row in np.atleast_2d(values).tolist())


@dataclass(frozen=True)
class Sizes:
    """The facts of a fit that a table's notes tell. weight: float64 [n]; person: int64 [n].

    log_likelihood: at the estimates, without the penalty. log_null: that of ``null``. towards: where a penalty pulls.
    without_errors: why there are no standard errors, where there are none. converged: whether the solver says that the
    estimates are the optimum.
    """

    weight: FloatArray
    person: IntArray
    log_likelihood: float
    log_null: float
    penalty: float
    references: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    towards: str = "zero"
    null: str = "with nothing but constants"
    without_errors: str = ""
    converged: bool = True

    def notes(self) -> tuple[str, ...]:
        n, persons = len(self.weight), len(np.unique(self.person))
        weighted = "" if (self.weight == 1).all() else f", which count for {self.weight.sum():,.1f}"
        why = self.without_errors
        errors = f"no standard errors: {why}" if why else "standard errors are clustered by person"
        said = [f"{n:,} transitions of {persons:,} persons{weighted}; {errors}"]
        if not self.converged:
            said.append("the solver stopped short of the optimum; more iterations bring the estimates nearer to it")
        if self.penalty > 0:
            said.append(
                f"ridge penalty {self.penalty:g} on standardised terms, the constant spared: estimates lean towards "
                f"{self.towards}{'' if why else ', and the sandwich has the penalised Hessian'}"
            )
        fit = f"log-likelihood {self.log_likelihood:,.2f}"
        if self.log_null < 0:
            fit += f", {self.log_null:,.2f} {self.null}: McFadden's R² {self.r2:.4f}"
        said.append(fit)
        if self.references:
            said.append(f"reference categories: {'; '.join(self.references)}")
        return (*said, *self.further)

    @property
    def r2(self) -> float:
        """McFadden (1974): 1 - ln L / ln L of the null."""
        return 1 - self.log_likelihood / self.log_null


def natural(scaling: Scaling, coefficients: FloatArray, covariance: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Coefficients and standard errors, [1 + d, equations], of the terms as they were measured.

    coefficients: float64 [1 + d, equations], of standardised terms. covariance: float64 [p, p], equations strung
    together; None where it is not known.
    """
    change, shape = scaling.to_natural, coefficients.shape
    value = change @ coefficients
    if covariance is None:
        return value, np.full(shape, np.nan)
    error, d = np.empty(shape), shape[0]
    for j in range(shape[1]):
        block = covariance[j * d : (j + 1) * d, j * d : (j + 1) * d]
        error[:, j] = np.sqrt(np.maximum(np.einsum("ab,bc,ac->a", change, block, change), 0.0))
    return value, np.where(np.isnan(covariance[0, 0]), np.nan, error)


def why_no_errors(person: IntArray, coefficients: int) -> str:
    """The reason why ``harness.estimation.logits.clustered`` has no standard errors; empty where it has all.

    person: int64 [n].
    """
    if len(np.unique(person)) < 2:
        return "they are clustered by person, and there is one person"
    if len(person) <= coefficients:
        return f"{len(person):,} transitions are too few for {coefficients:,} coefficients"
    return ""


def log_null(y: IntArray, weight: FloatArray) -> float:
    """The log-likelihood of shares alone, of classes int64 [n]."""
    counts = np.bincount(y, weights=weight)
    counts = counts[counts > 0]
    return float(counts @ np.log(counts / counts.sum()))
