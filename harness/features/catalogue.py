"""Features of transitions: a person's history in named columns that any model can use.

    table = features.build(panel, panel.transitions)
    X = table.matrix(["tenure", "age"])             # float64 [n, 2]
    features.CATALOGUE                              # every built-in name, with its unit and one line

A feature uses the records up to and including the origin, and the target's year and covariates: never the target's
state, nor anything later, nor another person. A career's first record has no history: what depends on one is missing
there. Missing is NaN in numeric columns and -1 in categorical ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.features.history import Held, History, states_held
from harness.panel.careers import Covariate, Panel
from harness.types import BoolArray, FloatArray, IntArray

__all__ = ["CATALOGUE", "Feature", "FeatureTable", "Held", "History", "build", "known", "states_held"]

Values = Literal["state", "group", "level", "number"]
Compute = Callable[[History], FloatArray | IntArray | BoolArray]


@dataclass(frozen=True, slots=True)
class Feature:
    """One column. values: what it holds: a state, a major group, a level of a covariate, or a number in ``unit``.

    levels: the names that a covariate's levels stand for, in order.
    """

    name: str
    summary: str
    values: Values = "number"
    unit: str = ""
    levels: tuple[str, ...] = ()

    @property
    def categorical(self) -> bool:
        return self.values != "number"


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of n transitions; columns are float64 [n], or int64 [n] where the feature is categorical.

    history: that of the whole panel, which the columns were computed from; None of a table that was made by hand.
    """

    features: Mapping[str, Feature]
    columns: Mapping[str, FloatArray | IntArray]
    history: History | None = None

    def __getitem__(self, name: str) -> FloatArray | IntArray:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def take(self, rows: IntArray | BoolArray) -> FeatureTable:
        """The features of some of the transitions."""
        return replace(self, columns={name: column[rows] for name, column in self.columns.items()})

    def matrix(self, names: Iterable[str]) -> FloatArray:
        """float64 [n, number of names]; categorical columns as their integers."""
        return np.stack([np.asarray(self.columns[name], dtype=np.float64) for name in names], axis=1)


def _kept(h: History, steps: int) -> FloatArray:
    """1 where the record that many steps before kept the state before it, else 0; NaN where there is none before."""
    position = np.arange(len(h.state)) - steps
    kept = ~h.opens_spell[np.maximum(position, 0)]
    return np.where(position > h.start, kept.astype(np.float64), np.nan)


def _longest_tenure(h: History) -> IntArray:
    """A running maximum that starts afresh with every career."""
    tenure = h.years_held(h.state)
    lift = h.panel.person * (int(tenure.max(initial=0)) + 1)  # puts every career above the one before it
    return np.maximum.accumulate(tenure + lift) - lift


# Features of the origin's row of the history, each with the function that computes it for every record of a panel.
HISTORY: tuple[tuple[Feature, Compute], ...] = (
    (Feature("origin", "state of the record before the target", "state"), lambda h: h.state),
    (Feature("previous", "state before the present spell", "state"), lambda h: h.previous),
    (Feature("lag_2", "state two records before the target", "state"), lambda h: h.lag(1)),
    (Feature("lag_3", "state three records before the target", "state"), lambda h: h.lag(2)),
    (
        Feature("last_occupation", "latest state with status employed", "state"),
        lambda h: h.state_at(h.latest(h.employed)),
    ),
    (Feature("first_state", "state of the career's first record", "state"), lambda h: h.state[h.start]),
    (Feature("origin_group", "major group of the origin", "group"), lambda h: h.group),
    (Feature("tenure", "present spell in the origin, its first year counted", unit="years"), lambda h: h.tenure),
    (
        Feature("group_tenure", "present spell in the origin's major group", unit="years"),
        lambda h: h.years_held(h.group),
    ),
    (Feature("longest_tenure", "longest spell in one state so far", unit="years"), _longest_tenure),
    (Feature("records", "records before the target", unit="records"), lambda h: h.running(np.ones_like(h.state))),
    (Feature("spells", "spells so far, the present one counted", unit="spells"), lambda h: h.running(h.opens_spell)),
    (
        Feature("distinct_states", "distinct states so far", unit="states"),
        lambda h: h.running(h.by_state.is_first),
    ),
    (
        Feature("origin_spells", "spells in the origin so far, the present one counted", unit="spells"),
        lambda h: h.by_state.spells_so_far,
    ),
    (Feature("stayed", "whether the origin kept the state before it", unit="0/1"), lambda h: _kept(h, 0)),
    (
        Feature("stayed_2", "whether the record before the origin kept its state", unit="0/1"),
        lambda h: _kept(h, 1),
    ),
    (
        Feature("records_employed", "records so far with status employed", unit="records"),
        lambda h: h.running(h.employed),
    ),
    (Feature("records_studying", "records so far in education", unit="records"), lambda h: h.running(h.studying)),
    (
        Feature("records_without_work", "records so far neither employed nor in education", unit="records"),
        lambda h: h.running(h.without_work),
    ),
    (
        Feature("spells_without_work", "spells so far neither employed nor in education", unit="spells"),
        lambda h: h.running(h.without_work & h.begins(h.without_work)),
    ),
    (
        Feature("since_employed", "from the latest record with status employed to the origin", unit="years"),
        lambda h: h.years_since(h.latest(h.employed)),
    ),
    (
        Feature("since_without_work", "from the latest record without work or study to the origin", unit="years"),
        lambda h: h.years_since(h.latest(h.without_work)),
    ),
)

