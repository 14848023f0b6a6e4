"""Pairs of models on one set of replicates: how far each two lie apart, and the pair that lies furthest in a replicate.

Of M models there are M^2 pairs, and in each of R replicates the one counts whose difference is largest against its own
error. Models are grouped by their distances (farthest-first: Gonzalez 1985, "Clustering to minimize the maximum
intercluster distance", section 3), some sqrt(M) groups. The extremes of a group in a replicate and the least distance
to it bound what any member of it can give, so that members are looked at only where the bound passes what is known
already. Nothing is approximated: a bound is the same quotient with a larger numerator and a smaller denominator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.types import FloatArray, IntArray

CANCELLED = 1e-5  # of a distance: below it a square had from products keeps too few digits, and is summed up directly
PAIRS_AT_ONCE = 4096  # whose differences are in memory together


@dataclass(frozen=True, eq=False)
class ModelPairs:
    """error: float64 [M, R], of each model's replicates, with means of zero. spread: float64 [M, M], the standard error
    of the difference of two models, one on the diagonal. group: int64 [M], numbered from zero.
    """

    error: FloatArray
    spread: FloatArray
    group: IntArray

    @classmethod
    def of(cls, error: FloatArray) -> ModelPairs:
        """error: float64 [R, M], no two columns equal."""
        rows = np.ascontiguousarray(error.T)
        spread = _spread(rows)
        return cls(rows, spread, _groups(spread))

    def only(self, models: IntArray) -> ModelPairs:
        """The pairs of these alone, in the order given; grouped anew, as fewer need fewer groups."""
        spread = self.spread[np.ix_(models, models)]
        return ModelPairs(self.error[models], spread, _groups(spread))

    def furthest(self, model: int, among: IntArray) -> float:
        """The largest (error of ``model`` less that of one of ``among``) / spread of the two in any replicate; or 0."""
        largest = np.zeros(1)
        for members, distance in self._by_group(model, among):
            bound = (self.error[model] - self.error[members].min(axis=0)) / distance.min()
            open_ = np.flatnonzero(bound > largest)
            if len(open_):
                apart = self.error[model, open_] - self.error[np.ix_(members, open_)]
                largest = np.maximum(largest, (apart / distance[:, None]).max())
        return float(largest[0])

    def _by_group(self, model: int, among: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        order = among[np.argsort(self.group[among], kind="stable")]
        cuts = np.flatnonzero(np.diff(self.group[order])) + 1
        for members in np.split(order, cuts):
            if len(members):
                yield members, self.spread[model, members]


class Joining:
    """Models that join one after another, and of each replicate the largest |difference| / spread of any two there.

    largest: float64 [R]; where it is no more than the last join's ``beyond``, that of some two at least.
    """

    def __init__(self, pairs: ModelPairs) -> None:
        models, replicates = pairs.error.shape
        self._pairs, self._there = pairs, np.zeros(models, dtype=bool)
        self._members = np.argsort(pairs.group, kind="stable")  # of every group together
        self._sizes = np.bincount(pairs.group)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._high = np.full((len(self._sizes), replicates), -np.inf)
        self._low = -self._high
        self._up, self._down = np.empty_like(self._high), np.empty_like(self._high)  # filled anew at every join
        self.largest: FloatArray = np.zeros(replicates)

    def join(self, model: int, beyond: float) -> None:
        """beyond: no value up to it is asked about, now or later, so that it need not be looked for."""
        error, own = self._pairs.error[model], self._pairs.group[model]
        spread = np.where(self._there, self._pairs.spread[model], np.inf)[self._members]
        nearest = np.minimum.reduceat(spread, self._starts)
        nearest[np.isinf(nearest)] = 1.0  # nobody there yet
        np.subtract(self._high, error, out=self._up)
        np.subtract(error, self._low, out=self._down)
        np.maximum(self._up, self._down, out=self._up)
        self._up /= nearest[:, None]
        self._compare(error, spread, np.flatnonzero(self._up > np.maximum(self.largest, beyond)))
        self._there[model] = True
        np.maximum(self._high[own], error, out=self._high[own])
        np.minimum(self._low[own], error, out=self._low[own])

    def _compare(self, error: FloatArray, spread: FloatArray, cells: IntArray) -> None:
        """error [R] with those of a group in a replicate, for ``cells``: each a group times R, plus the replicate."""
        group, replicate = np.divmod(cells, len(error))
        sizes = self._sizes[group]
        replicate = np.repeat(replicate, sizes)
        place = np.arange(len(replicate)) + np.repeat(self._starts[group] - (np.cumsum(sizes) - sizes), sizes)
        apart = np.abs(self._pairs.error[self._members[place], replicate] - error[replicate]) / spread[place]
        np.maximum.at(self.largest, replicate, apart)


def _spread(error: FloatArray) -> FloatArray:
    """float64 [M, M] of error [M, R]: from products, and where these would cancel, from the differences themselves."""
    centred = error - error.mean(axis=0)
    product = centred @ centred.T
    product /= error.shape[1]
    own = np.diagonal(product).copy()
    both = own[:, None] + own
    square = both - 2 * product
    first, second = np.nonzero(np.triu(square <= CANCELLED * both, 1))
    for at in range(0, len(first), PAIRS_AT_ONCE):
        i, j = first[at : at + PAIRS_AT_ONCE], second[at : at + PAIRS_AT_ONCE]
        square[i, j] = square[j, i] = ((error[i] - error[j]) ** 2).mean(axis=1)
    np.fill_diagonal(square, 1.0)
    return np.asarray(np.sqrt(square))


def _groups(spread: FloatArray) -> IntArray:
    """int64 [M]: each model with the nearest of some sqrt(M) centres, every centre the furthest from those before."""
    models = len(spread)
    nearest, group = spread[0].copy(), np.zeros(models, dtype=np.int64)
    nearest[0] = 0.0
    for number in range(1, round(np.sqrt(models))):
        centre = int(nearest.argmax())
        closer = spread[centre] < nearest
        closer[centre] = True
        group[closer], nearest[closer] = number, spread[centre, closer]
        nearest[centre] = 0.0
    return group
