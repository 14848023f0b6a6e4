"""A board as LaTeX with booktabs: its ranking, and what stands beside it, a table each."""

from __future__ import annotations

from harness.boards.board import Board
from harness.render.boards.notes import notes
from harness.render.boards.sections import Section, sections
from harness.render.boards.table import CODE_COLUMN, SEEN_COLUMN, columns, parts
from harness.render.latex import HEAD, Printed, escaped, figure_cell, printed

# What a page has no room for: the other forms have it.
LEFT_OUT = {
    "log-likelihood",
    "McFadden R²",
    "by the chain rule",
    "renormalised",
    "mass",
    "calibration error",
    CODE_COLUMN,
    SEEN_COLUMN,
}


def render(board: Board) -> str:
    """The ranking, best first, and tables of slices, calibration, learning curves and cost."""
    shown = [column for column in columns(board, costs=False) if column.heading not in LEFT_OUT]
    said = [f"{board.transitions:,} transitions at risk of {board.persons:,} persons; {board.states} states"]
    told = [*said, *(note.replace("`", "") for note in notes(board))]
    made = [
        Printed(
            title=f"{board.panel}: {board.task}{'. ' + title if title else ''}",
            headings=[column.heading for column in shown],
            rows=[[figure_cell(c.cell(row)) if c.number else escaped(c.cell(row)) for c in shown] for row in rows],
            notes=() if i else told,
            text=tuple(i for i, column in enumerate(shown) if not column.number),
        )
        for i, (title, rows) in enumerate(parts(board))
    ]
    made += [_section(board, section) for section in sections(board)]
    return HEAD + "".join("\n" + printed(table) for table in made)


def _section(board: Board, section: Section) -> Printed:
    text = range(section.text)
    rows = [[escaped(cell) if i in text else figure_cell(cell) for i, cell in enumerate(row)] for row in section.rows]
    title = f"{board.panel}: {board.task}. {section.title}"
    return Printed(title=title, headings=section.headings, rows=rows, notes=section.notes, text=tuple(text))
