"""gbm: gradient-boosted trees in three steps: stay or leave, destination group, state within the group.

Staying is a binary classifier. Destinations are a conditional logit whose utilities are boosted trees: every
alternative is described by columns of its own (how often people of this context go there, years spent there before,
...), one ensemble prices them all, and a softmax over the alternatives makes them probabilities. Trees therefore learn
once, for all alternatives, what it means to have been there before. Each step starts from smoothed frequencies and
stops when the validation split no longer gains.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from harness.features_alternatives import Inputs, PairFeatures, Pairs
from harness.frequencies import Destinations, Stays
from harness.hookspecs import hookimpl
from harness.model import Context, ModelSpec, Params
from harness.staged import Staged
from harness.staged_samples import PairCounts, Sample, StayFeatures, Step, cross_fitted_stays, thinned
from harness.types import BoolArray, FloatArray

# Numeric features that a pair is given beside its own columns; a panel has some of them.
OF_GROUPS = (
    "age",
    "year",
    "records",
    "distinct_states",
    "tenure",
    "group_tenure",
    "since_employed",
    "records_employed",
)
OF_STATES = ("age", "year", "records", "distinct_states")
SMALLEST_HESSIAN = 1e-7


class GbmParams(Params):
    """What can be set for ``gbm``; every step uses the same settings."""

    rounds: int = Field(1000, ge=1, description="most boosting rounds of a step, trees")
    early_stopping: int = Field(25, ge=1, description="rounds without gain on the validation split before a step stops")
    learning_rate: float = Field(0.1, gt=0, le=1, description="share of each tree's step that is taken")
    leaves: int = Field(31, ge=2, le=4096, description="most leaves of a tree")
    min_data: int = Field(20, ge=1, description="fewest transitions or pairs in a leaf")
    min_weight: float = Field(10.0, ge=0, description="smallest sum of p (1 - p) in a leaf, transitions' worth")
    l2: float = Field(1.0, ge=0, description="ridge penalty on leaf values")
    sample: float = Field(0.7, gt=0, le=1, description="share of rows, and of columns, that each tree sees")
    strength: float = Field(50.0, gt=0, description="prior of the context frequencies, transitions")
    pairs: int = Field(2_000_000, ge=1000, description="most (switch, alternative) pairs that a step is fitted on")
    threads: int = Field(0, ge=0, description="threads; 0: as many as there are processors")


@dataclass(frozen=True)
class Table:
    """Rows for one step's trees: X float32 [q, d]; label bool [q]; offset float64 [q], the score that trees add to.

    pairs: the choice sets that the rows make up; None where every row is a binary outcome of its own.
    """

    X: FloatArray
    label: BoolArray
    offset: FloatArray
    pairs: Pairs | None = None

    def log_prob(self, scores: FloatArray) -> FloatArray:
        """float64: ln P(outcome) of each binary row, or of each choice set."""
        if self.pairs is None:
            return -np.logaddexp(0.0, np.where(self.label, -scores, scores))
        return self.pairs.log_softmax(scores)[self.label]

    def gradients(self, scores: FloatArray, data: Any) -> tuple[FloatArray, FloatArray]:
        """LightGBM's objective: p - y, and the diagonal of the Hessian.

        Ours for the binary step too: LightGBM hands ``loss`` scores under an objective of ours, else probabilities.
        """
        p = 1 / (1 + np.exp(-scores)) if self.pairs is None else np.exp(self.pairs.log_softmax(scores))
        return p - self.label, np.maximum(p * (1 - p), SMALLEST_HESSIAN)

    def loss(self, scores: FloatArray, data: Any) -> tuple[str, float, bool]:
        """LightGBM's metric: name, mean -ln P in nats, and that higher is not better."""
        return "loss", -float(self.log_prob(scores).mean()), False


