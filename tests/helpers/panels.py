"""Panels that are opened again and again, and larger ones of the same careers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from harness import open_panel
from harness.panel import Panel


@cache
def open_once(source: str) -> Panel:
    """The panel of a name or a path, kept for the session: a fit's way to its base's pool."""
    return open_panel(source)


def crowd(panel: Panel, times: int) -> Panel:
    """The same careers, each of so many persons."""
    persons = np.array([f"{person}{i}" for i in range(times) for person in panel.persons])
    return replace(panel.select(np.tile(np.arange(panel.n_persons), times)), persons=persons)
