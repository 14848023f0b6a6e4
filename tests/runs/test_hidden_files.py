"""A model that opens its own data, or puts its own code in the place of the scorer's, is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import installed
from helpers.planted import plant

OPENING = {
    "by-name": "open(DATA).close()",
    "caught": "exec('try: open(DATA).close()\\nexcept Exception: pass', globals())",
    "by-link": "os.symlink(DATA, str(context.scratch / 'link')); open(context.scratch / 'link').close()",
    "by-program": "import subprocess; subprocess.run(['cat', DATA], stdout=subprocess.DEVNULL)",
    "by-shell": "os.system('cat ' + DATA + ' > /dev/null')",
    "in-thread": "from threading import Thread; t = Thread(target=open, args=(DATA,)); t.start(); t.join()",
}
OTHER_RUNS = "[open(f).close() for f in (context.cache.parent / 'probabilities').iterdir()]"
SEVERAL = """
MODELS = []
def model(name):
    return lambda kind: MODELS.append(ModelSpec(name, "a model of a test", kind))
{classes}
@hookimpl
def harness_models():
    return MODELS
"""
FIT = """
class Planted(Uniform):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        {does}
"""
PATCH = """
def outcome(self, panel, transitions, log_prob):
    return np.full(len(transitions), -0.01)
"""
AT_IMPORT = PATCH + "from harness.model import task\ntask.EachState.outcome = outcome\n" + FIT.format(does="")
WHEN_FITTED = PATCH + FIT.format(does="from harness.model import task; task.EachState.outcome = outcome")


@pytest.fixture
def careers(tmp_path: Path) -> Path:
    generator = np.random.default_rng(3)
    rows = [f"p{p:03d},{2000 + t},{s}" for p in range(90) for t, s in enumerate(generator.choice(list("abcde"), 6))]
    file = tmp_path / "data" / "careers.csv"
    file.parent.mkdir()
    file.write_text("\n".join(["person,year,occupation", *rows]) + "\n")
    return file


def run(folder: Path, careers: Path, source: str) -> tuple[int, str]:
    path = plant(folder / "plugin", source.replace("DATA", repr(str(careers))))
    line = ("run", "--task", "next_occ", "--data", str(careers), "--model", "planted")
    done = installed(folder, *line, PYTHONPATH=path)
    return done.returncode, done.stderr


def test_the_data_file_is_not_opened(tmp_path: Path, careers: Path) -> None:
    known = {**OPENING, "other-runs": OTHER_RUNS}
    classes = "".join(
        f"@model({name!r}){FIT.format(does=does)}".replace("Planted", f"Planted{i}")
        for i, (name, does) in enumerate(known.items())
    )
    path = plant(tmp_path / "plugin", "class Planted(Uniform): pass\n")
    file = tmp_path / "plugin" / "planted_model.py"
    text = f"{file.read_text()}\nDATA = {str(careers)!r}{SEVERAL.format(classes=classes)}"
    file.write_text(text)
    asked = [part for model in ("marginal", *known) for part in ("--model", model)]
    done = installed(
        tmp_path, "run", "--task", "next_occ", "--data", str(careers), "--json", *asked, PYTHONPATH=path,
        HARNESS_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert done.returncode == 1
    for name in known:
        [line] = [line for line in done.stderr.splitlines() if line.startswith(f"error: model '{name}' opened ")]
        assert line.endswith(
            "from the panels that it is given, and from nothing else that is known of the same careers"
        )
    assert "cache/probabilities/" in done.stderr.split("'other-runs' opened ")[1]
    assert [record["configuration"]["model"] for record in json.loads(done.stdout)] == ["marginal"]


@pytest.mark.parametrize("source", [AT_IMPORT, WHEN_FITTED])
def test_the_scorer_is_the_programs_own(tmp_path: Path, careers: Path, source: str) -> None:
    status, said = run(tmp_path, careers, source)
    assert (status, "'harness.model.task.EachState.outcome' had been replaced" in said) == (1, True)


def test_a_file_beside_the_data_may_be_read(tmp_path: Path, careers: Path) -> None:
    (careers.parent / "notes.txt").write_text("wages in 2010 dollars")
    status, said = run(tmp_path, careers, FIT.format(does="open(os.path.dirname(DATA) + '/notes.txt').close()"))
    assert status == 0, said
