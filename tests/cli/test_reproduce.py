"""The line that makes a record again, where the name of a file is also that of a data set."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from helpers.toys import run_all, run_on

from harness import open_panel
from harness.cli.reproduce import command
from harness.data.write import write_panel
from harness.panel.careers import Panel
from harness.panel.weights import weighted
from harness.registry import Registry
from harness.runs.execute import Workshop


def line_of(panel: Panel, registry: Registry, workshop: Workshop) -> list[str]:
    [record] = run_all(run_on(registry, panel), workshop)
    return shlex.split(command(record, registry, Path("kept")))


@pytest.mark.parametrize("reader", ["folder", "file"])
def test_a_file_named_as_a_data_set_is_a_file(
    registry: Registry, workshop: Workshop, four_persons: Panel, tmp_path: Path, reader: str
) -> None:
    write_panel(four_persons, tmp_path / "market-2020", "csv")
    if reader == "folder":
        panel = open_panel(tmp_path / "market-2020")
    else:
        file = tmp_path / "market-2020.csv"
        file.write_bytes((tmp_path / "market-2020" / "careers.csv").read_bytes())
        panel = open_panel(file, occupations=tmp_path / "market-2020" / "occupations.csv")
    words = line_of(panel, registry, workshop)
    assert words[words.index("--data") + 1] == "market-2020"
    birth_year = weighted(panel, "birth_year")
    words = line_of(birth_year, registry, workshop)
    assert words[words.index("--data") + 1] == "market-2020"
    assert words[words.index("--weights") + 1] == "birth_year"


def test_a_data_set_goes_by_its_name_and_what_was_set(registry: Registry, workshop: Workshop) -> None:
    words = line_of(open_panel("market", {"persons": 40}), registry, workshop)
    assert words[words.index("--data") + 1 :][:3] == ["market", "--set", "data.persons=40"]
    other = open_panel("market", {"persons": 40, "seed": 2})
    assert {"data.persons=40", "data.seed=2"} <= set(line_of(other, registry, workshop))
