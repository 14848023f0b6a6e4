"""uniform: every state is equally likely. The ceiling that a model with any information stays under."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.hookspecs import hookimpl
from harness.model import Context, Model, ModelSpec, NoParams
from harness.panel import Panel
from harness.types import FloatArray, IntArray


class Uniform(Model):
    """P(next state) = 1 / K."""

    def __init__(self, params: NoParams) -> None:
        self.params = params

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        """Nothing is estimated."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return np.full(states.shape, -np.log(panel.n_states), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    def load(self, folder: Path) -> None:
        """Nothing to read."""


@hookimpl
def harness_models() -> list[ModelSpec]:
    # Where nothing is estimated, every record counts as it should.
    return [ModelSpec("uniform", "every state equally likely", Uniform, uses_weights=True)]
