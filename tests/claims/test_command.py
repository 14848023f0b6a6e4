"""The command ``harness claims``: runs, tables, and what it would run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed
from helpers.panels import crowd
from helpers.toys import SMALLEST, InProcess

from harness.claims.verdict import UNTESTED
from harness.cli import console
from harness.data.write import write_panel
from harness.panel.careers import Panel
from harness.plugins.labor_llm import CLAIMS


def tiny_claims(four_persons: Panel, folder: Path) -> tuple[list[str], list[str]]:
    """Options that ask for claims on forty persons and a base that learns in seconds; then where these are kept."""
    careers = crowd(four_persons, 10)
    write_panel(careers, folder / "crowd", "csv")
    others = np.array([f"other-{person}" for person in careers.persons])
    write_panel(replace(careers, persons=others), folder / "pool", "csv")  # a base that has met nobody held out
    tiny = SMALLEST | {"epochs": 1, "pool": folder / "pool"}
    places = ["--records", str(folder / "results"), "--boards", str(folder / "boards")]
    asked = ["--data", str(folder / "crowd"), "--claim", "words", *places]
    return [*asked, *(word for name, value in tiny.items() for word in ("--set", f"{name}={value}"))], places


def test_the_command_runs_writes_and_reads_again(
    four_persons: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = InProcess("claims", monkeypatch, capsys)
    asked, places = tiny_claims(four_persons, tmp_path)
    asked = [*asked, "--claim", "fine-tuning", "--shots", "1"]
    status, out, _ = call(*asked, "--plan", "--json")
    assert status == 0
    assert [(step["arm"], step["known"]) for step in json.loads(out)] == [
        ("tuned", False),
        ("untuned", False),
        ("shots", False),
        ("codes", False),
    ]
    assert not (tmp_path / "results").exists()
    status, out, told = call(*asked, "--json")
    assert status == 0, told
    tuning, words = json.loads(out)
    assert (tuning["claim"], words["claim"]) == ("fine-tuning", "words")
    [page] = (tmp_path / "boards").iterdir()
    text, content = (page / "claims.md").read_text(), json.loads((page / "claims.json").read_text())
    assert [one for one in content["claims"] if one["claim"] in ("fine-tuning", "words")] == [tuning, words]
    assert f"## words: {words['verdict']}" in text
    assert f"{words['comparisons'][0]['difference']['value']:+.4f}" in text
    (page / "claims.tex").unlink()
    status, _, told = InProcess("leaderboard", monkeypatch, capsys)(*places)
    assert status == 0, told
    assert (page / "claims.tex").exists()
    assert (page / "claims.md").read_text() == text
    monkeypatch.setattr(console, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    status, again, told = call(*asked)
    assert status == 0
    assert max(map(len, again.splitlines())) <= 80
    heading = next(line.split() for line in again.splitlines() if "against" in line)
    assert {"claim", "against", "difference", "outcome"} <= set(heading)
    assert "interval" not in heading
    assert "no table written" in told
    assert f"{words['comparisons'][0]['difference']['value']:+.4f}" in again
    status, out, told = call(*("999" if word == "1" else word for word in asked), "--json")
    assert status == 1
    [alone, shots] = json.loads(out)[0]["comparisons"]
    assert (alone["outcome"], shots["outcome"]) == (tuning["comparisons"][0]["outcome"], "not run")
    assert "has 20 persons to show" in shots["missing"]
    status, _, told = call(*asked, "--claim", "word")
    assert (status, told.strip()) == (2, "error: no claim is called 'word'; did you mean 'words'?")


def test_the_command_says_what_it_would_run(tmp_path: Path) -> None:
    line = ["claims", "--set", "data.persons=20", "--claim", "words", "--plan", "--json", "--records", str(tmp_path)]
    done = typed(tmp_path, *line)
    [tuned, codes] = json.loads(done.stdout)
    assert (tuned["arm"], tuned["changed"]) == ("tuned", {})
    assert (codes["arm"], codes["changed"], codes["tasks"]) == ("codes", {"titles": "codes"}, ["next_occ"])


def test_a_setting_without_a_name_is_of_the_model_that_the_claims_are_on(tmp_path: Path) -> None:
    line = ["claims", "--set", "data.persons=20", "--claim", "words", "--plan", "--json", "--records", str(tmp_path)]
    done = typed(tmp_path, *line, "--paper", "labor-llm-tokens", "--set", "rank=8")
    [tuned, codes] = json.loads(done.stdout)
    assert (tuned["model"], tuned["changed"]) == ("llm-titles", {"rank": 8})
    assert codes["changed"] == {"rank": 8, "titles": "codes"}


def test_claims_on_some_of_the_training_persons(
    four_persons: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every arm learns from as many; no page is written, since pages are of all."""
    asked, _ = tiny_claims(four_persons, tmp_path)
    status, out, told = InProcess("claims", monkeypatch, capsys)(*asked, "--train-persons", "12", "--json")
    assert status == 0, told
    [words] = json.loads(out)
    assert words["verdict"] != UNTESTED
    made = [json.loads(path.read_text()) for path in (tmp_path / "results").rglob("*.json")]
    assert sorted(one["configuration"]["parameters"]["titles"] for one in made) == ["codes", "words"]
    assert {(one["configuration"]["train_persons"], one["facts"]["train_persons"]) for one in made} == {(12, 12)}
    assert not (tmp_path / "boards").exists()


def test_a_wrong_number_of_training_persons_is_one_line(tmp_path: Path) -> None:
    line = ["claims", "--set", "data.persons=20", "--claim", "words", "--records", str(tmp_path)]
    done = typed(tmp_path, *line, "--train-persons", "500")
    assert done.returncode == 2
    assert done.stderr.startswith("error: train_persons=500: 'market-persons-20-seed-1' has 15 training persons")
    done = typed(tmp_path, *line, "--paper", "labor-llm-tokens", "--larger", "base=elsewhere")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --larger: no claim of LABOR-LLM with titles as tokens is on a larger base")


@pytest.mark.slow
def test_all_claims_on_the_market_within_twenty_minutes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "claims", "--json"]
    places = ["--records", str(tmp_path / "results"), "--boards", str(tmp_path / "boards")]
    environment = {**os.environ, "HARNESS_CACHE": str(tmp_path / "cache")}
    started = time.monotonic()
    done = subprocess.run([*command, *places], capture_output=True, text=True, check=True, env=environment)
    assert time.monotonic() - started < 20 * 60
    made = json.loads(done.stdout)
    assert [one["claim"] for one in made] == [claim.name for claim in CLAIMS]
    assert UNTESTED not in {one["verdict"] for one in made}
    [page] = (tmp_path / "boards").glob("*/claims.json")
    assert json.loads(page.read_text())["claims"] == made
