"""Careers in columns, in spells, in dates or by age are records in a unit of time, and nothing goes uncounted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.openings import checked, opened, records, table

import harness
from harness.errors import DataError, RequestError
from harness.panel.time import name as time_name


@pytest.mark.parametrize(
    ("names", "unit", "times"),
    [
        (["Jul.93", "Aug.93", "Sep.93"], "month", [23922, 23923, 23924]),
        (["m1999_12", "m2000_01", "m2000_02"], "month", [23999, 24000, 24001]),
        (["s199912", "s200001", "s200002"], "month", [23999, 24000, 24001]),
        (["2001q4", "2002q1", "2002q2"], "quarter", [8007, 8008, 8009]),
        (["job_1998_01", "job_1998_02", "job_1998_03"], "month", [23976, 23977, 23978]),
        (["X1998.10", "X1998.11", "X1998.12"], "month", [23985, 23986, 23987]),
        (["job1998q1", "job1998q2", "job1998q3"], "quarter", [7992, 7993, 7994]),
        (["1998-01-31", "1998-02-28", "1998-03-31"], "month", [23976, 23977, 23978]),
        (["a_job", "b_job", "d_job"], "wave", [1, 2, 4]),
        (["occ1998", "occ2000", "occ2002"], "year", [1998, 2000, 2002]),
        (["occ98", "occ99", "occ00"], "year", [1998, 1999, 2000]),
        (["a15", "a16", "a17"], "age", [15, 16, 17]),
        (["w1_job", "w2_job", "w3_job"], "wave", [1, 2, 3]),
    ],
)
def test_names_of_columns_tell_the_time(tmp_path: Path, names: list[str], unit: str, times: list[int]) -> None:
    path = table(tmp_path / "wide.csv", f"person,{','.join(names)},sex\n1,cook,,nurse,f\n2,cook,cook,cook,m")
    panel = opened(path, wide=f"{names[0]}..{names[-1]}")
    assert panel.unit == unit
    assert records(panel, "1") == [(times[0], "cook"), (times[2], "nurse")]
    assert [time for time, _ in records(panel, "2")] == times
    assert panel.covariates["sex"].fixed
    assert panel.left_out == {"entries of wide.csv without a state": 31}


def test_columns_of_other_variables_are_passed_over_or_named(tmp_path: Path) -> None:
    """A range goes by names, so that a wage between two years is no state; and it may be a covariate of its time."""
    path = table(tmp_path / "wide.csv", "person,occ98,w98,occ00,w00,edu\n1,cook,10,nurse,20,a\n2,cook,11,cook,,b")
    panel = opened(path, wide=["occ98..occ00", "wage=w98..w00"])
    assert records(panel, "1") == [(1998, "cook"), (2000, "nurse")]
    assert panel.covariates["wage"].values[:4].tolist()[:3] == [10, 20, 11]
    assert np.isnan(panel.covariates["wage"].values[3])
    assert set(panel.covariates) == {"wage", "edu"}
    assert set(opened(path, wide="occ98..occ00").covariates) == {"w98", "w00", "edu"}


@pytest.mark.parametrize(
    ("wide", "said"),
    [
        ("occ98", "write the first and the last column"),
        ("occ98..occ01", "wide.csv has no column 'occ01'; did you mean 'occ00'"),
        ("occ00..occ98", "column 'occ98' does not come after 'occ00'"),
        ("s9899..s0001", "3 columns from 's9899' to 's0001' are too few to be waves 1 to 9900: rename them, as s1998"),
        ("occ98..edu", "names such as 'occ98' and 'edu' tell no time"),
    ],
)
def test_a_range_that_is_none_is_told(tmp_path: Path, wide: str, said: str) -> None:
    header = "person,occ98,occ00,edu,s9899,s9900,s0001"
    path = table(tmp_path / "wide.csv", f"{header}\n1,cook,nurse,a,x,x,x\n2,cook,cook,b,x,x,x")
    with pytest.raises(RequestError, match=said):
        opened(path, wide=wide)


@pytest.mark.parametrize(
    ("reading", "columns", "said"),
    [
        ({"wide": "occ98.."}, {}, "write the first and the last column"),
        ({"wide": "occ98..occ00"}, {"occupation": "sex"}, "--column occupation=sex: with --wide the ranges say each"),
        ({"wide": "V911100..V8220000"}, {}, "911100 to 8220000 are no calendar years: rename the columns, as V1998"),
        ({"wide": "occ98..occ00", "century": 30}, {}, "--century 30: write the first of a hundred calendar years"),
        ({"wide": "occ98..occ00", "every": "year:6"}, {}, "--every year:6: times are years already, .* leave ':6' out"),
    ],
)
def test_an_option_that_would_be_passed_over_is_told(
    tmp_path: Path, reading: dict[str, Any], columns: dict[str, str], said: str
) -> None:
    header = "person,occ98,occ00,V911100,V2000000,V8220000,sex"
    path = table(tmp_path / "wide.csv", f"{header}\n1,cook,nurse,a,b,a,f\n2,cook,cook,b,a,b,m")
    with pytest.raises(RequestError, match=said):
        harness.open_panel(path, columns=columns, reading=reading)


def test_a_column_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = table(tmp_path / "jobs.csv", "who,year,occupation\n1,1998,cook")
    with pytest.raises(DataError, match="column 'whoo': there is no such column; did you mean 'who'"):
        harness.open_panel(path, columns={"person": "whoo"})
    (tmp_path / "fixed.txt").write_text("".join(f"{i:06d}1998{i % 7:04d}\n" for i in range(40)))
    with pytest.raises(DataError, match=r"a single one: say --delimiter MARK; .*'harness import'"):
        harness.open_panel(tmp_path / "fixed.txt")


def test_a_fault_in_a_wide_file_has_its_row_and_column(tmp_path: Path) -> None:
    path = table(tmp_path / "wide.csv", "person,occ98,occ00\n1,cook,NA\n2,cook,cook")
    [fault, *_] = checked(path, wide="occ98..occ00").errors
    assert str(fault).startswith("wide.csv, line 2, column 'occ00', value 'NA': is how a missing state is written")
    assert "--missing NA" in str(fault)
    assert records(opened(path, wide="occ98..occ00", missing="NA"), "1") == [(1998, "cook")]


SPELLS = """
person,ts,tf,job,hours
1,1999-11,2000-02,cook,40
1,2000-02,2000-04,nurse,20
2,2000-01,2000-03,cook,10
2,2000-02,2000-02,maid,30
"""


def test_a_spell_is_a_record_a_month_and_the_next_begins_where_it_ends(tmp_path: Path) -> None:
    path = table(tmp_path / "jobs.csv", SPELLS.replace("2,2000-02,2000-02,maid,30\n", ""))
    panel = opened(path, {"occupation": "job"}, spells={"begin": "ts", "end": "tf"})
    assert panel.unit == "month"
    states = ["cook", "cook", "cook", "nurse", "nurse", "nurse"]
    assert records(panel, "1") == list(zip(range(23998, 24004), states, strict=True))
    assert panel.left_out == {"months of spells of jobs.csv in which another counts": 31}


@pytest.mark.parametrize(("main", "february"), [("longest", "cook"), ("latest", "maid"), ("hours=hours", "maid")])
def test_of_several_jobs_at_a_time_one_counts(tmp_path: Path, main: str, february: str) -> None:
    path = table(tmp_path / "jobs.csv", SPELLS)
    with pytest.raises(DataError, match=r"line 5, column 'ts': overlaps another spell.*--main longest"):
        opened(path, {"occupation": "job"}, spells={"begin": "ts", "end": "tf"})
    panel = opened(path, {"occupation": "job"}, spells={"begin": "ts", "end": "tf"}, main=main)
    assert records(panel, "2") == [(24000, "cook"), (24001, february), (24002, "cook")]
    assert sum(panel.left_out.values()) == 62


@pytest.mark.parametrize(
    ("begin", "end", "unit", "first"),
    [
        ("1200", "1202", "month", 12 * 1999 + 11),  # century months: December 1999
        ("199912", "200002", "month", 12 * 1999 + 11),
        ("Q4 1999", "Q2 2000", "quarter", 4 * 1999 + 3),
        ("15.12.1999", "01.02.2000", "month", 12 * 1999 + 11),
        ("12/15/1999", "2/1/2000", "month", 12 * 1999 + 11),
        ("1999", "2001", "year", 1999),
    ],
)
def test_ends_of_spells_in_many_notations(tmp_path: Path, begin: str, end: str, unit: str, first: int) -> None:
    """And a spell without an end goes on to the last of the file."""
    rows = f"person,b,e,job\n1,{begin},,cook\n2,{begin},{end},nurse"
    panel = opened(table(tmp_path / "jobs.csv", rows), {"occupation": "job"}, spells={"begin": "b", "end": "e"})
    assert panel.unit == unit
    assert records(panel, "1") == [(first + i, "cook") for i in range(3)]


def test_ends_of_spells_in_two_columns(tmp_path: Path) -> None:
    """A year and its month; an end with neither goes on, and one without its month is no end."""
    ends = {"begin": "by+bm", "end": "ey+em"}
    path = table(tmp_path / "jobs.csv", "person,by,bm,ey,em,job\n1,1999,11,2000.0,2.0,cook\n2,2000,1,,,maid")
    panel = opened(path, {"occupation": "job"}, spells=ends)
    assert panel.unit == "month"
    assert [time for time, _ in records(panel, "1")] == [23998, 23999, 24000, 24001]
    assert [time for time, _ in records(panel, "2")] == [24000, 24001]
    assert not panel.covariates
    path = table(tmp_path / "half.csv", "person,by,bm,ey,em,job\n1,1999,11,2000,,cook\n2,2000,1,2000,2,maid")
    with pytest.raises(DataError, match=r"line 2, column 'ey\+em', value '2000-': is no time like the others"):
        opened(path, {"occupation": "job"}, spells=ends)


def test_spells_that_cannot_be_are_refused(tmp_path: Path) -> None:
    ends = {"begin": "b", "end": "e"}
    path = table(tmp_path / "jobs.csv", "person,b,e,occupation\n1,2000,1999,cook\n2,2000,2001,cook")
    with pytest.raises(DataError, match=r"line 2, column 'e', value '1999': the spell ends before it begins \(2000\)"):
        opened(path, spells=ends)
    path = table(tmp_path / "jobs.csv", "person,b,e,occupation\n1,1800,999999999,cook\n2,2000,2001,cook")
    with pytest.raises(DataError, match=r"spells cover .* years, more than 100,000,000"):
        opened(path, spells=ends)
    with pytest.raises(RequestError, match=r"--spells end=f: jobs\.csv has no such column"):
        opened(path, spells={"begin": "b", "end": "f"})


def test_dates_are_thinned_by_a_stated_rule_and_what_goes_is_counted(tmp_path: Path) -> None:
    rows = "person,date,occupation\n1,2000-03-31,cook\n1,2000-06-02,maid\n1,2000-12-30,nurse\n1,2002-01-01,cook"
    path = table(tmp_path / "events.csv", rows)
    with pytest.raises(DataError, match="are dates: say how often a record is kept, --every year, quarter or month"):
        opened(path, {"year": "date"})
    yearly = opened(path, {"year": "date"}, every="year")
    assert (yearly.unit, records(yearly, "1")) == ("year", [(2000, "nurse"), (2002, "cook")])
    assert yearly.left_out == {"records of events.csv that are not the last of their year": 62}
    june = opened(path, {"year": "date"}, every="year:6")
    assert records(june, "1") == [(2000, "maid")]
    assert sum(june.left_out.values()) == 93
    quarterly = opened(path, {"year": "date"}, every="quarter")
    assert [time_name(time, quarterly.unit) for time, _ in records(quarterly, "1")] == [
        "2000-Q1",
        "2000-Q2",
        "2000-Q4",
        "2002-Q1",
    ]
    with pytest.raises(RequestError, match="--every week: write year, quarter or month"):
        opened(path, {"year": "date"}, every="week")


def test_several_records_of_a_year_and_one_counts(tmp_path: Path) -> None:
    path = table(tmp_path / "jobs.csv", "person,year,occupation,pay\n1,2000,cook,30\n1,2000,maid,20\n1,2001,cook,1")
    with pytest.raises(DataError, match=r"already has a record of this year .*--main"):
        opened(path)
    assert records(opened(path, main="latest"), "1")[0] == (2000, "maid")
    assert records(opened(path, main="pay=pay"), "1")[0] == (2000, "cook")
    assert opened(path, main="latest").left_out == {"records of jobs.csv that are not the main one of their time": 31}
    with pytest.raises(RequestError, match="--main longest is for --spells"):
        opened(path, main="longest")


@pytest.mark.parametrize(
    ("years", "said"),
    [
        (("199911", "199912", "200001"), "are months (199807), not years: read them with --unit month"),
        (("20001", "20002", "20003"), "are quarters (20023), not years: read them with --unit quarter"),
        (("19991130", "20000131", "20000228"), "are dates: say how often a record is kept, --every year"),
    ],
)
def test_what_is_no_year_is_refused_with_the_option_that_reads_it(
    tmp_path: Path, years: tuple[str, ...], said: str
) -> None:
    rows = "\n".join(f"1,{year},cook" for year in years)
    path = table(tmp_path / "jobs.csv", f"person,year,occupation\n{rows}")
    assert said in str(checked(path).errors[0])
    if "--unit" in said:
        unit = said.split("--unit ")[1].split(maxsplit=1)[0].strip(",;")
        assert np.diff([time for time, _ in records(opened(path, unit=unit), "1")]).tolist() == [1, 1]


def test_century_months_read_as_years_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "jobs.csv", "person,year,occupation\n" + "\n".join(f"1,{900 + i},cook" for i in range(30)))
    assert "look like century months (1 is January 1900), not years" in str(checked(path).errors[0])
    assert opened(path, unit="month").year.min() == 12 * 1974 + 11
    assert opened(path, unit="year").year.min() == 900


def test_spells_read_as_years_are_refused(tmp_path: Path) -> None:
    """A further column that is never before the year, and never after the person's next one, ends a spell."""
    rows = "\n".join(f"1,{1980 + 3 * i},{1981 + 3 * i + i % 2},job{i % 3}" for i in range(8))
    path = table(tmp_path / "jobs.csv", f"person,year,until,occupation\n{rows}")
    [fault] = checked(path).errors
    assert "'until' looks like the end of a spell" in str(fault)
    assert "--spells begin=year end=until" in str(fault)
    assert opened(path, drop="until").n_records == 31 * 8
    assert opened(path, spells={"begin": "year", "end": "until"}).n_records > 31 * 8


