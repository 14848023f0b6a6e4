"""The notebooks of the docs run, hold no outputs, and name nothing that the program does not have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.paths import ROOT

import harness

NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in content if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    code = cells(path)
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    text = "".join("".join(cell["source"]) for cell in code)
    used = set(re.findall(r"\bharness\.(\w+)\(", text))
    assert used >= {"open_panel", "describe", "run", "board", "compare", "explain", "score"}
    assert used <= set(harness.__all__)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_figures(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("data:image/svg+xml" in output.get("data", {}).get("text/html", "") for output in shown) == 2
    assert [output["name"] for output in shown if output["output_type"] == "stream"].count("stderr") == 0
    assert not list(tmp_path.glob("leaderboards"))
