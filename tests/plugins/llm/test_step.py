"""One step of training: the head where tokens count, against the plain computation everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.steps import one_step
from helpers.tiny_llm import tiny_llm

from harness.panel.careers import Panel
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.scoring.head import reading
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.dropout import dropout_by
from harness.plugins.llm.tuning.loss import Examples, TokenLoss, examples
from harness.plugins.llm.tuning.packing import packed_attention, packs
from harness.plugins.llm.tuning.precision import checkpointing
from harness.plugins.llm.tuning.tune import Adapters, add_adapters
from harness.training.batch_order import batches
from harness.training.dropout import SeededDropout
from harness.training.optimizer import adamw
from harness.training.workers import workers


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from harness import open_panel

    return train_tokenizer(open_panel("market", {"persons": "20"}), 300, 256)


def adapted_llm(kind: str, tokenizer: Any, dropout: float = 0.0) -> Any:
    return add_adapters(tiny_llm(kind, len(tokenizer), scale=0.2), Adapters(4, 8, dropout, True), 0)


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("kind", ["Llama", "Qwen3", "Gemma2", "GPT2"])
@pytest.mark.parametrize("loss", ["titles", "all"])
def test_gradients_are_those_of_the_plain_loss(
    kind: str, adapted: bool, loss: Any, four_persons: Panel, tokenizer: Any
) -> None:
    model = (adapted_llm(kind, tokenizer) if adapted else tiny_llm(kind, len(tokenizer), scale=0.2)).train()
    of = examples(
        Resumes(four_persons, PieceEncoder(tokenizer), 256), loss
    )  # fmt: skip
    with workers("cpu") as (pool, count):
        check(model, of, pool=pool, workers=count)


@pytest.mark.parametrize("kind", ["Llama", "Qwen3", "Mistral", "Gemma", "GPT2"])
@pytest.mark.parametrize("loss", ["titles", "all"])
def test_packed_gradients_are_those_of_the_plain_loss(
    kind: str, loss: Any, four_persons: Panel, tokenizer: Any
) -> None:
    """Each career sees itself alone, at positions of its own, and none has the next one's first token for a target."""
    model = adapted_llm(kind, tokenizer).train()
    of = examples(
        Resumes(four_persons, PieceEncoder(tokenizer), 256), loss
    )  # fmt: skip
    assert packs(model, reading(model))
    own = model.config._attn_implementation
    with workers("cpu", 2) as (pool, _):
        for count in (1, 2):
            check(model, of, pool=pool, workers=count, packed=True)
    assert model.config._attn_implementation == own


