"""When training learns how fast, and when it ends.

The learning rate warms up and stays constant while the validation likelihood of the next state improves. When an epoch
improves it by less than ``min_gain``, or only the epochs of the decay are left, it falls to zero in a straight line
(warm-up, stable, decay: Hu et al. 2024, MiniCPM, section 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.plugins.llm.tuning.exchange import Careers
from harness.plugins.llm.tuning.precision import Precision
from harness.plugins.llm.tuning.step import Loss, Step
from harness.training import state as training


@dataclass(frozen=True)
class Schedule:
    """How to train them.

    epochs: the most, decay included. decay: epochs of the decay for each epoch before it. embedding_factor: learning
    rate of the embeddings and the output head, where they are trained, as a multiple of the adapters'. average: the
    share of the running average that a step leaves as it was. hidden_dropout: the share of what the input embeddings
    give that is dropped in training. exchange, exchange_across: the shares of careers that are read with their
    occupations exchanged (``exchange``), until the learning rate falls and they with it. packing: whether sequences
    stand in one row without padding, where the model reads them there as alone; None: on a GPU. precision: of matrix
    products. gradient_checkpointing: activations are made again rather than kept. checkpoint_seconds: between two
    checkpoints.
    """

    epochs: int
    min_gain: float
    patience: int
    decay: float
    learning_rate: float
    embedding_factor: float
    average: float
    weight_decay: float
    batch_tokens: int
    loss: Loss
    hidden_dropout: float = 0.0
    exchange: float = 0.0
    exchange_across: float = 0.0
    packing: bool | None = None
    precision: Precision = "auto"
    gradient_checkpointing: bool = False
    checkpoint_seconds: float = 60.0


class Course(training.Course):
    """The state of the schedule: how many epochs and steps, how they went, and since when the learning rate falls."""

    KEPT = (*training.Course.KEPT, "decay_from", "end")

    def __init__(self, schedule: Schedule, careers: Careers, seed: int) -> None:
        super().__init__(schedule.batch_tokens, seed)
        self.schedule = schedule
        self.careers = careers
        self.seed = seed
        self.decay_from: int | None = None
        self.end = schedule.epochs

    def more(self) -> bool:
        """Whether another epoch is due; decides when the decay begins."""
        schedule, losses = self.schedule, self.losses
        if self.decay_from is None and self.done:
            decay = max(1, round(schedule.decay * self.done))
            stalled = len(losses) > schedule.patience and (
                min(losses[: -schedule.patience]) - min(losses[-schedule.patience :]) < schedule.min_gain
            )
            if stalled or self.done + decay >= schedule.epochs:
                self.decay_from = self.done
                self.end = min(schedule.epochs, self.done + decay)
        return self.done < self.end

    def epoch(self, step: Step, update: Callable[[], None], bar: Any, after: Callable[[], None]) -> None:
        """Every career once, but for those of the steps that an interrupted run has done already."""
        of = self.careers.epoch(self.done, self._exchange())
        every = self.order.epoch(of.tokens.lengths, step.packed)
        for i in range(self.order.step, len(every)):
            learning_rate = self.schedule.learning_rate * self._share(self.done + i / len(every))
            # What a step draws depends on which one it is, not on how many this process has made.
            step(of, every[i], learning_rate, (self.seed, self.done, i, step.together.rank))
            update()
            self.order.step = i + 1
            after()
            bar.advance(len(every[i]))

    def _share(self, epochs: float) -> float:
        """The learning rate as a share of its peak, at a time in epochs."""
        if self.decay_from is not None:
            return (self.end - epochs) / (self.end - self.decay_from)
        return min(1.0, epochs / 0.25 + 0.02)  # warm up over a quarter of the first epoch

    def _exchange(self) -> float:
        """How strongly this epoch's occupations are exchanged: as its first step learns, once warmed up."""
        return 1.0 if self.decay_from is None else self._share(self.done)
