"""Fine-tuning by low-rank adapters (Hu et al. 2022), with a schedule that stops itself (``schedule``).

What is validated and kept is a running average of the weights (Polyak and Juditsky 1992): at a constant learning rate
the last weights are noisy, and their likelihood says little about whether training still gains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.head import reading
from harness.plugins.llm.text.loader import embedding_modules
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.dropout import draws_from_torch, dropout_by
from harness.plugins.llm.tuning.exchange import Careers
from harness.plugins.llm.tuning.packing import packed_attention, packs
from harness.plugins.llm.tuning.precision import checkpointing, product_type
from harness.plugins.llm.tuning.schedule import Course, Schedule
from harness.plugins.llm.tuning.step import Examples, Step
from harness.training.average import Average
from harness.training.checkpoint import Checkpoint, live_tensors, training_key
from harness.training.distributed import ALONE, Together, together
from harness.training.dropout import Draws
from harness.training.libraries import quiet
from harness.training.step import adamw
from harness.training.workers import MOST_WORKERS, workers

if TYPE_CHECKING:
    import torch

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


def tune(model: Any, data: tuple[Sequence[Resumes], Resumes], pad: int, schedule: Schedule, context: Context) -> Fit:
    """Train what of ``model`` asks for gradients, in place, and leave the best checkpoint in it, in evaluation mode.

    data: the resumes to train on, panel by panel, and those that the schedule watches. Goes on from the checkpoint that
    a killed call with the same arguments left in ``context.scratch``, and ends with the same weights as if nobody had
    stopped it.
    """

    train, valid = data
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = _optimizer(trained, schedule)
    careers = Careers(train, schedule.loss, context.seed, schedule.exchange, schedule.exchange_across)
    average = Average(list(trained.values()), schedule.average)
    kept, group = average.copy(), together(context)
    course = Course(schedule, careers, context.seed)
    tensors = live_tensors(trained, optimizer, average=average.values, kept=kept)
    key = _key(model, careers.plain, valid, schedule, context)
    group.require_same(key)
    path = context.scratch / "tuning.safetensors"
    checkpoint = Checkpoint(path, key, tensors, course.state, schedule.checkpoint_seconds, context.progress, group)
    if not checkpoint.load(course.restore):
        course.losses.append(validation_loss(model, valid, pad, group))
    with context.progress.bar("tuning", None) as bar, _stepping(model, optimizer, pad, schedule, context) as epoch:
        while course.more():
            with epoch() as step:
                course.epoch(step, average.update, bar, checkpoint.save_if_due)
            with average.in_place():
                improved = course.validated(validation_loss(model, valid, pad, group))
            bar.describe(f"tuning: epoch {course.done}, validation perplexity {np.exp(course.losses[-1]):.3f}")
            if improved:
                average.copy_to(kept)
            checkpoint.save()
    average.put(kept)
    model.eval()
    return Fit(tuple(course.losses), course.done, course.best)


def _key(model: Any, of: Examples, valid: Resumes, schedule: Schedule, context: Context) -> str:
    how = (replace(schedule, checkpoint_seconds=0.0), context.seed, valid.panel.fingerprint())
    return training_key(model, of.tokens.ids, of.tokens.offsets, of.counts, *how)


@contextmanager
def _stepping(
    model: Any, optimizer: torch.optim.Optimizer, pad: int, schedule: Schedule, context: Context
) -> Iterator[Callable[[], AbstractContextManager[Step]]]:
    """What makes the optimiser's steps, epoch by epoch: dropout, packing, precision and workers are seen to."""
    import torch

    read = reading(model)
    wanted = context.device != "cpu" if schedule.packing is None else schedule.packing
    packed = wanted and packs(model, read)
    draws, products = Draws(), product_type(schedule.precision, context.device)
    again = checkpointing(model, draws) if schedule.gradient_checkpointing else nullcontext()
    how: dict[str, Any] = {"draws": draws, "packed": packed, "products": products, "together": together(context)}

    @contextmanager
    def epoch() -> Iterator[Step]:
        # Threads would take turns at one random generator in an order that no seed fixes.
        most = 1 if draws_from_torch(model, draws) else MOST_WORKERS
        attention = packed_attention(model) if packed else nullcontext()
        with torch.random.fork_rng(), workers(context.device, most) as (pool, count), attention:
            model.train()
            yield Step(model, optimizer, pad, pool, count, read, **how)

    with dropout_by(draws, model, schedule.hidden_dropout), again:
        yield epoch


def _optimizer(trained: dict[str, Any], schedule: Schedule) -> Any:
    adapters = [p for name, p in trained.items() if "lora_" in name]
    tables = [p for name, p in trained.items() if "lora_" not in name]
    optimizer = adamw(adapters or tables, schedule.weight_decay)
    if adapters and tables:
        group = {"params": tables, "weight_decay": schedule.weight_decay, "factor": schedule.embedding_factor}
        optimizer.add_param_group(group)
    return optimizer


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
