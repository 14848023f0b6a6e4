"""Ten thousand record files to every board, beside what it takes a script to read them with Python's own json."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.paths import RESULTS
from helpers.timing import Benchmark

from harness.records.record import Record
from harness.records.store import Store, to_text

pytestmark = pytest.mark.slow

PANELS, MODELS, VERSIONS = 25, 20, 5
TASKS = ("next_occ", "switch", "lf_exit", "next_occ_switchers")


def copies() -> Iterator[Record]:
    """The committed records of market, as if twenty models had been run on 25 panels by five versions of the code."""
    store = Store(RESULTS)
    every = [store.read(path) for path in sorted((RESULTS / "market").glob("*.json"))]
    kept = [r for r in every if r.configuration.model != "mix" and r.configuration.train_persons is None]
    for panel in range(PANELS):
        for task in TASKS:
            own = [record for record in kept if record.configuration.task == task]
            for model in range(MODELS):
                for version in range(VERSIONS):
                    yield copy_of(own[model % len(own)], panel, model, version)


def copy_of(record: Record, panel: int, model: int, version: int) -> Record:
    facts = {"name": f"panel-{panel:02d}", "fingerprint": f"{panel:064x}"}
    asked = record.configuration.model_copy(
        update={
            "model": f"model-{model:02d}",
            "seed": model,
            "code": f"version {version}",
            "panel": record.configuration.panel.model_copy(update=facts),
        }
    )
    return record.model_copy(update={"id": asked.id(), "configuration": asked})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("many")
    store = Store(made)
    for record in copies():
        path = store.path(record.configuration)
        path.parent.mkdir(exist_ok=True)
        path.write_text(to_text(record))
    return made


def test_ten_thousand_records_to_all_boards(benchmark: Benchmark, folder: Path, tmp_path: Path) -> None:
    paths = sorted(folder.glob("*/*.json"))
    assert len(paths) == PANELS * len(TASKS) * MODELS * VERSIONS
    line = [sys.executable, "-m", "harness", "leaderboard", "--records", str(folder), "--boards", str(tmp_path)]
    line += ["--data", "panel-00", "--task", "switch"]
    took: dict[str, list[float]] = {"harness": [], "json": []}
    for _ in range(2):
        start = time.perf_counter()
        for path in paths:
            json.loads(path.read_bytes())
        took["json"].append(time.perf_counter() - start)
        start = time.perf_counter()
        subprocess.run(line, check=True, capture_output=True)
        took["harness"].append(time.perf_counter() - start)
    best = {name: min(seconds) for name, seconds in took.items()}
    benchmark.extra_info.update({f"{name}, seconds on the clock": seconds for name, seconds in best.items()})
    benchmark.pedantic(lambda: None)
    assert len(list(tmp_path.glob("*/*.md"))) == PANELS * len(TASKS)
    assert (tmp_path / "index.html").exists()
    assert best["harness"] < 1.5 * best["json"]  # every table in about what reading the files plainly takes
