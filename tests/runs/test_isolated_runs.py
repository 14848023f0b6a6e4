"""Acts that no check in a process prevents: reading the data by name, patching the scorer, looking into other frames.

Each would make a model nearly perfect, where a run of the usual kind does not find it out. An isolated run leaves it
nothing to read, to patch or to look into.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import installed, typed
from helpers.planted import plant

from harness.runs.isolation import sandbox

pytestmark = pytest.mark.skipif(not sandbox.is_known(), reason="needs a kernel with Landlock")

# Finds a career by what it says, whoever it is of, and knows how it goes on.
KNOWS = """
class Knower(Uniform):
    def careers(self):
        raise NotImplementedError
    def log_prob(self, panel, transitions, states):
        rows = np.full((len(transitions), self.k), -np.log(self.k), dtype=np.float32)
        known = {}
        for years, occupations in self.careers():
            for t in range(1, len(years)):
                known[tuple(occupations[:t]), years[t]] = occupations[t]
        for i, t in enumerate(transitions):
            first = panel.offsets[panel.person[t]]
            found = known.get((tuple(panel.state[first:t].tolist()), int(panel.year[t])))
            if found is not None:
                rows[i] = np.log(0.1 / (self.k - 1))
                rows[i, found] = np.log(0.9)
        return np.take_along_axis(rows, states, axis=1)
"""
READS_THE_FILE = """
import csv
class Planted(Knower):
    def careers(self):
        found = {}
        with open(DATA) as file:
            for row in csv.DictReader(file):
                found.setdefault(row["person"], []).append((int(row["year"]), "abcde".index(row["occupation"])))
        return [tuple(zip(*rows)) for rows in found.values()]
"""
ASKS_ANOTHER_PROGRAM = READS_THE_FILE.replace(
    "with open(DATA) as file:", "for file in [__import__('subprocess').check_output(['cat', DATA], text=True).split()]:"
)
LOOKS_INTO_ITS_PARENT = """
class Planted(Knower):
    def careers(self):
        with open(f"/proc/{os.getppid()}/mem", "rb") as memory:
            return [memory]
"""
LOOKS_AROUND_AND_PATCHES_THE_SCORER = """
import gc
class Planted(Knower):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        from harness.model import task
        task.EachState.outcome = lambda self, panel, transitions, log_prob: np.full(len(transitions), -0.01)
    def careers(self):
        from harness.panel import Panel
        panels = [one for one in gc.get_objects() if isinstance(one, Panel)]
        for panel in [one for one in panels if len(str(one.persons[0])) == 4]:
            for p in range(panel.n_persons):
                here = slice(panel.offsets[p], panel.offsets[p + 1])
                yield panel.year[here].tolist(), panel.state[here].tolist()
"""


@pytest.fixture
def careers(tmp_path: Path) -> Path:
    """Three hundred careers of states that are drawn anew each year, all different."""
    generator = np.random.default_rng(3)
    rows = ["person,year,occupation"]
    for person in range(300):
        start = 1990 + int(generator.integers(0, 9))
        drawn = generator.choice(list("abcde"), 8)
        rows += [f"p{person:03d},{start + t},{state}" for t, state in enumerate(drawn)]
    file = tmp_path / "data" / "careers.csv"
    file.parent.mkdir()
    file.write_text("\n".join(rows) + "\n")
    return file


def run(folder: Path, data: Path, source: str, more: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    path = plant(folder / "plugin", KNOWS + source.replace("DATA", repr(str(data))))
    line = ("run", "--task", "next_occ", "--model", "planted", "--data", str(data), "--json", *more)
    return installed(folder, *line, PYTHONPATH=path)


@pytest.mark.parametrize("source", [READS_THE_FILE, ASKS_ANOTHER_PROGRAM, LOOKS_INTO_ITS_PARENT])
def test_the_data_cannot_be_read(source: str, tmp_path: Path, careers: Path) -> None:
    done = run(tmp_path, careers, source, ["--isolated"])
    assert done.returncode == 1
    assert "model 'planted' failed in log_prob: IsolatedError: " in done.stderr
    assert "ermission" in done.stderr or "exit status 1" in done.stderr


def test_neither_panel_nor_scorer_is_there(tmp_path: Path, careers: Path) -> None:
    """Either would make it nearly perfect."""
    done = run(tmp_path, careers, LOOKS_AROUND_AND_PATCHES_THE_SCORER, ["--isolated"])
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)
    assert record["figures"]["perplexity"] > 4.9
    assert record["checked"]["isolated"] is True


def test_an_isolated_run_says_what_an_open_one_does(tmp_path: Path, careers: Path) -> None:
    line = ["run", "--task", "next_occ", "--task", "switch", "--model", "markov", "--data", str(careers), "--json"]
    found = []
    for done in (typed(tmp_path, *line), installed(tmp_path, *line, "--isolated")):
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    for own, isolated in zip(*found, strict=True):
        assert isolated["figures"]["log_likelihood"] == pytest.approx(own["figures"]["log_likelihood"], abs=1e-3)
        assert (own["checked"]["isolated"], isolated["checked"]["isolated"]) == (False, True)


def test_data_among_the_plugins_code_are_refused(tmp_path: Path, careers: Path) -> None:
    beside = tmp_path / "plugin" / "careers.csv"
    beside.parent.mkdir()
    careers.rename(beside)
    done = run(tmp_path, beside, READS_THE_FILE, ["--isolated"])
    assert done.returncode == 2
    assert "which the model must be able to read: move the data to a folder of its own" in done.stderr
