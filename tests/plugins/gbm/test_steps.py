"""gbm's trees: directions that hold, members, weights, named columns, importances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.fits import Fitted, fit_on, whole_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.features.catalogue import CATALOGUE, covariate_labels, known
from harness.features.pairs import Inputs
from harness.model import Estimator, Model, OutcomeModel
from harness.model.params import validate
from harness.panel.careers import SPLITS, Panel, split_by_hash
from harness.panel.occupations import Occupations, Status
from harness.plugins.gbm.columns import NUMBERS, OF_ALTERNATIVES
from harness.plugins.gbm.model import Gbm, gbm
from harness.plugins.gbm.params import GbmParams
from harness.registry import Registry
from harness.types import FloatArray

pytest.importorskip("lightgbm")
FAMILY = ("gbm", "gbm-switch", "gbm-lf-exit")


@pytest.fixture(scope="module")
def few(market_60: Panel, market_150: Panel) -> Callable[[str], Panel]:
    """The persons for a model's trees to grow on: of an event that is rare it takes more of them."""
    return lambda name: market_60 if name == "gbm" else market_150


def fitted(model: Fitted, panel: Panel, folder: Path, seed: int = 1) -> Fitted:
    return fit_on(model, panel, folder, seed=seed)


def asked(model: Estimator, panel: Panel) -> FloatArray:
    """The model's answers to every transition: whole rows, or the event."""
    if isinstance(model, OutcomeModel):
        return model.log_event(panel, panel.transitions)
    assert isinstance(model, Model)
    return whole_rows(model, panel)


def restless() -> Panel:
    """Persons who leave after some three years in a state, more surely the longer they have been there."""
    draw = np.random.default_rng(0)
    n, years = 400, 12
    state, tenure = np.zeros((n, years), dtype=np.int32), np.ones(n)
    state[:, 0] = draw.integers(0, 3, n)
    for t in range(1, years):
        leaves = draw.random(n) < np.minimum(0.15 * tenure, 0.9)
        state[:, t] = np.where(leaves, (state[:, t - 1] + draw.integers(1, 3, n)) % 3, state[:, t - 1])
        tenure = np.where(leaves, 1, tenure + 1)
    codes, persons = ("a", "b", "c"), np.array([f"p{i}" for i in range(n)])
    return Panel(
        name="restless",
        persons=persons,
        offsets=np.arange(n + 1) * years,
        year=np.tile(2000 + np.arange(years), n).astype(np.int32),
        state=state.ravel(),
        occupations=Occupations(codes, codes, codes, (Status.EMPLOYED,) * 3),
        split=split_by_hash(persons),
    )


@pytest.fixture(scope="module")
def held_and_free(tmp_path_factory: pytest.TempPathFactory) -> tuple[Panel, Gbm, Gbm]:
    """Careers in which staying falls with tenure, and a fit that may not say so beside one that may."""
    panel, folder = restless(), tmp_path_factory.mktemp("fit")
    one, other = (fitted(Gbm(GbmParams(threads=1, monotone=m)), panel, folder) for m in (True, False))
    assert isinstance(one, Gbm)
    assert isinstance(other, Gbm)
    return panel, one, other


def with_more(inputs: Inputs, model: Gbm, more: np.ndarray) -> Inputs:
    """The same transitions after longer spells."""
    numbers = inputs.numbers.copy()
    numbers[:, model.discretizer.numbers.index("tenure")] += more
    return replace(inputs, numbers=numbers)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_longer_tenure_never_lowers_p_stay(seed: int, held_and_free: tuple[Panel, Gbm, Gbm]) -> None:
    panel, model, _ = held_and_free
    test, draw = panel.part("test"), np.random.default_rng(seed)
    inputs = Inputs.of(test, test.transitions, model.discretizer)
    longer = with_more(inputs, model, draw.integers(0, 15, len(inputs)))
    assert (model.stay_log_odds(longer) >= model.stay_log_odds(inputs) - 1e-9).all()


def test_without_the_constraint_these_careers_say_the_opposite(held_and_free: tuple[Panel, Gbm, Gbm]) -> None:
    panel, held, free = held_and_free
    test = panel.part("test")
    inputs = Inputs.of(test, test.transitions, free.discretizer)
    longer = with_more(inputs, free, np.full(len(inputs), 5.0))
    assert (free.stay_log_odds(longer) - free.stay_log_odds(inputs)).mean() < -0.5
    assert held.explain()[0].notes[-1] == "The score is held to rise with tenure."
    assert not any("held to" in note for note in free.explain()[0].notes)


