"""Boards of very few persons: an error that is not to be had is a dash, in every form, with a word on why."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.commands import typed

WORD = "all transitions at risk are of one person"


def careers(tested: int) -> str:
    """A table of careers: thirty persons to train on and to stop by, and so many in the test split."""
    lines = ["person,year,occupation,split"]
    for i in range(30 + tested):
        split = "train" if i < 20 else "valid" if i < 30 else "test"
        lines += [f"p{i},{2000 + k},{'abc'[(i * k + k // 2) % 3]},{split}" for k in range(4)]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The folder with the records and boards of three models on a panel with so many persons in its test split."""
    made: dict[int, Path] = {}

    def of(tested: int) -> Path:
        if tested not in made:
            folder = made[tested] = tmp_path_factory.mktemp(f"few-{tested}")
            (folder / "jobs.csv").write_text(careers(tested))
            models = ("--model", "uniform", "--model", "marginal", "--model", "markov")
            ask(folder, "run", "--task", "next_occ", *models, "--data", "jobs.csv")
            ask(folder, "leaderboard", "--boards", "boards")
        return made[tested]

    return of


def board(folder: Path, form: str) -> str:
    return (folder / "boards" / ("index.html" if form == "html" else f"jobs/next_occ.{form}")).read_text()


def ask(folder: Path, *line: str) -> str:
    found = typed(folder, *line, "--records", "results")
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_one_person_has_a_dash_in_every_form(ran: Callable[[int], Path]) -> None:
    folder = ran(1)
    of = json.loads(board(folder, "json"))
    assert of["few_units"] == 1
    for row in of["rows"]:
        value = row["perplexity"]["value"]
        assert row["perplexity"] == {"value": value, "standard_error": None, "low": None, "high": None}
        assert row["behind"] is None or row["behind"] == row["behind"] | {"standard_error": None, "low": None}
        assert row["behind"] is None or row["behind"]["p_adjusted"] == 1
        shown = f"{value:.2f}" if value >= 3 else f"{value:.4f}"
        assert f"| {shown} ± – |" in board(folder, "md")
        above, below = board(folder, "tex").split(f" & ${shown}$ ")[1].split("\n")[:2]
        assert below.split(" & ")[2] == "(--)", above
    for line in csv.DictReader(io.StringIO(board(folder, "csv"))):
        assert line["perplexity.value"]
        assert [line[f"perplexity.{part}"] for part in ("standard_error", "low", "high")] == ["", "", ""]
    page = board(folder, "html")
    assert "(no interval)" in page
    assert "nan" not in page.lower().replace("nanoseconds", "")
    for form in ("md", "tex", "html"):
        assert WORD in board(folder, form)
        assert "± 0.00" not in board(folder, form)


def test_commands_on_runs_of_one_person_say_so(ran: Callable[[int], Path]) -> None:
    folder = ran(1)
    first, second, _ = (row["record"] for row in json.loads(board(folder, "json"))["rows"])
    compared = json.loads(ask(folder, "compare", first, second, "--json"))
    assert [run["perplexity"]["standard_error"] for run in compared["runs"]] == [None, None]
    assert compared["runs"][1]["difference"]["low"] is None
    text = ask(folder, "compare", first, second)
    assert "± –" in text
    assert "nan" not in text
    assert "there are no intervals" in ask(folder, "card", second)
    assert json.loads(ask(folder, "card", second, "--json"))["place"]["behind"]["high"] is None
    assert json.loads(ask(folder, "verify", first, "--data", "jobs.csv", "--json"))["perplexity"]["low"] is None


def test_few_persons_have_errors_and_a_remark(ran: Callable[[int], Path]) -> None:
    assert "Few persons: 4 have a transition at risk" in board(ran(4), "md")
    assert "± –" not in board(ran(4), "md")
    assert "Few persons" in board(ran(4), "html")
    enough = board(ran(30), "json")
    assert "few_units" not in enough
    assert "Few persons" not in board(ran(30), "md")


def test_one_of_a_kind_is_in_the_singular(ran: Callable[[int], Path]) -> None:
    """Of the test split, whose one person has three transitions, and of the panel, with two persons and more."""
    one, two = ran(1), ran(2)
    assert "3 transitions at risk of 1 person; 3 states" in board(one, "md")
    assert "6 transitions at risk of 2 persons; 3 states" in board(two, "md")
    card = ask(one, "card", "jobs/next_occ/markov")
    assert "(31 persons, 124 records, 3 states; " in card
    assert "3 transitions at risk of 1 person, held out" in card
    html = board(one, "html")
    assert "<dt>person<dd>1</div>" in html
    assert "<dt>states<dd>3</div>" in html


def test_lines_on_files_read_well_for_any_number(tmp_path: Path) -> None:
    """A column of the occupations' table that is not used; and one fault beside two."""
    panel, table = tmp_path / "panel", tmp_path / "panel" / "careers.csv"
    panel.mkdir()
    table.write_text(careers(2))
    (panel / "occupations.csv").write_text("code,title,group,colour\na,Ann,1,red\nb,Bob,1,blue\nc,Cid,2,red\n")

    def checked() -> list[str]:
        return typed(tmp_path, "data", "check", "panel").stdout.splitlines()

    lines = checked()
    assert "left out: columns of occupations.csv not used (1)" in lines
    assert lines[-1] == "panel: 0 errors, 1 note; 32 persons, 128 records"
    table.write_text(careers(2) + "p1,2009,,train\n")
    assert checked()[-1] == "panel: 1 error, 1 note; not read"
