"""Harness: models of a worker's next occupation, side by side on one split with one likelihood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.system.version import __version__

if TYPE_CHECKING:
    from harness.panel import Panel
    from harness.registry import Registry

__all__ = ["__version__", "open_panel"]


def open_panel(
    source: str | Path,
    settings: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | Iterable[str] = (),
    occupations: str | Path | None = None,
    registry: Registry | None = None,
) -> Panel:
    """The panel of a registered name or of a path; every installed plugin is known where no registry is given.

    Arguments and errors are those of ``harness.data.open.open_panel``.
    """
    from harness.registry import load_registry

    return (registry or load_registry()).open_panel(source, settings, columns, occupations)
