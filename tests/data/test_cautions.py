"""Panels that make models look better than they are: covariates that tell the outcome, careers in two splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed

from harness import open_panel
from harness.data.checks.remarks import cautions
from harness.data.checks.telling import telling
from harness.data.checks.twins import twins
from harness.data.write import write_panel
from harness.panel.careers import SPLITS, Covariate, Panel
from harness.panel.occupations import Status
from harness.types import BoolArray, FloatArray, IntArray

Plant = Callable[[Panel, np.random.Generator], Covariate]


@pytest.fixture(scope="module")
def market() -> Panel:
    return open_panel("market", {"persons": 600})


def numbers(values: FloatArray | BoolArray | IntArray) -> Covariate:
    return Covariate("numeric", np.asarray(values, dtype=np.float64))


def works(panel: Panel) -> BoolArray:
    return np.asarray(panel.occupations.has_status(Status.EMPLOYED)[panel.state])


def wages(panel: Panel, random: np.random.Generator) -> FloatArray:
    """A wage of each occupation, and of each person."""
    return np.asarray(random.normal(3, 0.5, panel.n_states)[panel.state])


def before(panel: Panel, values: FloatArray) -> FloatArray:
    """Of each record the value of the one before it."""
    lagged = np.concatenate([[np.nan], values[:-1]])
    lagged[panel.entries] = np.nan
    return lagged


def since_the_move(panel: Panel, random: np.random.Generator) -> FloatArray:
    years = np.zeros(panel.n_records)
    for i in panel.transitions[panel.state[panel.transitions] == panel.state[panel.transitions - 1]]:
        years[i] = years[i - 1] + 1
    return years


def industry(panel: Panel, random: np.random.Generator) -> Covariate:
    """The occupation's group, of every fifth record another one; none without work."""
    group, names = panel.occupations.group_index()
    drawn = random.integers(0, len(names), panel.n_records)
    values = np.where(random.random(panel.n_records) < 0.2, drawn, group[panel.state])
    return Covariate("categorical", np.where(works(panel), values, -1).astype(np.int32), tuple(names))


TELLING: dict[str, Plant] = {
    "this year's wage by occupation": lambda p, r: numbers(wages(p, r)),
    "the same with an error": lambda p, r: numbers(wages(p, r) + r.normal(0, 0.15, p.n_records)),
    "a wage that is blank without work": lambda p, r: numbers(
        np.where(works(p), r.normal(3, 0.5, p.n_records), np.nan)
    ),
    "hours that are zero without work": lambda p, r: numbers(np.where(works(p), r.uniform(10, 60, p.n_records), 0)),
    "industry": industry,
    "years since the last move": lambda p, r: numbers(since_the_move(p, r)),
}
HONEST: dict[str, Plant] = {
    "the wage of the year before": lambda p, r: numbers(before(p, wages(p, r))),
    "the years before the record": lambda p, r: numbers(before(p, since_the_move(p, r))),
    "the calendar year": lambda p, r: numbers(p.year),
    "noise": lambda p, r: numbers(r.normal(size=p.n_records)),
    "a coin": lambda p, r: numbers(r.random(p.n_records) < 0.3),
    "nothing": lambda p, r: numbers(np.full(p.n_records, np.nan)),
    "a name of each record": lambda p, r: Covariate(
        "categorical", np.arange(p.n_records, dtype=np.int32), tuple(f"r{i}" for i in range(p.n_records))
    ),
}


@pytest.mark.parametrize("seed", [0, 1])
def test_covariates_of_the_record_itself_are_found_and_no_others(market: Panel, seed: int) -> None:
    random = np.random.default_rng(seed)
    assert market.covariates, "education, region and what is fixed of a person"
    planted = {name: plant(market, random) for name, plant in (TELLING | HONEST).items()}
    found = telling(replace(market, covariates={**market.covariates, **planted}))
    assert {one.covariate for one in found} == set(TELLING)
    outcomes = {one.covariate: one.outcome for one in found}
    shares = {one.covariate: one.share for one in found}
    assert outcomes["a wage that is blank without work"] == "status"
    assert shares["a wage that is blank without work"] == pytest.approx(0.7, abs=0.15)
    assert outcomes["years since the last move"] == "stay"
    assert shares["years since the last move"] == pytest.approx(1.0, abs=0.05)


def test_few_transitions_say_nothing(market: Panel) -> None:
    few = market.select(np.arange(8))
    random = np.random.default_rng(0)
    hours = {"hours": numbers(np.where(works(few), random.uniform(10, 60, few.n_records), 0))}
    assert len(few.transitions) < 200
    assert telling(replace(few, covariates=hours)) == ()


def with_copies(panel: Panel, persons: int, shift: int = 0, change: int = 0, drop: bool = False) -> Panel:
    """The panel, and in the test split copies of training persons with the longest careers under other names."""
    train = np.flatnonzero(panel.split == SPLITS.index("train"))
    moves = np.bincount(panel.person[panel.transitions], np.diff(panel.state)[panel.transitions - 1] != 0)
    chosen = train[np.argsort(-moves[train], kind="stable")[:persons]]
    both = panel.select(np.concatenate([np.arange(panel.n_persons), chosen]))
    copies = np.arange(panel.n_persons, both.n_persons)
    names = both.persons.astype(object)
    names[copies] = [f"twin-{i}" for i in range(persons)]
    split, year, state = both.split.copy(), both.year.copy(), both.state.copy()
    split[copies] = SPLITS.index("test")
    of_copies = np.isin(both.person, copies)
    year[of_copies] += shift
    middle = (both.offsets[copies] + both.offsets[copies + 1]) // 2
    for at in range(change):
        state[middle + at] = (state[middle + at] + 17) % panel.n_states
    kept = np.ones(both.n_records, dtype=bool)
    kept[middle] = not drop
    lengths = np.bincount(both.person[kept], minlength=both.n_persons)
    return replace(
        both,
        persons=names.astype(str),
        split=split,
        year=year[kept],
        state=state[kept],
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        covariates={},
    )


