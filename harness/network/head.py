"""From one vector a transition to P(next state): whether the person stays, and where to otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from harness.network.columns import ColumnVectors
from harness.network.likeness import LikenessScores
from harness.network.transitions import HELD, TransitionBatch

RECALLED = 8  # numbers that stand for what is known of a state held before


@dataclass(frozen=True)
class HeadShape:
    """two_stage: staying apart from where to. own_stay: by weights of its own, not by the origin's score.
    recall: whether scores of states and groups held before are added."""

    two_stage: bool = True
    own_stay: bool = False
    recall: bool = False


@dataclass(frozen=True)
class Start:
    """The start of a head. log_margin: float32 [K], ln of how often a switch ends in each state. stay: float32 [K],
    log-odds of how often those in it stay. groups: int64 [K], major groups."""

    log_margin: Tensor
    stay: Tensor
    groups: Tensor


class StateVectors(nn.Module):
    """A vector a state: its own, its major group's, and what its title says.

    groups: int64 [K], or None. titles: float32 [K, e], or None.
    """

    def __init__(self, n: int, width: int, groups: Tensor | None, titles: Tensor | None) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.empty(n, width).normal_(std=0.02))
        self.group: nn.Parameter | None = None
        self.title: ColumnVectors | None = None
        if groups is not None:
            self.register_buffer("groups", groups)
            self.group = nn.Parameter(torch.empty(int(groups.max()) + 1, width).normal_(std=0.02))
        if titles is not None:
            self.register_buffer("titles", titles)
            self.title = ColumnVectors(titles.shape[1], width)

    def forward(self) -> Tensor:
        """float [K, width]"""
        vectors: Tensor = self.own
        if self.group is not None:
            vectors = vectors + self.group[cast(Tensor, self.groups)]
        if self.title is not None:
            vectors = vectors + self.title(cast(Tensor, self.titles))
        return vectors


@dataclass(frozen=True)
class Recall:
    """Scores that m transitions are given for what was held before. row, state: int64 [q], bonus: float [q], of the
    states held; groups: float [m, G], of their major groups."""

    row: Tensor
    state: Tensor
    bonus: Tensor
    groups: Tensor


class RecallScores(nn.Module):
    """Scores of states that were held before and of their groups, weighted by what the career says."""

    def __init__(self, width: int, groups: Tensor) -> None:
        super().__init__()
        self.register_buffer("groups", groups)
        members = F.one_hot(groups).T.to(torch.float32)  # [G, K]
        self.register_buffer("members", members, persistent=False)
        self.features = nn.Sequential(nn.Linear(HELD, RECALLED), nn.Tanh(), nn.Linear(RECALLED, RECALLED))
        self.weigh = nn.Linear(width, RECALLED + 2)
        nn.init.normal_(self.weigh.weight, std=0.02)

    def forward(self, hidden: Tensor, batch: TransitionBatch, rows: Tensor) -> Recall:
        """Of the transitions ``rows`` (int64 [m]), hidden their own."""
        groups, members = cast(Tensor, self.groups), cast(Tensor, self.members)
        kept, row = batch.held_by(rows)
        state, known = batch.held_state[kept], batch.held[kept]
        weights = self.weigh(hidden)
        bonus = (self.features(known) * weights.index_select(0, row)[:, :RECALLED]).sum(1)
        near = hidden.new_zeros(len(rows), len(members))
        near = near.index_put((row, groups[state]), known[:, 1].exp(), accumulate=True)  # records in each group
        near = weights[:, RECALLED, None] * near.log1p() + weights[:, RECALLED + 1, None] * (near > 0)
        return Recall(row, state, bonus, near)

    def added(self, scores: Tensor, recall: Recall) -> Tensor:
        """float [m, K]: scores, which nobody else may need, and these."""
        # By a product: a gather of groups has a backward pass that adds up number by number.
        scores = torch.addmm(scores, recall.groups, cast(Tensor, self.members))
        return scores.index_put_((recall.row, recall.state), recall.bonus, accumulate=True)


class Head(nn.Module):
    """ln P(next state).

    In two stages (Vafa et al. 2022, CAREER, eq. 3-4): P(stay) = sigmoid(z of the origin, or a score of its own), and
    P(k) = (1 - P(stay)) softmax of z over the states that are not the origin. Else a softmax over all states.
    states: what hidden vectors are multiplied with; where None, they are scores themselves, the last one of staying.
    likeness: float32 [K, K], how alike titles are, where that is scored as such.
    """

    def __init__(
        self, shape: HeadShape, width: int, start: Start, states: StateVectors | None, likeness: Tensor | None = None
    ) -> None:
        super().__init__()
        self.shape = shape
        self.states = states
        self.register_buffer("start", start.log_margin)
        self.bias = nn.Parameter(torch.zeros(len(start.log_margin)))
        if shape.own_stay:
            self.register_buffer("stay_start", start.stay)
            self.stay = None if states is None else ColumnVectors(width, 1)
            self.stay_bias = nn.Parameter(torch.zeros(len(start.stay)))
        self.recall = RecallScores(width, start.groups) if shape.recall else None
        self.alike = None if likeness is None else LikenessScores(width, likeness)

    def log_likelihood(self, hidden: Tensor, batch: TransitionBatch) -> Tensor:
        """float [n]: ln P(target). Destinations are scored for those who moved alone: nothing else needs them.

        Where the transitions are taught, the mean of ln P by their soft targets, of every state.
        """
        everyone = torch.arange(len(batch.origin), device=hidden.device)
        if batch.soft_target is not None:
            return (batch.soft_target * self.rows(hidden, batch, everyone)).sum(1)
        if not self.shape.two_stage:
            rows = self._scores(hidden, batch, everyone).log_softmax(1)
            return rows.gather(1, batch.target[:, None])[:, 0]
        moved = batch.target != batch.origin
        stay = self._stay(hidden, batch)
        found = F.logsigmoid(torch.where(moved, -stay, stay))
        movers = everyone[moved]
        elsewhere = _without(self._scores(hidden[movers], batch, movers), batch.origin[movers])
        where = elsewhere.log_softmax(1).gather(1, batch.target[movers][:, None])[:, 0]
        return found.index_add(0, movers, where)

    def rows(self, hidden: Tensor, batch: TransitionBatch, rows: Tensor) -> Tensor:
        """float [m, K]: ln P of every state after the transitions ``rows`` (int64 [m]). hidden: float [n, width]."""
        scores = self._scores(hidden[rows], batch, rows)
        if not self.shape.two_stage:
            return scores.log_softmax(1)
        origin = batch.origin[rows]
        stay = self._stay(hidden, batch)[rows]
        found = _without(scores, origin).log_softmax(1) + F.logsigmoid(-stay)[:, None]
        return found.scatter(1, origin[:, None], F.logsigmoid(stay)[:, None])

    def _scores(self, hidden: Tensor, batch: TransitionBatch, rows: Tensor) -> Tensor:
        """float [m, K]: z of the transitions ``rows``, whose vectors are ``hidden``."""
        common = cast(Tensor, self.start) + self.bias
        z = hidden[:, :-1] + common if self.states is None else F.linear(hidden, self.states(), common)
        if self.recall is not None:
            z = self.recall.added(z, self.recall(hidden, batch, rows))
        return z if self.alike is None else self.alike(z, hidden, batch, rows)

    def _stay(self, hidden: Tensor, batch: TransitionBatch) -> Tensor:
        """float [n]: the log-odds of staying."""
        origin = batch.origin
        if self.shape.own_stay:
            known: Tensor = (cast(Tensor, self.stay_start) + self.stay_bias)[origin]
            return known + (hidden[:, -1] if self.stay is None else self.stay(hidden)[:, 0])
        states = self.states
        z = hidden.gather(1, origin[:, None])[:, 0] if states is None else (hidden * states()[origin]).sum(1)
        return z + (cast(Tensor, self.start) + self.bias)[origin]


def _without(scores: Tensor, origin: Tensor) -> Tensor:
    """Scores float [m, K] of the states that are not the origin, minus infinity there."""
    return scores.scatter(1, origin[:, None], float("-inf"))
