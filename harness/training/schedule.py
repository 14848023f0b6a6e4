"""Schedules: how long to train, and how fast to learn at every step.

A ``Pace`` says both, from the state of the training alone, so that one that was interrupted goes on as it would have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from harness.training.state import TrainingState


class Pace(Protocol):
    """The length of a training and the course of its learning rate."""

    def more(self, state: TrainingState) -> bool:
        """True where another step is due."""
        ...

    def rate(self, state: TrainingState, steps: int) -> float:
        """The learning rate of the next step as a share of its peak. steps: in this window of the epoch."""
        ...

    def exchange(self, state: TrainingState) -> float:
        """The share of the exchanges of occupations that the next epoch makes, 0 to 1."""
        ...

    def tokens(self, state: TrainingState, epoch: int) -> float | None:
        """Tokens in all, for a progress bar; None where nobody knows. epoch: tokens of one."""
        ...


@dataclass(frozen=True, kw_only=True)
class LinearDecay:
    """Up over ``warmup`` steps, then down to zero in a straight line, in so many epochs; more where steps are few."""

    epochs: int
    warmup: int
    fewest_steps: int

    def more(self, state: TrainingState) -> bool:
        return state.epochs < self._end(state)

    def rate(self, state: TrainingState, steps: int) -> float:
        step = state.window * steps + state.order.step
        end = self._end(state) * state.windows * steps
        return min((step + 1) / (self.warmup + 1), 1 - step / max(end, step + 1))

    def exchange(self, state: TrainingState) -> float:
        return 1 - state.epochs / self._end(state)

    def tokens(self, state: TrainingState, epoch: int) -> float | None:
        return self._end(state) * epoch

    def _end(self, state: TrainingState) -> int:
        return max(self.epochs, math.ceil(self.fewest_steps / state.steps))


@dataclass(frozen=True, kw_only=True)
class InverseRoot:
    """Up over ``warmup`` steps, then down with the inverse square root of the steps.

    It ends when the validation loss has not fallen for ``patience`` epochs, or after ``epochs`` (Vaswani et al. 2017).
    """

    epochs: int
    warmup: int
    patience: int

    def more(self, state: TrainingState) -> bool:
        return state.epochs < self.epochs and state.epochs - state.best < self.patience

    def rate(self, state: TrainingState, steps: int) -> float:
        step = state.window * steps + state.order.step
        return min((step + 1) / (self.warmup + 1), math.sqrt((self.warmup + 1) / (step + 1)))

    def exchange(self, state: TrainingState) -> float:
        return 1.0

    def tokens(self, state: TrainingState, epoch: int) -> float | None:
        return self.epochs * epoch


@dataclass(frozen=True, kw_only=True)
class StableThenDecay:
    """Constant while an epoch improves the validation loss by ``min_gain``, then down to zero in a straight line.

    It warms up over a quarter of an epoch. The fall lasts ``decay`` epochs for each epoch before it, and begins at the
    latest when no more than those are left of ``epochs`` (warm-up, stable, decay: Hu et al. 2024, MiniCPM, section 4).
    patience: epochs to wait for such a gain.
    """

    epochs: int
    min_gain: float
    patience: int
    decay: float

    def more(self, state: TrainingState) -> bool:
        return state.epochs < self._fall(state)[1]

    def rate(self, state: TrainingState, steps: int) -> float:
        return self._rate(state, state.done(steps))

    def exchange(self, state: TrainingState) -> float:
        """As the first step of the epoch learns, once warmed up."""
        begin, _ = self._fall(state)
        return 1.0 if begin is None else self._rate(state, state.epochs)

    def tokens(self, state: TrainingState, epoch: int) -> float | None:
        return None

    def _rate(self, state: TrainingState, epochs: float) -> float:
        begin, end = self._fall(state)
        return min(1.0, epochs / 0.25 + 0.02) if begin is None else (end - epochs) / (end - begin)

    def _fall(self, state: TrainingState) -> tuple[int | None, int]:
        """(epoch in which the fall begins, None where that is not yet known; epoch after which training ends)."""
        for done in range(1, state.epochs + 1):
            losses = state.losses[: done + 1]
            decay = max(1, round(self.decay * done))
            stalled = len(losses) > self.patience and (
                min(losses[: -self.patience]) - min(losses[-self.patience :]) < self.min_gain
            )
            if stalled or done + decay >= self.epochs:
                return done, min(self.epochs, done + decay)
        return None, self.epochs


@dataclass(frozen=True, kw_only=True)
class TokenBudget:
    """So many tokens: up over the first twentieth of them, then down in a straight line to a twentieth of the peak."""

    budget: int

    def more(self, state: TrainingState) -> bool:
        return state.tokens < self.budget

    def rate(self, state: TrainingState, steps: int) -> float:
        share = state.tokens / self.budget
        return min(share / 0.05 + 0.02, 1.0 - 0.95 * share)

    def exchange(self, state: TrainingState) -> float:
        return 1.0

    def tokens(self, state: TrainingState, epoch: int) -> float | None:
        return self.budget


def in_windows(pace: LinearDecay | InverseRoot, windows: int) -> LinearDecay | InverseRoot:
    """The pace of a training that is told of every window of its sequences as of an epoch, so many to a real one.

    The steps and their rates are the same but for the sizes of windows, which differ a little.
    """
    if isinstance(pace, LinearDecay):
        return replace(pace, epochs=pace.epochs * windows)
    return replace(pace, epochs=pace.epochs * windows, patience=pace.patience * windows)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The schedule that a network is trained by.

    learning_rate: at its peak. batch_tokens: most in a batch; a longer sequence is one alone. average: share of the
    running average of weights that a step leaves as it was; None: no average, and the last weights stay.
    weight_decay: decoupled, of matrices. checkpoint_seconds: between two checkpoints; 0: at every step. exchange,
    exchange_across: shares of careers that an epoch reads with other occupations (``harness.training.exchange``).
    """

    pace: Pace
    learning_rate: float
    batch_tokens: int
    weight_decay: float
    average: float | None
    checkpoint_seconds: float
    exchange: float = 0.0
    exchange_across: float = 0.0
