"""Two persons never share a career, and one code is one state: what a program has rounded or respelt is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.tables import CAREERS, OCCUPATIONS, errors, folder
from pyarrow import parquet

from harness import open_panel
from harness.data.open import check


def file_of(folder: Path, rows: Sequence[tuple[object, int, str]], head: str = "person,year,occupation") -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return path


def persons(ids: list[Any], code: str = "a") -> list[tuple[object, int, str]]:
    return [(person, year, code) for person in ids for year in (2000, 2001)]


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("1.23457E+17", "is a number in scientific notation, rounded to the digits shown"),
        ("1e+17", "is a number in scientific notation, rounded to the digits shown"),
        ("9007199254740992.0", "was a floating-point number, which has no digits for ids past 2^53"),
    ],
)
def test_ids_that_a_program_has_rounded(tmp_path: Path, first: str, said: str) -> None:
    path = file_of(tmp_path, persons([*range(30), first]))
    assert errors(path) == [
        f"mine.csv, line 62, column 'person', value '{first}': {said}; persons with other ids may be written alike: "
        "write ids as text"
    ]


def test_ids_past_2_to_the_53_as_text_or_whole_numbers_stay_apart(tmp_path: Path) -> None:
    ids = [2**53 + i for i in range(40)]
    text = open_panel(file_of(tmp_path, persons(ids)))
    assert text.persons.tolist() == [str(i) for i in ids]
    table = pa.table({"person": pa.array(np.repeat(ids, 2)), "year": [2000, 2001] * 40, "occupation": ["a"] * 80})
    parquet.write_table(table, tmp_path / "mine.parquet")
    assert open_panel(tmp_path / "mine.parquet").fingerprint() == text.fingerprint()
    parquet.write_table(
        table.set_column(0, "person", table["person"].cast(pa.float64(), safe=False)), tmp_path / "mine.parquet"
    )
    assert errors(tmp_path / "mine.parquet")[0] == (
        "mine.parquet, line 1, column 'person', value '9.007199254740992e+15': the column is of type double, in which "
        "neighbouring ids of this size are one number: write ids as whole numbers or as text"
    )


@pytest.mark.parametrize("kind", [pa.float64(), pa.int64()])
def test_smaller_ids_are_the_same_persons_in_every_type(tmp_path: Path, kind: Any) -> None:
    ids = [10**11 + i for i in range(40)]
    text = open_panel(file_of(tmp_path, persons(ids)))
    table = {"person": pa.array(np.repeat(ids, 2)).cast(kind), "year": [2000, 2001] * 40, "occupation": ["a"] * 80}
    parquet.write_table(pa.table(table), tmp_path / "mine.parquet")
    assert open_panel(tmp_path / "mine.parquet").fingerprint() == text.fingerprint()


def test_letters_and_digits_that_look_like_a_power_are_an_id(tmp_path: Path) -> None:
    ids = [f"{i}e5" for i in range(40)]
    assert set(open_panel(file_of(tmp_path, persons(ids))).persons.tolist()) == set(ids)


def test_one_long_id_among_many_is_told_and_costs_nothing(tmp_path: Path) -> None:
    path = file_of(tmp_path, persons([*range(20_000), "x" * 100_000, "y" * 201]))
    started = time.monotonic()
    [told] = errors(path)
    assert time.monotonic() - started < 20
    assert told == (
        f"mine.csv, line 40002, column 'person', value '{'x' * 80}...': is 100,000 characters long (and 1 more are): "
        "an id has 200 at most"
    )
    assert open_panel(file_of(tmp_path, persons([*range(30), "z" * 200]))).persons[-1] == "z" * 200


@pytest.mark.parametrize("ids", [["a", "a\0", "b"], ["\0" * 64, "c", "d"]])
def test_an_id_or_code_with_nul_is_told_and_no_career_is_shared(ids: list[str], tmp_path: Path) -> None:
    """Arrays of text end at NULs: two ids of which one has more would be one."""
    [told] = errors(file_of(tmp_path, persons([*map(str, range(100)), *ids])))  # a file that begins so is no text
    assert "column 'person'" in told
    assert "holds the character NUL, which is no part of an id" in told
    [told] = errors(file_of(tmp_path, [*persons(list(range(100))), ("x", 2000, "a\0"), ("x", 2001, "b")]))
    assert "holds the character NUL, which is no part of a code" in told


def test_a_long_code_or_title_is_told(tmp_path: Path) -> None:
    place = folder(tmp_path, CAREERS, OCCUPATIONS.replace("Maids", "M" * 1_001).replace("HOME", "H" * 201))
    assert [line.partition(": ")[2] for line in errors(place)[-2:]] == [
        "is 1,001 characters long: a title has 1,000 at most",
        "is 201 characters long: a code has 200 at most",
    ]


def test_codes_with_decimals_of_zero_are_the_codes(tmp_path: Path) -> None:
    rows = [(p, 2000 + t, code) for p in range(40) for t, code in enumerate(("4720", "4720.0", "110.0"))]
    panel = open_panel(file_of(tmp_path, rows))
    assert panel.occupations.codes == ("110", "4720")
    assert (panel.state[:3] == [1, 1, 0]).all()
    rows = [(p, 2000 + t, code) for p in range(40) for t, code in enumerate(("11.0", "11.1", "12.0"))]
    assert open_panel(file_of(tmp_path, rows)).occupations.codes == ("11.0", "11.1", "12.0")


def test_two_spellings_of_a_number_are_refused_and_a_table_tells_them_apart(tmp_path: Path) -> None:
    rows = [(p, 2000 + t, code) for p in range(40) for t, code in enumerate(("0230", "230", "x"))]
    path = file_of(tmp_path, rows)
    assert errors(path) == [
        "mine.csv, line 3, column 'occupation', value '230': '230' and '0230' are one number, and would be two states: "
        "write a code in one way, or bring a table of the states that lists it (--occupations)"
    ]
    table = tmp_path / "states.csv"
    table.write_text("code,title,group,status\n0230,A,a,employed\n230,B,b,employed\nx,C,c,employed\n")
    assert open_panel(path, occupations=table).n_states == 3


@pytest.mark.parametrize("word", ["NA", "nan", ".", "-4", "-9.0", "None"])
def test_a_word_for_missing_is_no_state(tmp_path: Path, word: str) -> None:
    rows = [(p, 2000 + t, code) for p in range(40) for t, code in enumerate(("a", word, "b"))]
    path = file_of(tmp_path, rows)
    [told] = errors(path)
    assert told.startswith("mine.csv, line 3, column 'occupation', value '")
    assert "is how a missing state is written (40 rows), and a year without a known state has no row" in told
    table = tmp_path / "states.csv"
    table.write_text(f"code,title,group,status\na,A,a,employed\nb,B,b,employed\n{word},C,c,employed\n")
    assert open_panel(path, occupations=table).n_states == 3


def test_accents_written_in_one_or_two_characters_are_one_code(tmp_path: Path) -> None:
    rows = [(p, 2000 + t, code) for p in range(40) for t, code in enumerate(("\u00c4rzte", "A\u0308rzte", "Pfleger"))]
    panel = open_panel(file_of(tmp_path, rows))
    assert panel.occupations.codes == ("Pfleger", "\u00c4rzte")
    table = tmp_path / "states.csv"
    table.write_text(
        "code,title,group,status\nPfleger,P,p,employed\nA\u0308rzte,A,a,employed\n\u00c4rzte,A2,a,employed\n",
        encoding="utf-8",
    )
    assert "the code already stands in line 3" in errors(file_of(tmp_path, rows), occupations=table)[0]


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999"])
def test_an_infinite_number_is_told_with_its_place(tmp_path: Path, value: str) -> None:
    rows = [(p, 2000 + t, f"a,{1 if (p, t) != (7, 1) else value}") for p in range(40) for t in range(2)]
    assert errors(file_of(tmp_path, rows, "person,year,occupation,income")) == [
        f"mine.csv, line 17, column 'income', value '{value}': is infinite: write a number, or leave it blank"
    ]


def test_a_career_folder_without_a_table_is_held_to_the_same(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.job").write_text("0230 230 NA\n")
        (tmp_path / f"{split}.year").write_text("2000 2001 2002\n")
    told = [str(fault) for fault in check(tmp_path).errors]
    assert [line.partition(": ")[0] for line in told] == [
        "train.job, line 1, column 'entry 3', value 'NA'",
        "train.job, line 1, column 'entry 2', value '230'",
    ]
