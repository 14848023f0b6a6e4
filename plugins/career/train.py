"""A network of the family in training: the careers of an epoch, their loss, and the likelihood of those held out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from harness.model import Context
from harness.network.transitions import AT_ONCE, CareerBatch, TransitionTable
from harness.panel import Panel
from harness.plugins.career.network import Network
from harness.training.checkpoint import training_key
from harness.training.exchange import Exchange
from harness.training.loop import EpochData, EpochSteps
from harness.training.optimizer import adamw
from harness.training.process_group import SINGLE, ProcessGroup, process_group
from harness.training.schedule import Schedule
from harness.training.step import Stepping
from harness.training.workers import workers


class NetworkTrainee(ABC):
    """A network in training, and the careers that are held out (``harness.training.loop.Trainee``). tokens: transitions
    of an epoch, about."""

    windows = 1

    def __init__(
        self, network: Network, valid: TransitionTable, schedule: Schedule, context: Context, tokens: int
    ) -> None:
        self.model = network.to(context.device)
        self.valid = valid
        self.device, self.group = context.device, process_group(context)
        self.trained = dict(network.named_parameters())
        self.optimizer = adamw(list(self.trained.values()), schedule.weight_decay, beta_2=0.98)
        self.exchange = Exchange(schedule.exchange, schedule.exchange_across, context.seed)
        self.tokens = tokens
        self.watched = len(valid) > 0

    @abstractmethod
    def epoch(self, number: int, strength: float) -> EpochData:
        """The careers of an epoch, a share of them with other occupations."""

    @abstractmethod
    def learned(self) -> tuple[Any, ...]:
        """Arrays, and what else tells these careers from others."""

    def key(self, schedule: Schedule) -> str:
        """Digest of weights, plan, careers, columns, schedule and seed."""
        valid = self.valid
        watched = (valid.origin, valid.target, valid.columns, *(() if valid.weight is None else (valid.weight,)))
        how = replace(schedule, checkpoint_seconds=0.0)
        return training_key(self.model, self.model.plan, *self.learned(), how, self.exchange.seed, *watched)

    @contextmanager
    def steps(self) -> Iterator[EpochSteps]:
        """Threads, for all of the training."""
        with workers(self.device) as (pool, count):
            stepping = Stepping(pool=pool, workers=count, dropout=self.model.dropout, group=self.group)
            yield lambda: nullcontext(stepping)

    def loss(self, batch: CareerBatch) -> tuple[torch.Tensor, int]:
        """Of transitions: the sum in nats, and how many are in it."""
        found = self.model(batch)
        # Over their number, not over the sum of their weights: the mean step is that of the weighted likelihood.
        return -(found if batch.weight is None else found * batch.weight).sum(), len(batch.origin)

    def validation_loss(self) -> float:
        """Nats a transition."""
        return mean_loss(self.model, self.valid, self.group)


class CareerTrainee(NetworkTrainee):
    """One that learns from all careers of a panel in every epoch."""

    def __init__(
        self,
        network: Network,
        panel: Panel,
        tokens: TransitionTable,
        valid: TransitionTable,
        schedule: Schedule,
        context: Context,
    ) -> None:
        super().__init__(network, valid, schedule, context, tokens=len(tokens))
        self.panel, self.plain = panel, tokens

    def epoch(self, number: int, strength: float) -> EpochData:
        """All careers, a share of them with other occupations."""
        tokens = self.plain
        if (states := self.exchange.states([self.panel], number, strength)) is not None:
            taught = tokens.taught is not None
            permutations = self.exchange.permutations(self.panel, number, strength) if taught else None
            tokens = tokens.with_states(replace(self.panel, state=states[0]), permutations)
        return EpochData(
            lengths=tokens.lengths, loss=lambda part: self.loss(tokens.batch(part, self.device)), packed=True
        )

    def learned(self) -> tuple[Any, ...]:
        """With what an encoder says of them and of those held out."""
        taught = self.plain.taught
        said = (self.plain.encoded, self.valid.encoded, None if taught is None else taught.probability)
        return (self.panel.fingerprint(), self.plain.columns, *(x for x in said if x is not None))


def mean_loss(network: Network, tokens: TransitionTable, group: ProcessGroup = SINGLE) -> float:
    """Minus the mean ln P(target), nats a transition, each counting for its weight; zero where there is none.

    In evaluation mode. group: the processes that share the careers among them; all are told the same number.
    """
    if not len(tokens):
        return 0.0
    device = str(next(network.parameters()).device)
    even = tokens.weight is None or not tokens.weight.any()  # where nothing counts, all count the same
    total = counted = 0.0
    network.eval()
    with torch.no_grad():
        for i, careers in enumerate(tokens.parts(AT_ONCE)):
            if i % group.size != group.rank:
                continue
            batch = tokens.batch(careers, device)
            found = network(batch).cpu().numpy().astype(np.float64)
            weight = np.ones(len(found)) if even or batch.weight is None else batch.weight.cpu().numpy()
            total += float((found * weight).sum())
            counted += float(weight.sum(dtype=np.float64))
    total, counted = group.sum([], total, counted)
    return -total / counted
