"""The cost of a run: processor seconds of all its processes, not of waiting, and memory with the reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import installed
from helpers.planted import plant

from harness.runs.isolation import sandbox

# Its fit works half a second, has a process of its own work another half, and sleeps half a second between.
WORKS = """
import subprocess, sys
WORK = "import time\\nwhile time.process_time() < 0.5: sum(range(1000))"
class Planted(Uniform):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        end = time.process_time() + 0.5
        while time.process_time() < end:
            sum(range(1000))
        time.sleep(0.5)
        subprocess.run([sys.executable, "-c", WORK], check=True)
"""
# Four hundred megabytes while the careers are read, and none of it afterwards.
READS_MUCH = """
from harness.model import DatasetSpec
from harness.panel import Occupations, Panel, split_by_hash
def load(_):
    np.full(50_000_000, 1.0).sum()
    persons = np.array([f"p{i}" for i in range(200)])
    states = Occupations(("a", "b"), ("a", "b"), ("a", "b"), ("employed",) * 2)
    year, offsets = np.tile(np.arange(2000, 2003, dtype=np.int32), 200), np.arange(201, dtype=np.int64) * 3
    state = (year + np.repeat(offsets[:-1], 3)) % 2
    return Panel("large", persons, offsets, year, state, states, split_by_hash(persons))
@hookimpl
def harness_datasets():
    return [DatasetSpec("large", "a data set of a test", load)]
class Planted(Uniform):
    pass
"""


@pytest.fixture
def careers(tmp_path: Path) -> Path:
    drawn = np.random.default_rng(3).choice(list("abc"), (100, 4))
    rows = [f"p{i},{2000 + t},{state}" for i, career in enumerate(drawn) for t, state in enumerate(career)]
    file = tmp_path / "data" / "careers.csv"
    file.parent.mkdir()
    file.write_text("\n".join(["person,year,occupation", *rows]) + "\n")
    return file


def measured(folder: Path, source: str, data: str, *more: str) -> dict[str, Any]:
    """The cost of a run of the planted model."""
    path = plant(folder / "plugin", source)
    line = ("run", "--task", "next_occ", "--model", "planted", "--data", data, "--json", *more)
    done = installed(folder, *line, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)
    cost: dict[str, Any] = record["measured"]
    return cost


def test_processor_seconds_are_those_of_all_processes(tmp_path: Path, careers: Path) -> None:
    """Of an isolated model's, where there is one, too, which still runs when its fit has been measured."""
    cost = measured(tmp_path, WORKS, str(careers), *(["--isolated"] if sandbox.is_known() else []))
    assert 0.95 < cost["fit_processor_seconds"] < cost["fit_seconds"] - 0.4
    assert 0 <= cost["score_processor_seconds"] < 0.9


def test_peak_memory_counts_reading_the_careers(tmp_path: Path) -> None:
    assert measured(tmp_path, READS_MUCH, "large")["peak_memory_mb"] > 400
