"""One binary outcome of transitions, as staying or a task's event: shrunk rates by origin, and trees on top of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.estimation.samples import Outcomes
from harness.estimation.stays import StayFeatures, cross_fitted_stays
from harness.features.discrete import Discretizer
from harness.features.frequencies import Rates
from harness.features.pairs import Inputs
from harness.plugins.gbm.params import TreeParams
from harness.plugins.gbm.trees import Rows, TreeColumn, Trees, grow, threads
from harness.types import FloatArray, IntArray

START = 16.0  # prior of an origin's rate, transitions, where no validation transition decides


class Binary:
    """P(outcome | history) as a logit: the origin's shrunk log-odds, and trees.

    signs: name of a feature -> 1 or -1, the direction that the log-odds are held to.
    """

    def __init__(self, params: TreeParams, signs: Mapping[str, int]) -> None:
        self.params, self.signs = params, signs if params.monotone else {}
        self.discretizer = Discretizer((), ())
        self.group: IntArray = np.zeros(0, dtype=np.int64)
        self.features = StayFeatures.empty()
        self.trees = Trees((), 1)
        self.strength = START

    def fit(self, samples: tuple[Outcomes, Outcomes], discretizer: Discretizer, group: IntArray, seed: int) -> None:
        """samples: for training and for validation. group: int64 [K], major groups."""
        train, valid = samples
        self.discretizer, self.group = discretizer, group
        rates = Rates(train.inputs.origin, train.happened, train.weight, len(group))
        self.strength = rates.likeliest(valid.inputs.origin, valid.happened, valid.weight, START)
        # Trees find what else bears on it in the numbers; rates by many states held before only add noise.
        origin = replace(discretizer, features=tuple(c for c in discretizer.features if c.name == "origin"))

        def count(outcomes: Outcomes) -> StayFeatures:
            return StayFeatures.count_outcomes(outcomes, origin, group, (self.strength, self.params.strength))

        X, offset = cross_fitted_stays(train, count)
        self.features = count(train)
        held = self._with_codes(self.features.matrix(valid.inputs), valid.inputs)
        self.trees = grow(
            Rows(self._with_codes(X, train.inputs), train.happened, offset, train.weight),
            Rows(held, valid.happened, self.features.offset(valid.inputs), valid.weight),
            columns=self.columns(),
            params=self.params,
            seed=seed,
        )

    def columns(self) -> list[TreeColumn]:
        """The columns of the trees, in order."""
        numbers = [TreeColumn(name, name, sign=self.signs.get(name, 0)) for name in self.discretizer.numbers]
        levels = [c.name for c in self.discretizer.features if c.kind == "level"]
        return [
            TreeColumn("origin: ln share of those it happens to over all, shrunk", "origin"),
            TreeColumn("origin: ln(1 + training transitions)", "origin"),
            *numbers,
            *(TreeColumn(name, name, self.params.categorical) for name in levels),
            TreeColumn("origin_group", "origin_group", self.params.categorical),
        ]

    def _with_codes(self, X: FloatArray, inputs: Inputs) -> FloatArray:
        """float32 [n, d]: frequencies and numbers, then levels of covariates and the origin's group as integers."""
        codes = [inputs.codes[c.name] for c in self.discretizer.features if c.kind == "level"]
        return np.column_stack([X, *codes, self.group[inputs.origin]]).astype(np.float32)

    def log_odds(self, inputs: Inputs) -> FloatArray:
        """float64 [n]"""
        X = self._with_codes(self.features.matrix(inputs), inputs)
        return np.asarray(self.features.offset(inputs) + self.trees.score(X), dtype=np.float64)

    def save(self, folder: Path, name: str) -> None:
        if self.features.log_odds.size:
            self.features.save(folder / f"{name}.npz")
            self.trees.save(folder, name)

    def load(self, folder: Path, name: str, discretizer: Discretizer, group: IntArray) -> None:
        self.discretizer, self.group = discretizer, group
        if (folder / f"{name}.npz").exists():
            self.features = StayFeatures.load(folder / f"{name}.npz")
            self.trees = Trees.load(folder, name, threads(self.params))
