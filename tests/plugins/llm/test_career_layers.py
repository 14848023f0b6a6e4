"""llm-titles with a small transformer over states beside the language model (``career_layers``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.panels import open_once
from pydantic import ValidationError

from harness.model import Context
from harness.panel import Panel
from harness.plugins.llm.specs import build_titles
from harness.plugins.llm.title_tokens.params import TitleTokenParams

SHORT = {"epochs": 1, "fewest_steps": 8, "warmup": 2, "rank": 2, "width": 16, "head_epochs": 1, "average": 0.5}
SILENT = {"learning_rate": 1e-12, "recall": "learned", "history": "learned"}  # the language model says nothing


def fit(panel: Panel, folder: Path, asked: TitleTokenParams) -> Any:
    model: Any = build_titles(asked)
    context = Context(seed=1, scratch=folder, cache=folder, open_panel=open_once)
    model.fit(panel.part("train"), panel.part("valid"), context)
    return model


def whole(model: Any, panel: Panel, targets: np.ndarray) -> np.ndarray:
    states = np.tile(np.arange(panel.n_states), (len(targets), 1))
    return np.asarray(model.log_prob(panel, targets, states), dtype=np.float64)


@pytest.fixture(scope="module")
def asked(toy_llama: Path) -> TitleTokenParams:
    return TitleTokenParams(**(SHORT | {"base": str(toy_llama), "career_layers": 1}))


@pytest.fixture(scope="module")
def fitted(market_40: Panel, asked: TitleTokenParams, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fit(market_40, tmp_path_factory.mktemp("fit"), asked)


def test_a_transition_is_answered_alone_as_among_all(fitted: Any, market_40: Panel) -> None:
    test = market_40.part("test")
    rows = whole(fitted, test, test.transitions)
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1.0, atol=1e-5)
    some = test.transitions[[-1, 3, 17]]
    np.testing.assert_allclose(whole(fitted, test, some), rows[[-1, 3, 17]], atol=1e-5)
    one = test.transitions[5:6]
    np.testing.assert_allclose(whole(fitted, test, one), rows[5:6], atol=1e-5)


def test_the_target_and_what_follows_are_not_seen(fitted: Any, market_40: Panel) -> None:
    test = market_40.part("test")
    first, length = int(test.offsets[2]), int(np.diff(test.offsets)[2])
    target = first + length // 2
    state = test.state.copy()
    state[target : first + length] = (state[target : first + length] + 1) % test.n_states
    at = np.array([target])
    np.testing.assert_allclose(whole(fitted, replace(test, state=state), at), whole(fitted, test, at), atol=1e-6)


def test_what_is_saved_gives_the_same_answers(
    fitted: Any, market_40: Panel, asked: TitleTokenParams, tmp_path: Path
) -> None:
    test = market_40.part("test")
    fitted.save(tmp_path)
    loaded: Any = build_titles(asked)
    loaded.load(tmp_path)
    at = test.transitions[:20]
    np.testing.assert_array_equal(whole(loaded, test, at), whole(fitted, test, at))


@pytest.mark.parametrize("layers", [0, 1])
def test_layers_read_the_career_and_the_head_alone_the_origin(
    layers: int, market_40: Panel, toy_llama: Path, tmp_path: Path
) -> None:
    """A state three records before the target moves what is said where there are layers, and nowhere else."""
    model = fit(
        market_40, tmp_path, TitleTokenParams(**(SHORT | SILENT | {"base": str(toy_llama), "career_layers": layers}))
    )
    test = market_40.part("test")
    at = test.offsets[:-1][np.diff(test.offsets) > 6].astype(np.int64) + 5
    state = test.state.copy()
    state[at - 3] = (state[at - 3] + 1) % test.n_states
    moved = np.abs(whole(model, replace(test, state=state), at) - whole(model, test, at)).max()
    assert (moved > 1e-4) == bool(layers)


def test_an_odd_width_has_no_two_heads() -> None:
    with pytest.raises(ValidationError, match="give an even width"):
        TitleTokenParams(career_layers=2, width=33)
