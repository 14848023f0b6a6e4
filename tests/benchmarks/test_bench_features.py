"""Features of a million person-years, against pandas making six of the same columns by groupby."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from helpers.timing import Benchmark

from harness.features import catalogue as features
from harness.panel.careers import Panel, split_by_hash
from harness.panel.occupations import Occupations, Status

pytestmark = pytest.mark.slow

PERSONS, YEARS, STATES = 50_000, 20, 300
COLUMNS = ("previous", "tenure", "spells", "distinct_states", "records", "since_start")


def million_person_years() -> Panel:
    draw = np.random.default_rng(0)
    moves = draw.random((PERSONS, YEARS)) < 0.35
    moves[:, 0] = True
    drawn = draw.integers(0, STATES, size=(PERSONS, YEARS))
    last_move = np.maximum.accumulate(np.where(moves, np.arange(YEARS), 0), axis=1)
    codes = tuple(f"{k:04d}" for k in range(STATES))
    persons = np.array([f"p{i}" for i in range(PERSONS)])
    return Panel(
        name="million",
        persons=persons,
        offsets=np.arange(PERSONS + 1) * YEARS,
        year=np.tile(1990 + np.arange(YEARS), PERSONS).astype(np.int32),
        state=np.take_along_axis(drawn, last_move, axis=1).ravel().astype(np.int32),
        occupations=Occupations(codes, codes, tuple(c[:3] for c in codes), (Status.EMPLOYED,) * STATES),
        split=split_by_hash(persons),
    )


def by_pandas(panel: Panel) -> pd.DataFrame:
    """The same columns as a careful pandas user would write them: groupby, shift, cumsum, no apply."""
    frame = pd.DataFrame({"person": panel.person, "year": panel.year, "state": panel.state})
    before = frame.groupby("person")["state"].shift()
    opens = frame["state"] != before
    frame["spells"] = opens.groupby(frame["person"]).cumsum()
    spell = frame.groupby(["person", "spells"])
    frame["tenure"] = frame["year"] - spell["year"].transform("first") + 1
    frame["previous"] = before.where(opens).groupby(frame["person"]).ffill().fillna(-1).astype(int)
    first_time = ~frame.duplicated(["person", "state"])
    frame["distinct_states"] = first_time.groupby(frame["person"]).cumsum()
    frame["records"] = frame.groupby("person").cumcount() + 1
    known = frame.groupby("person")[["previous", "tenure", "spells", "distinct_states", "records"]].shift()
    known["since_start"] = frame["year"] - frame.groupby("person")["year"].transform("first")
    return known.iloc[panel.transitions]


def test_features_of_a_million_person_years(benchmark: Benchmark) -> None:
    panel = million_person_years()
    start = time.perf_counter()
    expected = by_pandas(panel)
    pandas_seconds = time.perf_counter() - start
    design = benchmark.pedantic(features.build, args=(panel, panel.transitions, COLUMNS), rounds=3)
    for name in COLUMNS:
        np.testing.assert_array_equal(design[name], expected[name].to_numpy(), err_msg=name)
    ratio = pandas_seconds / benchmark.stats["mean"]
    benchmark.extra_info["times faster than pandas groupby"] = round(ratio, 2)
    assert ratio > 1


def test_every_feature_of_a_million_person_years(benchmark: Benchmark) -> None:
    panel = million_person_years()
    design = benchmark.pedantic(features.build, args=(panel, panel.transitions), rounds=2)
    assert set(design.features) == set(features.CATALOGUE)
