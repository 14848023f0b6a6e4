"""One panel, in whatever way a file holds its columns: written out, encoded in any order, in parts, with gaps."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet

from harness import open_panel
from harness.panel.careers import Panel, hash_draws

PERSONS, YEARS = 40, 5
N = PERSONS * YEARS


def columns() -> dict[str, Any]:
    """Persons out of the order of their ids; covariates with gaps."""
    generator = np.random.default_rng(5)
    gender = [["female", "male", None][k] for k in generator.integers(0, 3, N)]
    wage = generator.integers(0, 40, N) / 4
    return {
        "person": pa.array(np.repeat(generator.permutation(PERSONS) + 1, YEARS), pa.int64()),
        "year": pa.array(np.tile(np.arange(2001, 2001 + YEARS), PERSONS), pa.int32()),
        "occupation": pa.array([f"{k:03d}" for k in generator.integers(7, 12, N)], pa.string()),
        "gender": pa.array(gender, pa.string()),
        "children": pa.array(generator.integers(0, 5, N), pa.int64(), mask=generator.random(N) < 0.2),
        "wage": pa.array(wage, pa.float32(), mask=generator.random(N) < 0.1),
    }


def encoded(text: Any) -> Any:
    """The same with its values in an order of their own, two that no row has, and one twice."""
    known = sorted({value for value in text.to_pylist() if value is not None}, reverse=True)
    values = ["none has it", *known, known[0], "nor this"]
    places = [None if value is None else values.index(value) for value in text.to_pylist()]
    first = values.index(known[0])
    places = [len(values) - 2 if place == first and i % 2 else place for i, place in enumerate(places)]
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int8()), pa.array(values, pa.string()))


def with_encoded(found: dict[str, Any]) -> dict[str, Any]:
    return found | {name: encoded(found[name]) for name in ("occupation", "gender")}


def with_large_text(found: dict[str, Any]) -> dict[str, Any]:
    return found | {name: found[name].cast(pa.large_string()) for name in ("occupation", "gender")}


def with_ids_as_text(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"person": found["person"].cast(pa.string())}


def with_real_numbers(found: dict[str, Any]) -> dict[str, Any]:
    return found | {name: found[name].cast(pa.float64()) for name in ("person", "year", "children")}


def in_parts(found: dict[str, Any], path: Path) -> None:
    parquet.write_table(pa.table(found), path, row_group_size=17)


def whole(found: dict[str, Any], path: Path) -> None:
    parquet.write_table(pa.table(found), path)


def as_feather(found: dict[str, Any], path: Path) -> None:
    feather.write_feather(pa.table(found), str(path.with_suffix(".feather")))


def opened(folder: Path, found: dict[str, Any], write: Callable[[dict[str, Any], Path], None]) -> Panel:
    folder.mkdir()
    write(found, folder / "careers.parquet")
    [file] = folder.iterdir()
    return open_panel(file)


@pytest.fixture
def plain(tmp_path: Path) -> Panel:
    """The panel of the same careers as text."""
    file = tmp_path / "plain.csv"
    csv.write_csv(pa.table(columns()), file)
    return open_panel(file)


@pytest.mark.parametrize("write", [whole, in_parts, as_feather])
@pytest.mark.parametrize(
    "change", [dict, with_encoded, with_large_text, with_ids_as_text, with_real_numbers], ids=lambda f: f.__name__
)
def test_the_panel_is_the_same(plain: Panel, tmp_path: Path, change: Any, write: Any) -> None:
    panel = opened(tmp_path / "other", change(columns()), write)
    assert panel.fingerprint() == plain.fingerprint()
    assert panel.covariates["gender"].levels == ("female", "male")
    missing = np.isnan(panel.covariates["children"].values)
    assert missing.sum() == columns()["children"].null_count > 0


def test_a_person_is_split_by_the_hash_of_the_id(plain: Panel) -> None:
    ids = np.array([*plain.persons.tolist(), "å-1", "x\ny", ""])
    drawn = [int(hashlib.sha256(f"split:{person}".encode()).hexdigest()[:16], 16) / 2**64 for person in ids.tolist()]
    assert hash_draws(ids, "split").tolist() == drawn
    assert plain.split.tolist() == [0 if at < 0.7 else 1 if at < 0.8 else 2 for at in drawn[:PERSONS]]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_reading_imports_no_pandas(tmp_path: Path, form: str) -> None:
    """It takes longer than a million records do."""
    file = tmp_path / f"careers.{form}"
    if form == "csv":
        csv.write_csv(pa.table(columns()), file)
    else:
        parquet.write_table(pa.table(columns()), file)
    code = f"import sys; from harness import open_panel; open_panel({str(file)!r}); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
