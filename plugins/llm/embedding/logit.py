"""The ridge multinomial logit of hidden states: P(stay), and where those go who leave, or both at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from scipy import sparse

from harness.estimation.columns import JoinedColumns
from harness.estimation.multinomial import (
    ChoiceRows,
    Coefficients,
    ObservedChoices,
    PenaltyPath,
    log_rows,
)
from harness.panel import Panel
from harness.plugins.llm.embedding.columns import StateColumns
from harness.plugins.llm.embedding.params import EmbedParams
from harness.types import FloatArray, IntArray

Part = Literal["staying", "states"]
CONSTANT_PENALTY = 0.1  # a state that nobody was seen to enter is then as likely as half a move to it would tell
LEAST = -14.0  # ln P(leaving): a float32 P(stay) that is not yet one


@dataclass(frozen=True)
class Transitions:
    """n transitions of a panel that count. states: float32 [n, width], one layer. origin, target: int64 [n].

    weight: float64 [n], above zero.
    """

    states: FloatArray
    origin: IntArray
    target: IntArray
    weight: FloatArray

    @classmethod
    def of(cls, panel: Panel, states: FloatArray) -> Transitions:
        """states: of all transitions of the panel."""
        records = panel.transitions
        weight = panel.weights(records)
        kept = np.flatnonzero(weight > 0)
        state = panel.state.astype(np.int64)
        return cls(states[kept], state[records - 1][kept], state[records][kept], weight[kept])


class StateLogit:
    """One layer's logit. group: int64 [K], major groups."""

    def __init__(self, p: EmbedParams, group: IntArray) -> None:
        self.params, self.group = p, group
        self.columns: StateColumns | None = None
        self.parts: dict[Part, Coefficients] = {}
        self.chosen: dict[str, Any] = {}

    def fit(self, known: Transitions, held_out: Transitions, done: Callable[[], None]) -> float:
        """Estimate every part at the penalty that the held-out transitions like best; their mean loss, nats."""
        p = self.params
        self.columns = StateColumns.fit(known.states, known.weight)
        X, asked = self.columns.apply(known.states), self.columns.apply(held_out.states)
        parts: tuple[Part, ...] = ("states",) if p.staying == "plain" else ("staying", "states")
        for part in parts:
            learned, watched = self._choices(part, X, known), self._choices(part, asked, held_out)
            if not len(learned):
                continue
            path = PenaltyPath(
                penalties=p.penalties,
                ridge=self._ridge,
                tolerance=p.tolerance,
                iterations=p.iterations,
                threads=p.threads,
                done=done,
            )
            penalty, best = path.best(learned, watched)
            self.chosen |= {f"{part}_penalty": penalty, f"{part}_converged": best.converged}
            self.parts[part] = best.coefficients
        if not len(held_out.target):
            return np.inf
        found = self.rows(held_out.states, held_out.origin)[np.arange(len(held_out.target)), held_out.target]
        return -float(held_out.weight @ found) / float(held_out.weight.sum())

    def rows(self, states: FloatArray, origin: IntArray) -> FloatArray:
        """float64 [n, K]: ln P of every state. states: float32 [n, width]. origin: int64 [n]."""
        assert self.columns is not None
        X, n_states = self.columns.apply(states), len(self.group)
        rows = np.full((len(X), n_states), -np.log(max(n_states - 1, 1)))  # nobody was seen to leave
        if "states" in self.parts:
            rows = log_rows(self._design("states", X, origin), self.parts["states"])
        if "staying" in self.parts:
            staying = log_rows(self._design("staying", X, origin), self.parts["staying"])
            rows += np.maximum(staying[:, 1:], LEAST)
            rows[np.arange(len(rows)), origin] = staying[:, 0]
        return rows

    def _choices(self, part: Part, X: FloatArray, of: Transitions) -> ObservedChoices:
        """Choices of one part: to stay (0) or to leave (1); or the state, by those who left or by all."""
        origin, target, weight = of.origin, of.target, of.weight
        if part == "staying":
            return ObservedChoices(self._design(part, X, origin), (origin != target).astype(np.int64), weight)
        if self.params.staying == "own":
            left = np.flatnonzero(origin != target)
            X, origin, target, weight = X[left], origin[left], target[left], weight[left]
        return ObservedChoices(self._design(part, X, origin), target, weight)

    def _design(self, part: Part, X: FloatArray, origin: IntArray) -> ChoiceRows:
        n, k, nothing = len(origin), len(self.group), np.zeros(0, dtype=np.int64)
        held = sparse.csr_matrix((np.ones(n), origin, np.arange(n + 1)), shape=(n, k))
        design = JoinedColumns(X, held if self.params.with_origin else held[:, :0])
        if part == "staying":
            member = sparse.csr_matrix((2, 0))
            return ChoiceRows(X=design, row=nothing, alternative=nothing, Z=np.zeros((0, 0)), member=member)
        groups = int(self.group.max()) + 1 if self.params.groups else 0
        member = sparse.csr_matrix((k, groups))
        if groups:
            member = sparse.csr_matrix((np.ones(k), self.group, np.arange(k + 1)), shape=(k, groups))
        closed = origin if self.params.staying == "own" else None
        return ChoiceRows(X=design, row=nothing, alternative=nothing, Z=np.zeros((0, 0)), member=member, closed=closed)

    def _ridge(self, zeros: Coefficients, penalty: float) -> Coefficients:
        """The penalty of every coefficient."""
        assert self.columns is not None
        of_column = np.full(len(zeros.alternative), self.params.origin_penalty)
        of_column[: 1 + len(self.columns.scaling.kept)] = penalty
        of_column[0] = CONSTANT_PENALTY
        own, group = (np.repeat(of_column[:, None], of.shape[1], axis=1) for of in (zeros.alternative, zeros.group))
        return Coefficients(own, group, zeros.pair)

    def arrays(self) -> dict[str, FloatArray | IntArray]:
        """All that was estimated; ``read`` takes it back."""
        found: dict[str, FloatArray | IntArray] = {"group": self.group}
        found |= {} if self.columns is None else self.columns.arrays()
        for part, coefficients in self.parts.items():
            found |= {f"{part}_{f.name}": getattr(coefficients, f.name) for f in fields(Coefficients)}
        return found

    def read(self, stored: Mapping[str, Any]) -> None:
        """Become what ``arrays`` told of."""
        self.columns = StateColumns.of_arrays(stored)
        for part in get_args(Part):
            if f"{part}_pair" in stored:
                self.parts[part] = Coefficients(*(stored[f"{part}_{f.name}"] for f in fields(Coefficients)))
