"""Reading and splitting one million person-years, beside pandas doing the same work."""

from __future__ import annotations

import csv
import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.data.sources import open_panel

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


def with_pandas(folder: Path) -> tuple[int, int]:
    """The same with pandas: read, check codes, years and order, code the words, split persons by hash."""
    import pandas as pd

    text = {"person": str, "occupation": str, "gender": "category", "education": "category"}
    careers = pd.read_csv(folder / "careers.csv", dtype=text)  # type: ignore[arg-type]
    codes = pd.read_csv(folder / "occupations.csv", dtype=str)["code"]
    state = pd.Categorical(careers["occupation"], categories=codes)
    assert (state.codes >= 0).all()
    assert not careers[["person", "year", "occupation"]].isna().any().any()
    assert not careers.duplicated(["person", "year"]).any()
    assert not (careers.groupby("person", sort=False)["year"].diff() <= 0).any()
    fixed = careers.groupby("person", sort=False)[["birth_year", "gender", "education", "hours"]].nunique(dropna=False)
    assert fixed.max().tolist()[:2] == [1, 1]
    draws = [int(hashlib.sha256(f"split:{p}".encode()).hexdigest()[:16], 16) / 2**64 for p in fixed.index]
    split = np.searchsorted([0.7, 0.8], draws, side="right")
    return len(careers), int((split == 0).sum())


def test_load_and_split_a_million_person_years(benchmark: BenchmarkFixture, million: Path) -> None:
    panel = benchmark.pedantic(open_panel, args=(million,), rounds=3, warmup_rounds=1)
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        records, train = with_pandas(million)
        seconds.append(time.perf_counter() - begun)
    assert (panel.n_records, int((panel.split == 0).sum())) == (records, train)
    ratio = min(seconds) / benchmark.stats.stats.min
    benchmark.extra_info |= {"person_years": RECORDS, "pandas_seconds": min(seconds), "times_faster_than_pandas": ratio}
    print(f"\nload and split {RECORDS:,} person-years: {benchmark.stats.stats.min:.2f} s, {ratio:.1f} times pandas")
    assert ratio > 1
