"""The spot check of models that know the mass of their rows by bounds: honest ones pass, and those that peek do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.toys import Frequencies, entry_of, run_all, run_on

from harness.errors import RunError
from harness.model.contract import BoundedRows, UnnormalizedModel, take_states
from harness.panel.careers import Panel
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.types import FloatArray, IntArray


class FalseMass(Frequencies, UnnormalizedModel):
    """Half of its probability lies outside the states, and it says that none does: or the other way round."""

    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        n = len(transitions)
        rows = np.tile(np.log(self.margin), (n, 1))
        mass = np.full(n, np.log(0.5))
        small = take_states(rows, states) + np.log(0.4)
        return BoundedRows(small.astype(np.float64), mass, mass, np.asarray(rows + np.log(0.4), dtype=np.float32))

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return np.asarray(super().log_prob(panel, transitions, states) + np.log(0.4), dtype=np.float32)


def test_a_mass_is_held_against_the_model_s_own_rows(registry: Registry, workshop: Workshop, careers: Panel) -> None:
    asked = run_on(registry, careers, entry=entry_of(FalseMass, sums_to_one=False, whole_rows=False))
    with pytest.raises(RunError, match=r"its row holds 0\.400000, and is said to hold 0\.500000 to 0\.500000"):
        run_all(asked, workshop)


class ByBounds(Frequencies, UnnormalizedModel):
    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return np.asarray(self.bounded_log_prob(panel, transitions, states).log_prob, dtype=np.float32)


class SearchedInGroups(ByBounds):
    """Nine tenths of a row are on the origin. An odd number of transitions is not searched to the end.

    Of them it has priced the origin and what it was asked for; any other state may hold all that is left.
    """

    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        n, k = len(transitions), panel.n_states
        at = np.arange(n)
        rows = np.full((n, k), 0.05 / (k - 1))
        rows[at, panel.origin(transitions)] = 0.45
        asked = take_states(np.log(rows), states)
        low, high = (0.4625, 0.52) if n % 2 else (0.5, 0.5)
        if n % 2:
            priced = np.zeros(rows.shape, dtype=bool)
            priced[at, panel.origin(transitions)] = True
            np.put_along_axis(priced, states[:, :1], True, axis=1)
            rows = np.where(priced, rows, high - low)
        lowest, highest = (np.full(n, np.log(bound)) for bound in (low, high))
        return BoundedRows(asked.astype(np.float64), lowest, highest, np.log(rows).astype(np.float32))


@pytest.mark.parametrize("task", ["next_occ", "next_occ_switchers"])
def test_bounds_that_hang_on_the_group_are_honest(
    task: str, registry: Registry, workshop: Workshop, careers: Panel
) -> None:
    """Given a switch, ln P is off by ten times what the mass is; and nearly every rank by what was not priced."""
    entry = entry_of(SearchedInGroups, sums_to_one=False, whole_rows=False)
    [record] = run_all(replace(run_on(registry, careers, entry=entry), tasks=(registry.task(task),)), workshop)
    assert record.checked is not None


class PeeksIntoRows(ByBounds):
    """All states are alike; in its rows those that did not happen are a hundredth less likely, in its answers not."""

    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        n, k = len(transitions), panel.n_states
        rows = np.full((n, k), 0.5 / k)
        asked = take_states(np.log(rows), states)
        lower = rows * 0.99
        happened = panel.state[transitions]
        lower[np.arange(n), happened] = 0.5 / k
        lowest, highest = (np.full(n, np.log(bound)) for bound in (0.45, 0.5))
        return BoundedRows(asked.astype(np.float64), lowest, highest, np.log(lower).astype(np.float32))


def test_a_rank_is_held_against_all_that_bounds_leave_open(
    registry: Registry, workshop: Workshop, careers: Panel
) -> None:
    entry = entry_of(PeeksIntoRows, sums_to_one=False, whole_rows=False)
    with pytest.raises(RunError, match=r"the outcome has rank 1 in the run, and [2-5] where it cannot see"):
        run_all(run_on(registry, careers, entry=entry), workshop)
