"""Models built, fitted and asked, as most tests of models do."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.model import Context, Estimator, Model, ModelSpec, Params
from harness.panel import Panel
from harness.types import FloatArray, IntArray

Fitted = TypeVar("Fitted", bound=Estimator)


def model_of(spec: ModelSpec, params: Params) -> Model:
    """Build one that gives states their probabilities, not events."""
    model = spec.build(params)
    assert isinstance(model, Model)
    return model


def fit_on(model: Fitted, panel: Panel, folder: Path, *, seed: int = 0) -> Fitted:
    """Fit on the panel's training and validation splits; the folder is scratch and cache."""
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=seed, scratch=folder, cache=folder))
    return model


def whole_rows(model: Model, panel: Panel, at: IntArray | None = None) -> FloatArray:
    """ln P of every state, float32 [n, K], at these records: all transitions by default."""
    at = panel.transitions if at is None else at
    return model.log_prob(panel, at, np.broadcast_to(np.arange(panel.n_states), (len(at), panel.n_states)))


def observed(model: Model, panel: Panel, at: IntArray | None = None) -> FloatArray:
    """ln P of the observed state, float32 [n], at these records: all transitions by default."""
    at = panel.transitions if at is None else at
    return np.asarray(model.log_prob(panel, at, panel.state[at].astype(np.int64)[:, None])[:, 0])
