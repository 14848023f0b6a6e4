"""Every form of a board has the same figures, and LaTeX compiles to a page that the board fits."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.boards.board import Board
from harness.boards.views import Level
from harness.registry import Registry
from harness.render import render
from harness.render.boards import csv_tables as csv_form
from harness.render.boards import latex as board_latex
from harness.render.latex import escaped


def test_every_form_has_the_same_figures(board: Board, registry: Registry) -> None:
    views = json.loads(render(board, "json", registry))["views"]
    lines = list(csv.DictReader(io.StringIO(csv_form.views(board)["slices"])))
    markdown = render(board, "md", registry)
    told = {(level["by"], level["level"]): level["perplexity"] for level in views["slices"]}
    for line in lines:
        at = [row.record for row in board.rows].index(line["record"])
        assert float(line["perplexity.value"]) == told[line["by"], line["level"]][at]["value"]
        assert (line["panel"], line["task"]) == (board.panel, board.task)
        assert (line["behind.p"] == "") is (at == board.views.reference)
    women = told["gender", "female"][1]
    assert f"| gender | female | {women['value']:.2f} ± {women['standard_error']:.2f} |" not in markdown
    assert f"{women['value']:.2f} ± {women['standard_error']:.2f}" in markdown
    for title in ("## For whom", "## Calibration", "## Learning curves", "## Cost"):
        assert title in markdown
    bins = list(csv.DictReader(io.StringIO(csv_form.views(board)["calibration"])))
    assert sum(float(b["counted"]) for b in bins if b["model"] == "markov") == board.transitions
    points = list(csv.DictReader(io.StringIO(csv_form.views(board)["curves"])))
    assert [int(point["train_persons"]) for point in points][:2] == [50, 150]


HOSTILE = r"\input{/etc/passwd} 50% & $x_1^2$ ~#{}|[*] É ± 日本 🙂 <script>"


def test_latex_has_no_name_that_could_break_it(board: Board) -> None:
    assert escaped(HOSTILE).startswith(r"\textbackslash{}input\{/etc/passwd\} 50\% \& \$x\_1\textasciicircum{}2\$")
    assert escaped("日本 É") == "?? É"


def test_latex_compiles(board: Board, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine")
    rows = tuple(replace(row, label=f"{row.label} {HOSTILE}") for row in board.rows)
    hostile = replace(board, rows=rows, panel=HOSTILE)
    (tmp_path / "board.tex").write_text(board_latex.render(hostile), encoding="utf-8")
    head = r"\documentclass{article}\usepackage{booktabs,graphicx,longtable}\begin{document}"
    (tmp_path / "paper.tex").write_text(head + r"\input{board.tex}\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").exists()


def _picked(level: Level, picks: tuple[int, ...]) -> dict[str, Any]:
    return {name: tuple(getattr(level, name)[i] for i in picks) for name in ("perplexity", "behind")}


def test_a_board_of_six_models_fits_the_page(board: Board, tmp_path: Path) -> None:
    """No table is wider than the text of a plain article; each cell with an error has it in brackets below."""
    label = "career-titles (pretrained on market-resumes)"
    picks = (0, 1, 2, 1, 2, 1)
    rows = tuple(replace(board.rows[i], label=f"{label} {at}") for at, i in enumerate(picks))
    slices = tuple(
        replace(part, levels=tuple(replace(level, **_picked(level, picks)) for level in part.levels))
        for part in board.views.slices
    )
    kept: dict[str, Any] = {
        name: tuple(getattr(board.views, name)[i] for i in picks) for name in ("reliability", "seconds")
    }
    wide = replace(board, rows=rows, views=replace(board.views, slices=slices, **kept))
    text = board_latex.render(wide, stars=True)
    first = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(first) == 12
    assert all(line.count("&") == first[0].count("&") for line in first)
    value, error = rows[0].perplexity.value, rows[0].perplexity.standard_error
    assert f"${value:.2f}$" in first[0] or f"${value:.4f}$" in first[0]
    assert f"(${error:.2f}$)" in first[1] or f"(${error:.4f}$)" in first[1]
    assert "$^{***}$" in text
    assert "$^{***}$" not in board_latex.render(wide)
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine")
    (tmp_path / "board.tex").write_text(text, encoding="utf-8")
    head = r"\documentclass{article}\usepackage{booktabs,graphicx,longtable}\begin{document}"
    (tmp_path / "paper.tex").write_text(head + r"\input{board.tex}\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert re.findall(r"Overfull .hbox \((\d+)", done.stdout) == []
