"""harness import jobhop, karrierewege and decorte: corpora of resumes in their published columns."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import InProcess

import harness
from harness.panel.careers import Panel

PERSONS = 30


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("import", monkeypatch, capsys)


def read(panel: Panel) -> dict[str, list[tuple[int, str]]]:
    codes = np.array(panel.occupations.codes)[panel.state]
    return {
        str(person): list(zip(panel.year[a:b].tolist(), codes[a:b].tolist(), strict=True))
        for person, a, b in zip(panel.persons, panel.offsets[:-1], panel.offsets[1:], strict=True)
    }


def jobhop(folder: Path) -> Path:
    lines = ["resume_id,matched_code,start_date,end_date,university_level"]
    for person in range(PERSONS):
        lines += [
            f"{person},2353.1,Q3 1996,Q2 1998,Master",
            f"{person},1324.8.3,Q2 1998,Q1 2000,Master",  # of 1998 three quarters, of 2000 none
            f"{person},4222.1,Q1 1999,Q2 1999,Master",
            f"{person},unknown,Q1 2001,Q1 2002,Master",
            f"{person},2642.1.8,,,Master",
            f"{person},0310.3,Q1 2003,Q1 2001,Master",
        ]
    path = folder / "JobHop.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_quarters_become_years_of_the_longest_spell(command: InProcess, tmp_path: Path) -> None:
    status, out, err = command("jobhop", str(jobhop(tmp_path)), "--out", str(tmp_path / "panel"))
    assert (status, err) == (0, "")
    panel = harness.open_panel(tmp_path / "panel")
    assert read(panel)["7"] == [(1996, "2353.1"), (1997, "2353.1"), (1998, "1324.8.3"), (1999, "1324.8.3")]
    states = panel.occupations
    assert dict(zip(states.codes, states.groups, strict=True)) == {"1324.8.3": "1", "2353.1": "2"}
    assert panel.covariates["education"].levels == ("Master",)
    lines = out.splitlines()
    assert f"{PERSONS} spells without a start date" in lines
    assert f"{PERSONS} spells of an unknown occupation" in lines
    assert f"{PERSONS} spells that end before they begin" in lines
    assert f"{2 * PERSONS} spells that share a year with a longer one" in lines


def test_esco_codes_become_unit_groups_of_isco(command: InProcess, tmp_path: Path) -> None:
    line = ["jobhop", str(jobhop(tmp_path)), "--out", str(tmp_path / "panel"), "--match", "isco08"]
    assert command(*line)[0] == 0
    panel = harness.open_panel(tmp_path / "panel")
    assert read(panel)["7"][-1] == (1999, "1324")
    assert panel.occupations.titles == ("Supply, distribution and related managers", "Other language teachers")


def karrierewege(folder: Path) -> Path:
    steps = [("civil engineer", 0), ("Software-Developer", 1), ("secretary to the general", 2), ("zzz", 3)]
    lines = ["_id,experience_order,preferredLabel_en,description_en"]
    lines += [f'{person},{order},{title},"A line,\nand more"' for person in range(PERSONS) for title, order in steps]
    path = folder / "train.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_titles_are_matched_with_their_scores_and_edited_matches_are_taken(command: InProcess, tmp_path: Path) -> None:
    """Every match stands in a table beside the panel, which can be edited and handed back."""
    source = str(karrierewege(tmp_path))
    line = ["karrierewege", source, "--match", "isco08"]
    status, out, err = command(*line, "--out", str(tmp_path / "a"))
    assert (status, err) == (0, "")
    careers = read(harness.open_panel(tmp_path / "a"))
    assert careers["3"] == [(2000, "2142"), (2001, "2512")]
    written = tmp_path / "a.matches.csv"
    with written.open(newline="") as file:
        rows = {row["title"]: row for row in csv.DictReader(file)}
    assert {title: row["how"] for title, row in rows.items()} == {
        "civil engineer": "exact",
        "Software-Developer": "exact",
        "secretary to the general": "none",
        "zzz": "none",
    }
    near = rows["secretary to the general"]
    assert (near["code"], near["matched_title"], near["times"]) == ("", "Secretaries (general)", str(PERSONS))
    assert 50 < float(near["score"]) < 85
    assert f"{2 * PERSONS} spells whose occupation has no code in the list" in out.splitlines()
    lower = command(*line, "--out", str(tmp_path / "b"), "--least-score", near["score"])
    assert lower[0] == 0
    assert read(harness.open_panel(tmp_path / "b"))["3"][2] == (2002, "4120")
    edited = tmp_path / "edited.csv"
    edited.write_text("title,code\nsecretary to the general,4120\ncivil engineer,\nzzz,2611\n")
    assert command(*line, "--out", str(tmp_path / "c"), "--matches", str(edited))[0] == 0
    assert read(harness.open_panel(tmp_path / "c"))["3"] == [(2001, "2512"), (2002, "4120"), (2003, "2611")]
    edited.write_text("title,code\nzzz,26\n")
    status, _, err = command(*line, "--out", str(tmp_path / "d"), "--matches", str(edited))
    assert (status, err) == (
        2,
        "error: edited.csv, line 2, column 'code', value '26': is no code of the list that titles are matched to\n",
    )


def test_one_row_a_resume_becomes_its_experiences(command: InProcess, tmp_path: Path) -> None:
    """Without a code list the titles are the states; an open end lasts to the last date of the corpus."""
    header = "identifier,industry,number_of_experiences"
    header += "".join(f",uuid_{k},title_{k},start_{k},end_{k},ESCO_uri_{k},ESCO_title_{k}" for k in range(2))
    lines = [header]
    for person in range(PERSONS):
        first = "u,Chef de partie,05/2010,02/2012,http://x/1,Cook"
        second = "u,Head chef,03/2012,Present,http://x/2,Head Chef" if person % 2 else ",,,,,"
        lines.append(f"{person},FOOD,2,{first},{second}")
    path = tmp_path / "decorte.csv"
    path.write_text("\n".join(lines) + "\n")
    assert command("decorte", str(path), "--out", str(tmp_path / "panel"))[0] == 0
    careers = read(harness.open_panel(tmp_path / "panel"))
    assert careers["1"] == [(2010, "cook"), (2011, "cook"), (2012, "head chef")]
    assert careers["2"] == [(2010, "cook"), (2011, "cook"), (2012, "cook")]


def test_a_wrong_file_is_told_in_one_line(command: InProcess, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,job\n1,cook\n")
    for corpus, told in (("jobhop", "start_date"), ("karrierewege", "experience_order"), ("decorte", "identifier")):
        status, out, err = command(corpus, str(tmp_path / "x.csv"), "--out", str(tmp_path / "panel"))
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert f"x.csv, line 1: has no column {told}" in err
