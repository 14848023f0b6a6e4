"""next_occ: which state comes next, among all of them."""

from harness.hookspecs import hookimpl
from harness.model.task import EachState, Task, every_transition

TASK = Task(
    name="next_occ",
    version=1,
    summary="the next state, among all states",
    at_risk=every_transition,
    partition=EachState(),
    outcomes="every state is an outcome",
    allows_entry=True,
)


@hookimpl
def harness_tasks() -> list[Task]:
    return [TASK]
