"""A column a state, persons without ids, and rows in no order are careers, once the option says so."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from helpers.openings import checked, opened, records

from harness.errors import RequestError

JOBS = ("cook", "maid", "nurse")


def one_a_state(persons: int = 30) -> pd.DataFrame:
    """Three years of each person, cook and maid and nurse in turn, and a wage between the columns of states."""
    rows = [
        {"id": i, "year": 1990 + t, "wage": 9 + t, "d1": 0, "d2": 0, "d3": 0} for i in range(persons) for t in (0, 1, 2)
    ]
    table = pd.DataFrame(rows)
    for t in (0, 1, 2):
        table.loc[table["year"] == 1990 + t, f"d{t + 1}"] = 1
    return table


def test_a_column_a_state_is_one_column_of_states(tmp_path: Path) -> None:
    """With the titles of the columns, where the file has them."""
    titles: dict[str, str | None] = dict(zip(("d1", "d2", "d3"), JOBS, strict=True))
    pyreadstat.write_dta(one_a_state(), tmp_path / "jobs.dta", column_labels=titles)
    panel = opened(tmp_path / "jobs.dta", {"person": "id", "occupation": "d1..d3"})
    assert records(panel, "0") == [(1990, "d1"), (1991, "d2"), (1992, "d3")]
    assert panel.occupations.titles == JOBS
    assert set(panel.covariates) == {"wage"}


def test_a_record_has_one_state_of_them(tmp_path: Path) -> None:
    table = one_a_state()
    table.loc[1, "d1"] = 1
    table.loc[2, "d3"] = 0
    table.to_csv(tmp_path / "jobs.csv", index=False)
    columns = {"person": "id", "occupation": "d1..d3"}
    two, none = checked(tmp_path / "jobs.csv", columns).errors
    assert str(two) == "jobs.csv, line 3, column 'd1..d3': has a 1 in d1 and d2: a record has one state"
    assert (none.line, "has a 1 in none of these columns: --missing NA leaves such rows out" in str(none)) == (4, True)
    table.loc[1, "d1"] = 0
    table.to_csv(tmp_path / "jobs.csv", index=False)
    panel = opened(tmp_path / "jobs.csv", columns, missing="NA")
    assert records(panel, "0") == [(1990, "d1"), (1991, "d2")]
    assert panel.left_out == {"rows of jobs.csv without a state": 1}


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ("d1..d4", r"jobs\.csv has no column 'd4'; known: d1, d2"),
        ("d3..d1", "column 'd1' does not come after 'd3'"),
        ("wage..d3", "column 'wage' is not ones and zeros"),
    ],
)
def test_a_range_of_states_that_is_none_is_told(tmp_path: Path, states: str, said: str) -> None:
    one_a_state().to_csv(tmp_path / "jobs.csv", index=False)
    with pytest.raises(RequestError, match=said):
        opened(tmp_path / "jobs.csv", {"person": "id", "occupation": states})


def test_rows_without_ids_are_so_many_a_person(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("job\n" + "cook\nmaid\nnurse\n" * 30)
    assert "--rows-each N, where each person has N rows" in str(checked(path, {"occupation": "job"}).errors[0])
    panel = opened(path, {"occupation": "job"}, rows_each=3)
    assert (panel.n_persons, panel.unit) == (30, "wave")
    assert records(panel, "2") == [(1, "cook"), (2, "maid"), (3, "nurse")]
    with pytest.raises(RequestError, match=r"--rows-each 4: jobs\.csv has 90 rows, which are no multiple of it"):
        opened(path, {"occupation": "job"}, rows_each=4)
    one_a_state().rename(columns={"id": "person"}).to_csv(path, index=False)
    with pytest.raises(RequestError, match="--rows-each 3: column 'person' says who a person is already"):
        opened(path, {"occupation": "d1..d3"}, rows_each=3)


def test_rows_in_no_order_are_put_in_order_of_time_where_that_is_asked(tmp_path: Path) -> None:
    """A covariate stays with its record, and a fault with its line."""
    table = one_a_state().sample(frac=1, random_state=3)
    table.to_csv(tmp_path / "jobs.csv", index=False)
    columns = {"person": "id", "occupation": "d1..d3"}
    assert "sort each person's rows by year, or --order time" in str(checked(tmp_path / "jobs.csv", columns).errors[0])
    panel = opened(tmp_path / "jobs.csv", columns, order="time")
    assert records(panel, "7") == [(1990, "d1"), (1991, "d2"), (1992, "d3")]
    assert panel.covariates["wage"].values[:3].tolist() == [9, 10, 11]
    text = (tmp_path / "jobs.csv").read_text().splitlines()
    at = next(i for i, line in enumerate(text, start=1) if line.startswith("7,1991"))
    text[at - 1] = text[at - 1].replace("7,1991", "7,1990")
    (tmp_path / "jobs.csv").write_text("\n".join(text) + "\n")
    [fault] = checked(tmp_path / "jobs.csv", columns, order="time").errors
    assert "already has a record of this year" in str(fault)
    assert text[(fault.line or 0) - 1].startswith("7,1990")
