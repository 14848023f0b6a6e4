"""Boosted trees of one step: rows and their likelihood, growth with early stopping, what was used for splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from harness.features.pairs import Inputs, PairFeatures, Pairs
from harness.model import Table
from harness.plugins.gbm.params import TreeParams
from harness.plugins.gbm.walk import Forest
from harness.system.processors import free_processors
from harness.types import BoolArray, FloatArray

SMALLEST_HESSIAN = 1e-7
# LightGBM counts a leaf's rows by their share of the Hessian: of leaves with next to none it counts wrong and aborts.
SMALLEST_LEAF = 1e-3
PAIRS_AT_ONCE = 500_000  # whose columns are in memory: about 100 MB of them
MOST = 2  # of the pairs of some transitions, a half or more


@dataclass(frozen=True, slots=True)
class TreeColumn:
    """One column that trees split on.

    feature: the name in ``harness.features`` of what it is read from, empty where it describes an alternative.
    categorical: whether its integers are names. sign: 1 where the score may not fall as the column rises, -1 where it
    may not rise; 0 leaves it free, and a categorical column always is.
    """

    name: str
    feature: str = ""
    categorical: bool = False
    sign: int = 0


@dataclass(frozen=True)
class Rows:
    """Rows for one step's trees: X float32 [q, d]; label bool [q]; offset float64 [q], the score that trees add to.

    weight: float64 [q], above zero, what each row counts for, the same throughout a choice set. pairs: the choice sets
    that the rows make up; None where every row is a binary outcome of its own.
    """

    X: FloatArray
    label: BoolArray
    offset: FloatArray
    weight: FloatArray
    pairs: Pairs | None = None

    @property
    def outcomes(self) -> int:
        """Number of binary outcomes, or choices."""
        return len(self.label) if self.pairs is None else len(self.pairs.begin)

    def log_prob(self, scores: FloatArray) -> FloatArray:
        """float64: ln P(outcome) of each binary row, or of each choice set."""
        if self.pairs is None:
            return -np.logaddexp(0.0, np.where(self.label, -scores, scores))
        return self.pairs.log_softmax(scores)[self.label]

    def gradients(self, scores: FloatArray, data: Any) -> tuple[FloatArray, FloatArray]:
        """LightGBM's objective: p - y, and the diagonal of the Hessian, each times the weight.

        Ours for the binary step too: LightGBM hands ``loss`` scores under an objective of ours, else probabilities.
        """
        p = 1 / (1 + np.exp(-scores)) if self.pairs is None else np.exp(self.pairs.log_softmax(scores))
        return self.weight * (p - self.label), self.weight * np.maximum(p * (1 - p), SMALLEST_HESSIAN)

    def loss(self, scores: FloatArray, data: Any) -> tuple[str, float, bool]:
        """LightGBM's metric: name, mean -ln P in nats by weight, and that higher is not better."""
        weight = self.weight if self.pairs is None else self.weight[self.label]
        return "loss", -float((weight * self.log_prob(scores)).sum() / weight.sum()), False


