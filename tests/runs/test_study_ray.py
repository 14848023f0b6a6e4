"""Studies on a cluster of Ray: two nodes of this machine, each with a cache of its own, one of which is killed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.cells import PATH, cell
from helpers.commands import HARNESS, installed, typed
from helpers.planted import plant

from harness.registry import load_registry
from harness.runs.study.cells import Event, Remark, run_cells
from harness.runs.study.on_ray import OnRay
from harness.runs.study.place import LastPanels

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "default::FutureWarning")]

STUDY = """
panel: {data: market, parameters: {persons: 60}}
tasks: [next_occ, switch]
models: {planted: {}, markov: {}, mnl: {}, gbm: {rounds: 5}}
train_persons: [0, 20]
"""
SOURCE = """
class Planted(Uniform):
    def fit(self, train, valid, context):
        self.k = train.n_states
        if (node := os.environ.get("NODE")):
            open(os.path.join(node, f"began-{train.n_persons}"), "w").close()
            time.sleep(3)
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without processors, and two nodes of one each; a plugin is there on all."""
    from ray.cluster_utils import Cluster

    path = plant(tmp_path / "plugin", SOURCE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")])))
    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = []
    for name in ("a", "b"):
        (folder := tmp_path / name).mkdir()
        own = {"HARNESS_CACHE": str(folder / "cache"), "NODE": str(folder)}
        nodes.append(made.add_node(wait=False, num_cpus=1, env_vars=own))
    made.wait_for_nodes()
    yield made, nodes
    made.shutdown()


def contents(records: Path) -> dict[str, Any]:
    """Record files by their names, without what two runs of one request may differ in."""
    found = {path.name: json.loads(path.read_text()) for path in records.glob("*/*.json")}
    for content in found.values():
        del content["measured"]
    return found


def test_a_killed_node_costs_its_running_cells_which_are_begun_again(cluster: Any, tmp_path: Path) -> None:
    made, nodes = cluster
    (tmp_path / "study.yaml").write_text(STUDY)
    home = {"HARNESS_CACHE": str(tmp_path / "home")}
    line = ("study", "run", "study.yaml", "--records", "r")
    with subprocess.Popen(
        [HARNESS, *line, "--on", "ray", "--json"],
        cwd=tmp_path,
        env=os.environ | home | {"RAY_ADDRESS": made.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        deadline = time.monotonic() + 120
        while not (begun := [place.name for place in (tmp_path / "b").glob("began-*")]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        made.remove_node(nodes[1], allow_graceful=False)
        out, said = command.communicate(timeout=300)
    assert command.returncode == 0, said
    assert {one["ended"]["how"] for one in json.loads(out)} == {"done"}
    assert "8 cells: 0 done before, 8 now" in said
    assert all((tmp_path / "a" / name).exists() for name in begun)  # where it was begun again
    alone = installed(tmp_path, *line[:3], "--records", "s", "--threads", "1", HARNESS_CACHE=str(tmp_path / "other"))
    assert alone.returncode == 0, alone.stderr
    assert contents(tmp_path / "r") == contents(tmp_path / "s")
    assert len(contents(tmp_path / "r")) == 16
    again = installed(
        tmp_path, "run", "--task", "switch", "--model", "markov", "--set", "data.persons=60", "--records", "r", **home
    )
    assert "read from the record" in again.stderr  # the fit and the probabilities came home too


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("planted: {}, ", ""))
    done = typed(tmp_path, "study", "run", "study.yaml", "--records", "r", "--on", "ray", RAY_ADDRESS="127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --on ray: no cluster of Ray answers at 127.0.0.1:1 (")
    assert done.stderr.count("\n") == 1


def test_a_cell_that_crashes_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster of this machine, started for these cells and gone with them; what asks for too much gets what is."""
    monkeypatch.setenv("PYTHONPATH", PATH)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    cells = [cell("1"), cell("dies", "die"), cell("fails", "fail"), cell("2"), cell("large", memory_mb=1e9)]
    happened: list[Event] = []
    executor = OnRay("ray", 1, LastPanels(load_registry()).open, most=2)
    ended = {one.cell.id: one for one in run_cells(cells, executor, happened.extend)}
    assert {name: one.fault for name, one in ended.items()} == {
        "1": "",
        "dies": "lost",
        "fails": "run",
        "2": "",
        "large": "",
    }
    assert "lost 4 times" in ended["dies"].error
    assert ended["fails"].error == "ValueError: no number"
    assert [one.text for one in happened if isinstance(one, Remark)] == ["about to fail"]
    assert {one.answer["threads"] for one in ended.values() if one.answer} == {"1"}