class Gbm(Staged):
    """Boosted trees for staying, for the destination's group and for the state within it."""

    def __init__(self, params: GbmParams) -> None:
        super().__init__()
        self.params = params
        self.boosters: dict[str, Any] = {}
        self.stay = StayFeatures.empty()
        self.pairs: dict[str, PairFeatures] = {}
        self.chosen: dict[str, float] = {}

    def estimate(self, train: Sample, valid: Sample, context: Context) -> None:
        destinations = Destinations(train.panel, self.group).choose(valid.panel)
        self.chosen = {f"{name}_strength": value for name, value in asdict(destinations).items()}
        with context.progress.bar("gbm: staying, groups, states", 3) as bar:
            self._fit_stay(train, valid, context)
            bar.advance()
            steps: tuple[tuple[Step, tuple[str, ...]], ...] = (("group", OF_GROUPS), ("state", OF_STATES))
            for step, numbers in steps:
                counts = PairCounts(step, self.contexts, self.group, destinations, self.params.strength, numbers)
                self._fit_choice(counts, train.switchers(), valid.switchers(), context)
                bar.advance()

    def _fit_stay(self, train: Sample, valid: Sample, context: Context) -> None:
        strength = Stays(train.panel).choose(valid.panel, start=16.0)
        self.chosen["stay_strength"] = strength

        # Trees find what else bears on staying in the numbers; rates by many states held before only add noise.
        origin = replace(self.contexts, contexts=tuple(c for c in self.contexts.contexts if c.name == "origin"))

        def count(sample: Sample) -> StayFeatures:
            return StayFeatures.count(sample, origin, self.group, (strength, self.params.strength))

        X, offset = cross_fitted_stays(train, count)
        self.stay = count(train)
        held_out = self._with_codes(self.stay.matrix(valid.inputs), valid.inputs)
        self._boost(
            "stay",
            Table(self._with_codes(X, train.inputs), train.stayed, offset),
            Table(held_out, valid.stayed, self.stay.offset(valid.inputs)),
            context,
        )

    def _with_codes(self, X: FloatArray, inputs: Inputs) -> FloatArray:
        """float32 [n, d + levels + 1]: and the levels of covariates, and the origin's group, as their integers."""
        codes = [inputs.codes[c.name] for c in self.contexts.contexts if c.kind == "level"]
        return np.column_stack([X, *codes, self.group[inputs.origin]]).astype(np.float32)

    def _fit_choice(self, counts: PairCounts, train: Sample, valid: Sample, context: Context) -> None:
        pairs, label = thinned(*counts.choices(train), self.params.pairs, context.seed)
        X, offset = counts.cross_fitted(train, pairs)
        features = counts.count(train)
        self.pairs[counts.step] = features
        held, held_label = counts.choices(valid)
        held_out = Table(features.matrix(valid.inputs, held), held_label, features.offset(valid.inputs, held), held)
        self._boost(counts.step, Table(X, label, offset, pairs), held_out, context)

    def stay_log_odds(self, inputs: Inputs) -> FloatArray:
        columns = self._with_codes(self.stay.matrix(inputs), inputs)
        return self.stay.offset(inputs) + self._trees("stay", columns)

    def group_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        return self._scores("group", inputs, pairs)

    def state_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        return self._scores("state", inputs, pairs)

    def _scores(self, step: str, inputs: Inputs, pairs: Pairs) -> FloatArray:
        features = self.pairs[step]
        if step not in self.boosters:
            return features.offset(inputs, pairs)
        return features.offset(inputs, pairs) + self._trees(step, features.matrix(inputs, pairs))

    def _trees(self, step: str, X: FloatArray) -> FloatArray:
        """float64 [q]: what the trees add to the offset; nothing where there was too little to grow any."""
        if step not in self.boosters or not len(X):
            return np.zeros(len(X))
        booster = self.boosters[step]
        return np.asarray(booster.predict(X, raw_score=True, num_threads=self._threads()), dtype=np.float64)

    def _threads(self) -> int:
        return self.params.threads or os.cpu_count() or 1

    def _boost(self, step: str, train: Table, valid: Table, context: Context) -> None:
        """Grow one step's trees; none where nothing can be split, or nothing is gained on the validation split."""
        import lightgbm

        self.boosters.pop(step, None)
        self.chosen[f"{step}_rounds"] = 0
        if not len(valid.label) or not splittable(train.X, self.params.min_data):
            return
        settings = self._settings(context.seed) | {"objective": train.gradients}
        data = lightgbm.Dataset(train.X, train.label.astype(np.float32), init_score=train.offset, params=settings)
        held = data.create_valid(valid.X, valid.label.astype(np.float32), init_score=valid.offset, params=settings)
        booster = lightgbm.train(
            settings,
            data,
            self.params.rounds,
            [held],
            feval=valid.loss,
            callbacks=[lightgbm.early_stopping(self.params.early_stopping, verbose=False)],
        )
        if booster.best_score["valid_0"]["loss"] < valid.loss(valid.offset, None)[1]:
            self.chosen[f"{step}_rounds"] = booster.best_iteration
            text = booster.model_to_string(num_iteration=booster.best_iteration)
            self.boosters[step] = lightgbm.Booster(model_str=text)

    def _settings(self, seed: int) -> dict[str, Any]:
        given = self.params
        return {
            "metric": "none",
            "seed": seed % 2**31,
            "deterministic": True,
            "force_row_wise": True,  # LightGBM's choice between layouts depends on timing; this keeps runs repeatable
            "num_threads": self._threads(),
            "verbosity": -1,
            "learning_rate": given.learning_rate,
            "num_leaves": given.leaves,
            "min_data_in_leaf": given.min_data,
            "min_sum_hessian_in_leaf": given.min_weight,
            "lambda_l2": given.l2,
            "feature_fraction": given.sample,
            "bagging_fraction": given.sample,
            "bagging_freq": 1,
        }

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self.stay.log_odds.size:
            self.stay.save(folder / "stay.npz")
        for step, features in self.pairs.items():
            features.save(folder / f"{step}.npz")
        for step, booster in self.boosters.items():
            (folder / f"{step}.lightgbm.txt").write_text(booster.model_to_string(), encoding="utf-8")
        (folder / "chosen.json").write_text(json.dumps(self.chosen), encoding="utf-8")

    def load(self, folder: Path) -> None:
        import lightgbm

        super().load(folder)
        self.chosen = json.loads((folder / "chosen.json").read_text(encoding="utf-8"))
        if (folder / "stay.npz").exists():
            self.stay = StayFeatures.load(folder / "stay.npz")
        self.pairs = {
            s: PairFeatures.load(folder / f"{s}.npz") for s in ("group", "state") if (folder / f"{s}.npz").exists()
        }
        for file in folder.glob("*.lightgbm.txt"):
            self.boosters[file.name.split(".")[0]] = lightgbm.Booster(model_str=file.read_text(encoding="utf-8"))

    def facts(self) -> Mapping[str, Any]:
        leaves = sum(int(b.trees_to_dataframe()["left_child"].isna().sum()) for b in self.boosters.values())
        return {"parameters_trained": leaves, "chosen_on_validation": self.chosen}


def splittable(X: FloatArray, min_data: int) -> bool:
    """Whether some column has ``min_data`` rows on both sides of a threshold. LightGBM aborts where none has."""
    fewest = max(min_data, 3)  # rows in LightGBM's smallest bin
    if len(X) < 2 * fewest:
        return False
    columns = (np.sort(np.nan_to_num(X[:, j], nan=np.inf)) for j in range(X.shape[1]))
    return any(column[fewest - 1] < column[-fewest] for column in columns)


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "gbm",
            "LightGBM: staying, then a boosted conditional logit of group and state",
            Gbm,
            params=GbmParams,
            needs=("lightgbm",),
            install="pip install 'labor-harness[gbm]'",
            cite="Ke et al. (2017), LightGBM; the softmax over alternatives is McFadden's (1974) conditional logit",
        )
    ]
