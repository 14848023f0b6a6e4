"""lf_exit: does a person in the labor force leave it.

The states' statuses decide. A survey that cannot tell unemployment from being out of the labor force has one state for
both, and entering it counts as leaving. Education is a status of its own: entering it does not count.
"""

import numpy as np

from harness.hookspecs import hookimpl
from harness.panel import Panel
from harness.task import Event, Task
from harness.types import BoolArray, IntArray


def from_labor_force(panel: Panel, transitions: IntArray) -> BoolArray:
    if not panel.occupations.out_of_labor_force.any():
        return np.zeros(len(transitions), dtype=bool)  # nowhere to leave to: nobody is at risk
    return panel.occupations.in_labor_force[panel.origin(transitions)]


def outside(panel: Panel, transitions: IntArray) -> IntArray:
    states = np.flatnonzero(panel.occupations.out_of_labor_force)
    return np.broadcast_to(states, (len(transitions), len(states)))


TASK = Task(
    name="lf_exit",
    version=1,
    summary="leaving the labor force, of those in it",
    at_risk=from_labor_force,
    partition=Event(members=outside),
    outcomes="event: out of the labor force; else: employed, unemployed or in education",
)


@hookimpl
def harness_tasks() -> list[Task]:
    return [TASK]
