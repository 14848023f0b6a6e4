"""gbm itself: trees for staying, for the destination's group and for the state within it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.estimation.choices import PairCounts, Step, thinned
from harness.estimation.samples import Sample
from harness.estimation.staged import Staged
from harness.features.frequencies import Destinations
from harness.features.pairs import Inputs, PairFeatures, Pairs
from harness.model import Context, Model, Table
from harness.model.ensemble import mean_of
from harness.plugins.gbm.binary import Binary
from harness.plugins.gbm.columns import NUMBERS, columns
from harness.plugins.gbm.params import GbmParams
from harness.plugins.gbm.trees import Rows, Trees, grow, threads
from harness.types import FloatArray

STEPS: tuple[Step, ...] = ("group", "state")
STAYING = {"tenure": 1}  # a long spell is kept, other things equal: specific capital, and who was to leave has left
TITLES = {"stay": "staying in the origin", "group": "major group of the destination", "state": "state within the group"}


class Gbm(Staged):
    """Boosted trees for staying, for the destination's group and for the state within it."""

    pairs_at_once = 2_000_000  # the more transitions walk the trees together, the more they share

    def __init__(self, params: GbmParams) -> None:
        super().__init__()
        self.params = params
        self.stay = Binary(params, STAYING)
        self.pairs: dict[str, PairFeatures] = {}
        self.trees: dict[str, Trees] = {}
        self.chosen: dict[str, float] = {}

    def estimate(self, train: Sample, valid: Sample, context: Context) -> None:
        destinations = Destinations(train.panel, self.group).choose(valid.panel)
        self.chosen = {f"{name}_strength": value for name, value in asdict(destinations).items()}
        with context.progress.bar("gbm: staying, groups, states", 3) as bar:
            self.stay.fit((train.stays(), valid.stays()), self.discretizer, self.group, context.seed)
            self.chosen |= {"stay_strength": self.stay.strength, "stay_rounds": self.stay.trees.rounds}
            bar.advance()
            for step in STEPS:
                counts = PairCounts(
                    step=step,
                    discretizer=self.discretizer,
                    group=self.group,
                    strengths=destinations,
                    strength=self.params.strength,
                    numbers=NUMBERS[step],
                )
                self._fit_choice(counts, train.switchers(), valid.switchers(), context.seed)
                bar.advance()

    def _fit_choice(self, counts: PairCounts, train: Sample, valid: Sample, seed: int) -> None:
        pairs, label = thinned(*counts.choices(train), self.params.pairs, seed)
        X, offset = counts.cross_fitted(train, pairs)
        features = counts.count(train)
        held, chosen = counts.choices(valid)
        self.pairs[counts.step] = features
        self.trees[counts.step] = grow(
            Rows(X=X, label=label, offset=offset, weight=train.weight[pairs.row], pairs=pairs),
            Rows(
                X=features.matrix(valid.inputs, held),
                label=chosen,
                offset=features.offset(valid.inputs, held),
                weight=valid.weight[held.row],
                pairs=held,
            ),
            columns=columns(counts.step, features, self.discretizer, self.params),
            params=self.params,
            seed=seed,
        )
        self.chosen[f"{counts.step}_rounds"] = self.trees[counts.step].rounds

    def stay_log_odds(self, inputs: Inputs) -> FloatArray:
        return np.asarray(self.stay.log_odds(inputs), dtype=np.float64)

    def group_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        return self._scores("group", inputs, pairs)

    def state_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        return self._scores("state", inputs, pairs)

    def _scores(self, step: Step, inputs: Inputs, pairs: Pairs) -> FloatArray:
        features = self.pairs[step]
        return features.offset(inputs, pairs) + self.trees[step].score_pairs(features, inputs, pairs)

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.stay.save(folder, "stay")
        for step, features in self.pairs.items():
            features.save(folder / f"{step}.npz")
            self.trees[step].save(folder, step)
        (folder / "chosen.json").write_text(json.dumps(self.chosen), encoding="utf-8")

    def load(self, folder: Path) -> None:
        super().load(folder)
        self.chosen = json.loads((folder / "chosen.json").read_text(encoding="utf-8"))
        self.stay.load(folder, "stay", self.discretizer, self.group)
        there = [step for step in STEPS if (folder / f"{step}.npz").exists()]
        self.pairs = {step: PairFeatures.load(folder / f"{step}.npz") for step in there}
        self.trees = {step: Trees.load(folder, step, threads(self.params)) for step in there}

    def facts(self) -> Mapping[str, Any]:
        leaves = sum(trees.leaves for trees in self._steps().values())
        return {"parameters_trained": leaves, "chosen_on_validation": self.chosen}

    def explain(self) -> Sequence[Table]:
        return [trees.table(f"Trees of {TITLES[step]}", step) for step, trees in self._steps().items()]

    def _steps(self) -> dict[str, Trees]:
        return {"stay": self.stay.trees, **self.trees} if self.stay.trees.columns else {}


def gbm(params: GbmParams) -> Model:
    """The model of these parameters: one fit, or several whose probabilities are averaged."""
    return mean_of([Gbm(params) for _ in range(params.members)])
