"""Record files: what a run leaves behind, and all that leaderboards are computed from."""

from __future__ import annotations

from harness.records.kinds import is_submitted
from harness.records.record import Configuration, Head, Mass, Measured, PanelFacts, Record
from harness.records.store import Store, find_record

__all__ = ["Configuration", "Head", "Mass", "Measured", "PanelFacts", "Record", "Store", "find_record", "is_submitted"]
