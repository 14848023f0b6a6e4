"""Files opened as careers with the options of a reading, without the time that it takes to find plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.data.open import Check, check, open_panel
from harness.data.reading import FileReading
from harness.panel import Panel


def opened(path: Path, columns: dict[str, str] | None = None, **reading: Any) -> Panel:
    return open_panel(path, columns=columns or {}, reading=FileReading.of(reading))


def checked(path: Path, columns: dict[str, str] | None = None, **reading: Any) -> Check:
    return check(path, columns=columns or {}, reading=FileReading.of(reading))


def records(panel: Panel, person: str) -> list[tuple[int, str]]:
    """Time and code of each record of one person."""
    [at] = [i for i, name in enumerate(panel.persons.tolist()) if name == person]
    rows = range(int(panel.offsets[at]), int(panel.offsets[at + 1]))
    return [(int(panel.year[row]), panel.occupations.codes[panel.state[row]]) for row in rows]


def table(path: Path, rows: str, copies: int = 30) -> Path:
    """A csv of the persons written, and of others enough for every split: the same rows under 'x' and a number."""
    header, *body = rows.strip().split("\n")
    others = [f"x{i}-{line}" for i in range(copies) for line in body]
    path.write_text("\n".join([header, *body, *others]) + "\n")
    return path
