"""Causal language models of many families, random weights at toy size: every path prices titles as plain text does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_llm import tiny_llm

from harness.errors import RequestError
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.certified import certified
from harness.plugins.llm.scoring.choice_sets import whole_rows
from harness.plugins.llm.scoring.reader import Reader
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.loader import context_length, load_causal_lm
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.training.libraries import silence_libraries

WINDOW = {"sliding_window": 60}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "smollm": ("Llama", {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    "smollm3": ("SmolLM3", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {}),
    "mistral": ("Mistral", {}),
    "mistral, window shorter than a career": ("Mistral", WINDOW),
    "gemma": ("Gemma", {}),
    "gemma2": ("Gemma2", {"attn_logit_softcapping": 2.0}),
    "gemma3": ("Gemma3Text", {}),
    "phi3": ("Phi3", {}),
    "gpt-neox": ("GPTNeoX", {}),
    "olmo2": ("Olmo2", {}),
    "gpt2": ("GPT2", {}),
}


@pytest.fixture(scope="module")
def tokenizer(market_30: Panel) -> Any:
    return train_tokenizer(market_30, 400, 256)


def of_family(family: str, tokenizer: Any) -> Any:
    kind, changes = FAMILIES[family]
    return tiny_llm(kind, len(tokenizer), context=256, scale=0.2, **changes)  # far from uniform: a wrong mask shows


def plain(model: Any, resumes: Resumes, targets: np.ndarray) -> np.ndarray:
    """ln P of every event, each in a text of its own: history, title, delimiter, read from the first token on."""
    rows = np.zeros((len(targets), len(resumes.events)))
    for i, target in enumerate(targets):
        windows = resumes.windows(np.array([target]))
        history = windows.tokens[0][: windows.at[0] + 1]
        for k in range(len(resumes.events)):
            event = resumes.events[k]
            ids = torch.from_numpy(np.concatenate([history, event]))[None]
            with torch.inference_mode():
                said = model(input_ids=ids, use_cache=False).logits[0].float().log_softmax(-1)
            places = np.arange(len(history) - 1, ids.shape[1] - 1)
            rows[i, k] = said[places, ids[0, 1:][places]].double().sum()
    return rows


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_path_prices_titles_as_plain_text(family: str, four_persons: Panel, tokenizer: Any) -> None:
    model = of_family(family, tokenizer)
    context = context_length(model)  # a window counts as the context: older records are dropped, not half seen
    resumes = Resumes(four_persons, PieceEncoder(tokenizer), context)
    targets = four_persons.transitions
    truth = plain(model, resumes, targets)
    every = np.broadcast_to(np.arange(4), (len(targets), 4))
    observed = four_persons.state[targets].astype(np.int64)[:, None]
    scorer = Scorer(model, 0)
    np.testing.assert_allclose(
        scorer.log_prob(resumes, targets, observed), np.take_along_axis(truth, observed, 1), atol=1e-4
    )
    np.testing.assert_allclose(scorer.log_prob(resumes, targets, every), truth, atol=1e-4)
    np.testing.assert_allclose(whole_rows(Reader(model, 0), resumes, targets), truth, atol=1e-4)
    bound = certified(Reader(model, 0), resumes, targets, observed, 1e-3)
    np.testing.assert_allclose(bound.log_prob(observed), np.take_along_axis(truth, observed, 1), atol=1e-4)
    mass = np.log(np.exp(truth).sum(1))
    assert (bound.log_mass[0] <= mass + 1e-4).all()
    assert (mass <= bound.log_mass[1] + 1e-4).all()


@pytest.mark.parametrize(
    "family", ["gpt2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gemma2", "qwen3", "mistral"))]
)
def test_a_base_of_another_family_is_tuned_saved_and_loaded(
    family: str, market_30: Panel, tokenizer: Any, tmp_path: Path
) -> None:
    base, saved, scratch = (tmp_path / name for name in ("base", "saved", "scratch"))
    with silence_libraries():
        of_family(family, tokenizer).save_pretrained(base)
        tokenizer.save_pretrained(base)
    given = {"base": str(base), "epochs": 1, "rank": 4, "batch_tokens": 512, "learning_rate": 1e-2, "dropout": 0.0}
    model = build(LlmParams(**given))
    scratch.mkdir()
    model.fit(market_30.part("train"), market_30.part("valid"), Context(seed=0, scratch=scratch, cache=scratch))
    before, after = model.facts()["validation_loss"]
    assert after < before - 0.5
    saved.mkdir()
    model.save(saved)
    loaded = build(LlmParams(**given))
    loaded.load(saved)
    test = market_30.part("test")
    chosen = test.transitions[:10]
    states = np.broadcast_to(np.arange(8), (10, 8))
    np.testing.assert_allclose(
        loaded.log_prob(test, chosen, states), model.log_prob(test, chosen, states), rtol=1e-4, atol=1e-4
    )


def test_weights_in_a_pickle_are_refused(tokenizer: Any, tmp_path: Path) -> None:
    model = tiny_llm("Llama", len(tokenizer))
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(RequestError, match="safetensors"):
        load_causal_lm(tmp_path)


def test_code_that_comes_with_a_base_is_not_run(tokenizer: Any, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\nclass C: pass\n")
    (tmp_path / "config.json").write_text(
        '{"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.C"}}'
    )
    with pytest.raises(RequestError, match="cannot be opened"):
        load_causal_lm(tmp_path)
    assert not (tmp_path / "was-run").exists()
