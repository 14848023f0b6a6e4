"""llm-lora of several members: the mean of what they say, through the contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.panels import open_once
from helpers.toys import SMALLEST
from pydantic import ValidationError

from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build

TINY: dict[str, Any] = SMALLEST | {"epochs": 2, "renormalise": "exact"}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return Context(
        seed=3,
        scratch=tmp_path_factory.mktemp("scratch"),
        cache=tmp_path_factory.mktemp("cache"),
        open_panel=open_once,
    )


@pytest.fixture(scope="module")
def alone(market_30: Panel, context: Context) -> Any:
    return fit(market_30, context, members=1)


@pytest.fixture(scope="module")
def ensemble(market_30: Panel, context: Context) -> Any:
    return fit(market_30, context, members=2)


def fit(market_30: Panel, context: Context, **changes: Any) -> Any:
    model = build(LlmParams(**TINY | changes))
    model.fit(market_30.part("train"), market_30.part("valid"), context)
    return model


def asked(market_30: Panel) -> tuple[Panel, np.ndarray, np.ndarray]:
    test = market_30.part("test")
    return test, test.transitions[:6], np.tile(np.arange(test.n_states), (6, 1))


@pytest.mark.slow
def test_the_mean_of_the_members_probabilities(ensemble: Any, alone: Any, market_30: Panel, context: Context) -> None:
    first, second = (np.exp(member.log_prob(*asked(market_30)).astype(np.float64)) for member in ensemble.members)
    np.testing.assert_allclose(np.exp(ensemble.log_prob(*asked(market_30))), (first + second) / 2, rtol=1e-5)
    np.testing.assert_allclose(first, np.exp(alone.log_prob(*asked(market_30))), rtol=1e-5)  # as it would be alone
    assert np.abs(np.log(first / second)).max() > 0.1
    again = fit(market_30, context, members=2)
    np.testing.assert_array_equal(again.log_prob(*asked(market_30)), ensemble.log_prob(*asked(market_30)))
    other = fit(market_30, replace(context, seed=4), members=2)
    for member in ensemble.members:  # no member of one seed is a member of another
        for stranger in other.members:
            assert np.abs(member.log_prob(*asked(market_30)) - stranger.log_prob(*asked(market_30))).max() > 1e-3


@pytest.mark.parametrize("renormalise", ["exact", "certified"])
def test_its_mass_is_the_mean_of_theirs(ensemble: Any, market_30: Panel, renormalise: str, tmp_path: Path) -> None:
    ensemble.save(tmp_path)
    model: Any = build(LlmParams(**TINY | {"members": 2, "renormalise": renormalise}))
    model.load(tmp_path)
    said = model.bounded_log_prob(*asked(market_30))
    rows = np.exp(ensemble.log_prob(*asked(market_30)).astype(np.float64))
    np.testing.assert_allclose(np.exp(said.log_prob), rows, rtol=1e-4)
    assert (said.log_mass_low <= np.log(rows.sum(axis=1)) + 1e-5).all()
    assert (said.log_mass_high >= np.log(rows.sum(axis=1)) - 1e-5).all()
    assert (said.log_mass_high - said.log_mass_low <= 1e-3).all()


def test_what_is_saved_gives_the_same_answers(ensemble: Any, alone: Any, market_30: Panel, tmp_path: Path) -> None:
    ensemble.save(tmp_path)
    loaded = build(LlmParams(**TINY | {"members": 2}))
    loaded.load(tmp_path)
    np.testing.assert_allclose(loaded.log_prob(*asked(market_30)), ensemble.log_prob(*asked(market_30)), atol=1e-6)
    facts, one = loaded.facts(), alone.facts()
    assert facts == ensemble.facts()
    assert facts["parameters_trained"] == 2 * one["parameters_trained"]
    assert facts["validation_loss"][0] == one["validation_loss"]
    assert facts["epochs"] == [2, 2]


def test_members_that_would_all_say_the_same_are_refused() -> None:
    with pytest.raises(ValidationError, match="members=3 of a model that is not tuned all say the same"):
        LlmParams(tuning="none", members=3)
    LlmParams(tuning="none", shots=2, members=3)  # each is shown careers of its own
