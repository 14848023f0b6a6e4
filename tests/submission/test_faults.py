"""Tables of probabilities that cannot be right: that each fault is told, with its place and what would be right."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.submissions import CODES, YEARS, Rows, Scorer, long_file, long_rows, written
from helpers.toys import EXPECTED, MARGIN

from harness.panel.careers import Panel
from harness.registry import Registry
from harness.runs.execute import Workshop


@pytest.fixture
def score(registry: Registry, workshop: Workshop, four_persons: Panel) -> Scorer:
    return Scorer(registry, workshop, four_persons)


def but(row: int, column: int, value: object) -> Rows:
    """The long rows with another entry."""
    rows = long_rows()
    rows[row][column] = value
    return rows


WRONG: dict[str, tuple[Rows, str]] = {
    "no row of a transition": (
        long_rows()[:8],
        "p.csv: nothing is said of person 'd', year 2004 (nor of 1 more of 4 transitions): every transition of "
        "the test split is needed, by the year that is predicted",
    ),
    "no row of a state": (
        long_rows()[:15],
        "of person 'd', year 2005 state 'OUT' is missing: 3 of 4 states are there",
    ),
    "twice": (
        [*long_rows(), ["d", 2002, "UNEMP", 0.1]],
        "p.csv, line 18: person 'd', year 2002, state 'UNEMP' stands in line 8 already: keep one",
    ),
    "nobody": (but(5, 0, "e"), "p.csv, line 7, column 'person', value 'e': no person of 'four-persons' has this id"),
    "no such year": (
        but(5, 1, 2003),
        "line 7, column 'year', value '2003': person 'd' has no record of this year; theirs are of 2000 to 2005, "
        "not all in between",
    ),
    "no year": (but(5, 1, "2002.5"), "line 7, column 'year', value '2002.5': is no calendar year"),
    "no such state": (but(5, 2, "43-9062"), "line 7, column 'state', value '43-9062': no occupation has this code"),
    "blank state": (but(5, 2, ""), "line 7, column 'state', value '': is blank"),
    "blank person": (but(5, 0, ""), "line 7, column 'person', value '': is blank"),
    "above one": (
        but(5, 3, 1.2),
        "line 7, column 'probability', value '1.2': person 'd', year 2002, state '43-9061': a pr",
    ),
    "below zero": (
        but(5, 3, -0.1),
        "value '-0.1': person 'd', year 2002, state '43-9061': a probability is a number from",
    ),
    "logarithms": (long_rows([-1.2, -0.9, -2.3, -1.6]), "a probability is a number from 0 to 1; --log reads natural"),
    "percentages": (long_rows([30, 40, 10, 20]), "is a number from 0 to 1; divide percentages by 100"),
    "blank": (but(5, 3, ""), "line 7, column 'probability', value '': person 'd', year 2002"),
    "infinite": (but(5, 3, "Inf"), "line 7, column 'probability', value 'inf'"),
    "no number": (but(5, 3, "NA"), "line 7, column 'probability', value 'NA': is not a number"),
    "decimal comma": (but(5, 3, "0,4"), "value '0,4': is not a number: write the decimals behind a point"),
    "no sum": (
        long_rows([0.3, 0.4, 0.1, 0.2002]),
        "the probabilities of person 'd', year 2001 sum to 1.000200 (and of 3 more of 4 transitions not to 1)",
    ),
    "never": (
        long_rows([0.5, 0.3, 0.0, 0.2]),
        "4 of 16 probabilities leave no room, first that of person 'd', year 2001, state 'UNEMP', which is 0: a state "
        "that was never seen must stay possible",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_right_is_told_with_its_place(score: Scorer, tmp_path: Path, what: str) -> None:
    rows, message = WRONG[what]
    assert message in score.refusal(long_file(tmp_path, rows))
    assert not list(score.workshop.store.folder.rglob("*"))


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_places_are_those_of_the_file(score: Scorer, tmp_path: Path, ending: str) -> None:
    rows = but(5, 3, 1.2)
    said = score.refusal(long_file(tmp_path, rows, f"p.{ending}"))
    assert said.startswith(f"p.{ending}, {'row 6' if ending == 'parquet' else 'line 7'}, column 'probability'")
    again = [*rows[:5], *long_rows()[5:], ["d", 2001, "OUT", 0.2]]
    said = score.refusal(long_file(tmp_path, again, f"p.{ending}"))
    assert "stands in " + ("row 4" if ending == "parquet" else "line 5") + " already" in said


def test_lines_are_counted_with_those_that_are_no_rows(score: Scorer, tmp_path: Path) -> None:
    file = long_file(tmp_path, but(5, 3, 1.2))
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:3], "", *lines[3:]]))
    assert score.refusal(file).startswith("p.csv, line 8, ")


def test_files_that_are_no_tables(score: Scorer, tmp_path: Path) -> None:
    whole = long_file(tmp_path).read_bytes()
    ragged = whole.replace(b"d,2002,43-9061,0.4", b"d,2002,43-9061")
    for content, message in (
        (b"", "p.csv: is empty"),
        (whole.splitlines()[0], "p.csv: has column names and no rows"),
        (whole.replace(b",", b";"), "the file seems to be separated by ';'"),
        (ragged, "p.csv, line 7: the row has 3 entries, the header 4"),
        (whole.decode().encode("utf-16"), "is neither parquet nor UTF-8 text"),
        (whole.replace(b"UNEMP", b"UN\xe9MP", 1), "p.csv, line 4: is not UTF-8"),
        (gzip.compress(whole)[:-20], "p.csv"),
        (b"PAR1" + whole, "p.csv: is not a readable parquet file"),
        (whole.replace(b"person", b"year"), "p.csv, column 'year': two columns have this name"),
        (whole.replace(b"person", b"PERSON"), "column 'person': there is no such column; "),
        (whole.replace(b"probability", b"p"), "has no column probability or log_probability"),
        (
            whole.replace(b"state", b"log_probability"),
            "has a column probability and a column log_probability: keep one",
        ),
    ):
        (tmp_path / "p.csv").write_bytes(content)
        assert message in score.refusal(tmp_path / "p.csv")
    assert "cannot be read" in score.refusal(tmp_path / "missing.csv")


def test_a_damaged_gzip_is_told_whatever_byte_is_wrong(score: Scorer, tmp_path: Path) -> None:
    """Header, blocks, distances, checksum: each is another exception of the library."""
    whole = gzip.compress(long_file(tmp_path).read_bytes(), mtime=0)
    for place in range(2, len(whole), 5):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        (tmp_path / "p.csv.gz").write_bytes(damaged)
        try:
            said = score.refusal(tmp_path / "p.csv.gz")
        except pytest.fail.Exception:  # bytes that say nothing of the content, such as the time
            assert place < 10, place
        else:
            assert said.startswith("p.csv.gz"), said


def test_columns_that_are_mapped_wrongly(score: Scorer, tmp_path: Path) -> None:
    file = long_file(tmp_path)
    assert "--file-column to=: no such part" in score.refusal(file, to="state")
    assert "'year' cannot be both person and year" in score.refusal(file, person="year", year="year")
    assert "column 'P': there is no such column" in score.refusal(file, probability="P")
    text = written(tmp_path / "t.parquet", ["person", "year", "state", "probability"], [["d", 2001, "OUT", "much"]])
    assert "column 'probability': is of type string: write numbers" in score.refusal(text)


def test_a_wide_file_has_every_state(score: Scorer, tmp_path: Path) -> None:
    rows: Rows = [["d", y, *MARGIN] for y in YEARS]
    by_r = written(tmp_path / "r.csv", ["person", "year", "X29.1141", "X43.9061", "UNEMP", "OUT"], rows)
    said = score.refusal(by_r)
    assert "state '29-1141' has no column (nor have 1 more of 4): R wrote it as 'X29.1141'" in said
    assert "check.names = FALSE" in said
    fewer = written(tmp_path / "f.csv", ["person", "year", *CODES[:3]], [row[:5] for row in rows])
    assert "state 'OUT' has no column: add it; a wide file has one a state" in score.refusal(fewer)
    twice = written(tmp_path / "t.csv", ["person", "year", *CODES], [*rows, rows[1]])
    assert "line 6: person 'd', year 2002 stands in line 3 already" in score.refusal(twice)
    rows[2][4] = "x"
    bad = written(tmp_path / "b.csv", ["person", "year", *CODES], rows)
    assert "b.csv, line 4, column 'UNEMP', value 'x': is not a number" in score.refusal(bad)
    rows[2][4] = 3
    assert "line 4, column 'UNEMP', value '3': person 'd', year 2004" in score.refusal(
        written(tmp_path / "b.csv", ["person", "year", *CODES], rows)
    )


def test_codes_and_ids_that_were_read_as_numbers_are_recognised(
    registry: Registry, workshop: Workshop, four_persons: Panel, tmp_path: Path
) -> None:
    codes = ("0110", "9061", "UNEMP", "OUT")
    panel = replace(
        four_persons,
        occupations=replace(four_persons.occupations, codes=codes, groups=codes),
        persons=np.array(["01", "02", "03", "7"]),
    )
    score = Scorer(registry, workshop, panel)
    rows: Rows = [["7.0", f"{y}.0", code, p] for y in YEARS for code, p in zip(codes, MARGIN, strict=True)]
    [record] = score(long_file(tmp_path, rows)).values()  # what pandas makes of years and ids beside a blank
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["next_occ"], abs=1e-6)
    without: Rows = [[p, y, str(c).lstrip("0"), v] for p, y, c, v in rows]
    assert "value '110': has lost its leading zeros: the code is '0110'; read and write codes as text" in score.refusal(
        long_file(tmp_path, without)
    )
    wide = written(tmp_path / "w.csv", ["person", "year", "110", *codes[1:]], [["7", y, *MARGIN] for y in YEARS])
    assert "state '0110' has no column: column '110' has lost its leading zeros" in score.refusal(wide)
    assert "value '3': has lost its leading zeros: the id is '03'" in score.refusal(
        long_file(tmp_path, [*rows, ["3", 2001, "OUT", 0.5]])
    )


@pytest.mark.parametrize("head", ['person,year,"state\n","probab\nility"', 'who,"ye\nar",state,probability'])
def test_names_of_columns_are_told_in_one_line(score: Scorer, tmp_path: Path, head: str) -> None:
    file = tmp_path / "p.csv"
    file.write_text(f"{head}\nd,2001,OUT,0.5\n")
    assert "\\n" in score.refusal(file)
