"""One step of training: the head where tokens count, against the plain computation everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers

from harness.panel import Panel
from harness.plugins.llm.base import train_tokenizer
from harness.plugins.llm.loader import quiet
from harness.plugins.llm.parallel import workers
from harness.plugins.llm.tokens import Resumes, encode_titles
from harness.plugins.llm.train import Step, adamw, examples, reading
from harness.plugins.llm.tune import Adapters, add_adapters

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "initializer_range": 0.2,
}
CAPPED = {"final_logit_softcapping": 3.0, "query_pre_attn_scalar": 16}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from harness.data.sources import open_panel

    return train_tokenizer(open_panel("market", {"persons": "20"}), 300, 256)


def toy(kind: str, vocabulary: int, adapted: bool) -> Any:
    given = {"n_embd": 32, "n_layer": 2, "n_head": 2} if kind == "GPT2" else SIZES
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(0)
        extra = CAPPED if kind == "Gemma2" else {}
        dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0} if kind == "GPT2" else {}
        config = getattr(transformers, f"{kind}Config")(vocab_size=vocabulary, **given, **extra, **dropout)
        model = transformers.AutoModelForCausalLM.from_config(config).float()
    return add_adapters(model, Adapters(4, 8, 0.0, True), 0) if adapted else model


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("kind", ["Llama", "Qwen3", "Gemma2", "GPT2"])
@pytest.mark.parametrize("loss", ["titles", "all"])
def test_gradients_are_those_of_the_plain_loss(
    kind: str, adapted: bool, loss: Any, four_persons: Panel, tokenizer: Any
) -> None:
    model = toy(kind, len(tokenizer), adapted).train()
    of = examples(
        Resumes(four_persons, tokenizer, encode_titles(tokenizer, four_persons.occupations), 256), loss
    )  # fmt: skip
    trained = [p for p in model.parameters() if p.requires_grad]
    plain, counted = torch.zeros(()), 0
    for i in range(len(of)):
        start, stop = of.tokens.offsets[i : i + 2]
        ids = torch.from_numpy(of.tokens.ids[start:stop])
        counts = torch.from_numpy(of.counts[start:stop])[1:]
        said = model(input_ids=ids[None], use_cache=False).logits[0, :-1].log_softmax(-1)
        plain = plain - said[counts, ids[1:][counts]].sum()
        counted += int(counts.sum())
    wanted = torch.autograd.grad(plain / counted, trained)
    found: list[Any] = []
    optimizer = adamw(trained, 0.0)
    optimizer.register_step_pre_hook(lambda *_: found.extend(p.grad.clone() for p in trained))
    with workers("cpu") as (pool, count):
        step = Step(model, optimizer, 0, pool, count, reading(model), clip=1e9)
        told = step(of, np.arange(len(of)), 0.0)
    assert told == pytest.approx(float(plain.detach()) / counted, abs=1e-5)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_the_head_runs_only_where_a_token_counts(four_persons: Panel, tokenizer: Any) -> None:
    """Of a model that neither scales nor caps its logits; one that does is read everywhere."""
    rows: list[int] = []
    for kind, everywhere in (("Llama", False), ("Gemma2", True)):
        model = toy(kind, len(tokenizer), adapted=False)
        read = reading(model)
        head = model.get_output_embeddings()
        head.register_forward_pre_hook(lambda _, given: rows.append(given[0][..., 0].numel()))
        ids = torch.arange(24).reshape(2, 12)
        counts = torch.zeros_like(ids, dtype=torch.bool)
        counts[:, 3:5] = True
        assert read(model, ids, counts).shape == (4, len(tokenizer))
        assert rows.pop() == (24 if everywhere else 4)
