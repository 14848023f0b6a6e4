"""Many sequences in one row without padding, none of which sees another (Krell et al. 2021, section 3.2).

Each sequence attends to itself alone, in a causal attention of its own; a mask over the whole row would cost the row's
square. Positions begin anew with every sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface

from harness.plugins.llm.scoring.ways import SHORT
from harness.plugins.llm.text.loader import causal_of
from harness.training.libraries import silence_libraries
from harness.types import IntArray

NAME = "harness-packed"  # of the attention, for transformers


@dataclass(frozen=True)
class Packed:
    """Places of the sequences in a row. lengths: of each. bounds: int32 [n + 1] on the model's device."""

    lengths: list[int]
    bounds: torch.Tensor

    @classmethod
    def of(cls, lengths: IntArray, device: torch.device) -> Packed:
        bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return cls(lengths.tolist(), torch.from_numpy(bounds).to(device))


def packed_inputs(lengths: IntArray, device: torch.device) -> dict[str, Any]:
    """Inputs of a model for a row of sequences of these lengths, beside its tokens."""
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return {"position_ids": torch.from_numpy(place)[None].to(device), "packed": Packed.of(lengths, device)}


@contextmanager
def packed_attention(model: Any) -> Iterator[None]:
    """The model attends within the sequences of ``packed_inputs`` meanwhile, and is called on nothing else."""
    causal = causal_of(model)
    own = causal.config._attn_implementation
    AttentionInterface.register(NAME, _attend)
    with silence_libraries():
        causal.set_attn_implementation(NAME)
    try:
        yield
    finally:
        with silence_libraries():
            causal.set_attn_implementation(own)


def packs(model: Any, read: Callable[..., torch.Tensor], length: int = SHORT, tolerance: float = 1e-4) -> bool:
    """True where this model reads sequences in one row as it reads each alone; tried on made-up tokens.

    length: of the longest sequence. tolerance: most that a logit may be off, as a share of the largest.
    """
    weight = model.get_input_embeddings().weight
    lengths = np.array([7, length, 1, 5])
    ids = torch.arange(1, 1 + int(lengths.sum()), device=weight.device) * 37 % weight.shape[0]
    training = model.training
    with torch.inference_mode():
        model.eval()
        try:
            alone = [read(model, row[None], torch.ones_like(row[None]).bool()) for row in ids.split(lengths.tolist())]
            with packed_attention(model):
                inputs = packed_inputs(lengths, weight.device)
                one_row = read(model, ids[None], torch.ones_like(ids[None]).bool(), **inputs)
            wanted = torch.cat(alone).float()
            same = torch.allclose(one_row.float(), wanted, rtol=0, atol=tolerance * float(wanted.abs().max()))
        except (AttributeError, TypeError, ValueError, RuntimeError):
            same = False  # an architecture that takes no positions, or scores attention in a way of its own
        model.train(training)
    return same


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **given: Any,
) -> tuple[torch.Tensor, None]:
    """query [1, H, L, D], key and value [1, H or fewer, L, D] -> [1, L, H, D], as transformers asks of an attention."""
    packed: Packed | None = given.get("packed")
    if packed is None or attention_mask is not None or given.get("softcap") is not None:
        raise ValueError("packed attention takes the bounds of the sequences, no mask and no cap on scores")
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    window, dropout, scale = given.get("sliding_window"), given.get("dropout", 0.0), given.get("scaling")
    if query.device.type == "cuda" and not dropout:
        found = _variable_length((query, key, value), packed, window, scale)
        if found is not None:
            return found, None
    parts = (torch.split(x, packed.lengths, dim=2) for x in (query, key, value))
    outputs = []
    for q, k, v in zip(*parts, strict=True):
        mask = _window(q.shape[2], window, q.device)
        outputs.append(
            torch.nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=mask is None, scale=scale
            )
        )
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), None


def _window(length: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """bool [length, length]: causal attention to the last ``window`` tokens; None where all are among them."""
    if window is None or length <= window:
        return None
    place = torch.arange(length, device=device)
    back = place[:, None] - place[None, :]
    return (back >= 0) & (back < window)


def _variable_length(
    qkv: tuple[torch.Tensor, torch.Tensor, torch.Tensor], packed: Packed, window: int | None, scale: float | None
) -> torch.Tensor | None:
    """Torch's kernel for all sequences at once; None where it is not there or the numbers are too wide for it."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:  # before torch 2.10
        return None
    kind = qkv[0].device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else qkv[0].dtype
    if dtype not in (torch.bfloat16, torch.float16):
        return None
    q, k, v = (x[0].transpose(0, 1).to(dtype).contiguous() for x in qkv)  # [L, H, D]
    longest = max(packed.lengths)
    sides = (-1 if window is None else window - 1, 0)
    found: Any = varlen_attn(q, k, v, packed.bounds, packed.bounds, longest, longest, scale=scale, window_size=sides)
    attended: torch.Tensor = found[None]
    return attended
