"""Dropout in training: what a step draws depends on its seed and number, never on threads or on what came before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.steps import one_step
from helpers.tiny_llm import tiny_llm

from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.scoring.head import reading
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.dropout import draws_from_torch, dropout_by
from harness.plugins.llm.tuning.loss import Examples, TokenLoss, examples
from harness.plugins.llm.tuning.streamed import PanelResumes
from harness.plugins.llm.tuning.tune import Adapters, TuningOptions, add_adapters, tune
from harness.training.dropout import SeededDropout
from harness.training.loop import TrainingResult
from harness.training.optimizer import adamw
from harness.training.schedule import Schedule, StableThenDecay
from harness.training.workers import workers

OPTIONS = TuningOptions(
    schedule=Schedule(
        pace=StableThenDecay(epochs=2, min_gain=0.0, patience=1, decay=0.4),
        learning_rate=1e-2,
        batch_tokens=512,
        weight_decay=0.0,
        average=0.5,
        checkpoint_seconds=60.0,
    )
)


@pytest.fixture(scope="module")
def tokenizer(market_30: Panel) -> Any:
    return train_tokenizer(market_30, 300, 256)


def llama(vocabulary: int, dropout: float, attention_dropout: float = 0.0) -> Any:
    model = tiny_llm("Llama", vocabulary, scale=0.02, attention_dropout=attention_dropout)
    model = add_adapters(model, Adapters(4, 8, dropout, True), 0)
    with torch.no_grad():  # adapters that start at zero would hide what is dropped before them
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    return model


class Backwards(Executor):
    """Works on the last share first, all in one thread."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return iter([fn(*given) for given in reversed(list(zip(*iterables, strict=True)))][::-1])


def gradients(
    model: Any, resumes: Resumes, pool: Executor, draws: SeededDropout, keys: Sequence[tuple[int, ...]]
) -> list[Any]:
    """Of every step, for every trained parameter, without a change of any."""
    of = examples(resumes, "titles")
    of = Examples(of.tokens.gather(np.arange(8)), of.counts[: of.tokens.offsets[8]])
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = adamw(trained, 0.0)
    found: list[Any] = []
    optimizer.register_step_pre_hook(lambda *_: found.append(torch.cat([p.grad.flatten() for p in trained])))
    loss = TokenLoss(model=model.train(), pad=0, read=reading(model))
    for key in keys:
        one_step(loss, optimizer, of, pool, 2, key=key, dropout=draws)
    return found


def resumes_of(panel: Panel, tokenizer: Any) -> Resumes:
    return Resumes(panel, PieceEncoder(tokenizer), 256)


@pytest.mark.parametrize(("dropout", "hidden"), [(0.3, 0.0), (0.0, 0.3)])
def test_a_step_draws_what_its_key_says_whatever_the_threads_do(
    dropout: float, hidden: float, market_30: Panel, tokenizer: Any
) -> None:
    model, resumes, draws = llama(len(tokenizer), dropout), resumes_of(market_30, tokenizer), SeededDropout()
    keys = [(0, 1, 2), (0, 1, 3), (0, 1, 2)]
    with dropout_by(draws, model, hidden):
        assert not draws_from_torch(model, draws)
        with workers("cpu", 2) as (pool, _):
            one, other, again = gradients(model, resumes, pool, draws, keys)
        torch.manual_seed(7)
        (backwards,) = gradients(model, resumes, Backwards(), draws, keys[:1])
        torch.testing.assert_close(again, one, rtol=0, atol=0)
        torch.testing.assert_close(backwards, one, rtol=1e-5, atol=1e-7)
        assert not torch.allclose(other, one, rtol=0.1)
    model.eval()


def test_the_share_is_dropped_and_the_rest_scaled() -> None:
    draws = SeededDropout()
    with draws.seeded((1, 2), torch.device("cpu")):
        found = draws.drop(torch.full((100_000,), 3.0), 0.25)
    assert set(found.tolist()) == {0.0, 4.0}
    assert float((found == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert draws.generator is None


def tuned(model: Any, four_persons: Panel, tokenizer: Any, folder: Path, hidden: float = 0.0) -> TrainingResult:
    learned, valid = (resumes_of(four_persons.part(split), tokenizer) for split in ("train", "valid"))
    options = replace(OPTIONS, hidden_dropout=hidden)
    scratch = Path(tempfile.mkdtemp(dir=folder))  # each its own: none goes on from another's checkpoint
    context = Context(seed=3, scratch=scratch, cache=folder)
    return tune(model, PanelResumes((learned,)), valid, pad=0, options=options, context=context)


@pytest.mark.parametrize("attention", [0.0, 0.2])
def test_tuning_with_dropout_repeats_and_leaves_plain_adapters(
    attention: float, four_persons: Panel, tokenizer: Any, tmp_path: Path
) -> None:
    losses = []
    for seed in (1, 2):  # torch's own state before makes no difference
        torch.manual_seed(seed)
        model = llama(len(tokenizer), 0.2, attention)
        kinds = {name: type(module) for name, module in model.named_modules()}
        losses.append(tuned(model, four_persons, tokenizer, tmp_path, 0.1).validation)
        assert {name: type(module) for name, module in model.named_modules()} == kinds
        assert not any(module.training for module in model.modules())
    assert losses[0] == losses[1]
    assert losses[0] != tuned(llama(len(tokenizer), 0.2, attention), four_persons, tokenizer, tmp_path).validation


@pytest.mark.parametrize(
    "how", [{"packing": None}, {"packing": True}, {"gradient_checkpointing": True}, {"products": torch.bfloat16}]
)
def test_how_a_step_is_computed_changes_no_result(
    how: dict[str, Any], four_persons: Panel, tokenizer: Any, tmp_path: Path
) -> None:
    """All four careers fit one batch, so that rows and padded batches train on the same."""
    resumes = resumes_of(four_persons, tokenizer)
    context = Context(seed=3, scratch=tmp_path, cache=tmp_path)
    fits, seen = [], []
    for given in ({"packing": False}, how):
        model = llama(len(tokenizer), 0.0)
        passes: list[tuple[int, torch.dtype]] = []  # through the inside of a layer, in training
        model.get_base_model().model.layers[1].self_attn.o_proj.register_forward_hook(
            lambda module, _, out, passes=passes: passes.append((len(out), out.dtype)) if module.training else None
        )
        options = replace(OPTIONS, **given)
        fits.append(tune(model, PanelResumes((resumes,)), resumes, pad=0, options=options, context=context))
        seen.append(passes)
    np.testing.assert_allclose(fits[1].validation, fits[0].validation, rtol=0.03 if "products" in how else 1e-4)
    steps = [passes[-1] for passes in seen]
    assert steps[1][0] == (1 if how.get("packing") else steps[0][0])
    assert steps[1][1] == (torch.bfloat16 if "products" in how else torch.float32)
    assert (len(seen[1]) > 1.2 * len(seen[0])) is ("gradient_checkpointing" in how)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_only_what_draws_from_torch_keeps_tuning_to_one_worker(dropout: float, tokenizer: Any) -> None:
    model = llama(len(tokenizer), 0.2, attention_dropout=dropout).train()
    draws = SeededDropout()
    assert draws_from_torch(model, draws)  # peft's own dropout layers
    state = torch.get_rng_state()
    with dropout_by(draws, model):
        assert draws_from_torch(model, draws) is (dropout > 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
