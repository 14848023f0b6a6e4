"""Boards as Markdown, for the repository."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.boards.board import Board
from harness.render.boards.notes import CODE, at_risk, notes
from harness.render.boards.sections import sections
from harness.render.boards.table import columns, parts

SPECIAL = str.maketrans({**{character: f"\\{character}" for character in "\\|`*[]"}, "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    """Names come from plugins and users: nothing in them may end a cell, or become a tag or a link."""
    return " ".join(text.translate(SPECIAL).split())


def bullets(lines: Iterable[str]) -> list[str]:
    """Notes as a list: their `names` as code, and all else, names of models and columns among it, as text."""
    return [
        "- " + " ".join("".join(f"`{part}`" if i % 2 else part.translate(SPECIAL) for i, part in parts).split())
        for parts in (enumerate(CODE.split(line)) for line in lines)
    ]


def pipes(headings: Sequence[str], rows: Iterable[Sequence[str]], text: Sequence[bool]) -> list[str]:
    """A table's lines. text: which columns are set to the left."""
    return [
        "| " + " | ".join(map(escape, headings)) + " |",
        "| " + " | ".join(":---" if left else "---:" for left in text) + " |",
        *("| " + " | ".join(map(escape, row)) + " |" for row in rows),
    ]


def render(board: Board) -> str:
    """A heading, what was asked of whom, the table, and the notes needed to read it."""
    shown = columns(board)
    headings, text = [column.heading for column in shown], [not column.number for column in shown]
    lines = [
        f"# {escape(board.panel)}: {escape(board.task)}",
        "",
        f"Test split: {at_risk(board)}. Outcome: {escape(board.outcomes)}.",
        "",
    ]
    for title, rows in parts(board):
        lines += [f"## {title}", ""] if title else []
        lines += [*pipes(headings, [[column.cell(row) for column in shown] for row in rows], text), ""]
    lines += [
        *(["## Notes", ""] if board.unchecked else []),
        *bullets(notes(board)),
        "",
    ]
    for section in sections(board):
        lines += [f"## {section.title}", ""]
        lines += pipes(section.headings, section.rows, [i < section.text for i in range(len(section.headings))])
        lines += ["", *bullets(section.notes), ""]
    lines += [
        f"Panel {board.fingerprint[:12]} ({board.size}), "
        f"task version {board.task_version}. Computed from the record files by `harness leaderboard`.",
        "",
    ]
    return "\n".join(lines)
