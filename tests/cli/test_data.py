"""harness data describe, check and convert, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.toys import InProcess

OCCUPATIONS = "code,title,soc,status\n01,One,,employed\n02,Two,,employed\n"
CAREERS = (
    "person,year,occupation,split\n"
    "1,2000,01,train\n1,2001,02,train\n2,2000,01,valid\n2,2001,02,valid\n3,2000,01,test\n3,2001,01,test\n"
)


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("data", monkeypatch, capsys)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "panel").mkdir()
    (tmp_path / "panel/careers.csv").write_text(CAREERS)
    (tmp_path / "panel/occupations.csv").write_text(OCCUPATIONS)
    return tmp_path / "panel"


def test_check_lists_every_fault_and_exits_2(harness: InProcess, source: Path) -> None:
    (source / "careers.csv").write_text(CAREERS.replace("1,2001,02", "1,2001,2").replace("3,2001", "3,20x1"))
    status, out, err = harness("check", str(source))
    assert (status, err) == (2, "")
    assert out.splitlines() == [
        "error: careers.csv, line 3, column 'occupation', value '2': has lost its leading zeros: the code is '02'; "
        "read and write codes as text",
        "error: careers.csv, line 7, column 'year', value '20x1': is not an integer; "
        "a calendar year is written as 1998",
        f"{source}: 2 errors, 0 notes; not read",
    ]
    content = json.loads(harness("check", str(source), "--json")[1])
    assert [(fault["file"], fault["line"], fault["column"], fault["value"]) for fault in content["errors"]] == [
        ("careers.csv", 3, "occupation", "2"),
        ("careers.csv", 7, "year", "20x1"),
    ]
    status, out, err = harness("describe", str(source))
    assert (status, out) == (2, "")
    assert err.startswith("error: careers.csv, line 3, column 'occupation', value '2'")
    assert len(err.splitlines()) == 1


def test_a_sound_source_is_checked_described_and_converted(harness: InProcess, source: Path, tmp_path: Path) -> None:
    assert harness("check", str(source)) == (0, f"{source}: 0 errors, 0 notes; 3 persons, 6 records\n", "")
    status, out, _ = harness("describe", str(source))
    assert status == 0
    assert any(line.split() == ["stay", "rate", "33.3%"] for line in out.splitlines())
    figures = json.loads(harness("describe", str(source), "--json")[1])
    copy = str(tmp_path / "copy")
    status, out, _ = harness("convert", str(source), copy, "--to", "parquet", "--json")
    assert status == 0
    assert json.loads(out)["fingerprint"] == figures["fingerprint"]
    assert json.loads(harness("describe", copy, "--json")[1])["stay_rate"] == 1 / 3
    assert harness("convert", str(source), copy) == (
        2,
        "",
        f"error: {copy}: already holds something; name a new folder\n",
    )


def test_mapping_and_settings_reach_the_readers(harness: InProcess, source: Path) -> None:
    careers = source / "careers.csv"
    careers.write_text(CAREERS.replace("person,year,occupation", "ID,yr,occ"))
    columns = ["--column", "person=ID", "--column", "year=yr", "--column", "occupation=occ"]
    table = ["--occupations", str(source / "occupations.csv")]
    described = json.loads(harness("describe", str(careers), *columns, *table, "--json")[1])
    assert (described["persons"], described["states"]) == (3, 2)
    message = "error: 'wage-panel' has no parameter 'persons'; it has none\n"
    assert harness("describe", "wage-panel", "--set", "persons=3") == (2, "", message)
    assert json.loads(harness("describe", "market", "--set", "persons=40", "--json")[1])["persons"] == 40
