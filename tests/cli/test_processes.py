"""harness run --processes: one command, several processes, and one word where it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.commands import installed, typed

RUN = ["run", "--task", "next_occ", "--set", "data.persons=30", "--processes", "2"]


@pytest.mark.slow
def test_one_command_fits_by_two_processes_and_says_so_once(tmp_path: Path) -> None:
    few = ["--set", "career.epochs=1", "--set", "career.fewest_steps=1", "--json"]
    done = installed(tmp_path, *RUN, "--model", "career", *few, HARNESS_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)
    assert record["configuration"]["model"] == "career"
    assert done.stderr.count("career on next_occ: perplexity") == 1
    assert not list((tmp_path / "cache" / "unfinished").iterdir())


@pytest.mark.slow
def test_what_is_wrong_is_said_in_one_line_with_its_status(tmp_path: Path) -> None:
    done = installed(tmp_path, *RUN, "--model", "career", "--weights", "nothing")
    assert done.returncode == 2
    [said] = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert said.startswith("error: --weights nothing:")
    assert "Traceback" not in done.stderr


def test_what_cannot_be_fitted_so_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    done = typed(tmp_path, *RUN, "--model", "markov", "--data", "nowhere")
    assert done.returncode == 2
    assert "error: --processes: markov cannot be fitted by several; ask for a model that can (" in done.stderr
    isolated = typed(tmp_path, *RUN, "--model", "career", "--isolated")
    assert isolated.returncode == 2
    assert "error: --processes: an isolated model is fitted by one process alone" in isolated.stderr
    started = typed(tmp_path, *RUN, "--model", "career", RANK="0", WORLD_SIZE="3")
    assert started.returncode == 2
    assert "error: --processes 2: a launcher has started 3 already" in started.stderr
