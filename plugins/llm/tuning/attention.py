"""Attention of short sequences on a processor, by plain matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.plugins.llm.text.loader import causal_of
from harness.training.libraries import silence_libraries

SHORT = 128  # tokens up to which the products beat torch's kernel, whose backward is slow where there is little to do
PLAIN = "eager"  # as transformers calls it


@contextmanager
def short_attention(model: Any, longest: int) -> Iterator[None]:
    """Sequences of at most ``longest`` tokens are attended to in plain products meanwhile, where those are faster.

    Only where the model has them: some architectures have one attention alone.
    """
    causal = causal_of(model)
    own = getattr(causal.config, "_attn_implementation", None)
    device = causal.get_input_embeddings().weight.device.type
    if device != "cpu" or longest > SHORT or own != "sdpa":
        yield
        return
    with silence_libraries():
        causal.set_attn_implementation(PLAIN)
    try:
        yield
    finally:
        with silence_libraries():
            causal.set_attn_implementation(own)
