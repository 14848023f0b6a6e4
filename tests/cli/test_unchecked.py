"""Probabilities that nobody here checked: below every ranking, and in no mixture unless they are asked for."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed
from helpers.submissions import written

from harness import open_panel
from harness.boards.board import Board, boards
from harness.data.market.posterior import oracle_rows
from harness.panel.careers import SPLITS, Panel
from harness.records.store import Store
from harness.types import FloatArray, IntArray

SMALL = ["--data", "market", "--set", "data.persons=200"]
TASKS = ["next_occ", "lf_exit"]


@pytest.fixture(scope="module")
def market() -> Panel:
    return open_panel("market", {"persons": 200})


def file_of(folder: Path, panel: Panel, name: str, said: Callable[[Panel, IntArray], FloatArray]) -> Path:
    """A wide file of what somebody says of the validation and the test split: said(panel, records) -> [n, K]."""
    held_out = [SPLITS.index("valid"), SPLITS.index("test")]
    records = panel.transitions[np.isin(panel.split[panel.person[panel.transitions]], held_out)]
    persons, years = panel.persons[panel.person[records]].tolist(), panel.year[records].tolist()
    rows = [[p, y, *row] for p, y, row in zip(persons, years, said(panel, records).tolist(), strict=True)]
    return written(folder / f"{name}.parquet", ["person", "year", *panel.occupations.codes], rows)


def peeking(panel: Panel, records: IntArray) -> FloatArray:
    """.999 on what happened."""
    rows = np.full((len(records), panel.n_states), 0.001 / (panel.n_states - 1))
    rows[np.arange(len(records)), panel.state[records]] = 0.999
    return rows


def hedging(panel: Panel, records: IntArray) -> FloatArray:
    """As peeking, behind a probability that is never near one."""
    return 0.8 * peeking(panel, records) + 0.2 / panel.n_states


def knowing(panel: Panel, records: IntArray) -> FloatArray:
    """The true probabilities: the best that an honest forecast can be."""
    rows = np.zeros((len(records), panel.n_states))
    for some, true in oracle_rows(panel, records):
        rows[np.searchsorted(records, some)] = true
    rows = np.maximum(rows, 1e-12)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def staying(panel: Panel, records: IntArray) -> FloatArray:
    """Sure that all stay, which is wrong for many."""
    rows = np.full((len(records), panel.n_states), 0.005 / (panel.n_states - 1))
    rows[np.arange(len(records)), panel.origin(records)] = 0.995
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, market: Panel) -> Path:
    """marginal, markov, the oracle and a file that read the answers, on two tasks."""
    made = tmp_path_factory.mktemp("unchecked")
    file = file_of(made, market, "peeking", peeking)
    models = [part for name in ("marginal", "markov", "oracle") for part in ("--model", name)]
    tasks = [part for name in TASKS for part in ("--task", name)]
    for line in (["run", *tasks, *models, *SMALL], ["score", str(file), "--name", "peek", *tasks, *SMALL]):
        done = typed(made, *line)
        assert done.returncode == 0, done.stderr
    return made


def board_of(folder: Path, task: str = "next_occ") -> Board:
    [found] = [one for one in boards(Store(folder / "leaderboards" / "results").all()) if one.task == task]
    return found


@pytest.mark.parametrize("task", TASKS)
def test_it_takes_no_rank_and_moves_no_model(folder: Path, task: str) -> None:
    board = board_of(folder, task)
    [cheat] = board.unchecked
    assert (cheat.model, cheat.rank, cheat.tied, cheat.in_confidence_set) == ("peek", None, None, False)
    assert cheat.perplexity.value < 1.01
    assert cheat.behind is not None
    assert cheat.behind.low > 0, "it is ahead of the best model, which the board says"
    assert board.rows[-1] == cheat
    every = Store(folder / "leaderboards" / "results").all()
    [alone] = [one for one in boards([r for r in every if r.configuration.model != "peek"]) if one.task == task]
    assert board.checked == alone.rows, "models stand as if no file had been handed in"
    assert [row.rank for row in board.checked if row.rank == 1] == [1]


def test_every_form_of_a_board_sets_it_apart(folder: Path) -> None:
    assert typed(folder, "leaderboard").returncode == 0
    tables = next((folder / "leaderboards").glob("market*"))
    text = (tables / "next_occ.md").read_text()
    ranking, below = text.split("## Submitted, not checked")
    assert "peek" not in ranking
    assert "| – | peek \\[submitted, not checked: implausible\\] | 1.0010 " in below.split("## Notes")[0]
    assert "it takes no rank" in below
    lines = (tables / "next_occ.tex").read_text().split(r"\begin{table}")
    named = r"\shortstack[l]{peek {[}submitted,\\not checked:\\implausible]} &"
    assert [i for i, part in enumerate(lines) if named in part] == [2]
    assert "Submitted, not checked" in lines[2]
    rows = list(csv.DictReader((tables / "next_occ.csv").read_text().splitlines()))
    assert [(row["model"], row["rank"]) for row in rows if row["unchecked"] == "True"] == [("peek", "")]
    rows = json.loads((tables / "next_occ.json").read_text())["rows"]
    assert [(row["model"], row["held_against"]) for row in rows if row.get("unchecked")] == [
        ("peek", "oracle and markov")
    ]
    assert {row.get("held_against") for row in rows[:-1]} == {None}
    page = (folder / "leaderboards" / "index.html").read_text()
    part = page.split('id="market-persons-200-seed-1/next_occ"')[1].split("</article>")[0]
    assert "peek" not in part.split("next_occ/ranking")[1].split("<h4>Submitted, not checked</h4>")[0]
    assert '<em class="sent">submitted, not checked: implausible</em>' in part
    assert "markov" in part.split('class="finding"')[1].split("</p>")[0]
    assert typed(folder, "leaderboard", "--check").returncode == 0


def test_a_terminal_sees_it_below(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli import console
    from harness.cli.board import print_boards

    monkeypatch.setattr(console, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "400")
    print_boards([board_of(folder)])
    above, below = capsys.readouterr().out.split("Submitted, not checked")
    assert ("markov" in above, "peek" in above, "peek" in below) == (True, False, True)


def test_a_mix_takes_it_where_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    import shutil

    records = tmp_path / "r"
    shutil.copytree(folder / "leaderboards" / "results", records)
    where = ["--records", str(records), "--task", "next_occ"]
    peek = next(row.record for row in board_of(folder).rows if row.model == "peek")
    done = typed(folder, "mix", *where, "--json")
    assert f"peek ({peek}), which was submitted and not checked; --with-submissions takes it in" in done.stderr
    [made] = json.loads(done.stdout)
    assert peek not in made["facts"]["weights"]
    [board] = [one for one in boards(Store(records).all()) if one.task == "next_occ"]
    [mix] = [row for row in board.rows if row.model == "mix"]
    assert (mix.unchecked, mix.mix_without) == (None, None)
    done = typed(folder, "mix", *where, "--with-submissions")
    assert done.returncode == 0, done.stderr
    [board] = [one for one in boards(Store(records).all()) if one.task == "next_occ"]
    assert {row.model for row in board.unchecked} == {"peek", "mix"}
    assert "mix [with submitted, not checked: implausible]  " in done.stdout
    assert "mix: some of its parts were submitted, and nobody here checked them." in done.stdout
    markov = next(row.record for row in board.rows if row.model == "markov")
    done = typed(folder, "mix", peek, markov, "--records", str(records), "--with-submissions")
    assert (done.returncode, "leave it out, and name the submissions to take in" in done.stderr) == (2, True)
    assert typed(folder, "mix", peek, markov, "--records", str(records)).returncode == 0


def test_its_card_says_so(folder: Path) -> None:
    peek = next(row.record for row in board_of(folder).rows if row.model == "peek")
    done = typed(folder, "card", peek)
    assert "Below the ranking: nobody here checked it." in done.stdout
    assert "Implausible: it beats the true probabilities by " in done.stdout


BEATS, LEAVES, SURE, SURPRISES = "it beats the true", "it leaves", "it is sure", "surprises: "


@pytest.mark.parametrize(
    ("said", "truth", "passed"),
    [
        (peeking, True, (BEATS, LEAVES, SURE, SURPRISES)),
        (peeking, False, (LEAVES, SURE, SURPRISES)),
        (hedging, False, (LEAVES, SURPRISES)),
        (knowing, True, ()),
        (knowing, False, ()),
        (staying, False, ()),
    ],
)
def test_what_no_honest_forecast_reaches_is_told(
    folder: Path,
    tmp_path: Path,
    market: Panel,
    said: Callable[[Panel, IntArray], FloatArray],
    truth: bool,
    passed: tuple[str, ...],
) -> None:
    """Beside the truth, and where nothing but one model was checked; the truth, handed in as a file, passes nothing."""
    models = ("marginal", "markov", "oracle") if truth else ("marginal", "markov")
    for record in Store(folder / "leaderboards" / "results").all():
        if record.configuration.model in models and record.configuration.task == "next_occ":
            Store(tmp_path / "r").write(record)
    file = file_of(tmp_path, market, "p", said)
    done = typed(tmp_path, "score", str(file), "--name", "mine", "--task", "next_occ", *SMALL, "--records", "r")
    assert done.returncode == 0, done.stderr
    [board] = boards(Store(tmp_path / "r").all())
    [row] = board.unchecked
    told = row.implausible.split("; ") if row.implausible else []
    assert len(told) == len(passed), told
    assert all(one.startswith(clause) for one, clause in zip(told, passed, strict=True)), told
    assert ("warning: mine on next_occ is implausible: " in done.stderr) == bool(passed)
    held = "oracle and markov" if truth else "markov"
    assert row.held_against == held
    assert (f"mine: held against {held}, it passes no such limit" in done.stdout) == (not passed)


def test_of_an_event_too(folder: Path) -> None:
    [row] = board_of(folder, "lf_exit").unchecked
    assert row.implausible is not None
    assert [one.split(" of ")[0].startswith(BEATS) for one in row.implausible.split("; ")] == [True, False]
    assert LEAVES in row.implausible


def test_without_a_model_that_knows_more_than_shares_nothing_is_said(
    folder: Path, tmp_path: Path, market: Panel
) -> None:
    for record in Store(folder / "leaderboards" / "results").all():
        if record.configuration.model == "marginal":
            Store(tmp_path / "r").write(record)
    file = file_of(tmp_path, market, "p", knowing)
    done = typed(tmp_path, "score", str(file), "--name", "mine", "--task", "next_occ", *SMALL, "--records", "r")
    assert "warning" not in done.stderr
    assert "mine: held against nothing, as no checked model here says more than how often persons stay" in done.stdout
