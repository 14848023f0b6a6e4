"""Samples of transitions to estimate from, and folds of their persons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.features.catalogue import FeatureTable
from harness.features.discrete import Discretizer
from harness.features.pairs import Inputs
from harness.panel.careers import Panel
from harness.types import BoolArray, FloatArray, IntArray

FOLDS = 5
MOST_GROUPS = 48  # a code list without major groups makes every state its own: the rarest are then put together


@dataclass(frozen=True)
class Sample:
    """n transitions to estimate from, of a panel's persons.

    inputs: what is known of them. target: int64 [n], the state that followed. person: int64 [n]. weight: float64 [n],
    what each counts for, above zero.
    """

    panel: Panel
    inputs: Inputs
    target: IntArray
    person: IntArray
    weight: FloatArray

    @classmethod
    def of(cls, panel: Panel, discretizer: Discretizer, table: FeatureTable | None = None) -> Sample:
        """A panel's transitions; those of weight zero are as if they were not there.

        table: the features of all the panel's transitions, where these are there already.
        """
        records = counting(panel, panel.transitions)
        if table is not None and len(records) < len(panel.transitions):
            table = table.take(np.isin(panel.transitions, records))
        inputs, target = Inputs.of(panel, records, discretizer, table), panel.state[records].astype(np.int64)
        return cls(
            panel=panel, inputs=inputs, target=target, person=panel.person[records], weight=panel.weights(records)
        )

    def __len__(self) -> int:
        return len(self.target)

    @property
    def stayed(self) -> BoolArray:
        """bool [n]"""
        return np.asarray(self.origin == self.target)

    def take(self, rows: IntArray) -> Sample:
        inputs = self.inputs.take(rows)
        return Sample(
            panel=self.panel,
            inputs=inputs,
            target=self.target[rows],
            person=self.person[rows],
            weight=self.weight[rows],
        )

    def switchers(self) -> Sample:
        return self.take(np.flatnonzero(~self.stayed))

    def of_persons(self, chosen: BoolArray) -> Sample:
        """Some persons' transitions, and the panel of these persons: bool [P]."""
        rows = np.flatnonzero(chosen[self.person])
        place = np.cumsum(chosen) - 1
        panel = self.panel.select(np.flatnonzero(chosen))
        inputs = self.inputs.take(rows)
        return Sample(
            panel=panel,
            inputs=inputs,
            target=self.target[rows],
            person=place[self.person[rows]],
            weight=self.weight[rows],
        )

    @property
    def origin(self) -> IntArray:
        """int64 [n]"""
        return self.inputs.origin

    def fold(self) -> IntArray:
        """int64 [n]: which of the folds of persons each transition is in."""
        return self.person % FOLDS

    def others(self, fold: int) -> Sample:
        """The transitions of the persons outside a fold."""
        return self.of_persons(np.arange(self.panel.n_persons) % FOLDS != fold)

    def stays(self) -> Outcomes:
        """Staying of each: True where it kept its origin."""
        return Outcomes(self.inputs, self.stayed, self.person, self.weight)


@dataclass(frozen=True)
class Outcomes:
    """n transitions and whether a binary outcome, as staying or a task's event, happened: bool [n].

    person: int64 [n]. weight: float64 [n], above zero.
    """

    inputs: Inputs
    happened: BoolArray
    person: IntArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.happened)

    def fold(self) -> IntArray:
        """int64 [n]: which of the folds of persons each transition is in."""
        return self.person % FOLDS

    def others(self, fold: int) -> Outcomes:
        """The transitions of the persons outside a fold."""
        rows = np.flatnonzero(self.fold() != fold)
        return Outcomes(self.inputs.take(rows), self.happened[rows], self.person[rows], self.weight[rows])


def counting(panel: Panel, transitions: IntArray) -> IntArray:
    """int64: those of the transitions whose weight is above zero."""
    return transitions[panel.weights(transitions) > 0]


def coarse_groups(panel: Panel) -> IntArray:
    """int64 [K]: the major groups, the rarest put together where there are more than ``MOST_GROUPS``."""
    group = panel.occupations.group_index()[0]
    counts = np.bincount(group[panel.state], minlength=int(group.max()) + 1)
    if len(counts) <= MOST_GROUPS:
        return group
    place = np.empty(len(counts), dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(place, MOST_GROUPS - 1)[group]
