"""The past that bears on a person's next choice, and the worth of every state given the visible past and present."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.market.economy import (
    FIRST_YEAR,
    GROUP_SIZE,
    LAST_YEAR,
    N_GROUPS,
    NONE,
    RECALL,
    Economy,
)
from harness.data.market.skills import OLDEST
from harness.data.market.titles import N_JOBS
from harness.types import FloatArray, IntArray

FADE = 0.93  # what a year leaves of experience in a group
FORGET = 0.85  # what a year leaves of the memory of an occupation


@dataclass(frozen=True, slots=True)
class Now:
    """The visible present of n persons when the year begins, before anyone chooses: int64 [n] each."""

    age: IntArray
    year: IntArray
    education: IntArray


class MarketHistory:
    """The sufficient statistics of n persons' records so far.

    last: int64 [n], NONE before the first record. tenure: float64 [n], years in the last state without a break.
    experience: float64 [n, groups], years worked in each group, e <- FADE e + 1[worked in it]. memory: float64
    [n, jobs], of occupations held, m <- FORGET m, and 1 for the one of the last year.
    """

    def __init__(self, n: int) -> None:
        self.last = np.full(n, NONE, dtype=np.int64)
        self.tenure = np.zeros(n)
        self.experience = np.zeros((n, N_GROUPS))
        self.memory = np.zeros((n, N_JOBS))

    def keep(self, rows: IntArray) -> None:
        """Go on with these persons only."""
        self.last, self.tenure = self.last[rows], self.tenure[rows]
        self.experience, self.memory = self.experience[rows], self.memory[rows]

    def advance(self, state: IntArray) -> None:
        """Append a record; state: int64 [n]."""
        self.tenure = np.where(state == self.last, self.tenure + 1, 1.0)
        self.last = state.astype(np.int64)
        self.experience *= FADE
        self.memory *= FORGET
        worked = np.flatnonzero(state < N_JOBS)
        self.experience[worked, state[worked] // GROUP_SIZE] += 1
        self.memory[worked, state[worked]] = 1.0


def visible_utility(economy: Economy, history: MarketHistory, now: Now) -> FloatArray:
    """float64 [n, K]: the part of every state's utility that is the same for all classes.

    offer(education, age, year) + move(last, j) + ladder_j ln(1 + experience in j's group) + RECALL memory_j
    + 1[j = last] (stay(age) + tenure_j ln(1 + tenure)).
    """
    age = np.clip(now.age, 0, OLDEST)
    year = np.clip(now.year, FIRST_YEAR, LAST_YEAR) - FIRST_YEAR
    utility = economy.education[now.education]  # a copy: [n, K]
    utility += economy.age[age]
    utility += economy.year[year]
    utility += economy.move[history.last]
    jobs = utility[:, :N_JOBS]
    jobs += RECALL * history.memory
    worth = np.log1p(history.experience)[:, :, None] * economy.ladder.reshape(N_GROUPS, GROUP_SIZE)
    jobs += worth.reshape(len(utility), N_JOBS)
    again = np.flatnonzero(history.last != NONE)
    last = history.last[again]
    utility[again, last] += economy.stay[age[again], last] + economy.tenure[last] * np.log1p(history.tenure[again])
    return utility
