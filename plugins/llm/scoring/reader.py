"""Reads nodes of a token trie behind careers that a language model has read once.

A career's keys and values are kept; the nodes of many trie chunks, at many of its targets, then go through the model as
rows of one batch. Each node sees the career up to its target's line head and its own ancestors, under a tree attention
mask (Cai et al. 2024, Medusa, section 2.3), at the position where the text would have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from transformers import Cache, DynamicCache

from harness.plugins.llm.scoring.head import log_prob_of
from harness.plugins.llm.scoring.ways import ReadingWays
from harness.types import BoolArray, FloatArray, IntArray

KeysAndValues: TypeAlias = tuple[torch.Tensor, torch.Tensor]  # of one layer


@dataclass(frozen=True)
class NodeRows:
    """R rows of q nodes, to be read in one forward pass.

    career: int64 [R], which career each row follows. token, position, visible: int64 [R, q], token of each node, its
    place in the text, and how many of the career's tokens it sees. sees: bool [R, q, q], which nodes of its row each
    one sees, itself included. past: int64 [R, a], slots of stored nodes that the row may see; past_sees: bool
    [R, q, a], which of them each node sees.
    """

    career: IntArray
    token: IntArray
    position: IntArray
    visible: IntArray
    sees: BoolArray
    past: IntArray
    past_sees: BoolArray


@dataclass(frozen=True)
class CareerCache:
    """Keys and values of C careers, [C, heads, p, dim] each for every layer, the shorter ones padded at the end."""

    layers: list[KeysAndValues]

    @classmethod
    def stacked(cls, careers: Sequence[CareerCache]) -> CareerCache:
        if len(careers) == 1:
            return careers[0]
        length = max(career.layers[0][0].shape[2] for career in careers)

        def stack(layer: int, part: int) -> torch.Tensor:
            tables = [career.layers[layer][part] for career in careers]
            return torch.cat([torch.nn.functional.pad(table, (0, 0, 0, length - table.shape[2])) for table in tables])

        return cls([(stack(layer, 0), stack(layer, 1)) for layer in range(len(careers[0].layers))])

    def rows(self, layer: int, career: IntArray, length: int) -> KeysAndValues:
        """The first ``length`` tokens of the career of each row; a view where all rows follow one."""
        keys, values = self.layers[layer]
        if (career == career[0]).all():
            one = slice(int(career[0]), int(career[0]) + 1)
            every = (len(career), -1, -1, -1)
            return keys[one, :, :length].expand(every), values[one, :, :length].expand(every)
        chosen = torch.from_numpy(career).to(keys.device)
        return keys[chosen, :, :length], values[chosen, :, :length]


@dataclass
class NodeStore:
    """Keys and values of nodes that were read, [slots, heads, dim] each for every layer.

    free: int64 [f], the slots that hold nothing any more. What is kept is never moved, but where the store grows.
    """

    layers: list[KeysAndValues] = field(default_factory=list)
    free: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    slots: int = 0

    def rows(self, layer: int, past: IntArray) -> KeysAndValues:
        """Those of the slots of each row, [R, heads, a, dim]."""
        keys, values = self.layers[layer]
        chosen = torch.from_numpy(past).to(keys.device)
        return keys[chosen].transpose(1, 2), values[chosen].transpose(1, 2)

    def keep(self, slots: IntArray) -> None:
        """Only these; all others are free."""
        unused = np.ones(self.slots, dtype=bool)
        unused[slots] = False
        self.free = np.flatnonzero(unused)

    def take(self, n: int) -> IntArray:
        """int64 [n]: free slots, which are no longer free."""
        if n > len(self.free):
            grown = self.slots + max(n - len(self.free), self.slots)
            self.free = np.concatenate([self.free, np.arange(self.slots, grown)])
            for i in range(len(self.layers)):  # one after another: never the whole store twice
                keys, values = self.layers[i]
                self.layers[i] = (_grown(keys, grown), _grown(values, grown))
            self.slots = grown
        taken, self.free = self.free[:n], self.free[n:]
        return taken

    def put(self, slots: IntArray, layers: list[_CacheLayer], row: IntArray, at: IntArray) -> None:
        """Into these slots, the nodes at these places of a batch (int64 [n] each)."""
        new = [layer.new for layer in layers if layer.new is not None]
        if not self.layers:
            self.layers = [
                (_grown(keys[:0, :, 0], self.slots), _grown(values[:0, :, 0], self.slots)) for keys, values in new
            ]
        where = torch.from_numpy(slots).to(new[0][0].device)
        for kept, read in zip(self.layers, new, strict=True):
            for store, table in zip(kept, read, strict=True):
                store[where] = table[row, :, at]


def _grown(table: torch.Tensor, slots: int) -> torch.Tensor:
    """The table [n, heads, dim] with so many slots, what it holds in the first of them, zero in the others."""
    larger = _zeros((slots, *table.shape[1:]), table)
    larger[: len(table)] = table
    return larger


def _zeros(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Zeros of the same type and device; on a processor, memory that is taken when something is put there."""
    if like.device.type != "cpu" or not prod(shape):
        return like.new_zeros(shape)
    return torch.from_numpy(np.zeros(prod(shape) * like.element_size(), dtype=np.uint8)).view(like.dtype).view(shape)


