"""harness import psid: family and individual files of the PSID Data Center."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.bundles import psid
from helpers.paths import SHARED
from helpers.toys import InProcess

import harness
from harness.panel.careers import Panel

Columns = dict[str, tuple[str, Sequence[int]]]
FAMILIES = 30  # of four: a reference person, a spouse, a child, and a former member who has died


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("import", monkeypatch, capsys)


def each(*values: int) -> list[int]:
    """The four members of every family."""
    return list(values) * FAMILIES


def numbered(first: int) -> list[int]:
    return [first + i for i in range(FAMILIES) for _ in range(4)]


def individuals() -> Columns:
    """In 2003 the couple parts: the spouse of 2001 heads a family of her own, numbered 600 and on."""
    alone = [number + 100 * (i % 4 == 1) for i, number in enumerate(numbered(500))]
    return {
        "ER30001": ("1968 INTERVIEW NUMBER", numbered(1)),
        "ER30002": ("PERSON NUMBER                         68", each(1, 2, 30, 170)),
        "ER32000": ("SEX OF INDIVIDUAL", each(1, 2, 2, 1)),
        "ER31996": ("SAMPLING ERROR STRATUM", numbered(1)),
        "ER31997": ("SAMPLING ERROR CLUSTER", each(1, 1, 1, 1)),
        "ER33601": ("2001 INTERVIEW NUMBER", numbered(300)),
        "ER33602": ("SEQUENCE NUMBER                       01", each(1, 2, 3, 81)),
        "ER33603": ("RELATION TO HEAD                      01", each(10, 20, 30, 10)),
        "ER33604": ("AGE OF INDIVIDUAL                     01", each(40, 38, 9, 50)),
        "ER33606": ("YEAR INDIVIDUAL BORN                  01", each(1961, 1963, 1992, 9999)),
        "ER33616": ("YEARS COMPLETED EDUCATION             01", each(12, 16, 0, 99)),
        "ER33637": ("CORE/IMM INDIVIDUAL LONGITUDINAL WT   01", each(11, 12, 13, 0)),
        "ER33701": ("2003 INTERVIEW NUMBER", alone),
        "ER33702": ("SEQUENCE NUMBER                       03", each(1, 1, 3, 0)),
        "ER33703": ("RELATION TO HEAD                      03", each(10, 10, 30, 0)),
        "ER33716": ("YEARS COMPLETED EDUCATION             03", each(14, 99, 0, 0)),
    }


def family_2001() -> Columns:
    return {
        "ER17002": ("2001 FAMILY INTERVIEW (ID) NUMBER", list(range(300 + FAMILIES - 1, 299, -1))),
        "ER17226": ("B9-9A MAIN OCCUPATION: 3 DIGIT (HD-E)", [245] * FAMILIES),
        "ER17796": ("D9-9A MAIN OCCUPATION: 3 DIGIT (WF-E)", [75] * FAMILIES),
        "ER20376": ("CURRENT REGION", [3] * FAMILIES),
    }


def family_2003() -> Columns:
    """The reference persons of the first families look for work, although an occupation is coded."""
    return {
        "ER21002": (
            "2003 FAMILY INTERVIEW (ID) NUMBER",
            [500 + i for i in range(FAMILIES)] + [600 + i for i in range(FAMILIES)],
        ),
        "ER21123": ("BC1 EMPLOYMENT STATUS-1ST MENTION", [3] * FAMILIES + [1] * FAMILIES),
        "ER21145": ("BC20 MAIN OCC FOR JOB 1: 2000 CODE (HD)", [43] * FAMILIES + [313] * FAMILIES),
    }


def read(panel: Panel) -> dict[str, list[tuple[int, str]]]:
    codes = np.array(panel.occupations.codes)[panel.state]
    return {
        str(person): list(zip(panel.year[a:b].tolist(), codes[a:b].tolist(), strict=True))
        for person, a, b in zip(panel.persons, panel.offsets[:-1], panel.offsets[1:], strict=True)
    }


@pytest.mark.parametrize("form", ["do", "sps", "sas"])
def test_families_are_joined_to_their_reference_persons_and_spouses(
    command: InProcess, tmp_path: Path, form: str
) -> None:
    """A spouse's occupation is the spouse's, and after a separation her own family's."""
    bundle = tmp_path / "bundle"
    psid(bundle, "IND2003ER", individuals(), form)
    psid(bundle, "FAM2001ER", family_2001(), form)
    psid(bundle, "FAM2003ER", family_2003(), form)
    status, out, err = command("psid", str(bundle), "--out", str(tmp_path / "panel"))
    assert (status, err) == (0, "")
    panel = harness.open_panel(tmp_path / "panel")
    careers = read(panel)
    assert len(careers) == 2 * FAMILIES
    assert careers["7_1"] == [(2001, "1970-245"), (2003, "UNEMPLOYED")]
    assert careers["7_2"] == [(2001, "1970-075"), (2003, "2002-3130")]
    first = int(np.flatnonzero(panel.persons == "7_1")[0])
    records = slice(int(panel.offsets[first]), int(panel.offsets[first + 2]))  # 7_1 and 7_2
    education = panel.covariates["education"]
    told = [education.levels[int(i)] for i in education.values[records]]
    assert told == ["high school", "some college", "college", "college"]
    assert panel.covariates["birth_year"].values[records].tolist() == [1961, 1961, 1963, 1963]
    assert panel.covariates["weight"].values[records][[0, 2]].tolist() == [11, 12]
    assert np.isnan(panel.covariates["weight"].values[records][1])
    assert panel.covariates["stratum"].levels[int(panel.covariates["stratum"].values[records][0])] == "7"
    assert panel.covariates["unit"].levels[int(panel.covariates["unit"].values[records][0])] == "7-1"
    others = "person-years of neither a reference person nor a spouse, whose work the family file does not tell"
    assert f"{2 * FAMILIES} {others}" in out.splitlines()


