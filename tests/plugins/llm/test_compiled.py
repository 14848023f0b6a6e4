"""Layers of a language model compiled for tuning: the same losses, and a line where nothing compiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.panels import open_once
from pydantic import ValidationError

from harness.errors import RequestError
from harness.model import Context
from harness.panel import Panel
from harness.plugins.llm.specs import build_titles
from harness.plugins.llm.text.loader import load_causal_lm
from harness.plugins.llm.title_tokens import model as titles_model
from harness.plugins.llm.title_tokens.params import TitleTokenParams
from harness.plugins.llm.tuning.compiled import CompiledLayers


def fit(panel: Panel, folder: Path, base: Path, **given: Any) -> Any:
    brief = {"epochs": 2, "fewest_steps": 4, "head_epochs": 0, "rank": 2, "average": 0.5}
    model: Any = build_titles(TitleTokenParams(base=str(base), **brief, **given))
    folder.mkdir()
    context = Context(seed=1, scratch=folder, cache=folder, open_panel=open_once)
    model.fit(panel.part("train"), panel.part("valid"), context)
    return model


@pytest.mark.slow
def test_a_fit_is_that_of_layers_as_they_come(market_30: Panel, toy_llama: Path, tmp_path: Path) -> None:
    plain = fit(market_30, tmp_path / "plain", toy_llama, learning_rate=5e-3)
    torch._dynamo.utils.counters.clear()
    compiled = fit(market_30, tmp_path / "compiled", toy_llama, learning_rate=5e-3, compiled=True)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0  # the steps went through what was compiled
    losses = [model.facts()["validation_loss"] for model in (plain, compiled)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert losses[0][-1] < losses[0][0] - 0.005
    test = market_30.part("test")
    asked = (test, test.transitions, np.tile(np.arange(test.n_states), (len(test.transitions), 1)))
    np.testing.assert_allclose(compiled.log_prob(*asked), plain.log_prob(*asked), atol=1e-3)


@pytest.mark.slow
def test_layers_are_compiled_where_asked_and_plain_again(toy_llama: Path) -> None:
    model = load_causal_lm(toy_llama)
    layers = CompiledLayers(model)
    assert len(layers.layers) == model.config.num_hidden_layers
    with layers.in_use():
        used = [layer._compiled_call_impl for layer in layers.layers]
        assert None not in used
    assert {layer._compiled_call_impl for layer in layers.layers} == {None}
    with layers.in_use():
        assert [layer._compiled_call_impl for layer in layers.layers] == used


def test_a_machine_without_a_compiler_is_told(
    market_30: Panel, toy_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++")
    with pytest.raises(RequestError, match=r"compiled=true needs a C\+\+ compiler, and none of /nowhere/c\+\+ is"):
        fit(market_30, tmp_path / "fit", toy_llama, compiled=True)


def test_activations_cannot_be_made_again_as_well(
    market_30: Panel, toy_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the request, which is refused as such, nor because memory is short."""
    with pytest.raises(ValidationError, match="set it or gradient_checkpointing=true, not both"):
        TitleTokenParams(compiled=True, gradient_checkpointing=True)
    monkeypatch.setattr(titles_model, "makes_again", lambda *_, **__: True)
    with pytest.raises(RequestError, match="compiled=true keeps all activations, and they are to be made again"):
        fit(market_30, tmp_path / "fit", toy_llama, compiled=True)
