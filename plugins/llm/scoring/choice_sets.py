"""ln P(every title | history): the career is read once, the trie of all titles behind every target.

Where a language model does not follow the tree attention mask to rounding error (tried once, on made-up tokens), titles
are priced by ``branches.Scorer`` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch

from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.head import MOST_LOGITS
from harness.plugins.llm.scoring.reader import NodeRows, Reader
from harness.plugins.llm.scoring.trie import Chunks, Trie
from harness.plugins.llm.scoring.ways import SHORT, made_up
from harness.plugins.llm.text.pieces import Ragged
from harness.plugins.llm.text.tokens import Resumes
from harness.training.workers import workers
from harness.types import FloatArray, IntArray

TREE_TOLERANCE = 1e-3  # as the made-up tokens are priced, in nats; float32 keeps to 1e-4


@dataclass(frozen=True)
class Limits:
    """The most that a forward pass holds.

    nodes: of the trie in a row. tokens: in all rows; fewer where the vocabulary is large. row_of_search: nodes in a row
    of certified pruning, which see none of each other. store_bytes: of keys and values of nodes, which certified
    pruning keeps while their descendants may be asked for.
    """

    nodes: int = 64
    tokens: int = 1024
    row_of_search: int = 64
    store_bytes: int = 256 << 20

    def rows(self, nodes: int, vocabulary: int) -> int:
        """Number of rows of so many nodes that go into a forward pass."""
        return max(1, int(min(self.tokens, MOST_LOGITS // vocabulary)) // nodes)


def default_limits(device: str) -> Limits:
    """Small batches for the caches of a CPU, large ones to fill a GPU."""
    return Limits() if device == "cpu" else Limits(tokens=16384, store_bytes=4 << 30)


def whole_rows(reader: Reader, resumes: Resumes, targets: IntArray, limits: Limits | None = None) -> FloatArray:
    """float32 [n, K]: ln P(title and delimiter of every state | history of targets[i]), exact.

    targets: int64 [n], target records of ``resumes.panel``, in any order. Rows sum to at most one.
    """
    if not len(targets) or not tree_exact(reader):
        states = np.broadcast_to(np.arange(resumes.panel.n_states), (len(targets), resumes.panel.n_states))
        return np.asarray(
            Scorer(reader.model, reader.pad, reader.ways).log_prob(resumes, targets, states), dtype=np.float32
        )
    limits = limits or default_limits(reader.device.type)
    choices = Choices.of(resumes.events, limits.nodes)
    distinct, where = np.unique(targets, return_inverse=True)
    windows = resumes.windows(distinct)
    rows = np.empty((len(distinct), resumes.panel.n_states), dtype=np.float32)
    with workers(reader.device.type) as (pool, _):
        for window in range(len(windows.tokens)):
            of_window = np.flatnonzero(windows.window == window)
            career, at = windows.tokens[window], windows.at[of_window]
            rows[of_window] = price(reader, choices, career=career, at=at, pool=pool, limits=limits)
    return np.asarray(rows[where], dtype=np.float32)


@dataclass(frozen=True)
class Choices:
    """The trie of a choice set, and its inner nodes in chunks."""

    trie: Trie
    chunks: Chunks

    @classmethod
    def of(cls, events: Ragged, nodes: int) -> Choices:
        """nodes: about, of a chunk."""
        trie = Trie.of(events)
        return cls(trie, Chunks.of(trie, nodes))


def price(
    reader: Reader, choices: Choices, career: IntArray, at: IntArray, pool: Executor, limits: Limits
) -> FloatArray:
    """float64 [n, K]: ln P of every event behind each of the places of one career."""
    trie, chunks = choices.trie, choices.chunks
    cache, root = reader.career(career, at)
    conditional = np.zeros((len(at), trie.n_nodes))  # ln P(node | its parent and the history)
    top, _ = trie.children(np.array([0]))
    place = np.repeat(np.arange(len(at)), len(top))
    conditional[:, top] = reader.log_prob(root, place, trie.token[np.tile(top, len(at))]).reshape(len(at), len(top))

    def read(batch: tuple[IntArray, IntArray]) -> None:
        target, chunk = batch
        rows = _rows(trie, chunks, at[target], chunk)
        of_row, read_at, node = _reads(chunks, chunk)
        logits, _ = reader.nodes(rows, cache)
        log_prob = reader.log_prob(logits, of_row * rows.token.shape[1] + read_at, trie.token[node])
        conditional[target[of_row], node] = log_prob  # each batch its own entries

    list(pool.map(read, _batches(len(at), len(chunks.nodes), limits.rows(chunks.nodes.shape[1], reader.vocabulary))))
    for nodes in trie.levels:
        conditional[:, nodes] += conditional[:, trie.parent[nodes]]
    return np.minimum(conditional[:, trie.leaf], 0.0)


def _batches(targets: int, chunks: int, rows: int) -> Iterator[tuple[IntArray, IntArray]]:
    """(target, chunk) pairs, a target's chunks together: its neighbours see about as much of the career."""
    pairs = np.arange(targets * chunks)
    for start in range(0, len(pairs), rows):
        some = pairs[start : start + rows]
        yield some // chunks, some % chunks