@pytest.mark.parametrize("kind", ["Llama", "GPT2"])
@pytest.mark.parametrize("packed", [False, True])
def test_activations_made_again_give_the_same_gradients_and_are_not_kept(
    kind: str, packed: bool, four_persons: Panel, tokenizer: Any
) -> None:
    """With dropout as well: what is made again drops the same."""
    model = adapted_llm(kind, tokenizer, dropout=0.3).train()
    of = examples(Resumes(four_persons, PieceEncoder(tokenizer), 256), "titles")
    trained = [p for p in model.parameters() if p.requires_grad]
    for parameter in trained:  # adapters that start at zero would hide what is dropped before them
        parameter.data.add_(0.05)
    draws = SeededDropout()
    found: list[list[torch.Tensor]] = []
    kept: list[int] = []
    optimizer = adamw(trained, 0.0)
    optimizer.register_step_pre_hook(lambda *_: found.append([p.grad.clone() for p in trained]))
    loss = TokenLoss(model=model, pad=0, read=reading(model), packed=packed)

    def keep(values: torch.Tensor) -> torch.Tensor:
        if values.dtype.is_floating_point and not isinstance(values, torch.nn.Parameter):
            kept[-1] += values.numel()
        return values

    with dropout_by(draws, model, 0.2), packed_attention(model) if packed else nullcontext():
        for again in (False, True):
            with checkpointing(model, draws) if again else nullcontext(), workers("cpu", 2) as (pool, _):
                one_step(loss, optimizer, of, pool, 2, key=(0, 1, 2), dropout=draws)
            kept.append(0)
            with (
                checkpointing(model, draws) if again else nullcontext(),
                torch.autograd.graph.saved_tensors_hooks(keep, lambda values: values),
                Here() as pool,
            ):
                one_step(loss, optimizer, of, pool, 1, key=(0, 1, 2), dropout=draws)
    for one, other in zip(found[2], found[0], strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    for one, other in zip(found[3], found[1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    assert kept[1] < 0.5 * kept[0]
    assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


class Here(Executor):
    """Works in the thread that asks, where hooks on saved tensors are."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return iter([fn(*given) for given in zip(*iterables, strict=True)])


@pytest.mark.parametrize("packed", [False, True])
def test_bfloat16_is_near_float32_and_leaves_the_weights_as_they_are(
    packed: bool, four_persons: Panel, tokenizer: Any
) -> None:
    model = adapted_llm("Llama", tokenizer).train()
    of = examples(Resumes(four_persons, PieceEncoder(tokenizer), 256), "titles")
    trained = [p for p in model.parameters() if p.requires_grad]
    found: list[torch.Tensor] = []
    kinds: list[torch.dtype] = []
    optimizer = adamw(trained, 0.0)
    optimizer.register_step_pre_hook(lambda *_: found.append(torch.cat([p.grad.flatten() for p in trained])))
    model.get_output_embeddings().register_forward_hook(lambda *given: kinds.append(given[2].dtype))
    loss = TokenLoss(model=model, pad=0, read=reading(model), packed=packed)
    kinds.clear()
    with packed_attention(model) if packed else nullcontext(), workers("cpu", 2) as (pool, _):
        wide, narrow = (
            one_step(replace(loss, products=kind), optimizer, of, pool, 2) for kind in (None, torch.bfloat16)
        )
    assert kinds == [torch.float32] * 2 + [torch.bfloat16] * 2
    assert wide != narrow
    assert narrow == pytest.approx(wide, rel=0.03)
    assert found[1].dtype == torch.float32
    assert float(torch.nn.functional.cosine_similarity(found[0], found[1], dim=0)) > 0.99
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def check(model: Any, of: Examples, pool: Executor, workers: int, packed: bool = False) -> None:
    """A step's loss and gradients against those of every career read alone, everywhere, one after another."""
    trained = [p for p in model.parameters() if p.requires_grad]
    wanted, loss = plain_gradients(model, of, trained)
    found: list[Any] = []
    optimizer = adamw(trained, 0.0)
    optimizer.register_step_pre_hook(lambda *_: found.extend(p.grad.clone() for p in trained))
    token_loss = TokenLoss(model=model, pad=0, read=reading(model), packed=packed)
    with packed_attention(model) if packed else nullcontext():
        told = one_step(token_loss, optimizer, of, pool, workers)
    assert told == pytest.approx(loss, abs=1e-5)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def plain_gradients(model: Any, of: Examples, trained: list[Any]) -> tuple[Any, float]:
    plain, counted = torch.zeros(()), 0
    for i in range(len(of)):
        start, stop = of.tokens.offsets[i : i + 2]
        ids = torch.from_numpy(of.tokens.ids[start:stop])
        counts = torch.from_numpy(of.counts[start:stop])[1:]
        said = model(input_ids=ids[None], use_cache=False).logits[0, :-1].log_softmax(-1)
        plain = plain - said[counts, ids[1:][counts]].sum()
        counted += int(counts.sum())
    return torch.autograd.grad(plain / counted, trained), float(plain.detach()) / counted


def test_windows_hold_in_rows_and_what_cannot_pack_is_known(tokenizer: Any) -> None:
    """Made-up sequences are up to twelve tokens long."""
    window = tiny_llm("Mistral", len(tokenizer), scale=0.2, sliding_window=4)
    unbounded = tiny_llm("Mistral", len(tokenizer), scale=0.2, sliding_window=None)
    ids = torch.arange(1, 13)[None]
    assert not torch.allclose(window(input_ids=ids).logits, unbounded(input_ids=ids).logits, atol=0.1)
    assert packs(window, reading(window))
    capped = tiny_llm("Gemma2", len(tokenizer), scale=0.2)  # its attention scores are
    assert not packs(capped, reading(capped))
    bloom = tiny_llm("Bloom", len(tokenizer), scale=0.2)  # knows no positions, only distances within the row
    assert not packs(bloom, reading(bloom))


def test_packed_batches_hold_every_career_once_and_no_padding() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, 200)
    found = batches(lengths, 300, np.random.default_rng(1), packed=True)
    assert sorted(np.concatenate(found).tolist()) == list(range(200))
    sums = [int(lengths[batch].sum()) for batch in found]
    assert max(sums) <= 300
    assert sum(sums[:-1]) > 0.85 * 300 * (len(sums) - 1)  # padded batches, sorted, have no fewer
    assert batches(np.array([400, 10]), 300, np.random.default_rng(1), packed=True)[0].size == 1


def test_the_head_runs_only_where_a_token_counts(four_persons: Panel, tokenizer: Any) -> None:
    """Of a model that neither scales nor caps its logits; one that does is read everywhere."""
    rows: list[int] = []
    for kind, everywhere in (("Llama", False), ("Gemma2", True)):
        model = tiny_llm(kind, len(tokenizer), scale=0.2)
        read = reading(model)
        head = model.get_output_embeddings()
        head.register_forward_pre_hook(lambda _, given: rows.append(given[0][..., 0].numel()))
        ids = torch.arange(24).reshape(2, 12)
        counts = torch.zeros_like(ids, dtype=torch.bool)
        counts[:, 3:5] = True
        assert read(model, ids, counts).shape == (4, len(tokenizer))
        assert rows.pop() == (24 if everywhere else 4)
