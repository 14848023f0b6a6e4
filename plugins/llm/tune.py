"""Fine-tuning by low-rank adapters (Hu et al. 2022), with a schedule that stops itself.

The learning rate warms up and stays constant while the validation likelihood of the next state improves. When an epoch
improves it by less than ``min_gain``, or only the epochs of the decay are left, it falls to zero in a straight line
(warm-up, stable, decay: Hu et al. 2024, MiniCPM, section 4). What is validated and kept is a running average of the
weights (Polyak and Juditsky 1992): at a constant rate the last weights are noisy, and their likelihood says little
about whether training still gains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.plugins.llm.checkpoint import Checkpoint, adam_state, training_key
from harness.plugins.llm.distributed import ALONE, Together, together
from harness.plugins.llm.loader import embedding_modules, quiet
from harness.plugins.llm.parallel import MOST_WORKERS, workers
from harness.plugins.llm.score import Scorer
from harness.plugins.llm.tokens import Resumes
from harness.plugins.llm.train import Examples, Loss, Step, adamw, batches, examples, reading, uses_dropout

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
    """How to train them.

    epochs: the most, decay included. decay: epochs of the decay for each epoch before it. embedding_factor: learning
    rate of the embeddings and the output head, where they are trained, as a multiple of the adapters'. average: the
    share of the running average that a step leaves as it was. checkpoint_seconds: between two checkpoints.
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
    checkpoint_seconds: float


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
        ensure_weight_tying=adapters.embeddings and bool(model.config.get_text_config().tie_word_embeddings),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def tune(model: Any, data: tuple[Resumes, Resumes], pad: int, schedule: Schedule, context: Context) -> Fit:
    """Train what of ``model`` asks for gradients, in place, and leave the best checkpoint in it, in evaluation mode.

    data: the resumes to train on, and those that the schedule watches. Goes on from the checkpoint that a killed call
    with the same arguments left in ``context.scratch``, and ends with the same weights as if nobody had stopped it.
    """
    import torch

    train, valid = data
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = _optimizer(trained, schedule)
    of = examples(train, schedule.loss)
    average = _Average(list(trained.values()), schedule.average)
    run = _Run(schedule, of, context.seed)
    kept = average.copy()
    tensors = adam_state(trained, optimizer)
    for kind, values in (("trained", trained.values()), ("average", average.values), ("kept", kept)):
        tensors |= {f"{kind}/{name}": value for name, value in zip(trained, values, strict=True)}
    how = (replace(schedule, checkpoint_seconds=0.0), context.seed, valid.panel.fingerprint())
    key = training_key(model, of.tokens.ids, of.tokens.offsets, of.counts, *how)
    path = context.scratch / "tuning.safetensors"
    group = together(context)
    group.require_same(key)
    checkpoint = Checkpoint(path, key, tensors, run.state, schedule.checkpoint_seconds, context.progress, group)
    if not checkpoint.load(run.restore):
        run.losses.append(validation_loss(model, valid, pad, group))
    # Threads would take turns at one random generator in an order that no seed fixes.
    most = 1 if uses_dropout(model) else MOST_WORKERS
    read = reading(model)
    with context.progress.bar("tuning", None) as bar:
        while run.more():
            with torch.random.fork_rng(), workers(context.device, most) as (pool, count):
                model.train()
                step = Step(model, optimizer, pad, pool, count, read, together=group)
                run.epoch(step, average, bar, checkpoint.save_if_due)
            with average.in_place():
                improved = run.validated(validation_loss(model, valid, pad, group))
            bar.describe(f"tuning: epoch {run.done}, validation perplexity {np.exp(run.losses[-1]):.3f}")
            if improved:
                average.copy_to(kept)
            checkpoint.save()
    with torch.no_grad():
        for parameter, value in zip(trained.values(), kept, strict=True):
            parameter.copy_(value)
    model.eval()
    return Fit(tuple(run.losses), run.done, run.best)


