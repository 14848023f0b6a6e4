"""Careers of a window of a stream, encoded piece by piece ahead of the batches that ask for them.

To encode a transition takes some ten times as long as to read it. So a process encodes the careers of its own part of
each batch and no others, in the order in which they are learned from, a piece ahead of the training.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

import numpy as np

from harness.network.transitions import CareerBatch, TransitionTable
from harness.panel import Panel
from harness.types import IntArray

PIECE = 1 << 13  # transitions that are encoded at a time, at least; whole batches

# Persons of the window's panel (int64 [p]) -> their transitions, career after career in that order.
Encode = Callable[[IntArray], TransitionTable]


class Window:
    """The careers of a window that have a transition, C of them, as batches.

    lengths: int64 [C], transitions of each. encode: makes the transitions of some persons, on a thread of ``pool``.
    """

    def __init__(self, panel: Panel, encode: Encode, pool: Executor) -> None:
        transitions = np.diff(panel.offsets) - 1
        self._persons = np.flatnonzero(transitions > 0)
        self.lengths: IntArray = transitions[self._persons].astype(np.int64)
        self._encode, self._pool = encode, pool
        self._lock = threading.Lock()
        self._pieces: list[IntArray] = []  # careers of each, in the order in which they are asked for
        self._piece = np.full(len(self.lengths), -1, dtype=np.int64)  # of each career, -1 where it is another process's
        self._place = np.full(len(self.lengths), -1, dtype=np.int64)  # of each career within its piece
        self._now = -1  # the piece whose table is there
        self._table: TransitionTable | None = None
        self._next: Future[TransitionTable] | None = None

    def begin(self, parts: Sequence[IntArray]) -> None:
        """Make ready for these parts of batches (int64 [b] each), which will be asked for in this order."""
        before = np.cumsum([0, *(self.lengths[part].sum() for part in parts)])
        numbers = before[:-1] // PIECE
        self._pieces = [
            np.concatenate([part for part, of in zip(parts, numbers, strict=True) if of == number])
            for number in np.unique(numbers)
        ]
        self._pieces = [careers for careers in self._pieces if len(careers)]
        for number, careers in enumerate(self._pieces):
            self._piece[careers] = number
            self._place[careers] = np.arange(len(careers))
        self._make(0)

    def batch(self, careers: IntArray, device: str) -> CareerBatch:
        """The transitions of careers that are all of one part of ``begin``. careers: int64 [b], b > 0."""
        return self._of(int(self._piece[careers[0]])).batch(self._place[careers], device)

    def _of(self, number: int) -> TransitionTable:
        """The table of a piece, which several threads may ask for. The one before it is let go."""
        with self._lock:
            if self._table is None or number != self._now:
                assert self._next is not None
                self._table, self._now = self._next.result(), number
                self._make(number + 1)
            return self._table

    def _make(self, number: int) -> None:
        self._next = None
        if number < len(self._pieces):
            self._next = self._pool.submit(self._encode, self._persons[self._pieces[number]])
