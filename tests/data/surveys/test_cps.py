"""harness import cps: extracts of IPUMS CPS with their DDI codebook."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from helpers.bundles import IpumsColumn, ipums
from helpers.paths import SHARED
from helpers.toys import InProcess

import harness
from harness.panel.careers import Panel

PERSONS = 40


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("import", monkeypatch, capsys)


def extract() -> list[IpumsColumn]:
    """Each person in January and March of 2018 and in January of 2019; every fourth cannot be linked."""
    linked = [0 if i % 4 == 3 else 20180100000000 + 100 * i + 1 for i in range(PERSONS)]
    per = [
        (2018, 1, 10, 4020, 436),  # year, month, status, OCC, OCC1990
        (2018, 3, 21, 4020, 436),  # no month of the year after is a year away
        (2019, 1, 12, 3255, 95),
    ]
    rows = [(person, *one) for one in per for person in range(PERSONS)]
    odd = [person % 4 == 1 for person, *_ in rows]
    return [
        IpumsColumn("YEAR", 4, [row[1] for row in rows], household=True),
        IpumsColumn("SERIAL", 5, list(range(len(rows))), household=True),
        IpumsColumn("MONTH", 2, [row[2] for row in rows], household=True),
        IpumsColumn("REGION", 2, [31] * len(rows), household=True),
        IpumsColumn("WTFINL", 14, [15000000 + row[0] for row in rows], decimals=4),
        IpumsColumn("CPSIDP", 14, [linked[row[0]] for row in rows]),
        IpumsColumn("AGE", 2, [30 + (row[1] == 2019) for row in rows]),
        IpumsColumn("SEX", 1, [1 + row[0] % 2 for row in rows]),
        IpumsColumn("EMPSTAT", 2, [34 if o and row[1] == 2019 else row[3] for row, o in zip(rows, odd, strict=True)]),
        IpumsColumn("EDUC", 3, [111] * len(rows)),
        IpumsColumn("OCC", 4, [row[4] for row in rows]),
        IpumsColumn("OCC1990", 3, [row[5] for row in rows]),
    ]


def read(panel: Panel) -> dict[str, list[tuple[int, str]]]:
    codes = np.array(panel.occupations.codes)[panel.state]
    return {
        str(person): list(zip(panel.year[a:b].tolist(), codes[a:b].tolist(), strict=True))
        for person, a, b in zip(panel.persons, panel.offsets[:-1], panel.offsets[1:], strict=True)
    }


@pytest.mark.parametrize("hierarchical", [True, False])
def test_persons_are_linked_and_followed_from_year_to_year_in_one_month(
    command: InProcess, tmp_path: Path, hierarchical: bool
) -> None:
    bundle = ipums(tmp_path / "bundle", extract(), hierarchical)
    status, out, err = command("cps", str(bundle), "--out", str(tmp_path / "panel"))
    assert (status, err) == (0, "")
    panel = harness.open_panel(tmp_path / "panel")
    careers = read(panel)
    assert len(careers) == PERSONS * 3 // 4
    assert careers["20180100000001"] == [(2018, "4020"), (2019, "3255")]
    assert careers["20180100000101"] == [(2018, "4020"), (2019, "OUT")]
    assert panel.covariates["weight"].values[0] == 1500
    assert set(panel.covariates["birth_year"].values.tolist()) == {1988}
    assert panel.covariates["region"].levels == ("south",)
    assert panel.covariates["education"].levels == ("college",)
    assert f"{3 * PERSONS // 4} records without CPSIDP, which cannot be linked" in out.splitlines()
    assert f"{3 * PERSONS // 4} records of other months than the one that a person is followed in" in out.splitlines()


def test_occ1990dd_comes_from_occ1990_without_any_download(command: InProcess, tmp_path: Path) -> None:
    columns = extract()
    bundle = ipums(tmp_path / "bundle", [*columns[:-1], IpumsColumn("OCC1990", 3, [17] * 3 * PERSONS)], True)
    status, _, err = command(*("cps", str(bundle), "--out", str(tmp_path / "panel"), "--occupations", "occ1990dd"))
    assert (status, err) == (0, "")
    panel = harness.open_panel(tmp_path / "panel")
    assert panel.occupations.codes == ("022", "OUT")  # 17, food service managers, are managers n.e.c.
    assert panel.occupations.titles[0].startswith("Managers and administrators")


def test_a_csv_extract_gives_the_same_careers(command: InProcess, tmp_path: Path) -> None:
    bundle = ipums(tmp_path / "bundle", extract(), hierarchical=False)
    columns = extract()
    lines = [",".join(one.name for one in columns)]
    lines += [",".join(map(str, row)) for row in zip(*(one.values for one in columns), strict=True)]
    (tmp_path / "cps.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    for source, out in ((bundle, "a"), (tmp_path / "cps.csv.gz", "b")):
        assert command("cps", str(source), "--out", str(tmp_path / out))[0] == 0
    assert read(harness.open_panel(tmp_path / "a")) == read(harness.open_panel(tmp_path / "b"))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "cps_00001.xml").unlink(), "no codebook cps_00001.xml"),
        (lambda folder: (folder / "cps_00001.xml").write_text("<codeBook>"), "cps_00001.xml: is no XML"),
        (
            lambda folder: (folder / "cps_00001.dat.gz").write_bytes(b"\x1f\x8b rest"),
            "cps_00001.dat.gz: cannot be read",
        ),
    ],
)
def test_a_faulty_extract_is_told_in_one_line(command: InProcess, tmp_path: Path, damage, told: str) -> None:  # type: ignore[no-untyped-def]
    bundle = ipums(tmp_path / "bundle", extract(), hierarchical=True)
    damage(bundle)
    status, out, err = command("cps", str(bundle), "--out", str(tmp_path / "panel"))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert told in err


@pytest.mark.skipif(not (SHARED / "formats").is_dir(), reason="the survey extract is not on this machine")
def test_a_real_extract_is_read_whole(command: InProcess, tmp_path: Path) -> None:
    """It holds no occupations: all else is read, and the lack is told in one line."""
    status, out, err = command("cps", str(SHARED / "formats" / "cps_00421.dat.gz"), "--out", str(tmp_path / "panel"))
    assert (status, out) == (2, "")
    assert "cps_00421.dat.gz was read (14 variables, 201,993 persons' records), but careers need EMPSTAT, OCC" in err
