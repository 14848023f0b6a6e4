"""The output head where it is wanted and nowhere else, and log-probabilities from its logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch

from harness.plugins.llm.text.loader import causal_of
from harness.types import FloatArray, IntArray

# float32 logits that may be in memory at a time: 64 MiB.
MOST_LOGITS = 1 << 24
# What stays in the second cache of a core while it is summed: 512 KiB.
CACHED_LOGITS = 1 << 17

# (model, ids [B, L], bool [B, L], what else the model is told) -> logits [c, V] at the c places that count.
Reading: TypeAlias = Callable[..., torch.Tensor]


def reading(model: Any) -> Reading:
    """The way to this model's logits where tokens count, and nowhere else.

    The output head is a fifth of the work of a small model, and most tokens of a resume are no title's. Where hidden
    states and head alone do not give the model's own logits (some scale or cap them; tried once, on made-up tokens),
    the head runs everywhere.
    """
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
    causal = causal_of(model)
    hidden = causal.base_model(input_ids=ids, use_cache=False, **extra).last_hidden_state[counts]
    logits: torch.Tensor = causal.get_output_embeddings()(hidden)
    return logits


def log_prob_of(logits: torch.Tensor, place: IntArray, token: IntArray) -> FloatArray:
    """float64 [r]: ln P(token) at rows ``place`` of logits [n, V]."""
    # A CPU sums what its cache holds: a whole batch of logits would go through memory four times.
    few = max(1, (CACHED_LOGITS if logits.device.type == "cpu" else MOST_LOGITS) // logits.shape[1])
    at, wanted = (torch.from_numpy(x.astype(np.int64)).to(logits.device) for x in (place, token))
    with torch.inference_mode():
        total = torch.cat([some.float().logsumexp(dim=-1) for some in torch.split(logits, few)])
        return (logits[at, wanted].float() - total[at]).double().cpu().numpy()
