"""llm-lora fitted by two processes of one launch, against one process alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import SMALLEST

# Two processes draw other masks than one; the pool trains on nobody whom the panel holds out.
SETTINGS = SMALLEST | {"epochs": 2, "dropout": 0.0, "pool": "market-resumes"}
SETS = [word for name, value in SETTINGS.items() for word in ("--set", f"llm-lora.{name}={value}")]
RUN = ["run", "--task", "next_occ", "--set", "data.persons=30", "--model", "marginal", "--model", "llm-lora", *SETS]
LAUNCH = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port 0"


def run(folder: Path, *line: str, launched: bool = True, limit: float = 240) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "accelerate.commands.launch", *LAUNCH.split()] if launched else []
    return subprocess.run(
        [sys.executable, *launcher, "-m", "harness", *line, "--device", "cpu"],
        env=os.environ | {"HARNESS_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
    )


def record_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    marginal, lora = json.loads(done.stdout)  # one document: whoever prints twice does not parse
    assert marginal["configuration"]["model"] == "marginal"
    return dict(lora)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("launch")


@pytest.mark.slow
def test_two_processes_fit_as_one_does(folder: Path, tmp_path: Path) -> None:
    two = run(folder, *RUN, "--json")
    both = record_of(two)
    assert len(list(folder.rglob("*llm-lora*.json"))) == 1
    assert two.stderr.count("llm-lora on next_occ: perplexity") == 1
    assert two.stderr.count("marginal on next_occ: perplexity") == 1
    assert [path.name for path in (folder / "cache").iterdir() if path.name != "unfinished"] != []
    assert not list((folder / "cache" / "unfinished").iterdir())
    os.symlink(folder / "cache" / "models", _made(tmp_path / "cache") / "models")  # the same base
    one = record_of(run(tmp_path, *RUN, "--json", launched=False))
    assert len(both["facts"]["validation_loss"]) == 3
    assert both["facts"]["validation_loss"] == pytest.approx(one["facts"]["validation_loss"], abs=1e-4)
    assert both["figures"]["log_likelihood"] == pytest.approx(one["figures"]["log_likelihood"], rel=1e-3)
    assert both["id"] == one["id"]
    again = record_of(run(folder, *RUN, "--json"))  # from the record, without a fit that anyone would wait for
    assert again == both


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_two_processes_ablate_and_pool_as_one_does(folder: Path, tmp_path: Path) -> None:
    other = _made(tmp_path / "other")
    (other / "occupations.csv").write_text("code,title,group,status\n1,Nurses,A,employed\n2,Clerks,B,employed\n")
    careers = "".join(f"{person},{year},{1 + person % 2}\n" for person in range(90) for year in (1990, 1991))
    (other / "careers.csv").write_text(f"person,year,occupation\n{careers}")
    asked = ["ablate", "llm-lora", "--set", "data.persons=30", *SETS, "--arm", "pooled", "--train-also", str(other)]
    two, one = (
        json.loads(run(place, *asked, "--json", launched=launched).stdout)
        for place, launched in ((folder, True), (_made(tmp_path / "alone"), False))
    )
    assert [line["arm"] for line in two] == ["as asked for", "pooled with other"]
    for line, alone in zip(two, one, strict=True):
        assert line["record"] == alone["record"]
        assert line["perplexity"]["value"] == pytest.approx(alone["perplexity"]["value"], rel=1e-3)


@pytest.mark.slow
def test_a_wrong_request_ends_all_and_the_main_process_says_it(folder: Path) -> None:
    done = run(folder, *RUN, "--set", "llm-lora.ranks=3")
    assert done.returncode != 0
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if line.startswith("error: 'llm-lora' has no parameter 'ranks'")]
    assert len(said) == 1  # the other process names itself, where it speaks at all
    assert "exitcode  : 2" in done.stderr  # of the process itself; launchers end with 1 whatever it was
