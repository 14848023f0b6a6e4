"""Code lists by name in the place of a table's path."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from helpers.toys import InProcess

import harness
from harness.data.codelists import code_lists, path_of


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


@pytest.mark.parametrize(
    ("name", "code", "title", "group"),
    [
        ("census2010", "3255", "Registered nurses", "29"),
        ("census2002", "3130", "Registered Nurses", "29"),
        ("soc2018", "29-1141", "Registered Nurses", "29"),
        ("isco08", "2221", "Nursing professionals", "2"),
        ("occ1990dd", "095", "Registered nurses", "professional specialty"),
    ],
)
def test_a_name_brings_titles_and_groups(tmp_path: Path, name: str, code: str, title: str, group: str) -> None:
    panel = harness.open_panel(careers(tmp_path, [code, "OUT"]), occupations=name)
    place = panel.occupations.codes.index(code)
    assert panel.occupations.titles[place] == title
    assert panel.occupations.groups[place] == group


def test_lists_are_named_and_a_wrong_name_is_told(command: InProcess, tmp_path: Path) -> None:
    status, out, _ = command("lists", "--json")
    assert status == 0
    named = {one["name"]: one for one in json.loads(out)}
    assert named["isco08"]["codes"] == 436
    assert all(one["source"] and one["license"] for one in named.values())
    status, out, err = command("describe", str(careers(tmp_path, ["1", "2"])), "--occupations", "census2011")
    assert (status, out) == (2, "")
    assert "no code list of the name; did you mean 'census2010'?" in err
    assert len(err.splitlines()) == 1


def test_states_without_groups_are_noted_until_a_list_brings_them(command: InProcess, tmp_path: Path) -> None:
    codes = ["0010", "0020", "0030", "0040", "0050", "0060", "0100", "0110", "0120", "0135", "0136"]
    source = str(careers(tmp_path, codes))
    said = command("check", source)[1]
    assert said.count("every occupation is a group of its own") == 1
    assert "every occupation is a group" not in command("check", source, "--occupations", "census2010")[1]
