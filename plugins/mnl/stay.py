"""Stage one: statsmodels' Logit of staying in the origin, on named terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.estimation.samples import Sample
from harness.estimation.stays import StayFeatures
from harness.features.discrete import Discretizer
from harness.features.pairs import Inputs
from harness.plugins.mnl.effects import Bands, marginal_effects
from harness.plugins.mnl.estimates import EstimateTable, Sizes, log_null, natural, rows_of, why_no_errors
from harness.plugins.mnl.likelihood import fitted_results
from harness.plugins.mnl.linear import Linear, varying
from harness.plugins.mnl.solve import FittedLogit, Labelled, fit_path, problem
from harness.plugins.mnl.terms import (
    AMONG,
    STATUSES,
    Factor,
    Known,
    StateClasses,
    Term,
    crossed,
    level_terms,
    levels_of,
    matrix,
    number_terms,
    numbers_of,
    state_terms,
)
from harness.types import FloatArray, IntArray

MOST_CELLS = 64  # of an interaction of two covariates
GAIN = 1e-5  # nats of validation log-likelihood a transition that an interaction has to bring


def given(features: StayFeatures, matrix: FloatArray, offset: FloatArray) -> dict[str, FloatArray]:
    """The frequencies that stage one is given, by name. matrix: of ``StayFeatures.matrix``; offset: of ``offset``."""
    named = {AMONG + name: matrix[:, j] for j, name in enumerate(features.affinities.tables)}
    seen = matrix[:, len(named)]
    return {"log-odds": offset, "seen": seen, **named}


@dataclass(frozen=True)
class Sets:
    """Transitions to estimate from: what is known of them, whether they stayed, what they count for, whose they are."""

    known: Known
    stayed: IntArray
    weight: FloatArray
    person: IntArray

    @classmethod
    def of(cls, sample: Sample, known: Known) -> Sets:
        return cls(known, sample.stayed.astype(np.int64), sample.weight, sample.person)


def stay_terms(discretizer: Discretizer, known: Known, weight: FloatArray) -> tuple[list[Term], list[str]]:
    """Every term of stage one, interactions in blocks, and the reference categories."""
    called = {"log-odds": "origin: log-odds of staying, shrunk", "seen": "origin: ln(1 + training transitions)"}
    terms = [Term(name, (Factor("given", of),)) for of, name in called.items()]
    for feature in discretizer.features:
        frequency = Factor("given", AMONG + feature.name)
        if feature.kind == "state" and feature.name != "origin":
            terms.append(Term(f"{feature.name}: ln share of stayers over all, shrunk", (frequency,)))
        elif feature.kind == "bin":
            terms.append(Term(f"{feature.name} band: ln share of stayers over all, shrunk", (frequency,), "bands"))
    own = numbers_of(discretizer)
    for name in discretizer.numbers:
        terms += number_terms(name, known.numbers[name], own=name in own)
        if name == "origin_spells":
            terms.append(Term("been in the origin before", (Factor("above", name, 1),)))
    references = []
    status, reference = state_terms(
        "status", "origin", code=known.states.status[known.codes["origin"]], names=STATUSES, weight=weight
    )
    terms += status
    references.append(f"origin's status: {reference}")
    levels: dict[str, list[Term]] = {}
    for feature in levels_of(discretizer):
        levels[feature.name], reference = level_terms(feature, known.codes[feature.name], weight)
        terms += levels[feature.name]
        references.append(f"{feature.name}: {reference}")
    return terms + _interactions(levels, status), references


def _interactions(levels: Mapping[str, list[Term]], status: list[Term]) -> list[Term]:
    age, tenure = Term("age", (Factor("number", "age"),)), Term("ln(1 + tenure)", (Factor("log", "tenure"),))
    found: list[Term] = crossed([age], [tenure], "age x tenure") + crossed(status, [tenure], "status x tenure")
    names = list(levels)
    for i, one in enumerate(names):
        found += crossed(levels[one], [age], f"{one} x age")
        found += crossed(levels[one], [tenure], f"{one} x tenure")
        for other in names[i + 1 :]:
            if len(levels[one]) * len(levels[other]) <= MOST_CELLS:
                found += crossed(levels[one], levels[other], f"{one} x {other}")
    return found


@dataclass(frozen=True)
class LogitOptions:
    """Options of a fit: penalties tried, most iterations at one, and whether errors are wanted."""

    penalties: tuple[float, ...]
    iterations: int
    errors: bool


@dataclass(frozen=True)
class StayStage:
    """A fitted stage one. chosen: what the validation split said."""

    linear: Linear
    estimates: tuple[EstimateTable, ...]
    chosen: Mapping[str, Any]


@dataclass(frozen=True)
class _Splits:
    """Columns of training and validation, the constant's the first, and how to fit on some of them."""

    train: Labelled
    valid: Labelled
    settings: LogitOptions

    def on(self, columns: IntArray, penalties: tuple[float, ...], start: FloatArray) -> tuple[FittedLogit, float]:
        """The fit on some columns (positions, rising), and its validation loss. start: float64 [all columns]."""
        data, held = (Labelled(part.X[:, columns], part.y, part.weight) for part in (self.train, self.valid))
        fitted: FittedLogit = fit_path(
            data, held, penalties=penalties, iterations=self.settings.iterations, start=start[columns, None]
        )
        start[columns] = fitted.coefficients[:, 0]
        return fitted, held.loss(fitted.coefficients)

    def choose(self, blocks: Sequence[str]) -> tuple[IntArray, FittedLogit, list[str]]:
        """The columns that stay, the fit on them, and the blocks that earned it, tried one after another.

        blocks: that of each column, empty for those that stay in any case.
        """
        of, start = np.array(blocks, dtype=object), np.zeros(len(blocks))
        columns, earned = np.flatnonzero(of == ""), []
        fitted, loss = self.on(columns, self.settings.penalties, start)
        for block in dict.fromkeys(filter(None, blocks)):
            wider = np.union1d(columns, np.flatnonzero(of == block))
            candidate, found = self.on(wider, (fitted.penalty,), start.copy())
            if found < loss - GAIN:
                columns, fitted, loss = wider, candidate, found
                start[columns] = fitted.coefficients[:, 0]
                earned.append(block)
        if earned:
            fitted, _ = self.on(columns, self.settings.penalties, start)
        return columns, fitted, earned


