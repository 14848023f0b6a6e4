"""Discrete features of transitions, one small integer each, so that frequencies can be counted by them.

Fitted on training transitions and then frozen: bins keep their edges and levels their names, whatever panel comes
later. What a later panel lacks or has never been seen is missing (-1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from harness.features.catalogue import CATALOGUE, FeatureTable
from harness.types import FloatArray, IntArray

STATES = ("origin", "previous", "lag_2", "lag_3", "last_occupation", "first_state")
BINNED = ("age", "year")
MOST_LEVELS = 64
BINS = 10


@dataclass(frozen=True, slots=True)
class DiscreteFeature:
    """One feature. size: number of its values. levels: names of a covariate's levels; edges: of a number's bins.

    parts: the two features that a cross is made of.
    """

    name: str
    kind: Literal["state", "level", "bin", "cross"]
    size: int
    levels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discretizer:
    """The discrete features of a panel's transitions, and the numeric ones that go with them."""

    features: tuple[DiscreteFeature, ...]
    numbers: tuple[str, ...]

    @classmethod
    def fit(cls, table: FeatureTable, n_states: int) -> Discretizer:
        """From the features of training transitions: states held, levels of covariates and pairs of them, bins.

        A covariate with more than 64 levels keeps the 64 most frequent.
        """
        found = [DiscreteFeature(name, "state", n_states) for name in STATES]
        covariates = [f for name, f in table.features.items() if name not in CATALOGUE]
        for feature in covariates:
            if feature.values == "level":
                levels = _frequent(table[feature.name], feature.levels)
                found.append(DiscreteFeature(feature.name, "level", len(levels), levels=levels))
        levels_found = [c for c in found if c.kind == "level"]
        for one, other in combinations(levels_found, 2):
            if one.size * other.size <= MOST_LEVELS:
                name = f"{one.name} x {other.name}"
                found.append(DiscreteFeature(name, "cross", one.size * other.size, parts=(one.name, other.name)))
        binned = [*BINNED, *(f.name for f in covariates if f.values == "number" and f.unit == "")]
        for name in binned:
            if edges := _edges(np.asarray(table[name], dtype=np.float64)):
                found.append(DiscreteFeature(name, "bin", len(edges) + 1, edges=edges))
        numbers = tuple(name for name, f in table.features.items() if not f.categorical)
        return cls(tuple(c for c in found if c.size > 0), numbers)

    def encode(self, table: FeatureTable) -> dict[str, IntArray]:
        """name -> int64 [n], -1 where missing or not seen in training."""
        n = len(table["origin"])
        codes: dict[str, IntArray] = {}
        for feature in self.features:
            if feature.kind == "cross":
                one, other = (codes[part] for part in feature.parts)
                size = next(c.size for c in self.features if c.name == feature.parts[1])
                codes[feature.name] = np.where((one >= 0) & (other >= 0), one * size + other, -1)
            elif feature.name not in table:
                codes[feature.name] = np.full(n, -1, dtype=np.int64)
            elif feature.kind == "state":
                codes[feature.name] = np.asarray(table[feature.name], dtype=np.int64)
            elif feature.kind == "level":
                codes[feature.name] = _by_name(table, feature)
            else:
                values = np.asarray(table[feature.name], dtype=np.float64)
                bins = np.searchsorted(feature.edges, values, side="right")
                codes[feature.name] = np.where(np.isnan(values), -1, bins)
        return codes

    def number_matrix(self, table: FeatureTable) -> FloatArray:
        """float64 [n, number of numeric features]; NaN throughout where a panel lacks one."""
        n = len(table["origin"])
        columns = [table[name] if self._is_number(table, name) else np.full(n, np.nan) for name in self.numbers]
        return np.stack(columns, axis=1).astype(np.float64)

    @staticmethod
    def _is_number(table: FeatureTable, name: str) -> bool:
        return name in table and not table.features[name].categorical

    def to_json(self) -> dict[str, Any]:
        return {"contexts": [asdict(c) for c in self.features], "numbers": list(self.numbers)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Discretizer:
        features = []
        for item in stored["contexts"]:
            lists = {key: tuple(item[key]) for key in ("levels", "edges", "parts")}
            features.append(DiscreteFeature(item["name"], item["kind"], item["size"], **lists))
        return cls(tuple(features), tuple(stored["numbers"]))


def _frequent(codes: FloatArray | IntArray, levels: tuple[str, ...]) -> tuple[str, ...]:
    """The levels that occur, the most frequent ``MOST_LEVELS`` of them, in their own order."""
    counts = np.bincount(codes[codes >= 0].astype(np.int64), minlength=len(levels))
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_LEVELS])
    return tuple(levels[i] for i in kept if counts[i] > 0)


def quantiles(values: FloatArray, shares: FloatArray) -> FloatArray:
    """float64, as numpy's: linear between the values, of which there are some.

    A quantile that falls on a value is that value, whatever unit it is in: no rounding puts it on the other side.
    """
    place = np.round(np.asarray(shares) * (len(values) - 1), 9)
    low, high = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
    rising = np.sort(values)
    return np.asarray(rising[low] + (place - low) * (rising[high] - rising[low]), dtype=np.float64)


def _edges(values: FloatArray) -> tuple[float, ...]:
    """Inner edges of at most ``BINS`` bins with about equally many observations; none where nothing varies."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return ()
    inner = np.unique(quantiles(known, np.arange(1, BINS) / BINS))
    return tuple(float(edge) for edge in inner if edge > known.min())


def _by_name(table: FeatureTable, known: DiscreteFeature) -> IntArray:
    """The covariate's codes as positions in the levels seen in training."""
    feature = table.features[known.name]
    if feature.values != "level":
        return np.full(len(table["origin"]), -1, dtype=np.int64)
    place = {level: i for i, level in enumerate(known.levels)}
    # One entry more than there are levels: a missing code, -1, picks the last.
    translate = np.array([*(place.get(level, -1) for level in feature.levels), -1], dtype=np.int64)
    return translate[np.asarray(table[known.name], dtype=np.int64)]
