"""Record files: what a run leaves behind, and all that leaderboards are computed from."""

from __future__ import annotations

from harness.records.kinds import is_submitted
from harness.records.naming import find_record, named
from harness.records.record import Configuration, Mass, Measured, PanelFacts, Record, RecordHead
from harness.records.store import Store

Head = RecordHead  # its former name

__all__ = [
    "Configuration",
    "Head",
    "Mass",
    "Measured",
    "PanelFacts",
    "Record",
    "RecordHead",
    "Store",
    "find_record",
    "is_submitted",
    "named",
]
