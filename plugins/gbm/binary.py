"""One binary outcome of transitions, as staying or a task's event: shrunk rates by origin, and trees on top of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.features_alternatives import Affinities, Inputs, Scheme
from harness.features_contexts import Contexts
from harness.frequencies import Rates
from harness.plugins.gbm.params import TreeParams
from harness.plugins.gbm.trees import Column, Rows, Trees, grow, threads
from harness.staged_samples import FOLDS, StayFeatures
from harness.types import BoolArray, FloatArray, IntArray

START = 16.0  # prior of an origin's rate, transitions, where no validation transition decides


@dataclass(frozen=True)
class Outcomes:
    """n transitions and whether the outcome happened. happened: bool [n]. person: int64 [n]. weight: float64 [n]."""

    inputs: Inputs
    happened: BoolArray
    person: IntArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.happened)

    def take(self, rows: IntArray) -> Outcomes:
        """Those of some transitions: int64, rising."""
        return Outcomes(self.inputs.take(rows), self.happened[rows], self.person[rows], self.weight[rows])

    def counting(self) -> Outcomes:
        """Those of weight above zero: the others are to teach nothing."""
        return self if (self.weight > 0).all() else self.take(np.flatnonzero(self.weight > 0))


@dataclass(frozen=True)
class Counting:
    """How rates are counted. contexts: of the panel. group: int64 [K]. strength: prior of an origin's rate.

    context_strength: that of a context's against the rate of all. Both in transitions.
    """

    contexts: Contexts
    group: IntArray
    strength: float
    context_strength: float

    def count(self, outcomes: Outcomes) -> StayFeatures:
        """Log-odds of the outcome by origin, and how much more often than all people of each context meet it.

        Trees find what else bears on it in the numbers; rates by many states held before only add noise.
        """
        origin = replace(self.contexts, contexts=tuple(c for c in self.contexts.contexts if c.name == "origin"))
        scheme = Scheme(2, self.group, self.group, self.context_strength, ())
        happened = outcomes.happened.astype(np.int64)
        affinities = Affinities.count(origin, outcomes.inputs.codes, happened, scheme, outcomes.weight)
        rates = Rates(outcomes.inputs.origin, outcomes.happened, outcomes.weight, len(self.group))
        rate = rates.rates(self.strength)
        return StayFeatures(affinities, np.log(rate) - np.log1p(-rate), np.log1p(rates.seen))


class Binary:
    """P(outcome | history) as a logit: the origin's shrunk log-odds, and trees.

    signs: name of a feature -> 1 or -1, the direction that the log-odds are held to.
    """

    def __init__(self, params: TreeParams, signs: Mapping[str, int]) -> None:
        self.params, self.signs = params, signs if params.monotone else {}
        self.contexts = Contexts((), ())
        self.group: IntArray = np.zeros(0, dtype=np.int64)
        self.features = StayFeatures.empty()
        self.trees = Trees((), 1)
        self.strength = START

    def fit(self, samples: tuple[Outcomes, Outcomes], contexts: Contexts, group: IntArray, seed: int) -> None:
        """samples: for training and for validation. group: int64 [K], major groups."""
        train, valid = samples[0].counting(), samples[1]
        self.contexts, self.group = contexts, group
        rates = Rates(train.inputs.origin, train.happened, train.weight, len(group))
        self.strength = rates.likeliest(valid.inputs.origin, valid.happened, valid.weight, START)
        counting = Counting(contexts, group, self.strength, self.params.strength)
        X, offset = self._cross_fitted(train, counting)
        self.features = counting.count(train)
        held = Rows(
            self._matrix(self.features, valid.inputs), valid.happened, self.features.offset(valid.inputs), valid.weight
        )
        self.trees = grow(Rows(X, train.happened, offset, train.weight), held, self.columns(), self.params, seed)

    def _cross_fitted(self, train: Outcomes, counting: Counting) -> tuple[FloatArray, FloatArray]:
        """Columns (float32 [n, d]) and offsets (float64 [n]) of transitions, each counted on other persons.

        As they are for anyone predicted later: counted on themselves, a rare origin would seem to know its outcome.
        """
        fold, offset = train.person % FOLDS, np.zeros(len(train))
        X = np.empty((len(train), len(self.columns())), dtype=np.float32)
        for f in range(FOLDS):
            rows = np.flatnonzero(fold == f)
            features, inputs = counting.count(train.take(np.flatnonzero(fold != f))), train.inputs.take(rows)
            X[rows], offset[rows] = self._matrix(features, inputs), features.offset(inputs)
        return X, offset

    def columns(self) -> list[Column]:
        """What the columns of the trees are, in order."""
        numbers = [Column(name, name, sign=self.signs.get(name, 0)) for name in self.contexts.numbers]
        levels = [c.name for c in self.contexts.contexts if c.kind == "level"]
        return [
            Column("origin: ln share of those it happens to over all, shrunk", "origin"),
            Column("origin: ln(1 + training transitions)", "origin"),
            *numbers,
            *(Column(name, name, self.params.categorical) for name in levels),
            Column("origin_group", "origin_group", self.params.categorical),
        ]

    def _matrix(self, features: StayFeatures, inputs: Inputs) -> FloatArray:
        """float32 [n, d]: frequencies and numbers, levels of covariates and the origin's group as their integers."""
        codes = [inputs.codes[c.name] for c in self.contexts.contexts if c.kind == "level"]
        return np.column_stack([features.matrix(inputs), *codes, self.group[inputs.origin]]).astype(np.float32)

    def log_odds(self, inputs: Inputs) -> FloatArray:
        """float64 [n]"""
        log_odds = self.features.offset(inputs) + self.trees.score(self._matrix(self.features, inputs))
        return np.asarray(log_odds, dtype=np.float64)

    def save(self, folder: Path, name: str) -> None:
        if self.features.log_odds.size:
            self.features.save(folder / f"{name}.npz")
            self.trees.save(folder, name)

    def load(self, folder: Path, name: str, contexts: Contexts, group: IntArray) -> None:
        self.contexts, self.group = contexts, group
        if (folder / f"{name}.npz").exists():
            self.features = StayFeatures.load(folder / f"{name}.npz")
            self.trees = Trees.load(folder, name, threads(self.params))
