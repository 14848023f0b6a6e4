"""Boards as CSV: text is text in a spreadsheet too."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from helpers.toys import run_all, run_on

from harness.boards.board import boards
from harness.panel import Panel
from harness.registry import Registry
from harness.render.boards import csv_tables
from harness.runs.execute import Workshop


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_text_is_a_formula(name: str, registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    records = []
    for model in ("uniform", "marginal"):
        entry = registry.model(model)
        records += run_all(run_on(registry, four_persons, entry=entry, params=entry.item.params()), workshop)
    [board] = boards(records)
    strange = replace(board, panel=name, rows=tuple(replace(row, label=name) for row in board.rows))
    for text, plain in (
        (csv_tables.render(strange), csv_tables.render(board)),
        *((csv_tables.views(strange)[view], csv_tables.views(board)[view]) for view in csv_tables.views(board)),
    ):
        lines, own = (list(csv.DictReader(io.StringIO(of))) for of in (text, plain))
        for line, other in zip(lines, own, strict=True):
            assert line["panel"] == f"'{name}"
            numbers = [key for key in other if key not in ("panel", "label", "model")]
            assert [line[key] for key in numbers] == [other[key] for key in numbers]
            assert not any(value.startswith(("=", "+", "@", "\t")) for value in line.values() if value)
    behind = [line["behind.value"] for line in csv.DictReader(io.StringIO(csv_tables.render(strange)))]
    assert any(float(gap) < 0 for gap in behind if gap)  # a number that begins with a minus stays one
