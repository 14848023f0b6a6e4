"""The panel: what it refuses, what selecting keeps, and that a split never moves anybody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.panel.careers import Covariate, Panel, split_by_hash


def test_transitions_are_the_records_with_one_before(four_persons: Panel) -> None:
    assert four_persons.transitions.tolist() == [1, 2, 4, 5, 7, 9, 10, 11, 12]
    assert four_persons.origin(four_persons.transitions).tolist() == [0, 0, 1, 3, 2, 0, 0, 3, 3]


def test_age_is_the_year_less_the_birth_year(four_persons: Panel) -> None:
    assert four_persons.age()[:3].tolist() == [20, 21, 22]
    without = replace(four_persons, covariates={})
    assert np.isnan(without.age()).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"year": np.array([2000, 2000, 2002, *range(2000, 2003), 2000, 2001, *range(2000, 2005)])}, "increase"),
        ({"state": np.full(13, 4)}, "outside the occupations"),
        ({"state": np.zeros(12, dtype=int)}, "one entry per record"),
        ({"offsets": np.array([0, 3, 3, 8, 13])}, "without a record"),
        ({"split": np.zeros(3)}, "one entry more"),
    ],
)
def test_refuses_what_is_no_panel(four_persons: Panel, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(four_persons, **change)


def test_select_keeps_careers_whole(four_persons: Panel) -> None:
    chosen = four_persons.select(np.array([3, 0]))
    assert chosen.persons.tolist() == ["d", "a"]
    assert chosen.state.tolist() == [0, 0, 3, 3, 1, 0, 0, 1]
    assert chosen.covariates["birth_year"].values.tolist() == [1981.0] * 5 + [1980.0] * 3
    assert chosen.offsets.tolist() == [0, 5, 8]


@given(st.integers(1, 12))
def test_chunks_cover_everyone_once_in_order(records: int) -> None:
    panel = _panel([3, 1, 4, 1, 5])
    seen = []
    for chunk, first in panel.chunks(records):
        assert chunk.persons.tolist() == panel.persons[panel.person[first] :][: chunk.n_persons].tolist()
        assert chunk.n_records <= records or chunk.n_persons == 1
        seen += chunk.persons.tolist()
    assert seen == panel.persons.tolist()


def test_fingerprint_sees_every_part(four_persons: Panel) -> None:
    state = four_persons.state.copy()
    state[0] = 1
    gender = four_persons.covariates["gender"]
    titles = ("Nurses", *four_persons.occupations.titles[1:])
    others = [
        replace(four_persons, state=state),
        replace(four_persons, split=np.array([0, 0, 1, 1])),
        replace(four_persons, persons=np.array(["a", "b", "c", "e"])),
        replace(four_persons, covariates={"gender": gender}),
        replace(
            four_persons, covariates=dict(four_persons.covariates) | {"gender": replace(gender, levels=("f", "m"))}
        ),
        replace(four_persons, occupations=replace(four_persons.occupations, titles=titles)),
    ]
    prints = {panel.fingerprint() for panel in [four_persons, *others]}
    assert len(prints) == 7
    assert replace(four_persons, name="other", source={"reader": "x"}).fingerprint() == four_persons.fingerprint()


ids = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=50, unique=True)


@given(ids, ids)
def test_adding_people_moves_nobody(some: list[str], more: list[str]) -> None:
    alone = dict(zip(some, split_by_hash(np.array(some)).tolist(), strict=True))
    everyone = list(dict.fromkeys([*more, *some]))
    together = dict(zip(everyone, split_by_hash(np.array(everyone)).tolist(), strict=True))
    assert {person: together[person] for person in some} == alone


def test_shares_are_those_promised() -> None:
    split = split_by_hash(np.arange(20_000).astype(str))
    np.testing.assert_allclose(np.bincount(split) / 20_000, [0.7, 0.1, 0.2], atol=0.01)


def test_parts_are_disjoint_and_cover(four_persons: Panel) -> None:
    parts = [set(four_persons.part(name).persons.tolist()) for name in ("train", "valid", "test")]
    assert parts == [{"a", "b"}, {"c"}, {"d"}]


def _panel(lengths: list[int]) -> Panel:
    from harness.panel.occupations import Occupations, Status

    n = sum(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Panel(
        name="lengths",
        persons=np.array([f"p{i}" for i in range(len(lengths))]),
        offsets=offsets,
        year=np.arange(n),
        state=np.zeros(n, dtype=int),
        occupations=Occupations(("a",), ("A",), ("a",), (Status.EMPLOYED,)),
        split=np.zeros(len(lengths), dtype=np.int8),
        covariates={"x": Covariate("numeric", np.zeros(n))},
    )
