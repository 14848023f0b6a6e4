"""Fits of one model that differ in their seed alone: the part of an error that persons do not explain.

Persons and seeds are crossed, as every fit is scored on the same persons. Of a fit's log-likelihood per transition let
V be the variance between seeds were all persons known. Between S observed fits the mean square is B, whose expectation
is V + W, where W is the sampling variance of a fit's distance from the mean of all fits: other persons would have
favoured other seeds. The mean over seeds then has the variance of the persons' (of each one's mean over seeds, which
holds W / S already) plus V / S, and V is estimated by B - W, at least zero: the analysis of variance of two crossed
random factors (Searle, Casella and McCulloch 1992, "Variance Components", chapter 4), and what two-way clustering does
when it takes off the variance that both ways count (Cameron, Gelbach and Miller 2011, "Robust inference with multiway
clustering", Journal of Business and Economic Statistics 29(2)). Fits that are all alike add nothing.

Few seeds say little of V. In intervals the margins of persons and of seeds add in squares, that of seeds being
Student's t with S - 1 degrees of freedom (Zou and Donner 2008, "Construction of confidence limits about effect
measures", Statistics in Medicine 27), and p goes with them; a standard error is the root of the sum of the variances,
without that allowance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from harness.stats.student import normal_quantile, quantile
from harness.types import FloatArray, IntArray

TAIL = 0.975  # the quantile that margins are of


def columns_of(model: Sequence[int] | None, columns: int) -> list[IntArray]:
    """Of each of M models the columns that are fits of it. model: the model of each column; None: each its own."""
    of = np.arange(columns) if model is None else np.asarray(model, dtype=np.int64)
    return [np.flatnonzero(of == m) for m in range(int(of.max()) + 1)]


def mean_over_seeds(values: FloatArray) -> FloatArray:
    """The mean over the last axis, in whatever order the seeds come."""
    return np.asarray(np.sort(values, axis=-1).mean(axis=-1), dtype=np.float64)


def variance_beyond_persons(level: FloatArray, persons: float) -> float:
    """V / S, the variance that seeds add to the mean over them: max(0, B - W) / S; zero of a single fit.

    level: float64 [S], the figure of each fit. persons: W, the mean over seeds of the sampling variance of a fit's
    distance from the mean of all, times S / (S - 1) (``interaction`` of replicates).
    """
    if len(level) < 2:
        return 0.0
    return max(0.0, float(np.sort(level).var(ddof=1)) - persons) / len(level)


def interaction(level: FloatArray, drawn: FloatArray) -> FloatArray:
    """float64 [R]: how far seeds are moved against each other by each replicate of persons, as a mean square.

    The sum over seeds of (distance from the mean of all, less the observed one)^2 / (S - 1). W is the mean over the
    replicates of a bootstrap; of a jackknife of g groups, (g - 1) times it. level: [S]. drawn: [R, S].
    """
    apart = np.sort(drawn - mean_over_seeds(drawn)[:, None] - (level - mean_over_seeds(level)), axis=1)
    return np.asarray((apart**2).sum(axis=1) / (len(level) - 1), dtype=np.float64)


def widening(seeds: int, freedom: float = np.inf) -> float:
    """Student's t with S - 1 degrees of freedom over that with ``freedom``, at 97.5%: one from many seeds."""
    return quantile(TAIL, seeds - 1) / quantile(TAIL, freedom)


def seed_errors(level: FloatArray, variance: float, replicates: int) -> FloatArray:
    """float64 [R]: what another draw of S seeds could have moved their mean by, one for each replicate of persons.

    Normal quantiles, widened for few seeds, in an order that is drawn from the figures of the fits, so that a model
    meets the same whatever stands beside it. level: float64 [S]. variance: V / S.
    """
    key = hashlib.sha256(np.sort(level).tobytes()).digest()
    stream = np.random.PCG64(np.random.SeedSequence(int.from_bytes(key[:16], "little")))
    order = np.argsort(stream.random_raw(replicates), kind="stable")
    errors = np.empty(replicates)
    errors[order] = [normal_quantile((at + 0.5) / replicates) for at in range(replicates)]
    return np.asarray(errors * np.sqrt(variance) * widening(len(level)), dtype=np.float64)
