"""Linear maps of columns."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ColumnVectors(nn.Module):
    """A linear map that gives every column a vector: as small as any embedding, however many columns there are."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).normal_(std=0.02))

    def forward(self, columns: Tensor) -> Tensor:
        return columns @ self.weight.T
