"""Features of the pairs of one step, counted on other persons than they describe, and the choices among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.estimation.samples import FOLDS, Sample
from harness.features.discrete import Discretizer
from harness.features.frequencies import Destinations, Stays, Strengths
from harness.features.pairs import Affinities, PairFeatures, Pairs, Scheme, group_pairs, open_groups, state_pairs
from harness.types import BoolArray, FloatArray, IntArray

Step = Literal["group", "state"]
SMALLEST = 1e-12


@dataclass(frozen=True)
class PairCounts:
    """A recipe for the features of one step's pairs.

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
        scheme = Scheme(
            n_alternatives=int(of_state.max()) + 1,
            of_state=of_state,
            group=self.group,
            strength=self.strength,
            numbers=positions,
        )
        destinations = Destinations(switchers.panel, self.group)
        if self.step == "group":
            base = destinations.to_groups(self.strengths)
        else:
            base = destinations.within(self.strengths.state)
        chosen = of_state[switchers.target]
        return PairFeatures(
            scheme,
            Affinities.count(
                self.discretizer, switchers.inputs.codes, chosen=chosen, scheme=scheme, weight=switchers.weight
            ),
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
