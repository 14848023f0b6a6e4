"""mnl in three stages: statsmodels' Logit of staying, its MNLogit of the destination's group, a conditional logit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.estimation.choices import PairCounts
from harness.estimation.logits import log_shares
from harness.estimation.samples import Sample
from harness.estimation.staged import Staged
from harness.estimation.stays import StayFeatures, cross_fitted_stays
from harness.features.frequencies import Destinations, Stays, Strengths
from harness.features.pairs import Inputs, PairFeatures, Pairs
from harness.model import Context, Table
from harness.plugins.mnl import attributes, groups, stay
from harness.plugins.mnl.attributes import Attributes
from harness.plugins.mnl.estimates import EstimateTable
from harness.plugins.mnl.linear import Linear
from harness.plugins.mnl.params import MnlParams
from harness.plugins.mnl.states import fit_states
from harness.plugins.mnl.stay import LogitOptions, Sets
from harness.plugins.mnl.terms import Known, StateClasses
from harness.system.processors import products_on_free_processors
from harness.types import FloatArray, IntArray


class Mnl(Staged):
    """P(stay), P(group | switch) and P(state | group, switch); whatever is counted is counted on other persons."""

    def __init__(self, params: MnlParams) -> None:
        super().__init__()
        self.params = params
        self.status: IntArray = np.zeros(0, dtype=np.int64)  # [K]
        self.stay = StayFeatures.empty()
        self.pairs: dict[str, PairFeatures] = {}
        self.linear = {"stay": Linear.empty(), "group": Linear.empty()}
        self.present: IntArray = np.zeros(0, dtype=np.int64)  # [J], groups that switches went to
        self.attributes: Attributes | None = None
        self.weights: FloatArray = np.zeros(0)  # of the conditional logit
        self.estimates: list[EstimateTable] = []
        self.chosen: dict[str, Any] = {}

    @products_on_free_processors()
    def estimate(self, train: Sample, valid: Sample, context: Context) -> None:
        self.status = StateClasses.of(train.panel.occupations, self.group).status
        strengths = Destinations(train.panel, self.group).choose(valid.panel)
        self.chosen = {f"{name}_strength": value for name, value in asdict(strengths).items()}
        movers = (train.switchers(), valid.switchers())
        with context.progress.bar("mnl: staying, groups, states", 3) as bar:
            self._fit_stay(train, valid)
            bar.advance()
            self._fit_groups(self._counts("group", strengths), *movers)
            bar.advance()
            self._fit_states(self._counts("state", strengths), movers[0], context.seed)
            bar.advance()

    def _counts(self, step: Any, strengths: Strengths) -> PairCounts:
        return PairCounts(
            step=step,
            discretizer=self.discretizer,
            group=self.group,
            strengths=strengths,
            strength=self.params.strength,
            numbers=(),
        )

    @property
    def _settings(self) -> LogitOptions:
        return LogitOptions(self.params.penalties, self.params.iterations, self.params.standard_errors)

    @property
    def _state_classes(self) -> StateClasses:
        return StateClasses(self.status, self.group)

    # Staying

    def _fit_stay(self, train: Sample, valid: Sample) -> None:
        strength = Stays(train.panel).choose(valid.panel, start=16.0)
        self.chosen["stay_strength"] = strength

        def count(sample: Sample) -> StayFeatures:
            return StayFeatures.count(sample, self.discretizer, self.group, (strength, self.params.strength))

        X, offset = cross_fitted_stays(train, count)
        self.stay = count(train)
        if len(np.unique(train.stayed)) < 2 or not len(valid):
            return  # nothing to tell apart, or to choose by: the shrunk log-odds of the origin
        given = stay.given(self.stay, X, offset)
        known = Known.of(train.inputs, self.discretizer.numbers, self._state_classes, given)
        held_out = Sets.of(valid, self._stay_known(valid.inputs))
        fitted = stay.fit_stay(
            self.discretizer, self.stay, train=Sets.of(train, known), valid=held_out, settings=self._settings
        )
        self.linear["stay"] = fitted.linear
        self.estimates += fitted.estimates
        self.chosen |= fitted.chosen

    def _stay_known(self, inputs: Inputs) -> Known:
        return stay.stay_known(self.stay, inputs, self.discretizer.numbers, self._state_classes)

    def stay_log_odds(self, inputs: Inputs) -> FloatArray:
        linear = self.linear["stay"]
        if not linear:
            return self.stay.offset(inputs)
        return np.asarray(linear.utilities(self._stay_known(inputs), len(inputs))[:, 0])

    # Groups

    def _fit_groups(self, counts: PairCounts, train: Sample, valid: Sample) -> None:
        self.pairs["group"] = counts.count(train)
        if len(np.unique(self.group[train.target])) < 2 or not len(valid):
            return  # the smoothed frequencies
        known = groups.cross_fitted(counts, train, self._state_classes)
        mine = groups.Movers(known, self.group[train.target], train.weight, train.person)
        theirs = groups.Movers(self._group_known(valid.inputs), self.group[valid.target], valid.weight, valid.person)
        names = groups.group_names(train.panel.occupations, self.group)
        fitted = groups.fit_groups(self.discretizer, mine, valid=theirs, names=names, settings=self._settings)
        self.linear["group"], self.present = fitted.linear, fitted.present
        self.estimates += fitted.estimates
        self.chosen |= fitted.chosen

    def _group_known(self, inputs: Inputs) -> Known:
        return groups.group_known(self.pairs["group"], inputs, self.discretizer.numbers, self._state_classes)

    def group_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        features, linear = self.pairs["group"], self.linear["group"]
        base = features.offset(inputs, pairs)
        if not linear:
            return base
        X = linear.design(self._group_known(inputs), len(inputs))
        log_share = log_shares(X, linear.coefficients)  # [n, groups present]
        place = np.full(features.scheme.n_alternatives, -1, dtype=np.int64)
        place[self.present] = np.arange(log_share.shape[1])
        # A group that no switch of the training careers went to keeps the probability of its smoothed frequency.
        unseen = place[pairs.alternative] < 0
        return np.where(unseen, base, log_share[pairs.row, place[pairs.alternative]])

    # States

    def _fit_states(self, counts: PairCounts, train: Sample, seed: int) -> None:
        fitted = fit_states(counts, train, self.params.pairs, seed)
        self.pairs["state"], self.attributes, self.weights = fitted.features, fitted.attributes, fitted.weights
        self.estimates += fitted.estimates

    def state_scores(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        assert self.attributes is not None
        Z = attributes.columns(self.pairs["state"], self.attributes, inputs, pairs)
        return np.asarray(Z @ self.weights, dtype=np.float64)

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self.attributes is None:  # one state: nothing was estimated
            return
        self.stay.save(folder / "stay.npz")
        self.attributes.save(folder / "attributes.npz")
        for step, features in self.pairs.items():
            features.save(folder / f"{step}.npz")
        arrays: dict[str, Any] = {
            f"{step} {name}": a for step, linear in self.linear.items() for name, a in linear.arrays().items()
        }
        np.savez(folder / "coefficients.npz", weights=self.weights, present=self.present, status=self.status, **arrays)
        stored = {
            "chosen": self.chosen,
            "terms": {step: linear.described() for step, linear in self.linear.items()},
            "estimates": [estimate.to_json() for estimate in self.estimates],
        }
        (folder / "mnl.json").write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")

    def load(self, folder: Path) -> None:
        super().load(folder)
        if not (folder / "mnl.json").exists():
            return
        stored = json.loads((folder / "mnl.json").read_text(encoding="utf-8"))
        self.chosen = stored["chosen"]
        self.estimates = [EstimateTable.from_json(estimate) for estimate in stored["estimates"]]
        self.stay = StayFeatures.load(folder / "stay.npz")
        self.attributes = Attributes.load(folder / "attributes.npz")
        self.pairs = {step: PairFeatures.load(folder / f"{step}.npz") for step in ("group", "state")}
        with np.load(folder / "coefficients.npz", allow_pickle=False) as kept:
            self.weights, self.present, self.status = kept["weights"], kept["present"], kept["status"]
            for step, terms in stored["terms"].items():
                self.linear[step] = Linear.restored(kept, terms, f"{step} ")

    def facts(self) -> Mapping[str, Any]:
        trained = sum(linear.coefficients.size for linear in self.linear.values()) + self.weights.size
        return {"parameters_trained": trained, "chosen_on_validation": self.chosen}

    def explain(self) -> Sequence[Table]:
        return [table for estimate in self.estimates for table in estimate.tables()]
