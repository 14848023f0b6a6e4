"""Smoothed transition frequencies: counts that lean on a coarser distribution where they are few.

Every estimate here is a Dirichlet posterior mean, (count + strength * prior) / (total + strength): the strength is the
number of observations that the prior is worth, so a much-observed origin speaks for itself and a rare one borrows
(MacKay and Peto 1995, "A hierarchical Dirichlet language model", eq. 5). Counts are sums of the records' weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.panel.careers import Panel
from harness.types import BoolArray, FloatArray, IntArray

# Half an observation of every state: Jeffreys' prior, which keeps the never observed possible.
JEFFREYS = 0.5
# Prior strengths tried, in observations: a validation split does not tell finer steps apart.
STRENGTHS: tuple[float, ...] = tuple(float(2.0**k) for k in range(-2, 13))


def count_states(states: IntArray, weight: FloatArray, n: int = 0) -> FloatArray:
    """float64 [n]: how often each of n states occurs, or more if there are more, each time counting for its weight."""
    return np.asarray(np.bincount(states, weights=weight, minlength=n), dtype=np.float64)


def posterior_mean(counts: FloatArray | IntArray, prior: FloatArray, strength: float) -> FloatArray:
    """(counts + strength * prior) / (total + strength) over the last axis; strength above zero."""
    mean: FloatArray = (counts + strength * prior) / (counts.sum(axis=-1, keepdims=True) + strength)
    return mean


def shares(counts: FloatArray | IntArray) -> FloatArray:
    """Counts of states as probabilities, float64 of the same shape, with half an observation more of every state."""
    share: FloatArray = (counts + JEFFREYS) / (counts.sum() + JEFFREYS * len(counts))
    return share


def entry_shares(panel: Panel, strength: float = 10.0) -> FloatArray:
    """float64 [K]: P(state of a career's first record), leaning on the frequencies of all records."""
    first, every, n = panel.entries, np.arange(panel.n_records), panel.n_states
    everyone = count_states(panel.state, panel.weights(every), n)
    entered = count_states(panel.state[first], panel.weights(first), n)
    return posterior_mean(entered, shares(everyone), strength)


class Rates:
    """P(a binary outcome | origin), each origin's rate leaning on the rate of all.

    happened, seen: float64 [K], how often the outcome followed each origin, and anything did. overall: the rate of all.
    """

    def __init__(self, origin: IntArray, happened: BoolArray, weight: FloatArray, n_states: int) -> None:
        """origin: int64 [n]. happened: bool [n]. weight: float64 [n], what each of them counts for."""
        self.happened = count_states(origin[happened], weight[happened], n_states)
        self.seen = count_states(origin, weight, n_states)
        self.overall = float((self.happened.sum() + JEFFREYS) / (self.seen.sum() + 2 * JEFFREYS))

    def rates(self, strength: float, of_state: IntArray | None = None) -> FloatArray:
        """float64 [K]. of_state: int64 [K], what the states are part of; the rates are then those of its A values."""
        happened, seen = self.happened, self.seen
        if of_state is not None:
            happened, seen = (count_states(of_state, counts) for counts in (happened, seen))
        rates: FloatArray = (happened + strength * self.overall) / (seen + strength)
        return rates

    def likeliest(self, origin: IntArray, happened: BoolArray, weight: FloatArray, start: float) -> float:
        """The strength under which these outcomes are likeliest; ``start`` where there are none."""
        if len(origin) == 0:
            return start

        def log_likelihood(strength: float) -> float:
            rate = self.rates(strength)[origin]
            return float((weight * np.log(np.where(happened, rate, 1 - rate))).sum())

        return max((start, *STRENGTHS), key=log_likelihood)


class Stays(Rates):
    """P(next state = origin), each origin's rate leaning on the rate of all."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(*_stays(panel), panel.n_states)

    def rates(self, strength: float, of_state: IntArray | None = None) -> FloatArray:
        """float64 [K]; one where there is a single state and so nowhere to go.

        of_state: int64 [K], what the states are part of; the rates are then those of its A values, float64 [A].
        """
        return np.ones(1) if len(self.seen) == 1 else super().rates(strength, of_state)

    def choose(self, valid: Panel, start: float) -> float:
        """The strength under which staying and leaving in ``valid`` are likeliest; ``start`` where nobody moves."""
        return start if len(self.seen) == 1 else self.likeliest(*_stays(valid), start)


def _stays(panel: Panel) -> tuple[IntArray, BoolArray, FloatArray]:
    """The origin of every transition, whether it was kept, and what that counts for."""
    origin = panel.origin(panel.transitions)
    return origin, origin == panel.state[panel.transitions], panel.weights(panel.transitions)


def switches(panel: Panel) -> tuple[IntArray, IntArray]:
    """int64 [n] each: origin and destination of every transition that left the origin."""
    left = switch_records(panel)
    return panel.origin(left), panel.state[left].astype(np.int64)


def switch_records(panel: Panel) -> IntArray:
    """int64 [n]: the target records of every transition that left the origin, in the order of ``switches``."""
    later = panel.transitions
    left: IntArray = later[panel.origin(later) != panel.state[later]]
    return left


@dataclass(frozen=True, slots=True)
class Strengths:
    """The number of observations that each prior of ``Destinations`` is worth.

    group: the margin's groups against the flows between major groups. origin: these against an origin's own flows to
    groups. state: the margin's shares within a group against an origin's own.
    """

    group: float = 64.0
    origin: float = 128.0
    state: float = 64.0


class Destinations:
    """P(next state | origin, a switch) = P(major group | origin) x P(state | group, origin), never the origin itself.

    An origin's own flows to groups lean on those of its major group, and these on the margin of all destinations;
    its own counts within a group lean on the margin's shares there. K states, G major groups.
    """

    def __init__(self, panel: Panel, group: IntArray | None = None) -> None:
        """group: int64 [K], to be used in place of the occupations' major groups."""
        origin, target = switches(panel)
        n = panel.n_states
        self.group: IntArray = panel.occupations.group_index()[0] if group is None else group
        weight = panel.weights(switch_records(panel))
        self.counts: FloatArray = count_states(origin * n + target, weight, n * n).reshape(n, n)
        self.margin = shares(self.counts.sum(axis=0))
        self.member = np.eye(int(self.group.max()) + 1)[self.group]  # [K, G]
        self.to_group = self.counts @ self.member  # [K, G]
        self.between = self.member.T @ self.to_group  # [G, G]
        self.room = self._room()

    def _room(self) -> FloatArray:
        """float64 [K, G]: the margin's mass in each group without the origin; none where the origin is alone in it."""
        everything = self.margin @ self.member
        room = np.tile(everything, (len(self.group), 1))
        others = np.maximum(everything[self.group] - self.margin, 0.0)
        alone = self.member.sum(axis=0)[self.group] == 1
        room[np.arange(len(self.group)), self.group] = np.where(alone, 0.0, others)
        return room

    def to_groups(self, strengths: Strengths) -> FloatArray:
        """float64 [K, G]: P(major group of the next state | origin, a switch)."""
        total = self.room.sum(axis=1, keepdims=True)
        margin = np.divide(self.room, total, out=np.zeros_like(self.room), where=total > 0)
        flows = posterior_mean(self.between[self.group] * (self.room > 0), margin, strengths.group)
        return posterior_mean(self.to_group, flows, strengths.origin)

    def within(self, strength: float) -> FloatArray:
        """float64 [K, K]: P(next state | its major group, origin, a switch); zero on the diagonal."""
        room = self.room[:, self.group]
        share = np.divide(np.broadcast_to(self.margin, room.shape), room, out=np.zeros_like(room), where=room > 0)
        np.fill_diagonal(share, 0.0)
        return (self.counts + strength * share) / (self.to_group[:, self.group] + strength)

    def table(self, strengths: Strengths) -> FloatArray:
        """float64 [K, K]: rows that sum to one, or to zero where the origin is the only state there is."""
        return self.to_groups(strengths)[:, self.group] * self.within(strengths.state)

    def choose(self, valid: Panel, fixed: Mapping[str, float] | None = None) -> Strengths:
        """The strengths under which the switches of ``valid`` are likeliest; the defaults where it has none.

        fixed: strengths that are given and so not chosen, by name.
        """
        start = replace(Strengths(), **(fixed or {}))
        origin, target = switches(valid)
        if len(origin) == 0:
            return start
        group, weight = self.group[target], valid.weights(switch_records(valid))

        def groups(candidate: Strengths) -> float:
            return float((weight * np.log(self.to_groups(candidate)[origin, group])).sum())

        def states(candidate: Strengths) -> float:
            return float((weight * np.log(self.within(candidate.state)[origin, target])).sum())

        free = {"group", "origin", "state"} - set(fixed or ())
        start = climb(start, sorted(free & {"group", "origin"}), groups)
        return climb(start, sorted(free & {"state"}), states)


def climb(start: Strengths, names: Sequence[str], log_likelihood: Callable[[Strengths], float]) -> Strengths:
    """The likeliest on the grid ``STRENGTHS``, one strength at a time until none moves."""
    best, value = start, log_likelihood(start)
    moved = True
    while moved:
        moved = False
        for name in names:
            for strength in STRENGTHS:
                candidate = replace(best, **{name: strength})
                if (found := log_likelihood(candidate)) > value + 1e-9:
                    best, value, moved = candidate, found, True
    return best
