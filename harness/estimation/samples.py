"""Samples of transitions for models in three steps, and features counted on other persons than they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from harness.features.catalogue import FeatureTable
from harness.features.discrete import Discretizer
from harness.features.frequencies import Destinations, Rates, Stays, Strengths
from harness.features.pairs import (
    Affinities,
    Inputs,
    PairFeatures,
    Pairs,
    Scheme,
    group_pairs,
    open_groups,
    state_pairs,
)
from harness.panel.careers import Panel
from harness.types import BoolArray, FloatArray, IntArray

Step = Literal["group", "state"]
FOLDS = 5
SMALLEST = 1e-12
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
        return cls(panel, inputs, target, panel.person[records], panel.weights(records))

    def __len__(self) -> int:
        return len(self.target)

    @property
    def stayed(self) -> BoolArray:
        """bool [n]"""
        return np.asarray(self.origin == self.target)

    def take(self, rows: IntArray) -> Sample:
        inputs = self.inputs.take(rows)
        return Sample(self.panel, inputs, self.target[rows], self.person[rows], self.weight[rows])

    def switchers(self) -> Sample:
        return self.take(np.flatnonzero(~self.stayed))

    def of_persons(self, chosen: BoolArray) -> Sample:
        """Some persons' transitions, and the panel of these persons: bool [P]."""
        rows = np.flatnonzero(chosen[self.person])
        place = np.cumsum(chosen) - 1
        panel = self.panel.select(np.flatnonzero(chosen))
        inputs = self.inputs.take(rows)
        return Sample(panel, inputs, self.target[rows], place[self.person[rows]], self.weight[rows])

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
        """Whether each kept its origin."""
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


@dataclass(frozen=True)
class StayFeatures:
    """Columns for staying: how much more often people of each context stay, how often the origin was seen, the numbers.

    Or for another binary outcome, which then stands in the place of staying. affinities: of the alternatives leave and
    stay. log_odds: float64 [K], of staying, by origin, smoothed. log_seen: float64 [K], ln (1 + transitions from the
    origin).
    """

    affinities: Affinities
    log_odds: FloatArray
    log_seen: FloatArray

    @classmethod
    def empty(cls) -> StayFeatures:
        return cls(Affinities({}, np.zeros(0)), np.zeros(0), np.zeros(0))

    @classmethod
    def count(
        cls, sample: Sample, discretizer: Discretizer, group: IntArray, strengths: tuple[float, float]
    ) -> StayFeatures:
        """Of staying. strengths: as in ``count_outcomes``."""
        return cls.count_outcomes(sample.stays(), discretizer, group, strengths)

    @classmethod
    def count_outcomes(
        cls, outcomes: Outcomes, discretizer: Discretizer, group: IntArray, strengths: tuple[float, float]
    ) -> StayFeatures:
        """strengths: transitions that the overall rate is worth against a state's own, and against a context's."""
        scheme = Scheme(2, group, group, strengths[1], ())
        happened = outcomes.happened.astype(np.int64)
        affinities = Affinities.count(discretizer, outcomes.inputs.codes, happened, scheme, outcomes.weight)
        counted = Rates(outcomes.inputs.origin, outcomes.happened, outcomes.weight, len(group))
        rates = counted.rates(strengths[0])
        return cls(affinities, np.log(rates) - np.log1p(-rates), np.log1p(counted.seen))

    def offset(self, inputs: Inputs) -> FloatArray:
        """float64 [n]: log-odds of staying by origin alone."""
        return self.log_odds[inputs.origin]

    def matrix(self, inputs: Inputs) -> FloatArray:
        """float32 [n, contexts + 1 + numbers]"""
        columns = [table[inputs.codes[name], 1] for name, table in self.affinities.tables.items()]
        return np.column_stack([*columns, self.log_seen[inputs.origin], inputs.numbers]).astype(np.float32)

    def save(self, file: Path) -> None:
        """As one .npz of arrays."""
        np.savez(file, log_odds=self.log_odds, log_seen=self.log_seen, **self.affinities.arrays())

    @classmethod
    def load(cls, file: Path) -> StayFeatures:
        with np.load(file, allow_pickle=False) as stored:
            return cls(Affinities.of_arrays(stored), stored["log_odds"], stored["log_seen"])


Counted = TypeVar("Counted", Sample, Outcomes)


