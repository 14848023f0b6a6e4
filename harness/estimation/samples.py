"""Samples of transitions to estimate from, and folds of their persons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.features.catalogue import FeatureTable
from harness.features.discrete import Discretizer
from harness.features.pairs import Inputs
from harness.panel.careers import Panel, hash_draws
from harness.types import BoolArray, FloatArray, IntArray, StrArray

FOLDS = 5
MOST_GROUPS = 48  # a code list without major groups makes every state its own: the rarest are then put together


@dataclass(frozen=True)
class Sample:
    """n transitions to estimate from, of a panel's persons.

    inputs: what is known of them. target: int64 [n], the state that followed. person: int64 [n]. weight: float64 [n],
    what each counts for, above zero. folds: int64 [P], the fold of each of the panel's persons.
    """

    panel: Panel
    inputs: Inputs
    target: IntArray
    person: IntArray
    weight: FloatArray
    folds: IntArray

    @classmethod
    def of(cls, panel: Panel, discretizer: Discretizer, table: FeatureTable | None = None) -> Sample:
        """A panel's transitions; those of weight zero are as if they were not there.

        table: the features of the panel's transitions that count, where these are there already.
        """
        records = panel.counting(panel.transitions)
        inputs, target = Inputs.of(panel, records, discretizer, table), panel.state[records].astype(np.int64)
        return cls(
            panel=panel,
            inputs=inputs,
            target=target,
            person=panel.person[records],
            weight=panel.weights(records),
            folds=folds_of(panel.persons),
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
            folds=self.folds,
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
            folds=self.folds[chosen],
        )

    @property
    def origin(self) -> IntArray:
        """int64 [n]"""
        return self.inputs.origin

    def fold(self) -> IntArray:
        """int64 [n]: which of the folds of persons each transition is in."""
        return self.folds[self.person]

    def others(self, fold: int) -> Sample:
        """The transitions of the persons outside a fold."""
        return self.of_persons(self.folds != fold)

    def stays(self) -> Outcomes:
        """Staying of each: True where it kept its origin."""
        return Outcomes(inputs=self.inputs, happened=self.stayed, folds=self.fold(), weight=self.weight)


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """n transitions and whether a binary outcome, as staying or a task's event, happened: bool [n].

    folds: int64 [n], of their persons. weight: float64 [n], above zero.
    """

    inputs: Inputs
    happened: BoolArray
    folds: IntArray
    weight: FloatArray

    @classmethod
    def of(cls, panel: Panel, records: IntArray, inputs: Inputs, happened: BoolArray) -> Outcomes:
        """Of target records (int64 [n]), what is known of them and what happened."""
        folds, weight = folds_of(panel.persons)[panel.person[records]], panel.weights(records)
        return cls(inputs=inputs, happened=happened, folds=folds, weight=weight)

    def __len__(self) -> int:
        return len(self.happened)

    def fold(self) -> IntArray:
        """int64 [n]: which of the folds of persons each transition is in."""
        return self.folds

    def others(self, fold: int) -> Outcomes:
        """The transitions of the persons outside a fold."""
        rows = np.flatnonzero(self.folds != fold)
        return Outcomes(
            inputs=self.inputs.take(rows),
            happened=self.happened[rows],
            folds=self.folds[rows],
            weight=self.weight[rows],
        )


def folds_of(persons: StrArray) -> IntArray:
    """int64 [P]: the fold of each person, from a hash of the id alone: neither order nor other persons move anyone."""
    return (hash_draws(persons, "fold") * FOLDS).astype(np.int64)


def coarse_groups(panel: Panel) -> IntArray:
    """int64 [K]: the major groups, the rarest put together where there are more than ``MOST_GROUPS``."""
    group = panel.occupations.group_index()[0]
    weight = panel.weights(np.arange(panel.n_records))
    counts = np.bincount(group[panel.state], weights=weight, minlength=int(group.max()) + 1)
    if len(counts) <= MOST_GROUPS:
        return group
    place = np.empty(len(counts), dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(place, MOST_GROUPS - 1)[group]
