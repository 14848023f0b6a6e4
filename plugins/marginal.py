"""marginal: the frequencies of the next state in training, whatever the history. The null model of McFadden's R2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from harness.hookspecs import hookimpl
from harness.model import Context, Model, ModelSpec, Params
from harness.panel import Panel
from harness.types import FloatArray, IntArray


class MarginalParams(Params):
    """Parameters of ``marginal``."""

    pseudo_count: float = Field(0.5, gt=0, description="added to every state's count, in transitions (Jeffreys: 0.5)")


class Marginal(Model):
    """P(next state = k) = (transitions into k + c) / (transitions + c K), for a career's first record as well."""

    def __init__(self, params: MarginalParams) -> None:
        self.params = params
        self.log_share: FloatArray = np.zeros(0)  # [K]

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        into, weight = train.state[train.transitions], train.weights(train.transitions)
        counts = np.bincount(into, weights=weight, minlength=train.n_states) + self.params.pseudo_count
        self.log_share = np.log(counts / counts.sum()).astype(np.float32)

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return self.log_share[states]

    def save(self, folder: Path) -> None:
        np.save(folder / "log_share.npy", self.log_share, allow_pickle=False)

    def load(self, folder: Path) -> None:
        self.log_share = np.load(folder / "log_share.npy", allow_pickle=False)

    def facts(self) -> Mapping[str, Any]:
        return {"parameters_trained": len(self.log_share) - 1}


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "marginal",
            "frequency of the next state in training",
            Marginal,
            params=MarginalParams,
            cite="the constant-only model of McFadden (1974), Conditional logit analysis of qualitative choice",
            uses_weights=True,
        )
    ]
