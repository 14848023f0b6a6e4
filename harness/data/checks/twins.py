"""Careers that stand in two splits under two names: what a model learned by heart is then asked of it as new.

Two persons are compared where they share three spells in a row that are rare, and are told where all that they have in
common is more than chance explains: a coincidence that is expected less than once in a thousand panels of this size.
Years may be shifted and some records may differ. The surprise of a career counts its moves alone, and of these those to
a state held before by their time alone, so that whoever stays, or goes back and forth, surprises nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.panel.careers import SPLITS, Panel
from harness.types import BoolArray, FloatArray, IntArray

SPELLS = 3  # in a row, that two careers must share to be compared
RARE = 0.0  # nats by which such a row is rarer than one in all rows
CROWD = 20  # persons: a row that more of them share is no trace of a copy
MOST = 20_000  # pairs that are compared, those with the rarest rows
ALIKE = 0.8  # of the records of the shorter career
ODDS = float(np.log(1000.0))  # nats by which all in common is rarer than one in all pairs, and shifts of years if any
PRIOR = 5.0  # transitions that the whole panel's shares count for in a state's own


@dataclass(frozen=True, slots=True)
class Twins:
    """Two persons of two splits, of one career. shift: years from the first to the second. records: in common."""

    first: str
    second: str
    splits: tuple[str, str]
    shift: int
    records: int
    of: int


def twins(panel: Panel) -> tuple[Twins, ...]:
    """The pairs, in the order of the panel's persons; each person with the one of most records in common."""
    if panel.n_persons < 2 or not len(panel.transitions):
        return ()
    careers = _Careers.of(panel)
    sizes = np.bincount(panel.split, minlength=len(SPLITS)).astype(np.float64)
    pairs = (sizes.sum() ** 2 - (sizes**2).sum()) / 2
    shifts = 2.0 * float(panel.year.max() - panel.year.min())
    if not pairs:
        return ()
    needed = {True: float(np.log(2 * pairs)) + ODDS, False: float(np.log(2 * pairs * max(shifts, 1.0))) + ODDS}
    found: dict[int, Twins] = {}
    for p, q, shift in _candidates(careers):
        alike = careers.in_common(p, q, shift)
        if alike is not None and alike[1] >= needed[shift == 0] and (p not in found or found[p].records < alike[0]):
            names = str(panel.persons[p]), str(panel.persons[q])
            splits = SPLITS[panel.split[p]], SPLITS[panel.split[q]]
            shorter = int(min(np.diff(panel.offsets)[[p, q]]))
            found[p] = Twins(*names, splits=splits, shift=shift, records=alike[0], of=shorter)
    return tuple(found[p] for p in sorted(found))


@dataclass(frozen=True, slots=True)
class _Careers:
    """A panel with the surprise of its records, float64 [N], in nats: of the state as such, and of the move to it."""

    panel: Panel
    state: FloatArray
    move: FloatArray
    moved: BoolArray

    @classmethod
    def of(cls, panel: Panel) -> _Careers:
        """Shares of states, of leaving a state in a year, and of destinations, as the panel has them."""
        later, k = panel.transitions, panel.n_states
        origin, state = panel.state[later - 1].astype(np.int64), panel.state[later].astype(np.int64)
        left = origin != state
        margin = (np.bincount(panel.state, minlength=k) + 0.5) / (panel.n_records + 0.5 * k)
        leaves = (np.bincount(origin, left, k) + 1) / (np.bincount(origin, minlength=k) + 2)
        _, when = np.unique(origin * 10_000 + panel.year[later] - panel.year.min(), return_inverse=True)
        hazard = (np.bincount(when, left)[when] + PRIOR * leaves[origin]) / (np.bincount(when)[when] + PRIOR)
        _, way = np.unique(origin * k + state, return_inverse=True)
        ways, movers = np.bincount(way, left)[way], np.bincount(origin, left, k)[origin]
        destination = (ways + PRIOR * margin[state]) / (movers + PRIOR)
        new = np.zeros(panel.n_records, dtype=bool)
        new[np.unique(panel.person * k + panel.state, return_index=True)[1]] = True
        move, moved = np.zeros(panel.n_records), np.zeros(panel.n_records, dtype=bool)
        move[later] = np.where(left, -np.log(hazard) - np.where(new[later], np.log(destination), 0.0), 0.0)
        moved[later] = left
        return cls(panel, -np.log(margin[panel.state]), move, moved)

    def in_common(self, p: int, q: int, shift: int) -> tuple[int, float] | None:
        """The records that two persons share, and their surprise; None where much of the shorter career differs."""
        begin, end = self.panel.offsets[[p, q]], self.panel.offsets[[p + 1, q + 1]]
        mine, theirs = (np.arange(a, b) for a, b in zip(begin, end, strict=True))
        years = self.panel.year
        _, at, to = np.intersect1d(years[mine], years[theirs] - shift, assume_unique=True, return_indices=True)
        same = self.panel.state[mine[at]] == self.panel.state[theirs[to]]
        at, to = at[same], to[same]
        if len(at) < ALIKE * min(len(mine), len(theirs)):
            return None
        follows = (np.diff(at) == 1) & (np.diff(to) == 1)
        here, there = mine[at], theirs[to]
        surprise = [self.state[of[0]] + self.move[of[1:][follows]].sum() for of in (here, there)]
        return len(at), float(min(surprise))


def _candidates(careers: _Careers) -> Iterator[tuple[int, int, int]]:
    """Pairs of persons of different splits that share a rare row of spells, p before q, and the years between them."""
    panel = careers.panel
    starts = np.union1d(panel.entries, np.flatnonzero(careers.moved))
    person = panel.person[starts]
    first = np.flatnonzero(person[: len(starts) - SPELLS + 1] == person[SPELLS - 1 :])
    rows = starts[first[:, None] + np.arange(SPELLS)]
    if not len(rows):
        return
    surprise = careers.state[rows[:, 0]] + careers.move[rows[:, 1:]].sum(axis=1)
    rows, surprise = (of[surprise >= np.log(len(rows)) + RARE] for of in (rows, surprise))
    order = np.lexsort((panel.person[rows[:, 0]], *panel.state[rows].T))
    rows, surprise = rows[order], surprise[order]
    ends = np.flatnonzero(np.append(np.any(np.diff(panel.state[rows], axis=0) != 0, axis=1), True)) + 1
    sizes = np.diff(ends, prepend=0)
    several = (sizes > 1) & (sizes <= CROWD)
    pairs: dict[tuple[int, int, int], float] = {}
    for end, size in zip(ends[several].tolist(), sizes[several].tolist(), strict=True):
        group = slice(end - size, end)
        _pair(panel, rows[group], float(surprise[group].min()), pairs)
    yield from sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:MOST]


def _pair(panel: Panel, rows: IntArray, surprise: float, pairs: dict[tuple[int, int, int], float]) -> None:
    """Put down every two persons of a group who are of different splits. Years go by the first move of the row."""
    person, year = panel.person[rows[:, 0]], panel.year[rows[:, 1]]
    split = panel.split[person]
    for i, j in np.argwhere((split[:, None] != split) & (person[:, None] < person)).tolist():
        pair = int(person[i]), int(person[j]), int(year[j] - year[i])
        pairs[pair] = max(surprise, pairs.get(pair, 0.0))