@pytest.mark.parametrize(
    ("shift", "change", "drop"), [(0, 0, False), (3, 0, False), (0, 1, False), (-2, 1, False), (0, 0, True)]
)
def test_careers_under_two_names_are_found(market: Panel, shift: int, change: int, drop: bool) -> None:
    found = twins(with_copies(market, 30, shift, change, drop))
    assert len(found) == 30
    assert {(one.splits, one.shift) for one in found} == {(("train", "test"), shift)}
    assert {one.second for one in found} == {f"twin-{i}" for i in range(30)}
    assert all(one.of - one.records == (change or 0) for one in found)


def test_honest_careers_coincide_and_are_not_told(market: Panel) -> None:
    assert twins(market) == ()
    assert twins(market.select(np.arange(1))) == ()


def careers(paths: list[list[int]], split: list[int]) -> Panel:
    """Careers over the states of the market, from 2000 on."""
    known = open_panel("market", {"persons": 50}).occupations
    lengths = [len(path) for path in paths]
    return Panel(
        name="paths",
        persons=np.array([f"p{i}" for i in range(len(paths))]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        year=np.concatenate([2000 + np.arange(n) for n in lengths]).astype(np.int32),
        state=np.concatenate(paths).astype(np.int32),
        occupations=known,
        split=np.array(split, dtype=np.int8),
    )


def test_chance_explains_short_and_common_careers() -> None:
    random = np.random.default_rng(0)
    split = [SPLITS.index("train"), SPLITS.index("test")] * 500
    idle = [[0] * 20 for _ in split]
    back_and_forth = [[1, 2] * 10 if random.random() < 0.5 else [3, 4] * 10 for _ in split]
    school = [[5] * 4 + [6] * 3 + [int(random.integers(7, 9))] * 8 + [9] * 5 for _ in split]
    drawn = [list(map(int, random.integers(10, 300, 3))) for _ in split]
    for paths in (idle, back_and_forth, school, drawn):
        assert twins(careers(paths, split)) == ()
    long = list(map(int, random.integers(10, 300, 12)))
    others = [list(map(int, random.integers(10, 300, 12))) for _ in split[2:]]
    [pair] = twins(careers([long, long, *others], split))
    assert (pair.first, pair.second, pair.records) == ("p0", "p1", 12)


def test_ten_thousand_careers_take_about_a_second(market: Panel) -> None:
    import time

    random = np.random.default_rng(1)
    paths = [np.repeat(random.integers(0, 300, 6), random.integers(1, 6, 6)).tolist() for _ in range(10_000)]
    panel = careers(paths, random.integers(0, 3, 10_000).tolist())
    began = time.process_time()
    assert twins(panel) == ()
    assert time.process_time() - began < 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, market: Panel) -> Path:
    """A panel with hours and three copies, on file."""
    made = tmp_path_factory.mktemp("cautions")
    panel = with_copies(market, 3, shift=1)
    hours = np.where(works(panel), np.random.default_rng(0).uniform(10, 60, panel.n_records).round(), 0)
    write_panel(replace(panel, covariates={"hours": numbers(hours)}), made / "mine", "csv")
    return made


def test_data_check_tells_each(folder: Path) -> None:
    done = typed(folder, "data", "check", "mine")
    assert done.returncode == 0
    [hours] = [line for line in done.stdout.splitlines() if "'hours'" in line]
    assert hours.startswith("note: mine, column 'hours': tells the status at its own record (")
    pairs = [line for line in done.stdout.splitlines() if "column 'person'" in line and "twin-" in line]
    assert len(pairs) == 3
    assert "(test, 1 year later)" in pairs[0]


def test_a_run_warns_and_boards_and_cards_say_so(folder: Path) -> None:
    done = typed(folder, "run", "--task", "switch", "--model", "marginal", "--data", "mine", "--records", "r")
    assert done.returncode == 0, done.stderr
    said = cautions(open_panel(folder / "mine"))
    assert [one.split(" (")[0] for one in said] == [
        "The covariate 'hours' tells the status at its own record",
        "3 careers stand in two splits under two names",
    ]
    warnings = done.stderr.split("marginal on switch")[0]
    assert all(f"warning: {one}" in warnings for one in said)
    assert not any(person in "".join(said) for person in ("twin-", "s1-"))
    assert typed(folder, "leaderboard", "--records", "r", "--boards", "b").returncode == 0
    text = (folder / "b" / "mine" / "switch.md").read_text()
    assert text.count("\n- caution: ") == 2
    assert json.loads((folder / "b" / "mine" / "switch.json").read_text())["cautions"] == list(said)
    assert "caution: 3 careers stand" in (folder / "b" / "mine" / "switch.tex").read_text()
    assert "caution: 3 careers stand" in (folder / "b" / "index.html").read_text()
    [record] = (folder / "r").rglob("*.json")
    card = typed(folder, "card", json.loads(record.read_text())["id"], "--records", "r").stdout
    assert "- 3 careers stand in two splits under two names (3 in test and train): a model that learned" in card
    assert typed(folder, "leaderboard", "--records", "r", "--boards", "b", "--check").returncode == 0
