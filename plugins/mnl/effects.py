"""Average marginal effects on P(stay), in percentage points, with standard errors by the delta method.

Means over transitions: of a dummy, the change from 0 to 1; of a whole number, that with one more; of any other number
the derivative; of a level, the change from the reference level to it. Every term that has the feature moves along, and
so does the share of stayers in the band that a whole number is in: by what the next band's share is more, as counted on
all training careers. Of terms that stand alone it is statsmodels' ``get_margeff(dummy=True)``, but for whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.plugins.mnl.estimates import EstimateTable, rows_of
from harness.plugins.mnl.linear import Linear
from harness.plugins.mnl.terms import AMONG, Factor, Known
from harness.types import BoolArray, FloatArray

STEP = 1e-4  # of a number, in its standard deviations: small enough for a derivative, large enough for float64
POINTS = 100.0


@dataclass(frozen=True)
class Bands:
    """A number's bands. edges: the inner ones. share: [bands + 1], ln of each one's share of stayers over that of all.

    The last share is of those whose number is missing.
    """

    edges: tuple[float, ...]
    share: FloatArray

    def of(self, values: FloatArray) -> FloatArray:
        """float64 [n]: the share of the band that each value is in."""
        band = np.searchsorted(self.edges, values, side="right")
        return np.asarray(self.share[np.where(np.isnan(values), -1, band)], dtype=np.float64)


@dataclass(frozen=True)
class Move:
    """One effect: a feature at two values, how far apart these are, and whose effect it is (bool [n])."""

    name: str
    feature: str
    before: Known
    after: Known
    apart: float
    whose: BoolArray


def _moves(linear: Linear, known: Known, references: Mapping[str, int], bands: Mapping[str, Bands]) -> Iterator[Move]:
    """Of every number and level that stands in the design. references: the level left out, by covariate."""
    factors = [factor for term in linear.terms for factor in term.factors]
    for name in dict.fromkeys(f.of for f in factors if f.kind in ("number", "log", "square")):
        values = known.numbers[name]
        there = ~np.isnan(values)
        low, high, apart = _ends(values, there)
        # A share by band is a step: it has no derivative.
        own = bands.get(name) if apart == 1.0 else None
        yield Move(
            name=name,
            feature=name,
            before=_moved(known, name, low, own),
            after=_moved(known, name, high, own),
            apart=apart,
            whose=there,
        )
    for term in linear.terms:
        [first, *more] = term.factors
        if first.kind == "level" and not more and first.of in references and first.place >= 0:
            code = known.codes[first.of]
            before, after = (known.moved(first.of, np.full_like(code, k)) for k in (references[first.of], first.place))
            yield Move(
                name=term.name,
                feature=first.of,
                before=before,
                after=after,
                apart=1.0,
                whose=np.ones(len(code), dtype=bool),
            )


def _moved(known: Known, name: str, values: FloatArray, bands: Bands | None) -> Known:
    moved = known.moved(name, values)
    if bands is None:
        return moved
    share = known.given[AMONG + name] + bands.of(values) - bands.of(known.numbers[name])
    return replace(moved, given={**moved.given, AMONG + name: share})


def _ends(values: FloatArray, there: BoolArray) -> tuple[FloatArray, FloatArray, float]:
    """Values to compare, missing where they were, and how far apart they are."""
    seen = values[there]
    if np.isin(seen, (0.0, 1.0)).all():
        return np.where(there, 0.0, np.nan), np.where(there, 1.0, np.nan), 1.0
    if (seen == np.round(seen)).all():
        return values, values + 1, 1.0
    step = STEP * (float(seen.std()) or 1.0)
    return values - step, values + step, 2 * step


def _effect(linear: Linear, X: FloatArray, weight: FloatArray, move: Move) -> tuple[float, FloatArray]:
    """The mean change of P(stay) over the distance, and its gradient in the coefficients, float64 [1 + d].

    X: float64 [n, 1 + d], the standardised design.
    """
    beta, share = linear.coefficients[:, 0], weight * move.whose
    share = share / (share.sum() * move.apart) if share.any() else share
    places = [j for j, term in enumerate(linear.terms) if term.has(move.feature)]
    effect, gradient = 0.0, np.zeros(len(beta))
    base = X @ beta
    for sign, known in ((-1.0, move.before), (1.0, move.after)):
        columns = {j: linear.scaling.column(j, linear.terms[j].values(known)) for j in places}
        utility = base + sum((columns[j] - X[:, j + 1]) * beta[j + 1] for j in places)
        p = np.exp(-np.logaddexp(0.0, -utility))
        slope = sign * share * p * (1 - p)
        effect += sign * float(share @ p)
        gradient += slope @ X
        for j in places:
            gradient[j + 1] += slope @ (columns[j] - X[:, j + 1])
    return effect, gradient


def marginal_effects(
    linear: Linear,
    X: FloatArray,
    weight: FloatArray,
    known: Known,
    covariance: FloatArray | None,
    bands: Mapping[str, Bands] | None = None,
) -> EstimateTable:
    """A table of effects. X: float64 [n, 1 + d], the design. weight: float64 [n]. covariance: of the coefficients.

    bands: of the numbers whose share of stayers by band is given.
    """
    names, value, error = [], [], []
    for move in _moves(linear, known, _references(linear, known, weight), bands or {}):
        effect, gradient = _effect(linear, X, weight, move)
        names.append(move.name)
        value.append([POINTS * effect])
        variance = np.nan if covariance is None else float(gradient @ covariance @ gradient)
        error.append([POINTS * np.sqrt(max(variance, 0.0))] if not np.isnan(variance) else [np.nan])
    notes = (
        "percentage points of P(stay), means over the training transitions; standard errors by the delta method",
        "of a dummy: from 0 to 1; of a whole number: one more; of another: the derivative; of a level: against the "
        "reference category; all terms of a feature move along, and of a whole number the share of stayers in its band",
    )
    title = "Average marginal effects on P(stay)"
    values = rows_of(np.array(value).reshape(-1, 1)), rows_of(np.array(error).reshape(-1, 1))
    return EstimateTable(
        stage="stay",
        title=title,
        terms=tuple(names),
        outcomes=("",),
        value=values[0],
        error=values[1],
        notes=notes,
        heading="percentage points",
    )


def _references(linear: Linear, known: Known, weight: FloatArray) -> dict[str, int]:
    """The level of each covariate that has no dummy: its most frequent one, as ``terms.level_terms`` chose it."""
    found = {}
    for term in linear.terms:
        factor: Factor = term.factors[0]
        if factor.kind == "level" and factor.of not in found:
            code = known.codes[factor.of]
            found[factor.of] = int(np.argmax(np.bincount(code[code >= 0], weights=weight[code >= 0])))
    return found
