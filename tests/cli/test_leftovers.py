"""Tables that no record makes any more: removed by ``harness leaderboard``, told by ``--check``; all else is kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.commands import typed

from harness.data.market import MarketParams, load_market
from harness.data.write import write_panel


def careers(folder: Path, mended: bool) -> None:
    text = "person,year,occupation,split\n"
    for i in range(24):
        split = ("train", "train", "valid", "test")[i % 4]
        text += "".join(
            f"p{i},{2000 + k},{'ab'[(i + k * k + (mended and i == 3 and k == 2)) % 2]},{split}\n" for k in range(4)
        )
    (folder / "jobs.csv").write_text(text)


def run(folder: Path, *tasks: str) -> None:
    asked = [word for task in tasks for word in ("--task", task)]
    done = typed(folder, "run", *asked, "--model", "marginal", "--data", "jobs.csv", "--records", "boards/results")
    assert done.returncode == 0, done.stderr


def leaderboard(folder: Path, *more: str, records: str = "boards/results") -> tuple[int, str]:
    done = typed(folder, "leaderboard", "--records", records, "--boards", "boards", *more)
    return done.returncode, done.stderr


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Boards of a panel, and records of the same panel with a row mended, which lie in another folder of tables."""
    careers(tmp_path, mended=False)
    run(tmp_path, "next_occ", "switch")
    assert leaderboard(tmp_path)[0] == 0
    careers(tmp_path, mended=True)
    run(tmp_path, "next_occ")
    return tmp_path


def test_tables_of_a_panel_that_moved_are_told_and_removed(moved: Path) -> None:
    boards = moved / "boards"
    before = sorted(path.name for path in (boards / "jobs").iterdir())
    assert {"next_occ.md", "next_occ.tex", "next_occ.csv", "next_occ.json", "switch-calibration.csv"} <= set(before)
    assert leaderboard(moved)[0] == 0
    assert not (boards / "jobs").exists()
    assert len(list(boards.glob("jobs-*/next_occ.md"))) == 2
    shutil.copytree(next(iter(boards.glob("jobs-*"))), boards / "jobs-00000000")
    (boards / "jobs-00000000" / "next_occ.json").unlink()  # says which folder it was written to
    status, said = leaderboard(moved, "--check")
    assert status == 1
    assert "made by no record" in said
    assert "jobs-00000000/next_occ.md" in said.replace("\\", "/")
    assert (boards / "jobs-00000000" / "next_occ.md").exists()  # --check writes nothing
    assert leaderboard(moved)[0] == 0
    assert leaderboard(moved, "--check")[0] == 0


def test_what_others_put_beside_tables_stays(moved: Path) -> None:
    there = moved / "boards" / "jobs"
    table = (there / "next_occ.md").read_text()
    own = {
        "README.md": "# ours\n",
        "notes.md": table,  # a copy under another name
        "next_occ-ours.csv": "panel,task,rank,record\njobs,next_occ,1,x\n",
        "results.json": json.dumps({"panel": "jobs", "task": "results", "rows": []}),
        "index.html": "<!DOCTYPE html>\n<html>ours</html>\n",
        "figure.tex": "\\input{next_occ}\n",
        "next_occ.png": "no table",
    }
    for name, text in own.items():
        (there / name).write_text(text)
    (there / "next_occ.md").write_text(table + "\nWhat we think of it.\n")  # written on by hand
    status, said = leaderboard(moved)
    assert status == 0
    assert "removed" in said
    assert {path.name for path in there.iterdir()} == {*own, "next_occ.md"}
    assert all((there / name).read_text() == text for name, text in own.items())


def test_a_link_is_not_followed(moved: Path) -> None:
    elsewhere = moved / "elsewhere"
    (moved / "boards" / "jobs").rename(elsewhere)
    (moved / "boards" / "jobs").symlink_to(elsewhere)
    count = len(list(elsewhere.iterdir()))
    assert leaderboard(moved)[0] == 0
    assert len(list(elsewhere.iterdir())) == count


def test_a_refused_record_takes_no_table_with_it(moved: Path) -> None:
    assert leaderboard(moved)[0] == 0
    [path] = (moved / "boards" / "results").glob("*/switch-*.json")
    path.write_text(path.read_text().replace('"sums_to_one": true', '"sums_to_one": 7'))
    status, said = leaderboard(moved)
    assert status == 2
    assert path.name in said
    assert len(list((moved / "boards").glob("*/switch.md"))) == 1
    path.unlink()
    assert leaderboard(moved)[0] == 0
    assert not list((moved / "boards").glob("*/switch*"))


def test_another_folder_of_records_keeps_its_tables(moved: Path) -> None:
    assert leaderboard(moved)[0] == 0
    write_panel(load_market(MarketParams(persons=40)), moved / "other", "csv")
    line = ("run", "--task", "switch", "--model", "uniform", "--data", "other", "--records", "others")
    assert typed(moved, *line).returncode == 0
    kept = sorted((moved / "boards").glob("jobs-*/*"))
    status, said = leaderboard(moved, records="others")
    assert status == 0
    assert "made by no record here, and left" in said
    assert sorted((moved / "boards").glob("jobs-*/*")) == kept
