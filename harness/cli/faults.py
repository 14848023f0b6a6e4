"""Faults as a command tells them: by kind, with examples of each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import Fault

EXAMPLES = 3
VARIES = re.compile(r"'[^']*'|\d[\d,.]*")


def told(word: str, faults: Sequence[Fault], every: bool = False) -> list[str]:
    """A line each, three at most of one kind and then how many more there are. every: all of them.

    Faults are of one kind where they are of one file and column and differ in numbers and quoted values alone.
    """
    kinds: dict[tuple[str, str | None, str], list[Fault]] = {}
    for fault in faults:
        kinds.setdefault((fault.file, fault.column, VARIES.sub("", fault.message)), []).append(fault)
    lines = []
    for alike in kinds.values():
        shown = alike if every or len(alike) <= EXAMPLES + 1 else alike[:EXAMPLES]
        lines += [f"{word}: {fault}" for fault in shown]
        if len(shown) < len(alike):
            lines.append(f"{word}: and {len(alike) - len(shown):,} more like these; --all lists them")
    return lines if not every else [f"{word}: {fault}" for fault in faults]
