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


def test_the_command_runs_writes_and_reads_again(
    four_persons: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = InProcess("claims", monkeypatch, capsys)
    careers = crowd(four_persons, 10)
    write_panel(careers, tmp_path / "crowd", "csv")
    others = np.array([f"other-{person}" for person in careers.persons])
    write_panel(replace(careers, persons=others), tmp_path / "pool", "csv")  # a base that has met nobody held out
    tiny = SMALLEST | {"epochs": 1, "pool": tmp_path / "pool"}
    places = ["--records", str(tmp_path / "results"), "--boards", str(tmp_path / "boards")]
    asked = ["--data", str(tmp_path / "crowd"), "--claim", "words", "--claim", "fine-tuning", "--shots", "1", *places]
    asked += [word for name, value in tiny.items() for word in ("--set", f"llm-lora.{name}={value}")]
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
