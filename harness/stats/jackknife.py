"""The delete-a-group jackknife: how much a figure, or a difference, varies from one group of persons to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.stats.inference import Estimate
from harness.stats.seeds import columns_of, interaction, mean_over_seeds, variance_beyond_persons, widening
from harness.stats.student import quantile, two_sided
from harness.types import FloatArray


def jackknifed(
    sums: FloatArray, counted: FloatArray, reference: int = 0, *, model: Sequence[int] | None = None
) -> tuple[list[Estimate], list[Estimate]]:
    """Perplexities of M models, and log-likelihoods per transition less the reference's, from groups of persons.

    sums: float64 [C, G], in nats, a row a fit. counted: float64 [G], what the groups' transitions count for, two or
    more of them above zero. model: of each row, the model that it is a fit of, as ``Resampled`` has it. Each group is
    left out in turn; a standard error is the square root of (g - 1) / g times the sum of squared distances, over the g
    groups that have a transition, and intervals are Student's t with g - 1 degrees of freedom (Kott 2001, section 2).
    To this several seeds add as ``harness.stats.seeds`` says. Perplexities have theirs on the log scale.
    """
    here = counted > 0
    g = int(here.sum())
    total, whole = sums.sum(axis=1, keepdims=True), counted.sum()
    levels, fits = (total / whole)[:, 0], columns_of(model, len(sums))
    lefts = (total - sums[:, here]) / (whole - counted[here])
    width = quantile(0.975, g - 1)
    if all(len(own) == 1 for own in fits):  # one fit of each model
        alone = np.concatenate(fits)
        mean, left, added, wide = levels[alone], lefts[alone], np.zeros(len(fits)), np.ones(len(fits))
    else:
        mean = np.array([mean_over_seeds(levels[own]) for own in fits])
        left = np.array([mean_over_seeds(lefts[own].T) for own in fits])
        added = np.array([_beyond_persons(levels[own], lefts[own].T) for own in fits])
        wide = np.array([widening(len(own), g - 1) ** 2 if len(own) > 1 else 1.0 for own in fits])

    def variance(of: FloatArray, centre: FloatArray) -> FloatArray:
        return np.asarray((g - 1) / g * ((of - centre[:, None]) ** 2).sum(axis=1), dtype=np.float64)

    gap, others = mean - mean[reference], np.arange(len(mean)) != reference
    both, both_wide = (np.where(others, of + of[reference], 0.0) for of in (added, added * wide))
    level_persons, gap_persons = variance(left, mean), variance(left - left[reference], gap)
    of_level, of_gap = np.sqrt(level_persons + added), np.sqrt(gap_persons + both)
    level_margin, gap_margin = np.sqrt(level_persons + added * wide), np.sqrt(gap_persons + both_wide)
    certain = np.where(gap == 0, 0.0, np.inf)
    t = np.divide(np.abs(gap), gap_margin, out=certain, where=gap_margin > 0)
    p = two_sided(t, g - 1)
    at, low, high = np.exp(-mean), np.exp(-mean - width * level_margin), np.exp(-mean + width * level_margin)
    gaps = zip(gap, of_gap, gap - width * gap_margin, gap + width * gap_margin, p, strict=True)
    made = zip(at, at * of_level, low, high, strict=True)
    return [Estimate(*map(float, level)) for level in made], [Estimate(*map(float, one)) for one in gaps]


def _beyond_persons(level: FloatArray, left: FloatArray) -> float:
    """The variance that S seeds add to their mean; level: [S], left: [g, S], the same with each group left out."""
    if len(level) < 2:
        return 0.0
    return variance_beyond_persons(level, (len(left) - 1) * float(interaction(level, left).mean()))
