"""Guesses of a look: nothing that a person has once is a time, no measure is a state, and what is doubtful is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.data.look import Look, look
from harness.data.reading import FileReading
from harness.errors import RequestError

Looker = Callable[[pd.DataFrame], Look]


@pytest.fixture
def looked(tmp_path: Path) -> Looker:
    def at(table: pd.DataFrame) -> Look:
        table.to_csv(tmp_path / "jobs.csv", index=False)
        return look(tmp_path / "jobs.csv", {}, None, FileReading())

    return at


def people(persons: int = 60, steps: int = 5) -> pd.DataFrame:
    """Persons with a year of birth, an age that rises, a job in words, and its number in another column."""
    rng = np.random.default_rng(4)
    n = persons * steps
    job = rng.integers(0, 4, n)
    return pd.DataFrame(
        {
            "id": np.repeat(np.arange(1, persons + 1), steps),
            "birth_yr": np.repeat(rng.integers(1940, 1960, persons), steps),
            "year": np.tile(np.arange(1980, 1980 + steps), persons),
            "visits": rng.integers(0, 30, n),
            "team": np.array(["red", "green", "blue", "grey"])[job],
        }
    ).assign(age=lambda table: table["year"] - table["birth_yr"])


def test_what_changes_and_is_no_measure_may_be_the_state(looked: Looker) -> None:
    seen = looked(people())
    assert dict(seen.mapping) == {"person": "id", "occupation": "team"}
    [note] = [str(note) for note in seen.notes if "by its values" in note.message]
    assert "column 'team': was taken for the state by its values, and so may visits: --column occupation=NAME" in note
    seen = looked(people().rename(columns={"team": "job"}))
    assert not [note for note in seen.notes if "by its values" in note.message]


def test_nothing_but_measures_is_asked_about(looked: Looker) -> None:
    seen = looked(people().drop(columns=["team", "visits"]))
    assert seen.panel is None
    assert [fault.column for fault in seen.errors] == ["occupation"]


def test_a_year_of_birth_is_no_time_and_an_age_is_one(looked: Looker) -> None:
    seen = looked(people().drop(columns="year"))
    assert dict(seen.mapping) == {"person": "id", "age": "age", "occupation": "team"}
    assert seen.panel is not None
    assert seen.panel.unit == "age"


def test_numbers_of_rows_are_dropped(looked: Looker) -> None:
    table = people()
    table.insert(0, "rownames", range(1, len(table) + 1))
    seen = looked(table)
    assert seen.reading.drop == ("rownames",)
    assert dict(seen.mapping) == {"person": "id", "occupation": "team"}


def test_rows_in_no_order_are_read_in_order_of_time(looked: Looker) -> None:
    seen = looked(people().sample(frac=1, random_state=2))
    assert (seen.reading.order, seen.panel is not None) == ("time", True)


def test_columns_of_ones_and_zeros_are_a_range_of_states(looked: Looker) -> None:
    jobs = pd.get_dummies(people()["team"].map({"red": 1, "green": 2, "blue": 3, "grey": 4}), prefix="occ", dtype=int)
    seen = looked(pd.concat([people().drop(columns="team"), jobs], axis=1))
    assert seen.mapping["occupation"] == "occ_1..occ_4"
    assert seen.panel is not None
    assert seen.panel.n_states == 4


@pytest.mark.parametrize(("name", "unit"), [("years", "year"), ("months", "wave")])
def test_times_with_decimals_are_of_a_unit(looked: Looker, name: str, unit: str) -> None:
    table = people().rename(columns={"year": name}).drop(columns="age")
    rng = np.random.default_rng(1)
    table[name] = (table[name] - 1980) + rng.uniform(0.01, 0.9, len(table)).round(4)
    seen = looked(table)
    assert seen.panel is not None
    assert (seen.panel.unit, seen.panel.n_records) == (unit, len(table))


def test_persons_who_share_a_number_of_their_household_are_rows(looked: Looker) -> None:
    rng = np.random.default_rng(2)
    wide = pd.DataFrame(rng.integers(0, 4, (80, 6)), columns=[str(15 + i) for i in range(6)])
    wide.insert(0, "idhous", [*range(70), *range(10)])
    seen = looked(wide)
    assert seen.reading.wide == ("15..20",)
    assert seen.panel is not None
    assert seen.panel.n_persons == 80


def test_ends_of_spells_are_those_that_come_after_begins(looked: Looker) -> None:
    """Of 'from' and 'to', numbers of states, neither ends; and a 'status' that is none of ours is a covariate."""
    rows = [
        {"id": i, "from": 1 + t % 2, "to": 2 - t % 2, "Tstart": 1990 + 2 * t, "Tstop": 1992 + 2 * t, "status": t % 2}
        for i in range(60)
        for t in range(4)
    ]
    seen = looked(pd.DataFrame(rows))
    assert dict(seen.reading.spells) == {"begin": "Tstart", "end": "Tstop"}
    assert seen.mapping["status"] == ""
    assert seen.panel is not None


def test_dates_of_jobs_are_spells(looked: Looker) -> None:
    """By names that only begin or end with the word, since one is never before the other."""
    rows = [
        {"persnr": i, "begorig": f"01jan{1990 + t}", "endorig": f"31dec{1990 + t}", "beruf": 311 + t % 3}
        for i in range(60)
        for t in range(5)
    ]
    seen = looked(pd.DataFrame(rows))
    assert dict(seen.reading.spells) == {"begin": "begorig", "end": "endorig"}
    assert seen.panel is not None
    assert (seen.panel.unit, seen.panel.n_records) == ("month", 60 * 60)


def test_a_file_of_no_known_form_is_told(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text("[]")
    with pytest.raises(RequestError, match=r"jobs\.json: careers are read from \.csv"):
        look(tmp_path / "jobs.json", {}, None, FileReading())
