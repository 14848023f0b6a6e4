"""Code lists by name in the place of a table's path."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from helpers.toys import InProcess

import harness
from harness.data.codelists import code_lists, path_of
from harness.data.codelists.partial import PARTIAL
from harness.data.surveys.crosswalks import occ1990dd_of


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("data", monkeypatch, capsys)


def careers(folder: Path, codes: list[str]) -> Path:
    """A single file of careers that go through these codes."""
    rows = [f"{person},{2000 + i},{code}" for person in range(30) for i, code in enumerate(codes)]
    path = folder / "careers.csv"
    path.write_text("\n".join(["person,year,occupation", *rows]) + "\n")
    return path


@pytest.mark.parametrize("name", sorted(code_lists()))
def test_every_list_reads_as_a_table_of_occupations(tmp_path: Path, name: str) -> None:
    """As many occupations as it says, each with a title, in groups that are fewer, and three statuses."""
    rows = [line.split(",") for line in gzip.decompress(path_of(name).read_bytes()).decode().splitlines()[1:]]
    source = careers(tmp_path, [rows[0][0], rows[1][0], "UNEMPLOYED"])
    panel = harness.open_panel(source, occupations=name)
    states = panel.occupations
    assert len(states) == code_lists()[name].codes + 3
    assert set(states.statuses) == {"employed", "unemployed", "out of the labor force", "education"}
    assert len(set(states.groups)) - 3 in range(10, 25)
    assert max(states.minor_index()) + 1 >= len(set(states.groups))
    assert all(title.strip() == title and title for title in states.titles)


# Classifications whose titles do not come with the package: code and group stand for them.
GROUPS_ALONE = [
    (
        "census1970",
        "045",
        "Census 1970 occupation 045, professional, technical, and kindred workers",
        "professional, technical, and kindred workers",
    ),
    (
        "census1980",
        "3",
        "Census 1980 occupation 003, executive, administrative, and managerial",
        "executive, administrative, and managerial",
    ),
    ("census1990", "095", "Registered nurses", "professional specialty"),
    ("census1990", "264", "Retail salespersons and sales clerks (Census 1990 code 264)", "sales"),
    ("census1990", "177", "Census 1990 occupation 177, professional specialty", "professional specialty"),
    ("occ1990", "465", "Welfare service workers (occ1990 code 465)", "other service"),
    ("census2018", "0010", "Census 2018 occupation 0010, management", "11"),
    ("soc2010", "15-1131", "SOC 2010 occupation 15-1131, computer and mathematical", "15"),
    ("isco88", "2221", "ISCO-88 occupation 2221, professionals", "2"),
]


@pytest.mark.parametrize(
    ("name", "code", "title", "group"),
    [
        ("census2010", "3255", "Registered nurses", "29"),
        ("census2002", "3130", "Registered Nurses", "29"),
        ("soc2018", "29-1141", "Registered Nurses", "29"),
        ("isco08", "2221", "Nursing professionals", "2"),
        ("occ1990dd", "095", "Registered nurses", "professional specialty"),
        *GROUPS_ALONE,
    ],
)
def test_a_name_brings_titles_and_groups(tmp_path: Path, name: str, code: str, title: str, group: str) -> None:
    panel = harness.open_panel(careers(tmp_path, [code, "OUT"]), occupations=name)
    place = panel.occupations.codes.index(code)
    assert panel.occupations.titles[place] == title
    assert panel.occupations.groups[place] == group
    if name in PARTIAL:  # the states are those that occur; no title is that of another classification's number
        assert panel.occupations.codes == (code, "OUT")
        assert panel.occupations.titles[1:] == ("Out of the labor force",)
        assert panel.occupations.statuses == ("employed", "out of the labor force")


def test_lists_are_named_and_a_wrong_name_is_told(command: InProcess, tmp_path: Path) -> None:
    status, out, _ = command("lists", "--json")
    assert status == 0
    named = {one["name"]: one for one in json.loads(out)}
    assert named["isco08"]["codes"] == 436
    assert all(one["source"] and one["license"] for name, one in named.items() if name not in PARTIAL)
    assert set(PARTIAL) < set(named)
    assert "no list of its titles comes with the package" in named["census1970"]["note"]
    status, out, err = command("describe", str(careers(tmp_path, ["1", "2"])), "--occupations", "census2011")
    assert (status, out) == (2, "")
    assert "no code list of the name; did you mean 'census2018'?" in err
    assert len(err.splitlines()) == 1


def test_states_without_groups_are_noted_until_a_list_brings_them(command: InProcess, tmp_path: Path) -> None:
    codes = ["0010", "0020", "0030", "0040", "0050", "0060", "0100", "0110", "0120", "0135", "0136"]
    source = str(careers(tmp_path, codes))
    said = command("check", source)[1]
    assert said.count("every occupation is a group of its own") == 1
    assert "every occupation is a group" not in command("check", source, "--occupations", "census2010")[1]


def test_a_code_that_is_none_of_the_classification_is_told(command: InProcess, tmp_path: Path) -> None:
    status, out, _ = command("check", str(careers(tmp_path, ["045", "199", "OUT"])), "--occupations", "census1970")
    assert status == 2
    assert "value '199'" in out
    assert "census1970: no list of its titles comes with the package" in out
    status, out, _ = command("look", str(careers(tmp_path, ["045", "OUT"])), "--occupations", "census1970")
    assert (status, "--occupations census1970" in out) == (0, True)


def test_labels_of_the_file_come_before_titles_by_group(tmp_path: Path) -> None:
    frame = pd.DataFrame({"person": range(40), "year": 1990, "occupation": 3})
    pyreadstat.write_dta(frame, tmp_path / "jobs.dta", variable_value_labels={"occupation": {3: "Lawmakers"}})
    assert harness.open_panel(tmp_path / "jobs.dta", occupations="census1980").occupations.titles == ("Lawmakers",)


def test_numbers_that_occ1990dd_gave_away_are_no_counterpart_of_themselves() -> None:
    """Religious workers were 177 in 1990, where occ1990dd has welfare workers; OCC1990 has no 177 of its own."""
    assert occ1990dd_of("census1990", 177, {}) is None
    assert occ1990dd_of("census1990", 465, {}) == 177
    assert occ1990dd_of("census1990", 95, {}) == 95


def test_a_table_of_code_title_and_group_is_enough(command: InProcess, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("code,title,group\n7,Cook,kitchen\n8,Maid,house\n9,Nurse,care\n")
    source = careers(tmp_path, ["7", "8"])
    states = harness.open_panel(source, occupations=tmp_path / "jobs.csv").occupations
    assert states.titles == ("Cook", "Maid", "Nurse")
    assert states.groups == ("kitchen", "house", "care")
    assert set(states.statuses) == {"employed"}
    status, out, _ = command("check", str(source), "--occupations", str(tmp_path / "jobs.csv"))
    assert status == 0
    assert "no column says each state's labor-force status, so all count as employed: add 'status'" in out
