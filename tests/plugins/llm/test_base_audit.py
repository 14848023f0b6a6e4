"""A base is right at the lengths in use, or refused in a line, whatever its architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_llm import saved_llm, tiny_llm
from tokenizers import AddedToken

from harness.errors import RequestError, RunError
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.base.audit import BaseAudit, audited, require_causal
from harness.plugins.llm.base.open import open_base
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.scoring.ways import ReadingWays
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.loader import context_length
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.tune import Adapters, add_adapters, require_gain
from harness.training.loop import TrainingResult

LOCAL: dict[str, Any] = {"attention_types": [[["global", "local"], 1]], "window_size": 24}
EXPERTS: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2}
LONG_ROPE: dict[str, Any] = {
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0] * 4,
        "original_max_position_embeddings": 64,
    },
    "original_max_position_embeddings": 64,
}


@pytest.fixture(scope="module")
def tokenizer(market_30: Panel) -> Any:
    return train_tokenizer(market_30, 400, 512)


def fitted(base: Path, panel: Panel, scratch: Path, **given: Any) -> Any:
    model = build(LlmParams(base=str(base), tuning="none", **given))
    scratch.mkdir()
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=scratch, cache=scratch))
    return model


def plain(model: Any, resumes: Resumes, target: int) -> list[float]:
    """ln P of every event at one target, each read as plain text."""
    windows, found = resumes.windows(np.array([target])), []
    history = windows.tokens[0][: windows.at[0] + 1]
    for event in map(resumes.events.__getitem__, range(len(resumes.events))):
        ids = torch.from_numpy(np.concatenate([history, event]))[None]
        with torch.inference_mode():
            said = model(input_ids=ids, use_cache=False).logits[0].float().log_softmax(-1)
        places = np.arange(len(history) - 1, ids.shape[1] - 1)
        found.append(float(said[places, ids[0, 1:][places]].double().sum()))
    return found


def test_attention_that_is_local_scores_as_plain_text_by_every_path(
    four_persons: Panel, tokenizer: Any, tmp_path: Path
) -> None:
    base = saved_llm(tmp_path / "base", "GPTNeo", tokenizer, context=512, scale=0.3, **LOCAL)
    test = four_persons.part("test")
    targets = test.transitions
    every = np.broadcast_to(np.arange(4), (len(targets), 4))
    opened = open_base(str(base), "", tmp_path)
    resumes = Resumes(test, PieceEncoder(opened.tokenizer), 512)
    wanted = np.array([plain(opened.model, resumes, int(target)) for target in targets])
    said = fitted(base, four_persons, tmp_path / "plain").log_prob(test, targets, every)
    np.testing.assert_allclose(said, wanted, atol=1e-3)
    for renormalise in ("exact", "certified"):
        weighed = fitted(base, four_persons, tmp_path / renormalise, renormalise=renormalise)
        np.testing.assert_allclose(weighed.bounded_log_prob(test, targets, every).log_prob, wanted, atol=1e-3)


def test_what_was_found_is_kept_and_looked_at_again_for_longer_careers(tokenizer: Any, tmp_path: Path) -> None:
    model = tiny_llm("GPTNeo", len(tokenizer), scale=0.3, **(LOCAL | {"window_size": 64}))
    audit = BaseAudit({"base": "of a test"}, tmp_path)
    assert audit.ways(model, 10, 20) == ReadingWays(branches=True, tree=True, packed=True)
    assert not audit.ways(model, 300, 512).branches
    assert not BaseAudit({"base": "of a test"}, tmp_path).ways(torch.nn.Identity(), 300, 512).tree
    assert audited(tiny_llm("Llama", len(tokenizer)), 256) == ReadingWays(branches=True, tree=True, packed=True)


def test_a_base_that_sees_the_future_is_refused_when_it_is_opened(tokenizer: Any, tmp_path: Path) -> None:
    base = saved_llm(tmp_path / "base", "Bert", tokenizer, context=128, scale=0.02)
    with pytest.raises(RequestError, match="sees what comes after a token"):
        open_base(str(base), "", tmp_path)


def test_positions_that_the_length_of_a_text_scales_end_the_context(tokenizer: Any) -> None:
    model = tiny_llm("Phi3", len(tokenizer), context=256, **LONG_ROPE)
    assert context_length(model) == 64
    require_causal(model, 64)
    with pytest.raises(RequestError, match="set max_context=64"):
        require_causal(model, 128)


def test_weights_that_are_no_numbers_are_refused(tokenizer: Any) -> None:
    model = tiny_llm("Llama", len(tokenizer))
    torch.nn.init.constant_(model.model.norm.weight, float("nan"))
    with pytest.raises(RequestError, match="no number"):
        require_causal(model)


def test_padding_may_lie_past_the_table_and_nothing_else(market_30: Panel, tokenizer: Any, tmp_path: Path) -> None:
    base = saved_llm(tmp_path / "base", "Llama", tokenizer, context=512)
    padded = train_tokenizer(market_30, 400, 512)
    padded.add_special_tokens({"pad_token": "[PAD]"})
    padded.save_pretrained(base)
    valid = market_30.part("valid")
    model = fitted(base, market_30, tmp_path / "scratch")
    assert np.isfinite(model.log_prob(valid, valid.transitions[:4], np.zeros((4, 2), dtype=np.int64))).all()
    padded.add_tokens([AddedToken("nurses")])
    padded.save_pretrained(base)
    with pytest.raises(RequestError, match="larger than its model: 1 tokens, such as 'nurses'"):
        open_base(str(base), "", tmp_path)


def test_a_base_whose_files_lack_weights_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = saved_llm(tmp_path / "base", "Llama", tokenizer) / "model.safetensors"
    weights = {name: value for name, value in load_file(file).items() if "layers.1.mlp" not in name}
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(RequestError, match="lack weights"):
        open_base(str(file.parent), "", tmp_path)


def test_adapters_that_do_not_fit_name_the_option_to_set(tokenizer: Any) -> None:
    experts = tiny_llm("Olmoe", len(tokenizer), **EXPERTS)
    with pytest.raises(RequestError, match="set dropout=0"):
        add_adapters(experts, Adapters(rank=2, alpha=4, dropout=0.1, embeddings=False), 0)
    states = tiny_llm("Mamba", len(tokenizer), state_size=4)
    with pytest.raises(RequestError, match="set tuning=full"):
        add_adapters(states, Adapters(rank=2, alpha=4, dropout=0.0, embeddings=False), 0)


def test_tuning_that_only_made_it_worse_is_no_tuning() -> None:
    require_gain(TrainingResult(validation=(3.0, 2.9, 3.5), epochs=2, best=1), 0.02)
    require_gain(TrainingResult(validation=(3.0, 3.01), epochs=1, best=0), 0.02)
    require_gain(TrainingResult(validation=(3.0,)), 0.02)
    with pytest.raises(RunError, match="no epoch is as good on the validation split as the base untuned"):
        require_gain(TrainingResult(validation=(3.0, 8.0, 6.0), epochs=2, best=0), 0.02)
