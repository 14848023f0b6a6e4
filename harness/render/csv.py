"""Boards as CSV, for spreadsheets and R: one line a model, and one line a model and slice, bin or point of a curve."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from harness.inference import Estimate
from harness.leaderboard import Board
from harness.render.json import VIEW_DIGITS, plain


def render(board: Board) -> str:
    """The rows of the JSON form, nested entries as ``outer.inner`` columns."""
    return text(plain(board))


def text(content: dict[str, Any]) -> str:
    """The rows of what ``harness.render.json.plain`` made."""
    return _text({"panel": content["panel"], "task": content["task"]} | _flat(row, "") for row in content["rows"])


def views(board: Board) -> dict[str, str]:
    """View -> text: 'slices', 'calibration' and 'curves', those that the board has; a line for each figure."""
    made = {"slices": _slices(board), "calibration": _calibration(board), "curves": _curves(board)}
    return {name: _text(lines) for name, lines in made.items() if lines}


def _slices(board: Board) -> list[dict[str, object]]:
    return [
        {
            "by": part.dimension,
            "level": level.name,
            "persons": level.persons,
            "transitions": level.transitions,
            "record": row.record,
            "model": row.label,
            **_estimate("perplexity", level.perplexity[i]),
            **_estimate("behind", level.behind[i]),
        }
        for part in board.views.slices
        for level in part.levels
        for i, row in enumerate(board.rows[: len(level.perplexity)])
        if level.perplexity[i] is not None
    ]


def _calibration(board: Board) -> list[dict[str, object]]:
    return [
        {
            "record": row.record,
            "model": row.label,
            "bin": i,
            "counted": _number(at.counted),
            "predicted": _number(at.predicted),
            "observed": _number(at.observed),
        }
        for row, curve in zip(board.rows, board.views.reliability, strict=False)
        for i, at in enumerate(curve.bins if curve is not None else (), start=1)
    ]


def _curves(board: Board) -> list[dict[str, object]]:
    return [
        {
            "model": curve.label,
            "train_persons": point.train_persons,
            "record": point.record,
            **_estimate("perplexity", point.perplexity),
        }
        for curve in board.views.curves
        for point in curve.points
    ]


def _estimate(name: str, estimate: Estimate | None) -> dict[str, object]:
    parts = ("value", "standard_error", "low", "high")
    return {f"{name}.{part}": None if estimate is None else _number(getattr(estimate, part)) for part in parts}


def _number(value: float) -> float:
    return float(f"{value:.{VIEW_DIGITS}g}")


def _text(lines: Iterable[Mapping[str, Any]]) -> str:
    rows = list(lines)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(value: dict[str, object], prefix: str) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{name}.")
        elif isinstance(item, list):
            flat[prefix + name] = "-".join(map(str, item))
        else:
            flat[prefix + name] = item
    return flat
