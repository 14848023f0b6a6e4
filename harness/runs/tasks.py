"""The tasks of a request, and those of them that a panel can answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.errors import RequestError, did_you_mean
from harness.model import Task
from harness.panel import Panel
from harness.registry import Registry
from harness.runs.execute import empty_task_message


def tasks_of(asked: Sequence[str], parameters: Mapping[str, str], registry: Registry) -> list[Task]:
    """The tasks of --task, 'all' among them, with first records where task.entry says so. RequestError otherwise."""
    names = list(registry.tasks) if "all" in asked else list(dict.fromkeys(asked))
    tasks = [registry.task(name) for name in names]
    for name, value in parameters.items():
        if name != "entry":
            raise RequestError(f"a task has no parameter '{name}'; {did_you_mean(name, ['entry'])}")
        if value.lower() not in ("true", "false"):
            raise RequestError(f"task.entry={value}: write true or false")
        if value.lower() == "true":
            tasks = [_with_entry(task, "all" in asked) for task in tasks]
    return tasks


def _with_entry(task: Task, everything: bool) -> Task:
    if everything and not task.allows_entry:
        return task
    try:
        return task.with_entry(True)
    except ValueError as error:
        raise RequestError(f"task.entry=true: {error}") from error


def at_risk(tasks: list[Task], panel: Panel, everything: bool, tell: Callable[[str], None]) -> list[Task]:
    """The tasks that somebody is at risk of. An empty one is passed over when all are asked for, an error by name."""
    kept = []
    for task in tasks:
        empty = empty_task_message(task, panel)
        if empty is None:
            kept.append(task)
        elif everything:
            tell(f"passed over: {empty}")
        else:
            raise RequestError(empty)
    return kept
