"""Opens careers of every origin: a data set by its name, or files by their path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.faults import Findings
from harness.data.folder import is_panel_folder, read_folder
from harness.data.mapping import check_parts
from harness.errors import RequestError
from harness.panel import Panel

if TYPE_CHECKING:
    from harness.registry import Registry


def open_panel(
    source: str | Path,
    settings: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    occupations: str | Path | None = None,
    registry: Registry | None = None,
) -> Panel:
    findings = Findings()
    path = Path(source)
    check_parts(columns or {})
    panel = read_folder(path, columns or {}, Path(occupations) if occupations else None, findings)
    findings.raise_errors()
    assert panel is not None
    return panel
