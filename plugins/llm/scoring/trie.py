"""The token trie of a choice set: every state's title and closing delimiter, common beginnings written once.

To price every state, a language model must read each inner node once, not each title: the probabilities of a node's
children are all read from that one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.plugins.llm.text.pieces import Ragged
from harness.types import BoolArray, IntArray


@dataclass(frozen=True)
class Trie:
    """M nodes in breadth-first order; node 0 is the line head that all events follow, and holds no token.

    token, parent: int64 [M], -1 at node 0. depth: int64 [M], tokens from the line head on. first, last: int64 [M], the
    children of node v are ``first[v]:last[v]``. leaf: int64 [K], the node where each state's event ends. inner: int64
    [I], the nodes that hold a token and have children, in depth-first order: what a model has to read.
    """

    token: IntArray
    parent: IntArray
    depth: IntArray
    first: IntArray
    last: IntArray
    leaf: IntArray
    inner: IntArray

    @classmethod
    def of(cls, events: Ragged) -> Trie:
        """The trie of K events; ValueError where one event begins another, so that both cannot be leaves."""
        at = np.zeros(len(events), dtype=np.int64)  # the node that each event has reached
        tokens, parents, depths = [np.array([-1])], [np.array([-1])], [np.array([0])]
        nodes, vocabulary = 1, int(events.ids.max()) + 1
        for depth in range(1, int(events.lengths.max()) + 1):
            live = np.flatnonzero(events.lengths >= depth)
            edge = at[live] * vocabulary + events.ids[events.offsets[live] + depth - 1]
            edges, which = np.unique(edge, return_inverse=True)  # sorted by parent: siblings stand together
            at[live] = nodes + which
            tokens.append(edges % vocabulary)
            parents.append(edges // vocabulary)
            depths.append(np.full(len(edges), depth))
            nodes += len(edges)
        parent = np.concatenate(parents)
        first = 1 + np.searchsorted(parent[1:], np.arange(nodes), side="left")
        last = 1 + np.searchsorted(parent[1:], np.arange(nodes), side="right")
        if len(np.unique(at)) < len(at) or (first[at] != last[at]).any():
            raise ValueError("one event begins another: their probabilities are not those of two outcomes")
        depth_of = np.concatenate(depths)
        return cls(
            token=np.concatenate(tokens),
            parent=parent,
            depth=depth_of,
            first=first,
            last=last,
            leaf=at,
            inner=_depth_first(parent, depth_of, at),
        )

    @property
    def n_nodes(self) -> int:
        return len(self.token)

    @cached_property
    def is_leaf(self) -> BoolArray:
        """bool [M]."""
        return np.asarray(self.first == self.last, dtype=bool)

    @cached_property
    def state(self) -> IntArray:
        """int64 [M]: the state whose event ends at each node; -1 where none does."""
        state = np.full(self.n_nodes, -1, dtype=np.int64)
        state[self.leaf] = np.arange(len(self.leaf))
        return state

    @cached_property
    def inner_below(self) -> IntArray:
        """int64 [M]: inner nodes in the subtree of each node, itself included."""
        return _inner_below(self.parent, self.depth, self.is_leaf)

    @cached_property
    def levels(self) -> list[IntArray]:
        """The nodes of each depth from 1 on."""
        return [np.flatnonzero(self.depth == depth) for depth in range(1, int(self.depth.max()) + 1)]

    def children(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """(child, place in ``nodes`` of its parent), int64 [c] each, of all children of the nodes."""
        count = self.last[nodes] - self.first[nodes]
        shift = np.repeat(self.first[nodes] - (np.cumsum(count) - count), count)
        return shift + np.arange(count.sum()), np.repeat(np.arange(len(nodes)), count)

    def on_the_way(self, states: IntArray) -> BoolArray:
        """bool [n, M]: the nodes on the way to the states (int64 [n, m]) of each row."""
        found = np.zeros((len(states), self.n_nodes), dtype=bool)
        row = np.repeat(np.arange(len(states)), states.shape[1])
        node = self.leaf[states.ravel()]
        while len(node):
            found[row, node] = True
            row, node = row[self.parent[node] >= 0], self.parent[node][self.parent[node] >= 0]
        return found

    def inner_ancestors(self, node: int) -> list[int]:
        """The inner nodes above a node, from the line head down."""
        path = []
        while (node := int(self.parent[node])) > 0:
            path.append(node)
        return path[::-1]


def _inner_below(parent: IntArray, depth: IntArray, is_leaf: BoolArray) -> IntArray:
    below = (~is_leaf).astype(np.int64)
    for level in range(int(depth.max()), 0, -1):
        nodes = np.flatnonzero(depth == level)
        np.add.at(below, parent[nodes], below[nodes])
    return below


def _depth_first(parent: IntArray, depth: IntArray, leaf: IntArray) -> IntArray:
    is_leaf = np.zeros(len(parent), dtype=bool)
    is_leaf[leaf] = True
    below = _inner_below(parent, depth, is_leaf)
    place = np.zeros(len(parent), dtype=np.int64)  # inner nodes before each node, in depth-first order
    for level in range(1, int(depth.max()) + 1):
        nodes = np.flatnonzero(depth == level)
        before = np.cumsum(below[nodes]) - below[nodes]
        eldest = np.searchsorted(parent[nodes], parent[nodes], side="left")
        place[nodes] = place[parent[nodes]] + 1 + before - before[eldest]
    inner = np.flatnonzero(~is_leaf)[1:]
    return inner[np.argsort(place[inner])]


@dataclass(frozen=True)
class Chunks:
    """The inner nodes of a trie in C chunks of at most c nodes, each with the ancestors of all its nodes.

    nodes: int64 [C, c], -1 where a chunk has fewer. sees: bool [C, c, c], whether a node (row) is or follows another
    (column); padding sees itself. read_chunk, read_at, read_node: int64 [r], the node whose probability is read at a
    place of a chunk; every node but the line head's own children once.
    """

    nodes: IntArray
    sees: BoolArray
    read_chunk: IntArray
    read_at: IntArray
    read_node: IntArray

    @classmethod
    def of(cls, trie: Trie, size: int) -> Chunks:
        """Chunks of about ``size`` nodes (more where a title alone is longer), as few as first fit finds."""
        size = max(size, 2 * int(trie.depth.max()))
        count = max(1, -(-len(trie.inner) // size))
        filled = _fill(_pieces(trie, size), -(-len(trie.inner) // count) + size // 16)
        width = max((sum(len(up) + len(own) for up, own in pieces) for pieces in filled), default=1)
        nodes = np.full((len(filled), width), -1, dtype=np.int64)
        piece = np.full(nodes.shape, -1, dtype=np.int64)
        owned = np.zeros(nodes.shape, dtype=bool)
        for chunk, pieces in enumerate(filled):
            filled_to = 0
            for number, (up, own) in enumerate(pieces):
                start, filled_to = filled_to, filled_to + len(up) + len(own)
                nodes[chunk, start:filled_to] = np.concatenate([up, own])
                piece[chunk, start:filled_to] = number
                owned[chunk, start + len(up) : filled_to] = True
        of_chunk, at = np.nonzero(owned)
        child, which = trie.children(nodes[of_chunk, at])
        # Two halves of a cut subtree may meet in one chunk: each follows its own copy of their ancestors only.
        sees = _ancestry(trie, nodes) & (piece[:, :, None] == piece[:, None, :])
        return cls(
            nodes=nodes,
            sees=sees | np.eye(width, dtype=bool),
            read_chunk=of_chunk[which],
            read_at=at[which],
            read_node=child,
        )


def _pieces(trie: Trie, size: int) -> list[tuple[IntArray, IntArray]]:
    """(ancestors to repeat, own nodes): subtrees below the line head, cut where they are larger than ``size``."""
    pieces: list[tuple[IntArray, IntArray]] = []
    starts = np.flatnonzero(trie.depth[trie.inner] == 1)
    for subtree in np.split(trie.inner, starts[1:]):
        start = 0
        while start < len(subtree):
            # In depth-first order a node's ancestors stand in its piece, or are ancestors of the piece's first node.
            up = trie.inner_ancestors(int(subtree[start]))
            stop = start + size - len(up)
            pieces.append((np.array(up, dtype=np.int64), subtree[start:stop]))
            start = stop
    return pieces


def _fill(pieces: list[tuple[IntArray, IntArray]], size: int) -> list[list[tuple[IntArray, IntArray]]]:
    """Pieces into chunks of ``size`` nodes: first fit, largest first."""
    chunks: list[list[tuple[IntArray, IntArray]]] = []
    room: list[int] = []
    for piece in sorted(pieces, key=lambda piece: -len(piece[0]) - len(piece[1])):
        length = len(piece[0]) + len(piece[1])
        fits = next((i for i, left in enumerate(room) if left >= length), len(chunks))
        if fits == len(chunks):
            chunks.append([])
            room.append(size)
        chunks[fits].append(piece)
        room[fits] -= length
    return chunks


def _ancestry(trie: Trie, nodes: IntArray) -> BoolArray:
    """bool [C, c, c]: whether each node is or follows another of its chunk."""
    sees = np.zeros((*nodes.shape, nodes.shape[1]), dtype=bool)
    above = np.where(nodes >= 0, nodes, -2)
    while (above > 0).any():
        sees |= above[:, :, None] == nodes[:, None, :]
        above = np.where(above > 0, trie.parent[above], -2)
    return sees
