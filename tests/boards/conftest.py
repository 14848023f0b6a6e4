"""Runs on a part of the market and the board of them, for tests of views and forms; records of four persons."""

from __future__ import annotations

import shutil
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
from harness.runs.execute import Workshop
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


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[Record]]:
    """The files of ``records`` and these themselves, empty until the first test asks for them."""
    return Store(tmp_path_factory.mktemp("records") / "results"), []


@pytest.fixture
def records(
    registry: Registry, store: Store, made_once: tuple[Store, list[Record]], tmp_path: Path, four_persons: Panel
) -> list[Record]:
    """uniform and marginal on every task of a panel whose test split has three persons, in the store of the test."""
    first, made = made_once
    if not made:
        panel = replace(four_persons, split=np.array([0, 2, 2, 2]))
        workshop = Workshop(registry=registry, store=first, cache=tmp_path / "cache")
        tasks = tuple(registry.task(task) for task in registry.tasks)
        for entry in map(registry.model, ("uniform", "marginal")):
            made += run_all(Run(model=entry, params=entry.item.params(), tasks=tasks, panel=panel), workshop)
    shutil.copytree(first.folder, store.folder)
    return list(made)
