"""The whole network: state, position and columns in, ln P(next state) out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from harness.network.columns import ColumnVectors
from harness.network.head import Head, HeadShape, Start, StateVectors
from harness.network.layers import (
    Recurrent,
    Shape,
    Transformer,
    mean_before,
    sinusoids,
)
from harness.network.transitions import CareerBatch
from harness.training.dropout import DropoutLayer, SeededDropout

Place = Literal["input", "head"]


@dataclass(frozen=True)
class NetworkPlan:
    """All that decides which parameters a network has, and what training drops.

    groups: states of a major group share a part of their vectors. tied: they are predicted by those they are read by.
    state_dropout: share of the states that training does not see. columns: width of what is known beside the states.
    encoded: width of what an encoder says of each transition; zero for none. encoded_at: whether it is read with the
    rest, or added to what was read of it.
    """

    shape: Shape
    head: HeadShape
    groups: bool = False
    tied: bool = False
    state_dropout: float = 0.0
    columns: int = 0
    encoded: int = 0
    encoded_at: Place = "input"


class Network(nn.Module):
    """The network of a plan, for given states. titles: float32 [K, e], what titles mean, or None.

    transformer, lstm: read the sum of the vectors of state, position and columns (CAREER, eq. 5; NEMO). bag: the origin
    and the mean of what was before it, states and columns alike. regression: scores of every state and of staying, for
    every origin, every state before its spell, and every column.
    """

    def __init__(self, plan: NetworkPlan, start: Start, titles: Tensor | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.start = start
        self.dropout = SeededDropout()
        shape, n = plan.shape, len(start.log_margin)
        direct = shape.reader == "regression"
        width = n + 1 if direct else shape.width
        groups = start.groups if plan.groups else None
        self.states = StateVectors(n, width, groups, titles)
        self.earlier = StateVectors(n, width, groups, titles) if shape.reader in ("bag", "regression") else None
        self.columns = ColumnVectors(plan.columns, width)
        self.earlier_columns = ColumnVectors(plan.columns, width) if shape.reader == "bag" else None
        self.encoded = ColumnVectors(plan.encoded, width) if plan.encoded else None
        self.drop = DropoutLayer(shape.dropout, self.dropout)
        self.reader: nn.Module | None = None
        if shape.reader in ("transformer", "lstm"):
            self.reader = (Transformer if shape.reader == "transformer" else Recurrent)(shape, self.dropout)
        out = None if direct else self.states if plan.tied else StateVectors(n, width, groups, titles)
        self.head = Head(plan.head, width, start, out)

    def forward(self, batch: CareerBatch) -> Tensor:
        """float [n]: ln P(target)."""
        found: Tensor = self.head.log_likelihood(self.hidden(batch), batch)
        return found

    def rows(self, batch: CareerBatch, tokens: Tensor) -> Tensor:
        """float [m, K]: ln P of every state after ``tokens`` (int64 [m]), one pass for all of a career's."""
        found: Tensor = self.head.rows(self.hidden(batch), batch, tokens)
        return found

    def hidden(self, batch: CareerBatch) -> Tensor:
        """float [n, width]: what each career says up to the origin, and of the target's year and covariates."""
        x: Tensor = self._seen(self.states()[batch.origin]) + self.columns(batch.columns)
        encoded = None if self.encoded is None else self.encoded(batch.encoded)
        if encoded is not None and self.plan.encoded_at == "input":
            x = x + encoded
        if self.reader is not None:
            read: Tensor = self.reader(self.drop(x + 0.02 * sinusoids(batch.position, x.shape[1])), batch)
            return read + self.drop(encoded) if encoded is not None and self.plan.encoded_at == "head" else read
        if self.earlier is None:
            raise AssertionError("no reader, and nothing earlier")
        before: Tensor = self.earlier()[batch.previous.clamp(min=0)] * (batch.previous >= 0)[:, None]
        if self.earlier_columns is not None:
            before = mean_before(self.earlier()[batch.origin] + self.earlier_columns(batch.columns), batch)
        dropped: Tensor = self.drop(x + before)
        return dropped

    def _seen(self, vectors: Tensor) -> Tensor:
        """Training does not see some states: what follows must not hang on one of them alone."""
        share = self.plan.state_dropout
        if not (self.training and share):
            return vectors
        seen = torch.rand(len(vectors), 1, device=vectors.device, generator=self.dropout.generator) >= share
        return vectors * seen
