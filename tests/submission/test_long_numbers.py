"""A number of any length is read, or refused, in the time that it takes to read it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from helpers.submissions import Scorer, long_file, long_rows

from harness.panel.careers import Panel
from harness.registry import Registry
from harness.runs.execute import Workshop


@pytest.mark.parametrize("number", ["1" * 40_000 + "x", "0." + "1" * 40_000 + "x", "1" * 40_000 + "," + "1" * 40_000])
def test_a_number_of_40000_digits(
    number: str, registry: Registry, workshop: Workshop, four_persons: Panel, tmp_path: Path
) -> None:
    rows = long_rows()
    rows[5][3] = number
    file = long_file(tmp_path, rows)
    started = time.monotonic()
    told = Scorer(registry, workshop, four_persons).refusal(file)
    assert time.monotonic() - started < 2
    assert told.startswith(f"p.csv, line 7, column 'probability', value '{number[:80]}...': is not a number")
