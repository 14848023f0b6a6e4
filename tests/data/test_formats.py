"""Careers in the files of other programs are the careers of a csv, and a broken file is one line."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat
import pytest
import rdata
from helpers.tables import errors
from helpers.toys import InProcess

from harness.data.open import check
from harness.data.open import open_panel as opened
from harness.data.reading import FileReading
from harness.errors import DataError, RequestError
from harness.panel import Panel

IN_R = {"person": "int32", "year": "int32", "occupation": "int32", "region": "category"}  # types that rdata writes
LABELS: dict[int | float, str] = {110: "Managers", 230: "Teachers", 4720: "Cashiers"}


def careers(persons: int = 40) -> pd.DataFrame:
    """Forty persons in three codes over four years, with a wage that some lack and a region with a leading zero."""
    rng = np.random.default_rng(3)
    n = persons * 4
    wage = rng.normal(20.5, 5, n).round(2)
    wage[::7] = np.nan
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(1, persons + 1), 4),
            "year": np.tile(np.arange(1998, 2002), persons),
            "occupation": rng.choice(list(LABELS), n),
            "wage": wage,
            "region": rng.choice(["01", "02"], n),
        }
    )


def open_panel(path: Path, columns: Mapping[str, str] | None = None, reading: Mapping[str, Any] | None = None) -> Panel:
    """As ``harness.open_panel``, without the time that it takes to find plugins."""
    return opened(path, columns=columns or {}, reading=FileReading.of(reading or {}))


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("data", monkeypatch, capsys)


def alike(panel: Panel, other: Panel) -> None:
    """The same careers: persons, years, states and every covariate; titles may be another file's labels."""
    assert panel.persons.tolist() == other.persons.tolist()
    assert panel.offsets.tolist() == other.offsets.tolist()
    assert panel.year.tolist() == other.year.tolist()
    assert panel.occupations.codes == other.occupations.codes
    assert panel.state.tolist() == other.state.tolist()
    assert panel.split.tolist() == other.split.tolist()
    assert panel.covariates.keys() == other.covariates.keys()
    for name, covariate in panel.covariates.items():
        assert covariate.levels == other.covariates[name].levels
        np.testing.assert_array_equal(covariate.values, other.covariates[name].values)


def _dta(table: pd.DataFrame, path: Path) -> None:
    pyreadstat.write_dta(table, path, variable_value_labels={"occupation": LABELS}, column_labels=list(table.columns))


def _sav(table: pd.DataFrame, path: Path) -> None:
    pyreadstat.write_sav(table, path, variable_value_labels={"occupation": LABELS})


def _por(table: pd.DataFrame, path: Path) -> None:
    pyreadstat.write_por(table.rename(columns=str.upper), path)


def _xlsx(table: pd.DataFrame, path: Path) -> None:
    table.to_excel(path, index=False)


def _rds(table: pd.DataFrame, path: Path) -> None:
    rdata.write_rds(path, table.astype(IN_R))


def _zip(table: pd.DataFrame, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._jobs.csv", "x")
        archive.writestr("folder/jobs.csv", table.to_csv(index=False))
        archive.writestr("readme.md", "of the jobs")


def _dta_gz(table: pd.DataFrame, path: Path) -> None:
    _dta(table, path.with_suffix(""))
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))


WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "dta": _dta,
    "sav": _sav,
    "xpt": pyreadstat.write_xport,
    "rds": _rds,
    "xlsx": _xlsx,
    "feather": lambda table, path: table.to_feather(path),
    "tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    "txt": lambda table, path: table.to_csv(path, index=False, sep=" ", na_rep="NA"),
    "zip": _zip,
    "dta.gz": _dta_gz,
}


