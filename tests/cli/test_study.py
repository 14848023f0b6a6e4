"""harness study: what is planned, what is run, what is kept of failures, and what is not run again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import HARNESS, installed, typed
from helpers.paths import ROOT
from helpers.planted import plant

from harness.registry import Registry
from harness.runs.isolation import sandbox
from harness.runs.study.request import StudyRequest

STUDY = """
panel: {data: market, parameters: {persons: [60, 80]}}
tasks: [next_occ, switch]
models: [uniform]
train_persons: [0, 20]
"""
ONE = "panel: {data: market, parameters: {persons: 60}}\ntasks: [next_occ]\n"


def written(folder: Path, text: str = STUDY) -> Path:
    file = folder / "study.yaml"
    file.write_text(text)
    return file


def contents(records: Path) -> dict[str, Any]:
    """Record files by their path in the folder, without what two runs of one request may differ in."""
    found = {}
    for path in sorted(records.glob("*/*.json")):
        content = json.loads(path.read_text())
        del content["measured"]
        found[str(path.relative_to(records))] = content
    return found


def plan(folder: Path, *options: str) -> list[dict[str, Any]]:
    done = typed(folder, "study", "plan", "study.yaml", "--records", "r", "--json", *options)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def states(folder: Path) -> list[str]:
    return [one["state"] for one in plan(folder)]


def test_a_study_leaves_the_records_of_its_runs_and_is_not_run_again(tmp_path: Path) -> None:
    written(tmp_path)
    assert states(tmp_path) == ["to run"] * 4
    done = typed(tmp_path, "study", "run", "study.yaml", "--records", "r", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "4 cells: 0 done before, 4 now" in done.stderr
    cache = str(tmp_path / "cache")
    for persons in ("60", "80"):
        models = ("--task", "next_occ", "--task", "switch", "--model", "uniform", "--set", f"data.persons={persons}")
        sizes = ("--train-persons", "0", "--train-persons", "20", "--records", "s", "--json")
        assert typed(tmp_path, "run", *models, *sizes, HARNESS_CACHE=cache).returncode == 0
    assert contents(tmp_path / "r") == contents(tmp_path / "s")
    assert len(contents(tmp_path / "r")) == 8
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "r").rglob("*.json")}
    written(tmp_path, STUDY.replace("[0, 20]", "[20, 25]"))  # edited: what is left is what is new
    planned = plan(tmp_path)
    assert [one["state"] for one in planned] == ["done", "to run"] * 2
    line = ("study", "run", "study.yaml", "--records", "r", "--json")
    again = typed(tmp_path, *line, "--cell", planned[1]["cell"])
    assert again.returncode == 0, again.stderr
    assert [one["ended"]["how"] for one in json.loads(again.stdout)] == ["done"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert states(tmp_path) == ["done", "done", "done", "to run"]


@pytest.mark.slow
@pytest.mark.skipif(not sandbox.is_known(), reason="needs a kernel with Landlock")
def test_a_record_of_a_model_that_was_not_isolated_is_none_of_an_isolated_study(tmp_path: Path) -> None:
    written(tmp_path, ONE + "models: [uniform]\n")
    line = ("study", "run", "study.yaml", "--records", "r")
    same = ("run", "--task", "next_occ", "--model", "uniform", "--set", "data.persons=60", "--records", "r", "--json")
    assert typed(tmp_path, *same).returncode == 0
    assert states(tmp_path) == ["done"]
    for told in ("1 cell: 0 done before, 1 now", "1 cell: 1 done before, 0 now"):
        done = typed(tmp_path, *line, "--isolated")
        assert done.returncode == 0, done.stderr
        assert told in done.stderr
    (record,) = contents(tmp_path / "r").values()
    assert record["checked"]["isolated"] is True


def test_a_model_of_a_study_cannot_open_its_own_data(tmp_path: Path) -> None:
    """As in a run: what the careers were read from is hidden from it."""
    rows = [f"{p},{2000 + t},{'abc'[(p + t) % 3]}" for p in range(40) for t in range(4)]
    (tmp_path / "jobs.csv").write_text("\n".join(["person,year,occupation", *rows]))
    source = "class Planted(Uniform):\n    def fit(self, train, valid, context):\n        open('jobs.csv').read()\n"
    path = plant(tmp_path / "plugin", source)
    written(tmp_path, "panel: jobs.csv\ntasks: [next_occ]\nmodels: [planted]\n")
    done = installed(tmp_path, "study", "run", "study.yaml", "--records", "r", PYTHONPATH=path)
    assert done.returncode == 1
    assert "opened jobs.csv, which holds the outcomes" in done.stderr


@pytest.mark.slow
def test_a_cell_that_failed_is_kept_with_its_error_until_it_is_retried(tmp_path: Path) -> None:
    written(tmp_path, ONE + "models: {uniform: {}, marginal: {}}\n")
    line = ("study", "run", "study.yaml", "--records", "r")
    failed = typed(tmp_path, *line, "--time-limit", "0.001")
    assert failed.returncode == 1
    assert "model 'uniform' took longer than the 0.001 s of --time-limit" in failed.stderr
    assert "2 cells: 0 done before, 0 now, 2 failed" in failed.stderr
    kept = [json.loads(path.read_text()) for path in sorted((tmp_path / "r" / "failed").rglob("*.json"))]
    assert [(one["name"].split()[0], one["times"], one["fault"]) for one in kept] == [
        ("marginal", 1, "run"),
        ("uniform", 1, "run"),
    ]
    assert states(tmp_path) == ["failed"] * 2
    passed_over = typed(tmp_path, *line)
    assert passed_over.returncode == 1
    assert "2 failed before and were not tried again (--retry-failed does)" in passed_over.stderr
    assert not contents(tmp_path / "r")
    assert "no record files" in typed(tmp_path, "leaderboard", "--records", "r", "--boards", "b").stderr
    retried = typed(tmp_path, *line, "--retry-failed")
    assert retried.returncode == 0, retried.stderr
    assert not list((tmp_path / "r" / "failed").rglob("*.json"))
    assert states(tmp_path) == ["done"] * 2


def test_costs_come_from_earlier_records_and_say_what_they_rest_on(tmp_path: Path) -> None:
    written(tmp_path, ONE + "models: [uniform, marginal]\n")
    assert all(one["seconds"] is None for one in plan(tmp_path))
    assert typed(tmp_path, "study", "run", "study.yaml", "--records", "r").returncode == 0
    for path in (tmp_path / "r").glob("*/*-uniform-*.json"):
        record = json.loads(path.read_text())
        record["measured"] |= {"fit_seconds": 8.0, "score_seconds": 2.0, "peak_memory_mb": 500.0}
        record["measured"] |= {"started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:00:11Z"}  # a second more
        path.write_text(json.dumps(record))
    persons = record["facts"]["train_persons"]
    written(tmp_path, ONE + f"models: [uniform, markov]\ntrain_persons: {persons // 2}\n")
    known, unknown = plan(tmp_path)
    assert known["basis"] == {"same_parameters": True, "scaled": True}
    assert known["seconds"] == pytest.approx(8.0 * (persons // 2) / persons + 2.0 + 1.0, rel=0.02)
    assert known["memory_mb"] == 500.0  # a smaller fit may need as much
    assert unknown["seconds"] is None
    told = typed(tmp_path, "study", "plan", "study.yaml", "--records", "r").stdout
    assert "no earlier record to judge by: markov" in told
    assert "1 of 2 cells: by a record of another size or other parameters" in told


def test_the_study_of_the_documentation_is_one(registry: Registry, tmp_path: Path) -> None:
    """Lists become a grid, a list of grids their union, a list in a list a value; models get what they can use."""
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    cells = StudyRequest.read(written(tmp_path, text)).cells(tmp_path, registry)
    assert len({cell.id for cell in cells}) == len(cells) == 180
    assert {cell.request.seed for cell in cells} == set(range(5))
    assert {tuple(cell.request.models["gbm"].items()) for cell in cells if cell.model == "gbm"} == {
        (("rounds", "100"),),
        (("rounds", "300"),),
        (("rounds", "50"), ("leaves", "15")),
    }
    further = "models: {mnl: [{penalties: [[30, 10], 3]}, {penalties: 3, iterations: 200}], gbm-switch: , career: }\n"
    text = "tasks: [next_occ, switch]\nseeds: [3, 5]\npanel: {pretrain: market-resumes}\n" + further
    cells = StudyRequest.read(written(tmp_path, text)).cells(tmp_path, registry)
    assert [(cell.model, cell.request.seed, *cell.request.models[cell.model].values()) for cell in cells[:4]] == [
        ("mnl", 3, "30,10"),
        ("mnl", 5, "30,10"),
        ("mnl", 3, "3"),
        ("mnl", 5, "3"),  # with the default written out it is the same cell
    ]
    assert [(cell.model, cell.request.tasks, cell.request.panel.pretrain) for cell in cells[3::2]] == [
        ("mnl", ("next_occ", "switch"), None),
        ("gbm-switch", ("switch",), None),
        ("career", ("next_occ", "switch"), "market-resumes"),
    ]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("models: [markov]", (), "study.yaml: tasks is missing"),
        ("tasks: [next_occ]\nmodels: [markof]", (), "no model is called 'markof'; did you mean 'markov'?"),
        ("tasks: [next_ock]\nmodels: [markov]", (), "no task is called 'next_ock'"),
        ("tasks: [next_occ]\nmodels: {gbm: {rounds: [1, x]}}", (), "gbm.rounds=x"),
        ("tasks: [next_occ]\nmodels: [markov]\nreuse: never", (), "reuse: Input should be 'own' or 'any'"),
        ("tasks: [next_occ]\nmodels: [markov]\npanels: nowhere", (), "nowhere"),
        ("tasks: [next_occ]\nmodels: [markov]\nseeds: []", (), "seeds"),
        (
            "tasks: [next_occ]\nmodels: [markov]\ngrid: 3",
            (),
            "grid: there is no such entry; known: device, models",
        ),
        (
            "tasks: next_occ\nmodels: markov\npanels: {reading: {evry: year}}",
            (),
            "panels.0.reading.evry: there is no such entry; did you mean 'every'?",
        ),
        ("tasks: next_occ\nmodels: {gbm: 3}", (), "models.gbm.0: 3 is no mapping"),
        ("tasks: next_occ\nmodels: [gbm: {rounds: 3}, gbm: {rounds: 4}]", (), "models: 'gbm' stands there twice"),
        (STUDY, ("--cell", "0123"), "--cell 0123: study.yaml has no such cell"),
        (STUDY, ("--on", "moon"), "--on moon: write local, ray, ray://HOST:PORT or slurm"),
        (STUDY, ("--on", "slurm"), "--out is missing"),
        (STUDY, ("--out", "x"), "--out is for --on slurm"),
    ],
)
def test_a_wrong_request_is_one_line(text: str, options: tuple[str, ...], told: str, tmp_path: Path) -> None:
    written(tmp_path, text)
    done = typed(tmp_path, "study", "run", "study.yaml", "--records", "r", *options)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_a_cell_that_cannot_be_made_leaves_the_others(tmp_path: Path) -> None:
    written(tmp_path, ONE + "models: [uniform]\ntrain_persons: [0, 5000]\n")
    done = typed(tmp_path, "study", "run", "study.yaml", "--records", "r")
    assert done.returncode == 1
    assert (
        "cannot be made: uniform on market persons=60 (seed 0, 5000 training persons): train_persons=5000"
        in done.stderr
    )
    assert "2 cells: 0 done before, 1 now, 1 cannot be made" in done.stderr
    assert len(contents(tmp_path / "r")) == 1


def test_ray_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    done = typed(tmp_path, "study", "run", "study.yaml", "--records", "r", "--on", "ray")
    assert done.returncode == 2
    assert done.stderr == ("error: --on ray needs ray, which is not installed: pip install 'labor-harness[ray]'\n")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_a_job_array_skips_what_is_done_and_is_merged(tmp_path: Path) -> None:
    """Its task in a shell, as Slurm starts it, after one that failed; of two cells the other is there already."""
    written(tmp_path, ONE + "models: [marginal]\ntrain_persons: [0, 20]\n")
    first, last = plan(tmp_path)
    home, node = {"HARNESS_CACHE": str(tmp_path / "home")}, {"HARNESS_CACHE": str(tmp_path / "node")}
    line = ("study", "run", "study.yaml", "--records", "r")
    assert typed(tmp_path, *line, "--cell", first["cell"], **home).returncode == 0
    options = ("--on", "slurm", "--out", "array", "--threads", "2", "--sbatch", "--partition=short")
    written_down = typed(tmp_path, *line, *options, **home)
    assert written_down.returncode == 0, written_down.stderr
    assert "sbatch array/array.sh\nharness study merge array --records r\n" in written_down.stderr
    script = tmp_path / "array" / "array.sh"
    lines = script.read_text().splitlines()
    assert {"#SBATCH --array=1-1", "#SBATCH --cpus-per-task=2", "#SBATCH --partition=short"} <= set(lines)
    assert (tmp_path / "array" / "cells.txt").read_text() == f"{last['cell']} {last['name']}\n"

    of_task = ("--cell", last["cell"], "--bundles", "array/done", "--time-limit", "0.001")
    assert typed(tmp_path, *line, *of_task, **node).returncode == 1
    merged = typed(tmp_path, "study", "merge", "array", "--records", "r", **home)
    assert merged.returncode == 1
    assert f"failed: {last['name']}: model 'marginal' took longer" in merged.stderr
    assert len(list((tmp_path / "r" / "failed").rglob("*.json"))) == 1
    assert len(contents(tmp_path / "r")) == 1

    def task() -> str:
        environment = os.environ | node | {"SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "2"}
        done = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert "1 cell: 0 done before, 1 now" in task()
    (bundle,) = (tmp_path / "array" / "done").glob("*.zip")
    before = bundle.stat().st_mtime_ns
    assert "0 cells: 0 done before, 0 now" in task()
    assert bundle.stat().st_mtime_ns == before
    for _ in range(2):  # once or many times, it comes to the same
        merged = typed(tmp_path, "study", "merge", "array", "--records", "r", **home)
        assert merged.returncode == 0, merged.stderr
        assert len(contents(tmp_path / "r")) == 2
    assert not list((tmp_path / "r" / "failed").rglob("*.json"))
    same = ("run", "--task", "next_occ", "--model", "marginal", "--set", "data.persons=60", "--train-persons", "20")
    alone = typed(tmp_path, *same, "--records", "s", "--json")
    assert alone.returncode == 0, alone.stderr
    assert contents(tmp_path / "s").items() <= contents(tmp_path / "r").items()
    assert (
        "read from the record" in typed(tmp_path, *same, "--records", "r", "--json", **home).stderr
    )  # the fit came too


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="the supervisor needs sigwaitinfo")
def test_a_study_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """Ctrl-C leaves what is finished, no process, and nothing that counts as a failure."""
    source = "class Planted(Uniform):\n    def fit(self, train, valid, context):\n        self.k = train.n_states\n"
    source += "        if context.seed and os.path.exists('slow'):\n"
    source += "            open(f'{os.getpid()}.pid', 'w').close()\n            time.sleep(60)\n"
    path = plant(tmp_path / "plugin", source)
    written(tmp_path, ONE + "models: [planted]\nseeds: 2\n")
    (tmp_path / "slow").touch()
    line = ("study", "run", "study.yaml", "--records", "r")
    with subprocess.Popen(
        [HARNESS, *line],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": _before(path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.pid")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=30)
    assert command.returncode in (-signal.SIGINT, 130)
    assert "stopped; finished records are kept in r, and the same command goes on" in said
    assert len(contents(tmp_path / "r")) == 1
    assert not (tmp_path / "r" / "failed").exists()
    deadline = time.monotonic() + 10
    while any(_lives(int(pid.stem)) for pid in tmp_path.glob("*.pid")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (tmp_path / "slow").unlink()
    done = installed(tmp_path, *line, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "2 cells: 1 done before, 1 now" in done.stderr


def _before(path: str) -> str:
    return os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")]))


def _lives(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
