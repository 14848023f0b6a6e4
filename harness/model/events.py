"""The events that tasks ask about, each with who can meet it: one definition, for scoring and for direct fits alike.

A model that predicts one task's event alone (``harness.model.OutcomeModel``) is fitted on the transitions that the
task scores, so both read the rule here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.model.task import Event, every_transition
from harness.panel.careers import Panel
from harness.types import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Risk:
    """An event and who can meet it. at_risk: (panel, transitions) -> bool [n], as a task has it."""

    at_risk: Callable[[Panel, IntArray], BoolArray]
    event: Event

    def happened(self, panel: Panel, transitions: IntArray) -> BoolArray:
        """bool [n]: whether each transition was the event; of those not at risk it says nothing."""
        return self.event.happened(panel, transitions)


def from_labor_force(panel: Panel, transitions: IntArray) -> BoolArray:
    """bool [n]: whether the origin is employed or unemployed; nobody, where no state is out of the labor force."""
    if not panel.occupations.out_of_labor_force.any():
        return np.zeros(len(transitions), dtype=bool)  # nowhere to leave to: nobody is at risk
    origin = panel.origin(transitions)
    return np.asarray((origin >= 0) & panel.occupations.in_labor_force[origin], dtype=bool)


def outside(panel: Panel, transitions: IntArray) -> IntArray:
    """int64 [n, m]: the states out of the labor force, for every transition."""
    states = np.flatnonzero(panel.occupations.out_of_labor_force)
    return np.broadcast_to(states, (len(transitions), len(states)))


def same_state(panel: Panel, transitions: IntArray) -> IntArray:
    """int64 [n, 1]: the origin."""
    return panel.origin(transitions)[:, None]


LEAVING_STATE = Risk(every_transition, Event(members=same_state, complement=True))
LEAVING_LABOR_FORCE = Risk(from_labor_force, Event(members=outside))
