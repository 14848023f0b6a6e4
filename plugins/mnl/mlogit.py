"""mlogit: a multinomial logit of the next state as textbooks have it: one stage, no penalty, a formula, a base.

ln P(k | x) = x b_k - ln sum_j exp(x b_j), b_base = 0 (McFadden 1974, eq. 12), by Newton's method on statsmodels'
MNLogit.
Standard errors are clustered by person. Where some coefficients have no optimum, as that of a group that nobody left
for an outcome, they are named, and all that is identified is estimated beside them, as Stata does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.estimation.logits import Scaling, log_shares
from harness.estimation.transition_model import TransitionModel
from harness.features.frequencies import JEFFREYS, count_states
from harness.model import Context, Table, take_states
from harness.panel import Panel
from harness.plugins.mnl.estimates import EstimateTable
from harness.plugins.mnl.formula import Column, Formula, columns_of, variables_of
from harness.plugins.mnl.linear import NUMBER_LEAST, collinear
from harness.plugins.mnl.optimum import MultinomialFit, maximum
from harness.plugins.mnl.outcome_effects import outcome_effects
from harness.plugins.mnl.params import MlogitParams
from harness.plugins.mnl.solve import Labelled
from harness.system.processors import products_on_free_processors
from harness.types import FloatArray, IntArray

ROWS_AT_ONCE = 20_000
MOST_OUTCOMES = 60  # whose marginal effects are worth their minutes


class MultinomialLogit(TransitionModel):
    """The model; a state that no training transition went to has half a transition's share, taken from all alike."""

    def __init__(self, params: MlogitParams) -> None:
        super().__init__()
        self.params = params
        self.formula = Formula(text="", written="", names=())
        self.columns: dict[str, Column] = {}
        self.scaling = Scaling.of(np.zeros((0, 0)))
        self.present: IntArray = np.zeros(0, dtype=np.int64)  # [J], states gone to, the base first
        self.coefficients: FloatArray = np.zeros((1, 0))  # [1 + d, J - 1], of standardised columns
        self.spare = 1.0  # P(a state that no training transition went to), all together
        self.estimates: list[EstimateTable] = []
        self.told: dict[str, Any] = {}

    @products_on_free_processors()
    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        records = train.counting(train.transitions)
        weight, target = train.weights(records), train.state[records].astype(np.int64)
        self.begin_states(train)
        self._order_outcomes(train, count_states(target, weight, train.n_states))
        if len(self.present) < 2:
            return
        self.formula = Formula.of(self._text(train), train)
        self.columns = columns_of(self.formula, train, records, weight)
        variables = variables_of(self.columns, train, records)
        names, X = self.formula.matrix(variables)
        self._standardise(names, X, weight)
        place = np.full(train.n_states, -1, dtype=np.int64)
        place[self.present] = np.arange(len(self.present))
        data = Labelled(self.scaling.apply(X[:, 1:]), place[target], weight)
        titles = train.occupations.titles
        outcomes = tuple(f"{self.codes[k]} {titles[k]}" for k in self.present)
        with context.progress.bar(f"mlogit: {len(outcomes)} outcomes, {len(names)} terms", None):
            found = maximum(data, self.scaling, train.person[records], self.params.iterations)
        self.coefficients = found.coefficients
        fit = MultinomialFit(names=names, outcomes=outcomes, scaling=self.scaling, optimum=found, data=data)
        for sentence in fit.without_optimum():
            context.progress.note(f"mlogit: {sentence}")
        self.estimates = [fit.table(train.person[records], self.formula.text)]
        self.told = {"formula": self.formula.text, "base_outcome": outcomes[0], **found.facts()}
        if self.params.marginal_effects and len(outcomes) <= MOST_OUTCOMES:
            with context.progress.bar("mlogit: marginal effects", None):
                self.estimates.append(outcome_effects(fit, self.formula, variables))

    def _order_outcomes(self, train: Panel, count: FloatArray) -> None:
        """The base outcome first, then as they are frequent. RequestError for a base that nobody goes to."""
        order = np.argsort(-count, kind="stable")
        order = order[count[order] > 0]
        if self.params.base:
            base = _state_of(self.params.base, train)
            if count[base] == 0:
                raise RequestError(f"mlogit.base: no training transition goes to '{self.params.base}'")
            order = np.concatenate([[base], order[order != base]])
        self.present = order.astype(np.int64)
        missing = train.n_states - len(order)
        self.spare = JEFFREYS * missing / (count.sum() + JEFFREYS * train.n_states)

    def _text(self, train: Panel) -> str:
        """The formula that was asked for; where none was, tenure, and what the careers and the size have room for."""
        if self.params.formula:
            return self.params.formula
        columns = {"tenure": 1}
        if not np.isnan(train.age()).all():
            columns |= {"age": 1, "age**2": 1}
        if (groups := len(train.occupations.group_index()[1])) > 1:
            columns["origin_group"] = groups - 1
        kept, width = ["tenure"], 2  # with the constant
        for part, more in list(columns.items())[1:]:
            if (len(self.present) - 1) * (width + more) <= self.params.most_coefficients:
                kept.append(part)
                width += more
        return " + ".join(kept)

    def _standardise(self, names: Sequence[str], X: FloatArray, weight: FloatArray) -> None:
        """RequestError for columns that do not vary or add up to others, and for more coefficients than can be had."""
        size = (len(self.present) - 1) * len(names)
        if size > self.params.most_coefficients:
            raise RequestError(
                f"mlogit: {len(self.present)} outcomes and {len(names)} terms are {size:,} coefficients, and it "
                f"estimates at most {self.params.most_coefficients:,}: take a shorter formula, fewer states, or model "
                "'mnl'; most_coefficients allows more, which takes long"
            )
        least = NUMBER_LEAST * np.abs(X[:, 1:]).max(axis=0, initial=0.0)
        # Nothing is held within its range: a textbook's logit extrapolates, as Stata's predict does.
        scaling = Scaling.of(X[:, 1:], weight, least)
        unbounded = np.full(len(scaling.kept), np.inf)
        self.scaling = replace(scaling, low=-unbounded, high=unbounded)
        if constant := sorted(set(range(len(names) - 1)) - set(self.scaling.kept.tolist())):
            raise RequestError(f"mlogit.formula: '{names[1 + constant[0]]}' does not vary in training: leave it out")
        for total, parts in collinear(X[:, 1:]):
            raise RequestError(
                f"mlogit.formula: '{names[1 + total]}' is a sum of {', '.join(names[1 + part] for part in parts)}; no "
                "coefficients tell them apart: leave one out"
            )

    def log_prob_between(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        out = np.empty(states.shape)
        for start in range(0, len(transitions), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            out[rows] = take_states(self._rows(panel, transitions[rows]), states[rows])
        return out

    def _rows(self, panel: Panel, transitions: IntArray) -> FloatArray:
        """float64 [n, K]: ln P of every state."""
        n_states, n_present = len(self.codes), len(self.present)
        rows = np.full((len(transitions), n_states), -np.inf)
        if n_present < n_states:
            rows[:] = np.log(self.spare / (n_states - n_present))
        if n_present == 1:
            rows[:, self.present] = np.log1p(-self.spare)
        elif n_present:
            _, X = self.formula.matrix(variables_of(self.columns, panel, transitions))
            shares = log_shares(self.scaling.apply(X[:, 1:]), self.coefficients)
            rows[:, self.present] = np.log1p(-self.spare) + shares
        return rows

    def save(self, folder: Path) -> None:
        arrays: dict[str, Any] = self.scaling.arrays()
        np.savez(
            folder / "mlogit.npz",
            entry_log=self.entry_log,
            present=self.present,
            coefficients=self.coefficients,
            **arrays,
        )
        stored = {
            "codes": list(self.codes),
            "formula": asdict(self.formula),
            "columns": [asdict(column) for column in self.columns.values()],
            "unseen": self.spare,
            "told": self.told,
            "estimates": [estimate.to_json() for estimate in self.estimates],
        }
        (folder / "mlogit.json").write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")

    def load(self, folder: Path) -> None:
        stored = json.loads((folder / "mlogit.json").read_text(encoding="utf-8"))
        self.codes, self.spare, self.told = tuple(stored["codes"]), stored["unseen"], stored["told"]
        self.formula = Formula(**{**stored["formula"], "names": tuple(stored["formula"]["names"])})
        columns = [Column(**{**kept, "levels": tuple(kept["levels"])}) for kept in stored["columns"]]
        self.columns = {column.name: column for column in columns}
        self.estimates = [EstimateTable.from_json(estimate) for estimate in stored["estimates"]]
        with np.load(folder / "mlogit.npz", allow_pickle=False) as kept:
            self.entry_log, self.present = kept["entry_log"], kept["present"]
            self.coefficients, self.scaling = kept["coefficients"], Scaling.of_arrays(kept)

    def facts(self) -> Mapping[str, Any]:
        return {"parameters_trained": self.coefficients.size, **self.told}

    def explain(self) -> Sequence[Table]:
        return [table for estimate in self.estimates for table in estimate.tables()]


def _state_of(name: str, panel: Panel) -> int:
    """The state of a code or a title."""
    for names in (panel.occupations.codes, panel.occupations.titles):
        if name in names:
            return names.index(name)
    offered = (*panel.occupations.codes, *panel.occupations.titles)
    raise RequestError(f"mlogit.base: there is no state '{name}' here; {did_you_mean(name, offered)}")
