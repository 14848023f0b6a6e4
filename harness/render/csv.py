"""Boards as CSV: one line a model, full precision, for spreadsheets and R."""

from __future__ import annotations

import csv
import io

from harness.leaderboard import Board
from harness.render.json import plain


def render(board: Board) -> str:
    """The rows of the JSON form, nested entries as ``outer.inner`` columns."""
    rows = [{"panel": board.panel, "task": board.task} | _flat(row, "") for row in plain(board)["rows"]]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(value: dict[str, object], prefix: str) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[prefix + name] = item
    return flat
