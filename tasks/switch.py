"""switch: does the person leave the present state."""

from harness.hookspecs import hookimpl
from harness.panel import Panel
from harness.task import Event, Task, every_transition
from harness.types import IntArray


def same_state(panel: Panel, transitions: IntArray) -> IntArray:
    return panel.origin(transitions)[:, None]


TASK = Task(
    name="switch",
    version=1,
    summary="leaving the present state against keeping it",
    at_risk=every_transition,
    partition=Event(members=same_state, complement=True),
    outcomes="event: any other state; else: the same state",
)


@hookimpl
def harness_tasks() -> list[Task]:
    return [TASK]
