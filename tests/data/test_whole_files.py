"""Faults of whole files: encodings, quotes, gzip, parquet, missing files, the schema beside the careers."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.tables import CAREERS, OCCUPATIONS, errors, folder
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from harness import open_panel
from harness.data.open import check


def test_stray_latin_1_bytes_are_told_by_line(tmp_path: Path) -> None:
    latin = CAREERS.encode().replace(b"2,1999,HOME,male", b"2,1999,HOME,m\xe4nnlich")
    assert errors(folder(tmp_path, latin)) == [
        "careers.csv, line 5, column 'gender', value 'm\ufffdnnlich': byte 0xe4 is not UTF-8 "
        "(in Latin-1 the entry reads 'männlich'): save the whole file as UTF-8, or name its --encoding"
    ]
    titles = OCCUPATIONS.encode().replace(b"Maids", b"Femmes de m\xe9nage")
    assert errors(folder(tmp_path, occupations=titles))[0].startswith(
        "occupations.csv, line 4, column 'title', value 'Femmes de m\ufffdnage': byte 0xe9 is not UTF-8"
    )


def test_utf_16_is_told(tmp_path: Path) -> None:
    assert errors(folder(tmp_path, CAREERS.encode("utf-16"))) == [
        "careers.csv: is not UTF-8 text (UTF-16, or not text at all): save it as UTF-8, or name its --encoding"
    ]


def test_lines_are_right_after_quoted_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    careers = CAREERS.replace("1,1998,0010,female", '\n1,1998,0010,"fe\nmale"').replace("3,2001", "3,x")
    assert errors(folder(tmp_path, careers))[0].startswith("careers.csv, line 9, column 'year', value 'x'")
    panel = open_panel(folder(tmp_path, careers.replace("3,x", "3,2001")))
    assert panel.left_out == {"blank lines of careers.csv": 1}
    assert panel.covariates["gender"].levels == ("fe\nmale", "female", "male")


def test_a_quote_that_never_closes_is_told(tmp_path: Path) -> None:
    """And nothing else: what follows the quote is neither a value nor missing."""
    found = errors(folder(tmp_path, CAREERS.replace("2,1999,HOME,male", '2,1999,HOME,"male')))
    assert found == ["careers.csv, line 5: a quote opens in this row and never closes"]


def test_truncated_and_corrupt_gzip(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "careers.csv").unlink()
    packed = gzip.compress((CAREERS * 2000).encode())
    (place / "careers.csv.gz").write_bytes(packed[: len(packed) // 2])
    (found,) = errors(place)
    assert "careers.csv.gz, line " in found
    assert "the gzip is truncated" in found
    assert found.endswith("lines could be read: copy or download it again")
    damaged = bytearray(gzip.compress(CAREERS.encode()))
    damaged[-8] ^= 0xFF  # the checksum
    (place / "careers.csv.gz").write_bytes(bytes(damaged))
    assert "the gzip is corrupt" in errors(place)[0]
    (place / "careers.csv.gz").write_text(CAREERS)
    assert errors(place) == ["careers.csv.gz: is not gzip inside: name it without .gz, or pack it"]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_files(tmp_path: Path, content: str) -> None:
    assert errors(folder(tmp_path, content, content)) == ["careers.csv: is empty", "occupations.csv: is empty"]


def test_a_header_without_rows(tmp_path: Path) -> None:
    assert errors(folder(tmp_path, "person,year,occupation\n")) == ["careers.csv, line 1: has column names and no rows"]


def test_wrong_files_under_right_names(tmp_path: Path) -> None:
    assert errors(folder(tmp_path, gzip.compress(b"x"))) == ["careers.csv: is gzip inside: name it .csv.gz"]
    place = folder(tmp_path)
    (place / "careers.csv").rename(place / "careers.parquet")
    (found,) = errors(place)
    assert found.startswith("careers.parquet: is not a readable parquet file (")


def test_files_that_are_missing_or_twice_there(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "occupations.csv").unlink()
    assert errors(place)[0].startswith("occupations.csv: is missing: the panel needs a table code,title,soc,status")
    place = folder(tmp_path)
    (place / "careers.csv.gz").write_bytes(gzip.compress(CAREERS.encode()))
    assert errors(place) == ["panel: holds careers.csv and careers.csv.gz: keep one"]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_separator_is_seen(tmp_path: Path, mark: str) -> None:
    plain = open_panel(folder(tmp_path)).fingerprint()
    assert open_panel(folder(tmp_path, CAREERS.replace(",", mark))).fingerprint() == plain


def parquet_folder(path: Path, **columns: Any) -> Path:
    place = folder(path)
    (place / "careers.csv").unlink(missing_ok=True)
    sound = {
        "person": pa.array([1, 1, 2, 2, 3, 3]),
        "year": pa.array([1998, 1999] * 3),
        "occupation": pa.array(["0010", "0020", "4230", "HOME", "4230", "0010"]),
        "split": pa.array(["train", "train", "valid", "valid", "test", "test"]),
    }
    parquet.write_table(pa.table(sound | columns), place / "careers.parquet")
    return place


def test_an_integer_code_column_in_parquet_is_one_fault(tmp_path: Path) -> None:
    place = parquet_folder(tmp_path, occupation=pa.array([10, 20, 4230, 4230, 4230, 10]))
    assert errors(place) == [
        "careers.parquet, column 'occupation', value '10': the column is of type int64, so the codes of 3 rows have "
        "lost their leading zeros (this one is '0010'): write codes as text"
    ]


def test_parquet_types(tmp_path: Path) -> None:
    years = pa.array([1998.0, 1999.5, 1998, 1999, None, 1999])
    found = errors(parquet_folder(tmp_path, year=years))
    assert [line.split(":")[0] for line in found] == [
        "careers.parquet, line 2, column 'year', value '1999.5'",  # for parquet, the row
        "careers.parquet, line 5, column 'year', value ''",
    ]
    place = parquet_folder(
        tmp_path,
        person=pa.array([3.0, 3.0, 1.0, 1.0, 2.0, 2.0]),
        income=pa.array([1, 2, None, 4, 5, 6]),
        gender=pa.array(["b", "b", "a", "a", None, None]).dictionary_encode(),
        union=pa.array([True, False, True, True, False, None]),
    )
    panel = open_panel(place)
    assert panel.persons.tolist() == ["1", "2", "3"]
    assert panel.covariates["income"].kind == "numeric"
    np.testing.assert_array_equal(panel.covariates["income"].values, [np.nan, 4, 5, 6, 1, 2])
    assert panel.covariates["gender"].levels == ("a", "b")
    assert panel.covariates["gender"].values.tolist() == [0, 0, -1, -1, 1, 1]
    assert panel.covariates["union"].levels == ("false", "true")


def test_the_schema_beside_the_careers_is_checked(tmp_path: Path) -> None:
    place = folder(tmp_path)
    schema = place / "columns.json"
    schema.write_text('{"gender": {"kind": "categorical", "levels": ["female"]}}')
    assert errors(place) == [
        f"careers.csv, line {line}, column 'gender', value 'male': is not among the levels that columns.json lists: "
        "add it there, or correct it"
        for line in (4, 5)
    ]
    schema.write_text('{"gender": {"kind": "numeric"}}')
    assert errors(place)[0].startswith("careers.csv, line 2, column 'gender', value 'female': is not a number")
    schema.write_text('{"gendre": {"kind": "numbers"},\n "gender" 3}')
    assert errors(place) == ["columns.json, line 2: is not JSON: Expecting ':' delimiter"]
    schema.write_text('{"gendre": {"kind": "numeric"}, "gender": {"kind": "number"}}')
    assert errors(place) == [
        "columns.json, column 'gender', value 'number': 'kind' must be categorical or numeric; did you mean 'numeric'?",
        "columns.json, column 'gendre': careers.csv has no such column; did you mean 'gender'?",
    ]
    schema.write_text('{"gender": {"kind": "categorical", "levels": 3}}')
    assert errors(place)[0] == ("columns.json, column 'gender', value '3': 'levels' must be a list of words or numbers")
    schema.write_text("[" * 100_000)
    assert errors(place)[0].startswith("columns.json: is nested too deeply")


def test_a_file_of_nothing_but_a_byte_order_mark(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "careers.csv").write_bytes(b"\xef\xbb\xbf")
    assert "careers.csv: is empty: it has no line of column names" in errors(place)


@settings(max_examples=150)
@given(data=st.data(), file=st.sampled_from(["careers.csv", "occupations.csv", "columns.json"]))
def test_whatever_a_file_holds_there_is_a_panel_or_a_fault(data: st.DataObject, file: str) -> None:
    schema = b'{"gender": {"kind": "categorical", "levels": ["female", "male"]}}'
    contents = {"careers.csv": CAREERS.encode(), "occupations.csv": OCCUPATIONS.encode(), "columns.json": schema}
    content = bytearray(contents[file])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        piece = data.draw(st.binary(max_size=3) | st.sampled_from([b"\n", b",", b'"', b"\r", b"\xe4", b"1", b"0"]))
        content[at : at + data.draw(st.integers(0, 6))] = piece
    with tempfile.TemporaryDirectory() as place:
        for name, sound in contents.items():
            (Path(place) / name).write_bytes(bytes(content) if name == file else sound)
        found = check(Path(place))
    assert (found.panel is None) == bool(found.errors)
