"""Stage two: statsmodels' MNLogit of the major group that those who switch go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.estimation.choices import PairCounts
from harness.estimation.samples import FOLDS, Sample
from harness.features.catalogue import CATALOGUE
from harness.features.discrete import Discretizer
from harness.features.pairs import Inputs, PairFeatures
from harness.panel import Occupations
from harness.plugins.mnl.estimates import EstimateTable
from harness.plugins.mnl.explained import About, explained
from harness.plugins.mnl.linear import Linear, varying
from harness.plugins.mnl.solve import Labelled, fit_path
from harness.plugins.mnl.stay import LogitOptions
from harness.plugins.mnl.terms import (
    Factor,
    Known,
    StateClasses,
    Term,
    level_terms,
    levels_of,
    matrix,
    number_terms,
    numbers_of,
    state_terms,
)
from harness.types import FloatArray, IntArray

# Numeric features of the destination's group, beside a panel's own numeric covariates.
OF_GROUPS = ("age", "year", "records", "distinct_states", "tenure", "group_tenure", "records_studying")
SMALLEST_FLOW = -12.0  # ln P: a group that is all but closed is no closer to closed than this


def group_names(occupations: Occupations, group: IntArray) -> list[str]:
    """Names of the groups in use: a major group, or several that were put together."""
    names = []
    for g in range(int(group.max()) + 1):
        own = sorted({occupations.groups[k] for k in np.flatnonzero(group == g)})
        names.append(own[0] if len(own) == 1 else f"{len(own)} rare groups")
    return names


@dataclass(frozen=True)
class Movers:
    """Those who switched, and what is known of them. group: int64 [n], where they went."""

    known: Known
    group: IntArray
    weight: FloatArray
    person: IntArray


def group_known(features: PairFeatures, inputs: Inputs, names: Sequence[str], states: StateClasses) -> Known:
    """names: of numeric features. states: classes of the states."""
    n, n_groups = len(inputs), features.scheme.n_alternatives
    flows = np.maximum(features.base[inputs.origin].astype(np.float64), SMALLEST_FLOW)  # [n, G]
    held = np.zeros((n, n_groups))
    np.add.at(held, (inputs.held.row, states.group[inputs.held.state]), inputs.held.records)
    given = {f"flow {g}": flows[:, g] for g in range(n_groups)}
    given |= {f"held {g}": np.log1p(held[:, g]) for g in range(n_groups)}
    return Known.of(inputs, names, states, given)


def cross_fitted(counts: PairCounts, train: Sample, states: StateClasses) -> Known:
    """Facts of training switches, flows counted on other persons."""
    fold = train.fold()
    parts = []
    for f in range(FOLDS):
        rows = np.flatnonzero(fold == f)
        parts.append((rows, group_known(counts.count(train.others(f)), train.inputs.take(rows), (), states)))
    given = {}
    for name in parts[0][1].given:
        column = np.empty(len(train))
        for rows, known in parts:
            column[rows] = known.given[name]
        given[name] = column
    return Known.of(train.inputs, counts.discretizer.numbers, states, given)


def group_terms(
    discretizer: Discretizer, known: Known, names: Sequence[str], weight: FloatArray
) -> tuple[list[Term], list[str]]:
    """The terms of stage two, the same in every equation, and the reference categories."""
    terms, references = [], []
    for what, said in (("flow", "ln share of the origin's switches to {}, shrunk"), ("held", "ln(1 + records in {})")):
        terms += [Term(said.format(name), (Factor("given", f"{what} {g}"),)) for g, name in enumerate(names)]
    previous = known.codes["previous"]
    code = np.where(previous >= 0, known.states.group[previous], -1)
    found, reference = state_terms("group", "previous", code=code, names=names, weight=weight)
    terms += found
    references += [f"previous's group: {reference}"] if found else []
    for feature in levels_of(discretizer):
        found, reference = level_terms(feature, known.codes[feature.name], weight)
        terms += found
        references.append(f"{feature.name}: {reference}")
    own = numbers_of(discretizer)
    for name in discretizer.numbers:
        if name in OF_GROUPS or name not in CATALOGUE:
            terms += number_terms(name, known.numbers[name], own=name in own)
    return terms, references


@dataclass(frozen=True)
class GroupStage:
    """A fitted stage two. present: int64 [J], the groups that switches went to, the reference first."""

    linear: Linear
    present: IntArray
    estimates: tuple[EstimateTable, ...]
    chosen: Mapping[str, Any]


def fit_groups(
    discretizer: Discretizer, train: Movers, valid: Movers, names: Sequence[str], settings: LogitOptions
) -> GroupStage:
    """Fitted at falling penalties, each begun where the one before ended; the one that ``valid`` likes best is kept.

    The reference is the most frequent destination.
    """
    count = np.bincount(train.group, weights=train.weight, minlength=len(names))
    present = np.argsort(-count, kind="stable")
    present = present[count[present] > 0]
    place = np.full(len(names), -1, dtype=np.int64)
    place[present] = np.arange(len(present))
    wanted, references = group_terms(discretizer, train.known, names, train.weight)
    terms, X, scaling = varying(wanted, train.known, train.weight)
    own = Labelled(scaling.apply(X), place[train.group], train.weight)
    seen = place[valid.group] >= 0
    held_X = scaling.apply(matrix(terms, valid.known, len(valid.group)))
    held = Labelled(held_X[seen], place[valid.group][seen], valid.weight[seen])
    fitted = fit_path(own, held, settings.penalties, settings.iterations)
    linear = Linear(terms, scaling, fitted.coefficients)
    chosen = {"group_penalty": fitted.penalty, "group_converged": fitted.converged}
    outcomes = tuple(names[g] for g in present)
    note = f"outcome: the major group switched to, against {outcomes[0]}; shares are counted on other persons"
    title = "MNLogit of the destination's major group"
    about = About(
        stage="group",
        title=title,
        outcomes=outcomes,
        references=tuple(references),
        notes=(note,),
        errors=settings.errors,
    )
    return GroupStage(
        linear, present, (explained(linear, own, person=train.person, fitted=fitted, about=about),), chosen
    )
