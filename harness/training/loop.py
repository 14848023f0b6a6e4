"""The training loop of every network: epochs, validation, the best weights, and going on after a kill.

A model supplies a ``Trainee``: its parameters, the batches of an epoch, their loss, its validation. What is validated
and kept is a running average of the weights (Polyak and Juditsky 1992) where the schedule has one: at a high learning
rate the last weights are noisy, and their likelihood says little about whether training still gains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch

from harness.errors import RunError
from harness.model.contract import Context
from harness.system.progress import Bar
from harness.training.average import AveragedWeights
from harness.training.batch_order import BatchOrder
from harness.training.checkpoint import Checkpoint, live_tensors
from harness.training.process_group import ProcessGroup
from harness.training.schedule import Schedule
from harness.training.state import TrainingState
from harness.training.step import LossOf, Stepping, take_step
from harness.types import IntArray

MOST_NATS = 100.0  # a validation loss beyond which, where it has also doubled, no later epoch mends

# Enters what steps are made in, for one epoch: threads, an attention of its own.
EpochSteps: TypeAlias = Callable[[], AbstractContextManager[Stepping]]


def all_ready(parts: Sequence[IntArray]) -> None:
    """For ``EpochData.begin``: every sequence is there already."""


@dataclass(frozen=True, kw_only=True)
class EpochData:
    """The sequences of one epoch, or of one of its windows.

    lengths: int64 [n], tokens of each. loss: of some of them (int64 [b]), the sum in nats and how many are in it.
    packed: a batch is any of them, as many tokens as fit; else those of similar length, padded to the longest.
    begin: is told, before any loss is asked for, this process's parts of the batches to come (int64 [b] each), in their
    order: no other sequence's loss is asked of this process.
    """

    lengths: IntArray
    loss: LossOf
    packed: bool
    begin: Callable[[Sequence[IntArray]], None] = all_ready


class Trainee(Protocol):
    """A network and all that is its own about training it."""

    @property
    def model(self) -> torch.nn.Module:
        """The network."""
        ...

    @property
    def trained(self) -> Mapping[str, torch.nn.Parameter]:
        """Those of its parameters that are trained, by name."""
        ...

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Of these parameters; the loop sets its learning rate."""
        ...

    @property
    def group(self) -> ProcessGroup:
        """The processes that train together."""
        ...

    @property
    def tokens(self) -> int:
        """Tokens of an epoch, about."""
        ...

    @property
    def watched(self) -> bool:
        """False where nobody is held out."""
        ...

    @property
    def windows(self) -> int:
        """Windows of an epoch, one of which is in memory; 1 where all of it is."""
        ...

    def key(self, schedule: Schedule) -> str:
        """Digest of the weights as they are now, of the data and of the schedule: a checkpoint of another is not read.

        ``checkpoint_seconds`` is no part of it.
        """
        ...

    def steps(self) -> AbstractContextManager[EpochSteps]:
        """Enters what training as a whole is made in."""
        ...

    def epoch(self, number: int, strength: float) -> EpochData:
        """The sequences of a window, the same whenever they are asked for.

        number: of the window, counted from the first one of the first epoch. strength: of exchanges, 0 to 1.
        """
        ...

    def validation_loss(self) -> float:
        """Nats a transition of those held out, by the weights as they are now; zero where there are none."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """The course of a training, epoch by epoch.

    validation: nats a transition before training and after each epoch; empty where nobody was held out. epochs: their
    number. best: the epoch whose weights were kept, 0 for those it began with.
    """

    validation: tuple[float, ...]
    epochs: int = 0
    best: int = 0


def train(trainee: Trainee, schedule: Schedule, context: Context, name: str, label: str = "") -> TrainingResult:
    """Train in place, and leave the weights of the lowest validation loss in evaluation mode.

    name: of the checkpoint in ``context.scratch``, from which a killed call with the same arguments goes on to the same
    weights. label: of the progress bar; the name where it has none. RunError where the loss leaves all reason.
    """
    weights = AveragedWeights(trainee.trained, schedule.average)
    batches = max(1, math.ceil(trainee.tokens / schedule.batch_tokens))
    state = TrainingState(BatchOrder(schedule.batch_tokens, context.seed), batches, trainee.watched, trainee.windows)
    key = trainee.key(schedule)
    trainee.group.require_same(key)
    checkpoint = Checkpoint(
        path=context.scratch / f"{name}.safetensors",
        key=key,
        tensors=live_tensors(trainee.trained, trainee.optimizer, **weights.copies()),
        state=state.plain,
        seconds=schedule.checkpoint_seconds,
        progress=context.progress,
        group=trainee.group,
    )
    if not checkpoint.load(state.restore):
        state.losses.append(trainee.validation_loss())
    label = label or name
    total = schedule.pace.tokens(state, trainee.tokens)
    with context.progress.bar(label, total) as bar, torch.random.fork_rng(), trainee.steps() as epoch_steps:
        bar.advance(state.tokens)
        loop = _Loop(
            trainee=trainee,
            schedule=schedule,
            seed=context.seed,
            state=state,
            weights=weights,
            checkpoint=checkpoint,
            bar=bar,
            report=context.report,
        )
        while schedule.pace.more(state):
            with epoch_steps() as stepping:
                loop.epoch(stepping)
            loop.validate(label)
            checkpoint.save_if_due()
    weights.put_best()
    trainee.model.eval()
    validation = tuple(state.losses) if trainee.watched else ()
    return TrainingResult(validation=validation, epochs=state.epochs, best=state.best)


@dataclass(frozen=True, kw_only=True)
class _Loop:
    """A training under way."""

    trainee: Trainee
    schedule: Schedule
    seed: int
    state: TrainingState
    weights: AveragedWeights
    checkpoint: Checkpoint
    bar: Bar
    report: Callable[[int, float], None]

    def epoch(self, stepping: Stepping) -> None:
        """Every sequence once, but for those that an interrupted run has done already or the pace leaves out."""
        state = self.state
        while state.order.window < state.windows and self.schedule.pace.more(state):
            self._window(stepping)
            state.order.next_window()

    def _window(self, stepping: Stepping) -> None:
        state, pace = self.state, self.schedule.pace
        data = self.trainee.epoch(state.window, pace.exchange(state))
        batches = state.order.epoch(data.lengths, data.packed)
        data.begin([self.trainee.group.share(batch) for batch in batches[state.order.step :]])
        self.trainee.model.train()
        while state.order.step < len(batches) and pace.more(state):
            batch = batches[state.order.step]
            rate = self.schedule.learning_rate * pace.rate(state, len(batches))
            # What a step draws depends on which one it is, not on how many this process has made.
            key = (self.seed, state.window, state.order.step)
            take_step(self.trainee.optimizer, data.loss, batch=batch, learning_rate=rate, how=stepping, key=key)
            self.weights.update()
            tokens = int(data.lengths[batch].sum())
            state.trained_on(tokens)
            self.checkpoint.save_if_due()
            self.bar.advance(tokens)

    def validate(self, label: str) -> None:
        """End the epoch: its validation loss, and whether its weights are the best so far."""
        state = self.state
        with self.weights.in_place():
            best = state.validated(self.trainee.validation_loss())
        if best:
            self.weights.keep_best()
        if not state.watched:
            return
        loss = state.losses[-1]
        if not loss < max(MOST_NATS, 2 * state.losses[0]):
            raise RunError(
                f"{label}: epoch {state.epochs}: the validation loss is {loss:g} nats; try a lower learning_rate, or a "
                "longer warmup"
            )
        self.bar.describe(f"{label}: epoch {state.epochs}, validation perplexity {np.exp(loss):.3f}")
        self.report(state.epochs, loss)
