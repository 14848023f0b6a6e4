"""A value that may mean something else is a note; one that would unpack or wait without end is one line."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.commands import typed
from helpers.tables import CAREERS, errors, folder
from pyarrow import parquet

from harness import open_panel
from harness.data.open import check
from harness.data.tables import csvfile, files
from harness.errors import RequestError


def notes(path: Path) -> list[str]:
    found = check(path)
    assert found.errors == []
    return [str(note) for note in found.notes if "labor-force status" not in note.message]


def file_of(
    folder: Path, column: list[object], years: tuple[int, ...] = (2000, 2001, 2002), codes: str = "abc"
) -> Path:
    """Forty persons, three records each, with one covariate."""
    rows = []
    for i, value in enumerate(column):
        person, t = divmod(i, len(years))
        rows.append(f'{person},{years[t]},{"abc"[(person + t) % 3]},"{value}"')
    path = folder / "mine.csv"
    path.write_text("\n".join(["person,year,occupation,income", *rows]))
    return path


INCOMES = [int(1_000 + 90_000 * draw) for draw in np.random.default_rng(0).random(120)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (INCOMES, []),
        (
            [f"{income:,}" for income in INCOMES],
            ["is read as words: write numbers without separators of thousands, as 25000"],
        ),
        (
            [9999999 if i % 10 == 0 else income for i, income in enumerate(INCOMES)],
            [
                "stands in 12 records, far from all others: blank them if it means that none is known "
                "(--missing 9999999)"
            ],
        ),
        (
            [-4 if i % 20 == 0 else income for i, income in enumerate(INCOMES)],
            ["stands in 6 records, far from all others: blank them if it means that none is known (--missing -4)"],
        ),
        ([99 if i % 20 == 0 else i % 80 for i in range(120)], []),  # an age like others
        (list(range(120)), ["counts records, from 0 to 119: the number of a row; leave it out"]),
    ],
)
def test_a_column_that_is_no_measure(tmp_path: Path, column: list[object], expected: list[str]) -> None:
    assert [note.partition(": ")[2] for note in notes(file_of(tmp_path, column))] == expected


def test_years_of_two_digits(tmp_path: Path) -> None:
    assert notes(file_of(tmp_path, list(INCOMES), (98, 99, 100))) == [
        "mine, column 'year', value '98': years run from 98 to 100: are they calendar years, with all four digits? "
        "--unit says another unit of time"
    ]


@pytest.mark.parametrize("changed", [True, False])
def test_codes_that_change_in_mid_panel(tmp_path: Path, changed: bool) -> None:
    path = tmp_path / "mine.csv"
    rows = [
        f"{p},{2000 + t},{'n' if changed and t > 2 else 'o'}{(p + t // 2) % 4}" for p in range(40) for t in range(6)
    ]
    path.write_text("\n".join(["person,year,occupation", *rows]))
    told = [
        "mine, column 'occupation', value '2003': from 2003 on jobs have other codes than before ('n0', not 'o0'): if "
        "the code list changed, every career changes its state in that year; recode by a crosswalk"
    ]
    assert notes(path) == (told if changed else [])


def test_a_folder_of_parquet_files_is_read_whole(tmp_path: Path) -> None:
    place = folder(tmp_path)
    whole = open_panel(place).fingerprint()
    lines = [line.split(",") for line in CAREERS.splitlines()]
    (place / "careers.csv").unlink()
    rows = lines[1:]
    columns = {name: [row[i] or None for row in rows] for i, name in enumerate(lines[0])}
    parquet.write_to_dataset(pa.table(columns), place / "careers.parquet", partition_cols=["occupation"])
    assert sorted(path.name for path in (place / "careers.parquet").iterdir())[0] == "occupation=0010"
    assert open_panel(place).fingerprint() == whole


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "careers.csv").unlink()
    os.mkfifo(place / "careers.csv")
    assert errors(place) == ["careers.csv: is no regular file: write the table to one"]
    with pytest.raises(RequestError, match="is neither a regular file nor a folder"):
        open_panel(place / "careers.csv")


@pytest.mark.parametrize(
    "line", [["score", "pipe", "--name", "mine", "--task", "next_occ"], ["run", "--config", "pipe"]]
)
def test_nor_is_one_in_the_place_of_probabilities_or_a_request(tmp_path: Path, line: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = typed(tmp_path, *line, "--records", "records")
    assert done.returncode == 2
    assert done.stderr.endswith("pipe: is no regular file: write it to one\n")


def test_a_small_file_that_unpacks_to_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvfile, "MOST_UNPACKED", 2_000_000)
    monkeypatch.setattr(csvfile, "PART", 1 << 16)
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(b"person,year,occupation\n" + b"1,2000,a\n" * 300_000))
    assert errors(path) == ["mine.csv.gz: unpacks to more than 0.002 GB: unpack it, and name the csv"]


def test_a_small_parquet_file_that_unpacks_to_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_UNPACKED", 2_000_000)
    path = tmp_path / "mine.parquet"
    parquet.write_table(pa.table({name: np.zeros(100_000, dtype=np.int8) for name in "abc"}), path)
    assert path.stat().st_size < 2_000
    assert errors(path) == ["mine.parquet: unpacks to 0.0024 GB, more than 0.002 GB: keep fewer columns or persons"]
