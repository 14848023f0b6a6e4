"""The right-hand side of the logits: every column a term with a name, a product of elementary factors.

A term such as "education = bachelor x age" is the product of a dummy and a number, and depends on those features
alone, so a marginal effect can be worked out by moving one feature and rebuilding the terms that have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from harness.features.catalogue import CATALOGUE
from harness.features.discrete import DiscreteFeature, Discretizer, quantiles
from harness.features.pairs import Inputs
from harness.panel import Occupations, Status
from harness.types import FloatArray, IntArray

STATUSES = tuple(Status)
AMONG = "stayers among "  # how what is given of a context's share of stayers is called; the context's name follows
Kind = Literal["number", "log", "square", "missing", "above", "level", "status", "group", "given"]


@dataclass(frozen=True)
class StateClasses:
    """Classes of K states. status: int64 [K], positions in ``STATUSES``. group: int64 [K]."""

    status: IntArray
    group: IntArray

    @classmethod
    def of(cls, occupations: Occupations, group: IntArray) -> StateClasses:
        """group: int64 [K], as the model groups the states."""
        status = np.array([STATUSES.index(status) for status in occupations.statuses], dtype=np.int64)
        return cls(status, group)

    @classmethod
    def empty(cls) -> StateClasses:
        """Of no state."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Known:
    """Facts of n transitions. numbers: float64 [n], NaN for missing; codes: int64 [n], -1 for missing.

    given: float64 [n], counted or scored elsewhere. states: classes of the states.
    """

    numbers: Mapping[str, FloatArray]
    codes: Mapping[str, IntArray]
    states: StateClasses
    given: Mapping[str, FloatArray]

    @classmethod
    def of(cls, inputs: Inputs, names: Sequence[str], states: StateClasses, given: Mapping[str, FloatArray]) -> Known:
        """names: of the columns of ``inputs.numbers``."""
        return cls({n: inputs.numbers[:, j] for j, n in enumerate(names)}, inputs.codes, states, given)

    def moved(self, feature: str, values: FloatArray | IntArray) -> Known:
        """The same transitions with another value of a feature."""
        if feature in self.numbers:
            return replace(self, numbers={**self.numbers, feature: values.astype(np.float64)})
        return replace(self, codes={**self.codes, feature: values.astype(np.int64)})


@dataclass(frozen=True, slots=True)
class Factor:
    """An elementary column. of: the feature. place: a level, group, status or bound. base: what a number is less.

    unit: what a number is divided by before its logarithm is taken.
    """

    kind: Kind
    of: str
    place: int = 0
    base: float = 0.0
    unit: float = 1.0

    def values(self, known: Known) -> FloatArray:
        """float64 [n]; a missing number is zero, and has a dummy of its own to make up for it."""
        if self.kind == "given":
            return np.asarray(known.given[self.of])
        if self.kind in ("level", "status", "group"):
            code: IntArray = known.codes[self.of]
            if self.kind != "level":
                of_state = known.states.status if self.kind == "status" else known.states.group
                code = np.where(code >= 0, np.append(of_state, -1)[code], -1)
            return np.asarray(code == self.place, dtype=np.float64)
        value = known.numbers[self.of]
        missing = np.isnan(value)
        if self.kind == "missing":
            return np.asarray(missing, dtype=np.float64)
        value = np.where(missing, 0.0, value - self.base)
        if self.kind == "log":
            return np.asarray(np.log1p(np.maximum(value / self.unit, 0.0)))
        if self.kind == "above":
            return np.asarray(value > self.place, dtype=np.float64)
        return value**2 if self.kind == "square" else value


@dataclass(frozen=True, slots=True)
class Term:
    """A column of the design. block: of interactions that are kept or left out together; empty for a main effect."""

    name: str
    factors: tuple[Factor, ...]
    block: str = ""

    def values(self, known: Known) -> FloatArray:
        """float64 [n]"""
        column = self.factors[0].values(known)
        for factor in self.factors[1:]:
            column = column * factor.values(known)
        return column

    def has(self, feature: str) -> bool:
        """True where it moves with the feature: itself, or the share of stayers in the band that the feature is in."""
        return any(f.of == AMONG + feature if f.kind == "given" else f.of == feature for f in self.factors)

    def times(self, other: Term, block: str) -> Term:
        """Their interaction."""
        return Term(f"{self.name} x {other.name}", self.factors + other.factors, block)


def matrix(terms: Sequence[Term], known: Known, n: int) -> FloatArray:
    """float64 [n, terms]"""
    X = np.empty((n, len(terms)))
    for j, term in enumerate(terms):
        X[:, j] = term.values(known)
    return X


