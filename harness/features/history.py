"""Summaries of a career, record by record: running counts over flat columns, never a loop over persons.

Every array of ``History`` describes a record's past up to and including that record. What is known of a transition is
therefore the row of its origin, one record before its target.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.panel.careers import Panel
from harness.panel.occupations import Status
from harness.types import BoolArray, FloatArray, IntArray


class History:
    """Running summaries of the N records of a panel; all arrays have length N, and years are calendar years."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.start: IntArray = panel.offsets[:-1].astype(np.int64)[panel.person]
        self.state = panel.state.astype(np.int64)
        self.year = panel.year.astype(np.int64)

    def begins(self, values: IntArray | FloatArray | BoolArray) -> BoolArray:
        """True where a record opens a spell: the career's first, or one whose value differs from the record before."""
        new = np.ones(len(values), dtype=bool)
        new[1:] = values[1:] != values[:-1]
        new[self.panel.entries] = True
        return new

    def running(self, values: IntArray | BoolArray) -> IntArray:
        """Sum of the values over the career so far."""
        total = np.cumsum(values, dtype=np.int64)
        return total - total[self.start] + np.asarray(values, dtype=np.int64)[self.start]

    def latest(self, marked: BoolArray) -> IntArray:
        """Position of the career's latest marked record so far, -1 where there is none yet."""
        position = np.maximum.accumulate(np.where(marked, np.arange(len(marked)), -1))
        return np.where(position >= self.start, position, -1)

    def years_held(self, values: IntArray | FloatArray | BoolArray) -> IntArray:
        """Years since the present spell of this value began, the record's own year counted."""
        return self.year - self.year[self.latest(self.begins(values))] + 1

    def lag(self, steps: int) -> IntArray:
        """The state that many records before, -1 before the career began."""
        position = np.arange(len(self.state)) - steps
        return np.where(position >= self.start, self.state[np.maximum(position, 0)], -1)

    def state_at(self, position: IntArray) -> IntArray:
        """The state of the record at a position, -1 where the position is -1."""
        return np.where(position >= 0, self.state[np.maximum(position, 0)], -1)

    def years_since(self, position: IntArray) -> FloatArray:
        """Years from the record at a position to this one, NaN where the position is -1."""
        return np.where(position >= 0, (self.year - self.year[np.maximum(position, 0)]).astype(np.float64), np.nan)

    @cached_property
    def group(self) -> IntArray:
        """Major group of the state."""
        return self.panel.occupations.group_index()[0][self.state]

    @cached_property
    def opens_spell(self) -> BoolArray:
        """True where the record opens a spell in its state."""
        return self.begins(self.state)

    @cached_property
    def spell_start(self) -> IntArray:
        """Position of the first record of the present spell."""
        return self.latest(self.opens_spell)

    @cached_property
    def tenure(self) -> IntArray:
        """Years in the state without a break, the spell's first year counted."""
        return self.year - self.year[self.spell_start] + 1

    @cached_property
    def previous(self) -> IntArray:
        """The state before the present spell, -1 in a career's first spell."""
        before = self.spell_start - 1
        return np.where(before >= self.start, self.state[np.maximum(before, 0)], -1)

    @cached_property
    def employed(self) -> BoolArray:
        return self.panel.occupations.has_status(Status.EMPLOYED)[self.state]

    @cached_property
    def studying(self) -> BoolArray:
        return self.panel.occupations.has_status(Status.EDUCATION)[self.state]

    @cached_property
    def without_work(self) -> BoolArray:
        """Neither employed nor in education."""
        return ~(self.employed | self.studying)

    @cached_property
    def by_state(self) -> StateOrder:
        return StateOrder(self)


class StateOrder:
    """The records sorted by person, state and time, in which everything about states held before is a lookup."""

    def __init__(self, history: History) -> None:
        panel = history.panel
        self.n_records = panel.n_records
        key = panel.person * panel.n_states + history.state
        self.order = np.argsort(key, kind="stable")
        sorted_key = key[self.order]
        opens_block = np.ones(self.n_records, dtype=bool)
        opens_block[1:] = sorted_key[1:] != sorted_key[:-1]
        self.block = np.cumsum(opens_block) - 1  # which (person, state) pair each sorted record belongs to
        self.block_start = np.flatnonzero(opens_block)
        self.rank = np.empty(self.n_records, dtype=np.int64)  # from the position of a record to its sorted place
        self.rank[self.order] = np.arange(self.n_records)
        self.spells = np.cumsum(history.opens_spell[self.order])
        # (pair, time) as one integer that rises along the sorted records: searchable.
        self.search_key = self.block * np.int64(self.n_records) + self.order

    @cached_property
    def is_first(self) -> BoolArray:
        """bool [N]: whether the person is in the record's state for the first time, in the panel's order."""
        first = np.zeros(self.n_records, dtype=bool)
        first[self.order[self.block_start]] = True
        return first

    @cached_property
    def spells_so_far(self) -> IntArray:
        """int64 [N]: times the record's state has been taken up so far, in the panel's order."""
        so_far: IntArray = self.spells - self.spells[self.block_start][self.block] + 1
        return so_far[self.rank]


@dataclass(frozen=True, slots=True)
class Held:
    """The distinct states of every transition's history, the origin among them: q rows, sorted by transition.

    row: int64 [q], position among the transitions asked for. state: int64 [q]. records: int64 [q], records spent in
    the state. spells: int64 [q], times it was taken up. since: float64 [q], years from the last record in it to the
    target's year.
    """

    row: IntArray
    state: IntArray
    records: IntArray
    spells: IntArray
    since: FloatArray


def states_held(panel: Panel, transitions: IntArray, history: History | None = None) -> Held:
    """The states each person held before the target records ``transitions`` (int64 [n]).

    A career's first record has no history and adds no row. history: that of ``panel``, to save building it twice.
    """
    history = history or History(panel)
    order = history.by_state
    origin = transitions - 1
    begun = origin >= history.start[transitions]
    firsts = np.flatnonzero(order.is_first)
    seen = np.cumsum(order.is_first)  # how many (person, state) pairs have begun up to and including each record
    low = seen[history.start[transitions]] - 1
    count = np.where(begun, seen[np.maximum(origin, 0)] - low, 0)
    row = np.repeat(np.arange(len(transitions)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    first = firsts[np.repeat(low, count) + within]  # [q] the record in which the state was first taken up
    block = order.block[order.rank[first]]
    target = transitions[row]
    last = np.searchsorted(order.search_key, block * np.int64(order.n_records) + target) - 1
    start = order.block_start[block]
    return Held(
        row=row,
        state=history.state[first],
        records=last - start + 1,
        spells=order.spells[last] - order.spells[start] + 1,
        since=(history.year[target] - history.year[order.order[last]]).astype(np.float64),
    )
