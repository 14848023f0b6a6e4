"""Scores of all alternatives of many transitions from the same trees, all pairs at once.

A tree of at most 64 leaves is a word a pair, a bit a leaf: each split that sends a pair to the right rules out the
leaves of its left branch, and the first leaf that is left is the pair's (Lucchese et al. 2015, QuickScorer). The words
of a column with a code are the same for all transitions of that code, so that they are made once for each and put
together by row; what LightGBM looks up anew for each pair and split is here one operation on long arrays. The sums are
those of LightGBM to the last bit: the same values, added in the order of the trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from harness.features.pair_columns import PairColumns
from harness.plugins.gbm.shared_codes import SharedCode, shared_codes
from harness.types import BoolArray, FloatArray, IntArray

MOST_LEAVES = 64  # bits of the longest word
ZERO = 1e-35  # what LightGBM takes for zero, where zeros are missing
BLOCK_PAIRS = 60_000  # at once: their words, leaves and scores lie in a processor's own cache
LEAST_ROWS = 256  # of a thread: fewer share too little


@dataclass(frozen=True, slots=True)
class Split:
    """One split. limit: float32, the most that goes left; levels: int64, of a split of names, those that go left.

    missing: what counts as missing, 'None', 'Zero' or 'NaN'; left: where that goes. rules_out: the leaves of the left
    branch, a bit each.
    """

    column: int
    limit: np.float32
    levels: IntArray | None
    missing: str
    left: bool
    rules_out: int

    def right(self, values: FloatArray) -> BoolArray:
        """bool, of the shape of the values: those that go to the right."""
        if self.levels is not None:
            return ~np.isin(np.nan_to_num(values, nan=-1.0).astype(np.int64), self.levels)
        if self.missing == "Zero":
            known = np.nan_to_num(values, nan=0.0)
            return np.where(np.abs(known) <= ZERO, not self.left, known > self.limit)
        nan_left = self.left if self.missing == "NaN" else bool(self.limit >= 0)  # elsewhere NaN is read as zero
        return values > self.limit if nan_left else ~(values <= self.limit)


@dataclass(frozen=True, slots=True)
class SplitTree:
    """One tree. splits: by column. leaves: float64, their values from left to right."""

    splits: Mapping[int, Sequence[Split]]
    leaves: FloatArray

    @classmethod
    def of(cls, structure: Mapping[str, Any]) -> SplitTree:
        """From a tree as LightGBM's ``dump_model`` has it."""
        splits: dict[int, list[Split]] = {}
        leaves: list[float] = []

        def descend(node: Mapping[str, Any]) -> None:
            if "leaf_value" in node:
                leaves.append(node["leaf_value"])
                return
            first = len(leaves)
            descend(node["left_child"])
            rules_out = (1 << len(leaves)) - (1 << first)
            split = _split(node, rules_out)
            splits.setdefault(split.column, []).append(split)
            descend(node["right_child"])

        descend(structure)
        return cls(splits, np.array(leaves))

    def words(self, column: int, values: FloatArray, word: type[np.unsignedinteger[Any]]) -> Any:
        """The leaves that a column's splits leave, of the shape of its values."""
        ruled_out = np.zeros(values.shape, dtype=word)
        for split in self.splits[column]:
            ruled_out |= np.multiply(split.right(values), word(split.rules_out), dtype=word)
        return np.invert(ruled_out, out=ruled_out)


def _split(node: Mapping[str, Any], rules_out: int) -> Split:
    named = node["decision_type"] == "=="
    return Split(
        column=node["split_feature"],
        limit=np.float32(np.nan) if named else _at_most(node["threshold"]),
        levels=np.array(node["threshold"].split("||"), dtype=np.int64) if named else None,
        missing=node["missing_type"],
        left=node["default_left"],
        rules_out=rules_out,
    )


def _at_most(limit: float) -> np.float32:
    """The largest float32 that is at most the limit: a float32 is below one where it is below the other."""
    near = np.float32(limit)
    return near if float(near) <= limit else np.nextafter(near, np.float32(-np.inf))


