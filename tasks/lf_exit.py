"""lf_exit: does a person in the labor force leave it.

The states' statuses decide. A survey that cannot tell unemployment from being out of the labor force has one state for
both, and entering it counts as leaving. Education is a status of its own: entering it does not count.
"""

from harness.hookspecs import hookimpl
from harness.model.events import LEAVING_LABOR_FORCE
from harness.model.task import Task

TASK = Task(
    name="lf_exit",
    version=1,
    summary="leaving the labor force, of those in it",
    at_risk=LEAVING_LABOR_FORCE.at_risk,
    partition=LEAVING_LABOR_FORCE.event,
    outcomes="event: out of the labor force; else: employed, unemployed or in education",
)


@hookimpl
def harness_tasks() -> list[Task]:
    return [TASK]