class _CacheLayer:
    """A layer of a transformers cache: careers and stored nodes in front of what is new."""

    is_sliding = is_compileable = is_croppable = False
    is_initialized = True

    def __init__(self, before: Callable[[], list[KeysAndValues]], length: int) -> None:
        """before: what stands in front, ``length`` tokens in all."""
        self.before, self.length = before, length
        self.new: KeysAndValues | None = None

    def update(self, keys: torch.Tensor, values: torch.Tensor, *_: Any, **__: Any) -> KeysAndValues:
        # What is gathered and joined lives for this layer's attention only: a cache that kept it would hold a career
        # for every row and layer at once.
        self.new = (keys, values)
        before = self.before()
        return (
            torch.cat([*(part[0] for part in before), keys], dim=2),
            torch.cat([*(part[1] for part in before), values], dim=2),
        )

    def get_seq_length(self) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0


class Reader:
    """A causal language model in evaluation mode, asked for careers and for nodes behind them.

    ways: those that say the same as plain text; None where that is still to be tried.
    """

    def __init__(self, model: Any, pad: int, ways: ReadingWays | None = None) -> None:
        self.model = model
        self.pad = pad
        self.ways = ways
        table = model.get_input_embeddings().weight
        self.device, self.dtype, self.vocabulary = table.device, table.dtype, int(table.shape[0])

    def career(self, ids: IntArray, at: IntArray) -> tuple[CareerCache, torch.Tensor]:
        """A career read once, up to the last place asked about; with the logits [len(at), V] at those places."""
        cache: Any = DynamicCache()  # no configuration: no layer forgets what left its window
        row = torch.from_numpy(ids[None, : at.max() + 1].astype(np.int64)).to(self.device)
        keep = torch.from_numpy(at.astype(np.int64)).to(self.device)
        with torch.inference_mode():
            out = self.model(input_ids=row, past_key_values=cache, use_cache=True, logits_to_keep=keep)
        return CareerCache([(layer.keys, layer.values) for layer in cache.layers]), out.logits[0]

    def nodes(
        self, rows: NodeRows, careers: CareerCache, store: NodeStore | None = None
    ) -> tuple[torch.Tensor, list[_CacheLayer]]:
        """Logits [R, q, V] of every node, and the cache layers that hold the nodes' own keys and values."""
        length = int(rows.visible.max())
        kept = store if rows.past.shape[1] else None

        def before(layer: int) -> list[KeysAndValues]:
            own = careers.rows(layer, rows.career, length)
            return [own] if kept is None else [own, kept.rows(layer, rows.past)]

        seen = length + (0 if kept is None else rows.past.shape[1])
        layers = [_CacheLayer(partial(before, i), seen) for i in range(len(careers.layers))]
        token, position = (torch.from_numpy(x).to(self.device) for x in (rows.token, rows.position))
        with torch.inference_mode():
            out = self.model(
                input_ids=token,
                position_ids=position,
                attention_mask=self._mask(rows, length),
                past_key_values=Cache(layers=cast(Any, layers)),
                use_cache=True,
            )
        return out.logits, layers

    def _mask(self, rows: NodeRows, length: int) -> torch.Tensor:
        """[R, 1, q, p + a + q], to add to attention scores: eager attention takes a boolean mask, and wrongly."""
        career = np.arange(length) < rows.visible[:, :, None]
        allowed = torch.from_numpy(np.concatenate([career, rows.past_sees, rows.sees], axis=2)).to(self.device)
        mask = torch.zeros(allowed.shape, dtype=self.dtype, device=self.device)
        return mask.masked_fill_(~allowed, torch.finfo(self.dtype).min)[:, None]

    def log_prob(self, logits: torch.Tensor, place: IntArray, token: IntArray) -> FloatArray:
        """float64 [r]: ln P(token) at places of the flattened logits [..., V]."""
        return log_prob_of(logits.reshape(-1, logits.shape[-1]), place, token)