@pytest.mark.parametrize("form", WRITERS)
def test_every_form_is_the_careers_of_the_csv(tmp_path: Path, form: str) -> None:
    table = careers()
    table.to_csv(tmp_path / "jobs.csv", index=False)
    WRITERS[form](table, tmp_path / f"jobs.{form}")
    panel, plain = open_panel(tmp_path / f"jobs.{form}"), open_panel(tmp_path / "jobs.csv")
    alike(panel, plain)
    assert np.isnan(panel.covariates["wage"].values).sum() == table["wage"].isna().sum()


def test_labels_are_titles_and_codes_stay_codes(tmp_path: Path) -> None:
    _dta(careers(), tmp_path / "jobs.dta")
    panel = open_panel(tmp_path / "jobs.dta")
    assert dict(zip(panel.occupations.codes, panel.occupations.titles, strict=True)) == {
        str(code): title for code, title in LABELS.items()
    }
    bare = open_panel(tmp_path / "jobs.dta", reading={"titles_from": "codes"})
    assert bare.occupations.titles == bare.occupations.codes
    careers().to_csv(tmp_path / "jobs.csv", index=False)
    with pytest.raises(DataError, match="the file has no labels for these codes"):
        open_panel(tmp_path / "jobs.csv", reading={"titles_from": "labels"})


def test_a_covariate_with_a_label_for_each_value_is_in_words(tmp_path: Path) -> None:
    table = careers().assign(race=lambda t: t["person"] % 2 + 1)
    pyreadstat.write_dta(table, tmp_path / "a.dta", variable_value_labels={"race": {1: "white", 2: "black"}})
    assert open_panel(tmp_path / "a.dta").covariates["race"].levels == ("black", "white")
    pyreadstat.write_dta(table, tmp_path / "b.dta", variable_value_labels={"race": {1: "white"}})
    assert open_panel(tmp_path / "b.dta").covariates["race"].kind == "numeric"


def test_missing_values_of_stata_and_spss_are_missing(tmp_path: Path) -> None:
    """Tagged ones too, and those that a user of SPSS declared; rows without a state go, and are counted."""
    table = careers()
    table["hours"] = np.where(table["year"] == 1999, -2.0, 40.0)
    table.loc[3, "occupation"] = np.nan
    pyreadstat.write_sav(table, tmp_path / "jobs.sav", missing_ranges={"hours": [{"lo": -9, "hi": -1}]})
    panel = open_panel(tmp_path / "jobs.sav")
    assert panel.left_out == {"rows of jobs.sav without a state": 1}
    assert panel.n_records == len(table) - 1
    assert np.isnan(panel.covariates["hours"].values).sum() == 40
    tagged = table.assign(wage=[".a" if np.isnan(wage) else wage for wage in table["wage"]])
    tagged["wage"] = [wage if isinstance(wage, float) else "a" for wage in tagged["wage"]]
    pyreadstat.write_dta(tagged, tmp_path / "jobs.dta", missing_user_values={"wage": ["a"]})
    told = open_panel(tmp_path / "jobs.dta").covariates["wage"]
    assert told.kind == "numeric"
    assert np.isnan(told.values).sum() == table.drop(3)["wage"].isna().sum()


def test_of_several_data_frames_one_is_named(tmp_path: Path) -> None:
    jobs = careers().astype(IN_R)
    path = tmp_path / "all.RData"
    rdata.write_rda(path, {"jobs": jobs, "codes": pd.DataFrame({"code": np.array([1.0, 2.0])}), "n": np.array([1.0])})
    with pytest.raises(RequestError, match="holds 2 data frames, jobs, codes: choose one, --object NAME"):
        open_panel(path)
    with pytest.raises(RequestError, match=r"--object job: all\.RData has no such data frame; did you mean 'jobs'"):
        open_panel(path, reading={"object": "job"})
    careers().to_csv(tmp_path / "jobs.csv", index=False)
    alike(open_panel(path, reading={"object": "jobs"}), open_panel(tmp_path / "jobs.csv"))


