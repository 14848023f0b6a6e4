"""Probabilities of the validation split, scored when a mixture of finished runs asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import RequestError
from harness.panel import Panel
from harness.records import predictions
from harness.records.kinds import is_submitted, label
from harness.records.record import PanelFacts, Record
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.fits import folder_of, load
from harness.runs.identity import code_version
from harness.runs.scoring import score_valid
from harness.runs.verify import params_of, task_of
from harness.system.machine import resolve_device


@dataclass(frozen=True)
class Validation:
    """Scores validation splits with the fits of a workshop's cache. open_panel: from a record's panel to the panel."""

    workshop: Workshop
    open_panel: Callable[[PanelFacts], Panel]
    _opened: dict[str, Panel] = field(default_factory=dict)

    def ensure(self, record: Record) -> None:
        """Keep the validation split's probabilities beside those of the test split, if they are not there yet.

        RequestError where the fit is not in the cache, was made by other code, or the panel cannot be opened. Nothing
        is done for a submission: its file says what it covers.
        """
        cache = self.workshop.cache
        if is_submitted(record) or predictions.covers_valid(cache, record):
            return
        asked, registry = record.configuration, self.workshop.registry
        folder = fit_here(record, registry, cache)
        fingerprint = asked.panel.fingerprint
        if fingerprint not in self._opened:
            self._opened[fingerprint] = self.open_panel(asked.panel)
        entry = registry.model(asked.model)
        device = resolve_device("auto", entry.item.needs)
        fitted = load(entry.item, params_of(entry, asked.parameters), folder, device)
        task = task_of(record, registry)
        valid = score_valid(
            entry.item, fitted.model, task=task, panel=self._opened[fingerprint], progress=self.workshop.progress
        )
        predictions.save(cache, record, {**predictions.load(cache, record), "valid": valid})


def fit_here(record: Record, registry: Registry, cache: Path) -> Path:
    """The folder of the fit behind a record. RequestError where the cache lacks it, or other code made it."""
    asked = record.configuration
    entry = registry.model(asked.model)
    folder = folder_of(asked, entry.item, cache)
    if not folder.exists():
        raise RequestError(f"the fit of {record.id} ({label(record)}) is not in this machine's cache: run it again")
    if code_version(entry) != asked.code:
        raise RequestError(f"{record.id} ({label(record)}) was made by other code ({asked.code}): run it again")
    return folder
