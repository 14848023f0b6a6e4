"""A logit that is linear in named terms: its design, its estimates, and how it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.estimation.logits import Scaling
from harness.plugins.mnl.terms import Known, Term, distinct, from_json, matrix, to_json
from harness.types import FloatArray, IntArray

COLLINEAR = 1e-9  # of a standard deviation: what is left of a column beside the others is rounding
SHARE = 1e-6  # of a standardised column, below which another is none of its parts
COUNTED_LEAST = 1e-8
NUMBER_LEAST = 1e-12
OF_SCALING = ("center", "scale", "low", "high")


Design = tuple[tuple[Term, ...], FloatArray, Scaling]  # terms, their columns [n, terms], how to standardise these


@dataclass(frozen=True)
class Linear:
    """coefficients: float64 [1 + terms, equations], of a constant and of standardised terms.

    Without an equation where there was nothing to estimate.
    """

    terms: tuple[Term, ...]
    scaling: Scaling
    coefficients: FloatArray

    @classmethod
    def empty(cls) -> Linear:
        return cls((), Scaling.of(np.zeros((0, 0))), np.zeros((1, 0)))

    def __bool__(self) -> bool:
        return bool(self.coefficients.shape[1])

    def design(self, known: Known, n: int) -> FloatArray:
        """float64 [n, 1 + terms]: a constant and the standardised terms."""
        return self.scaling.apply(matrix(self.terms, known, n))

    def utilities(self, known: Known, n: int) -> FloatArray:
        """float64 [n, equations]"""
        return np.asarray(self.design(known, n) @ self.coefficients)

    def arrays(self) -> dict[str, FloatArray | IntArray]:
        return {"coefficients": self.coefficients, **{part: getattr(self.scaling, part) for part in OF_SCALING}}

    def described(self) -> list[dict[str, Any]]:
        """The terms, as JSON has them."""
        return to_json(self.terms)

    @classmethod
    def restored(cls, arrays: Mapping[str, Any], described: list[dict[str, Any]], prefix: str = "") -> Linear:
        """From ``arrays`` and ``described``; prefix: of the arrays' names."""
        terms = tuple(from_json(described))
        scaling = Scaling(np.arange(len(terms)), *(arrays[prefix + part] for part in OF_SCALING))
        return cls(terms, scaling, arrays[f"{prefix}coefficients"])


def collinear(X: FloatArray) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Of columns [n, terms] those that a constant and some of the others add up to, each with these, by position."""
    if len(X) == 0 or X.shape[1] < 2:
        return
    spread = X.std(axis=0)
    scaled = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0) / np.sqrt(len(X))
    columns = np.asarray(np.linalg.qr(scaled, mode="r"))  # as long and as far apart as they are, and few rows
    free: list[int] = []
    basis = np.zeros((len(columns), 0))
    for j, column in enumerate(columns.T):
        beside = column
        for _ in range(2):  # twice is enough (Giraud, Langou and Rozloznik 2005)
            beside = beside - basis @ (basis.T @ beside)
        left = float(np.linalg.norm(beside))
        if left > COLLINEAR:
            free.append(j)
            basis = np.column_stack([basis, beside / left])
        else:
            weights = np.linalg.lstsq(columns[:, free], column)[0]
            yield j, tuple(free[k] for k in np.flatnonzero(np.abs(weights) > SHARE))


def _least(terms: Sequence[Term], X: FloatArray) -> FloatArray:
    """float64 [terms]: standard deviations that are rounding: of a number by its size, whatever unit it is in.

    What is counted has the unit of a logarithm, and may be noise about zero.
    """
    size = np.abs(X).max(axis=0, initial=0.0)
    counted = np.array([any(f.kind == "given" for f in term.factors) for term in terms], dtype=bool)
    return np.where(counted, COUNTED_LEAST, NUMBER_LEAST * size)


def varying(terms: Sequence[Term], known: Known, weight: FloatArray) -> Design:
    """The terms that vary and are not another's again, their columns [n, terms], and how to standardise these.

    weight: float64 [n], what each transition counts for.
    """
    X = matrix(terms, known, len(weight))
    kept = np.array(distinct(terms, X), dtype=np.int64)
    scaling = Scaling.of(X[:, kept], weight, _least([terms[j] for j in kept], X[:, kept]))
    kept = kept[scaling.kept]  # a column may vary and yet not by weight
    return tuple(terms[j] for j in kept), X[:, kept], scaling.take(np.arange(len(kept)))
