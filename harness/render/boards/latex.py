"""A board as LaTeX with booktabs: its ranking, and what stands beside it, a table each."""

from __future__ import annotations

from collections.abc import Sequence

from harness.boards.board import Board, Row
from harness.render.boards.notes import at_risk, notes
from harness.render.boards.sections import Section, sections
from harness.render.boards.table import CODE_COLUMN, SEEN_COLUMN, BoardColumn, columns, parts
from harness.render.latex import HEAD, OF_STARS, Printed, printed, raised, stacked

# What a page has no room for: the other forms have it.
LEFT_OUT = {"log-likelihood", "McFadden R²", "by the chain rule", "renormalised", "mass", "calibration error"}
LEFT_OUT |= {"regret, nats", "top-5", "log loss", "Brier", "p", CODE_COLUMN, SEEN_COLUMN}
DIFFERENCE = "behind, nats"
IN_BRACKETS = "Standard errors in brackets"
MOST = 3  # columns of figures in a table beside the ranking


def render(board: Board, stars: bool = False) -> str:
    """The ranking, best first, and tables of slices, calibration, learning curves and cost.

    stars: on differences from the best model, by their adjusted p.
    """
    shown = [column for column in columns(board, costs=False) if column.heading not in LEFT_OUT]
    said = [at_risk(board)]
    gone = {column.heading for column in columns(board)} - {column.heading for column in shown}
    left_out = tuple(f"{heading.partition(',')[0]}:" for heading in gone)
    explained = [note.replace("`", "") for note in notes(board) if not note.startswith(left_out)]
    told = [IN_BRACKETS, *said, *explained]
    told += [f"On differences: {OF_STARS}"] if stars else []
    text = tuple(i for i, column in enumerate(shown) if not column.number)
    made = [
        Printed(
            title=_caption(board, title),
            headings=[column.heading for column in shown],
            rows=[line for row in rows for line in _lines(row, shown, text, stars)],
            notes=() if i else told,
            text=text,
        )
        for i, (title, rows) in enumerate(parts(board))
    ]
    made += [_section(board, section) for section in sections(board)]
    return HEAD + "".join("\n" + printed(table) for table in made)


def _caption(board: Board, title: str) -> str:
    """The models and the outcome that are compared; title: of the part of the board, '' for the ranking."""
    models = (
        f"{title} ({board.panel}: {board.task})" if title else f"Models of {board.task} on {board.panel}, best first"
    )
    return f"{models}: perplexity, and log-likelihood per transition less the best model's, in nats"


def _lines(row: Row, shown: Sequence[BoardColumn], text: Sequence[int], stars: bool) -> list[list[str]]:
    p = None if row.behind is None else row.behind.p_adjusted
    at = [i for i, column in enumerate(shown) if column.heading == DIFFERENCE] if stars else []
    return stacked([column.cell(row) for column in shown], text, dict.fromkeys(at, raised(p)))


def _section(board: Board, section: Section) -> Printed:
    kept = range(min(len(section.headings), section.text + 2 + MOST))  # the counts, and the best models
    text = range(section.text)
    rows = [line for row in section.rows for line in stacked([row[i] for i in kept], text, {})]
    title = f"{section.title} ({board.panel}: {board.task})"
    errors = (IN_BRACKETS,) if len(rows) > len(section.rows) else ()
    headings = [section.headings[i] for i in kept]
    return Printed(title=title, headings=headings, rows=rows, notes=(*errors, *section.notes), text=tuple(text))
