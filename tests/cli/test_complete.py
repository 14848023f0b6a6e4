"""Completion in the shell: the words that bash is offered at the end of a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.commands import typed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("complete")
    line = ["run", "--task", "switch", "--model", "uniform", "--model", "marginal", "--set", "data.persons=60"]
    assert typed(made, *line, "--records", "r", HARNESS_CACHE=str(made / "cache")).returncode == 0
    return made


def offered(folder: Path, line: str) -> list[str]:
    cursor = str(len(line.split(" ")) - 1)
    done = typed(folder, _HARNESS_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=cursor)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("harness run --model mar", ["marginal", "markov", "markov-regression"]),
        ("harness run --task switch --data mark", ["market", "market-resumes"]),
        ("harness score p.csv --task sw", ["switch"]),
        ("harness show wage", ["wage-panel"]),
        ("harness plot --kind fo", ["forest", "forecast"]),
        ("harness plot --records r market-persons-60-seed-1/switch/u", ["market-persons-60-seed-1/switch/uniform"]),
        ("harness compare market", []),  # no folder of records here
    ],
)
def test_names_are_completed(folder: Path, line: str, words: list[str]) -> None:
    assert set(offered(folder, line)) >= set(words)
    assert not words or all(word.startswith(line.rsplit(" ", maxsplit=1)[-1]) for word in offered(folder, line))


def test_runs_by_name_and_by_id(folder: Path) -> None:
    names = offered(folder, "harness card --records r ")
    assert names == [f"market-persons-60-seed-1/switch/{model}" for model in ("marginal", "uniform")]
    [path] = (folder / "r").rglob("*uniform*.json")
    id = path.stem.rpartition("-")[2]
    assert offered(folder, f"harness compare --records r {id[:5]}") == [id]
    path.with_name("switch-broken-00.json").write_text("{")
    assert offered(folder, "harness card --records r ") == names
