"""Hidden states as columns of a regression: in standard deviations, along their principal components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.estimation.logits import Scaling
from harness.types import FloatArray, IntArray

ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class StateColumns:
    """The columns of one layer, as standardised on training transitions.

    rotation: float32 [d, d], orthogonal: along it the columns are uncorrelated, and a ridge, which is the same along
    any axes, then has a Hessian whose diagonal says most of it. It changes how fast the optimum is found, not where it
    lies.
    """

    scaling: Scaling
    rotation: FloatArray

    @classmethod
    def fit(cls, states: FloatArray, weight: FloatArray) -> StateColumns:
        """states: float32 [n, width]. weight: float64 [n]."""
        scaling = Scaling.of(states, weight)
        moments = np.zeros((len(scaling.kept), len(scaling.kept)))
        for start in range(0, len(states), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            X = scaling.apply(states[rows])[:, 1:]
            moments += (X * weight[rows, None]).T @ X
        _, vectors = np.linalg.eigh(moments / max(weight.sum(), 1e-300))
        # The sign of an eigenvector is anyone's guess: the largest entry is positive.
        largest = np.abs(vectors).argmax(axis=0)
        vectors *= np.sign(vectors[largest, np.arange(vectors.shape[1])])
        return cls(scaling, vectors.astype(np.float32))

    def apply(self, states: FloatArray) -> FloatArray:
        """float32 [n, 1 + d]: a constant, and the columns."""
        out = np.ones((len(states), 1 + len(self.scaling.kept)), dtype=np.float32)
        for start in range(0, len(states), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            out[rows, 1:] = self.scaling.apply(states[rows])[:, 1:].astype(np.float32) @ self.rotation
        return out

    def arrays(self) -> dict[str, FloatArray | IntArray]:
        """The parts by name, as ``of_arrays`` takes them."""
        return {"rotation": self.rotation, **self.scaling.arrays()}

    @classmethod
    def of_arrays(cls, stored: Mapping[str, Any]) -> StateColumns:
        return cls(Scaling.of_arrays(stored), stored["rotation"])
