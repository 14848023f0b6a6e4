"""Scores of states by how alike their titles are to those of the career so far."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from harness.network.transitions import TransitionBatch
from harness.types import FloatArray

START = 0.3  # nats that a state gains at first for each standard deviation of likeness to the origin


def likeness_of(vectors: FloatArray) -> FloatArray:
    """float32 [K, K]: cosines of the titles' vectors (float [K, e]), each row in standard deviations from its mean.

    A title is not compared with itself: zero.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = (vectors / np.maximum(length, 1e-12)) @ (vectors / np.maximum(length, 1e-12)).T
    others = ~np.eye(len(cosine), dtype=bool)
    count = max(len(cosine) - 1, 1)
    mean = np.where(others, cosine, 0.0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(others, (cosine - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / count)
    return np.where(others, (cosine - mean) / np.maximum(spread, 1e-6), 0.0).astype(np.float32)


class LikenessScores(nn.Module):
    """Likeness to the origin, and mean likeness to all states held so far, weighted by what the career says.

    likeness: float32 [K, K].
    """

    def __init__(self, width: int, likeness: Tensor) -> None:
        super().__init__()
        self.register_buffer("likeness", likeness)
        self.start = nn.Parameter(torch.tensor([START, 0.0]))
        self.weigh = nn.Linear(width, 2)
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)

    def forward(self, scores: Tensor, hidden: Tensor, batch: TransitionBatch, rows: Tensor) -> Tensor:
        """float [m, K]: scores, the same, of the transitions ``rows`` (int64 [m]), plus what is added."""
        likeness = cast(Tensor, self.likeness)
        kept, row = batch.held_by(rows)
        held = scores.new_zeros(len(rows), len(likeness))
        held = held.index_put((row, batch.held_state[kept]), held.new_ones(()))
        held = held / held.sum(dim=1, keepdim=True).clamp(min=1.0)
        weights = self.start + self.weigh(hidden)
        total: Tensor = scores + weights[:, :1] * likeness[batch.origin[rows]] + weights[:, 1:] * (held @ likeness)
        return total
