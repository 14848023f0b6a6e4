"""switch: does the person leave the present state."""

from harness.hookspecs import hookimpl
from harness.model.events import LEAVING_STATE
from harness.model.task import Task

TASK = Task(
    name="switch",
    version=1,
    summary="leaving the present state against keeping it",
    at_risk=LEAVING_STATE.at_risk,
    partition=LEAVING_STATE.event,
    outcomes="event: any other state; else: the same state",
)


@hookimpl
def harness_tasks() -> list[Task]:
    return [TASK]
