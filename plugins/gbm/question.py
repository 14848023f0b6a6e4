"""The events that trees are fitted straight on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.events import Risk
from harness.panel import Panel
from harness.types import IntArray


@dataclass(frozen=True)
class Question:
    """The event of a direct fit: the task's name, the event in words and as a rule, and the signs trees are held to."""

    task: str
    event: str
    risk: Risk
    signs: Mapping[str, int]

    def at_risk(self, panel: Panel) -> IntArray:
        """int64 [n]: the transitions at risk; those of weight zero are as if they were not there."""
        later = panel.counting(panel.transitions)
        return later[self.risk.at_risk(panel, later)]
