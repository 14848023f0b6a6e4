"""Every command that reads careers takes the same panel, by the same options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from helpers.toys import InProcess
from typer.main import get_command

from harness import open_panel
from harness.cli import build_app
from harness.data.write import write_panel
from harness.registry import Registry

READERS = ("run", "score", "claims", "ablate", "forecast", "audit", "mix")
SHARED = {"--data", "--column", "--occupations", "--weights", "--strata", "--units", "--records"}
ANSWERED = ("run", "claims", "ablate")  # by records, which may be there already


@pytest.fixture(scope="module")
def options(registry: Registry) -> dict[str, set[str]]:
    """Command -> its options."""
    group: Any = build_app(registry)
    group = group if isinstance(group, click.Group) or hasattr(group, "commands") else get_command(group)
    return {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()
    }


@pytest.mark.parametrize("command", READERS)
def test_the_table_of_options_is_full(options: dict[str, set[str]], command: str) -> None:
    assert options[command] >= SHARED
    if command in ANSWERED:
        assert options[command] >= {"--reuse", "--force", "--seed", "--device", "--set", "--train-also", "--pretrain"}


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """One csv of careers whose columns have other names, with a weight and a sampling unit, and its occupations."""
    whole = open_panel("wage-panel")
    panel = whole.select(np.arange(160))
    write_panel(panel, tmp_path / "panel", "csv")
    lines = (tmp_path / "panel" / "careers.csv").read_text().splitlines()
    heading = lines[0].replace("person", "ID", 1).replace("year", "YR", 1).split(",")
    units = {person: i // 2 for i, person in enumerate(dict.fromkeys(line.split(",")[0] for line in lines[1:]))}
    rows = [f"{line},{1 + i % 2},{units[line.split(',')[0]]}" for i, line in enumerate(lines[1:])]
    (tmp_path / "jobs.csv").write_text("\n".join([",".join([*heading, "wt", "psu"]), *rows]) + "\n")
    return tmp_path


def line_of(folder: Path) -> list[str]:
    return [
        "--data",
        str(folder / "jobs.csv"),
        "--column",
        "person=ID",
        "--column",
        "year=YR",
        "--occupations",
        str(folder / "panel" / "occupations.csv"),
        "--weights",
        "wt",
        "--units",
        "psu",
        "--records",
        str(folder / "records"),
    ]


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("run", ["--task", "next_occ", "--model", "markov"], "clustered by psu"),
        ("ablate", ["softmax", "--arm", "no-groups"], ""),
        ("forecast", ["--model", "markov", "--samples", "2"], ""),
        ("audit", ["marginal", "--persons", "40"], "pass"),
        ("claims", ["--plan"], "to make"),
    ],
)
def test_a_file_opens_alike_for_every_command(
    jobs: Path,
    command: str,
    words: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, printed, told = InProcess(command, monkeypatch, capsys)(*words, *line_of(jobs))
    assert status == 0, told
    assert said in printed + told


def test_the_intervals_of_a_forecast_know_the_design(
    jobs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A unit of two persons is drawn as one: errors are others than those of persons, and figures the same."""
    with_units = line_of(jobs)
    at = with_units.index("--units")
    found = []
    for line in (with_units, [*with_units[:at], *with_units[at + 2 :]]):
        status, printed, told = InProcess("forecast", monkeypatch, capsys)("--model", "markov", *line, "--json")
        assert status == 0, told
        found.append(json.loads(printed)["periods"][-1]["forecasts"][-1]["perplexity"])
    assert found[0]["value"] == pytest.approx(found[1]["value"], rel=1e-6)
    assert not np.isclose(found[0]["standard_error"], found[1]["standard_error"], rtol=1e-3)
