"""Careers from parquet and csv to a checked and split panel, beside polars, duckdb and pandas doing the same work.

Every reader checks codes, years, order and blanks, encodes words, finds what is fixed, and splits persons by SHA-256.
They take turns in one process, with all the threads that each starts by itself, and the least of ``ROUNDS`` rounds
counts: processor seconds, so that ratios are what to trust on a machine that others use. The growth is measured over
three sizes.
"""

from __future__ import annotations

import gc
import hashlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.paths import ROOT

from harness import open_panel

pytestmark = pytest.mark.slow

YEARS, STATES = 20, 480
SIZES = (100_000, 1_000_000, 10_000_000)
ROUNDS = 5
COVARIATES = ("birth_year", "gender", "education", "hours")
CODES = [f"{k:04d}" for k in range(STATES)]
MOST_SECONDS, MOST_MB = 8.0, 1_500.0  # of ``harness data describe`` on ten million
Answer = tuple[int, int]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Path]:
    """Panel folders by form and size, with four covariates."""
    polars: Any = pytest.importorskip("polars")
    found = {}
    for size in SIZES:
        rng, persons = np.random.default_rng(0), size // YEARS
        frame = polars.DataFrame(
            {
                "person": np.repeat(np.arange(persons), YEARS),
                "year": np.tile(np.arange(2000, 2000 + YEARS), persons),
                "occupation": np.array(CODES)[rng.integers(0, STATES, size)],
                "birth_year": np.repeat(rng.integers(1950, 1990, persons), YEARS),
                "gender": np.repeat(np.array(["female", "male"])[rng.integers(0, 2, persons)], YEARS),
                "education": np.array(["high school", "some college", "bachelor"])[rng.integers(0, 3, size)],
                "hours": rng.integers(0, 2500, size),
            }
        )
        for form in ("parquet", "csv"):
            found[form, size] = folder = tmp_path_factory.mktemp(f"{form}-{size}")
            getattr(frame, f"write_{form}")(folder / f"careers.{form}")
            rows = [f"{code},Occupation {code},{11 + k % 22}-0000,employed" for k, code in enumerate(CODES)]
            (folder / "occupations.csv").write_text("\n".join(["code,title,soc,status", *rows]) + "\n")
    return found


def train_of(persons: list[str]) -> int:
    """The number of persons in the train split, as everyone would write it who has read how persons are split."""
    draws = b"".join([hashlib.sha256(f"split:{person}".encode()).digest()[:8] for person in persons])
    return int((np.frombuffer(draws, ">u8") / 2.0**64 < 0.7).sum())


def harness(file: Path) -> Answer:
    panel = open_panel(file.parent)
    return panel.n_records, int((panel.split == 0).sum())


def by_polars(file: Path) -> Answer:
    import polars as pl

    text = {"person": pl.String, "occupation": pl.String}
    frame = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, schema_overrides=text)
    codes = pl.read_csv(file.parent / "occupations.csv", schema_overrides={"code": pl.String})["code"]
    frame = frame.sort("person", "year", maintain_order=True)
    frame = frame.with_columns(
        pl.col("occupation").cast(pl.Enum(codes)).to_physical(),  # a code that is none raises
        *(pl.col(name).cast(pl.Categorical) for name in ("gender", "education")),
    )
    assert not any(frame.null_count().row(0))
    same = (pl.col("person") == pl.col("person").shift()).fill_null(False)
    assert frame.select(((pl.col("year").diff() > 0) | ~same).fill_null(True).all()).item()
    fixed = [frame.select(((pl.col(name) == pl.col(name).shift()) | ~same).all()).item() for name in COVARIATES]
    assert fixed == [True, True, False, False]
    return len(frame), train_of(frame["person"].unique().cast(pl.String).to_list())


