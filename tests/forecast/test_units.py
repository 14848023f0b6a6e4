"""Forecasts, boards and cards of a panel in months name months."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed

MONTHS = [f"{name}.{year}" for year in (98, 99) for name in ("Jan", "Feb", "Mar", "Apr", "May", "Jun")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wide csv of eighty persons in twelve months of two years."""
    rng = np.random.default_rng(1)
    rows = [f"p{i}," + ",".join(rng.choice(["cook", "maid"], 12, p=[0.7, 0.3])) for i in range(80)]
    folder = tmp_path_factory.mktemp("months")
    (folder / "jobs.csv").write_text("\n".join([f"person,{','.join(MONTHS)}", *rows]) + "\n")
    return folder


def command(place: Path, *words: str) -> str:
    line = [*words, "--data", "jobs.csv", "--wide", f"{MONTHS[0]}..{MONTHS[-1]}", "--records", "records"]
    done = typed(place, *line, HARNESS_CACHE=str(place / "cache"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forecast_starts_in_a_month_and_names_the_months(place: Path) -> None:
    said = command(place, "forecast", "--model", "markov", "--from", "1999-04", "--horizon", "2", "--samples", "2")
    assert "as known at the end of 1999-04" in said
    assert "a record every month" in said
    assert [line.split()[0] for line in said.splitlines() if line.startswith("1999-0")][:2] == ["1999-05", "1999-06"]
    line = ["forecast", "--model", "markov", "--from", "1999", "--data", "jobs.csv", "--wide", "Jan.98..Jun.99"]
    done = typed(place, *line, HARNESS_CACHE=str(place / "cache"))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "error: 1999: times of this panel are months; write such as 1998-07",
    )


def test_a_board_and_a_card_name_the_unit_and_a_step_of_a_year_is_thinned(place: Path) -> None:
    command(place, "run", "--task", "next_occ", "--model", "markov")
    done = typed(place, "leaderboard", "--records", "records", "--boards", "boards", "--format", "md")
    assert done.returncode == 0, done.stderr
    [board] = (place / "boards").rglob("next_occ.md")
    assert "(80 persons, 960 records, times in months)" in board.read_text()
    [record] = (place / "records").rglob("*.json")
    card = typed(place, "card", str(record), "--records", "records", HARNESS_CACHE=str(place / "cache"))
    assert "80 persons, 960 records, times in months, 2 states" in card.stdout
    reproduce = next(line for line in card.stdout.splitlines() if "harness run" in line)
    assert "--wide Jan.98..Jun.99" in reproduce
