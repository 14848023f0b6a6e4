"""softmax: its terms worked by hand, scikit-learn's optimum on real careers, recall, staying, weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import homeward
from hypothesis import given
from hypothesis import strategies as st

from harness import open_panel
from harness.features.catalogue import build
from harness.features.discrete import Discretizer
from harness.features.pairs import Inputs
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.panel.occupations import Status
from harness.plugins.softmax.design import DesignBlock, DesignLayout
from harness.plugins.softmax.model import Softmax
from harness.plugins.softmax.params import SoftmaxParams
from harness.plugins.softmax.recall import NAMES, pair_terms
from harness.types import FloatArray, IntArray

pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def wages() -> Panel:
    pytest.importorskip("linearmodels")
    return open_panel("wage-panel")


def fitted(panel: Panel, folder: Path, **given: object) -> Softmax:
    model = Softmax(SoftmaxParams.model_validate({"threads": 1, **given}))
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=folder, cache=folder))
    return model


def likelihood(model: Softmax, panel: Panel) -> float:
    """Mean ln P of the observed states of a panel's transitions."""
    t = panel.transitions
    return float(model.log_prob(panel, t, panel.state[t].astype(np.int64)[:, None]).mean())


def whole(panel: Panel, transitions: IntArray) -> IntArray:
    return np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))


def test_scikit_learn_agrees_on_real_careers_at_the_same_penalty(wages: Panel, tmp_path: Path) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    plain = {"staying": "plain", "recall": False, "groups": False, "tolerance": 1e-10, "iterations": 600}
    penalty = 5.0
    model = fitted(wages, tmp_path, penalties=(penalty,), **plain)
    train, test = wages.part("train"), wages.part("test")

    def design(panel: Panel) -> FloatArray:
        inputs = Inputs.of(panel, panel.transitions, model.discretizer)
        return model.layout.matrix(inputs).toarray()[:, 1:]  # type: ignore[no-any-return]

    theirs = linear_model.LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=5000)
    theirs.fit(design(train), train.state[train.transitions])
    rows = model.log_prob(test, test.transitions, whole(test, test.transitions))
    np.testing.assert_allclose(rows, theirs.predict_log_proba(design(test)), atol=1e-3)


def test_staying_with_coefficients_of_its_own_fits_better(wages: Panel, tmp_path: Path) -> None:
    own, plain = fitted(wages, tmp_path), fitted(wages, tmp_path, staying="plain")
    test = wages.part("test")
    assert likelihood(own, test) > likelihood(plain, test)


def test_pair_terms_by_hand(four_persons: Panel) -> None:
    person = four_persons.part("test")  # nurse 2000, nurse 2001, out 2002, out 2004, clerk 2005
    discretizer = Discretizer.fit(build(person, person.transitions), person.n_states)
    inputs = Inputs.of(person, person.transitions, discretizer)
    row, state, Z = pair_terms(inputs, person.occupations.minor_index())
    # Before 2001 and 2002 only the origin, nurse, was held; before 2004 and 2005 the origin is out, nurse was held.
    assert list(zip(row, state, strict=True)) == [(2, 0), (3, 0)]
    told = dict(zip(NAMES, Z.T, strict=True))
    np.testing.assert_allclose(told["held before"], [1, 1])
    np.testing.assert_allclose(told["log records in it"], np.log([2, 2]))
    np.testing.assert_allclose(told["log times taken up"], [0, 0])
    np.testing.assert_allclose(told["1 / years since"], [1 / 3, 1 / 4])  # last a nurse in 2001
    np.testing.assert_allclose(told["log years since"], np.log([3, 4]))
    np.testing.assert_allclose(told["state before the present spell"], [1, 1])
    np.testing.assert_allclose(told["log records in its minor group"], np.log1p([2, 2]))
    np.testing.assert_allclose(told["minor group of the origin"], [0, 0])


@given(st.lists(st.one_of(st.floats(-5, 15), st.just(float("nan"))), min_size=1, max_size=30))
def test_pieces_reproduce_a_number_within_its_knots(values: list[float]) -> None:
    knots = (0.0, 1.0, 4.0, 10.0)
    inputs = Inputs({"origin": np.zeros(len(values), dtype=np.int64)}, np.array(values)[:, None], None)  # type: ignore[arg-type]
    block = DesignBlock("x", "number", "x", ("0", "1", "4", "10", "missing"), knots=knots)
    made = block.columns(inputs, ("x",)).toarray()
    np.testing.assert_allclose(made.sum(axis=1), 1.0)
    missing = np.isnan(values)
    np.testing.assert_array_equal(made[:, -1] == 1.0, missing)
    np.testing.assert_allclose(made[~missing, :4] @ knots, np.clip(np.array(values)[~missing], 0, 10), atol=1e-12)


def test_recall_is_learned(tmp_path: Path) -> None:
    panel = homeward(300)
    with_recall = fitted(panel, tmp_path, penalties=(4.0,))
    without = fitted(panel, tmp_path, penalties=(4.0,), recall=False)
    test = panel.part("test")
    assert likelihood(with_recall, test) > likelihood(without, test) + 0.02
    weights = dict(zip(NAMES, with_recall.parts["states"].pair, strict=True))
    assert weights["held before"] + weights["log records in it"] > 0.5  # a state held is likelier than one never held