def by_duckdb(file: Path) -> Answer:
    import duckdb

    connection = duckdb.connect()
    text = "{'person': 'VARCHAR', 'occupation': 'VARCHAR'}"
    source = f"'{file}'" if file.suffix == ".parquet" else f"read_csv('{file}', types={text})"
    codes = f"(select code, row_number() over () k from read_csv('{file.parent}/occupations.csv', all_varchar=true))"
    found = connection.execute(
        "select person, year, k, birth_year, gender::enum('female', 'male') gender, hours, "
        "education::enum('high school', 'some college', 'bachelor') education "
        f"from {source} left join {codes} on code = occupation order by person, year"
    ).fetchnumpy()
    columns = {name: getattr(values, "codes", values) for name, values in found.items()}
    assert not any(np.ma.is_masked(values) for values in columns.values())
    same = columns["person"][1:] == columns["person"][:-1]
    assert (np.diff(columns["year"])[same] > 0).all()
    fixed = [bool((columns[name][1:] == columns[name][:-1])[same].all()) for name in COVARIATES]
    assert fixed == [True, True, False, False]
    persons = connection.execute(f"select distinct person::varchar from {source}").fetchall()
    return len(same) + 1, train_of([person for (person,) in persons])


def by_pandas(file: Path) -> Answer:
    import pandas as pd

    words: Any = {"person": str, "occupation": str, "gender": "category", "education": "category"}
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, dtype=words)
    frame = frame.sort_values(["person", "year"], kind="stable")
    codes = pd.read_csv(file.parent / "occupations.csv", dtype=str)["code"]
    assert (pd.Categorical(frame["occupation"], categories=codes).codes >= 0).all()
    frame = frame.astype({"gender": "category", "education": "category"})
    assert not frame.isna().any().any()
    same = frame["person"] == frame["person"].shift()
    assert (frame["year"].diff()[same] > 0).all()
    fixed = [bool((frame[name] == frame[name].shift())[same].all()) for name in COVARIATES]
    assert fixed == [True, True, False, False]
    return len(frame), train_of(frame["person"][~same].astype(str).tolist())


READERS: dict[str, Callable[[Path], Answer]] = {
    "harness": harness,
    "polars": by_polars,
    "duckdb": by_duckdb,
    "pandas": by_pandas,
}


def least_seconds(file: Path, rounds: int) -> tuple[dict[str, float], set[Answer]]:
    """Processor seconds of each reader, the least of so many rounds in turn, and their answers."""
    least: dict[str, float] = {}
    answers = set()
    for _ in range(rounds):
        for name, read in READERS.items():
            gc.collect()
            before = time.process_time()
            answers.add(read(file))
            least[name] = min(least.get(name, float("inf")), time.process_time() - before)
    return least, answers


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_reading(places: dict[tuple[str, int], Path], form: str, meter: Any) -> None:
    pytest.importorskip("duckdb")
    taken: dict[int, dict[str, float]] = {}
    for size in SIZES:
        file = places[form, size] / f"careers.{form}"
        if size == SIZES[0]:
            least_seconds(file, 1)  # imports
        taken[size], answers = least_seconds(file, ROUNDS if size < SIZES[-1] else 2)
        assert len(answers) == 1
        meter.say(f"\n{form}, {size:,}: " + ", ".join(f"{name} {s:.3f} s" for name, s in taken[size].items()))
    for name in READERS:
        growth = log(taken[SIZES[-1]][name] / taken[SIZES[0]][name]) / log(SIZES[-1] / SIZES[0])
        meter.say(f"\n{form}, {name}: seconds grow as records to the power of {growth:.2f}")
    # Room for a machine that others use: what is measured stands in docs/speed.md.
    million = taken[SIZES[1]]
    assert million["harness"] < 1.3 * million["polars"]
    assert million["harness"] < million["duckdb"]
    assert million["harness"] < 0.7 * million["pandas"]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_describing_ten_million(places: dict[tuple[str, int], Path], form: str, meter: Any) -> None:
    line = [str(Path(sys.executable).parent / "harness"), "data", "describe", str(places[form, SIZES[-1]])]
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, *line], check=True, capture_output=True, cwd=ROOT, env=os.environ
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = float(done.stdout)
    meter.say(f"\ndata describe of {SIZES[-1]:,} in {form}: {seconds:.2f} processor seconds, {memory:,.0f} MB")
    assert memory < MOST_MB
    assert seconds < (MOST_SECONDS if form == "parquet" else 1.6 * MOST_SECONDS)
