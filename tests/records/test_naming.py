"""Names of records: ids, files, paths and panel/task/model, in the commands that take one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.commands import typed

CAREERS = "person,year,occupation,split\n" + "".join(
    f"p{i},{2000 + k},{'ab'[(i * k) % 2]},{('train', 'valid', 'test')[i % 3]}\n" for i in range(30) for k in range(4)
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of one panel twice: read from a file, and from the folder that the file was converted to."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "jobs.csv").write_text(CAREERS)
    asked = ("--task", "next_occ", "--model", "uniform", "--records", "results")
    for line in (
        ("run", *asked, "--model", "marginal", "--data", "jobs.csv"),
        ("data", "convert", "jobs.csv", "converted"),
        ("run", *asked, "--data", "converted"),
    ):
        done = typed(folder, *line)
        assert done.returncode == 0, done.stderr
    return folder


def of(folder: Path, panel: str, model: str) -> Path:
    [path] = (folder / "results" / panel).glob(f"next_occ-{model}-*.json")
    return path


def card(folder: Path, name: str) -> str:
    """The panel and model of the record that the name was understood as."""
    done = typed(folder, "card", name, "--records", "results", "--json")
    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout)["record"]["configuration"]
    return f"{asked['panel']['name']} {asked['model']}"


def test_the_two_share_an_id_and_both_have_boards(ran: Path) -> None:
    assert of(ran, "jobs", "uniform").name == of(ran, "converted", "uniform").name
    done = typed(ran, "leaderboard", "--records", "results", "--boards", "boards")
    assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in (ran / "boards").glob("*/next_occ.md")} == {"jobs", "converted"}


def test_every_name_that_is_one_record(ran: Path) -> None:
    path = of(ran, "jobs", "uniform")
    for name in (
        str(path),
        f"results/jobs/{path.name}",
        f"jobs/{path.name}",
        f"jobs/{path.stem}",
        "jobs/next_occ/uniform",
    ):
        assert card(ran, name) == "jobs uniform"
    other = of(ran, "jobs", "marginal")
    for name in (other.name, other.stem, other.stem[-16:], other.stem[-16:-8], "jobs/next_occ/marginal"):
        assert card(ran, name) == "jobs marginal"
    assert card(ran, "converted/next_occ/uniform") == "converted uniform"


@pytest.mark.parametrize("command", ["card", "verify", "explain", "compare", "mix"])
def test_an_ambiguous_name_lists_the_candidates(ran: Path, command: str) -> None:
    path = of(ran, "jobs", "uniform")
    for name in (path.stem[-16:], path.name):
        names = (name, "jobs/next_occ/marginal") if command in ("compare", "mix") else (name,)
        done = typed(ran, command, *names, "--records", "results")
        assert done.returncode == 2
        first, *lines = done.stderr.removeprefix("error: ").splitlines()
        assert first.startswith("2 record")
        assert name in first
        assert [line.split()[:6] for line in lines] == [
            [path.stem[-16:], "uniform", "on", "next_occ", "of", f"{panel},"] for panel in ("converted", "jobs")
        ]
        assert all(line.endswith(path.name) for line in lines)


def test_two_runs_of_a_model_are_told_apart_by_what_was_set(ran: Path) -> None:
    done = typed(ran, "run", "--task", "switch", "--model", "markov", "--data", "jobs.csv", "--records", "results")
    assert done.returncode == 0, done.stderr
    more = ("--set", "stay_strength=3")
    done = typed(
        ran, "run", "--task", "switch", "--model", "markov", "--data", "jobs.csv", "--records", "results", *more
    )
    assert done.returncode == 0, done.stderr
    assert card(ran, "jobs/switch/markov") == "jobs markov"
    assert card(ran, "jobs/switch/markov (stay_strength=3.0)") == "jobs markov"


def test_no_record_is_called_so(ran: Path) -> None:
    done = typed(ran, "card", "jobs/next_occ/nobody", "--records", "results")
    assert done.returncode == 2
    assert "no panel/task/model is called so" in done.stderr
    done = typed(ran, "card", "jobs.csv", "--records", "results")
    assert done.returncode == 2
    assert done.stderr.startswith("error: jobs.csv: not a record file")
