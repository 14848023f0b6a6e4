"""mnl in one stage: a plain MNLogit over all states, the origin one among them, on features as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.estimation.logits import log_shares
from harness.estimation.samples import Sample
from harness.estimation.transition_model import FromOrigin
from harness.features.catalogue import CATALOGUE
from harness.features.discrete import STATES, Discretizer
from harness.features.frequencies import JEFFREYS
from harness.features.pairs import Inputs
from harness.model import Context, Table, take_states
from harness.panel import Panel
from harness.plugins.mnl.estimates import EstimateTable
from harness.plugins.mnl.explained import About, explained
from harness.plugins.mnl.linear import Design, Linear, collinear, varying
from harness.plugins.mnl.params import MnlParams
from harness.plugins.mnl.solve import Labelled, fit_path
from harness.plugins.mnl.terms import (
    Factor,
    Known,
    StateClasses,
    Term,
    level_terms,
    levels_of,
    matrix,
    number_terms,
    state_terms,
)
from harness.system.processors import products_on_free_processors
from harness.types import FloatArray, IntArray

TERMS = ("origin", "tenure", "age", "age squared", "year")
SQUARED = " squared"
ROWS_AT_ONCE = 10_000


class OneStage(FromOrigin):
    """ln P(k) = x b_k - ln sum_j exp(x b_j), x the terms asked for; a state that no training transition went to has
    half a transition's share, and what all of these have is taken from the others alike.
    """

    def __init__(self, params: MnlParams) -> None:
        super().__init__()
        self.params = params
        self.state_classes = StateClasses.empty()
        self.linear = Linear.empty()
        self.present: IntArray = np.zeros(0, dtype=np.int64)  # [J], states gone to, the reference first
        self.spare = 1.0  # P(a state that no training transition went to), all together
        self.estimates: list[EstimateTable] = []
        self.chosen: dict[str, Any] = {}

    @products_on_free_processors()
    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        table = self.begin(train)
        self.state_classes = StateClasses.of(train.occupations, train.occupations.group_index()[0])
        mine, held = Sample.of(train, self.discretizer, table), Sample.of(valid, self.discretizer)
        count = np.bincount(mine.target, weights=mine.weight, minlength=train.n_states)
        order = np.argsort(-count, kind="stable")
        self.present = order[count[order] > 0]
        missing = train.n_states - len(self.present)
        self.spare = JEFFREYS * missing / (count.sum() + JEFFREYS * train.n_states)
        wanted, references = self._terms(train, mine)
        if len(self.present) > 1:
            made = varying([term for own in wanted.values() for term in own], self._known(mine.inputs), mine.weight)
            for sentence in self._not_to_be_had(wanted, made):
                context.progress.note(sentence)
            with context.progress.bar(f"mnl: MNLogit over {len(self.present)} states", None):
                self._estimate(mine, held, made, references)

    def _not_to_be_had(self, wanted: Mapping[str, Sequence[Term]], made: Design) -> Iterator[str]:
        """Sentences on features that no coefficient is for, and on terms that add up to others.

        RequestError where a feature was asked for by name, and where without a penalty there is nothing to tell
        collinear terms apart.
        """
        terms, X, _ = made
        for name, own in wanted.items():
            if own and not set(own) & set(terms):
                told = f"mnl: '{name}' does not vary in training, or says what another term says"
                if self.params.terms:
                    raise RequestError(f"{told}: leave it out of mnl.terms")
                yield f"{told}; it is left out"
        for sum_, parts in collinear(X):
            told = f"mnl: '{terms[sum_].name}' is a sum of {', '.join(terms[part].name for part in parts)}"
            if 0 in self.params.penalties:
                raise RequestError(
                    f"{told}: without a penalty no coefficients tell them apart; leave one out of mnl.terms"
                )
            yield f"{told}; the penalty alone shares what they say among them"

    def _estimate(self, train: Sample, valid: Sample, made: Design, references: Sequence[str]) -> None:
        terms, X, scaling = made
        place = np.full(len(self.codes), -1, dtype=np.int64)
        place[self.present] = np.arange(len(self.present))
        seen = valid.take(np.flatnonzero(place[valid.target] >= 0))
        held_X = scaling.apply(matrix(terms, self._known(seen.inputs), len(seen)))
        data = Labelled(scaling.apply(X), place[train.target], train.weight)
        held = Labelled(held_X, place[seen.target], seen.weight)
        fitted = fit_path(data, held, self.params.penalties, self.params.iterations)
        self.linear = Linear(terms, scaling, fitted.coefficients)
        self.chosen = {"penalty": fitted.penalty, "converged": fitted.converged}
        titles = train.panel.occupations.titles
        outcomes = tuple(f"{self.codes[k]} {titles[k]}" for k in self.present)
        note = f"outcome: the state of the next record, against {outcomes[0]}"
        errors = self.params.standard_errors
        about = About(
            stage="all",
            title="MNLogit of the next state",
            outcomes=outcomes,
            references=tuple(references),
            notes=(note,),
            errors=errors,
        )
        self.estimates = [explained(self.linear, data, person=train.person, fitted=fitted, about=about)]

    def _terms(self, train: Panel, sample: Sample) -> tuple[dict[str, list[Term]], list[str]]:
        """The terms of each feature asked for, and the reference categories.

        RequestError for a name that is no feature's.
        """
        known, levels = self._known(sample.inputs), {c.name: c for c in levels_of(self.discretizer)}
        covariates = [name for name in self.discretizer.numbers if name not in CATALOGUE]
        numbers, offered = set(self.discretizer.numbers), {*self.discretizer.numbers, *STATES, "origin_group", *levels}
        terms: dict[str, list[Term]] = {}
        references: list[str] = []
        for name in self.params.terms or (*TERMS, *levels, *covariates):
            found, reference = [], ""
            if name.endswith(SQUARED) and name.removesuffix(SQUARED) in numbers:
                found = [Term(name, (Factor("square", name.removesuffix(SQUARED)),))]
            elif name in numbers:
                found = number_terms(name, known.numbers[name], transformed=False)
            elif name in levels:
                found, reference = level_terms(levels[name], known.codes[name], sample.weight)
            elif name == "origin_group":
                code, groups = self.state_classes.group[known.codes["origin"]], train.occupations.group_index()[1]
                found, reference = state_terms("group", "origin", code=code, names=groups, weight=sample.weight)
            elif name in offered:
                found, reference = state_terms(
                    "level", name, code=known.codes[name], names=self.codes, weight=sample.weight
                )
            else:
                raise RequestError(f"mnl.terms: there is no feature '{name}' here; {did_you_mean(name, offered)}")
            terms[name] = found
            references += [f"{name}: {reference}"] if reference else []
        return terms, references

    def _known(self, inputs: Inputs) -> Known:
        return Known.of(inputs, self.discretizer.numbers, self.state_classes, {})

    def log_prob_from(self, inputs: Inputs, states: IntArray) -> FloatArray:
        out = np.empty(states.shape, dtype=np.float32)
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, len(inputs)))
            out[rows] = take_states(self._rows(inputs.take(rows)), states[rows])
        return out

    def _rows(self, inputs: Inputs) -> FloatArray:
        """float64 [n, K]: ln P of every state."""
        n_states, n_present = len(self.codes), len(self.present)
        row = np.full((len(inputs), n_states), -np.inf)
        if n_present < n_states:
            row[:] = np.log(self.spare / (n_states - n_present))
        if n_present:
            X = self.linear.design(self._known(inputs), len(inputs))
            row[:, self.present] = np.log1p(-self.spare) + log_shares(X, self.linear.coefficients)
        return row

    def save(self, folder: Path) -> None:
        arrays: dict[str, Any] = self.linear.arrays()
        np.savez(
            folder / "one.npz",
            entry_log=self.entry_log,
            status=self.state_classes.status,
            group=self.state_classes.group,
            present=self.present,
            **arrays,
        )
        stored = {
            "codes": list(self.codes),
            "contexts": self.discretizer.to_json(),
            "unseen": self.spare,
            "chosen": self.chosen,
            "terms": self.linear.described(),
            "estimates": [estimate.to_json() for estimate in self.estimates],
        }
        (folder / "one.json").write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")

    def load(self, folder: Path) -> None:
        stored = json.loads((folder / "one.json").read_text(encoding="utf-8"))
        self.codes, self.discretizer = tuple(stored["codes"]), Discretizer.from_json(stored["contexts"])
        self.spare, self.chosen = stored["unseen"], stored["chosen"]
        self.estimates = [EstimateTable.from_json(estimate) for estimate in stored["estimates"]]
        with np.load(folder / "one.npz", allow_pickle=False) as kept:
            self.entry_log, self.present = kept["entry_log"], kept["present"]
            self.state_classes = StateClasses(kept["status"], kept["group"])
            self.linear = Linear.restored(kept, stored["terms"])

    def facts(self) -> Mapping[str, Any]:
        return {"parameters_trained": self.linear.coefficients.size, "chosen_on_validation": self.chosen}

    def explain(self) -> Sequence[Table]:
        return [table for estimate in self.estimates for table in estimate.tables()]
