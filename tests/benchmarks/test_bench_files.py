"""Files of other programs to a panel, beside pandas and pyreadstat doing the same by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.timing import Benchmark

from harness import open_panel

pytestmark = pytest.mark.slow
PERSONS, YEARS = 50_000, 10


@pytest.fixture(scope="module")
def stata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a million person-years of forty occupations as a Stata file, with labels and a wage."""
    pyreadstat = pytest.importorskip("pyreadstat")
    generator = np.random.default_rng(0)
    n = PERSONS * YEARS
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(1, PERSONS + 1), YEARS),
            "year": np.tile(np.arange(2000, 2000 + YEARS), PERSONS),
            "occ": generator.integers(1, 41, n),
            "wage": generator.random(n).round(3),
        }
    )
    file = tmp_path_factory.mktemp("stata") / "careers.dta"
    labels = {"occ": {code: f"Occupation {code}" for code in range(1, 41)}}
    pyreadstat.write_dta(frame, str(file), variable_value_labels=labels)
    return file


def ours(file: Path) -> tuple[int, int]:
    panel = open_panel(file, columns={"person": "id", "occupation": "occ"})
    return panel.n_persons, panel.n_records


def by_hand(file: Path) -> tuple[int, int]:
    """A careful script: labels apart, rows in order, no year twice, states as integers, a split by hash."""
    import pyreadstat

    frame, meta = pyreadstat.read_dta(str(file))
    labels = meta.variable_value_labels["occ"]
    frame = frame.dropna(subset=["id", "year", "occ"]).sort_values(["id", "year"], kind="stable")
    assert not frame.duplicated(["id", "year"]).any()
    state, codes = pd.factorize(frame["occ"], sort=True)
    assert len([labels[code] for code in codes]) == 40
    assert state.min() >= 0
    persons = frame["id"].astype("int64").astype(str).drop_duplicates()
    split = [int.from_bytes(hashlib.sha256(person.encode()).digest()[:8], "big") / 2**64 for person in persons]
    assert np.searchsorted([0.7, 0.8], split, side="right").max() == 2
    assert len(frame["wage"].to_numpy(float)) == len(frame)
    return len(persons), len(frame)


@pytest.mark.benchmark(group="a Stata file of half a million person-years to careers")
@pytest.mark.parametrize("read", [ours, by_hand], ids=["harness", "pyreadstat and pandas by hand"])
def test_stata(benchmark: Benchmark, stata: Path, read: object) -> None:
    assert callable(read)
    assert benchmark.pedantic(read, (stata,), rounds=3, iterations=1) == (PERSONS, PERSONS * YEARS)
