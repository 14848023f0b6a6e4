"""mnl: logits in two stages, as statsmodels estimates them.

Stage one is a Logit of staying; stage two a MNLogit of the destination's major group among those who switch. Within
the group the frequencies decide: an origin's own, those of people with the same past states and covariates, and
whether the state has been held before, multiplied together with weights of a conditional logit.

Columns are standardised and every coefficient but the constants carries a small ridge penalty: complete separation is
common among hundreds of states, so the unpenalised optimum need not exist, and Newton's method then runs to infinity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from harness.features import CATALOGUE
from harness.features_alternatives import Inputs, PairFeatures, Pairs
from harness.frequencies import Destinations, Stays
from harness.hookspecs import hookimpl
from harness.logits import Scaling, conditional_logit, fit_path, log_shares
from harness.model import Context, ModelSpec, Params
from harness.staged import Staged
from harness.staged_samples import FOLDS, PairCounts, Sample, StayFeatures, cross_fitted_stays, thinned
from harness.types import FloatArray, IntArray

# Numeric features of the destination's group, beside a panel's own numeric covariates.
OF_GROUPS = ("age", "year", "records", "distinct_states", "tenure", "group_tenure", "records_studying")


Labelled = tuple[FloatArray, IntArray]  # columns [n, d] and classes [n]


class MnlParams(Params):
    """What can be set for ``mnl``."""

    penalties: tuple[float, ...] = Field(
        (100.0, 30.0, 10.0, 3.0),
        min_length=1,
        description="ridge penalties tried on the validation split, in falling order",
    )
    iterations: int = Field(200, ge=1, description="most iterations of lbfgs at one penalty")
    strength: float = Field(50.0, gt=0, description="prior of the context frequencies, transitions")
    pairs: int = Field(2_000_000, ge=1000, description="most (switch, state) pairs that the weights are fitted on")


def _numbers(values: FloatArray) -> FloatArray:
    """float64 [n, 3 d]: each number, its logarithm, and whether it is missing."""
    missing = np.isnan(values)
    known = np.where(missing, 0.0, values)
    return np.column_stack([known, np.log1p(np.maximum(known, 0.0)), missing])


def _pair_columns(features: PairFeatures, inputs: Inputs, pairs: Pairs) -> FloatArray:
    """float64 [q, contexts + 7]: the frequencies that are multiplied together, as logarithms, and recall."""
    return _recall(features.matrix(inputs, pairs), len(features.affinities.tables))


def _recall(X: FloatArray, contexts: int) -> FloatArray:
    """float64 [q, contexts + 7] from the columns of ``PairFeatures.matrix``: recall as a logit wants it."""
    records, spells, since, log_margin, base, stay_rate = X[:, contexts : contexts + 6].T
    held = records > 0
    recent = np.where(held, 1 / np.maximum(np.nan_to_num(since, nan=1.0), 0.5), 0.0)
    recall = [held, np.log1p(records), np.log1p(spells), recent]
    return np.column_stack([X[:, :contexts], *recall, log_margin, base, stay_rate]).astype(np.float64)


class Mnl(Staged):
    """statsmodels' Logit of staying, MNLogit of the destination's group, pooled frequencies within the group."""

    def __init__(self, params: MnlParams) -> None:
        super().__init__()
        self.params = params
        self.stay = StayFeatures.empty()
        self.pairs: dict[str, PairFeatures] = {}
        self.arrays: dict[str, Any] = {}  # what was estimated, by name; saved as it is
        self.chosen: dict[str, Any] = {}

    def estimate(self, train: Sample, valid: Sample, context: Context) -> None:
        strengths = Destinations(train.panel, self.group).choose(valid.panel)
        self.chosen = {f"{name}_strength": value for name, value in asdict(strengths).items()}
        with context.progress.bar("mnl: staying, groups, states", 3) as bar:
            self._fit_stay(train, valid)
            bar.advance()
            movers = (train.switchers(), valid.switchers())
            self._fit_groups(
                PairCounts("group", self.contexts, self.group, strengths, self.params.strength, ()), *movers
            )
            bar.advance()
            self._fit_states(
                PairCounts("state", self.contexts, self.group, strengths, self.params.strength, ()), movers[0], context
            )
            bar.advance()

    # Staying

    def _fit_stay(self, train: Sample, valid: Sample) -> None:
        from statsmodels.discrete.discrete_model import Logit

        strength = Stays(train.panel).choose(valid.panel, start=16.0)
        self.chosen["stay_strength"] = strength

        def count(sample: Sample) -> StayFeatures:
            return StayFeatures.count(sample, self.contexts, self.group, (strength, self.params.strength))

        X, offset = cross_fitted_stays(train, count)
        self.stay = count(train)
        columns = self._stay_columns(X, offset)
        held_out = self._stay_columns(self.stay.matrix(valid.inputs), self.stay.offset(valid.inputs))
        self._fit_path(
            "stay", Logit, (columns, train.stayed.astype(np.int64)), (held_out, valid.stayed.astype(np.int64))
        )

    def _stay_columns(self, X: FloatArray, offset: FloatArray) -> FloatArray:
        frequencies = len(self.stay.affinities.tables) + 1  # and how often the origin was seen
        return np.column_stack([offset, X[:, :frequencies], _numbers(X[:, frequencies:])])

    def stay_log_odds(self, inputs: Inputs) -> FloatArray:
        offset = self.stay.offset(inputs)
        if "stay" not in self.arrays:
            return offset
        X = self._scaling("stay").apply(self._stay_columns(self.stay.matrix(inputs), offset))
        return np.asarray(X @ self.arrays["stay"][:, 0], dtype=np.float64)

    # Groups

    def _fit_groups(self, counts: PairCounts, train: Sample, valid: Sample) -> None:
        from statsmodels.discrete.discrete_model import MNLogit

        features = counts.count(train)
        self.pairs["group"] = features
        blocks = [(np.flatnonzero(train.fold() == f), counts.count(train.others(f))) for f in range(FOLDS)]
        parts = [self._group_columns(own, train.inputs.take(rows)) for rows, own in blocks]
        X = np.empty((len(train), parts[0].shape[1]))
        for (rows, _), columns in zip(blocks, parts, strict=True):
            X[rows] = columns
        present, y = np.unique(self.group[train.target], return_inverse=True)
        self.arrays["present"] = present
        known = np.flatnonzero(np.isin(self.group[valid.target], present))
        held_out = self._group_columns(features, valid.inputs.take(known))
        held_y = np.searchsorted(present, self.group[valid.target[known]])
        self._fit_path("group", MNLogit, (X, y), (held_out, held_y))

    def _group_columns(self, features: PairFeatures, inputs: Inputs) -> FloatArray:
        """float64 [n, d]: what MNLogit is given, the same for every group."""
        n, n_groups = len(inputs), features.scheme.n_alternatives
        base = np.maximum(features.base[inputs.origin].astype(np.float64), -12.0)  # [n, G]
        held = np.zeros((n, n_groups))
        np.add.at(held, (inputs.held.row, self.group[inputs.held.state]), inputs.held.records)
        columns = [base, np.log1p(held)]
        for context in self.contexts.contexts:
            code = inputs.codes[context.name]
            if context.name == "previous":
                columns.append(np.eye(n_groups + 1)[np.where(code >= 0, self.group[code], n_groups)][:, :-1])
            elif context.kind == "level":
                columns.append(np.eye(context.size + 1)[code][:, :-1])
        wanted = [i for i, name in enumerate(self.contexts.numbers) if name in OF_GROUPS or name not in CATALOGUE]
        return np.column_stack([*columns, _numbers(inputs.numbers[:, wanted])])

    def group_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        features = self.pairs["group"]
        base = features.offset(inputs, pairs)
        if "group" not in self.arrays:
            return base
        X = self._scaling("group").apply(self._group_columns(features, inputs))
        log_share = log_shares(X, self.arrays["group"])  # [n, groups present]
        place = np.full(features.scheme.n_alternatives, -1, dtype=np.int64)
        place[self.arrays["present"].astype(np.int64)] = np.arange(log_share.shape[1])
        # A group that no switch of the training careers went to keeps the probability of its smoothed frequency.
        unseen = place[pairs.alternative] < 0
        return np.where(unseen, base, log_share[pairs.row, place[pairs.alternative]])

    # States

    def _fit_states(self, counts: PairCounts, train: Sample, context: Context) -> None:
        pairs, label = thinned(*counts.choices(train), self.params.pairs, context.seed)
        X, _ = counts.cross_fitted(train, pairs)
        features = counts.count(train)
        self.pairs["state"] = features
        self.arrays["state"] = conditional_logit(pairs, label, _recall(X, len(features.affinities.tables)), 1.0)

    def state_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        return np.asarray(_pair_columns(self.pairs["state"], inputs, pairs) @ self.arrays["state"], dtype=np.float64)

    # Both logits

    def _fit_path(self, step: str, model: type[Any], train: Labelled, valid: Labelled) -> None:
        """One statsmodels model at falling penalties; nothing where there are no two classes or no validation."""
        X, y = train
        if len(np.unique(y)) < 2 or not len(valid[1]):
            return
        scaling = Scaling.of(X)
        problem = model(y, scaling.apply(X), check_rank=False)
        path = fit_path(problem, (scaling.apply(valid[0]), valid[1]), self.params.penalties, self.params.iterations)
        self.arrays |= {
            step: path.coefficients,
            f"{step}_kept": scaling.kept,
            f"{step}_center": scaling.center,
            f"{step}_scale": scaling.scale,
        }
        self.chosen |= {f"{step}_penalty": path.penalty, f"{step}_converged": path.converged}

    def _scaling(self, step: str) -> Scaling:
        kept, center, scale = (self.arrays[f"{step}_{name}"] for name in ("kept", "center", "scale"))
        return Scaling(kept.astype(np.int64), center, scale)

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self.stay.log_odds.size:
            self.stay.save(folder / "stay.npz")
        for step, features in self.pairs.items():
            features.save(folder / f"{step}.npz")
        named: dict[str, Any] = dict(self.arrays)
        np.savez(folder / "coefficients.npz", **named)
        (folder / "chosen.json").write_text(json.dumps(self.chosen), encoding="utf-8")

    def load(self, folder: Path) -> None:
        super().load(folder)
        self.chosen = json.loads((folder / "chosen.json").read_text(encoding="utf-8"))
        if (folder / "stay.npz").exists():
            self.stay = StayFeatures.load(folder / "stay.npz")
        for step in ("group", "state"):
            if (folder / f"{step}.npz").exists():
                self.pairs[step] = PairFeatures.load(folder / f"{step}.npz")
        with np.load(folder / "coefficients.npz", allow_pickle=False) as stored:
            self.arrays = {name: stored[name] for name in stored.files}

    def facts(self) -> Mapping[str, Any]:
        trained = sum(self.arrays[step].size for step in ("stay", "group", "state") if step in self.arrays)
        return {"parameters_trained": trained, "chosen_on_validation": self.chosen}


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "mnl",
            "statsmodels: Logit of staying, MNLogit of group, frequencies within it",
            Mnl,
            params=MnlParams,
            needs=("statsmodels",),
            install="pip install 'labor-harness[mnl]'",
            cite="McFadden (1974), Conditional logit analysis of qualitative choice behavior",
        )
    ]
