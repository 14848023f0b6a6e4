"""Tables and paragraphs in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table in Markdown."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return [
        f"| {' | '.join(headings)} |",
        f"| {' | '.join('---' for _ in headings)} |",
        *(f"| {' | '.join(row)} |" for row in cells),
    ]


def paragraph(text: str) -> list[str]:
    """Lines of at most 120 characters, and an empty one."""
    return [*textwrap.wrap(text, 120, break_on_hyphens=False), ""]
