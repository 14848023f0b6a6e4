"""Short sequences are attended to in plain products, to the same hidden states."""

from __future__ import annotations

from pathlib import Path

import torch

from harness.plugins.llm.text.loader import load_causal_lm
from harness.plugins.llm.tuning.attention import SHORT, short_attention


def test_plain_products_say_the_same_and_only_where_sequences_are_short(toy_llama: Path) -> None:
    model = load_causal_lm(toy_llama).eval()
    ids = torch.arange(40).reshape(2, 20) % model.config.vocab_size
    with torch.no_grad():
        wanted = model(input_ids=ids).logits
        own = model.config._attn_implementation
        with short_attention(model, 20):
            assert model.config._attn_implementation == "eager"
            torch.testing.assert_close(model(input_ids=ids).logits, wanted, atol=1e-5, rtol=1e-5)
        assert model.config._attn_implementation == own == "sdpa"
        with short_attention(model, SHORT + 1):
            assert model.config._attn_implementation == own
