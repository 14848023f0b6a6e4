"""Boards as Markdown, for the repository."""

from __future__ import annotations

from harness.leaderboard import Board
from harness.render.table import columns, notes


def escape(text: str) -> str:
    """Names come from plugins and users: nothing in them may end a cell, or become a tag or a link."""
    for character in "\\|`*[]<>":
        text = text.replace(
            character, f"\\{character}" if character not in "<>" else {"<": "&lt;", ">": "&gt;"}[character]
        )
    return " ".join(text.split())


def render(board: Board) -> str:
    """A heading, what was asked of whom, the table, and the notes needed to read it."""
    shown = columns(board)
    lines = [
        f"# {escape(board.panel)}: {escape(board.task)}",
        "",
        f"Test split: {board.transitions:,} transitions at risk of {board.persons:,} persons; {board.states} states. "
        f"Outcome: {escape(board.outcomes)}.",
        "",
        "| " + " | ".join(column.heading for column in shown) + " |",
        "| " + " | ".join("---:" if column.number else ":---" for column in shown) + " |",
    ]
    for row in board.rows:
        lines.append("| " + " | ".join(escape(column.cell(row)) for column in shown) + " |")
    lines.append("")
    lines += [f"- {note}" for note in notes(board)]
    lines += [
        "",
        f"Panel {board.fingerprint[:12]} ({board.panel_persons:,} persons, {board.panel_records:,} records), "
        f"task version {board.task_version}. Computed from the record files by `harness leaderboard`.",
        "",
    ]
    return "\n".join(lines)
