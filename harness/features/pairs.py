"""Features of (transition, alternative) pairs: a history's bearing on each place that a person might go next.

The alternatives are major groups, or states. An *affinity* is ln P(alternative | context) - ln P(alternative) among
those who switched in training, smoothed: how much more often than others people of this context go there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.features.catalogue import FeatureTable, Held, build, states_held
from harness.features.discrete import Discretizer
from harness.features.frequencies import posterior_mean, shares
from harness.features.pair_columns import CodedColumn, ListedPairs, PairColumns
from harness.panel.careers import Panel
from harness.types import BoolArray, FloatArray, IntArray

TABLE = "table "  # how the names of a model's tables begin in its .npz file


@dataclass(frozen=True, slots=True)
class Pairs:
    """q (transition, alternative) pairs in choice sets: int64 [q] each; begin: int64, where each choice set begins."""

    row: IntArray
    alternative: IntArray
    begin: IntArray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def choice(self) -> IntArray:
        """int64 [q]: the choice set of each pair."""
        return np.repeat(np.arange(len(self.begin)), np.diff(np.append(self.begin, len(self))))

    def keep(self, kept: BoolArray) -> Pairs:
        """Some of the pairs (bool [q]); a choice set that loses all of its pairs is gone."""
        choice = self.choice[kept]
        begin = np.flatnonzero(np.concatenate([[True], choice[1:] != choice[:-1]])[: len(choice)])
        return Pairs(self.row[kept], self.alternative[kept], begin)

    def log_softmax(self, scores: FloatArray) -> FloatArray:
        """float64 [q]: log-probabilities that sum to one over each choice set."""
        if not len(self):
            return np.zeros(0)
        length = np.diff(np.append(self.begin, len(self)))
        centred = scores - np.repeat(np.maximum.reduceat(scores, self.begin), length)
        total = np.add.reduceat(np.exp(centred), self.begin)
        return np.asarray(centred - np.repeat(np.log(total), length), dtype=np.float64)


def open_groups(group: IntArray) -> BoolArray:
    """bool [K, G]: the groups with a state other than the origin."""
    size = np.bincount(group)
    is_open = np.ones((len(group), len(size)), dtype=bool)
    is_open[np.arange(len(group)), group] = size[group] > 1
    return is_open


def group_pairs(origin: IntArray, open_groups: BoolArray) -> Pairs:
    """Every transition against every major group that is open to its origin; open_groups: bool [K, G]."""
    row, alternative = np.nonzero(open_groups[origin])
    length = open_groups[origin].sum(axis=1)
    return Pairs(row, alternative, np.cumsum(length) - length)


def state_pairs(row: IntArray, chosen_group: IntArray, group: IntArray) -> Pairs:
    """One choice set for each (transition, major group) asked for: the states of that group, in order.

    row, chosen_group: int64 [s]. group: int64 [K]. The origin is among the states of its own group.
    """
    members = np.argsort(group, kind="stable")
    size = np.bincount(group)
    length = size[chosen_group]
    begin = np.cumsum(length) - length
    first = (np.cumsum(size) - size)[chosen_group]
    alternative = members[np.arange(length.sum()) + np.repeat(first - begin, length)]
    return Pairs(np.repeat(row, length), alternative, begin)


@dataclass(frozen=True)
class Inputs:
    """Inputs on n transitions. codes: int64 [n] a context. numbers: float64 [n, d]. held: states held before."""

    codes: Mapping[str, IntArray]
    numbers: FloatArray
    held: Held

    @classmethod
    def of(
        cls, panel: Panel, transitions: IntArray, discretizer: Discretizer, table: FeatureTable | None = None
    ) -> Inputs:
        """The inputs on target records, int64 [n]. table: their features, where these are there already."""
        table = table or build(panel, transitions)
        held = states_held(panel, transitions, table.history)
        return cls(discretizer.encode(table), discretizer.number_matrix(table), held)

    @property
    def origin(self) -> IntArray:
        """int64 [n]"""
        return self.codes["origin"]

    def __len__(self) -> int:
        return len(self.origin)

    def take(self, rows: IntArray) -> Inputs:
        """Those of some transitions: int64, rising."""
        place = np.full(len(self) + 1, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        h = self.held
        kept = place[h.row] >= 0
        held = Held(
            row=place[h.row[kept]],
            state=h.state[kept],
            records=h.records[kept],
            spells=h.spells[kept],
            since=h.since[kept],
        )
        return Inputs({name: code[rows] for name, code in self.codes.items()}, self.numbers[rows], held)


@dataclass(frozen=True)
class Scheme:
    """Alternatives that states make up. of_state: int64 [K], each state's alternative. group: int64 [K], major groups.

    strength: switches that a prior is worth. numbers: positions of the numeric features that pairs are given.
    """

    n_alternatives: int
    of_state: IntArray
    group: IntArray
    strength: float
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Affinities:
    """tables: one a context, float32 [size + 1, A], the last row for a missing context. log_margin: float64 [A]."""

    tables: Mapping[str, FloatArray]
    log_margin: FloatArray

    @classmethod
    def count(
        cls,
        discretizer: Discretizer,
        codes: Mapping[str, IntArray],
        chosen: IntArray,
        scheme: Scheme,
        weight: FloatArray,
    ) -> Affinities:
        """codes: int64 [n] by context. chosen: int64 [n], the alternative that was taken. weight: float64 [n], what
        each of them counts for.

        A state's counts lean on those of its major group, and these, as other contexts' do, on the margin.
        """
        n = scheme.n_alternatives
        margin = shares(np.bincount(chosen, weights=weight, minlength=n))
        tables = {}
        for feature in discretizer.features:
            code = codes[feature.name]
            known = code >= 0
            flat = np.bincount(code[known] * n + chosen[known], weights=weight[known], minlength=feature.size * n)
            counts = flat.reshape(feature.size, n)
            prior = margin
            if feature.kind == "state":
                by_group = np.zeros((int(scheme.group.max()) + 1, n))
                np.add.at(by_group, scheme.group, counts)
                prior = posterior_mean(by_group, margin, scheme.strength)[scheme.group]
            ratio = np.log(posterior_mean(counts, prior, scheme.strength) / margin)
            tables[feature.name] = np.vstack([ratio, np.zeros(n)]).astype(np.float32)
        return cls(tables, np.log(margin))

    def arrays(self) -> dict[str, Any]:
        """All of it under names of an .npz file."""
        return {"log_margin": self.log_margin} | {TABLE + name: table for name, table in self.tables.items()}

    @classmethod
    def of_arrays(cls, stored: Mapping[str, Any]) -> Affinities:
        """Those of ``arrays``, among others."""
        tables = {name.removeprefix(TABLE): stored[name] for name in stored if name.startswith(TABLE)}
        return cls(tables, stored["log_margin"])


@dataclass(frozen=True)
class PairFeatures:
    """Turns pairs into columns. base: float32 [K, A], ln P(alternative | origin, a switch) of smoothed frequencies.

    stay_rate: float64 [A], how often those who are there stay.
    """

    scheme: Scheme
    affinities: Affinities
    base: FloatArray
    stay_rate: FloatArray

    def names(self, numbers: Sequence[str]) -> list[str]:
        fixed = ["held_records", "held_spells", "held_since", "log_margin", "base", "stay_rate", "same", "alternative"]
        return [*self.affinities.tables, *fixed, *(numbers[i] for i in self.scheme.numbers)]

    def offset(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        """float64 [q]: the smoothed frequencies' own log-probability."""
        return self.base[inputs.origin[pairs.row], pairs.alternative].astype(np.float64)

    def matrix(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        """float32 [q, number of names]."""
        return self.columns(inputs).matrix(pairs.row, pairs.alternative)

    def columns(self, inputs: Inputs) -> PairColumns:
        """The columns of every pair of these transitions, in the order of ``names``."""
        n, tables = len(inputs), self.affinities.tables
        coded = [CodedColumn(table, inputs.codes[name]) for name, table in tables.items()]
        fixed = {
            3: CodedColumn.of_alternatives(self.affinities.log_margin, n),
            4: CodedColumn(self.base, inputs.origin),
            5: CodedColumn.of_alternatives(self.stay_rate, n),
            7: CodedColumn.of_alternatives(np.arange(self.scheme.n_alternatives), n),
        }
        first = len(tables)
        numbers = [CodedColumn.of_transitions(inputs.numbers[:, position]) for position in self.scheme.numbers]
        positions = dict(enumerate(coded)) | {first + j: column for j, column in fixed.items()}
        positions |= {first + 8 + j: column for j, column in enumerate(numbers)}
        return PairColumns(n, self.scheme.n_alternatives, positions, self._held(inputs, first))

    def _held(self, inputs: Inputs, first: int) -> ListedPairs:
        """Records spent in the alternative, times it was taken up, years since (NaN: never there), and whether it is
        the origin's own: at position ``first`` and the two after it, and three further on.
        """
        n, held = self.scheme.n_alternatives, inputs.held
        own = np.arange(len(inputs)) * n + self.scheme.of_state[inputs.origin]
        at = held.row * n + self.scheme.of_state[held.state]
        place, which = np.unique(np.concatenate([at, own]), return_inverse=True)
        which = which[: len(at)]
        records, spells = (np.bincount(which, of, len(place)) for of in (held.records, held.spells))
        since = np.full(len(place), np.inf)
        np.minimum.at(since, which, held.since)
        since[np.isinf(since)] = np.nan
        same = np.isin(place, own)
        values = {first: records, first + 1: spells, first + 2: since, first + 6: same}
        return ListedPairs(
            place,
            {j: column.astype(np.float32) for j, column in values.items()},
            {first: 0.0, first + 1: 0.0, first + 2: np.nan, first + 6: 0.0},
        )

    def save(self, file: Path) -> None:
        """As one .npz of arrays."""
        scheme = self.scheme
        np.savez(
            file,
            of_state=scheme.of_state,
            group=scheme.group,
            numbers=np.array(scheme.numbers, dtype=np.int64),
            shape=np.array([scheme.n_alternatives, scheme.strength]),
            base=self.base,
            stay_rate=self.stay_rate,
            **self.affinities.arrays(),
        )

    @classmethod
    def load(cls, file: Path) -> PairFeatures:
        with np.load(file, allow_pickle=False) as stored:
            n, strength = stored["shape"].tolist()
            numbers = tuple(stored["numbers"].tolist())
            scheme = Scheme(
                n_alternatives=int(n),
                of_state=stored["of_state"],
                group=stored["group"],
                strength=strength,
                numbers=numbers,
            )
            return cls(scheme, Affinities.of_arrays(stored), stored["base"], stored["stay_rate"])
