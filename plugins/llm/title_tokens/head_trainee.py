"""The training of a network's head by itself, before it reads the language model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from harness.model.contract import unreported
from harness.plugins.llm.title_tokens.params import TitleTokenParams, schedule_of
from harness.plugins.llm.title_tokens.trainee import TitleTokenTrainee
from harness.training.loop import EpochSteps, TrainingResult, train
from harness.training.optimizer import adamw
from harness.training.schedule import LinearDecay, Schedule
from harness.training.step import Stepping
from harness.training.workers import workers

FEWEST = 3  # times the fewest steps of tuning
BATCH = 2  # batches of tuning in one of the head, which reads them quickly


class HeadTrainee(TitleTokenTrainee):
    """The head of a trainee's network: what origin, tenure and covariates say of the next state.

    The careers are those of tuning, a share of them with occupations exchanged. So the language model is not taught how
    often people stay, which takes hundreds of steps of all its layers; it learns what the head leaves open.
    """

    def __init__(self, of: TitleTokenTrainee) -> None:
        super().__init__(
            of.model,
            careers=of.careers,
            held_out=of.held_out,
            params=of.params,
            how=replace(of.how, exchanged=True),
            context=replace(of.context, report=unreported),
        )

    def _trains(self, name: str) -> bool:
        return name.startswith(("head.", "columns.", "reader."))

    def _optimizer(self) -> torch.optim.Optimizer:
        return adamw(list(self.trained.values()), self.params.head_decay, beta_2=0.98)

    def key(self, schedule: Schedule) -> str:
        return f"head {super().key(schedule)}"

    @contextmanager
    def steps(self) -> Iterator[EpochSteps]:
        @contextmanager
        def epoch() -> Iterator[Stepping]:
            with workers(self.device) as (pool, count):
                yield Stepping(
                    pool=pool, workers=count, dropout=self.seeded, group=self.group, stream=(self.group.rank,)
                )

        with self.model.head_alone():
            yield epoch

    def validation_loss(self) -> float:
        with self.model.head_alone():
            return super().validation_loss()


def train_head(of: TitleTokenTrainee) -> TrainingResult:
    """Train the head of a trainee's network in place, for ``head_epochs`` epochs, more where careers are few."""
    trainee = HeadTrainee(of)
    return train(trainee, _schedule(of.params), trainee.context, "head")


def _schedule(p: TitleTokenParams) -> Schedule:
    """The rate and the length of the head by itself."""
    return replace(
        schedule_of(p),
        pace=LinearDecay(epochs=p.head_epochs, warmup=p.warmup, fewest_steps=FEWEST * p.fewest_steps),
        learning_rate=p.head_learning_rate,
        batch_tokens=BATCH * p.batch_tokens,
    )
