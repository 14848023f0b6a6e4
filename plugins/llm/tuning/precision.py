"""The cost of a step of tuning in time and memory: the numbers its products are in, and activations made again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch

from harness.errors import RequestError
from harness.training.dropout import SeededDropout

Precision = Literal["auto", "float32", "bfloat16"]


def product_type(precision: Precision, device: str) -> torch.dtype | None:
    """The type of matrix products, where it is not the weights' own float32. auto: bfloat16 where a GPU has it."""
    kind = torch.device(device).type
    if precision == "auto":
        there = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if there else None
    return torch.bfloat16 if precision == "bfloat16" else None


def products_in(dtype: torch.dtype | None, device: torch.device) -> AbstractContextManager[Any]:
    """This thread's matrix products are of that type meanwhile; sums, norms and the loss stay float32."""
    # No cache: it is one for all threads, and a weight is used once a pass.
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype, cache_enabled=False)


@contextmanager
def checkpointing(model: Any, seeded: SeededDropout) -> Iterator[None]:
    """A training pass keeps the input of every layer and makes the rest again (Chen et al. 2016, section 3) meanwhile.

    What is made again drops what it had dropped before. RequestError where the architecture cannot.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not causal.supports_gradient_checkpointing:
        raise RequestError(
            f"{type(causal).__name__} cannot make activations again: tune this base with gradient_checkpointing=false"
        )
    kind = "activation" if hasattr(causal, "activation_checkpointing_enable") else "gradient"
    getattr(causal, f"{kind}_checkpointing_enable")({"use_reentrant": False, "context_fn": seeded.replay})
    causal.disable_input_require_grads()  # which only reentrant checkpoints need
    try:
        yield
    finally:
        getattr(causal, f"{kind}_checkpointing_disable")()
