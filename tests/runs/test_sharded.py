"""A run that several processes score: the record of one, whatever becomes of a process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import installed, typed
from helpers.paths import ROOT
from helpers.planted import plant

from harness.model import scoring

PERSONS, YEARS, STATES = 360, 10, 5
# Ends processes that score, but not that of the run, as often as the file says; and says which ones answered.
ENDS_PROCESSES = """
class Planted(Uniform):
    process = os.getpid()
    def save(self, folder):
        super().save(folder)
        (folder / "process.txt").write_text(str(os.getpid()))
    def load(self, folder):
        super().load(folder)
        self.process = int((folder / "process.txt").read_text())
    def log_prob(self, panel, transitions, states):
        if os.getpid() != self.process:
            with open(os.environ["ENDS"], "r+") as file:
                left = int(file.read())
                file.seek(0)
                file.write(str(left - 1))
            if left > 0:
                os.kill(os.getpid(), 9)
        return super().log_prob(panel, transitions, states)
"""
BREAKS_THE_CONTRACT = """
class Planted(Uniform):
    threads = "7"
    def load(self, folder):
        super().load(folder)
        self.threads = os.environ.get("OMP_NUM_THREADS")
    def log_prob(self, panel, transitions, states):
        return super().log_prob(panel, transitions, states) + 9 * (self.threads != "7")
"""
DEAR = "whole_rows=False"  # so that it is asked about 1,000 records at a time


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Careers with weights and an age, most of them in the test split."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    folder = tmp_path / "panel"
    folder.mkdir()
    rng = np.random.default_rng(5)
    moved = rng.random((PERSONS, YEARS)) < 0.3
    state = rng.integers(STATES, size=(PERSONS, YEARS))
    rows = ["person,year,occupation,age,weight,split"]
    for person in range(PERSONS):
        split = "train" if person < 40 else "valid" if person < 60 else "test"
        now, age, weight = state[person, 0], rng.integers(20, 50), rng.integers(1, 4)
        for t in range(YEARS):
            now = state[person, t] if moved[person, t] else now
            rows.append(f"{person:03d},{1990 + t},{now},{age + t},{weight},{split}")
    (folder / "careers.csv").write_text("\n".join(rows) + "\n")
    occupations = [f"{k},Job {k},G{k % 2},employed" for k in range(STATES)]
    (folder / "occupations.csv").write_text("\n".join(["code,title,group,status", *occupations]) + "\n")
    return folder


def records(folder: Path) -> dict[str, Any]:
    """By file name, without seconds, memory and dates."""
    found = {path.name: json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))}
    for content in found.values():
        del content["measured"]
    return found


@pytest.mark.parametrize(
    "model",
    [
        ("markov",),
        pytest.param(("gbm", "rounds=5"), marks=pytest.mark.slow),
        pytest.param(("career", "epochs=1"), marks=pytest.mark.slow),
    ],
    ids=lambda model: model[0],
)
def test_three_processes_leave_the_record_of_one(
    panel: Path, monkeypatch: pytest.MonkeyPatch, model: tuple[str, ...]
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_RECORDS", 800)
    line = ["run", "--data", "panel", "--task", "next_occ", "--weights", "weight", "--model", model[0]]
    line += [word for value in model[1:] for word in ("--set", value)]
    begun: list[str] = []
    note_processes(monkeypatch, begun)
    folder = panel.parent
    for jobs in ("1", "3"):
        del begun[:]
        done = typed(folder, *line, "--records", jobs, "--score-jobs", jobs, HARNESS_CACHE=str(folder / "cache"))
        assert done.returncode == 0, done.stderr
        assert len(begun) == (0 if jobs == "1" else 3)
    one, three = records(folder / "1"), records(folder / "3")
    assert len(one) == 1
    assert three == one


def note_processes(monkeypatch: pytest.MonkeyPatch, begun: list[str]) -> None:
    """Take down every process that is begun to carry out cells."""
    import subprocess

    started = subprocess.Popen

    class Noted(started):  # type: ignore[valid-type, misc]
        def __init__(self, command: Any, *rest: Any, **options: Any) -> None:
            if "harness.runs.study.worker" in command:
                begun.append(command)
            super().__init__(command, *rest, **options)

    monkeypatch.setattr(subprocess, "Popen", Noted)


@pytest.mark.slow
def test_persons_whose_process_was_lost_are_asked_about_again(panel: Path) -> None:
    path = plant(panel.parent / "plugin", ENDS_PROCESSES, DEAR)
    line = ["run", "--data", "panel", "--task", "next_occ", "--model", "planted", "--force"]
    (panel.parent / "ends").write_text("0")
    one = installed(panel.parent, *line, "--records", "1", PYTHONPATH=path, ENDS="ends")
    assert one.returncode == 0, one.stderr
    (panel.parent / "ends").write_text("2")
    two = installed(panel.parent, *line, "--records", "2", "--score-jobs", "2", PYTHONPATH=path, ENDS="ends")
    assert two.returncode == 0, two.stderr
    assert int((panel.parent / "ends").read_text()) == -3  # two were lost, and three shards answered
    assert records(panel.parent / "2") == records(panel.parent / "1")
    (panel.parent / "ends").write_text("99")
    never = installed(panel.parent, *line, "--records", "3", "--score-jobs", "2", PYTHONPATH=path, ENDS="ends")
    assert never.returncode == 1
    assert "error: model 'planted' was scored by several processes, and 3 of them were lost at" in never.stderr
    assert not list((panel.parent / "3").rglob("*.json"))


def test_what_a_model_does_wrong_elsewhere_is_told_as_it_is_here(panel: Path) -> None:
    path = plant(panel.parent / "plugin", BREAKS_THE_CONTRACT, DEAR)
    line = ["run", "--data", "panel", "--task", "next_occ", "--model", "planted", "--score-jobs", "2"]
    done = installed(panel.parent, *line, "--records", "r", PYTHONPATH=path, OMP_NUM_THREADS="7")
    assert done.returncode == 1
    [said] = done.stderr.strip().splitlines()
    assert said.startswith("error: model 'planted' broke the contract at person")
