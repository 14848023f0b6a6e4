"""Features of staying, or of another binary outcome, counted on other persons than they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.estimation.samples import FOLDS, Outcomes, Sample
from harness.features.discrete import Discretizer
from harness.features.frequencies import Rates
from harness.features.pairs import Affinities, Inputs, Scheme
from harness.types import FloatArray, IntArray


@dataclass(frozen=True)
class StayFeatures:
    """Columns for staying: how much more often people of each context stay, how often the origin was seen, the numbers.

    Or for another binary outcome, which then stands in the place of staying. affinities: of the alternatives leave and
    stay. log_odds: float64 [K], of staying, by origin, smoothed. log_seen: float64 [K], ln (1 + transitions from the
    origin).
    """

    affinities: Affinities
    log_odds: FloatArray
    log_seen: FloatArray

    @classmethod
    def empty(cls) -> StayFeatures:
        return cls(Affinities({}, np.zeros(0)), np.zeros(0), np.zeros(0))

    @classmethod
    def count(
        cls, sample: Sample, discretizer: Discretizer, group: IntArray, strengths: tuple[float, float]
    ) -> StayFeatures:
        """Of staying. strengths: as in ``count_outcomes``."""
        return cls.count_outcomes(sample.stays(), discretizer, group, strengths)

    @classmethod
    def count_outcomes(
        cls, outcomes: Outcomes, discretizer: Discretizer, group: IntArray, strengths: tuple[float, float]
    ) -> StayFeatures:
        """strengths: transitions that the overall rate is worth against a state's own, and against a context's."""
        scheme = Scheme(n_alternatives=2, of_state=group, group=group, strength=strengths[1], numbers=())
        happened = outcomes.happened.astype(np.int64)
        affinities = Affinities.count(
            discretizer, outcomes.inputs.codes, chosen=happened, scheme=scheme, weight=outcomes.weight
        )
        counted = Rates(outcomes.inputs.origin, outcomes.happened, outcomes.weight, len(group))
        rates = counted.rates(strengths[0])
        return cls(affinities, np.log(rates) - np.log1p(-rates), np.log1p(counted.seen))

    def offset(self, inputs: Inputs) -> FloatArray:
        """float64 [n]: log-odds of staying by origin alone."""
        return self.log_odds[inputs.origin]

    def matrix(self, inputs: Inputs) -> FloatArray:
        """float32 [n, contexts + 1 + numbers]"""
        columns = [table[inputs.codes[name], 1] for name, table in self.affinities.tables.items()]
        return np.column_stack([*columns, self.log_seen[inputs.origin], inputs.numbers]).astype(np.float32)

    def save(self, file: Path) -> None:
        """As one .npz of arrays."""
        np.savez(file, log_odds=self.log_odds, log_seen=self.log_seen, **self.affinities.arrays())

    @classmethod
    def load(cls, file: Path) -> StayFeatures:
        with np.load(file, allow_pickle=False) as stored:
            return cls(Affinities.of_arrays(stored), stored["log_odds"], stored["log_seen"])


Counted = TypeVar("Counted", Sample, Outcomes)


def cross_fitted_stays(sample: Counted, count: Callable[[Counted], StayFeatures]) -> tuple[FloatArray, FloatArray]:
    """Features (float32 [n, d]) and offsets (float64 [n]) of a sample's transitions, each counted on other persons.

    As they are for anyone predicted later: counted on themselves, a rare context would seem to know its outcome.
    """
    fold, offset, blocks = sample.fold(), np.zeros(len(sample)), []
    for f in range(FOLDS):
        rows = np.flatnonzero(fold == f)
        features, inputs = count(sample.others(f)), sample.inputs.take(rows)
        offset[rows] = features.offset(inputs)
        blocks.append((rows, features.matrix(inputs)))
    X = np.empty((len(sample), blocks[0][1].shape[1]), dtype=np.float32)
    for rows, columns in blocks:
        X[rows] = columns
    return X, offset