class Forest:
    """The trees of a step."""

    def __init__(self, trees: Sequence[SplitTree]) -> None:
        self.trees = tuple(trees)
        self.word = np.uint32 if max(len(tree.leaves) for tree in trees) <= 32 else np.uint64

    @classmethod
    def of(cls, booster: Any) -> Forest | None:
        """Those of a LightGBM booster; None where a tree has more leaves than a word has bits."""
        told = booster.dump_model()["tree_info"]
        if not told or max(tree["num_leaves"] for tree in told) > MOST_LEAVES:
            return None
        return cls([SplitTree.of(tree["tree_structure"]) for tree in told])

    def scores(self, columns: PairColumns, threads: int) -> FloatArray:
        """float64 [n, A]"""
        scores = np.zeros((columns.n, columns.n_alternatives))
        parts = max(1, min(threads, columns.n // LEAST_ROWS))
        bounds = np.linspace(0, columns.n, parts + 1).astype(int).tolist()
        spans = list(pairwise(bounds))
        if parts == 1:
            _Walk(self, columns).add_to(scores)
        else:
            with ThreadPoolExecutor(parts) as pool:
                list(pool.map(lambda span: _Walk(self, columns.part(*span)).add_to(scores[slice(*span)]), spans))
        return scores


class _Walk:
    """One walk of the trees by n transitions, in blocks of them."""

    def __init__(self, forest: Forest, columns: PairColumns) -> None:
        self.forest, self.columns = forest, columns
        used = {column for tree in forest.trees for column in tree.splits}
        coded = {j: column for j, column in columns.coded.items() if j in used}
        self.codes = shared_codes({j: column for j, column in coded.items() if column.by_alternative}, columns.n)
        self.of_rows = {j: column for j, column in coded.items() if not column.by_alternative}
        self.block = max(1, BLOCK_PAIRS // columns.n_alternatives)
        shape, word = (min(self.block, columns.n), columns.n_alternatives), forest.word
        self.left, self.other = np.empty(shape, dtype=word), np.empty(shape, dtype=word)
        self.single = np.empty(shape, dtype=np.float32 if word is np.uint32 else np.float64)
        self.leaf, self.value = np.empty(shape, dtype=np.intp), np.empty(shape)

    def add_to(self, scores: FloatArray) -> None:
        """scores: float64 [n, A], which the trees' are added to."""
        starts = range(0, self.columns.n, self.block)
        edges = np.append(starts, self.columns.n) * self.columns.n_alternatives
        listed = np.searchsorted(self.columns.listed.place, edges).tolist()
        bits, bias = (
            (23, 127) if self.forest.word is np.uint32 else (52, 1023)
        )  # of a float: before its exponent, its zero
        for tree in self.forest.trees:
            shared = [(f.code, table) for f in self.codes if (table := self._table(f, tree)) is not None]
            rows, (some, others) = self._of_rows(tree), self._of_listed(tree)
            values = np.concatenate([np.zeros(bias), tree.leaves])
            for block, start in enumerate(starts):
                of = slice(start, min(start + self.block, self.columns.n))
                few = slice(listed[block], listed[block + 1])
                self._keep(of, rows, shared)
                if some is not None:
                    self._keep_listed(self.columns.listed.place[few] - edges[block], some[few], others)
                self._add_leaves(values, bits, scores[of])

    def _table(self, shared: SharedCode, tree: SplitTree) -> Any:
        """[s, A] words: the leaves that a code's columns leave; None where it is not split on."""
        table = None
        for j, values, place in shared.columns:
            if j in tree.splits:
                words = tree.words(j, values, self.forest.word)
                words = words if place is None else words[place]
                table = words if table is None else table & words
        return table

    def _of_rows(self, tree: SplitTree) -> Any:
        """[n, 1] words: the leaves that the columns of transitions leave; None where none is split on."""
        rows = None
        for j, column in self.of_rows.items():
            if j in tree.splits:
                words = tree.words(j, column.values, self.forest.word)[column.code]
                rows = words if rows is None else rows & words
        return rows

    def _of_listed(self, tree: SplitTree) -> tuple[Any, Any]:
        """[e] words, the leaves that listed columns leave of the pairs listed, and the word of all others; None and
        None where none is split on.
        """
        listed, word = self.columns.listed, self.forest.word
        some = others = None
        for j, values in listed.values.items():
            if j in tree.splits:
                words = tree.words(j, np.append(values, np.float32(listed.otherwise[j])), word)
                some = words[:-1] if some is None else some & words[:-1]
                others = words[-1] if others is None else others & words[-1]
        return some, others

    def _keep(self, of: slice, rows: Any, shared: Sequence[tuple[IntArray, Any]]) -> None:
        """Leave of some transitions what their columns leave."""
        left, other = self.left[: of.stop - of.start], self.other[: of.stop - of.start]
        if not shared:
            left[:] = ~self.forest.word(0)
        for i, (code, table) in enumerate(shared):
            np.take(table, code[of], axis=0, out=other if i else left, mode="clip")
            if i:
                left &= other
        if rows is not None:
            left &= rows[of]

    def _keep_listed(self, place: IntArray, some: Any, others: Any) -> None:
        flat = self.left.reshape(-1)
        listed = flat[place] & some
        self.left &= others
        flat[place] = listed

    def _add_leaves(self, values: FloatArray, bits: int, scores: FloatArray) -> None:
        """Find the first leaf that is left, by the exponent of its bit as a float, and add its value."""
        n, word = len(scores), self.forest.word
        first, other, single, leaf = self.left[:n], self.other[:n], self.single[:n], self.leaf[:n]
        np.subtract(word(0), first, out=other)
        first &= other
        np.copyto(single, first, casting="unsafe")
        np.right_shift(single.view(word), word(bits), out=other)
        np.copyto(leaf, other, casting="unsafe")
        np.take(values, leaf, out=self.value[:n], mode="clip")
        scores += self.value[:n]
