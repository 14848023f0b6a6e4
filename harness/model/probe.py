"""A few questions that show whether two models are the same one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.model.answers import CONTRACT_TOLERANCE, Inquiry, checked_log_event, checked_log_prob
from harness.model.contract import Estimator, ModelSpec, OutcomeModel
from harness.model.masked_sample import RELATIVE
from harness.panel.careers import Panel
from harness.types import FloatArray

TRANSITIONS = 8


@dataclass(frozen=True)
class Probe:
    """Questions about a few transitions of the validation split, which the model was fitted beside."""

    spec: ModelSpec
    valid: Panel

    def answers(self, model: Estimator) -> FloatArray | None:
        """float64 [n, m]: ln P of what happened and of another state, or of the event; None where there is nobody."""
        every = self.valid.transitions
        if not len(every):
            return None
        careers, targets = self.valid.histories(every[:: -(-len(every) // TRANSITIONS)])
        question, state = Inquiry.of(careers, targets), careers.state[targets].astype(np.int64)
        if isinstance(model, OutcomeModel):
            return checked_log_event(self.spec, model, question)[:, None]
        states = np.column_stack([state, (state + 1) % careers.n_states])[:, : careers.n_states]
        return checked_log_prob(self.spec, model, question, states).astype(np.float64)

    def difference(self, before: FloatArray | None, model: Estimator) -> str | None:
        """A clause saying how a model's answers differ from those of before it was saved; None where they do not."""
        again = self.answers(model)
        if before is None or again is None or _near(before, again):
            return None
        moved = f"by up to {np.abs(again - before).max():.2g} nats"
        third = self.answers(model)
        if third is not None and not _near(again, third):
            return f"answers the same question otherwise each time, {moved}"
        return f"answers otherwise when it was saved and loaded, {moved}"


def _near(one: FloatArray, other: FloatArray) -> bool:
    return bool((np.abs(one - other) <= CONTRACT_TOLERANCE + RELATIVE * np.abs(one)).all())
