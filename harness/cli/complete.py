"""Completion in the shell: names of models, tasks, data sets, runs and boards ('harness --install-completion')."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from harness.errors import HarnessError

RECORDS = Path("leaderboards/results")  # where no --records is on the line
Found = list[tuple[str, str]]  # a name, and what it is


def models(incomplete: str) -> Found:
    return _named("models", incomplete)


def tasks(incomplete: str) -> Found:
    return [*_named("tasks", incomplete), *_beginning([("all", "every task")], incomplete)]


def datasets(incomplete: str) -> Found:
    """Nothing else: where no name begins so, the shell completes files."""
    return _named("datasets", incomplete)


def whatever(incomplete: str) -> Found:
    return [*models(incomplete), *_named("tasks", incomplete), *datasets(incomplete)]


def kinds(incomplete: str) -> list[str]:
    return [
        kind
        for kind in ("forest", "differences", "reliability", "learning", "frontier", "forecast")
        if kind.startswith(incomplete)
    ]


def runs(context: typer.Context, incomplete: str) -> Found:
    """Records as panel/task/model, and their ids."""
    from harness.records.kinds import label

    heads = _heads(context)
    names = [(f"{h.configuration.panel.name}/{h.configuration.task}/{h.configuration.model}", "") for h in heads]
    ids = [(h.id, f"{label(h)} on {h.configuration.task}") for h in heads]
    return _beginning([*dict.fromkeys(names), *(ids if incomplete else [])], incomplete)


def boards_and_runs(context: typer.Context, incomplete: str) -> Found:
    heads = _heads(context)
    boards = [(f"{h.configuration.panel.name}/{h.configuration.task}", "board") for h in heads]
    return [*_beginning(dict.fromkeys(boards), incomplete), *runs(context, incomplete)]


def _named(kind: str, incomplete: str) -> Found:
    from harness.registry import load_registry

    entries = getattr(load_registry(), kind).values()
    return _beginning([(entry.item.name, entry.item.summary) for entry in entries], incomplete)


def _beginning(names: Iterable[tuple[str, str]], incomplete: str) -> Found:
    return [(name, told) for name, told in names if name.startswith(incomplete)]


def _heads(context: typer.Context) -> list[Any]:
    """The heads of the folder of records that is named on the line so far; a damaged file is passed over."""
    from harness.records.store import Store

    store = Store(Path(context.params.get("records") or RECORDS))
    found = []
    for path in store.paths():
        try:
            found.append(store.head(path))
        except HarnessError:
            continue
    return found
