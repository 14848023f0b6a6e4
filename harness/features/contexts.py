"""Contexts: what is known of a transition, each thing as one small integer, so that frequencies can be counted by it.

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
class Context:
    """One context. size: how many values it takes. levels: names of a covariate's levels; edges: of a number's bins.

    parts: the two contexts that a cross is made of.
    """

    name: str
    kind: Literal["state", "level", "bin", "cross"]
    size: int
    levels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contexts:
    """The contexts of a panel, and the numeric features that go with them."""

    contexts: tuple[Context, ...]
    numbers: tuple[str, ...]

    @classmethod
    def fit(cls, table: FeatureTable, n_states: int) -> Contexts:
        """From the features of training transitions: states held, levels of covariates and pairs of them, bins.

        A covariate with more than 64 levels keeps the 64 most frequent.
        """
        found = [Context(name, "state", n_states) for name in STATES]
        covariates = [f for name, f in table.features.items() if name not in CATALOGUE]
        for feature in covariates:
            if feature.values == "level":
                levels = _frequent(table[feature.name], feature.levels)
                found.append(Context(feature.name, "level", len(levels), levels=levels))
        levels_found = [c for c in found if c.kind == "level"]
        for one, other in combinations(levels_found, 2):
            if one.size * other.size <= MOST_LEVELS:
                name = f"{one.name} x {other.name}"
                found.append(Context(name, "cross", one.size * other.size, parts=(one.name, other.name)))
        binned = [*BINNED, *(f.name for f in covariates if f.values == "number" and f.unit == "")]
        for name in binned:
            if edges := _edges(np.asarray(table[name], dtype=np.float64)):
                found.append(Context(name, "bin", len(edges) + 1, edges=edges))
        numbers = tuple(name for name, f in table.features.items() if not f.categorical)
        return cls(tuple(c for c in found if c.size > 0), numbers)

    def encode(self, table: FeatureTable) -> dict[str, IntArray]:
        """name -> int64 [n], -1 where missing or not seen in training."""
        n = len(table["origin"])
        codes: dict[str, IntArray] = {}
        for context in self.contexts:
            if context.kind == "cross":
                one, other = (codes[part] for part in context.parts)
                size = next(c.size for c in self.contexts if c.name == context.parts[1])
                codes[context.name] = np.where((one >= 0) & (other >= 0), one * size + other, -1)
            elif context.name not in table:
                codes[context.name] = np.full(n, -1, dtype=np.int64)
            elif context.kind == "state":
                codes[context.name] = np.asarray(table[context.name], dtype=np.int64)
            elif context.kind == "level":
                codes[context.name] = _by_name(table, context)
            else:
                values = np.asarray(table[context.name], dtype=np.float64)
                bins = np.searchsorted(context.edges, values, side="right")
                codes[context.name] = np.where(np.isnan(values), -1, bins)
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
        return {"contexts": [asdict(c) for c in self.contexts], "numbers": list(self.numbers)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Contexts:
        contexts = []
        for item in stored["contexts"]:
            lists = {key: tuple(item[key]) for key in ("levels", "edges", "parts")}
            contexts.append(Context(item["name"], item["kind"], item["size"], **lists))
        return cls(tuple(contexts), tuple(stored["numbers"]))


def _frequent(codes: FloatArray | IntArray, levels: tuple[str, ...]) -> tuple[str, ...]:
    """The levels that occur, the most frequent ``MOST_LEVELS`` of them, in their own order."""
    counts = np.bincount(codes[codes >= 0].astype(np.int64), minlength=len(levels))
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_LEVELS])
    return tuple(levels[i] for i in kept if counts[i] > 0)


def _edges(values: FloatArray) -> tuple[float, ...]:
    """Inner edges of at most ``BINS`` bins with about equally many observations; none where nothing varies."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return ()
    inner = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    return tuple(float(edge) for edge in inner if edge > known.min())


def _by_name(table: FeatureTable, context: Context) -> IntArray:
    """The covariate's codes as positions in the levels seen in training."""
    feature = table.features[context.name]
    if feature.values != "level":
        return np.full(len(table["origin"]), -1, dtype=np.int64)
    place = {level: i for i, level in enumerate(context.levels)}
    # One entry more than there are levels: a missing code, -1, picks the last.
    translate = np.array([*(place.get(level, -1) for level in feature.levels), -1], dtype=np.int64)
    return translate[np.asarray(table[context.name], dtype=np.int64)]
