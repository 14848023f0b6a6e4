"""llm-embed: a ridge multinomial logit of hidden states."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.fits import fit_on, observed, whole_rows
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import RequestError
from harness.model import Context
from harness.panel.careers import Panel
from harness.plugins.llm.embedding import build
from harness.plugins.llm.embedding.params import EmbedParams
from harness.plugins.llm.embedding.reader import KIND, CareerReader
from harness.plugins.llm.text.resume import written_resume

QUICK: dict[str, Any] = {"penalties": (300.0,), "iterations": 20}


def reader_of(base: Path, *layers: float) -> CareerReader:
    reader = CareerReader(EmbedParams(base=str(base)), layers)
    reader.open(Context(seed=0, scratch=base, cache=base))
    return reader


def test_states_are_those_of_the_text_before_the_title(toy_llama: Path, market_40: Panel) -> None:
    """Read by transformers from the written text, cut behind the last colon, a career has the same hidden states."""
    panel = market_40.select(np.arange(3))
    reader = reader_of(toy_llama, 0.5, 1.0)
    found = reader.states(panel, panel.transitions)
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(toy_llama).train(False),
        AutoTokenizer.from_pretrained(toy_llama),
    )
    for person in range(3):
        last = int(panel.offsets[person + 1]) - 1
        text = written_resume(panel, person)
        before = text[: text.rindex(":") + 1]
        ids = [tokenizer.bos_token_id, *tokenizer(before, add_special_tokens=False)["input_ids"]]
        with torch.no_grad():
            read = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        place = int(np.searchsorted(panel.transitions, last))
        for i, layer in enumerate((1, 2)):
            np.testing.assert_allclose(found[i, place], read[layer][0, -1].numpy(), atol=2e-4)


def test_a_state_says_nothing_of_the_target(toy_llama: Path, market_40: Panel) -> None:
    panel = market_40.select(np.arange(4))
    last = panel.offsets[1:].astype(np.int64) - 1
    other = panel.state.copy()
    other[last] = (other[last] + 1) % panel.n_states
    reader = reader_of(toy_llama, 1.0)
    same = reader.states(replace(panel, state=other), last)
    np.testing.assert_allclose(reader.states(panel, last), same, atol=1e-5)
    other[last - 1] = (other[last - 1] + 1) % panel.n_states
    assert np.abs(reader.states(replace(panel, state=other), last) - same).max() > 0.01


def test_what_was_read_is_not_read_again(toy_llama: Path, market_40: Panel, tmp_path: Path) -> None:
    panel, context = market_40.select(np.arange(4)), Context(seed=0, scratch=tmp_path, cache=tmp_path)
    reader = reader_of(toy_llama, 0.5, 1.0)
    states = reader.kept_states(panel, context)
    assert states.shape == (2, len(panel.transitions), 32)
    assert len(list((tmp_path / KIND).iterdir())) == 2
    again = reader_of(toy_llama, 1.0)
    again.states = None  # type: ignore[assignment,method-assign]  # nothing is left to read
    np.testing.assert_array_equal(again.kept_states(panel, context), states[1:])
    with pytest.raises(TypeError):
        again.kept_states(market_40.select(np.arange(5)), context)


@pytest.mark.parametrize("given", [{}, {"with_origin": False, "layers": (0.5, 1.0)}, {"staying": "plain"}])
def test_it_learns_adds_up_and_survives_saving(
    given: dict[str, Any], toy_llama: Path, market_60: Panel, tmp_path: Path
) -> None:
    params = EmbedParams(base=str(toy_llama), **QUICK, **given)
    (tmp_path / "scratch").mkdir()
    model = fit_on(build(params), market_60, tmp_path / "scratch")
    test = market_60.part("test").select(np.arange(6))
    rows = whole_rows(model, test)
    np.testing.assert_allclose(np.exp(rows.astype(np.float64)).sum(axis=1), 1, atol=1e-5)
    assert observed(model, test).mean() > -np.log(test.n_states) + 0.5
    facts = model.facts()
    assert facts["layer"] in (1, 2)
    assert "states_penalty" in facts["chosen_on_validation"]
    (tmp_path / "kept").mkdir()
    model.save(tmp_path / "kept")
    again = build(params)
    again.load(tmp_path / "kept")
    np.testing.assert_allclose(whole_rows(again, test), rows, atol=1e-5)


def test_another_base_under_the_same_name_is_refused(toy_llama: Path, market_40: Panel, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(toy_llama, base)
    params = EmbedParams(base=str(base), penalties=(300.0,), iterations=5)
    (tmp_path / "scratch").mkdir()
    model = fit_on(build(params), market_40, tmp_path / "scratch")
    (tmp_path / "kept").mkdir()
    model.save(tmp_path / "kept")
    build(params).load(tmp_path / "kept")
    weights = load_file(base / "model.safetensors")
    save_file({name: value + 0.1 for name, value in weights.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(RequestError, match="is another model than the one that this fit was made with"):
        build(params).load(tmp_path / "kept")
