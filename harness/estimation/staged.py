"""Models in three steps: does the person stay; if not, to which major group; and to which state of that group.

P(k) = s for the origin and (1 - s) P(group of k | switch) P(k | group, switch) for every other state, the origin left
out of its own group. A model fills in the three steps; assembling rows, within bounded memory, is done here.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.estimation.samples import Sample, coarse_groups
from harness.estimation.transition_model import FromOrigin
from harness.features.discrete import Discretizer
from harness.features.pairs import Inputs, Pairs, group_pairs, open_groups, state_pairs
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.types import FloatArray, IntArray

LARGEST_LOG_ODDS = 14.0  # of staying: a probability of a float32 that is not yet one


class Staged(FromOrigin):
    """Base of the three-step models: subclasses estimate and score the steps.

    pairs_at_once: (transition, alternative) pairs priced at once; half a million take about 100 MB with 50 float32
    columns.
    """

    pairs_at_once: ClassVar[int] = 500_000

    def __init__(self) -> None:
        super().__init__()
        self.group: IntArray = np.zeros(0, dtype=np.int64)  # [K]

    @abstractmethod
    def estimate(self, train: Sample, valid: Sample, context: Context) -> None:
        """Estimate every step; called only where there is more than one state."""

    @abstractmethod
    def stay_log_odds(self, inputs: Inputs) -> FloatArray:
        """float64 [n]: ln P(stay) - ln P(switch)."""

    @abstractmethod
    def group_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        """float64 [q]: scores of major groups; their softmax over a choice set is P(group | switch)."""

    @abstractmethod
    def state_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        """float64 [q]: scores of states; their softmax over a choice set is P(state | group, switch)."""

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        table = self.begin(train)
        self.group = coarse_groups(train)
        if train.n_states > 1:
            self.estimate(Sample.of(train, self.discretizer, table), Sample.of(valid, self.discretizer), context)

    def log_prob_from(self, inputs: Inputs, states: IntArray) -> FloatArray:
        out = np.empty(states.shape, dtype=np.float32)
        size = np.bincount(self.group)
        step = max(1, self.pairs_at_once // (len(size) + min(states.shape[1] * int(size.max()), len(self.group))))
        for start in range(0, len(inputs), step):
            rows = np.arange(start, min(start + step, len(inputs)))
            out[rows] = self._rows(inputs.take(rows), states[rows])
        return out

    def _rows(self, inputs: Inputs, states: IntArray) -> FloatArray:
        """float64 [n, m]: ln P of the states asked for, of transitions that have an origin."""
        log_odds = np.clip(self.stay_log_odds(inputs), -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
        log_stay, log_leave = -np.logaddexp(0.0, -log_odds), -np.logaddexp(0.0, log_odds)
        elsewhere = states != inputs.origin[:, None]
        out = np.where(elsewhere, log_leave[:, None], log_stay[:, None])
        moving = np.flatnonzero(elsewhere.any(axis=1))
        if len(moving):
            row, column = np.nonzero(elsewhere[moving])
            target = states[moving[row], column]
            out[moving[row], column] += self._destination(inputs.take(moving), row, target)
        return out

    def _destination(self, inputs: Inputs, row: IntArray, target: IntArray) -> FloatArray:
        """float64 [c]: ln P(target | switch) of c cells, none the row's origin."""
        groups = group_pairs(inputs.origin, open_groups(self.group))
        n_groups = int(self.group.max()) + 1
        log_group = np.full((len(inputs), n_groups), -np.inf)
        log_group[groups.row, groups.alternative] = groups.log_softmax(self.group_scores(inputs, groups))
        sets, which = np.unique(row * n_groups + self.group[target], return_inverse=True)
        pairs = state_pairs(sets // n_groups, sets % n_groups, self.group)
        log_state = self._log_within(inputs, pairs)
        members = np.argsort(self.group, kind="stable")
        place = np.empty(len(members), dtype=np.int64)  # [K] a state's place in its group
        size = np.bincount(self.group)
        place[members] = np.arange(len(members)) - np.repeat(np.cumsum(size) - size, size)
        return np.asarray(log_group[row, self.group[target]] + log_state[pairs.begin[which] + place[target]])

    def _log_within(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        """float64 [q]: ln P(state | group, switch), -inf for the origin."""
        scores = self.state_scores(inputs, pairs)
        scores[pairs.alternative == inputs.origin[pairs.row]] = -np.inf
        return pairs.log_softmax(scores)

    def save(self, folder: Path) -> None:
        np.savez(folder / "staged.npz", group=self.group, entry_log=self.entry_log)
        stored = {"codes": list(self.codes), "contexts": self.discretizer.to_json()}
        (folder / "staged.json").write_text(json.dumps(stored), encoding="utf-8")

    def load(self, folder: Path) -> None:
        with np.load(folder / "staged.npz", allow_pickle=False) as arrays:
            self.group, self.entry_log = arrays["group"], arrays["entry_log"]
        stored = json.loads((folder / "staged.json").read_text(encoding="utf-8"))
        self.codes, self.discretizer = tuple(stored["codes"]), Discretizer.from_json(stored["contexts"])
