"""One rule for missing values in every kind of column; columns that are dropped, kept or lagged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from helpers.openings import checked, opened, records
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from harness.errors import RequestError

ROWS = """
person,year,occupation,wage,region
1,2000,10,12.5,north
1,2001,-4,-4,-4
1,2002,20,NA,NA
2,2000,10,20,south
2,2001,.,9.5,.
2,2002,10,-1,north
"""


def table(path: Path, rows: str = ROWS) -> Path:
    header, *body = rows.strip().split("\n")
    path.write_text("\n".join([header, *body, *(f"x{i}-{line}" for i in range(30) for line in body)]) + "\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_rule_for_states_numbers_and_words(tmp_path: Path, kind: str) -> None:
    path = table(tmp_path / "jobs.csv")
    if kind == "parquet":
        parquet.write_table(arrow_csv.read_csv(path), tmp_path / "jobs.parquet")
        path = tmp_path / "jobs.parquet"
    panel = opened(path, missing="-5..-1,NA,.")
    assert records(panel, "1") == [(2000, "10"), (2002, "20")]
    assert panel.occupations.codes == ("10", "20")
    assert panel.left_out == {f"rows of jobs.{kind} without a state": 62}
    wage = panel.covariates["wage"]
    assert wage.kind == "numeric"
    np.testing.assert_array_equal(wage.values[:4], [12.5, np.nan, 20, np.nan])
    assert panel.covariates["region"].levels == ("north", "south")


def test_a_column_that_its_file_declares_numbers_has_them_too(tmp_path: Path) -> None:
    rows = ROWS.replace("NA,NA", "3,north").replace(",.,9.5,.", ",30,9.5,south")
    parquet.write_table(arrow_csv.read_csv(table(tmp_path / "jobs.csv", rows)), tmp_path / "jobs.parquet")
    panel = opened(tmp_path / "jobs.parquet", missing="-4,-1.0")
    assert panel.occupations.codes == ("10", "20", "30")
    assert np.isnan(panel.covariates["wage"].values).sum() == 31


def test_what_is_not_named_is_told_with_the_option(tmp_path: Path) -> None:
    told = [fault.message for fault in checked(table(tmp_path / "jobs.csv")).errors]
    assert any("(--missing -4)" in message for message in told)
    assert any("(--missing .)" in message for message in told)
    assert len(told) == 2
    with pytest.raises(RequestError, match=r"--missing 5\.\.1: write a range of numbers from the least on"):
        opened(tmp_path / "jobs.csv", missing="5..1")


@pytest.mark.parametrize("word", ["N/A", ".a", "NULL", "None", "#N/A"])
def test_a_word_for_missing_makes_no_words_of_numbers(tmp_path: Path, word: str) -> None:
    rows = ROWS.replace("-4,-4,-4", "30,1,north").replace(",.,", ",30,").replace("9.5,.", f"{word},south")
    found = checked(table(tmp_path / "jobs.csv", rows))
    panel = found.panel
    assert panel is not None
    assert panel.covariates["wage"].kind == "numeric"
    assert any(
        (note.column, note.value) == ("wage", word) and "taken as missing (31 records)" in note.message
        for note in found.notes
    )
    assert np.isnan(panel.covariates["wage"].values).sum() == 62


def test_years_and_codes_with_decimals_of_zero_are_noted(tmp_path: Path) -> None:
    rows = "person,year,occupation\n1,2000.0,2310.0\n1,2001.0,110.0\n2,2000.0,2310.0\n2,2001.0,2310.0"
    found = checked(table(tmp_path / "jobs.csv", rows))
    assert found.panel is not None
    assert records(found.panel, "1") == [(2000, "2310"), (2001, "110")]
    told = [note.message for note in found.notes]
    assert any("('2000.0'), and were taken for what they are" in message for message in told)
    assert any("codes are written with decimals" in message for message in told)


def test_codes_that_differ_in_case_alone_are_noted(tmp_path: Path) -> None:
    rows = "person,year,occupation\n1,2000,Cook\n1,2001,cook\n2,2000,COOK\n2,2001,maid"
    found = checked(table(tmp_path / "jobs.csv", rows))
    assert found.panel is not None
    assert found.panel.occupations.codes == ("COOK", "Cook", "cook", "maid")
    told = [str(note) for note in found.notes if "in case or blanks alone" in note.message]
    assert told == [
        "jobs.csv, line 3, column 'occupation', value 'cook': differs from 'Cook' in case or blanks alone, and is a "
        "state of its own: write both alike",
        "jobs.csv, line 4, column 'occupation', value 'COOK': differs from 'Cook' in case or blanks alone, and is a "
        "state of its own: write both alike",
    ]


SOUND = ROWS.replace("-4,-4,-4", "30,1,north").replace(",.,9.5,.", ",30,9.5,south").replace("NA,NA", "7,north")


def test_columns_that_are_not_wanted(tmp_path: Path) -> None:
    path = table(tmp_path / "jobs.csv", SOUND)
    assert set(opened(path, drop="wage").covariates) == {"region"}
    assert set(opened(path, covariates="wage").covariates) == {"wage"}
    assert opened(path, covariates="wage").left_out == {"columns of jobs.csv that were not asked for": 1}
    for option in ("drop", "covariates"):
        wrong: dict[str, Any] = {option: "wges"}
        with pytest.raises(RequestError, match=rf"--{option} wges: jobs\.csv has no such column; did you mean 'wage'"):
            opened(path, **wrong)


def test_a_lagged_covariate_is_that_of_the_record_before(tmp_path: Path) -> None:
    path = table(tmp_path / "jobs.csv", SOUND)
    panel = opened(path, lag="wage,region")
    np.testing.assert_array_equal(panel.covariates["wage"].values[:6], [np.nan, 12.5, 1, np.nan, 20, 9.5])
    region = panel.covariates["region"]
    assert [region.levels[k] if k >= 0 else "" for k in region.values[:6].tolist()] == [
        "",
        "north",
        "north",
        "",
        "south",
        "south",
    ]
    with pytest.raises(RequestError, match="--lag pay: no covariate has this name"):
        opened(path, lag="pay")


def test_codes_that_say_that_there_was_no_answer(tmp_path: Path) -> None:
    """By their labels they are noted; with the survey's own mark in brackets they are no state."""
    frame = pd.DataFrame({"person": range(60), "year": 1990, "occupation": [1, 2, 97] * 20})
    labels: dict[str, dict[int | float, str]] = {"occupation": {1: "Cook", 2: "Knower", 97: "97. Don't know"}}
    pyreadstat.write_dta(frame, tmp_path / "jobs.dta", variable_value_labels=labels)
    [note] = [str(one) for one in checked(tmp_path / "jobs.dta").notes if "--missing" in one.message]
    assert note.endswith("value '97': is called '97. Don't know', and is a state: if it is none, --missing 97")
    words = frame.assign(occupation=["[10] Cook", "[11] Maid", "[-1] keine Angabe"] * 20)
    words.to_csv(tmp_path / "jobs.csv", index=False)
    [fault] = checked(tmp_path / "jobs.csv").errors
    assert "leave such rows out (--missing '[-1] keine Angabe')" in str(fault)
    panel = opened(tmp_path / "jobs.csv", missing=["[-1] keine Angabe"])
    assert panel.occupations.codes == ("[10] Cook", "[11] Maid")
