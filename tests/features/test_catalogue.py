"""Features: worked by hand on small careers, equal to a plain loop on random ones, and blind to what comes later."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.toys import InProcess
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RequestError
from harness.features import catalogue as features
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status
from harness.types import BoolArray, IntArray

OCCUPATIONS = Occupations(
    codes=("cook", "waiter", "nurse", "school", "home"),
    titles=("Cooks", "Waiters", "Nurses", "In school", "Out of the labor force"),
    groups=("food", "food", "health", "school", "home"),
    statuses=(Status.EMPLOYED, Status.EMPLOYED, Status.EMPLOYED, Status.EDUCATION, Status.OUT),
)
COOK, WAITER, NURSE, SCHOOL, HOME = range(5)


def panel_of(careers: list[list[tuple[int, int]]], education: list[int] | None = None) -> Panel:
    """A panel of careers given as (year, state) pairs; everyone is born in 1980."""
    lengths = [len(career) for career in careers]
    records = [record for career in careers for record in career]
    covariates = {"birth_year": Covariate("numeric", np.full(len(records), 1980.0), fixed=True)}
    if education is not None:
        covariates["education"] = Covariate("categorical", np.array(education), ("none", "degree"))
    return Panel(
        name="by hand",
        persons=np.array([f"p{i}" for i in range(len(careers))]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        year=np.array([year for year, _ in records], dtype=np.int32),
        state=np.array([state for _, state in records], dtype=np.int32),
        occupations=OCCUPATIONS,
        split=np.zeros(len(careers), dtype=np.int8),
        covariates=covariates,
    )


def test_a_career_worked_by_hand() -> None:
    career = [(2000, SCHOOL), (2001, COOK), (2002, COOK), (2003, WAITER), (2005, HOME), (2006, COOK), (2007, NURSE)]
    panel = panel_of([[(1999, NURSE), (2000, NURSE)], career], education=[0, 0, 0, 0, 0, 1, 1, 1, 1])
    design = features.build(panel, np.array([2 + 6]))  # the step into nursing in 2007; the origin is cook
    expected = {
        "origin": COOK,
        "previous": HOME,
        "lag_2": HOME,
        "lag_3": WAITER,
        "last_occupation": COOK,
        "first_state": SCHOOL,
        "tenure": 1,
        "group_tenure": 1,
        "longest_tenure": 2,
        "records": 6,
        "spells": 5,
        "distinct_states": 4,
        "origin_spells": 2,
        "stayed": 0,
        "stayed_2": 0,
        "records_employed": 4,
        "records_studying": 1,
        "records_without_work": 1,
        "spells_without_work": 1,
        "since_employed": 0,
        "since_without_work": 1,
        "year": 2007,
        "age": 27,
        "gap": 1,
        "since_start": 7,
        "education": 1,
        "education_changed": 0,
        "education_years": 5,
    }
    assert {name: design[name].item() for name in expected} == expected
    assert OCCUPATIONS.group_index()[1][int(design["origin_group"].item())] == "food"


def test_tenure_in_the_group_outlives_tenure_in_the_state() -> None:
    panel = panel_of([[(2000, COOK), (2001, COOK), (2002, WAITER), (2004, WAITER)]])
    design = features.build(panel, panel.transitions, ["tenure", "group_tenure", "gap", "stayed"])
    assert design["tenure"].tolist() == [1, 2, 1]
    assert design["group_tenure"].tolist() == [1, 2, 3]
    assert design["gap"].tolist() == [1, 1, 2]
    np.testing.assert_array_equal(design["stayed"], [np.nan, 1, 0])


def test_first_records_have_no_history_and_their_own_year() -> None:
    panel = panel_of([[(2000, COOK)], [(2001, NURSE), (2002, NURSE)]])
    design = features.build(panel, panel.entries)
    assert design["origin"].tolist() == [-1, -1]
    assert np.isnan(design["tenure"]).all()
    assert np.isnan(design["gap"]).all()
    assert design["age"].tolist() == [20, 21]
    assert len(features.states_held(panel, panel.entries).row) == 0


def test_states_held_by_hand() -> None:
    panel = panel_of([[(2000, COOK), (2001, COOK), (2002, HOME), (2003, COOK), (2005, NURSE)], [(2000, NURSE)]])
    held = features.states_held(panel, np.array([4, 2]))
    columns = (held.row, held.state, held.records, held.spells, held.since)
    rows = [tuple(int(x) for x in row) for row in zip(*columns, strict=True)]
    assert rows == [(0, COOK, 3, 2, 2), (0, HOME, 1, 1, 3), (1, COOK, 2, 1, 1)]


def test_covariates_are_optional_and_keep_their_names_apart() -> None:
    panel = panel_of([[(2000, COOK), (2001, COOK)]])
    bare = replace(panel, covariates={})
    assert np.isnan(features.build(bare, bare.transitions)["age"]).all()
    clash = replace(panel, covariates={"tenure": Covariate("numeric", np.array([7.0, 8.0]))})
    design = features.build(clash, clash.transitions)
    assert (design["tenure"].item(), design["tenure_covariate"].item()) == (1, 8)


@pytest.mark.parametrize("first", ["education", "education_years"])
def test_a_covariate_may_have_the_name_of_a_feature(first: str) -> None:
    """Years of schooling beside the years since education changed, in whatever order the file has them."""
    panel = panel_of([[(2000, COOK), (2001, COOK)]], education=[0, 0])
    both = dict(panel.covariates) | {"education_years": Covariate("numeric", np.array([11.0, 12.0]))}
    ordered = {first: both[first], **both}
    design = features.build(replace(panel, covariates=ordered), panel.transitions)
    assert (design["education_years"].item(), design["education_years_covariate"].item()) == (2, 12)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    panel = panel_of([[(2000, COOK), (2001, COOK)]])
    with pytest.raises(RequestError, match=r"no feature called 'tenur'; did you mean 'tenure'\?"):
        features.build(panel, panel.transitions, ["tenur"])


def test_every_feature_of_the_catalogue_is_built_and_described() -> None:
    panel = panel_of([[(2000, COOK), (2001, COOK)]])
    design = features.build(panel, panel.transitions)
    assert set(features.CATALOGUE) == set(design.features)
    for feature in features.CATALOGUE.values():
        assert feature.summary
        assert feature.categorical or feature.unit
    assert design.matrix(["tenure", "age", "gap"]).tolist() == [[1, 21, 1]]


careers_strategy = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=9), min_size=1, max_size=6)


def random_panel(states: list[list[int]], seed: int) -> Panel:
    """Careers through these states, in years with gaps, with a covariate that changes."""
    draw = np.random.default_rng(seed)
    careers = []
    for career in states:
        years = 1990 + np.cumsum(draw.integers(1, 4, size=len(career)))
        careers.append([(int(year), state) for year, state in zip(years, career, strict=True)])
    panel = panel_of(careers, education=draw.integers(-1, 2, size=sum(map(len, careers))).tolist())
    return replace(panel, covariates={**panel.covariates, **drawn_covariates(panel, draw)})


def drawn_covariates(panel: Panel, draw: np.random.Generator) -> dict[str, Covariate]:
    """A number that changes, a level that does not, and one with the name of what is made of another; some missing."""
    n, persons = panel.n_records, panel.n_persons
    wage = np.where(draw.random(n) < 0.2, np.nan, draw.normal(size=n))
    return {
        "wage": Covariate("numeric", wage),
        "gender": Covariate("categorical", draw.integers(-1, 2, size=persons)[panel.person], ("f", "m"), fixed=True),
        "education_years": Covariate("categorical", draw.integers(-1, 3, size=n), ("few", "some", "many")),
    }


@settings(max_examples=60)
@given(states=careers_strategy, seed=st.integers(0, 2**32 - 1))
def test_counts_equal_those_of_a_plain_loop(states: list[list[int]], seed: int) -> None:
    panel = random_panel(states, seed)
    design = features.build(panel, panel.transitions)
    held = features.states_held(panel, panel.transitions)
    for i, target in enumerate(panel.transitions):
        past = panel.state[panel.offsets[panel.person[target]] : target].tolist()
        years = panel.year[panel.offsets[panel.person[target]] : target].tolist()
        runs = [s for j, s in enumerate(past) if j == 0 or past[j - 1] != s]
        assert design["spells"][i] == len(runs)
        assert design["distinct_states"][i] == len(set(past))
        assert design["origin_spells"][i] == runs.count(past[-1])
        assert design["previous"][i] == (runs[-2] if len(runs) > 1 else -1)
        mine = held.row == i
        assert sorted(held.state[mine].tolist()) == sorted(set(past))
        for state, records, spells, since in zip(
            held.state[mine], held.records[mine], held.spells[mine], held.since[mine], strict=True
        ):
            assert (records, spells) == (past.count(state), runs.count(state))
            assert since == panel.year[target] - max(y for y, s in zip(years, past, strict=True) if s == state)


def redraw_after(panel: Panel, target: int, seed: int) -> tuple[Panel, IntArray]:
    """Another panel with the same history of one target, and where the target now stands.

    The target's state and everything later is drawn anew, later years and covariates too; the other persons trade
    places and states, and get other years and covariates.
    """
    draw = np.random.default_rng(seed)
    person = panel.person[target]
    state = panel.state.copy()
    others = panel.person != person
    state[others] = draw.permutation(state[others])
    future = (panel.person == person) & (np.arange(panel.n_records) >= target)
    state[future] = draw.integers(0, len(OCCUPATIONS), size=future.sum())
    later = others | (future & (np.arange(panel.n_records) > target))
    covariates = {name: _redrawn(covariate, later, others, draw) for name, covariate in panel.covariates.items()}
    order = draw.permutation(panel.n_persons)
    # Added up along the records, so that years still rise within a person.
    year = (panel.year + np.where(later, np.cumsum(draw.integers(1, 4, panel.n_records)), 0)).astype(np.int32)
    moved = replace(panel, state=state, year=year, covariates=covariates).select(order)
    place = np.flatnonzero(order == person)[0]
    return moved, np.array([moved.offsets[place] + target - panel.offsets[person]])


def _redrawn(covariate: Covariate, later: BoolArray, others: BoolArray, draw: np.random.Generator) -> Covariate:
    """Its values traded among the later records; of what is fixed, among those of the other persons."""
    records = np.flatnonzero(others if covariate.fixed else later)
    values = covariate.values.copy()
    values[records] = draw.permutation(values[records])
    if covariate.kind == "numeric":
        values[records] += draw.integers(0, 3, len(records))
    return replace(covariate, values=values)


@settings(max_examples=80)
@given(states=careers_strategy, seed=st.integers(0, 2**32 - 1))
def test_no_feature_looks_past_the_origin(states: list[list[int]], seed: int) -> None:
    panel = random_panel(states, seed)
    targets = np.random.default_rng(seed).permutation(panel.n_records)[:3]
    for target in targets:
        moved, place = redraw_after(panel, int(target), seed)
        before, after = features.build(panel, np.array([target])), features.build(moved, place)
        assert set(before.features) == set(after.features) == set(features.known(panel))
        assert set(before.features) - set(features.CATALOGUE) >= {"wage", "gender", "education", "education_years"}
        for name in before.features:
            np.testing.assert_array_equal(before[name], after[name], err_msg=name)
        held, again = features.states_held(panel, np.array([target])), features.states_held(moved, place)
        by_state, by_state_again = np.argsort(held.state), np.argsort(again.state)
        for field in ("state", "records", "spells", "since"):
            np.testing.assert_array_equal(getattr(held, field)[by_state], getattr(again, field)[by_state_again])


def test_a_chunk_of_persons_has_the_features_of_the_whole() -> None:
    panel = random_panel([[0, 1, 1, 4], [2], [3, 3, 0], [1, 2, 1, 2, 1]], seed=3)
    whole = features.build(panel, panel.transitions)
    rows = []
    for chunk, _ in panel.chunks(4):
        rows.append(features.build(chunk, chunk.transitions).matrix(whole.features))
    np.testing.assert_array_equal(np.vstack(rows), whole.matrix(whole.features))


@settings(max_examples=40)
@given(states=careers_strategy, seed=st.integers(0, 2**32 - 1))
def test_a_career_cut_off_after_the_target_has_the_same_features(states: list[list[int]], seed: int) -> None:
    """No feature knows that the target is a career's last record, or its person the only one."""
    panel = random_panel(states, seed)
    for target in panel.transitions[:4]:
        person = panel.person[target]
        alone = panel.select(np.array([person]))
        length = int(target - panel.offsets[person]) + 1
        cut = replace(
            alone,
            offsets=np.array([0, length]),
            year=alone.year[:length],
            state=alone.state[:length],
            covariates={name: c.take(np.arange(length)) for name, c in alone.covariates.items()},
        )
        before, after = features.build(panel, np.array([target])), features.build(cut, np.array([length - 1]))
        for name in before.features:
            np.testing.assert_array_equal(before[name], after[name], err_msg=name)


def test_features_are_listed_with_and_without_a_panel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = InProcess("list", monkeypatch, capsys)
    status, out, _ = listing("features", "--json")
    listed = json.loads(out)["features"]
    assert status == 0
    assert [f["name"] for f in listed] == list(features.CATALOGUE)
    assert all(f["summary"] and (f["unit"] or f["values"] != "number") for f in listed)
    _, out, _ = listing("features", "--data", "wage-panel", "--json")
    more = {f["name"]: f for f in json.loads(out)["features"]}
    assert set(more) - set(features.CATALOGUE) == {
        "ethnicity",
        "years_of_schooling",
        "married",
        "married_changed",
        "married_years",
    }
    assert (more["married"]["values"], more["married_years"]["unit"]) == ("level", "years")
    _, out, _ = listing("features")
    assert "present spell in the origin, its first year counted" in out
    status, _, err = listing("tasks", "--data", "market")
    assert status == 2
    assert "harness list features" in err
