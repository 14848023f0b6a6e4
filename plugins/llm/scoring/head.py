"""The output head where it is wanted, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

# (model, ids [B, L], bool [B, L], what else the model is told) -> logits [c, V] at the c places that count.
Reading: TypeAlias = "Callable[..., torch.Tensor]"


def reading(model: Any) -> Reading:
    """How this model's logits are had where tokens count, and nowhere else.

    The output head is a fifth of the work of a small model, and most tokens of a resume are no title's. Where hidden
    states and head alone do not give the model's own logits (some scale or cap them; tried once, on made-up tokens),
    the head runs everywhere.
    """
    import torch

    weight = model.get_input_embeddings().weight
    ids = torch.arange(1, 9, device=weight.device)[None] % weight.shape[0]
    counts = torch.ones_like(ids, dtype=torch.bool)
    training = model.training
    with torch.inference_mode():
        model.eval()
        try:
            same = torch.allclose(_read_there(model, ids, counts), read_everywhere(model, ids, counts), atol=1e-5)
        except (AttributeError, TypeError, RuntimeError):
            same = False
        model.train(training)
    return _read_there if same else read_everywhere


def read_everywhere(model: Any, ids: torch.Tensor, counts: torch.Tensor, **extra: Any) -> torch.Tensor:
    # No mask: attention is causal, and padding stands on the right, where nothing that counts can see it.
    logits: torch.Tensor = model(input_ids=ids, use_cache=False, **extra).logits[counts]
    return logits


def _read_there(model: Any, ids: torch.Tensor, counts: torch.Tensor, **extra: Any) -> torch.Tensor:
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.base_model(input_ids=ids, use_cache=False, **extra).last_hidden_state[counts]
    logits: torch.Tensor = causal.get_output_embeddings()(hidden)
    return logits
