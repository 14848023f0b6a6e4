"""Careers with occupations exchanged: more careers to learn from than a survey has.

A survey of a few thousand careers shows most pairs of occupations never, and a model that is tuned on it for long
knows it by heart. So in each epoch a share of the careers is read with their occupations exchanged: a career's cook is
a waiter from its first line to its last, and its waiter a cook. That a person stayed, moved or came back remains as it
was; where to is another of the same major group, as a nested logit would have it. When the learning rate falls, so
does the share, and the last epochs read careers as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.panel.careers import Panel
from harness.panel.occupations import Occupations, Status
from harness.types import IntArray

PERSONS = 1024  # whose exchanges are drawn at a time: memory is this many times the states


def require_shares(within: float | None, across: float | None) -> None:
    """ValueError where they are more than all careers. None: nothing."""
    if (within or 0.0) + (across or 0.0) > 1:
        raise ValueError(
            f"exchange={within or 0:g} and exchange_across={across or 0:g} are shares of the same careers: set them so "
            "that they sum to at most 1"
        )


@dataclass(frozen=True)
class Exchange:
    """The exchanges of a training, epoch by epoch, each the same whenever it is asked for.

    within, across: shares of careers whose occupations are exchanged within their major group, and for any other.
    """

    within: float
    across: float
    seed: int

    def states(self, panels: Sequence[Panel], epoch: int, strength: float) -> list[IntArray] | None:
        """int32 [N] of each panel, or None where no career is exchanged. strength: what is left of the shares, 0-1."""
        within, across = strength * self.within, strength * self.across
        if within + across == 0.0:
            return None
        rng = np.random.default_rng((self.seed, epoch))
        return [exchanged(panel, within, across, rng) for panel in panels]

    def permutations(self, panel: Panel, epoch: int, strength: float) -> IntArray:
        """int32 [P, K]: the state that each of a person's states is exchanged for by ``states``, of its first panel."""
        found = np.tile(np.arange(panel.n_states, dtype=np.int32), (panel.n_persons, 1))
        rng = np.random.default_rng((self.seed, epoch))
        for persons, permutations in _exchanges(panel, strength * self.within, strength * self.across, rng):
            found[persons] = permutations
        return found


def exchanged(panel: Panel, within: float, across: float, rng: np.random.Generator) -> IntArray:
    """int32 [N]: the states of the panel, some persons' occupations exchanged one for one throughout their career.

    within, across: the share of persons whose exchanges stay within major groups, and that of those whose do not.
    States of no occupation (school, unemployment, ...) stay as they are.
    """
    state = panel.state.copy()
    for some, permutations in _exchanges(panel, within, across, rng):
        row = np.full(panel.n_persons, -1, dtype=np.int64)
        row[some] = np.arange(len(some))
        records = np.flatnonzero(row[panel.person] >= 0)
        state[records] = permutations[row[panel.person[records]], panel.state[records]]
    return state


def _exchanges(
    panel: Panel, within: float, across: float, rng: np.random.Generator
) -> Iterator[tuple[IntArray, IntArray]]:
    """Some persons at a time, int64 [n], and what every state is exchanged for in their careers, int64 [n, K]."""
    draw = rng.random(panel.n_persons)
    for blocks, chosen in (
        (_blocks(panel.occupations), draw < within),
        (_blocks(panel.occupations, across=True), (draw >= within) & (draw < within + across)),
    ):
        who = np.flatnonzero(chosen)
        for start in range(0, len(who), PERSONS):
            some = who[start : start + PERSONS]
            yield some, _permutations(blocks, len(some), rng)


def _blocks(occupations: Occupations, across: bool = False) -> IntArray:
    """int64 [K]: states with the same number may be exchanged."""
    group, _ = occupations.group_index()
    employed = occupations.has_status(Status.EMPLOYED)
    block = np.where(employed, 0 if across else group, len(occupations) + np.arange(len(occupations)))
    return np.asarray(block, dtype=np.int64)


def _permutations(blocks: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """int64 [n, K]: for each of n persons what every state is exchanged for, at random within blocks."""
    places = np.argsort(blocks, kind="stable")
    found = np.empty((n, len(blocks)), dtype=np.int64)
    # Sorted by block and, within it, at random, the states come to stand at the places of their block.
    found[:, places] = np.argsort(blocks + rng.random((n, len(blocks))), axis=1)
    return found
