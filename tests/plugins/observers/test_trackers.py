"""Runs told to MLflow and Weights & Biases themselves, both offline; what fails there loses no run."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from helpers.commands import installed, typed
from helpers.planted import plant

CURVED = """
from pydantic import Field
from harness.model import Params

class Shape(Params):
    depth: int = Field(3, ge=1)

class Planted(Uniform):
    def facts(self):
        return {"validation_loss": [2.125, 1.875, 1.8125], "parameters_trained": 7, "base": "none"}
"""
RUN = ("run", "--task", "next_occ", "--data", "market", "--set", "data.persons=40", "--records", "records")


@pytest.mark.slow
def test_a_run_is_told_to_both(tmp_path: Path) -> None:
    """Parameters, seed, figures, curves and the record's file; and nothing without being asked."""
    path = plant(tmp_path / "plugin", CURVED, "params=Shape")
    line = (*RUN, "--model", "planted", "--set", "planted.depth=5", "--seed", "11")
    done = installed(
        tmp_path, *line, "--observe", "mlflow", PYTHONPATH=path, HARNESS_OBSERVE="wandb", WANDB_PROJECT="p"
    )
    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / "records").rglob("*.json")
    record = json.loads(file.read_text())
    store = sqlite3.connect(tmp_path / "mlflow.db")
    try:
        [(name, status, where, board)] = store.execute(
            "select r.name, r.status, r.artifact_uri, e.name from runs r join experiments e using (experiment_id)"
        )
        params = dict(store.execute("select key, value from params"))
        curve = list(store.execute("select step, value from metrics where key = 'validation_loss' order by step"))
        metrics = dict(store.execute("select key, value from metrics where key != 'validation_loss'"))
    finally:
        store.close()
    assert (name, status, board) == (f"planted {record['id']}", "FINISHED", "market-persons-40-seed-1 next_occ")
    assert (params["model"], params["task"], params["seed"], params["planted.depth"]) == (
        "planted",
        "next_occ",
        "11",
        "5",
    )
    assert params["panel_fingerprint"] == record["configuration"]["panel"]["fingerprint"]
    assert curve == [(0, 2.125), (1, 1.875), (2, 1.8125)]
    assert metrics["perplexity"] == record["figures"]["perplexity"]
    assert metrics["parameters_trained"] == 7
    assert metrics["peak_memory_mb"] > 0
    assert (Path(where) / file.name).read_bytes() == file.read_bytes()
    [kept] = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    for told in (
        b"planted.depth",
        b"validation_loss",
        b"1.8125",
        file.name.encode(),
        str(metrics["perplexity"]).encode(),
    ):
        assert told in content, told


def test_what_a_tracker_refuses_loses_no_run(tmp_path: Path) -> None:
    done = typed(tmp_path, *RUN, "--model", "uniform", "--observe", "mlflow", MLFLOW_TRACKING_URI="nowhere://here")
    assert done.returncode == 0, done.stderr
    assert len([*(tmp_path / "records").rglob("*.json")]) == 1
    assert "mlflow' failed and was passed over: harness_run_finished: " in done.stderr
    assert "nowhere" in done.stderr
    assert "1  uniform  " in done.stdout


def test_nobody_is_told_who_was_not_asked_for(tmp_path: Path) -> None:
    done = typed(tmp_path, *RUN, "--model", "uniform", MLFLOW_TRACKING_URI="nowhere://here")
    assert (done.returncode, "mlflow" in done.stderr) == (0, False)
    assert {path.name for path in tmp_path.iterdir()} == {"records"}


def test_an_observer_that_is_none_is_told_before_the_fit(tmp_path: Path) -> None:
    done = typed(tmp_path, *RUN, "--model", "uniform", "--observe", "mlfow")
    assert done.returncode == 2
    assert "no observer is called 'mlfow'; did you mean 'mlflow'" in done.stderr
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_told_before_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr("importlib.util.find_spec", lambda module: None if module == name else find_spec(module))
    done = typed(tmp_path, *RUN, "--model", "uniform", "--observe", name)
    assert done.returncode == 2
    assert f"pip install 'labor-harness[{name}]'" in done.stderr
    assert not (tmp_path / "records").exists()
