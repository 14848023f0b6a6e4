"""The cost of a step of tuning in time and memory: the numbers its products are in, and activations made again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
from peft.helpers import disable_input_dtype_casting

from harness.errors import RequestError
from harness.plugins.llm.text.loader import causal_of
from harness.training.dropout import SeededDropout

Precision = Literal["auto", "float32", "bfloat16"]


def product_type(precision: Precision, device: str, base: str) -> torch.dtype | None:
    """The type of matrix products, where it is not the weights' own float32.

    auto: bfloat16 where it is fast. On a processor the builtin base is left in float32: its matrices are too small to
    gain, and its figures are then the same on every processor.
    """
    if precision == "auto":
        small = base == "builtin" and torch.device(device).type == "cpu"
        return torch.bfloat16 if has_bfloat16_units(device) and not small else None
    return torch.bfloat16 if precision == "bfloat16" else None


def tuned_label(base: str, products: torch.dtype | None) -> str:
    """A base's name on boards, and the type of products that it was tuned in, where that is not float32."""
    return base if products is None else f"{base}, tuned in {str(products).removeprefix('torch.')}"


def has_bfloat16_units(device: str) -> bool:
    """True of a GPU or a processor that multiplies in bfloat16; one that only plays it takes fifty times as long."""
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return False
    tried = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return any(there() for there in tried if there is not None)


@contextmanager
def frozen_in(dtype: torch.dtype | None, model: Any) -> Iterator[None]:
    """Matrices that are not trained are held in that type meanwhile: no step casts them again, nor what adapters read.

    Embeddings stay as they are: what they give is added up along all layers.
    """
    if dtype is None:
        yield
        return
    tables = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    frozen = [p for p in model.parameters() if not p.requires_grad and p.ndim > 1 and id(p) not in tables]
    own = [p.data for p in frozen]
    for p in frozen:
        p.data = p.data.to(dtype)
    try:
        # Autocast sees to the inputs of adapters: peft would take them to float32 first.
        with disable_input_dtype_casting(model):
            yield
    finally:
        for p, value in zip(frozen, own, strict=True):
            p.data = value


def products_in(dtype: torch.dtype | None, device: torch.device) -> AbstractContextManager[Any]:
    """This thread's matrix products are of that type meanwhile; sums, norms and the loss stay float32."""
    # No cache: it is one for all threads, and a weight is used once a pass.
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype, cache_enabled=False)


@contextmanager
def checkpointing(model: Any, seeded: SeededDropout) -> Iterator[None]:
    """A training pass keeps the input of every layer and makes the rest again (Chen et al. 2016, section 3) meanwhile.

    What is made again drops what it had dropped before. RequestError where the architecture cannot.
    """
    causal = causal_of(model)
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
