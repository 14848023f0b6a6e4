"""Covariates and features as columns of numbers: fitted on training careers, the same for everyone ever after.

A categorical covariate is one column a level. A numeric one, or one whose levels stand in order, is encoded piecewise
linearly between knots (Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features", eq. 1): the
columns before a value's interval are one, those after it zero, so that neighbours share what they learn and a value
outside the range is read as its nearest end. Missing is a column of its own: nothing is dropped and nothing imputed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.features.catalogue import FeatureTable, build, covariate_labels
from harness.features.discrete import quantiles
from harness.panel import Panel
from harness.types import FloatArray, IntArray

KNOTS = 9  # at most, of a numeric column: the eighths of its values in training


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """The columns of one feature. levels: of a covariate that has some, in order. knots: rising, of a number.

    One with levels and knots has levels that stand in order: its numbers are their positions.
    """

    name: str
    levels: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The meaning of each of its columns, that of a missing value first."""
        parts: tuple[str, ...] = self.levels
        if self.knots or not self.levels:
            ends = self.levels or tuple(map(repr, self.knots))
            parts = tuple(f"{low} to {high}" for low, high in pairwise(ends))
        return tuple(f"{self.name}: {part}" for part in ("missing", *parts))

    def encode(self, design: FeatureTable) -> FloatArray:
        """float32 [n, len(labels)]"""
        values = design[self.name]
        out = np.zeros((len(values), len(self.labels)), dtype=np.float32)
        if self.levels:  # by name, since another panel may list them in another order
            own = {level: i for i, level in enumerate(self.levels)}
            place = np.array([*(own.get(level, -1) for level in design.features[self.name].levels), -1], dtype=np.int64)
            values = place[values]
            if not self.knots:
                out[np.arange(len(values)), values + 1] = 1.0
                return out
            values = np.where(values >= 0, values, np.nan)
        missing = ~np.isfinite(values)
        out[:, 0] = missing
        low, high = np.array(self.knots[:-1]), np.array(self.knots[1:])
        if len(low):
            share = np.clip((np.where(missing, low[0], values)[:, None] - low) / (high - low), 0.0, 1.0)
            out[:, 1:] = np.where(missing[:, None], 0.0, share)
        return out

    def fitting(self, design: FeatureTable) -> EncodedColumn | None:
        """This column, stretched to tell a panel's values apart; None where the panel has something else by its name.

        What lies beyond its ends is new, and everything between them means what it meant.
        """
        feature, values = design.features[self.name], design[self.name]
        if bool(self.levels) != (feature.values == "level"):
            return None
        if self.levels:
            known = [level for level in self.levels if level in feature.levels]
            in_order = [level for level in feature.levels if level in self.levels]
            return self if set(feature.levels) <= set(self.levels) and (not self.knots or known == in_order) else None
        known_values = values[np.isfinite(values)]
        if not self.knots or not len(known_values):
            return self if not len(known_values) else None
        low, high = float(known_values.min()), float(known_values.max())
        before = (low,) if low < self.knots[0] else ()
        after = (high,) if high > self.knots[-1] else ()
        return replace(self, knots=(*before, *self.knots, *after))


class Encoding:
    """The features that a model is given, each with the way it is written."""

    def __init__(self, columns: Sequence[EncodedColumn]) -> None:
        self.columns = tuple(columns)
        self.labels = [label for column in self.columns for label in column.labels]

    @property
    def width(self) -> int:
        return len(self.labels)

    @classmethod
    def fit(
        cls, panel: Panel, names: Sequence[str], ordered: Sequence[str] = (), known: Encoding | None = None
    ) -> Encoding:
        """From the transitions of a panel that count. names: features as ``harness.features`` calls them.

        ordered: categorical ones whose levels stand in order. known: an encoding whose columns are taken over,
        stretched where the panel's values reach further. RequestError where an ordered one is not categorical.
        """
        require_levels(panel, ordered)
        design = build(panel, panel.counting(panel.transitions), names)
        taken = {
            column.name: column.fitting(design) for column in (known.columns if known else ()) if column.name in names
        }
        return cls([taken.get(name) or _column(design, name, name in ordered) for name in names])

    def apply(self, panel: Panel, transitions: IntArray) -> FloatArray:
        """float32 [n, width]. RequestError where the panel lacks one of the features."""
        if not self.columns:
            return np.zeros((len(transitions), 0), dtype=np.float32)
        design = build(panel, transitions, [column.name for column in self.columns])
        return np.concatenate([column.encode(design) for column in self.columns], axis=1)

    def plain(self) -> list[dict[str, Any]]:
        """JSON-able; ``of`` reads it."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def of(cls, plain: Sequence[Mapping[str, Any]]) -> Encoding:
        """Read what ``plain`` wrote."""
        return cls([EncodedColumn(c["name"], tuple(c["levels"]), tuple(c["knots"])) for c in plain])


def require_levels(panel: Panel, ordered: Sequence[str]) -> None:
    """RequestError where one of these is no categorical covariate of the panel, as ``harness.features`` calls it."""
    labels = covariate_labels(panel)
    levels = [label for name, label in labels.items() if panel.covariates[name].kind == "categorical"]
    for name in ordered:
        if name not in levels:
            hint = did_you_mean(name, levels)
            raise RequestError(f"ordered: the panel has no categorical covariate '{name}'; {hint}")


def _column(design: FeatureTable, name: str, ordered: bool) -> EncodedColumn:
    feature, values = design.features[name], design[name]
    if feature.values == "level":
        return EncodedColumn(
            name, feature.levels, tuple(float(k) for k in range(len(feature.levels))) if ordered else ()
        )
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    distinct = np.unique(known)
    if len(distinct) > KNOTS:  # and where most have one value, as it is with years since, the others are told apart too
        often, rarely = np.linspace(0, 1, KNOTS), np.linspace(0, 1, KNOTS // 2)
        distinct = np.unique(np.concatenate([quantiles(known, often), quantiles(distinct, rarely)]))
    return EncodedColumn(name, (), tuple(float(k) for k in distinct))
