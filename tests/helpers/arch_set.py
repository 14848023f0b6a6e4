"""The model confidence set of the same replicates by ``arch``, which the harness's own is held to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from arch.bootstrap import MCS

from harness.stats.confidence_set import JITTER, SIZE
from harness.stats.inference import Resampled
from harness.types import BoolArray, FloatArray, IntArray


class EachOnce:
    """Stands where ``arch`` has a bootstrap of rows: the rows are replicates already, and each is a draw of its own."""

    def __init__(self, replicates: int) -> None:
        self.replicates = replicates

    def bootstrap(self, reps: int) -> Iterator[tuple[tuple[IntArray], dict[str, Any]]]:
        for row in range(min(reps, self.replicates)):
            yield (np.array([row]),), {}


def p_by_arch(models: Resampled, among: BoolArray | None = None) -> FloatArray:
    """float64 [k]: the p of k different models, every pair of them looked at in every replicate.

    among: bool [M], the k of the M models; all by default.
    """
    order = np.argsort(-models.mean, kind="stable")
    error = models.means[:, order]
    error = error + JITTER * np.random.default_rng(0).standard_normal(error.shape)
    error -= error.mean(axis=0)
    level = models.mean[order] - JITTER / 1000 * np.arange(len(order))
    kept = np.flatnonzero(np.ones(len(order), dtype=bool) if among is None else among[order])
    p = np.full(len(order), np.nan)
    p[order[kept]] = _p(level[kept], error[:, kept])
    return np.asarray(p[~np.isnan(p)])


def _p(level: FloatArray, error: FloatArray) -> FloatArray:
    """float64 [k]; level: [k], best first; error: [R, k] with means of zero."""
    replicates, count = error.shape
    if count == 1:
        return np.ones(1)
    mcs = MCS(-(level + error), SIZE, reps=replicates, block_size=1, method="R")
    cast(Any, mcs).bootstrap = EachOnce(replicates)
    mcs.compute()
    found = mcs.pvalues["Pvalue"]
    p = np.empty(count)
    p[found.index.to_numpy(dtype=np.int64)] = found.to_numpy(dtype=np.float64)
    return np.asarray((1 + np.round(p * replicates)) / (1 + replicates))