def to_json(terms: Iterable[Term]) -> list[dict[str, Any]]:
    return [asdict(term) for term in terms]


def from_json(stored: Iterable[Mapping[str, Any]]) -> list[Term]:
    return [Term(t["name"], tuple(Factor(**f) for f in t["factors"]), t["block"]) for t in stored]


def number_terms(name: str, values: FloatArray, transformed: bool = True, own: bool = False) -> list[Term]:
    """A number, where it is no dummy ln(1 + number), and a dummy for missing; age with its square, no logarithm.

    values: float64 [n], of training transitions. transformed: whether squares and logarithms are wanted. own: whether
    it is a number of the panel's own, whose unit nobody knows: its logarithm is then ln(1 + number / the median of
    those above zero), which is the same in every unit.
    """
    known = values[~np.isnan(values)]
    if name == "year":
        base = float(known.min()) if len(known) else 0.0
        return [Term(f"year - {base:.0f}", (Factor("number", name, base=base),))]
    terms = [Term(name, (Factor("number", name),))]
    if transformed and name == "age":
        terms.append(Term("age squared", (Factor("square", name),)))
    elif transformed and len(known) and known.min() >= 0 and not np.isin(known, (0.0, 1.0)).all():
        unit = float(quantiles(known[known > 0], np.array([0.5]))[0]) if own else 1.0
        said = name if unit == 1.0 else f"{name} / {unit:g}"
        terms.append(Term(f"ln(1 + {said})", (Factor("log", name, unit=unit),)))
    if len(known) < len(values):
        terms.append(Term(f"{name} missing", (Factor("missing", name),)))
    return terms


def level_terms(feature: DiscreteFeature, code: IntArray, weight: FloatArray) -> tuple[list[Term], str]:
    """Dummies of a covariate's levels, the most frequent left out, and that reference. code: int64 [n], -1 missing."""
    counts = np.bincount(code[code >= 0], weights=weight[code >= 0], minlength=feature.size)
    reference = int(np.argmax(counts))
    names = {k: f"{feature.name} = {level}" for k, level in enumerate(feature.levels)} | {-1: f"{feature.name} missing"}
    wanted = [k for k in range(feature.size) if k != reference] + ([-1] if (code < 0).any() else [])
    return [Term(names[k], (Factor("level", feature.name, k),)) for k in wanted], feature.levels[reference]


def state_terms(
    kind: Kind, of: str, code: IntArray, names: Sequence[str], weight: FloatArray
) -> tuple[list[Term], str]:
    """Dummies of a state's status, group or of the state itself, the most frequent left out, and that reference.

    code: int64 [n], positions in names, -1 for missing.
    """
    counts = np.bincount(code[code >= 0], weights=weight[code >= 0], minlength=len(names))
    reference = int(np.argmax(counts))
    seen = [k for k in np.flatnonzero(counts).tolist() if k != reference] + ([-1] if (code < 0).any() else [])
    what = of if kind == "level" else f"{of}'s {kind}"
    called = [f"{what} = {names[k]}" if k >= 0 else f"no {what}" for k in seen]
    terms = [Term(name, (Factor(kind, of, k),)) for name, k in zip(called, seen, strict=True)]
    return terms, names[reference]


def crossed(one: Sequence[Term], other: Sequence[Term], block: str) -> list[Term]:
    """Every term of one times every term of the other."""
    return [a.times(b, block) for a in one for b in other]


def distinct(terms: Sequence[Term], X: FloatArray) -> list[int]:
    """Positions of the terms whose columns vary and are not another's on another scale. X: float64 [n, terms]."""
    seen: dict[bytes, int] = {}
    for j in range(len(terms) if len(X) else 0):
        low, high = X[:, j].min(), X[:, j].max()
        if high > low:
            column = (X[:, j] - low) / (high - low)
            seen.setdefault(np.round(column if column[0] <= 0.5 else 1 - column, 9).tobytes(), j)
    return sorted(seen.values())


def numbers_of(discretizer: Discretizer) -> set[str]:
    """The numbers that are covariates of the panel, and not made of its careers."""
    made = {f"{feature.name}_{end}" for feature in levels_of(discretizer) for end in ("changed", "years")}
    return {name for name in discretizer.numbers if name not in CATALOGUE and name not in made}


def levels_of(discretizer: Discretizer) -> list[DiscreteFeature]:
    """The covariates with levels."""
    return [feature for feature in discretizer.features if feature.kind == "level"]