def test_destinations_can_be_held_too(market_150: Panel, tmp_path: Path) -> None:
    model = fitted(Gbm(GbmParams(threads=1, rounds=15, monotone_destinations=True)), market_150, tmp_path)
    assert isinstance(model, Gbm)
    for step, trees in model.trees.items():
        assert trees.rounds
        signs = {j: column.sign for j, column in enumerate(trees.columns) if column.sign}
        assert sorted(signs.values()) == [-1, 1, 1]
        X = np.random.default_rng(0).normal(scale=3, size=(2000, len(trees.columns))).astype(np.float32)
        for j, sign in signs.items():
            more = X.copy()
            more[:, j] += 2
            assert (sign * (trees.score(more) - trees.score(X)) >= -1e-9).all(), (step, trees.columns[j].name)


@pytest.mark.parametrize("name", FAMILY)
def test_weights_of_one_change_no_bit(
    name: str, registry: Registry, few: Callable[[str], Panel], tmp_path: Path
) -> None:
    panel = few(name)
    spec = registry.model(name).item
    assert spec.uses_weights
    ones = replace(panel, weight=np.ones(panel.n_records))
    params = validate(spec.params, {"rounds": "5", "threads": "1", "min_data": "5", "min_weight": "1"}, name)
    without, with_ones = (fitted(spec.build(params), p, tmp_path) for p in (panel, ones))
    test = panel.part("test")
    np.testing.assert_array_equal(asked(without, test), asked(with_ones, test))
    assert without.facts()["parameters_trained"] > 0
    assert without.facts() == with_ones.facts()


@pytest.mark.parametrize("name", FAMILY)
def test_what_has_weight_zero_teaches_nothing(
    name: str, registry: Registry, few: Callable[[str], Panel], tmp_path: Path
) -> None:
    """Other last states of half the persons, which nobody's history holds, make another model only where they count."""
    market = few(name)
    spec, draw = registry.model(name).item, np.random.default_rng(0)
    params = validate(spec.params, {"rounds": "5", "threads": "1", "min_data": "5", "min_weight": "1"}, name)
    last = (market.offsets[1:] - 1)[::2]
    state, weight = market.state.copy(), np.ones(market.n_records)
    state[last] = draw.integers(0, market.n_states, len(last))
    weight[last] = 0.0
    shown = market.part("test")

    def said(state: np.ndarray, weight: np.ndarray) -> np.ndarray:
        panel = replace(market, state=state, weight=weight)
        return asked(fitted(spec.build(params), panel, tmp_path), shown)

    np.testing.assert_array_equal(said(market.state, weight), said(state, weight))
    assert not np.array_equal(said(market.state, np.ones(market.n_records)), said(state, np.ones(market.n_records)))


@pytest.mark.parametrize("name", FAMILY)
def test_validation_records_of_weight_zero_are_none(
    name: str, registry: Registry, market_150: Panel, tmp_path: Path
) -> None:
    """Where none of them counts there is nothing to stop by, as in an empty split: the frequencies are left alone."""
    spec = registry.model(name).item
    params = validate(spec.params, {"rounds": "15", "threads": "1", "min_data": "5", "min_weight": "1"}, name)
    nobody = replace(
        market_150, weight=np.where(market_150.split[market_150.person] == SPLITS.index("valid"), 0.0, 1.0)
    )
    grown, none = (fitted(spec.build(params), panel, tmp_path).facts() for panel in (market_150, nobody))
    assert grown["parameters_trained"] > 0
    assert none["parameters_trained"] == 0


def test_a_weight_is_a_pull_in_trees(tmp_path: Path) -> None:
    """Of two sorts of persons, alike but in their number of years with a state, those who count more decide."""
    panel = restless()
    tenure = np.concatenate(
        [_tenure(panel.state[a:b]) for a, b in zip(panel.offsets[:-1], panel.offsets[1:], strict=True)]
    )
    stays = np.r_[False, panel.state[1:] == panel.state[:-1]] & ~np.isin(np.arange(panel.n_records), panel.entries)
    long = np.r_[0, tenure[:-1]] >= 3
    weight = np.where(long & ~stays, 0.05, 1.0)  # who leaves after three years hardly counts
    test = panel.part("test")
    after_long = test.transitions[long[panel.split[panel.person] == 2][test.transitions]]
    stay = [
        np.exp(
            fitted(Gbm(GbmParams(threads=1)), p, tmp_path).log_prob(test, after_long, test.origin(after_long)[:, None])
        )
        for p in (panel, replace(panel, weight=weight))
    ]
    assert stay[1].mean() > stay[0].mean() + 0.2


