"""Fine-tuning by low-rank adapters (Hu et al. 2022), with a schedule that stops itself.

The learning rate warms up and stays constant while the validation likelihood of the next state improves. When an epoch
improves it by less than ``min_gain``, or only the epochs of the decay are left, it goes down to zero in a straight line
(warm-up, stable, decay: Hu et al. 2024, MiniCPM, section 4). The best checkpoint is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.plugins.llm.loader import embedding_modules, quiet
from harness.plugins.llm.parallel import MOST_WORKERS, workers
from harness.plugins.llm.score import Scorer
from harness.plugins.llm.tokens import Resumes
from harness.plugins.llm.train import Examples, Loss, Step, adamw, batches, examples, uses_dropout

if TYPE_CHECKING:
    from harness.model import Context


@dataclass(frozen=True)
class Adapters:
    """Which adapters: rank and scale of the low-rank matrices, dropout before them, and whether the embeddings and the
    output head are trained as well, in full."""

    rank: int
    alpha: int
    dropout: float
    embeddings: bool


@dataclass(frozen=True)
class Schedule:
    """How to train them. epochs: the most, decay included. decay: epochs of the decay for each epoch before it."""

    epochs: int
    min_gain: float
    patience: int
    decay: float
    learning_rate: float
    weight_decay: float
    batch_tokens: int
    loss: Loss


@dataclass(frozen=True)
class Fit:
    """How the tuning went. validation: nats a transition before training and after each epoch."""

    validation: tuple[float, ...]
    epochs: int
    best: int


def add_adapters(model: Any, adapters: Adapters, seed: int) -> Any:
    """The model with new adapters on all its linear layers but the output head; nothing else is trained."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    config = LoraConfig(
        r=adapters.rank,
        lora_alpha=adapters.alpha,
        lora_dropout=adapters.dropout,
        target_modules="all-linear",
        modules_to_save=embedding_modules(model) if adapters.embeddings else None,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def tune(model: Any, data: tuple[Resumes, Resumes], pad: int, schedule: Schedule, context: Context) -> Fit:
    """Train the adapters of ``model`` in place and leave the best checkpoint in it, in evaluation mode.

    data: the resumes to train on, and those that the schedule watches.
    """
    import torch

    train, valid = data
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = adamw(list(trained.values()), schedule.weight_decay)
    of = examples(train, schedule.loss)
    losses = [validation_loss(model, valid, pad)]
    best, kept = 0, _copy(trained)
    # Threads would take turns at one random generator in an order that no seed fixes.
    most = 1 if uses_dropout(model) else MOST_WORKERS
    run = _Run(schedule, of, np.random.default_rng(context.seed))
    with context.progress.bar("tuning the adapters", None) as bar:
        while run.more(losses):
            with torch.random.fork_rng(), workers(context.device, most) as (pool, count):
                torch.manual_seed(context.seed + len(losses))
                model.train()
                run.epoch(Step(model, optimizer, pad, pool, count), bar)
            losses.append(validation_loss(model, valid, pad))
            bar.describe(
                f"tuning the adapters: epoch {len(losses) - 1}, validation perplexity {np.exp(losses[-1]):.3f}"
            )
            if losses[-1] < losses[best]:
                best, kept = len(losses) - 1, _copy(trained)
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(kept[name])
    model.eval()
    return Fit(tuple(losses), len(losses) - 1, best)


class _Run:
    """The state of the schedule: how many epochs, and since when the learning rate falls."""

    def __init__(self, schedule: Schedule, of: Examples, rng: np.random.Generator) -> None:
        self.schedule = schedule
        self.of = of
        self.rng = rng
        self.done = 0
        self.decay_from: int | None = None
        self.end = schedule.epochs

    def more(self, losses: list[float]) -> bool:
        """Whether another epoch is due; decides when the decay begins."""
        schedule = self.schedule
        if self.decay_from is None and self.done:
            decay = max(1, round(schedule.decay * self.done))
            stalled = len(losses) > schedule.patience and (
                min(losses[: -schedule.patience]) - min(losses[-schedule.patience :]) < schedule.min_gain
            )
            if stalled or self.done + decay >= schedule.epochs:
                self.decay_from = self.done
                self.end = min(schedule.epochs, self.done + decay)
        return self.done < self.end

    def epoch(self, step: Step, bar: Any) -> None:
        """Every career once."""
        order = batches(self.of.tokens.lengths, self.schedule.batch_tokens, self.rng)
        for i, batch in enumerate(order):
            step(self.of, batch, self.schedule.learning_rate * self._share(self.done + i / len(order)))
            bar.advance(len(batch))
        self.done += 1

    def _share(self, epochs: float) -> float:
        """The learning rate as a share of its peak, at a time in epochs."""
        if self.decay_from is not None:
            return (self.end - epochs) / (self.end - self.decay_from)
        return min(1.0, epochs / 0.25 + 0.02)  # warm up over a quarter of the first epoch


def validation_loss(model: Any, valid: Resumes, pad: int) -> float:
    """Minus the mean ln P(next state) over the transitions, in nats; over all records where there is no transition."""
    model.eval()
    targets = valid.panel.transitions if len(valid.panel.transitions) else valid.panel.entries
    states = valid.panel.state[targets].astype(np.int64)[:, None]
    return -float(Scorer(model, pad).log_prob(valid, targets, states).astype(np.float64).mean())


def _copy(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: parameter.detach().clone() for name, parameter in parameters.items()}
