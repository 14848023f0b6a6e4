"""A task is an at-risk rule plus a partition of the next state.

A model gives ln P(next state | history); a partition says which states it must be asked for, and turns what it
answers into the log-probability of the outcome that happened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.panel.careers import Panel
from harness.types import BoolArray, FloatArray, IntArray

# A float32 log-probability cannot tell a probability within 2^-24 of one from one itself: that much is always left to
# the other side of a two-way split, so a certain model that errs is priced at 16.6 nats rather than at infinity.
LOG_SMALLEST_REST = -24 * float(np.log(2.0))


def log_rest(log_prob: FloatArray) -> FloatArray:
    """ln(1 - exp(log_prob)), float64 of the same shape, exact for probabilities near zero and near one."""
    inside = np.minimum(log_prob.astype(np.float64), -1e-300)
    with np.errstate(divide="ignore"):  # ln 0 in the branch that is not taken
        near_one = np.log(-np.expm1(inside))
        near_zero = np.log1p(-np.exp(inside))
    rest = np.where(inside > -0.6931, near_one, near_zero)
    return np.asarray(np.maximum(rest, LOG_SMALLEST_REST), dtype=np.float64)


def log_sum(log_prob: FloatArray) -> FloatArray:
    """ln of the sum of exp over the last axis, float64 [n] from [n, m], capped at zero; m may be any number above 0."""
    wide = log_prob.astype(np.float64)
    top = np.maximum(wide.max(axis=-1), -1e300)
    return np.asarray(np.minimum(top + np.log(np.exp(wide - top[:, None]).sum(axis=-1)), 0.0), dtype=np.float64)


class Partition(ABC):
    """Blocks of the next state, one of which happens."""

    @abstractmethod
    def ask(self, panel: Panel, transitions: IntArray) -> IntArray:
        """int64 [n, m]: the states whose log-probabilities ``outcome`` needs."""

    @abstractmethod
    def outcome(self, panel: Panel, transitions: IntArray, log_prob: FloatArray) -> FloatArray:
        """float64 [n]: ln P(observed block), from ``log_prob`` [n, m] of the states that ``ask`` named."""


@dataclass(frozen=True, slots=True)
class EachState(Partition):
    """Every state is an outcome of its own.

    given_switch: condition on leaving the origin: P(k) / (1 - P(origin)) for k other than the origin.
    """

    given_switch: bool = False

    def ask(self, panel: Panel, transitions: IntArray) -> IntArray:
        observed = panel.state[transitions].astype(np.int64)
        if not self.given_switch:
            return observed[:, None]
        return np.stack([observed, panel.origin(transitions)], axis=1)

    def outcome(self, panel: Panel, transitions: IntArray, log_prob: FloatArray) -> FloatArray:
        observed = log_prob[:, 0].astype(np.float64)
        return np.minimum(observed - log_rest(log_prob[:, 1]), 0.0) if self.given_switch else observed

    def likeliest(self, panel: Panel, transitions: IntArray, rows: FloatArray) -> FloatArray:
        """float64 [n]: ln P of the likeliest outcome, from whole rows [n, K]."""
        if not self.given_switch:
            return np.asarray(rows.max(axis=1), dtype=np.float64)
        index, origin = np.arange(len(rows)), panel.origin(transitions)
        rest = log_rest(rows[index, origin])
        rows = rows.copy()
        rows[index, origin] = -np.inf
        return np.asarray(np.minimum(rows.max(axis=1).astype(np.float64) - rest, 0.0), dtype=np.float64)

    def rank(self, panel: Panel, transitions: IntArray, rows: FloatArray) -> IntArray:
        """int64 [n]: place of the observed state among the outcomes, 1 the likeliest, from whole rows [n, K].

        States that tie with it count half, so that a model that says nothing is not flattered by the order of codes.
        """
        rows = rows.copy()
        index = np.arange(len(rows))
        observed = rows[index, panel.state[transitions]][:, None]
        if self.given_switch:
            rows[index, panel.origin(transitions)] = -np.inf
        ahead = (rows > observed).sum(axis=1)
        ties = (rows == observed).sum(axis=1) - 1
        return np.asarray(1 + ahead + (ties + 1) // 2, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Event(Partition):
    """Two outcomes: the event, and all else.

    members: (panel, transitions) -> int64 [n, m], the states of one block, the one with few states.
    complement: the event is leaving that block, as for ``switch``, rather than entering it.
    """

    members: Callable[[Panel, IntArray], IntArray]
    complement: bool = False

    def ask(self, panel: Panel, transitions: IntArray) -> IntArray:
        return self.members(panel, transitions)

    def happened(self, panel: Panel, transitions: IntArray) -> BoolArray:
        """bool [n]: whether the event happened."""
        inside = (self.members(panel, transitions) == panel.state[transitions][:, None]).any(axis=1)
        return np.asarray(inside != self.complement, dtype=bool)

    def event(self, log_prob: FloatArray) -> FloatArray:
        """float64 [n]: ln P(event), from ``log_prob`` [n, m] of the members.

        What a model spends outside the states counts on the side of all that is not a member.
        """
        inside = log_sum(log_prob)
        return log_rest(inside) if self.complement else inside

    def outcome(self, panel: Panel, transitions: IntArray, log_prob: FloatArray) -> FloatArray:
        inside = log_sum(log_prob)
        # The block that was asked about is priced as the model priced it, however small; the rest alone has a floor.
        return np.where(self.happened(panel, transitions) != self.complement, inside, log_rest(inside))

    @staticmethod
    def observed(log_event: FloatArray, happened: BoolArray) -> FloatArray:
        """float64 [n]: ln P(what happened), from ln P(event) [n] and whether it did, of models that know no block."""
        return np.where(happened, log_event, log_rest(log_event))


def every_transition(panel: Panel, transitions: IntArray) -> BoolArray:
    """The at-risk rule of tasks that ask about everyone: bool [n], all true."""
    return np.ones(len(transitions), dtype=bool)


@dataclass(frozen=True, slots=True)
class Task:
    """A prediction: the outcomes, and the transitions that it is asked for.

    name, version: a change that moves any number raises the version. summary: one line for lists.
    at_risk: (panel, transitions) -> bool [n]: which of these transitions the task asks about.
    outcomes: one line that names the outcomes, for boards.
    entry: also predict each career's first record. Only for partitions that need no origin.
    """

    name: str
    version: int
    summary: str
    at_risk: Callable[[Panel, IntArray], BoolArray]
    partition: Partition
    outcomes: str
    allows_entry: bool = False
    entry: bool = False

    @property
    def key(self) -> str:
        """The name that boards and files use: with entry records it is another task."""
        return f"{self.name}-entry" if self.entry else self.name

    def with_entry(self, entry: bool) -> Task:
        """The same task, with or without each career's first record.

        Raises ValueError where the outcome is not defined for a first record.
        """
        if entry and not self.allows_entry:
            raise ValueError(
                f"task '{self.name}' is about leaving or keeping a state; a first record has no state before it"
            )
        return replace(self, entry=entry)

    def transitions(self, panel: Panel) -> IntArray:
        """int64 [n]: the transitions at risk, each named by its target record, in the panel's order."""
        later = panel.transitions
        chosen = later[self.at_risk(panel, later)]
        return np.union1d(chosen, panel.entries) if self.entry else chosen
