"""Dates in every notation are days of the calendar, and none whose day and month could be exchanged is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest
from helpers.openings import checked, opened, records

from harness.errors import DataError, RequestError
from harness.panel import Panel

EVERY: dict[str, Any] = {"every": "month"}
JULY, MARCH = 12 * 1998 + 6, 12 * 1999 + 2


def dated(path: Path, first: str, second: str, copies: int = 30) -> Path:
    """A csv of persons with a record at each of two dates."""
    rows = [f"{i},{date},{job}" for i in range(copies) for date, job in ((first, "cook"), (second, "maid"))]
    path.write_text("\n".join(["person,year,occupation", *rows]) + "\n")
    return path


def times(panel: Panel) -> list[int]:
    return [time for time, _ in records(panel, "0")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1998-07-31", "1999-03-02"),
        ("1998-07-31 00:00:00", "1999-03-02 00:00:00"),
        ("1998-07-31T12:30", "1999-03-02T00:00"),
        ("31.07.1998", "02.03.1999"),
        ("1.7.1998", "2.3.1999"),
        ("31/07/1998", "02/03/1999"),
        ("07/31/1998", "03/02/1999"),
        ("07/31/1998 00:00:00", "03/02/1999 00:00:00"),
        ("7-31-1998", "3-2-1999"),
        ("31/07/98", "02/03/99"),
        ("31jul1998", "02mar1999"),
        ("31-JUL-98", "02-MAR-99"),
        ("31JUL1998:00:00:00", "02MAR1999:00:00:00"),
        ("19980731", "19990302"),
        ('"July 31, 1998"', '"Mar 2, 1999"'),
        ("31 July 1998", "2. Mar 1999"),
    ],
)
def test_a_date_is_a_day_in_every_notation(tmp_path: Path, first: str, second: str) -> None:
    path = dated(tmp_path / "jobs.csv", first, second)
    assert times(opened(path, **EVERY)) == [JULY, MARCH]
    assert "are dates: say how often a record is kept" in str(checked(path).errors[0])


def test_day_and_month_that_could_be_exchanged_are_asked_about(tmp_path: Path) -> None:
    path = dated(tmp_path / "jobs.csv", "07/03/1998", "02/03/1999")
    said = str(checked(path, **EVERY).errors[0])
    assert "'07/03/1998' is 1998-03-07 if the day stands first (--dates day)" in said
    assert "and 1998-07-03 if the month does (--dates month)" in said
    assert times(opened(path, dates="day", **EVERY)) == [12 * 1998 + 2, MARCH]
    assert times(opened(path, dates="month", **EVERY)) == [JULY, 12 * 1999 + 1]


def test_dates_in_two_orders_are_refused(tmp_path: Path) -> None:
    path = dated(tmp_path / "jobs.csv", "31/07/1998", "03/20/1999")
    [fault] = checked(path, **EVERY).errors
    assert "'31/07/1998' has the day first, '03/20/1999' the month: write all in one order" in str(fault)


def test_a_day_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    path = dated(tmp_path / "jobs.csv", "31.07.1998", "02.03.1999")
    path.write_text(path.read_text().replace("0,31.07.1998", "0,31.06.1998", 1))
    [fault] = checked(path, **EVERY).errors
    assert (fault.line, fault.value) == (2, "31.06.1998")


@pytest.mark.parametrize("since", ["1960-01-01", "1970-01-01", "1899-12-30"])
def test_numbers_count_days_from_a_date(tmp_path: Path, since: str) -> None:
    days = [(pd.Timestamp(day) - pd.Timestamp(since)).days for day in ("1998-07-31", "1999-03-02")]
    path = dated(tmp_path / "jobs.csv", str(days[0]), str(days[1]))
    assert times(opened(path, dates=since, **EVERY)) == [JULY, MARCH]
    with pytest.raises(RequestError, match="--dates 1960: write day or month"):
        opened(path, dates="1960", **EVERY)


def test_days_read_as_years_are_refused(tmp_path: Path) -> None:
    rows = "\n".join(f"{i % 30},{11_000 + 10 * i},cook" for i in range(90))
    path = tmp_path / "jobs.csv"
    path.write_text(f"person,year,occupation\n{rows}\n")
    said = str(checked(path).errors[0])
    assert "look like days counted from a date, not years: --dates 1960-01-01 (Stata, SAS)" in said
    assert opened(path, dates="1960-01-01", every="month").year.min() == 12 * 1990 + 1


def test_years_with_decimals_are_dates(tmp_path: Path) -> None:
    """1998.58 is a day of July; where the times are no years, their unit cuts the decimals off."""
    path = dated(tmp_path / "jobs.csv", "1998.5833", "1999.1666")
    said = str(checked(path).errors[0])
    assert "have decimals" in said
    assert "--every year" in said
    assert times(opened(path, every="month")) == [JULY + 1, MARCH]
    assert times(opened(path, every="year")) == [1998, 1999]
    path = dated(tmp_path / "weeks.csv", "2.75", "10.125")
    assert times(opened(path, unit="wave")) == [2, 10]


def test_dates_of_stata_are_dates(tmp_path: Path) -> None:
    frame = pd.DataFrame({"person": range(30), "year": pd.Timestamp("1998-07-31"), "occupation": "cook"})
    later = frame.assign(year=pd.Timestamp("1999-03-02"), occupation="maid")
    both = pd.concat([frame, later]).assign(year=lambda table: table["year"].dt.date)
    pyreadstat.write_dta(both, tmp_path / "jobs.dta")
    assert times(opened(tmp_path / "jobs.dta", **EVERY)) == [JULY, MARCH]


@pytest.mark.parametrize(
    ("form", "counts", "told"),
    [
        ("%tm", (462, 470), [JULY, MARCH]),
        ("%th", (77, 78), [4 * 1998 + 2, 4 * 1999]),
        ("%tw", (26 + 52 * 38, 8 + 52 * 39), [JULY, 12 * 1999 + 1]),
    ],
)
def test_times_that_stata_counts(tmp_path: Path, form: str, counts: tuple[int, int], told: list[int]) -> None:
    """Months and half-years from 1960 on, and weeks, of which a year has 52."""
    rows = [(i, count, job) for i in range(30) for count, job in zip(counts, ("cook", "maid"), strict=True)]
    frame = pd.DataFrame(rows, columns=["person", "year", "occupation"])
    pyreadstat.write_dta(frame, tmp_path / "jobs.dta", variable_format={"year": form})
    assert times(opened(tmp_path / "jobs.dta", **(EVERY if form == "%tw" else {}))) == told


@pytest.mark.parametrize("end", ["", "present", "Now", "9999-12-31", "31.12.9999"])
def test_a_spell_that_goes_on(tmp_path: Path, end: str) -> None:
    """Up to the last time of the file, be that the begin of another spell."""
    rows = [f"{i},01.07.1998,15.09.1998,cook\n{i},15.09.1998,{end},maid" for i in range(30)]
    rows.append("x,01.12.1998,,nurse")
    path = tmp_path / "spells.csv"
    path.write_text("person,b,e,occupation\n" + "\n".join(rows) + "\n")
    panel = opened(path, spells={"begin": "b", "end": "e"})
    assert records(panel, "0") == [(JULY + i, "cook" if i < 2 else "maid") for i in range(6)]
    assert records(panel, "x") == [(JULY + 5, "nurse")]


def test_spells_that_count_from_a_start_are_no_years(tmp_path: Path) -> None:
    path = tmp_path / "spells.csv"
    rows = "\n".join(f"{i},0,3.5,cook\n{i},3.5,6,maid" for i in range(30))
    path.write_text(f"person,b,e,occupation\n{rows}\n")
    ends = {"begin": "b", "end": "e"}
    with pytest.raises(DataError, match="is no calendar year: --unit wave takes numbers that count from a start"):
        opened(path, spells=ends)
    told = [(i, "cook" if i < 3 else "maid") for i in range(7)]
    assert records(opened(path, spells=ends, unit="wave"), "0") == told