def bands_of(discretizer: Discretizer, features: StayFeatures) -> dict[str, Bands]:
    """The bands of every number that has some, and the shares of stayers that were counted in them."""
    tables = features.affinities.tables
    return {c.name: Bands(c.edges, tables[c.name][:, 1]) for c in discretizer.features if c.kind == "bin"}


def fit_stay(
    discretizer: Discretizer, features: StayFeatures, train: Sets, valid: Sets, settings: LogitOptions
) -> StayStage:
    """Penalty and interactions are those under which staying and leaving in ``valid`` are likeliest.

    features: as counted on all training careers, which marginal effects move along.
    """
    wanted, references = stay_terms(discretizer, train.known, train.weight)
    terms, X, scaling = varying(wanted, train.known, train.weight)
    own = Labelled(scaling.apply(X), train.stayed, train.weight)
    held = Labelled(scaling.apply(matrix(terms, valid.known, len(valid.stayed))), valid.stayed, valid.weight)
    columns, fitted, earned = _Splits(own, held, settings).choose(["", *(term.block for term in terms)])
    use = columns[1:] - 1  # the constant aside
    linear = Linear(tuple(terms[j] for j in use), scaling.take(use), fitted.coefficients)
    chosen = {"stay_penalty": fitted.penalty, "stay_converged": fitted.converged, "stay_interactions": earned}
    data = Labelled(own.X[:, columns], own.y, own.weight)
    coefficients, covariance = _explained(linear, data, train=train, fitted=fitted, references=tuple(references))
    bands = bands_of(discretizer, features)
    effects = marginal_effects(
        linear, data.X, weight=data.weight, known=train.known, covariance=covariance, bands=bands
    )
    return StayStage(linear, (coefficients, effects), chosen)


def _explained(
    linear: Linear, data: Labelled, train: Sets, fitted: FittedLogit, references: tuple[str, ...]
) -> tuple[EstimateTable, FloatArray | None]:
    """Coefficients with statsmodels' own clustered errors, and their covariance; None where there are no errors."""
    model, beta = problem(data, fitted.penalty), linear.coefficients[:, 0]
    covariance, why = None, why_no_errors(train.person, len(beta))
    if not why:
        covariance = np.asarray(fitted_results(model, beta, train.person).cov_params())
    value, error = natural(linear.scaling, linear.coefficients, covariance)
    sizes = Sizes(
        weight=train.weight,
        person=train.person,
        log_likelihood=model.log_likelihood(beta),
        log_null=log_null(data.y, data.weight),
        penalty=fitted.penalty,
        references=references,
        further=(
            "outcome: the person is in the same state in the next record; origin effects are counted on other persons",
        ),
        without_errors=why,
        converged=fitted.converged,
    )
    names = ("constant", *(term.name for term in linear.terms))
    coefficients = EstimateTable(
        stage="stay",
        title="Logit of staying",
        terms=names,
        outcomes=("",),
        value=rows_of(value),
        error=rows_of(error),
        notes=sizes.notes(),
    )
    return coefficients, covariance


def stay_known(features: StayFeatures, inputs: Inputs, names: Sequence[str], states: StateClasses) -> Known:
    """Facts of transitions to be predicted, as stage one knows them. states: classes of the states."""
    frequencies = given(features, features.matrix(inputs), features.offset(inputs))
    return Known.of(inputs, names, states, frequencies)