def cross_fitted_stays(sample: Counted, count: Callable[[Counted], StayFeatures]) -> tuple[FloatArray, FloatArray]:
    """Features (float32 [n, d]) and offsets (float64 [n]) of a sample's transitions, each counted on other persons.

    As they are for anyone predicted later: counted on themselves, a rare context would seem to know its outcome.
    """
    fold, offset, blocks = sample.fold(), np.zeros(len(sample)), []
    for f in range(FOLDS):
        rows = np.flatnonzero(fold == f)
        features, inputs = count(sample.others(f)), sample.inputs.take(rows)
        offset[rows] = features.offset(inputs)
        blocks.append((rows, features.matrix(inputs)))
    X = np.empty((len(sample), blocks[0][1].shape[1]), dtype=np.float32)
    for rows, columns in blocks:
        X[rows] = columns
    return X, offset


@dataclass(frozen=True)
class PairCounts:
    """How to count the features of one step's pairs.

    step: destinations are groups, or states. numbers: names of the numeric features that pairs are given.
    """

    step: Step
    discretizer: Discretizer
    group: IntArray
    strengths: Strengths
    strength: float
    numbers: tuple[str, ...]

    def count(self, switchers: Sample) -> PairFeatures:
        of_state = self.group if self.step == "group" else np.arange(len(self.group))
        positions = tuple(i for i, name in enumerate(self.discretizer.numbers) if name in self.numbers)
        scheme = Scheme(int(of_state.max()) + 1, of_state, self.group, self.strength, positions)
        destinations = Destinations(switchers.panel, self.group)
        if self.step == "group":
            base = destinations.to_groups(self.strengths)
        else:
            base = destinations.within(self.strengths.state)
        chosen = of_state[switchers.target]
        return PairFeatures(
            scheme,
            Affinities.count(self.discretizer, switchers.inputs.codes, chosen, scheme, switchers.weight),
            np.log(np.maximum(base, SMALLEST)).astype(np.float32),
            Stays(switchers.panel).rates(self.strength, of_state),
        )

    def choices(self, switchers: Sample) -> tuple[Pairs, BoolArray]:
        """The pairs to choose among, and which were chosen (bool [q])."""
        return (group_choices if self.step == "group" else state_choices)(switchers, self.group)

    def cross_fitted(self, switchers: Sample, pairs: Pairs) -> tuple[FloatArray, FloatArray]:
        """Features (float32 [q, d]) and offsets (float64 [q]) of pairs, each counted on other persons."""
        fold, offset = switchers.fold()[pairs.row], np.zeros(len(pairs))
        X = np.empty((len(pairs), 0), dtype=np.float32)
        for f in range(FOLDS):
            features, mine = self.count(switchers.others(f)), fold == f
            columns = features.matrix(switchers.inputs, pairs.keep(mine))
            if X.shape[1] != columns.shape[1]:
                X = np.empty((len(pairs), columns.shape[1]), dtype=np.float32)
            X[mine], offset[mine] = columns, features.offset(switchers.inputs, pairs.keep(mine))
        return X, offset


def group_choices(sample: Sample, group: IntArray) -> tuple[Pairs, BoolArray]:
    """Switchers against the major groups open to them, and which pairs they chose: bool [q]."""
    pairs = group_pairs(sample.origin, open_groups(group))
    return pairs, np.asarray(pairs.alternative == group[sample.target][pairs.row])


def state_choices(sample: Sample, group: IntArray) -> tuple[Pairs, BoolArray]:
    """Switchers against the states of the group they went to, the origin left out, and which they chose: bool [q].

    Those with a single state to choose from say nothing and are left out.
    """
    went_to = group[sample.target]
    choices = np.bincount(group)[went_to] - (group[sample.origin] == went_to)
    rows = np.flatnonzero(choices > 1)
    pairs = state_pairs(rows, went_to[rows], group)
    pairs = pairs.keep(pairs.alternative != sample.origin[pairs.row])
    return pairs, np.asarray(pairs.alternative == sample.target[pairs.row])


def thinned(pairs: Pairs, label: BoolArray, most: int, seed: int) -> tuple[Pairs, BoolArray]:
    """A random part of the choice sets where there are more than ``most`` pairs."""
    if len(pairs) <= most:
        return pairs, label
    drawn = np.random.default_rng(seed).random(len(pairs.begin)) < most / len(pairs)
    kept = drawn[pairs.choice]
    return pairs.keep(kept), label[kept]


def coarse_groups(panel: Panel) -> IntArray:
    """int64 [K]: the major groups, the rarest put together where there are more than ``MOST_GROUPS``."""
    group = panel.occupations.group_index()[0]
    counts = np.bincount(group[panel.state], minlength=int(group.max()) + 1)
    if len(counts) <= MOST_GROUPS:
        return group
    place = np.empty(len(counts), dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(place, MOST_GROUPS - 1)[group]
