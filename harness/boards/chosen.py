"""Some of all boards by name; some of a board's models, where a figure or a table has room for no more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from harness.boards.board import Board
from harness.boards.views import Views
from harness.errors import RequestError, did_you_mean


def of_task_and_panel(made: Sequence[Board], task: str | None, data: str | None) -> list[Board]:
    """Those of a task, of a panel, or all. RequestError for a name that no record has."""
    for asked, names, kind in ((task, {b.task for b in made}, "task"), (data, {b.panel for b in made}, "panel")):
        if asked is not None and asked not in names:
            raise RequestError(f"no record of {kind} '{asked}'; {did_you_mean(asked, names)}")
    return [b for b in made if task in (None, b.task) and data in (None, b.panel)]


def chosen(board: Board, records: Collection[str]) -> Board:
    """The board with the rows of these records alone, in its own order; ranks and differences stay those of all rows.

    records: ids. Slices, which compare with one row, are left out. RequestError for a record that the board does not
    show.
    """
    kept = [i for i, row in enumerate(board.rows) if set(row.all_records) & set(records)]
    shown = {id for row in board.rows for id in row.all_records}
    if astray := [id for id in records if id not in shown]:
        raise RequestError(f"{astray[0]}: the board of '{board.task}' on '{board.panel}' shows a newer record instead")
    return replace(board, rows=tuple(board.rows[i] for i in kept), views=_views(board, kept))


def _views(board: Board, kept: Sequence[int]) -> Views:
    views, labels = board.views, {board.rows[i].label for i in kept}
    by_clock = None if views.by_clock is None else tuple(kept.index(i) for i in views.by_clock if i in kept)
    return Views(
        event=views.event,
        reliability=tuple(views.reliability[i] for i in kept if i < len(views.reliability)),
        curves=tuple(curve for curve in views.curves if curve.label in labels),
        seconds=tuple(views.seconds[i] for i in kept),
        by_clock=by_clock,
        frontier=tuple(kept.index(i) for i in views.frontier if i in kept),
    )
