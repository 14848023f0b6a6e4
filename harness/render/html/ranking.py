"""The table of a board, with what it takes to sort it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan

from harness.boards.board import Board, Row
from harness.render.boards.table import NONE, BoardColumn, columns, parts, row_mark
from harness.render.html.figures import scroller
from harness.render.html.forest import marks
from harness.render.html.markup import Markup, element, join
from harness.render.html.svg import minus
from harness.system.words import counted

MODEL = 1  # the place of the column that names the row


def ranking(board: Board, id: str) -> Markup:
    """Every row and every column that the board's other forms have, and the record behind each row.

    Rows that nobody here checked have a table of their own below it, with neither filter nor rank.
    """
    made = []
    for title, rows in parts(board):
        caption = f"{board.panel}, {board.task}: {title or 'models by perplexity, best first'}"
        table = _table(board, rows, f"{id}/unchecked" if title else f"{id}/table", caption)
        made.append(element("h4", title) if title else _controls(rows, id))
        made.append(scroller(table, caption, "scroll long"))
    return join(made)


def _table(board: Board, rows: Sequence[Row], id: str, caption: str) -> Markup:
    shown = columns(board)
    head = [
        element(
            "th",
            column.heading,
            scope="col",
            class_="n" if column.number else None,
            data_order=order(column, rows),
            aria_sort="ascending" if column.heading == "perplexity" else None,
        )
        for column in shown
    ]
    head.append(element("th", "record", scope="col"))
    best = sum(row.in_confidence_set for row in rows)
    body = [_row(row, shown, "tied" if best > 1 else "best") for row in rows]
    return element(
        "table",
        element("caption", caption, class_="hidden"),
        element("thead", element("tr", *head)),
        element("tbody", *body),
        id=id,
        class_="ranking",
    )


def order(column: BoardColumn, rows: Sequence[Row]) -> str | None:
    """The place of each row by this column: '1,0,,2', counted from zero, alike for equals, empty for none.

    Python sorts on exact figures, the page only puts rows where this says. None where the column has no order.
    """
    if column.key is None:
        return None
    keys = [_comparable(column.key(row)) for row in rows]
    place = {key: i for i, key in enumerate(sorted({key for key in keys if key is not None}))}
    return ",".join("" if key is None else str(place[key]) for key in keys)


def _comparable(key: float | str | None) -> tuple[float, str] | None:
    """Figures before names, names without regard to case; None for no figure and for what is none (NaN)."""
    if key is None:
        return None
    if isinstance(key, str):
        return inf, key.casefold()
    return None if isnan(key) else (float(key), "")


def _row(row: Row, shown: Sequence[BoardColumn], best: str) -> Markup:
    cells = []
    for i, column in enumerate(shown):
        text = row.label if i == MODEL else column.cell(row)
        if i == MODEL:
            cells.append(element("th", text, _badges(row, best), scope="row"))
        elif column.number:
            cells.append(element("td", minus(text), class_="z" if text == NONE else None))
        else:
            cells.append(element("td", text, class_="x"))
    ids = join([element("code", id) for id in row.all_records], " ")
    cells.append(element("td", ids, class_="x"))
    return element("tr", *cells, class_=marks(row))


def _badges(row: Row, best: str) -> Markup:
    """Remarks on a row that stand beside its name."""
    said = [
        (row.in_confidence_set, best, "best"),
        (row.knows_truth, "truth", "truth"),
        (row.mix_of is not None, "ensemble", "aside"),
        (row_mark(row), row_mark(row), "sent"),
    ]
    return join([join([" ", element("em", text, class_=kind)]) for holds, text, kind in said if holds])


def _controls(rows: Sequence[Row], id: str) -> Markup:
    """A filter by name and by ties; of use with scripts alone, and hidden without."""
    count = len(rows)
    table = f"{id}/table"
    parts = [
        element("label", "Filter models", element("input", type="search", aria_controls=table, class_="find")),
    ]
    if 0 < sum(row.in_confidence_set for row in rows) < count:
        box = element("input", type="checkbox", aria_controls=table, class_="ties")
        parts.append(element("label", box, "tied for best"))
    parts.append(element("p", f"{count} of {counted(count, 'model')}", role="status", class_="shown"))
    return element("div", *parts, class_="controls", hidden=True)