def test_of_several_sheets_one_is_named(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "book.xlsx") as writer:
        careers().to_excel(writer, sheet_name="jobs", index=False)
        pd.DataFrame({"note": ["of the jobs"]}).to_excel(writer, sheet_name="notes", index=False)
    with pytest.raises(RequestError, match="holds 2 sheets, jobs, notes"):
        open_panel(tmp_path / "book.xlsx")
    assert open_panel(tmp_path / "book.xlsx", reading={"object": "jobs"}).n_persons == 40


def test_faults_of_a_sheet_have_its_rows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["person", "year", "occupation"], [1, 1998, "a"], [None, None, None], [1, "x", "b"]):
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    found = errors(tmp_path / "book.xlsx")
    assert any(one.startswith("book.xlsx, line 4, column 'year', value 'x': is not an integer") for one in found)


def test_decimal_commas_are_seen_and_thousands_are_not_taken_for_them(tmp_path: Path) -> None:
    table = careers()
    table.to_csv(tmp_path / "jobs.csv", index=False)
    table.to_csv(tmp_path / "comma.csv", index=False, sep=";", decimal=",")
    alike(open_panel(tmp_path / "comma.csv"), open_panel(tmp_path / "jobs.csv"))
    grouped = table.assign(wage=[f"{1000 * (i % 30) + 25000:,}" for i in range(len(table))])
    grouped.to_csv(tmp_path / "grouped.csv", index=False, sep=";")
    assert open_panel(tmp_path / "grouped.csv").covariates["wage"].kind == "categorical"
    told = open_panel(tmp_path / "grouped.csv", reading={"decimal": ","}).covariates["wage"]
    assert (told.kind, told.values[0]) == ("numeric", 25.0)


def test_a_file_without_a_line_of_names(tmp_path: Path) -> None:
    careers()[["person", "year", "occupation"]].to_csv(tmp_path / "jobs.txt", sep=" ", header=False, index=False)
    columns = {"person": "V1", "year": "V2", "occupation": "V3"}
    panel = open_panel(tmp_path / "jobs.txt", columns=columns)
    assert panel.n_records == 160
    named = open_panel(tmp_path / "jobs.txt", reading={"names": "person,year,occupation"})
    assert named.fingerprint() == panel.fingerprint()
    text = (tmp_path / "jobs.txt").read_text().splitlines()
    (tmp_path / "jobs.txt").write_text("\n".join([*text[:6], "2 19x8 110", *text[7:]]))
    assert errors(tmp_path / "jobs.txt", columns=columns)[0].startswith("jobs.txt, line 7, column 'V2', value '19x8'")
    with pytest.raises(RequestError, match="--names has 2 names, and the first row 3 entries"):
        open_panel(tmp_path / "jobs.txt", reading={"names": "a,b"})


def test_r_writes_names_of_rows_without_a_name_above(tmp_path: Path) -> None:
    table = careers().assign(region="a b")
    text = table.to_csv(sep=" ", quoting=2, na_rep="NA", float_format="%.2f").replace('"" ', "", 1)
    (tmp_path / "jobs.txt").write_text(text)
    panel = open_panel(tmp_path / "jobs.txt")
    assert panel.covariates["region"].levels == ("a b",)
    assert panel.left_out == {"columns of jobs.txt without a name": 1}


def test_an_encoding_is_named(tmp_path: Path) -> None:
    text = careers().assign(region="Zürich").to_csv(index=False)
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "jobs.csv").write_bytes(text.encode(encoding))
        with pytest.raises(DataError, match="--encoding"):
            open_panel(tmp_path / "jobs.csv")
        panel = open_panel(tmp_path / "jobs.csv", reading={"encoding": encoding})
        assert panel.covariates["region"].levels == ("Zürich",)
    with pytest.raises(DataError, match="no encoding has this name"):
        open_panel(tmp_path / "jobs.csv", reading={"encoding": "latin-99"})


