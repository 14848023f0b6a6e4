"""In-context learning: other people's careers before the one that is asked about."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import RequestError
from harness.model.audit import CHECKS, audit
from harness.model.contract import Context
from harness.model.params import validate
from harness.panel.careers import Panel
from harness.plugins.llm import harness_models
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.scoring import prefix
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.prompt import drawn, written_prompt
from harness.plugins.llm.text.resume import TextOptions, written_resume


def fitted(toy_llama: Path, panel: Panel, scratch: Path, seed: int = 0, **given: Any) -> Any:
    model = build(LlmParams(base=str(toy_llama), tuning="none", **given))
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=seed, scratch=scratch, cache=scratch))
    return model


def observed(model: Any, panel: Panel, targets: np.ndarray) -> np.ndarray:
    return np.asarray(model.log_prob(panel, targets, panel.state[targets].astype(np.int64)[:, None])[:, 0])


@pytest.mark.parametrize("history", ["all", 1])
def test_what_is_said_is_the_chain_rule_over_the_whole_text(
    history: Any, toy_llama: Path, four_persons: Panel, tmp_path: Path
) -> None:
    """Both training careers, in one order or the other, whole whatever the history, then that of the test person."""
    model = fitted(toy_llama, four_persons, tmp_path, shots=2, history=history)
    test, train = four_persons.part("test"), four_persons.part("train")
    plain = AutoModelForCausalLM.from_pretrained(toy_llama).train(False)
    tokenizer = AutoTokenizer.from_pretrained(toy_llama)
    lines = written_resume(test, 0).splitlines(keepends=True)

    def chain_rule(text: str, title: str) -> float:
        ids = [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
        event = tokenizer(title, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            said = plain(input_ids=torch.tensor([ids + event])).logits[0].double().log_softmax(-1)
        return sum(float(said[len(ids) - 1 + i, token]) for i, token in enumerate(event))

    titles = [f" {test.occupations.titles[state]}\n" for state in (int(test.state[3]), 2)]  # observed, and another
    start = lines[0] + "".join(lines[1:4] if history == "all" else lines[3:4]) + "2004:"
    expected = [
        [chain_rule(written_resume(train, one) + written_resume(train, other) + start, title) for title in titles]
        for one, other in permutations((0, 1))
    ]
    said = model.log_prob(test, np.array([3]), np.array([[test.state[3], 2]], dtype=np.int64))[0]
    distance = np.abs(np.array(expected) - said).max(axis=1)
    assert distance.min() < 1e-4
    assert distance.max() > 1e-2  # the order matters, so this tells one from the other
    assert abs(said[0] - chain_rule(start, titles[0])) > 1e-2


def test_every_target_has_the_same_examples_and_a_seed_draws_others(
    toy_llama: Path, market_40: Panel, tmp_path: Path
) -> None:
    model, test = fitted(toy_llama, market_40, tmp_path, shots=2), market_40.part("test")
    said = observed(model, test, test.transitions)
    last = test.select(np.array([test.n_persons - 1]))
    np.testing.assert_allclose(observed(model, last, last.transitions), said[-len(last.transitions) :], atol=1e-4)
    again, other = (
        fitted(toy_llama, market_40, tmp_path, shots=2),
        fitted(toy_llama, market_40, tmp_path, seed=1, shots=2),
    )
    np.testing.assert_array_equal(observed(again, test, test.transitions), said)
    assert np.abs(observed(other, test, test.transitions) - said).max() > 1e-2


def test_the_careers_shown_are_saved_and_no_record_publishes_them(
    toy_llama: Path, market_40: Panel, tmp_path: Path
) -> None:
    model, test = fitted(toy_llama, market_40, tmp_path, shots=1), market_40.part("test")
    saved = tmp_path / "saved"
    saved.mkdir()
    model.save(saved)
    assert [path.name for path in saved.iterdir()] == ["llm.json"]
    loaded = build(LlmParams(base=str(toy_llama), tuning="none", shots=1))
    loaded.load(saved)
    np.testing.assert_array_equal(
        observed(loaded, test, test.transitions[:20]), observed(model, test, test.transitions[:20])
    )
    assert loaded.facts() == model.facts()
    tokens = json.loads((saved / "llm.json").read_text())["prompt"]
    assert model.facts()["prompt_tokens"] == len(tokens) > 50
    assert not any(isinstance(fact, list) and len(fact) > 5 for fact in model.facts().values())


@pytest.mark.slow
def test_the_audit_holds(toy_llama: Path, market_30: Panel) -> None:
    spec = harness_models()[0]
    findings = list(audit(spec, LlmParams(base=str(toy_llama), tuning="none", shots=1), market_30))
    assert [finding.check for finding in findings] == list(CHECKS)
    assert [finding.problem for finding in findings if finding.problem] == []


def test_renormalised_rows_see_the_examples_too(toy_llama: Path, market_40: Panel, tmp_path: Path) -> None:
    model, test = fitted(toy_llama, market_40, tmp_path, shots=1, renormalise="exact"), market_40.part("test")
    some = test.transitions[:3]
    states = np.broadcast_to(np.arange(test.n_states), (3, test.n_states))
    within = model.bounded_log_prob(test, some, states)
    np.testing.assert_allclose(within.rows, model.log_prob(test, some, states), atol=1e-3)


def test_examples_count_towards_the_context(toy_llama: Path, market_40: Panel, tmp_path: Path) -> None:
    tokens = fitted(toy_llama, market_40, tmp_path, shots=1).facts()["prompt_tokens"]
    roomy = fitted(toy_llama, market_40, tmp_path, shots=1, max_context=tokens + 90)
    assert roomy.facts()["records_dropped"] > 0  # the oldest records of whoever is asked about, not the examples
    assert roomy.facts()["prompt_tokens"] == tokens
    assert fitted(toy_llama, market_40, tmp_path).facts()["records_dropped"] == 0
    full = rf"shown before it, {tokens} tokens, need more than the model's context of {tokens + 20}: .* fewer shots"
    with pytest.raises(RequestError, match=full):
        fitted(toy_llama, market_40, tmp_path, shots=1, max_context=tokens + 20)


def test_whose_careers_are_shown(four_persons: Panel) -> None:
    one = replace(
        four_persons,
        persons=np.array(["a", "a2", "b", "c"]),
        offsets=np.array([0, 5, 6, 8, 13]),
        year=np.arange(13),
        covariates={},
    )
    for seed in range(5):
        chosen = drawn(one, 3, seed)
        assert sorted(chosen.persons.tolist()) == ["a", "b", "c"]  # a2 has one record
        assert drawn(one, 4, seed).persons.tolist() == [*chosen.persons.tolist(), "a2"]
    assert len({tuple(drawn(one, 3, seed).persons.tolist()) for seed in range(20)}) > 1
    with pytest.raises(RequestError, match="shots=5: the training split of 'four-persons' has 4 persons to show"):
        drawn(one, 5, 0)


def test_the_prompt_as_text_is_whole(four_persons: Panel) -> None:
    chosen = four_persons.select(np.array([1, 0]))
    assert written_prompt(chosen, TextOptions(history=1, demographics=False)) == (
        "birth year: 1979\n2000: Office clerks\n2001: Out of the labor force\n2002: Office clerks\nend of resume\n"
        "birth year: 1980\n2000: Registered nurses\n2001: Registered nurses\n2002: Office clerks\nend of resume\n"
    )


def test_tuned_models_are_shown_none() -> None:
    with pytest.raises(RequestError) as caught:
        validate(LlmParams, {"shots": "2"}, "llm-lora")
    assert str(caught.value) == (
        "llm-lora: shots=2 shows examples to a model that is not tuned on them: set tuning=none, or leave out shots"
    )
    with pytest.raises(RequestError, match=r"llm-lora\.shots=-1"):
        validate(LlmParams, {"shots": "-1", "tuning": "none"}, "llm-lora")


@pytest.mark.parametrize("states", [1, 3])
def test_what_is_shown_is_read_once_for_all(
    states: int, toy_llama: Path, market_40: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Observed titles and branches say the same behind it as in one piece, of fewer tokens."""
    model, test = fitted(toy_llama, market_40, tmp_path, shots=3), market_40.select(np.arange(16))
    asked = np.random.default_rng(0).integers(0, test.n_states, (len(test.transitions), states))
    asked[:, 0] = test.state[test.transitions]
    read: list[int] = []
    network: Any = model._model
    network.get_input_embeddings().register_forward_hook(lambda _, given, __: read.append(given[0].numel()))
    behind = model.log_prob(test, test.transitions, asked)
    tokens = sum(read)
    read.clear()
    monkeypatch.setattr(prefix, "FEWEST", 10**9)
    whole = model.log_prob(test, test.transitions, asked)
    np.testing.assert_allclose(behind, whole, atol=1e-4)
    asked_about = len(np.unique(test.person[test.transitions]))
    saved = (asked_about - 4) * model.facts()["prompt_tokens"]  # read once, and with the longest twice to try
    assert sum(read) - tokens >= saved > 1000
