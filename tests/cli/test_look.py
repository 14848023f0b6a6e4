"""harness data look: a file is seen for what it is, and the line that it prints runs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from helpers.commands import typed
from helpers.paths import SHARED
from helpers.toys import InProcess

FORMATS = SHARED / "formats"


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("data", monkeypatch, capsys)


def people(persons: int = 60) -> pd.DataFrame:
    """Sixty persons in five years; codes with a missing one, and an identifier and a year with names of their own."""
    rng = np.random.default_rng(5)
    n = persons * 5
    return pd.DataFrame(
        {
            "PUBID": np.repeat(np.arange(1, persons + 1), 5),
            "svy_year": np.tile(np.arange(78, 83), persons),
            "occ80": rng.choice([3, 14, 25, -4], n, p=[0.4, 0.3, 0.2, 0.1]),
            "tenure": rng.normal(5, 2, n).round(1),
        }
    )


def test_a_table_is_looked_at_and_the_line_runs(tmp_path: Path, look: InProcess) -> None:
    labels: dict[str, dict[int | float, str]] = {"occ80": {3: "Legislators", 14: "Educators", 25: "Pharmacists"}}
    pyreadstat.write_dta(people(), tmp_path / "jobs.dta", variable_value_labels=labels)
    status, out, err = look("look", str(tmp_path / "jobs.dta"), "--json")
    assert (status, err) == (0, "")
    seen = json.loads(out)
    assert {one["name"]: one["part"] for one in seen["columns"]} == {
        "PUBID": "person",
        "svy_year": "year",
        "occ80": "occupation",
        "tenure": "covariate",
    }
    assert seen["facts"]["format"] == "Stata"
    assert (seen["panel"]["states"], seen["panel"]["first"], seen["panel"]["last"]) == (3, "1978", "1982")
    words = shlex.split(seen["command"])
    assert words[words.index("--missing") + 1] == "-4"
    done = typed(tmp_path, *words[1:], "--records", "records", HARNESS_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "records").rglob("*.json"))) == 1


def test_a_spell_with_one_end_is_told_before_its_next_option_is_taken(tmp_path: Path, look: InProcess) -> None:
    (tmp_path / "jobs.csv").write_text("id,from,job\n1,2000,a\n")
    status, _, err = look("look", str(tmp_path / "jobs.csv"), "--spells", "begin=from", "--main", "longest")
    assert status == 2
    assert err == "error: --spells begin=from --main: write both ends, as --spells begin=FROM end=TO\n"


def test_the_mapping_is_a_request_that_runs_and_reproduces(tmp_path: Path, look: InProcess) -> None:
    people().to_csv(tmp_path / "jobs.csv", index=False)
    study, records = tmp_path / "study.yaml", str(tmp_path / "records")
    status, out, err = look("look", str(tmp_path / "jobs.csv"), "--save-mapping", str(study))
    assert status == 0
    assert f"harness run --config {study}" in err
    cache = {"HARNESS_CACHE": str(tmp_path / "cache")}
    done = typed(tmp_path, "run", "--config", str(study), "--records", records, **cache)
    assert done.returncode == 0, done.stderr
    [record] = (tmp_path / "records").rglob("*.json")
    assert json.loads(record.read_text())["configuration"]["panel"]["source"]["options"] == {
        "century": 1930,
        "missing": ["-4"],
    }
    columns = ["--column", "person=PUBID", "--column", "year=svy_year", "--column", "occupation=occ80"]
    again = typed(tmp_path, "verify", str(record), "--data", str(tmp_path / "jobs.csv"), *columns, **cache)
    assert again.returncode == 0, again.stderr + again.stdout
    assert "identical" in again.stdout
    assert "harness run" in out
    assert "--century 1930 --missing -4" in out


def test_a_request_in_a_file_gives_way_to_the_command_line(tmp_path: Path, look: InProcess) -> None:
    people().to_csv(tmp_path / "jobs.csv", index=False)
    study = str(tmp_path / "study.yaml")
    look("look", str(tmp_path / "jobs.csv"), "--save-mapping", study)
    line = ["run", "--config", study, "--drop", "tenure", "--write-config", "other.yaml"]
    assert typed(tmp_path, *line).returncode == 0
    written = (tmp_path / "other.yaml").read_text()
    assert "tenure" in written
    assert "century: 1930" in written


@pytest.mark.parametrize(
    ("file", "persons", "transitions", "states", "stay"),
    [
        ("nlswork.dta", 4699, 23714, 13, 0.733),
        ("mvad.csv", 712, 50552, 6, 0.964),
        ("mvad.RData", 712, 50552, 6, 0.964),
        ("rrdat.txt", 201, 40561, 48, 0.995),
        ("PSIDlong.rda", 1446, 8676, 2, 0.841),
        ("synth_labor.csv", 500, 3463, 100, 0.010),
    ],
)
def test_real_files_are_seen_for_what_they_are(
    file: str, persons: int, transitions: int, states: int, stay: float, look: InProcess
) -> None:
    if not (FORMATS / file).exists():
        pytest.skip("the real files of formats are not on this machine")
    status, out, err = look("look", str(FORMATS / file), "--json")
    assert status == 0, err
    panel = json.loads(out)["panel"]
    assert (panel["persons"], panel["transitions"], panel["states"]) == (persons, transitions, states)
    assert panel["stay_rate"] == pytest.approx(stay, abs=0.0006)


def test_a_file_that_cannot_be_read_is_looked_at_all_the_same(tmp_path: Path, look: InProcess) -> None:
    (tmp_path / "jobs.csv").write_text("a,b\nx,y\nz,w\n")
    status, out, _ = look("look", str(tmp_path / "jobs.csv"))
    assert status == 2
    assert "there is no such column" in out
    assert "harness run" not in out
    status, out, err = look("look", str(tmp_path / "none.csv"))
    assert (status, out, err) == (2, "", f"error: {tmp_path / 'none.csv'}: there is no such file\n")
