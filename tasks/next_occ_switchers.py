"""next_occ_switchers: where those go who do leave, renormalised without the origin."""

import numpy as np

from harness.hookspecs import hookimpl
from harness.model.task import EachState, Task
from harness.panel import Panel
from harness.types import BoolArray, IntArray


def did_switch(panel: Panel, transitions: IntArray) -> BoolArray:
    return np.not_equal(panel.state[transitions], panel.origin(transitions))


TASK = Task(
    name="next_occ_switchers",
    version=1,
    summary="the next state of those who switch",
    at_risk=did_switch,
    partition=EachState(given_switch=True),
    outcomes="every state but the origin is an outcome",
)


@hookimpl
def harness_tasks() -> list[Task]:
    return [TASK]
