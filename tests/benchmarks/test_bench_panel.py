"""Reading and splitting one million person-years, beside pandas doing the same work.

Within the group, pytest-benchmark prints every row's ratio to the fastest.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.timing import Benchmark

from harness import open_panel

pytestmark = pytest.mark.slow

PERSONS, YEARS, STATES = 50_000, 20, 480
RECORDS = PERSONS * YEARS


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A panel folder of a million person-years with four covariates."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("million")
    birth_year = np.repeat(rng.integers(1950, 1990, PERSONS), YEARS)
    gender = np.repeat(np.array(["female", "male"])[rng.integers(0, 2, PERSONS)], YEARS)
    education = np.array(["high school", "some college", "bachelor"])[rng.integers(0, 3, RECORDS)]
    hours = rng.integers(0, 2500, RECORDS)
    state = rng.integers(0, STATES, RECORDS)
    with (folder / "careers.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["person", "year", "occupation", "birth_year", "gender", "education", "hours"])
        writer.writerows(
            (i // YEARS, 2000 + i % YEARS, f"{state[i]:04d}", birth_year[i], gender[i], education[i], hours[i])
            for i in range(RECORDS)
        )
    rows = [f"{k:04d},Occupation {k},{11 + k % 22}-0000,employed" for k in range(STATES)]
    (folder / "occupations.csv").write_text("\n".join(["code,title,soc,status", *rows]) + "\n")
    return folder


def harness(folder: Path) -> tuple[int, int]:
    panel = open_panel(folder)
    return panel.n_records, int((panel.split == 0).sum())


def pandas(folder: Path) -> tuple[int, int]:
    """The same by a careful user of pandas: read, check codes, years and order, code words, split persons by hash."""
    import pandas as pd

    words = {"person": str, "occupation": str, "gender": "category", "education": "category"}
    careers = pd.read_csv(folder / "careers.csv", dtype=words)  # type: ignore[arg-type]
    codes = pd.read_csv(folder / "occupations.csv", dtype=str)["code"]
    state = pd.Categorical(careers["occupation"], categories=codes)
    assert (state.codes >= 0).all()
    assert not careers[["person", "year"]].isna().any().any()
    same = careers["person"] == careers["person"].shift()
    assert (careers["year"].diff()[same] > 0).all()
    persons = careers["person"][~same]
    assert persons.is_unique
    covariates = ["birth_year", "gender", "education", "hours"]
    fixed = {name: bool((careers[name] == careers[name].shift())[same].all()) for name in covariates}
    assert fixed == {"birth_year": True, "gender": True, "education": False, "hours": False}
    draws = [int.from_bytes(hashlib.sha256(f"split:{p}".encode()).digest()[:8], "big") / 2**64 for p in persons]
    split = np.searchsorted([0.7, 0.8], draws, side="right")
    return len(careers), int((split == 0).sum())


@pytest.mark.benchmark(group="load and split one million person-years")
@pytest.mark.parametrize("reader", [harness, pandas], ids=["harness", "pandas"])
def test_load_and_split(benchmark: Benchmark, million: Path, reader: Callable[[Path], tuple[int, int]]) -> None:
    records, train = benchmark.pedantic(reader, args=(million,), rounds=3, warmup_rounds=1)
    assert (records, train) == (RECORDS, 34_906)