def _optimizer(trained: dict[str, Any], schedule: Schedule) -> Any:
    adapters = [p for name, p in trained.items() if "lora_" in name]
    tables = [p for name, p in trained.items() if "lora_" not in name]
    optimizer = adamw(adapters or tables, schedule.weight_decay)
    if adapters and tables:
        group = {"params": tables, "weight_decay": schedule.weight_decay, "factor": schedule.embedding_factor}
        optimizer.add_param_group(group)
    return optimizer


class _Run:
    """The state of the schedule: how many epochs and steps, how they went, and since when the learning rate falls."""

    def __init__(self, schedule: Schedule, of: Examples, seed: int) -> None:
        self.schedule = schedule
        self.of = of
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.before: dict[str, Any] = dict(self.rng.bit_generator.state)  # the generator as this epoch found it
        self.losses: list[float] = []
        self.best = 0
        self.done = 0
        self.step = 0
        self.decay_from: int | None = None
        self.end = schedule.epochs

    def state(self) -> dict[str, Any]:
        """JSON-able; with it, ``restore`` makes a new run go on where this one is."""
        names = ("before", "losses", "best", "done", "step", "decay_from", "end")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the run that ``state`` was asked of."""
        for name, value in state.items():
            setattr(self, name, value)
        self.rng.bit_generator.state = self.before

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

    def epoch(self, step: Step, average: _Average, bar: Any, after: Callable[[], None]) -> None:
        """Every career once, but for those of the steps that an interrupted run has done already."""
        import torch

        order = batches(self.of.tokens.lengths, self.schedule.batch_tokens, self.rng)
        for i in range(self.step, len(order)):
            # What a step draws depends on which one it is, not on how many this process has made.
            which = [self.seed, self.done, i, step.together.rank]
            torch.manual_seed(int(np.random.SeedSequence(which).generate_state(1)[0]))
            step(self.of, order[i], self.schedule.learning_rate * self._share(self.done + i / len(order)))
            average.update()
            self.step = i + 1
            after()
            bar.advance(len(order[i]))

    def validated(self, loss: float) -> bool:
        """Ends the epoch with its validation loss; whether it is the lowest so far."""
        self.done, self.step = self.done + 1, 0
        self.before = dict(self.rng.bit_generator.state)
        self.losses.append(loss)
        if loss < self.losses[self.best]:
            self.best = self.done
        return self.best == self.done

    def _share(self, epochs: float) -> float:
        """The learning rate as a share of its peak, at a time in epochs."""
        if self.decay_from is not None:
            return (self.end - epochs) / (self.end - self.decay_from)
        return min(1.0, epochs / 0.25 + 0.02)  # warm up over a quarter of the first epoch


def validation_loss(model: Any, valid: Resumes, pad: int, group: Together = ALONE) -> float:
    """Minus the mean ln P(next state) over the transitions, in nats; over all records where there is no transition.

    group: the processes that share the persons among them; all are told the same number.
    """
    model.eval()
    targets = valid.panel.transitions if len(valid.panel.transitions) else valid.panel.entries
    own = targets[valid.panel.person[targets] % group.size == group.rank]
    states = valid.panel.state[own].astype(np.int64)[:, None]
    said = Scorer(model, pad).log_prob(valid, own, states).astype(np.float64) if len(own) else np.zeros(0)
    total, count = group.sum([], float(said.sum()), len(own))
    return -float(total / count)


class _Average:
    """A running average of parameters, each step's weight fading by ``keep``."""

    def __init__(self, parameters: list[Any], keep: float) -> None:
        self.parameters = parameters
        self.keep = keep
        self.values = [p.detach().clone() for p in parameters]

    def update(self) -> None:
        for value, parameter in zip(self.values, self.parameters, strict=True):
            value.lerp_(parameter.detach(), 1 - self.keep)

    def copy(self) -> list[Any]:
        return [value.clone() for value in self.values]

    def copy_to(self, kept: list[Any]) -> None:
        for value, own in zip(kept, self.values, strict=True):
            value.copy_(own)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters have the average's values meanwhile."""
        own = [p.detach().clone() for p in self.parameters]
        self._set(self.values)
        try:
            yield
        finally:
            self._set(own)

    def _set(self, values: list[Any]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.detach().copy_(value)
