"""Causal language models of many families at the least size, with random weights large enough that the context matters.

The names of families are those of transformers' configurations: "Llama", "GPT2", "Gemma3Text".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.training.libraries import silence_libraries

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,  # fewer than heads, so that a wrong share of them shows
    "head_dim": 8,
}
OWN: dict[str, dict[str, Any]] = {  # what a family calls by another name, or asks for besides
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "Gemma2": {"query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0},
    "Gemma3Text": {"query_pre_attn_scalar": 8},
}
NO_HEAD_DIM = ("Phi3", "GPTNeoX", "Olmo2")


def tiny_llm(
    family: str, vocabulary: int, *, context: int = 512, scale: float = 0.4, seed: int = 0, **changes: Any
) -> Any:
    """Make a model that drops nothing, ready to be read.

    context: tokens; scale: standard deviation of the weights; changes: to the configuration of transformers.
    """
    import torch
    import transformers

    tokens = {"bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
    if family == "GPT2":
        sizes = {"n_positions": context}
    else:
        sizes = {k: v for k, v in SIZES.items() if k != "head_dim" or family not in NO_HEAD_DIM}
        sizes["max_position_embeddings"] = context
    given = sizes | tokens | {"initializer_range": scale} | OWN.get(family, {}) | changes
    config = getattr(transformers, f"{family}Config")(vocab_size=vocabulary, **given)
    auto: Any = transformers.AutoModelForCausalLM
    with silence_libraries(), torch.random.fork_rng():
        torch.manual_seed(seed)
        return auto.from_config(config).float().eval()


def fast_tokenizer(tokenizer: Tokenizer, **tokens: Any) -> Any:
    """Wrap a tokenizer as transformers has them; tokens: the special ones by name, and further settings."""
    from transformers import PreTrainedTokenizerFast

    make: Any = PreTrainedTokenizerFast  # whose signature has no types
    return make(tokenizer_object=tokenizer, **tokens)


def saved_llm(folder: Path, family: str, tokenizer: Any, **how: Any) -> Path:
    """Save such a model and its tokenizer as ``save_pretrained`` writes them."""
    with silence_libraries():
        tiny_llm(family, len(tokenizer), **how).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
