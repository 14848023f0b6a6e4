"""The models that cannot be told from the best, and the ranks that this leaves to each.

The model confidence set (Hansen, Lunde and Nason 2011, Econometrica 79(2)) holds the best model with 95% probability:
while equal performance of those left is rejected, the model of the largest t against another one is dropped (their
statistic T_R, section 3.1.2). What is drawn from are the replicates of ``Resampled``, each drawn once: so the draws are
those of every figure on the board, clustered, weighted and stratified as they are, where a bootstrap of transitions
would take a person's for independent. The steps are those of ``arch``'s MCS, vectorised (``_eliminate``): a board has a
set for every tie down its ranks, and importing ``arch`` alone takes seconds. Tests hold every p to ``arch``'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.stats.inference import Resampled
from harness.stats.pairs import Joining, ModelPairs
from harness.types import BoolArray, FloatArray, IntArray

SIZE = 0.05  # one less the probability that the set holds the best model
JITTER = 1e-9  # nats: models whose difference never varies get a variance, far below any that a table shows


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
    p = np.full(len(contest.level), _p(0, len(models.means)))
    near = contest.near(np.arange(len(p)))
    p[near] = contest.p(near)
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
    if best.members.all():
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
        kept = near[_eliminate(contest.level[near], contest.pairs.only(near)) > SIZE]
        members = np.isin(left, kept)
    level = models.mean
    return [(int(first[level <= own].min()), int(last[level >= own].max())) for own in level]


@dataclass(frozen=True, eq=False)
class _Contest:
    """The K different models among M, best first: equal ones would be told apart by the last bit of a sum.

    level: float64 [K], log-likelihood per transition. pairs: of the K, by how far replicates are from their mean.
    place: int64 [M], which of the K each of the M models is.
    """

    level: FloatArray
    pairs: ModelPairs
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
        level = models.mean[kept] - JITTER / 1000 * np.arange(len(kept))  # none equal
        return cls(level, ModelPairs.of(error), np.array([at[key] for key in said]))

    def near(self, among: IntArray) -> IntArray:
        """Those of ``among``, best first, that some replicate brings as near to the first as t asks for.

        The largest t of any of them in any replicate is what each one's is held to: the first step of Romano and
        Wolf's procedure, at the smallest size that the replicates can tell. Only so can hundreds be compared pairwise.
        """
        first, others = int(among[0]), among[1:]
        t = (self.level[first] - self.level[others]) / self.pairs.spread[first, others]
        return np.append(among[:1], others[t <= self.pairs.furthest(first, others)])

    def p(self, among: IntArray) -> FloatArray:
        """float64 [k]: the p of each of ``among``, compared with one another alone."""
        return _eliminate(self.level[among], self.pairs.only(among))


def _eliminate(level: FloatArray, pairs: ModelPairs) -> FloatArray:
    """float64 [k], the p of each of k different models: level [k], pairs of the k.

    Who is dropped when depends on the t of the data alone. So the largest t of a replicate is computed from the last
    model on, with one row of pairs for each that joins, and not anew for each set.
    """
    dropped, statistic = _order((level - level[:, None]) / pairs.spread)  # [i, j]: how much worse i is than j
    there = Joining(pairs)
    there.join(int(dropped[-1]), beyond=0.0)
    p = np.ones(len(level))
    for n in range(len(level) - 2, -1, -1):
        there.join(int(dropped[n]), beyond=statistic[n])
        p[dropped[n]] = _p(float((statistic[n] < there.largest).sum()), len(there.largest))
    p[dropped] = np.maximum.accumulate(p[dropped])
    return p


def _order(t: FloatArray) -> tuple[IntArray, FloatArray]:
    """int64 [k]: the models in the order in which they are dropped, the last one staying; float64 [k]: each one's t.

    A row is looked through again only where the one that its largest t is against has been dropped.
    """
    models = len(t)
    left = np.ones(models, dtype=bool)
    against = t.argmax(axis=1)
    worst = t[np.arange(models), against]
    dropped, statistic = np.empty(models, dtype=np.int64), np.zeros(models)
    for n in range(models - 1):
        dropped[n] = i = int(worst.argmax())
        statistic[n] = worst[i]
        left[i], worst[i] = False, -np.inf
        for row in np.flatnonzero(left & (against == i)):
            among = np.where(left, t[row], -np.inf)
            against[row] = among.argmax()
            worst[row] = among[against[row]]
    dropped[-1] = int(left.argmax())
    return dropped, statistic


def _p(count: float, replicates: int) -> float:
    return (1 + round(count)) / (1 + replicates)
