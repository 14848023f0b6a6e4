"""Requests as files: read, refused with the place of a fault, written, and overruled by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.toys import InProcess
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RequestError
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.request import PanelRequest, RunRequest, to_yaml

STUDY = """\
panel:
  data: market
  parameters: {persons: 60}
tasks: [next_occ, switch]
models:
  markov:
    entry_strength: 5
  marginal:
seed: 3
"""
NAMES = st.from_regex(r"[a-z][a-z_-]{0,9}", fullmatch=True)
VALUES = st.dictionaries(NAMES, st.from_regex(r"[a-z0-9.,/=-]{1,12}", fullmatch=True), max_size=3)


def test_a_study_is_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    run = InProcess("run", monkeypatch, capsys)
    line = ["--config", str(tmp_path / "study.yaml"), "--records", str(tmp_path / "records")]
    status, _, told = run(*line)
    assert status == 0, told
    made = {(r.configuration.model, r.configuration.task): r for r in Store(tmp_path / "records").all()}
    assert set(made) == {(m, t) for m in ("markov", "marginal") for t in ("next_occ", "switch")}
    markov = made["markov", "switch"].configuration
    assert markov.changed == {"entry_strength": 5.0}
    assert (markov.seed, markov.panel.source["persons"]) == (3, 60)
    assert run(*line, "--model", "markov", "--seed", "0", "--set", "entry_strength=7", "--task", "lf_exit")[0] == 0
    further = [r.configuration for r in Store(tmp_path / "records").all() if r.configuration.task == "lf_exit"]
    assert [(one.model, one.seed, one.changed) for one in further] == [("markov", 0, {"entry_strength": 7.0})]


def test_the_request_of_a_command_line_is_written_and_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], registry: Registry
) -> None:
    words = "--task all --model softmax --set softmax.recall=false --set data.persons=60 --train-persons 20 --seed 7"
    status, _, told = InProcess("run", monkeypatch, capsys)(*words.split(), "--write-config", str(tmp_path / "s.yaml"))
    assert status == 0, told
    assert RunRequest.read(tmp_path / "s.yaml", registry) == RunRequest(
        panel=PanelRequest(parameters={"persons": "60"}),
        tasks=("all",),
        models={"softmax": {"recall": "false"}},
        train_persons=(20,),
        seed=7,
    )


@given(
    models=st.dictionaries(NAMES, VALUES, max_size=3),
    tasks=st.lists(NAMES, max_size=3),
    seed=st.integers(0, 10**9),
    weights=st.none() | NAMES,
    parameters=VALUES,
)
def test_any_request_reads_back_from_its_yaml(
    models: dict[str, dict[str, str]], tasks: list[str], seed: int, weights: str | None, parameters: dict[str, str]
) -> None:
    panel = PanelRequest(weights=weights, parameters=parameters)
    request = RunRequest(panel=panel, models=models, tasks=tuple(tasks), seed=seed)
    assert RunRequest.model_validate(yaml.safe_load(to_yaml(request)) or {}) == request


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: [next_occ", "not a YAML file"),
        ("- next_occ", "holds no entries"),
        ("task: next_occ", r"task: there is no such entry; did you mean 'tasks'"),
        ("panel: {dta: x}", r"panel\.dta"),
        ("seed: -1", "seed"),
        ("reuse: always", "reuse"),
        ("tasks: " + "[" * 3000, "nested too deeply"),
        ("seed: 2001-99-99", "not a YAML file"),
        ("seed: " + "9" * 5000, "not a YAML file"),
        ("seed: 1\nmodels: [mnl]\nseed: 2", "line 3: 'seed' stands in line 1 already"),
        ("models:\n  gbm:\n    rounds: 3\n    rate: 1\n    rounds: 4", "line 5: 'rounds' stands in line 3 already"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, registry: Registry, text: str, message: str) -> None:
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(RequestError, match=message) as raised:
        RunRequest.read(tmp_path / "study.yaml", registry)
    assert str(tmp_path / "study.yaml") in str(raised.value)


def test_paths_are_read_from_the_files_own_folder(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "jobs.csv").write_text("person,year,occupation\n")
    (tmp_path / "study.yaml").write_text("panel: {data: jobs.csv, train_also: [market, other.csv]}")
    panel = RunRequest.read(tmp_path / "study.yaml", registry).panel
    assert panel.data == str(tmp_path / "jobs.csv")
    assert panel.train_also == ("market", "other.csv")  # a name, and a file that is not there


def test_a_request_is_keyword_only_and_frozen() -> None:
    make: Any = PanelRequest  # to a type checker the next line is an error too
    with pytest.raises(TypeError):
        make("market")
    with pytest.raises(ValueError, match="frozen"):
        PanelRequest().data = "other"  # type: ignore[misc]