def test_two_digit_years_are_of_a_century(tmp_path: Path) -> None:
    path = table(tmp_path / "jobs.csv", "person,year,occupation\n1,98,cook\n1,99,maid\n1,01,cook")
    with pytest.raises(DataError, match="comes after 99"):
        opened(path)
    assert [time for time, _ in records(opened(path, century=1950), "1")] == [1998, 1999, 2001]


def test_ages_in_the_place_of_years(tmp_path: Path) -> None:
    rows = "person,age,born,occupation\n1,20.4,1970,cook\n1,21.5,1970,maid\n2,30,1950,cook\n2,31,1950,cook"
    path = table(tmp_path / "jobs.csv", rows)
    ages = opened(path, {"age": "age"})
    assert (ages.unit, records(ages, "1")) == ("age", [(20, "cook"), (21, "maid")])
    assert ages.age()[:2].tolist() == [20, 21]
    years = opened(path, {"age": "age", "birth_year": "born"})
    assert (years.unit, records(years, "2")) == ("year", [(1980, "cook"), (1981, "cook")])
    assert years.age()[:2].tolist() == [20, 21]
    path = table(tmp_path / "both.csv", "person,year,AGE,occupation\n1,1990,20,cook\n1,1991,20,maid\n2,1990,30,cook")
    both = opened(path, {"age": "AGE"})
    assert both.age()[:3].tolist() == [20, 21, 30]
    assert set(both.covariates) == {"birth_year"}


def test_ids_and_times_of_several_columns(tmp_path: Path) -> None:
    rows = "h,m,y,q,occupation\n1,1,2016,1,cook\n1,1,2016,2,maid\n1,2,2016,2,cook\n1,2,2016,4,cook"
    path = table(tmp_path / "jobs.csv", rows)
    panel = opened(path, {"person": "h+m", "year": "y+q"})
    assert panel.unit == "quarter"
    assert records(panel, "1-1") == [(8064, "cook"), (8065, "maid")]
    assert records(panel, "1-2") == [(8065, "cook"), (8067, "cook")]
    assert panel.covariates == {}


def test_the_unit_is_part_of_the_panel_and_of_no_panel_of_years(tmp_path: Path) -> None:
    rows = "person,year,occupation\n1,1,cook\n1,2,maid"
    waves = opened(table(tmp_path / "a.csv", rows), unit="wave")
    years = opened(table(tmp_path / "b.csv", rows))
    assert waves.year.tolist() == years.year.tolist()
    assert waves.fingerprint() != years.fingerprint()
    assert waves.source["time_unit"] == "wave"
    assert "time_unit" not in years.source
    assert waves.name_of(0) == "person 1, wave 1"
    assert years.name_of(0) == "person 1, year 1"
