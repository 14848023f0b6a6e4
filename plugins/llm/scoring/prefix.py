"""The beginning that all sequences of a scoring share, such as careers shown before each, read once for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from harness.types import IntArray

FEWEST = 32  # tokens that are worth it
WORTH = 3  # times what is spent


@dataclass(frozen=True)
class SharedPrefix:
    """Keys and values of the first tokens of every sequence, [1, heads, length, dim] each for every layer."""

    length: int
    layers: list[tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def read(cls, model: Any, ids: IntArray) -> SharedPrefix:
        """ids: int64 [length]."""
        cache: Any = DynamicCache()  # no configuration: no layer forgets what left its window
        row = torch.from_numpy(ids[None]).to(model.get_input_embeddings().weight.device)
        with torch.inference_mode():
            model(input_ids=row, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return cls(len(ids), [(layer.keys, layer.values) for layer in cache.layers])

    def cache(self, sequences: int) -> DynamicCache:
        """In front of so many sequences."""
        cache: Any = DynamicCache()
        for i, tables in enumerate(self.layers):
            cache.update(*(table.expand(sequences, -1, -1, -1) for table in tables), i)
        found: DynamicCache = cache
        return found


def common_length(sequences: Sequence[IntArray], most: int) -> int:
    """The number of tokens, ``most`` at the highest, that all sequences begin with; 0 for fewer than are worth it."""
    length = most
    for ids in sequences[1:]:
        length = min(length, len(ids))
        differ = np.flatnonzero(ids[:length] != sequences[0][:length])
        length = int(differ[0]) if len(differ) else length
        if length < FEWEST:
            return 0
    return length


def is_worth_sharing(length: int, sequences: int, longest: int) -> bool:
    """True where a prefix saves several times what it takes to read it and to try it on the longest sequence."""
    return length >= FEWEST and length * (sequences - 1) > WORTH * (length + 2 * longest)