def test_one_file_of_all_that_was_asked_for_gives_the_same_careers(command: InProcess, tmp_path: Path) -> None:
    """The site also joins families to individuals itself; a csv needs no syntax file."""
    apart, whole = tmp_path / "apart", tmp_path / "whole"
    psid(apart, "IND2003ER", individuals(), "do")
    psid(apart, "FAM2001ER", family_2001(), "do")
    psid(apart, "FAM2003ER", family_2003(), "do")
    columns = {name: values for name, (_, values) in individuals().items()}
    for family, interview in ((family_2001(), "ER33601"), (family_2003(), "ER33701")):
        link, *names = family
        place = {number: i for i, number in enumerate(family[link][1])}
        for name in names:
            columns[name] = [family[name][1][place[number]] for number in columns[interview]]
    whole.mkdir()
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (whole / "J1.csv").write_text("\n".join(lines) + "\n")
    for source in (apart, whole):
        assert command("psid", str(source), "--out", str(source / "panel"))[0] == 0
    assert read(harness.open_panel(whole / "panel")) == read(harness.open_panel(apart / "panel"))


def test_what_is_missing_is_told_in_one_line(command: InProcess, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    psid(bundle, "IND2003ER", individuals(), "do")
    status, out, err = command("psid", str(bundle), "--out", str(tmp_path / "panel"))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "careers need occupations" in err
    psid(bundle, "FAM2001ER", family_2001(), "do")
    (bundle / "FAM2001ER.do").unlink()
    status, _, err = command("psid", str(bundle), "--out", str(tmp_path / "panel"))
    assert (status, err) == (2, "error: FAM2001ER.txt: has no .do, .sps or .sas file of the same name beside it\n")


@pytest.mark.skipif(not (SHARED / "formats").is_dir(), reason="the survey extract is not on this machine")
def test_a_real_job_is_read_whole(command: InProcess, tmp_path: Path) -> None:
    """It holds no occupations: all else is read, and the lack is told in one line."""
    status, out, err = command("psid", str(SHARED / "formats" / "J220485.txt"), "--out", str(tmp_path / "panel"))
    assert (status, out) == (2, "")
    assert "J220485.txt was read (17 variables, 25,262 persons), but careers need occupations" in err
