"""``--seeds``: a record for each, read again and gone on with; models that draw nothing are told; claims over seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.toys import InProcess

from harness.records.store import Store

GBM = ["--model", "gbm", "--set", "gbm.rounds=3", "--set", "gbm.pairs=2000", "--set", "gbm.threads=1"]


def test_run_makes_a_record_for_every_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = InProcess("run", monkeypatch, capsys)
    asked = ["--task", "next_occ", "--data", "market", "--set", "data.persons=200", "--records", "records"]
    assert run(*asked, *GBM)[0] == 0
    status, text, told = run(*asked, *GBM, "--model", "marginal", "--seeds", "3")
    assert status == 0, told
    assert told.count("read from the record") == 1  # seed 0, which had been run
    assert "marginal draws nothing at random: seed 1 gives what seed 0 gave; no other is run" in told
    records = Store(tmp_path / "records").all()
    seeds = {(one.configuration.model, one.configuration.seed): one for one in records}
    assert set(seeds) == {("gbm", 0), ("gbm", 1), ("gbm", 2), ("marginal", 0), ("marginal", 1)}
    assert len({seeds["gbm", seed].figures["perplexity"] for seed in range(3)}) == 3
    assert text.count("  3, sd 0.") == 1
    assert "  2, sd 0.000  " in text
    leaderboard = InProcess("leaderboard", monkeypatch, capsys)
    places = ["--records", "records", "--boards", "boards"]
    assert leaderboard(*places)[0] == 0
    status, _, told = leaderboard(*places, "--check")
    assert (status, "5 records agree" in told) == (0, True)
    status, text, _ = InProcess("card", monkeypatch, capsys)(seeds["gbm", 1].id, "--records", "records")
    assert status == 0
    assert "with seed 1; the mean of its 3 seeds is on the board" in text
    status, _, told = run(*asked, *GBM, "--seed", "2", "--seeds", "2", "--write-config", "asked.yaml")
    assert status == 0, told
    assert "seed: 2\nseeds: 2\n" in (tmp_path / "asked.yaml").read_text()
    status, text, told = run("--config", "asked.yaml", "--records", "records", "--json")
    assert status == 0, told
    assert [one["configuration"]["seed"] for one in json.loads(text)] == [2, 3]
    assert run(*asked, *GBM, "--seeds", "0")[0] == 2