def test_a_folder_of_parquet_files_is_one_file(tmp_path: Path) -> None:
    table = careers()
    table.to_csv(tmp_path / "jobs.csv", index=False)
    for occupation, part in table.groupby("occupation"):
        (tmp_path / "jobs" / f"occupation={occupation}").mkdir(parents=True)
        part.drop(columns="occupation").to_parquet(
            tmp_path / "jobs" / f"occupation={occupation}" / "0.parquet", index=False
        )
    alike(open_panel(tmp_path / "jobs"), open_panel(tmp_path / "jobs.csv"))


def test_an_archive_of_two_tables_names_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", careers().to_csv(index=False))
        archive.writestr("b.csv", careers(30).to_csv(index=False))
    with pytest.raises(RequestError, match=r"holds 2 files, a\.csv, b\.csv: choose one, --object NAME"):
        open_panel(tmp_path / "two.zip")
    assert open_panel(tmp_path / "two.zip", reading={"object": "b.csv"}).n_persons == 30


@pytest.mark.parametrize("form", [*WRITERS, "por", "sas7bdat", "rda"])
def test_a_broken_file_is_one_line(tmp_path: Path, form: str, harness: InProcess) -> None:
    """Cut at every tenth, replaced by other bytes, or of another form: status 2, and no traceback."""
    path = tmp_path / f"jobs.{form}"
    if form in WRITERS:
        WRITERS[form](careers(), path)
        whole = path.read_bytes()
        cut = [whole[: len(whole) * tenth // 10] for tenth in (1, 5, 9)]
    else:
        cut = []
    other = io.BytesIO()
    with gzip.open(other, "wb") as stream:
        stream.write(b"RDX3\nX\n" + b"\xff" * 400)
    for data in [*cut, b"", b"\x00" * 600, b"PK\x03\x04" + b"\xff" * 300, other.getvalue()]:
        path.write_bytes(data)
        found = check(path)
        if found.panel is not None:  # what is left of a text cut at the end of an entry, or a card, is sound
            assert form in ("tsv", "txt") or (form == "xpt" and len(data) % 80 == 0)
        assert found.panel is not None or found.errors
        assert all("\n" not in str(fault) for fault in found.errors)
    status, out, err = harness("describe", str(path))
    assert (status, out, len(err.splitlines())) == (2, "", 1)


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("packed", "rfile", "excel", "labelled"):
        monkeypatch.setattr(f"harness.data.tables.{name}.MOST_UNPACKED", 2000)
    for form in ("zip", "rds", "xlsx", "dta", "dta.gz"):
        WRITERS[form](careers(), tmp_path / f"jobs.{form}")
        (found,) = errors(tmp_path / f"jobs.{form}")
        assert "unpacks to" in found
        assert "more than 2e-06 GB" in found


def test_a_library_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _dta(careers(), tmp_path / "jobs.dta")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"needs pyreadstat.*pip install 'labor-harness\[files\]'"):
        check(tmp_path / "jobs.dta")


def test_options_of_a_file_are_none_of_a_data_set(harness: InProcess) -> None:
    status, _, err = harness("describe", "market", "--every", "year")
    assert (status, err) == (2, "error: 'market' is a data set by name: --every are for files\n")
    with pytest.raises(RequestError, match="evry: no such option; did you mean 'every'"):
        FileReading.of({"evry": "year"})


def test_faults_are_grouped_unless_all_are_asked_for(tmp_path: Path, harness: InProcess) -> None:
    table = careers().astype({"year": object})
    table.loc[::4, "year"] = "n.a."
    table.to_csv(tmp_path / "jobs.csv", index=False)
    status, out, _ = harness("check", str(tmp_path / "jobs.csv"))
    assert status == 2
    told = [line.split(",")[1] for line in out.splitlines() if "'year'" in line]
    assert told == [" line 2", " line 6", " line 10"]
    assert "error: and 37 more like these; --all lists them" in out.splitlines()
    every = harness("check", str(tmp_path / "jobs.csv"), "--all")[1]
    assert sum("is not an integer" in line for line in every.splitlines()) == 40
    assert len(json.loads(harness("check", str(tmp_path / "jobs.csv"), "--json")[1])["errors"]) == 40
