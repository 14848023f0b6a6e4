"""``harness mix``: the record it leaves, and what a board says of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed
from helpers.toys import InProcess

from harness.boards.board import boards
from harness.records.predictions import load, path_of
from harness.records.record import Record
from harness.records.store import Store
from harness.system.machine import cache_folder
from harness.types import FloatArray

SMALL = ["--data", "market", "--set", "data.persons=200"]


def mean_log_prob(parts: list[FloatArray], weights: list[float]) -> FloatArray:
    return np.log(sum(w * np.exp(part) for w, part in zip(weights, parts, strict=True)))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """marginal, markov and the oracle on every task of a small market, and the mix of each board, as typed."""
    folder = tmp_path_factory.mktemp("mix")
    models = ["--model", "marginal", "--model", "markov", "--model", "oracle"]
    for line in (["run", "--task", "all", *models, *SMALL], ["mix"], ["leaderboard"]):
        done = typed(folder, *line)
        assert done.returncode == 0, done.stderr
        if line == ["mix"]:
            assert done.stderr.count("mix of 2 runs on ") == 4
            assert done.stdout.count("market-persons-200-seed-1: ") == 4
    return folder / "leaderboards" / "results"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> InProcess:
    monkeypatch.chdir(tmp_path)
    return InProcess("mix", monkeypatch, capsys)


def of_task(records: Path, task: str) -> dict[str, Record]:
    found = [record for record in Store(records).all() if record.configuration.task == task]
    return {record.configuration.model: record for record in found}


@pytest.mark.parametrize("task", ["next_occ", "switch", "lf_exit", "next_occ_switchers"])
def test_the_record_is_what_the_saved_probabilities_give(ran: Path, task: str) -> None:
    records = of_task(ran, task)
    made, parts = records["mix"], [records["marginal"], records["markov"]]
    assert made.configuration.parameters == {"of": "board", "runs": sorted(part.id for part in parts)}
    weights = [made.facts["weights"][part.id] for part in parts]
    assert sum(weights) == pytest.approx(1)
    said = [load(cache_folder(), part) for part in parts]
    test = mean_log_prob([of["test"].log_prob for of in said], weights)
    by_person = np.bincount(said[0]["test"].person, weights=test)
    assert made.evidence.log_likelihood == pytest.approx(by_person.tolist(), abs=1e-6)
    assert made.evidence.same_transitions(parts[0].evidence)
    assert made.figures["log_likelihood"] == pytest.approx(test.sum(), abs=1e-3)
    assert (made.figures["top_1"], made.mass, made.sums_to_one, made.knows_truth) == (None, None, True, False)
    assert made.facts["parts"] == {part.id: part.configuration.model for part in parts}
    # The weights are those of the validation split: no part, and no other weights, do better there.
    valid = [of["valid"].log_prob for of in said]
    best = mean_log_prob(valid, weights).mean()
    assert made.facts["validation_perplexity"] == pytest.approx(np.exp(-best))
    assert made.facts["validation_gap_nats"] <= 1e-9
    for other in np.linspace(0, 1, 101):
        assert best >= mean_log_prob(valid, [other, 1 - other]).mean() - 2e-9


@pytest.mark.parametrize("task", ["switch", "lf_exit"])
def test_of_an_event_the_probability_is_mixed(ran: Path, task: str) -> None:
    records = of_task(ran, task)
    made, parts = records["mix"], [records["marginal"], records["markov"]]
    said = [load(cache_folder(), part)["test"] for part in parts]
    events = [np.exp(of.log_event) for of in said if of.log_event is not None]
    happened = said[0].happened
    assert happened is not None
    prob = sum(made.facts["weights"][part.id] * event for part, event in zip(parts, events, strict=True))
    assert made.figures["brier"] == pytest.approx(((prob - happened) ** 2).mean(), abs=1e-6)
    grid = np.rint(prob * 10_000)
    pairs = grid[happened][:, None] - grid[~happened][None, :]
    assert made.figures["auc"] == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2, abs=1e-9)
    assert made.figures["log_loss"] == pytest.approx(-np.log(np.where(happened, prob, 1 - prob)).mean(), abs=1e-5)


def test_boards_with_a_mix_are_recomputed_from_its_record(ran: Path) -> None:
    done = typed(ran.parents[1], "leaderboard", "--check")
    assert done.returncode == 0, done.stderr
    board = (ran.parent / "market-persons-200-seed-1" / "next_occ.md").read_text()
    assert "- mix: no model but the headroom: a weighted mean of what finished runs said" in board
    made = of_task(ran, "next_occ")["mix"]
    path = Store(ran).path(made.configuration)
    path.write_text(path.read_text().replace('"perplexity": ', '"perplexity": 1'))
    try:
        done = typed(ran.parents[1], "leaderboard", "--check")
        assert done.returncode == 1
        assert f"not those of their evidence: {made.id}" in done.stderr
    finally:
        Store(ran).write(made)


def test_a_mix_compares_as_any_record(ran: Path) -> None:
    records = of_task(ran, "next_occ")
    done = typed(ran.parents[1], "compare", records["markov"].id, records["mix"].id, "--json")
    line = json.loads(done.stdout)["runs"][1]
    n = sum(records["mix"].evidence.transitions)
    gain = (records["mix"].figures["log_likelihood"] or 0) - (records["markov"].figures["log_likelihood"] or 0)
    assert line["difference"]["value"] == pytest.approx(gain / n, abs=1e-6)
    assert line["name"] == "mix"


def test_the_truth_is_no_part(ran: Path, harness: InProcess) -> None:
    records = of_task(ran, "next_occ")
    assert records["oracle"].id not in records["mix"].facts["weights"]
    status, _, told = harness(records["oracle"].id, records["markov"].id, "--records", str(ran))
    assert status == 2
    assert f"{records['oracle'].id} (oracle) is told the truth" in told


def test_a_board_has_its_own_mix_and_named_ones(harness: InProcess, tmp_path: Path, ran: Path) -> None:
    records = tmp_path / "records"
    for record in of_task(ran, "switch").values():
        Store(records).write(record)
    older = of_task(records, "switch")
    done = typed(tmp_path, "run", "--task", "switch", "--model", "uniform", *SMALL, "--records", str(records))
    assert "mix: made without uniform." in done.stdout
    status, out, _ = harness("--task", "switch", "--records", str(records), "--json")
    assert status == 0
    [made] = json.loads(out)
    assert len(made["configuration"]["parameters"]["runs"]) == 3
    assert "evidence" not in made
    [board] = boards(Store(records).all())
    assert [row.record for row in board.rows if row.model == "mix"] == [made["id"]]
    assert board.superseded == 1
    assert not any(row.mix_without for row in board.rows)
    status, out, told = harness(older["marginal"].id[:9], older["markov"].id[:9], "--records", str(records))
    assert (status, told.count("mix of 2 runs on switch of market")) == (0, 1)
    ids = "+".join(sorted(older[name].id[:8] for name in ("marginal", "markov")))
    assert f"mix (runs={ids})" in out
    [board] = boards(Store(records).all())
    assert sorted(row.label for row in board.rows if row.model == "mix") == ["mix", f"mix (runs={ids})"]


def test_what_is_not_here_is_left_out_with_its_line(
    harness: InProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "one"))
    task = ["--task", "next_occ"]
    settings = ["--model", "marginal", "--set", "marginal.pseudo_count=2", "--set", "data.persons=150"]
    done = typed(tmp_path, "run", *task, *settings, "--records", "r")
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "two"))
    done = typed(
        tmp_path, "run", *task, "--model", "markov", "--model", "uniform", "--set", "data.persons=150", "--records", "r"
    )
    assert done.returncode == 0, done.stderr
    status, _, told = harness("--records", "r")
    assert status == 0
    assert "mix of 2 runs on next_occ of market" in told
    [left] = [line for line in told.splitlines() if line.startswith("left out")]
    assert "marginal (pseudo_count=2.0)" in left
    line = shlex.split(left.split("they are made by: ")[1])
    assert line[0] == "harness"
    again = typed(tmp_path, *line[1:])
    assert again.returncode == 0, again.stderr
    status, _, told = harness("--records", "r")
    assert "left out" not in told
    assert "mix of 3 runs on next_occ of market" in told
    marginal = of_task(tmp_path / "r", "next_occ")["marginal"]
    path_of(tmp_path / "two", marginal.id).unlink()
    status, _, told = harness(marginal.id, of_task(tmp_path / "r", "next_occ")["markov"].id, "--records", "r")
    assert status == 2
    assert "not on this machine: harness run --task next_occ --model marginal" in told


def test_requests_that_make_no_sense(harness: InProcess, ran: Path, tmp_path: Path) -> None:
    records, other = of_task(ran, "next_occ"), of_task(ran, "switch")
    (tmp_path / "empty").mkdir()
    for line, message in (
        ([records["markov"].id], "a mix needs two runs or more, each once; here there is 1"),
        ([records["markov"].id, records["markov"].id[:6]], "each once; here there are 2"),
        ([records["markov"].id, other["markov"].id], "a mix is of runs of one task on one panel"),
        ([records["markov"].id, records["mix"].id], "(mix) is a mix: name its runs instead"),
        ([records["markov"].id, "zzz"], "no record's id begins with 'zzz'"),
        (["--task", "swich"], "did you mean 'switch'"),
        (["--data", "nowhere"], "'nowhere' is no data set"),
        (
            [records["markov"].id, records["marginal"].id, "--task", "switch"],
            "runs that are named belong to one already",
        ),
        (["--records", "empty"], "empty: no record files"),
        (["--records", "missing"], "no such folder of records"),
    ):
        status, out, told = harness(*([] if "--records" in line else ["--records", str(ran)]), *line)
        assert (status, out) == (2, ""), line
        assert message in told


def test_boards_that_cannot_be_mixed_are_an_error(
    harness: InProcess, ran: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "nothing"))
    status, _, told = harness("--records", str(ran))
    assert status == 2
    assert told.count("it needs two runs or more, and has 0") == 4
    assert "no board has two rows whose probabilities this machine holds" in told


@pytest.mark.parametrize("line", [["run", "--task", "switch", "--model", "mix"], ["show", "mix"]])
def test_who_takes_it_for_a_model_is_told_what_it_is(tmp_path: Path, line: list[str]) -> None:
    done = typed(tmp_path, *line)
    assert done.returncode == 2
    assert "'mix' is no model but an ensemble of finished runs: 'harness mix --help'" in done.stderr
