"""The models that cannot be told from the best, and the ranks that this leaves to each.

The model confidence set (Hansen, Lunde and Nason 2011, Econometrica 79(2)) holds the best model with 95% probability:
while equal performance of those left is rejected, the model of the largest t against another one is dropped (their
statistic T_R, section 3.1.2). What is drawn from are the replicates of ``Resampled``, each drawn once: so the draws are
those of every figure on the board, clustered, weighted and stratified as they are, where a bootstrap of transitions
would take a person's for independent. The procedure is ``arch``'s as far as that can be waited for; a board has a set
for every tie down its ranks, and those are had from the same steps, vectorised (``_eliminate``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from harness.stats.inference import Resampled
from harness.types import BoolArray, FloatArray, IntArray

SIZE = 0.05  # one less the probability that the set holds the best model
JITTER = 1e-9  # nats: models whose difference never varies get a variance, far below any that a table shows
ARCH_MODELS = 15  # most models that arch compares: 50 ms; every pair of 50 in every replicate, half a second and 120 MB


@dataclass(frozen=True, eq=False)
class ConfidenceSet:
    """p: float64 [M], the largest size at which the set does not hold the model, never 0. members: bool [M], p > 5%."""

    p: FloatArray
    members: BoolArray


def confidence_set(models: Resampled) -> ConfidenceSet:
    """The model confidence set at 95%: what of M models cannot be told from the best.

    p is (1 + count) / (1 + replicates), the count that of replicates in which some two models are further apart than
    any two are, less their expectation. Models that no replicate brings as near to the best one as they would have to
    be, whichever of all is looked at, are dropped before the others are compared, with the smallest p there is.
    Models with the same log-likelihoods have one p. Where one unit alone has transitions nothing can be told, and all
    are members.
    """
    if models.units < 2:
        return ConfidenceSet(np.ones(len(models.mean)), np.ones(len(models.mean), dtype=bool))
    contest = _Contest.of(models)
    p = np.full(len(contest.level), 1 / (1 + len(contest.error)))
    near = contest.near(np.arange(len(p)))
    compare = _by_arch if len(near) <= ARCH_MODELS else _eliminate
    p[near] = compare(contest.level[near], contest.error[:, near])
    p = p[contest.place]
    return ConfidenceSet(p, p > SIZE)


def ranks(models: Resampled, best: ConfidenceSet) -> list[tuple[int, int]]:
    """The (first, last) rank that each of M models may have: "1-3".

    The members of ``best`` are tied for the first ranks; the confidence set of the models left, for those that follow;
    and so on. A set need not go down the figures in order (a model that varies much may be in it where a better one,
    compared more precisely, is not), so intervals are widened until no model has a worse end than one with a worse
    figure. So each holds the model's rank by its figure.
    """
    count = len(models.mean)
    if models.units < 2:
        return [(1, count)] * count
    contest = _Contest.of(models)
    members = np.zeros(len(contest.level), dtype=bool)
    members[contest.place[best.members]] = True
    first, last = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    left, taken = np.arange(len(members)), 0
    while True:
        tied = np.isin(contest.place, left[members])
        first[tied], last[tied] = taken + 1, taken + tied.sum()
        taken += int(tied.sum())
        left = left[~members]
        if not len(left):
            break
        near = contest.near(left)
        kept = near[_eliminate(contest.level[near], contest.error[:, near]) > SIZE]
        members = np.isin(left, kept)
    level = models.mean
    return [(int(first[level <= own].min()), int(last[level >= own].max())) for own in level]


@dataclass(frozen=True, eq=False)
class _Contest:
    """The K different models among M, best first: equal ones would be told apart by the last bit of a sum.

    level: float64 [K], log-likelihood per transition. error: float64 [R, K], how far replicates are from their mean.
    place: int64 [M], which of the K each of the M models is.
    """

    level: FloatArray
    error: FloatArray
    place: IntArray

    @classmethod
    def of(cls, models: Resampled) -> _Contest:
        said = [column.tobytes() for column in np.ascontiguousarray(models.means.T)]
        first = {key: i for i, key in reversed(list(enumerate(said)))}
        order = sorted(first, key=lambda key: (-models.mean[first[key]], key))
        kept = [first[key] for key in order]
        at = {key: k for k, key in enumerate(order)}
        error = models.means[:, kept]
        error += JITTER * np.random.default_rng(0).standard_normal(error.shape)
        error -= error.mean(axis=0)
        level = models.mean[kept] - JITTER / 1000 * np.arange(len(kept))  # none equal: arch drops both of a tie
        return cls(level, error, np.array([at[key] for key in said]))

    def near(self, among: IntArray) -> IntArray:
        """Those of ``among``, best first, that some replicate brings as near to the first as t asks for.

        The largest t of any of them in any replicate is what each one's is held to: the first step of Romano and
        Wolf's procedure, at the smallest size that the replicates can tell. Only so can hundreds be compared pairwise.
        """
        apart = self.error[:, among[:1]] - self.error[:, among[1:]]
        error = np.sqrt((apart**2).mean(axis=0))
        t = (self.level[among[0]] - self.level[among[1:]]) / error
        return np.append(among[:1], among[1:][t <= (apart / error).max(initial=0.0)])


def _by_arch(level: FloatArray, error: FloatArray) -> FloatArray:
    """float64 [k], the p of each of k different models: level [k], error [R, k] with means of zero."""
    if len(level) == 1:
        return np.ones(1)
    from arch.bootstrap import MCS

    replicates = len(error)
    mcs = MCS(-(level + error), SIZE, reps=replicates, block_size=1, method="R")
    cast(Any, mcs).bootstrap = _EachOnce(replicates)
    mcs.compute()
    found = mcs.pvalues["Pvalue"]
    p = np.empty(len(level))
    p[found.index.to_numpy(dtype=np.int64)] = [_p(share * replicates, replicates) for share in found]
    return p


class _EachOnce:
    """Stands where ``arch`` has a bootstrap of rows: the rows are replicates already, and each is a draw of its own."""

    def __init__(self, replicates: int) -> None:
        self.replicates = replicates

    def bootstrap(self, reps: int) -> Iterator[tuple[tuple[IntArray], dict[str, Any]]]:
        for row in range(min(reps, self.replicates)):
            yield (np.array([row]),), {}


def _eliminate(level: FloatArray, error: FloatArray) -> FloatArray:
    """As ``_by_arch``, hundreds of times as fast.

    Who is dropped when depends on the t of the data alone. So the largest t of a replicate is computed from the last
    model on, with one row of pairs for each that joins, and not anew for each set.
    """
    spread = np.ones((len(level), len(level)))
    for i in range(1, len(level)):
        spread[i, :i] = spread[:i, i] = np.sqrt(((error[:, [i]] - error[:, :i]) ** 2).mean(axis=0))
    t = (level - level[:, None]) / spread  # [i, j]: how much worse i is than j
    dropped, statistic = _order(t)
    largest = np.zeros(len(error))
    p = np.ones(len(level))
    for n in range(len(level) - 2, -1, -1):
        model, better = dropped[n], dropped[n + 1 :]
        apart = np.abs(error[:, [model]] - error[:, better]) / spread[model, better]
        largest = np.maximum(largest, apart.max(axis=1))
        p[model] = _p(float((statistic[n] < largest).sum()), len(error))
    p[dropped] = np.maximum.accumulate(p[dropped])
    return p


def _order(t: FloatArray) -> tuple[IntArray, FloatArray]:
    """int64 [k]: the models in the order in which they are dropped, the last one staying; float64 [k]: each one's t."""
    left = np.arange(len(t))
    dropped, statistic = [], []
    while len(left) > 1:
        worst = t[np.ix_(left, left)].max(axis=1)
        i = int(worst.argmax())
        dropped.append(left[i])
        statistic.append(worst[i])
        left = np.delete(left, i)
    return np.array([*dropped, left[0]]), np.array([*statistic, 0.0])


def _p(count: float, replicates: int) -> float:
    return (1 + round(count)) / (1 + replicates)