class Trees:
    """Scores that trees add to a step's offset; nothing where none were grown."""

    def __init__(self, columns: Sequence[TreeColumn], threads: int, booster: Any = None, outcomes: int = 0) -> None:
        self.columns, self.threads, self.booster, self.outcomes = tuple(columns), threads, booster, outcomes

    @property
    def rounds(self) -> int:
        return 0 if self.booster is None else int(self.booster.num_trees())

    @property
    def leaves(self) -> int:
        return 0 if self.booster is None else int(self.booster.trees_to_dataframe()["left_child"].isna().sum())

    def score(self, X: FloatArray) -> FloatArray:
        """float64 [q]"""
        if self.booster is None or not len(X):
            return np.zeros(len(X))
        return np.asarray(self.booster.predict(X, raw_score=True, num_threads=self.threads), dtype=np.float64)

    def score_pairs(self, features: PairFeatures, inputs: Inputs, pairs: Pairs) -> FloatArray:
        """float64 [q]. Where most pairs of the transitions are asked for, all of them walk the trees together."""
        if not self.rounds or not len(pairs):
            return np.zeros(len(pairs))
        n_pairs = len(inputs) * features.scheme.n_alternatives
        if len(pairs) * MOST >= n_pairs and (forest := self.forest) is not None:
            return forest.scores(features.columns(inputs), self.threads)[pairs.row, pairs.alternative]
        spans = (slice(first, first + PAIRS_AT_ONCE) for first in range(0, len(pairs), PAIRS_AT_ONCE))
        columns = features.columns(inputs)
        return np.concatenate([self.score(columns.matrix(pairs.row[s], pairs.alternative[s])) for s in spans])

    @cached_property
    def forest(self) -> Forest | None:
        """The trees as all pairs of many transitions walk them; None where they have too many leaves for that."""
        return Forest.of(self.booster)

    def table(self, title: str, stage: str) -> Table:
        """Columns by gain, the largest first, and how many splits are on each."""
        kept = f"{self.outcomes:,} outcomes, each from other persons' frequencies; {self.rounds} rounds kept by "
        notes = [
            kept + "early stopping on the validation split.",
            "Gain: sum over splits of LightGBM's gain, what the loss falls by, up to a factor that all splits share.",
        ]
        rows: list[tuple[str | float | None, ...]] = []
        if self.booster is not None:
            gain = self.booster.feature_importance("gain")
            splits = self.booster.feature_importance("split")
            order = np.argsort(-gain, kind="stable")
            total = max(float(gain.sum()), 1e-300)
            rows = [
                (self.columns[j].name, float(gain[j]), float(gain[j]) / total, float(splits[j]))
                for j in order
                if splits[j]
            ]
            if unused := [self.columns[j].name for j in order if not splits[j]]:
                notes.append(f"No split is on {', '.join(unused)}.")
        for sign, word in ((1, "rise"), (-1, "fall")):
            if held := [c.name for c in self.columns if c.sign == sign and not c.categorical]:
                notes.append(f"The score is held to {word} with {', '.join(held)}.")
        return Table(
            title=title,
            headings=("feature", "gain", "share of gain", "splits"),
            rows=tuple(rows),
            notes=tuple(notes),
            stage=stage,
        )

    def save(self, folder: Path, name: str) -> None:
        """NAME.trees.json, and NAME.lightgbm.txt where trees were grown."""
        stored = {"columns": [asdict(column) for column in self.columns], "outcomes": self.outcomes}
        (folder / f"{name}.trees.json").write_text(json.dumps(stored), encoding="utf-8")
        if self.booster is not None:
            (folder / f"{name}.lightgbm.txt").write_text(self.booster.model_to_string(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, name: str, threads: int) -> Trees:
        stored = json.loads((folder / f"{name}.trees.json").read_text(encoding="utf-8"))
        text = folder / f"{name}.lightgbm.txt"
        booster = lightgbm.Booster(model_str=text.read_text(encoding="utf-8")) if text.exists() else None
        return cls([TreeColumn(**column) for column in stored["columns"]], threads, booster, stored["outcomes"])


def grow(train: Rows, valid: Rows, columns: Sequence[TreeColumn], params: TreeParams, seed: int) -> Trees:
    """One step's trees; none where nothing can be split, or nothing is gained on the validation split."""
    nothing = Trees(columns, threads(params), None, train.outcomes)
    if not len(valid.label) or not splittable(train.X, params.min_data):
        return nothing
    settings = _settings(columns, params, seed) | {"objective": train.gradients}
    named = [j for j, column in enumerate(columns) if column.categorical]
    data = lightgbm.Dataset(
        train.X, train.label.astype(np.float32), init_score=train.offset, params=settings, categorical_feature=named
    )
    held = data.create_valid(valid.X, valid.label.astype(np.float32), init_score=valid.offset, params=settings)
    booster = lightgbm.train(
        settings,
        data,
        params.rounds,
        [held],
        feval=valid.loss,
        callbacks=[lightgbm.early_stopping(params.early_stopping, verbose=False)],
    )
    if booster.best_score["valid_0"]["loss"] >= valid.loss(valid.offset, None)[1]:
        return nothing
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    return Trees(columns, threads(params), lightgbm.Booster(model_str=text), train.outcomes)


def threads(params: TreeParams) -> int:
    return params.threads or free_processors()


def _settings(columns: Sequence[TreeColumn], params: TreeParams, seed: int) -> dict[str, Any]:
    signs = [0 if column.categorical else column.sign for column in columns]
    held = {"monotone_constraints": signs} if any(signs) else {}
    return held | {
        "metric": "none",
        "seed": seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,  # LightGBM's choice between layouts depends on timing; this keeps runs repeatable
        "num_threads": threads(params),
        "verbosity": -1,
        "learning_rate": params.learning_rate,
        "num_leaves": params.leaves,
        "min_data_in_leaf": params.min_data,
        "min_sum_hessian_in_leaf": max(params.min_weight, SMALLEST_LEAF),
        "lambda_l2": params.l2,
        "feature_fraction": params.sample,
        "bagging_fraction": params.sample,
        "bagging_freq": 1,
    }


def splittable(X: FloatArray, min_data: int) -> bool:
    """True where some column has ``min_data`` rows on both sides of a threshold. LightGBM aborts where none has."""
    fewest = max(min_data, 3)  # rows in LightGBM's smallest bin
    if len(X) < 2 * fewest:
        return False
    columns = (np.sort(np.nan_to_num(X[:, j], nan=np.inf)) for j in range(X.shape[1]))
    return any(column[fewest - 1] < column[-fewest] for column in columns)
