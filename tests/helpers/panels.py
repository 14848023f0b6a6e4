"""Panels that are opened again and again."""

from __future__ import annotations

from functools import cache

from harness import open_panel
from harness.panel import Panel


@cache
def open_once(source: str) -> Panel:
    """The panel of a name or a path, kept for the session: a fit's way to its base's pool."""
    return open_panel(source)
