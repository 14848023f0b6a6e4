"""Best-first search of a token trie behind many targets: level by level, the heaviest nodes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.plugins.llm.scoring.choice_sets import Limits
from harness.plugins.llm.scoring.reader import CareerCache, NodeRows, NodeStore, Reader
from harness.plugins.llm.scoring.trie import Trie
from harness.plugins.llm.text.tokens import Resumes
from harness.types import BoolArray, FloatArray, IntArray


@dataclass
class Frontier:
    """Nodes that mass has reached and that have not been read, f of them.

    target, node: int64 [f]. log_mass: float64 [f], ln P(tokens down to the node | history). must: bool [f], whether a
    state asked about lies below. path: int64 [f, d], slots of its ancestors' keys and values from the line head down,
    -1 from its own depth on.
    """

    target: IntArray
    node: IntArray
    log_mass: FloatArray
    must: BoolArray
    path: IntArray

    def __len__(self) -> int:
        return len(self.node)

    def take(self, which: IntArray | BoolArray) -> Frontier:
        return Frontier(*(column[which] for column in vars(self).values()))

    @classmethod
    def joined(cls, parts: list[Frontier]) -> Frontier:
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True, kw_only=True)
class CertifiedRows:
    """Probabilities of n targets' choice sets, K states each, as far as they were read.

    rows: float64 [n, K], ln P(title and delimiter | history) of every state whose title was read, exact; -inf
    elsewhere. found, left: float64 [n], probability of the titles that were read, and the most that all others can have
    together. read: int64 [n], trie nodes read.
    """

    rows: FloatArray
    found: FloatArray
    left: FloatArray
    read: IntArray

    @classmethod
    def joined(cls, parts: Sequence[CertifiedRows]) -> CertifiedRows:
        """Those of several groups of targets, one after another."""
        columns = (np.concatenate(column) for column in zip(*(vars(part).values() for part in parts), strict=True))
        return cls(**dict(zip(vars(parts[0]), columns, strict=True)))

    def take(self, which: IntArray) -> CertifiedRows:
        """Those of some targets, in that order."""
        return CertifiedRows(**{name: column[which] for name, column in vars(self).items()})

    @property
    def log_mass(self) -> tuple[FloatArray, FloatArray]:
        """(lower, upper), float64 [n] each: bounds on ln Z, Z the probability of all titles together."""
        return np.log(self.found), np.minimum(np.log(self.found + self.left), 0.0)

    @property
    def outside(self) -> tuple[FloatArray, FloatArray]:
        """(lower, upper), float64 [n] each: bounds on 1 - Z, the probability of all that is no title."""
        return np.maximum(1.0 - self.found - self.left, 0.0), np.maximum(1.0 - self.found, 0.0)

    def log_prob(self, states: IntArray) -> FloatArray:
        """float64 [n, m]: ln P of states that were asked about, int64 [n, m]."""
        return np.take_along_axis(self.rows, states, axis=1)

    def renormalised(self, states: IntArray) -> FloatArray:
        """float64 [n, m]: ln P(state | it is one of the choice set), its lower bound: below the truth by the tolerance
        at most, so that rows never sum to more than one."""
        return self.log_prob(states) - np.log(self.found + self.left)[:, None]

    def rows_at_most(self) -> FloatArray:
        """float32 [n, K]: ``rows``, and of every state whose title was not read the most that it can be."""
        with np.errstate(divide="ignore"):  # nothing may be left
            most = np.log(self.left).astype(np.float32)
        rows = self.rows.astype(np.float32)
        return np.where(np.isneginf(rows), most[:, None], rows)


@dataclass(frozen=True)
class Search:
    """Best-first search of one trie behind many targets. slack: most mass left out, as a share of the mass found."""

    reader: Reader
    trie: Trie
    resumes: Resumes
    limits: Limits
    slack: float

    def run(self, targets: IntArray, asked: IntArray) -> CertifiedRows:
        """targets: int64 [n], repeats allowed. asked: int64 [n, m]."""
        windows = self.resumes.windows(targets)
        careers, roots = [], np.empty((len(targets), int(self.trie.last[0] - self.trie.first[0])))
        top, _ = self.trie.children(np.array([0]))
        for window in range(len(windows.tokens)):
            of_window = np.flatnonzero(windows.window == window)
            career, logits = self.reader.career(windows.tokens[window], windows.at[of_window])
            place, token = np.repeat(np.arange(len(of_window)), len(top)), np.tile(self.trie.token[top], len(of_window))
            roots[of_window] = self.reader.log_prob(logits, place, token).reshape(len(of_window), -1)
            careers.append(career)
        behind = ReadCareers(CareerCache.stacked(careers), windows.window, at=windows.at, roots=roots)
        return self._behind(behind, asked)

    def _behind(self, behind: ReadCareers, asked: IntArray) -> CertifiedRows:
        """Of all these targets at once, or of one half after the other where a search could hold too much."""
        n = len(behind.at)
        state = _GroupSearch(self, n, self.trie.on_the_way(asked))
        top, _ = self.trie.children(np.array([0]))
        target = np.repeat(np.arange(n), len(top))
        path = np.full((len(target), int(self.trie.depth.max())), -1, dtype=np.int64)
        state.reach(
            Frontier(
                target=target,
                node=np.tile(top, n),
                log_mass=behind.roots.ravel(),
                must=np.zeros(len(target), bool),
                path=path,
            )
        )
        chosen = state.choose()
        if n > 1 and self._worst(state.frontier.take(chosen), behind.careers) > self.limits.store_bytes:
            del state
            halves = np.array_split(np.arange(n), 2)
            return CertifiedRows.joined([self._behind(behind.take(half), asked[half]) for half in halves])
        while chosen.any():
            state.read(behind, chosen)
            chosen = state.choose()
        return state.result()

    def _worst(self, chosen: Frontier, careers: CareerCache) -> int:
        """Bytes of keys and values if all that lies below these nodes were read."""
        tables = [table for pair in careers.layers for table in pair]
        node = sum(int(table.shape[1] * table.shape[3]) * table.element_size() for table in tables)
        return int(self.trie.inner_below[chosen.node].sum() * node)


@dataclass(frozen=True)
class ReadCareers:
    """Places of a group's targets.

    window, at: int64 [n], the career of each and the place of its line head. roots: float64 [n, t], ln P of the trie's
    first tokens there.
    """

    careers: CareerCache
    window: IntArray
    at: IntArray
    roots: FloatArray

    def take(self, which: IntArray) -> ReadCareers:
        """Some of the targets, behind the same careers."""
        return replace(self, window=self.window[which], at=self.at[which], roots=self.roots[which])


class _GroupSearch:
    """The search of one group of targets."""

    def __init__(self, search: Search, n: int, needed: BoolArray) -> None:
        self.trie, self.reader, self.limits, self.slack = search.trie, search.reader, search.limits, search.slack
        depth = int(self.trie.depth.max())
        self.needed = needed
        self.rows = np.full((n, len(self.trie.leaf)), -np.inf)
        self.found = np.zeros(n)
        self.nodes_read = np.zeros(n, dtype=np.int64)
        self.rounds = 0
        self.store = NodeStore()
        none = np.zeros(0, dtype=np.int64)
        self.frontier = Frontier(
            target=none,
            node=none,
            log_mass=np.zeros(0),
            must=np.zeros(0, dtype=bool),
            path=np.zeros((0, depth), dtype=np.int64),
        )

    def reach(self, new: Frontier) -> None:
        """Titles that end here are found; the other nodes join the frontier."""
        leaf = self.trie.is_leaf[new.node]
        self.rows[new.target[leaf], self.trie.state[new.node[leaf]]] = new.log_mass[leaf]
        self.found += np.bincount(new.target[leaf], np.exp(new.log_mass[leaf]), minlength=len(self.found))
        inner = new.take(~leaf)
        inner.must = self.needed[inner.target, inner.node]
        self.frontier = Frontier.joined([self.frontier, inner])

    def choose(self) -> BoolArray:
        """bool [f]: the frontier's nodes to read next, all but the lightest that the slack may still hold."""
        frontier, n = self.frontier, len(self.found)
        mass = np.exp(frontier.log_mass)
        total = np.bincount(frontier.target, mass, minlength=n)
        # Until titles are found, expect half of the mass to arrive. Early levels leave part of the slack to later ones:
        # a heavy node set aside would else have to be taken up again when many light ones need its room.
        expected = np.maximum(self.found, 0.5 * (self.found + total))
        done = total <= self.slack * self.found
        budget = np.where(done, np.inf, self.slack * expected * min(0.9, 0.3 + 0.1 * self.rounds))
        order = np.lexsort((mass, frontier.target))
        sums = np.cumsum(mass[order])
        count = np.bincount(frontier.target, minlength=n)
        before = np.concatenate([[0.0], sums])[np.cumsum(count) - count]
        lightest_up_to = np.empty(len(order))
        lightest_up_to[order] = sums - np.repeat(before, count)
        return np.asarray(frontier.must | (lightest_up_to > budget[frontier.target]), dtype=bool)

    def read(self, behind: ReadCareers, chosen: BoolArray) -> None:
        """Read these nodes of the frontier; their children take their place."""
        nodes, self.frontier = self.frontier.take(chosen), self.frontier.take(~chosen)
        career = behind.window[nodes.target]
        nodes = nodes.take(np.lexsort((behind.at[nodes.target], career)))
        career = np.sort(career)
        below = [self._read_batch(behind, nodes, batch) for batch in self._batches(career)]
        self.reach(Frontier.joined(below))  # at the end: the frontier holds hundreds of nodes a target
        self.nodes_read += np.bincount(nodes.target, minlength=len(self.found))
        self.rounds += 1
        path = self.frontier.path
        self.store.keep(path[path >= 0])

    def _batches(self, career: IntArray) -> list[list[IntArray]]:
        """Forward passes, each a list of rows, each row the places (int [q]) of nodes behind one career."""
        rows: list[IntArray] = []
        for places in np.split(np.arange(len(career)), np.flatnonzero(np.diff(career)) + 1):
            rows += np.array_split(places, -(-len(places) // self.limits.row_of_search))
        rows.sort(key=len)
        batches: list[list[IntArray]] = [[]]
        for row in rows:
            if batches[-1] and len(batches[-1]) + 1 > self.limits.rows(len(row), self.reader.vocabulary):
                batches.append([])
            batches[-1].append(row)
        return batches

    def _read_batch(self, behind: ReadCareers, nodes: Frontier, batch: list[IntArray]) -> Frontier:
        """The nodes right below these, whose keys and values are kept."""
        rows = self._rows(behind, nodes, batch)
        logits, layers = self.reader.nodes(rows, behind.careers, self.store)
        places = np.concatenate(batch)
        row = np.repeat(np.arange(len(batch)), [len(some) for some in batch])
        at = np.concatenate([np.arange(len(some)) for some in batch])
        read = nodes.take(places)
        child, parent = self.trie.children(read.node)
        log_prob = self.reader.log_prob(logits, (row * rows.token.shape[1] + at)[parent], self.trie.token[child])
        kept = self.trie.inner_below[read.node] > 1  # behind the others there are ends of titles alone
        slots = np.full(len(read), -1, dtype=np.int64)
        slots[kept] = self.store.take(int(kept.sum()))
        self.store.put(slots[kept], layers, row=row[kept], at=at[kept])
        below = read.take(parent)
        below.path[np.arange(len(child)), self.trie.depth[read.node][parent] - 1] = slots[parent]
        return Frontier(
            target=below.target, node=child, log_mass=below.log_mass + log_prob, must=below.must, path=below.path
        )

    def _rows(self, behind: ReadCareers, nodes: Frontier, batch: list[IntArray]) -> NodeRows:
        width = max(len(row) for row in batch)
        places = np.stack([np.pad(row, (0, width - len(row)), mode="edge") for row in batch])  # [R, q]
        target, node = nodes.target[places], nodes.node[places]
        past, sees = _ancestors(nodes.path[places], self.store.slots)
        return NodeRows(
            career=behind.window[target[:, 0]],
            token=self.trie.token[node],
            position=behind.at[target] + self.trie.depth[node],
            visible=behind.at[target] + 1,
            sees=np.broadcast_to(np.eye(width, dtype=bool), (len(batch), width, width)),
            past=past,
            past_sees=sees,
        )

    def result(self) -> CertifiedRows:
        mass = np.exp(self.frontier.log_mass)
        left: FloatArray = np.bincount(self.frontier.target, mass, minlength=len(self.found)).astype(np.float64)
        rows = np.minimum(self.rows, 0.0)
        return CertifiedRows(rows=rows, found=self.found, left=left, read=self.nodes_read)


def _ancestors(path: IntArray, slots: int) -> tuple[IntArray, BoolArray]:
    """(int64 [R, a], bool [R, q, a]): the slots on the paths of each row, and which of them stand on each node's.

    path: int64 [R, q, d], slots below ``slots``, or -1.
    """
    row, place, depth = np.nonzero(path >= 0)
    slot = path[row, place, depth]
    used = np.zeros((len(path), slots), dtype=bool)
    used[row, slot] = True
    count = used.sum(axis=1)
    of_row, distinct = np.nonzero(used)
    number = np.empty(used.shape, dtype=np.int32)  # of each slot among those of its row
    number[of_row, distinct] = np.arange(len(distinct)) - np.repeat(np.cumsum(count) - count, count)
    past = np.zeros((len(path), int(count.max(initial=0))), dtype=np.int64)
    past[of_row, number[of_row, distinct]] = distinct
    sees = np.zeros((*path.shape[:2], past.shape[1]), dtype=bool)
    sees[row, place, number[row, slot]] = True
    return past, sees
