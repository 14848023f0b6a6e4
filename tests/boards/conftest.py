"""Runs on a part of the market and the board of them, for tests of views and forms; records of four persons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import run_all

from harness.boards.board import Board, boards
from harness.panel.careers import Panel
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop, execute
from harness.runs.run import Run


@pytest.fixture(scope="session")
def made(registry: Registry, tmp_path_factory: pytest.TempPathFactory, market: Panel) -> tuple[list[Record], Workshop]:
    """Runs of three models on a part of the market, one of them on fewer training persons as well."""
    folder = tmp_path_factory.mktemp("views")
    workshop = Workshop(registry=registry, store=Store(folder / "results"), cache=folder / "cache")
    panel = market.select(np.arange(600))
    found: list[Record] = []
    for name in ("markov", "marginal", "oracle"):
        entry = registry.model(name)
        for persons in (50, 150, None) if name == "markov" else (None,):
            tasks = tuple(registry.task(task) for task in ("next_occ", "switch"))
            found += run_all(
                Run(model=entry, params=entry.item.params(), tasks=tasks, panel=panel, train_persons=persons), workshop
            )
    return found, workshop


@pytest.fixture(scope="session")
def board(made: tuple[list[Record], Workshop]) -> Board:
    return next(board for board in boards(made[0]) if board.task == "next_occ")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def records(registry: Registry, store: Store, tmp_path: Path, four_persons: Panel) -> list[Record]:
    """uniform and marginal on every task of a panel whose test split has three persons."""
    panel = replace(four_persons, split=np.array([0, 2, 2, 2]))
    workshop = Workshop(registry=registry, store=store, cache=tmp_path / "cache")
    made = []
    for name in ("uniform", "marginal"):
        entry = registry.model(name)
        run = Run(
            model=entry,
            params=entry.item.params(),
            tasks=tuple(registry.task(task) for task in registry.tasks),
            panel=panel,
        )
        made += list(execute(run, workshop))
    return made
