"""Record files: what a run leaves behind, and all that leaderboards are computed from."""

from __future__ import annotations

from harness.records.record import (
    Configuration,
    Head,
    Mass,
    Measured,
    PanelFacts,
    Record,
    Store,
    find_record,
    is_submitted,
)

__all__ = ["Configuration", "Head", "Mass", "Measured", "PanelFacts", "Record", "Store", "find_record", "is_submitted"]