def _rows(trie: Trie, chunks: Chunks, at: IntArray, chunk: IntArray) -> NodeRows:
    nodes = chunks.nodes[chunk]
    width = int((nodes >= 0).sum(axis=1).max())
    nodes = nodes[:, :width]
    some = np.maximum(nodes, trie.inner[0])  # padding may be any token: it is never read, and seen by none
    return NodeRows(
        career=np.zeros(len(chunk), dtype=np.int64),
        token=trie.token[some],
        position=at[:, None] + trie.depth[some],
        visible=np.broadcast_to(at[:, None] + 1, nodes.shape),
        sees=chunks.sees[chunk][:, :width, :width],
        past=np.zeros((len(chunk), 0), dtype=np.int64),
        past_sees=np.zeros((*nodes.shape, 0), dtype=bool),
    )


def _reads(chunks: Chunks, chunk: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """(row, place in the row, node) of all that is read in rows of these chunks."""
    start, stop = (np.searchsorted(chunks.read_chunk, chunk, side=side) for side in ("left", "right"))
    count = stop - start
    entry = np.repeat(start - (np.cumsum(count) - count), count) + np.arange(count.sum())
    return np.repeat(np.arange(len(chunk)), count), chunks.read_at[entry], chunks.read_node[entry]


def tree_exact(reader: Reader) -> bool:
    """As ``follows_tree``, of the lengths that the reader's ways were found at, where it has any."""
    return follows_tree(reader) if reader.ways is None else reader.ways.tree


def follows_tree(reader: Reader, length: int = SHORT) -> bool:
    """True where this model prices nodes of a tree behind a kept career as it prices the same tokens in plain text.

    length: of the career, in made-up tokens, with a title behind it.
    """
    limit = min(reader.vocabulary, 1000)
    career = made_up(length, reader.vocabulary)
    at = np.array([length // 3, length - 4])
    events = Ragged.of([[3 % limit, 5 % limit, 7 % limit], [3 % limit, 11 % limit, 2, 7 % limit], [1, 7 % limit]])
    choices = Choices.of(events, 4)
    try:
        with workers(reader.device.type) as (pool, _):
            tree = price(reader, choices, career=career, at=at, pool=pool, limits=Limits())
    except (TypeError, ValueError, IndexError, RuntimeError, AttributeError):
        return False  # an architecture that keeps no such cache, or takes no such mask
    plain = [
        [_plain(reader, career[: place + 1], event) for event in map(events.__getitem__, range(3))] for place in at
    ]
    return bool(np.abs(tree - np.array(plain)).max() < TREE_TOLERANCE)


def _plain(reader: Reader, history: IntArray, event: IntArray) -> float:
    ids = torch.from_numpy(np.concatenate([history, event[:-1]])[None]).to(reader.device)
    with torch.inference_mode():
        logits = reader.model(input_ids=ids, use_cache=False).logits[0, len(history) - 1 :]
    return float(reader.log_prob(logits, np.arange(len(event)), event).sum())
