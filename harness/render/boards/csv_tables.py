"""Boards as CSV, for spreadsheets and R: one line a model, and one line a model and slice, bin or point of a curve."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan
from typing import Any

from harness.boards.board import Board
from harness.render.boards.json_tables import VIEW_DIGITS, plain
from harness.stats.inference import Estimate


def render(board: Board) -> str:
    """The rows of the JSON form, nested entries as ``outer.inner`` columns."""
    return text(plain(board))


def text(content: dict[str, Any]) -> str:
    """The rows of what ``harness.render.boards.json_tables.plain`` made."""
    return _text({"panel": content["panel"], "task": content["task"]} | _flat(row, "") for row in content["rows"])


def views(board: Board) -> dict[str, str]:
    """View -> text: 'slices', 'calibration' and 'curves', those that the board has; a line for each figure.

    Lines name their board, so that those of several may be put together; ``record`` is that of the board's own lines.
    """
    made = {"slices": list(_slices(board)), "calibration": list(_calibration(board)), "curves": list(_curves(board))}
    of = board.panel, board.task
    return {
        name: _table(("panel", "task", *VIEWS[name]), ((*of, *line) for line in lines))
        for name, lines in made.items()
        if lines
    }


PERPLEXITY = tuple(f"perplexity.{part}" for part in ("value", "standard_error", "low", "high"))
BEHIND = tuple(f"behind.{part}" for part in ("value", "standard_error", "low", "high", "p"))
SLICE = ("by", "level", "persons", "transitions", "record", "model", *PERPLEXITY, *BEHIND)
BIN = ("record", "model", "bin", "counted", "predicted", "observed")
POINT = ("model", "train_persons", "record", *PERPLEXITY)
VIEWS = {"slices": SLICE, "calibration": BIN, "curves": POINT}  # columns beside the panel and the task
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how it begins
Line = tuple[object, ...]


def _slices(board: Board) -> Iterator[Line]:
    for part in board.views.slices:
        for level in part.levels:
            known = part.dimension, level.name, level.persons, level.transitions
            for row, of, behind in zip(board.rows, level.perplexity, level.behind, strict=False):
                if of is not None:
                    p = None if behind is None or behind.p is None else _number(behind.p)
                    yield (*known, row.record, row.label, *_estimate(of), *_estimate(behind), p)


def _calibration(board: Board) -> Iterator[Line]:
    for row, curve in zip(board.rows, board.views.reliability, strict=False):
        for i, at in enumerate(curve.bins if curve is not None else (), start=1):
            yield row.record, row.label, i, _number(at.counted), _number(at.predicted), _number(at.observed)


def _curves(board: Board) -> Iterator[Line]:
    for curve in board.views.curves:
        for point in curve.points:
            yield curve.label, point.train_persons, point.record, *_estimate(point.perplexity)


def _estimate(of: Estimate | None) -> Line:
    if of is None:
        return (None,) * 4
    parts = of.value, of.standard_error, of.low, of.high
    return tuple(None if isnan(part) else _number(part) for part in parts)


def _number(value: float) -> float:
    return float(f"{value:.{VIEW_DIGITS}g}")


def _table(headings: Sequence[str], lines: Iterable[Line]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(tuple(map(_cell, line)) for line in lines)
    return text.getvalue()


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula has an apostrophe before it; numbers are as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _text(lines: Iterable[Mapping[str, Any]]) -> str:
    rows = list(lines)
    found = dict.fromkeys(name for row in rows for name in row)
    # What is none in one row and has parts in another has columns of its parts alone.
    nested = {".".join(parts[:i]) for parts in (name.split(".") for name in found) for i in range(1, len(parts))}
    names = [name for name in found if name not in nested]
    return _table(names, (tuple(map(row.get, names)) for row in rows))


def _flat(value: dict[str, object], prefix: str) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{name}.")
        elif name == "records":
            flat[prefix + name] = " ".join(map(str, item)) if isinstance(item, list) else item
        elif isinstance(item, list):
            # Not '1-3', which spreadsheets take for a day of January.
            flat |= {f"{prefix}{name}.{end}": item[at] for end, at in (("first", 0), ("last", -1))}
        else:
            flat[prefix + name] = item
    return flat