TARGET: tuple[Feature, ...] = (
    Feature("year", "calendar year of the target", unit="year"),
    Feature("age", "age in the target's year", unit="years"),
    Feature("gap", "from the origin to the target", unit="years"),
    Feature("since_start", "from the career's first record to the target", unit="years"),
)


CATALOGUE: Mapping[str, Feature] = {f.name: f for f in (*(feature for feature, _ in HISTORY), *TARGET)}


def build(panel: Panel, transitions: IntArray, names: Iterable[str] | None = None) -> FeatureTable:
    """The features of the target records ``transitions`` (int64 [n]).

    names: those wanted; all of the catalogue and of the panel's covariates where None. RequestError for a name that
    neither has.
    """
    history = History(panel)
    sources = dict(_sources(history, np.asarray(transitions, dtype=np.int64)))
    wanted = list(sources) if names is None else list(names)
    for name in wanted:
        if name not in sources:
            raise RequestError(f"panel '{panel.name}' has no feature called '{name}'; {did_you_mean(name, sources)}")
    return FeatureTable(
        features={name: sources[name][0] for name in wanted},
        columns={name: _column(*sources[name]) for name in wanted},
        history=history,
    )


def known(panel: Panel | None = None) -> dict[str, Feature]:
    """Every feature by name: the catalogue, and with a panel those of its covariates. None is computed."""
    if panel is None:
        return dict(CATALOGUE)
    return {name: feature for name, (feature, _) in _sources(History(panel), panel.transitions)}


Source = tuple[Feature, Callable[[], FloatArray | IntArray | BoolArray]]


def _column(feature: Feature, compute: Callable[[], FloatArray | IntArray | BoolArray]) -> FloatArray | IntArray:
    return compute().astype(np.int64) if feature.categorical else compute().astype(np.float64)


def _sources(history: History, transitions: IntArray) -> Iterator[tuple[str, Source]]:
    """Every feature of a panel with the function that computes its column, nothing computed yet."""
    has_origin = transitions > history.start[transitions]
    origin = np.maximum(transitions - 1, 0)

    def at_origin(feature: Feature, compute: Compute) -> FloatArray:
        missing = -1 if feature.categorical else np.nan
        return np.where(has_origin, compute(history)[origin].astype(np.float64), missing)

    for feature, compute in HISTORY:
        yield feature.name, (feature, partial(at_origin, feature, compute))
    year = history.year[transitions]
    target: dict[str, Callable[[], FloatArray | IntArray]] = {
        "year": lambda: year,
        "age": lambda: history.panel.age()[transitions],
        "gap": lambda: np.where(has_origin, year - history.year[origin], np.nan),
        "since_start": lambda: np.where(has_origin, year - history.year[history.start[transitions]], np.nan),
    }
    for feature in TARGET:
        yield feature.name, (feature, target[feature.name])
    for name, label in covariate_labels(history.panel).items():
        yield from _covariate(history, transitions, (name, label), history.panel.covariates[name])


def covariate_labels(panel: Panel) -> dict[str, str]:
    """Names of the panel's covariates as features: NAME, or NAME_covariate where a feature has that name.

    ``birth_year`` is left out: age and year say it.
    """
    made = {f"{n}_{end}" for n, c in panel.covariates.items() if changes(c) for end in ("changed", "years")}
    taken = made | set(CATALOGUE)
    return {n: f"{n}_covariate" if n in taken else n for n in panel.covariates if n != "birth_year"}


def changes(covariate: Covariate) -> bool:
    """True where it has levels that can change, so that there are features of when they did."""
    return covariate.kind == "categorical" and not covariate.fixed


def _covariate(
    history: History, transitions: IntArray, called: tuple[str, str], covariate: Covariate
) -> Iterator[tuple[str, Source]]:
    """The covariate in the target's year; where it can change, whether it just did and how long it has stood."""
    name, label = called
    if covariate.kind == "numeric":
        yield label, (Feature(label, f"{name} in the target's year"), lambda: covariate.values[transitions])
        return
    known = Feature(label, f"{name} in the target's year", "level", levels=covariate.levels)
    yield label, (known, lambda: covariate.values[transitions])
    if not changes(covariate):
        return
    changed = Feature(f"{label}_changed", f"whether {name} differs from the origin's year", unit="0/1")
    stood = Feature(f"{label}_years", f"since {name} last changed, its first year counted", unit="years")
    yield changed.name, (changed, lambda: _changed(history, transitions, covariate.values))
    yield stood.name, (stood, lambda: history.years_held(covariate.values)[transitions])


def _changed(history: History, transitions: IntArray, values: IntArray | FloatArray) -> FloatArray:
    """float64 [n]: 1 where the value differs from the record before, NaN at a career's first record."""
    differs = (values[transitions] != values[np.maximum(transitions - 1, 0)]).astype(np.float64)
    return np.where(transitions > history.start[transitions], differs, np.nan)
