"""A board written out: again and again the same bytes, in every form and width, whatever its models are called."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness import render
from harness.boards.board import Board, boards
from harness.boards.views import Views
from harness.cli import console
from harness.cli.board import print_boards
from harness.errors import RequestError
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.render.boards.markdown import escape
from harness.render.boards.table import columns, perplexity_cell


def test_regeneration_is_byte_identical(
    registry: Registry, store: Store, records: list[Record], tmp_path: Path
) -> None:
    tables = render.files(boards(store.all()), tmp_path / "boards", registry)
    names = {str(path.relative_to(tmp_path / "boards")) for path in tables}
    forms = {f"four-persons/{task}.{form}" for task in registry.tasks for form in ("md", "tex", "csv", "json")}
    assert names >= forms | {"index.html", "four-persons/switch-calibration.csv"}
    assert "four-persons/switch-curves.csv" not in names
    assert sorted(render.write(tables)) == sorted(tables)
    again = render.files(boards(reversed(store.all())), tmp_path / "boards", registry)
    assert render.stale(again) == []
    assert render.write(again) == []
    some = next(iter(again))
    some.write_text(some.read_text() + " ")
    assert render.stale(again) == [some]


def test_json_and_csv_say_the_same(registry: Registry, records: list[Record]) -> None:
    board = boards(records)[0]
    rows = json.loads(render.render(board, "json", registry))["rows"]
    lines = list(csv.DictReader(io.StringIO(render.render(board, "csv", registry))))
    for row, line in zip(rows, lines, strict=True):
        assert line["model"] == row["model"]
        assert float(line["perplexity.value"]) == row["perplexity"]["value"]
        assert float(line["figures.log_likelihood"]) == row["figures"]["log_likelihood"]
        assert [int(line["tied.first"]), int(line["tied.last"])] == row["tied"]
        assert float(line["behind.value"] or 0) == (row["behind"] or {"value": 0})["value"]
    assert not {"tied", "behind", "measured"} & set(lines[0])


@pytest.mark.parametrize("width", [60, 80, 400])
def test_a_terminal_shows_whole_columns_and_words(
    records: list[Record], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """Columns go before a cell is cut, those of cost first, and ranks, models and perplexities never."""
    monkeypatch.setattr(console, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    [board] = [board for board in boards(records) if board.task == "switch"]
    print_boards([board])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    heading = next(line for line in out.splitlines() if " model " in line)
    assert all(word in heading.split() for word in ("#", "model", "perplexity"))
    for row in board.rows:
        assert any(f" {row.model} " in line and perplexity_cell(row) in line for line in out.splitlines())
    assert ("device" in heading, "No room for:" in out) == (width == 400, width < 400)
    assert ("calibration slope:" in out) is ("calibration slope" in heading)


def test_names_are_escaped(records: list[Record], registry: Registry) -> None:
    board = replace(boards(records)[0], views=Views())  # which are of rows that are left out here
    hostile = replace(board, rows=(replace(board.rows[0], label="a|b <script>*x*</script>\n| c"),))
    text = render.render(hostile, "md", registry)
    ranking = text.split("\n\n")[2].splitlines()
    assert len(ranking) == 3
    assert len({line.replace("\\|", "").count("|") for line in ranking}) == 1
    assert "<script>" not in text
    told = replace(board.rows[0], label=hostile.rows[0].label, in_confidence_set=True, submitted=True, base="<b>[x](y)")
    noted = render.render(replace(board, rows=(told, board.rows[1])), "md", registry)
    assert r"a\|b &lt;script&gt;\*x\*&lt;/script&gt; \| c: submitted" in noted
    assert re.search(r"<|(?<!\\)[\[\]*]", noted) is None
    assert escape("[x](y)") == "\\[x\\](y)"


def test_what_was_not_fitted_here_has_no_seconds_of_it(records: list[Record]) -> None:
    board = boards(records)[0]
    row = board.rows[0]
    [fit] = [column for column in columns(board) if column.heading == "fit, s"]
    assert (fit.cell(row), fit.cell(replace(row, submitted=True))) == (f"{row.measured.fit_seconds:.1f}", "–")
    assert fit.key is not None
    assert fit.key(replace(row, mix_of="a 0.6, b 0.4")) is None


def test_an_unknown_format_is_answered(records: list[Record], registry: Registry) -> None:
    with pytest.raises(RequestError, match="did you mean 'md'"):
        render.render(boards(records)[0], "mdd", registry)


def test_a_plugin_may_render(records: list[Record]) -> None:
    import pluggy

    from harness import hookspecs
    from harness.registry import collect

    class Shouting:
        @hookspecs.hookimpl
        def harness_render(self, board: Board, format: str) -> str | None:
            return board.task.upper() if format == "loud" else None

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Shouting(), name="shouting")
    board = boards(records)[0]
    assert render.render(board, "loud", collect(manager)) == board.task.upper()
    assert render.render(board, "md", collect(manager)).startswith("# four-persons")
