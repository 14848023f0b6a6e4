"""Direct fits of one task's event: shrunk rates worked by hand, the task's own transitions, and the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import InProcess

from harness.errors import RequestError
from harness.model.contract import Context, OutcomeModel
from harness.model.ensemble import OutcomeEnsemble
from harness.model.events import LEAVING_LABOR_FORCE, LEAVING_STATE
from harness.model.params import validate
from harness.model.scoring import score
from harness.panel.careers import Panel
from harness.panel.occupations import Status
from harness.plugins.gbm.event import GbmEvent
from harness.registry import Registry

pytest.importorskip("lightgbm")


def fitted(registry: Registry, name: str, panel: Panel, folder: Path, **given: str) -> OutcomeModel:
    spec = registry.model(name).item
    model = spec.build(validate(spec.params, {"threads": "1", **given}, name))
    assert isinstance(model, OutcomeModel)
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=folder, cache=folder))
    return model


def test_rates_of_leaving_the_labor_force_by_hand(registry: Registry, four_persons: Panel, tmp_path: Path) -> None:
    """At risk in training: nurse -> nurse, nurse -> clerk, clerk -> out. One event in three.

    The validation transition, unemployed -> clerk, is no event; unemployment was never seen, so every strength says the
    same of it and the start, 16, stays. Of all, half an observation more a side: 1.5 / 4. P(nurse) = (0 + 16 x 1.5 / 4)
    / (2 + 16); P(clerk) = (1 + 6) / (1 + 16).
    """
    model = fitted(registry, "gbm-lf-exit", four_persons, tmp_path)
    test = four_persons.part("test")
    assert test.origin(test.transitions).tolist() == [0, 0, 3, 3]
    np.testing.assert_allclose(np.exp(model.log_event(test, test.transitions[:2])), [6 / 18, 6 / 18], rtol=1e-6)
    clerk = replace(test, state=np.array([1, 1, 3, 3, 1]))
    np.testing.assert_allclose(np.exp(model.log_event(clerk, clerk.transitions[:2])), [7 / 17, 7 / 17], rtol=1e-6)
    assert model.facts() == {"parameters_trained": 0, "chosen_on_validation": {"strength": 16.0, "rounds": 0}}


def test_rates_of_leaving_the_state_by_hand(registry: Registry, four_persons: Panel, tmp_path: Path) -> None:
    """In training: a nurse stays and one leaves, a clerk leaves, one out of the labor force leaves: 3 of 4.

    Unemployed -> clerk is an event in validation, and says nothing between strengths. P(nurse leaves) = (1 + 16 x 3.5 /
    5) / (2 + 16).
    """
    model = fitted(registry, "gbm-switch", four_persons, tmp_path)
    test = four_persons.part("test")
    said = np.exp(model.log_event(test, test.transitions[:1]))
    np.testing.assert_allclose(said, (1 + 16 * 3.5 / 5) / 18, rtol=1e-6)


def test_only_those_at_risk_teach(registry: Registry, market_300: Panel, tmp_path: Path) -> None:
    """Where people outside the labor force go next is nothing to a model of leaving it, unless it is their history."""
    last = market_300.offsets[1:] - 1
    was_out = last[market_300.occupations.out_of_labor_force[market_300.origin(last)]]
    assert len(was_out) > 5
    state = market_300.state.copy()
    state[was_out] = np.flatnonzero(market_300.occupations.has_status(Status.EMPLOYED))[0]
    other = replace(market_300, state=state)
    assert not np.array_equal(other.state, market_300.state)
    one, two = (fitted(registry, "gbm-lf-exit", p, tmp_path, rounds="20") for p in (market_300, other))
    test = market_300.part("test")
    at_risk = registry.task("lf_exit").transitions(test)
    np.testing.assert_array_equal(one.log_event(test, at_risk), two.log_event(test, at_risk))
    state[last] = np.flatnonzero(market_300.occupations.out_of_labor_force)[0]  # now those at risk too
    three = fitted(registry, "gbm-lf-exit", replace(market_300, state=state), tmp_path, rounds="20")
    assert three.log_event(test, at_risk).mean() > one.log_event(test, at_risk).mean()


@pytest.mark.parametrize(("name", "task"), [("gbm-switch", "switch"), ("gbm-lf-exit", "lf_exit")])
def test_trees_gain_on_rates_alone(name: str, task: str, registry: Registry, market: Panel, tmp_path: Path) -> None:
    spec, test = registry.model(name).item, market.part("test")
    rates = fitted(registry, name, market, tmp_path, min_data="1000000")
    trees = fitted(registry, name, market, tmp_path)
    assert rates.facts()["parameters_trained"] == 0
    gain = (
        score(spec, trees, registry.task(task), test).log_prob - score(spec, rates, registry.task(task), test).log_prob
    )
    assert gain.mean() > 0.005


def test_tasks_and_direct_fits_read_one_rule(registry: Registry) -> None:
    for task, risk in (("switch", LEAVING_STATE), ("lf_exit", LEAVING_LABOR_FORCE)):
        assert registry.task(task).at_risk is risk.at_risk
        assert registry.task(task).partition is risk.event


def test_members_of_a_direct_fit_are_averaged(registry: Registry, market_300: Panel, tmp_path: Path) -> None:
    model = fitted(registry, "gbm-switch", market_300, tmp_path, members="2", rounds="10")
    assert isinstance(model, OutcomeEnsemble)
    test = market_300.part("test")
    each = [np.exp(m.log_event(test, test.transitions).astype(np.float64)) for m in model.outcome_models]
    assert not np.array_equal(each[0], each[1])
    np.testing.assert_allclose(np.exp(model.log_event(test, test.transitions)), np.mean(each, axis=0), rtol=1e-5)


def test_a_direct_fit_is_explained(registry: Registry, market_300: Panel, tmp_path: Path) -> None:
    model = fitted(registry, "gbm-lf-exit", market_300, tmp_path, min_data="5", min_weight="1")
    assert isinstance(model, GbmEvent)
    (table,) = model.explain()
    assert table.title == "Trees of leaving the labor force"
    assert table.notes[-1] == "The score is held to fall with tenure."


def test_nobody_at_risk_is_refused(registry: Registry, market_300: Panel, tmp_path: Path) -> None:
    working = replace(market_300.occupations, statuses=(Status.EMPLOYED,) * market_300.n_states)
    with pytest.raises(RequestError, match=r"'market-.*leaving the labor force.*'lf_exit' has nothing to be fitted on"):
        fitted(registry, "gbm-lf-exit", replace(market_300, occupations=working), tmp_path)


def test_those_at_risk_with_weight_zero_are_not_there(registry: Registry, market_300: Panel, tmp_path: Path) -> None:
    weight = np.ones(market_300.n_records)
    weight[registry.task("lf_exit").transitions(market_300)] = 0.0
    with pytest.raises(RequestError, match=r"nobody of weight above zero in the training split of 'market-.*'lf_exit'"):
        fitted(registry, "gbm-lf-exit", replace(market_300, weight=weight), tmp_path)


def test_with_all_tasks_it_is_scored_on_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = InProcess("run", monkeypatch, capsys)
    asked = ("--data", "market", "--set", "data.persons=150", "--records", str(tmp_path))
    models = ("--model", "gbm-switch", "--set", "gbm-switch.rounds=5", "--model", "marginal")
    status, _, err = run("--task", "all", *models, *asked)
    assert status == 0, err
    assert (
        "passed over: model 'gbm-switch' predicts task 'switch' alone, not lf_exit, next_occ, next_occ_switchers" in err
    )
    assert sorted(path.name.rsplit("-", 1)[0] for path in tmp_path.rglob("*.json")) == [
        "lf_exit-marginal",
        "next_occ-marginal",
        "next_occ_switchers-marginal",
        "switch-gbm-switch",
        "switch-marginal",
    ]
    status, _, err = run("--task", "next_occ", "--model", "gbm-switch", *asked)
    assert status == 2
    assert "predicts the outcome of task 'switch' alone, not 'next_occ'" in err
