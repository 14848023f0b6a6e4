"""``harness tune``: trials side by side, processes that end, and the request file that is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.commands import installed, typed
from helpers.planted import plant

SOURCE = """
from typing import Annotated
from pydantic import Field
from harness.model import Params, SearchRange

class Knob(Params):
    level: Annotated[int, SearchRange(1, 9)] = Field(5, ge=1, description="of the model")
    way: Annotated[str, SearchRange(choices=("plain", "fatal", "spoken"))] = "plain"

class Planted(Uniform):
    def __init__(self, params):
        self.params = params
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        print(f"level {self.params.level}")
        if self.params.way == "spoken":
            raise ValueError(f"threads {os.environ['OMP_NUM_THREADS']}, process {os.getpid()}")
        if self.params.way == "fatal":
            os._exit(7)
"""
TUNE = ("tune", "planted", "--data", "market", "--set", "data.persons=40", "--records", "records")


@pytest.mark.slow
def test_a_process_that_ends_costs_its_trial_alone(tmp_path: Path) -> None:
    path = plant(tmp_path / "plugin", SOURCE, "params=Knob")
    line = (*TUNE, "--trials", "7", "--jobs", "2", "--json")
    done = installed(tmp_path, *line, PYTHONPATH=path, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    trials = json.loads(done.stdout)["trials"]
    assert len(trials) == 7
    assert trials[0]["values"] == {"level": "5", "way": "plain"}
    by_way = {way: [one for one in trials if one["values"]["way"] == way] for way in ("plain", "fatal", "spoken")}
    assert all(by_way.values())
    assert {one["state"] for one in by_way["plain"]} == {"done"}
    assert {one["error"] for one in by_way["fatal"]} == {"the process of the trial ended with status 7"}
    told = [one["error"].split(": ")[-1] for one in by_way["spoken"]]
    assert all(error.startswith("threads 1, process ") for error in told)
    assert done.stderr.count("the process of the trial ended") == len(by_way["fatal"])
    written = (tmp_path / "planted-next_occ-tuned.yaml").read_text()
    assert "way: plain" in written


def test_what_was_found_is_run_by_its_file(tmp_path: Path) -> None:
    data = ("--data", "market", "--set", "data.persons=60", "--set", "markov.state_strength=20")
    asked = ("--task", "switch", "--records", "records", "--trials", "3", "--seed", "4")
    done = typed(tmp_path, "tune", "markov", *data, *asked, "--try", "stay_strength=1..50:log", "--out", "found.yaml")
    assert done.returncode == 0, done.stderr
    assert "the validation figure of the best of many trials is too good" in done.stdout
    assert "the model as it comes, trial 0: " in done.stdout
    assert done.stderr.count("trial ") == 3
    assert not (tmp_path / "records").exists()
    ran = typed(tmp_path, "run", "--config", "found.yaml", "--records", "records", "--json")
    assert ran.returncode == 0, ran.stderr
    [record] = json.loads(ran.stdout)
    asked = record["configuration"]
    assert (asked["task"], asked["seed"], asked["panel"]["persons"]) == ("switch", 4, 60)
    assert asked["parameters"]["state_strength"] == 20


@pytest.mark.parametrize(
    ("further", "fault"),
    [
        (("--timeout", "soon"), "--timeout soon: write a time such as 90s, 30m or 2h"),
        (("--try", "stay=1..2"), "'markov' has no parameter 'stay'; known: entry_strength"),
        (("--try", "stay_strength=1..2", "--search", "x.yaml"), "leave one of them out"),
        (("--search", "x.yaml"), "x.yaml: cannot be read"),
        (("--task", "swich"), "no task is called 'swich'"),
        (("--task", "next_occ", "--set", "markov.nothing=1"), "'markov' has no parameter 'nothing'"),
    ],
)
def test_requests_that_make_no_sense_are_told(tmp_path: Path, further: tuple[str, ...], fault: str) -> None:
    done = typed(tmp_path, "tune", "markov", "--data", "market", "--set", "data.persons=30", *further)
    assert done.returncode == 2, done.stderr
    assert fault in done.stderr
    assert "Traceback" not in done.stderr