def test_the_penalty_is_the_one_that_predicts_validation_best(wages: Panel, tmp_path: Path) -> None:
    valid, tried = wages.part("valid"), (1000.0, 10.0, 0.01)
    path = fitted(wages, tmp_path, staying="plain", penalties=tried)
    alone = {p: likelihood(fitted(wages, tmp_path, staying="plain", penalties=(p,)), valid) for p in tried}
    assert path.chosen["states_penalty"] == max(alone, key=lambda p: alone[p])


def test_a_person_of_weight_two_is_two_persons(wages: Panel, tmp_path: Path) -> None:
    train, test = wages.part("train"), wages.part("test")
    # The knots are quantiles of the records, so everybody is there twice, and they stay where they are.
    doubled = np.arange(train.n_persons)
    copies = train.select(np.concatenate([doubled, doubled]))
    copies = replace(copies, persons=np.arange(copies.n_persons).astype(str))
    rows = []
    for panel in (copies, replace(train, weight=np.full(train.n_records, 2.0))):
        model = Softmax(SoftmaxParams(threads=1, penalties=(5.0,), tolerance=1e-7))
        model.fit(panel, wages.part("valid"), Context(seed=0, scratch=tmp_path, cache=tmp_path))
        rows.append(model.log_prob(test, test.transitions, whole(test, test.transitions)))
    once = fitted(wages, tmp_path, penalties=(5.0,), tolerance=1e-7)
    np.testing.assert_allclose(rows[0], rows[1], atol=2e-3)
    assert np.abs(rows[0] - once.log_prob(test, test.transitions, whole(test, test.transitions))).max() > 0.02


@pytest.mark.parametrize("staying", ["own", "plain"])
def test_a_state_that_nobody_went_to_has_half_a_move(wages: Panel, tmp_path: Path, staying: str) -> None:
    last = wages.n_states - 1
    codes = (*wages.occupations.codes, "never")
    of = replace(
        wages.occupations,
        codes=codes,
        titles=codes,
        groups=codes,
        statuses=(*wages.occupations.statuses, Status.EMPLOYED),
    )
    panel = replace(wages, occupations=of)
    train, test = panel.part("train"), panel.part("test")
    left = train.origin(train.transitions) != train.state[train.transitions]
    moves = int(left.sum()) if staying == "own" else len(train.transitions)
    model = fitted(panel, tmp_path, penalties=(16.0,), staying=staying)
    rows = np.exp(model.log_prob(test, test.transitions, whole(test, test.transitions)).astype(np.float64))
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)
    own = test.origin(test.transitions)
    leaving = 1 - rows[np.arange(len(rows)), own] if staying == "own" else np.ones(len(rows))
    np.testing.assert_allclose(rows[:, last + 1] / leaving, 0.5 / (moves + 0.5 * panel.n_states), rtol=1e-3)
    model.save(tmp_path)
    again = Softmax(model.params)
    again.load(tmp_path)
    t = test.transitions[:20]
    np.testing.assert_array_equal(again.log_prob(test, t, whole(test, t)), model.log_prob(test, t, whole(test, t)))


def test_a_person_who_can_only_go_where_nobody_went(tmp_path: Path) -> None:
    panel = homeward(60)
    of = panel.occupations
    three = replace(of, codes=of.codes[:3], titles=of.titles[:3], groups=of.groups[:3], statuses=of.statuses[:3])
    seen = np.where(panel.state > 0, 1, 0)  # training careers go to state 0 alone: those in state 1, once, begin there
    begins = np.isin(np.arange(panel.n_records), panel.entries)
    panel = replace(panel, occupations=three, state=np.where(begins, np.maximum(seen, 1), 0).astype(np.int32))
    model = fitted(panel, tmp_path, penalties=(16.0,))
    test = panel.part("test")
    rows = np.exp(model.log_prob(test, test.transitions, whole(test, test.transitions)).astype(np.float64))
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)
    in_zero = rows[test.origin(test.transitions) == 0]
    np.testing.assert_allclose(in_zero[:, 1], in_zero[:, 2], rtol=1e-5)
    assert (in_zero[:, 1:] > 0).all()


def test_what_was_estimated_can_be_read(wages: Panel, tmp_path: Path) -> None:
    tables = {table.stage: table for table in fitted(wages, tmp_path, penalties=(10.0,)).explain()}
    assert set(tables) == {"states", "staying"}
    names = [row[0] for row in tables["staying"].rows]
    assert len(set(names)) == len(names)
    assert "years_of_schooling: 12" in names
    assert any("penalty 10" in note for note in tables["staying"].notes)


def test_layouts_survive_json(market: Panel) -> None:
    few = market.select(np.arange(50))
    discretizer = Discretizer.fit(build(few, few.transitions), few.n_states)
    inputs = Inputs.of(few, few.transitions, discretizer)
    layout = DesignLayout.fit(inputs, discretizer, few.occupations, 6, groups=True)
    again = DesignLayout.from_json(layout.to_json())
    assert again == layout
    assert layout.matrix(inputs).shape[1] == len(layout.names())
    assert layout.staying_matrix(inputs).shape[1] == len(layout.names(staying=True))


@pytest.mark.slow
def test_perplexity_of_real_careers(nlsy97: Path, tmp_path: Path) -> None:
    panel = open_panel(str(nlsy97))
    assert np.exp(-likelihood(fitted(panel, tmp_path), panel.part("test"))) < 8.28