def _tenure(states: np.ndarray) -> np.ndarray:
    run = [1]
    for before, now in pairwise(states):
        run.append(run[-1] + 1 if now == before else 1)
    return np.array(run)


@pytest.mark.slow
def test_members_are_averaged_and_the_first_is_the_fit_alone(market_150: Panel, tmp_path: Path) -> None:
    given: dict[str, Any] = {"threads": 1, "rounds": 15}
    test = market_150.part("test").select(np.arange(8))
    several: Any = fitted(gbm(GbmParams(members=3, **given)), market_150, tmp_path, seed=5)
    each = [np.exp(asked(member, test).astype(np.float64)) for member in several.members]
    np.testing.assert_allclose(np.exp(asked(several, test)), np.mean(each, axis=0), rtol=1e-5)
    np.testing.assert_array_equal(
        asked(several.members[0], test), asked(fitted(gbm(GbmParams(**given)), market_150, tmp_path, 5), test)
    )
    assert not np.array_equal(each[0], each[1])
    assert not np.array_equal(each[1], each[2])
    assert several.facts()["parameters_trained"] == sum(m.facts()["parameters_trained"] for m in several.members)
    assert {table.stage for table in several.explain()} == {
        f"{s} {i}" for s in ("stay", "group", "state") for i in (1, 2, 3)
    }


def test_levels_are_split_into_sets_where_asked(market_150: Panel, tmp_path: Path) -> None:
    def sets(categorical: bool) -> int:
        model = fitted(Gbm(GbmParams(threads=1, rounds=8, categorical=categorical)), market_150, tmp_path)
        assert isinstance(model, Gbm)
        text = "".join(t.booster.model_to_string() for t in (model.stay.trees, *model.trees.values()) if t.rounds)
        return sum(int(line.split("=")[1]) for line in text.splitlines() if line.startswith("num_cat="))

    assert sets(categorical=True) > 0
    assert sets(categorical=False) == 0


def test_every_feature_that_trees_see_is_documented(market_150: Panel, tmp_path: Path) -> None:
    """Numbers about a person are features of the catalogue or of a covariate; so are the parts of crosses."""
    for names in NUMBERS.values():
        assert set(names) <= set(CATALOGUE)
    model = fitted(Gbm(GbmParams(threads=1, rounds=2)), market_150, tmp_path)
    assert isinstance(model, Gbm)
    described = known(market_150)
    assert set(covariate_labels(market_150).values()) <= set(described)
    for step, trees in (("stay", model.stay.trees), *model.trees.items()):
        assert len({column.name for column in trees.columns}) == len(trees.columns)
        of_alternatives = [column for column in trees.columns if not column.feature]
        assert len(of_alternatives) == (0 if step == "stay" else len(OF_ALTERNATIVES))
        assert all(column.name.startswith(f"{step}: ") for column in of_alternatives)
        for column in set(trees.columns) - set(of_alternatives):
            assert set(column.feature.split(" x ")) <= set(described), column


def test_importances_add_up_and_survive_saving(market_150: Panel, tmp_path: Path) -> None:
    model = fitted(Gbm(GbmParams(threads=1, rounds=10)), market_150, tmp_path)
    assert isinstance(model, Gbm)
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")
    loaded = Gbm(GbmParams(threads=1, rounds=10))
    loaded.load(tmp_path / "saved")
    tables = loaded.explain()
    assert [table.stage for table in tables] == ["stay", "group", "state"]
    assert [t.headings for t in tables] == [t.headings for t in model.explain()]
    chosen = model.facts()["chosen_on_validation"]
    for table, again in zip(tables, model.explain(), strict=True):
        trees = loaded.stay.trees if table.stage == "stay" else loaded.trees[table.stage]
        assert [row[0] for row in table.rows] == [row[0] for row in again.rows]
        share, splits = (np.array([row[i] for row in table.rows], dtype=np.float64) for i in (2, 3))
        assert share.sum() == pytest.approx(1.0)
        assert (np.diff(share) <= 0).all()
        assert splits.sum() == trees.leaves - trees.rounds  # a tree of n leaves has n - 1 splits
        assert f"{chosen[f'{table.stage}_rounds']} rounds kept" in table.notes[0]
