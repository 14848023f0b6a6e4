"""The delete-a-group jackknife: how much a figure, or a difference, varies from one group of persons to the next."""

from __future__ import annotations

import numpy as np

from harness.stats.inference import Estimate
from harness.types import FloatArray


def jackknifed(sums: FloatArray, counted: FloatArray, reference: int = 0) -> tuple[list[Estimate], list[Estimate]]:
    """Perplexities of M models, and log-likelihoods per transition less the reference's, from groups of persons.

    sums: float64 [M, G], in nats. counted: float64 [G], what the groups' transitions count for, two or more of them
    above zero. Each group is left out in turn; a standard error is the square root of (g - 1) / g times the sum of
    squared distances, over the g groups that have a transition, and intervals are Student's t with g - 1 degrees of
    freedom (Kott 2001, section 2). Perplexities have theirs on the log scale.
    """
    from scipy.special import stdtr, stdtrit

    here = counted > 0
    g = int(here.sum())
    total, whole = sums.sum(axis=1, keepdims=True), counted.sum()
    left = (total - sums[:, here]) / (whole - counted[here])
    mean = (total / whole)[:, 0]
    width = float(stdtrit(g - 1, 0.975))

    def error(of: FloatArray, centre: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt((g - 1) / g * ((of - centre[:, None]) ** 2).sum(axis=1)), dtype=np.float64)

    of_level, gap = error(left, mean), mean - mean[reference]
    of_gap = error(left - left[reference], gap)
    certain = np.where(gap == 0, 0.0, np.inf)
    t = np.divide(np.abs(gap), of_gap, out=certain, where=of_gap > 0)
    p = 2 * stdtr(g - 1, -t)
    at = np.exp(-mean)
    levels = zip(at, at * of_level, np.exp(-mean - width * of_level), np.exp(-mean + width * of_level), strict=True)
    gaps = zip(gap, of_gap, gap - width * of_gap, gap + width * of_gap, p, strict=True)
    return [Estimate(*map(float, level)) for level in levels], [Estimate(*map(float, one)) for one in gaps]
