"""Uncertainty of figures and of differences between models, with persons as the unit that is drawn.

A person's transitions are not independent, so persons are resampled with replacement (the cluster bootstrap: Cameron,
Gelbach and Miller 2008, section II.C). The draws depend on the number of persons and the seed alone, so every model of
one panel and task meets the same draws, and differences are paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from harness.types import FloatArray, IntArray

REPLICATES = 1000
SEED = 20240617
Counts = IntArray | FloatArray
BATCH_CELLS = 4_000_000  # of the replicates x persons matrix held at a time: 32 MB of float64


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap standard error and 95% percentile interval; ``p`` two-sided against zero, or None."""

    value: float
    standard_error: float
    low: float
    high: float
    p: float | None = None


def draws(persons: int, replicates: int = REPLICATES, seed: int = SEED) -> Iterator[FloatArray]:
    """Batches of how often each person is drawn: float64 [b, P], the b summing to ``replicates``."""
    generator = np.random.default_rng([seed, persons])
    batch = max(1, BATCH_CELLS // persons)
    for start in range(0, replicates, batch):
        rows = min(batch, replicates - start)
        counts = np.empty((rows, persons))
        for row in counts:  # a row at a time stays in the processor's cache: twice as fast as one large count
            row[:] = np.bincount(generator.integers(0, persons, size=persons, dtype=np.int32), minlength=persons)
        yield counts


def resampled_sums(columns: FloatArray, replicates: int = REPLICATES, seed: int = SEED) -> FloatArray:
    """float64 [replicates, c]: the sums of the columns [P, c] in every replicate, one matrix product a batch."""
    return np.concatenate([counts @ columns for counts in draws(len(columns), replicates, seed)])


def perplexity(log_likelihood: FloatArray, transitions: Counts, replicates: int = REPLICATES) -> Estimate:
    """Perplexity per transition with its person-clustered standard error.

    log_likelihood: float64 [P], sums by person in nats. transitions: int64 [P]; of a weighted panel float64 [P], sums
    of the weights that the log-likelihoods were multiplied by.
    """
    return perplexities(log_likelihood[:, None], transitions, replicates)[0]


def perplexities(log_likelihood: FloatArray, transitions: Counts, replicates: int = REPLICATES) -> list[Estimate]:
    """As ``perplexity`` for M models at once on the same draws: log_likelihood is float64 [P, M]."""
    sums = resampled_sums(np.column_stack([log_likelihood, transitions]), replicates)
    value = np.exp(-log_likelihood.sum(axis=0) / transitions.sum())
    return estimates(value, np.exp(-sums[:, :-1] / sums[:, -1:]))


def differences(
    log_likelihood: FloatArray, reference: FloatArray, transitions: Counts, replicates: int = REPLICATES
) -> list[Estimate]:
    """Mean log-likelihood of each of M models less the reference's, in nats per transition, paired on persons.

    log_likelihood: float64 [P, M]. reference: float64 [P]. Positive: the model is better. ``p`` is the two-sided normal
    p-value of no difference.
    """
    gap = log_likelihood - reference[:, None]
    sums = resampled_sums(np.column_stack([gap, transitions]), replicates)
    plain = estimates(gap.sum(axis=0) / transitions.sum(), sums[:, :-1] / sums[:, -1:])
    return [Estimate(e.value, e.standard_error, e.low, e.high, _two_sided_p(e.value, e.standard_error)) for e in plain]


def estimates(values: FloatArray, replicates: FloatArray) -> list[Estimate]:
    """Figures (float64 [c]) with the error and the interval that their replicates (float64 [r, c]) show."""
    error = replicates.std(axis=0, ddof=1)
    low, high = np.quantile(replicates, [0.025, 0.975], axis=0)
    return [
        Estimate(float(v), float(e), float(a), float(b)) for v, e, a, b in zip(values, error, low, high, strict=True)
    ]


def _two_sided_p(value: float, standard_error: float) -> float:
    if standard_error == 0:
        return 1.0 if value == 0 else 0.0
    return erfc(abs(value) / standard_error / sqrt(2))
