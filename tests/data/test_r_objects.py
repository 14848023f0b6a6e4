"""Classes of R are read for what they mean: sequences of states, months and quarters of zoo, large whole numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.openings import checked, opened, records
from helpers.serialized import Vector, frame, write

PERSONS = 30


def factor(values: list[int], levels: list[str]) -> Vector:
    return Vector(values, {"levels": Vector(levels), "class": Vector(["factor"])})


def test_sequences_of_states_have_their_labels_and_no_state_that_is_none(tmp_path: Path) -> None:
    """TraMineR fills a sequence that is over with '%' and marks a gap with '*'."""
    levels = ["a", "b", "*", "%"]
    columns = {
        "y1990": factor([1, 2] * PERSONS, levels),
        "y1991": factor([1, 3] * PERSONS, levels),
        "y1992": factor([4, 2] * PERSONS, levels),
    }
    told = {
        "void": Vector(["%"]),
        "nr": Vector(["*"]),
        "alphabet": Vector(["a", "b"]),
        "labels": Vector(["At work", "Out"]),
    }
    path = write(tmp_path / "seq.rds", frame(columns, ["stslist", "data.frame"], **told))
    panel = opened(path, wide="y1990..y1992")
    assert panel.occupations.codes == ("a", "b")
    assert panel.occupations.titles == ("At work", "Out")
    assert records(panel, "1") == [(1990, "a"), (1991, "a")]
    assert records(panel, "2") == [(1990, "b"), (1992, "b")]


@pytest.mark.parametrize(
    ("kind", "times", "unit", "first"),
    [
        ("yearmon", [1998 + i / 12 for i in (0, 1, 2)], "month", 12 * 1998),
        ("yearqtr", [1998 + i / 4 for i in (0, 1, 2)], "quarter", 4 * 1998),
    ],
)
def test_months_and_quarters_of_zoo(tmp_path: Path, kind: str, times: list[float], unit: str, first: int) -> None:
    columns = {
        "person": Vector([i for i in range(PERSONS) for _ in times]),
        "year": Vector(times * PERSONS, {"class": Vector([kind])}),
        "occupation": Vector(["cook", "maid", "cook"] * PERSONS),
    }
    panel = opened(write(tmp_path / "zoo.rds", frame(columns)))
    assert panel.unit == unit
    assert records(panel, "0") == [(first, "cook"), (first + 1, "maid"), (first + 2, "cook")]


def test_whole_numbers_in_the_bytes_of_others(tmp_path: Path) -> None:
    """Ids of data.table are of the class integer64."""
    ids = [12_345_678_901 + i for i in range(PERSONS)]
    stored = np.repeat(np.array(ids, dtype=np.int64), 2).view(np.float64).tolist()
    columns = {
        "person": Vector(stored, {"class": Vector(["integer64"])}),
        "year": Vector([1990, 1991] * PERSONS),
        "occupation": Vector(["cook", "maid"] * PERSONS),
    }
    panel = opened(write(tmp_path / "large.rds", frame(columns)))
    assert sorted(panel.persons.tolist()) == [str(one) for one in ids]


def test_what_is_no_data_is_told_from_a_broken_file(tmp_path: Path) -> None:
    """A workspace with a function in it has parts of R itself, such as its base namespace (250)."""
    (tmp_path / "workspace.rds").write_text("A\n2\n197888\n131840\n19\n1\n250\n")
    [fault] = checked(tmp_path / "workspace.rds").errors
    assert "holds functions or environments, or is broken: save the data frame alone" in str(fault)


def test_a_matrix_is_told_how_to_be_a_data_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "matrix.rds", Vector([1.0, 2.0, 3.0, 4.0], {"dim": Vector([2, 2])}))
    [fault] = checked(path).errors
    assert "holds no data frame: save one with saveRDS or save (as.data.frame(x) of a matrix)" in str(fault)
