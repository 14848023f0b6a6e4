"""Fine-tuning by low-rank adapters (Hu et al. 2022), or of every weight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers.pytorch_utils import Conv1D

from harness.errors import RequestError, RunError
from harness.model import Context
from harness.plugins.llm.params import TuningParams
from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.head import reading
from harness.plugins.llm.text.loader import embedding_modules, layers_of
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.dropout import draws_from_torch, dropout_by
from harness.plugins.llm.tuning.loss import Loss, TokenLoss
from harness.plugins.llm.tuning.packing import packed_attention, packs
from harness.plugins.llm.tuning.precision import checkpointing, frozen_in
from harness.plugins.llm.tuning.streamed import LearnedResumes
from harness.system.machine import free_large_blocks_at_once
from harness.training.checkpoint import training_key
from harness.training.dropout import SeededDropout
from harness.training.exchange import Exchange
from harness.training.libraries import silence_libraries
from harness.training.loop import EpochData, EpochSteps, TrainingResult, train
from harness.training.optimizer import adamw
from harness.training.process_group import SINGLE, ProcessGroup, process_group
from harness.training.schedule import Schedule, StableThenDecay
from harness.training.shards import ShardedModel
from harness.training.step import Stepping
from harness.training.workers import MOST_WORKERS, workers


@dataclass(frozen=True)
class Adapters:
    """Adapters of a language model: low-rank matrices beside its own.

    rank, alpha: rank and scale of the matrices. dropout: before them. embeddings: the embeddings and the output head
    are trained as well, in full.
    """

    rank: int
    alpha: int
    dropout: float
    embeddings: bool


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """Options of tuning a language model.

    loss: the tokens that count. embedding_factor: learning rate of the embeddings and the output head, where they are
    trained beside adapters, as a multiple of the adapters'. hidden_dropout: the share of what the input embeddings give
    that is dropped in training. packing: sequences stand in one row without padding, where the model reads them there
    as alone; None: on a GPU. products: type of matrix products; None: float32. gradient_checkpointing: activations are
    made again rather than kept. sharded: several processes hold the weights in shards.
    """

    schedule: Schedule
    loss: Loss = "titles"
    embedding_factor: float = 1.0
    hidden_dropout: float = 0.0
    packing: bool | None = None
    products: torch.dtype | None = None
    gradient_checkpointing: bool = False
    sharded: bool = False


def schedule_of(p: TuningParams, learning_rate: float, exchange: float, exchange_across: float) -> Schedule:
    """The schedule of these parameters. exchange, exchange_across: shares of careers."""
    return Schedule(
        pace=StableThenDecay(epochs=p.epochs, min_gain=p.min_gain, patience=p.patience, decay=p.decay),
        learning_rate=learning_rate,
        batch_tokens=p.batch_tokens,
        weight_decay=p.weight_decay,
        average=p.average,
        checkpoint_seconds=p.checkpoint_seconds,
        exchange=exchange,
        exchange_across=exchange_across,
    )


def add_adapters(model: Any, adapters: Adapters, seed: int) -> Any:
    """The model with new adapters on all its linear layers but the output head; nothing else is trained.

    RequestError, with the option to set, where peft has no such adapters for the architecture.
    """
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
    with torch.random.fork_rng(), silence_libraries():
        torch.manual_seed(seed)
        try:
            return get_peft_model(model, config)
        except (ValueError, TypeError, NotImplementedError) as error:
            # Layers of experts are one table each, whose adapters drop no inputs.
            fix = "dropout=0" if adapters.dropout and "dropout" in str(error) else "tuning=full, or tuning=none"
            reason = str(error).strip().split("\n")[0]
            raise RequestError(f"adapters do not fit a {type(model).__name__} ({reason}): set {fix}") from error


def tune(
    model: Any, learned: LearnedResumes, valid: Resumes, *, pad: int, options: TuningOptions, context: Context
) -> TrainingResult:
    """Train what of ``model`` asks for gradients, in place, and leave the best weights in it, in evaluation mode.

    learned: the resumes to train on. valid: those that the schedule watches. Goes on from the checkpoint that a killed
    call with the same arguments left in ``context.scratch``, and ends with the same weights as if nobody had stopped
    it.
    """
    trainee = TuningTrainee(model=model, learned=learned, valid=valid, pad=pad, options=options, context=context)
    result = train(trainee, options.schedule, context, "tuning")
    trainee.whole().to(context.device).eval()
    return result


def require_gain(result: TrainingResult, least: float) -> None:
    """RunError where tuning made every epoch worse, and what is left is the base that nobody tuned.

    Where nobody is held out, nothing says so.
    """
    if not result.validation:
        return
    before, *after = result.validation
    if after and result.best == 0 and min(after) > before + least:
        raise RunError(
            f"tuning: no epoch is as good on the validation split as the base untuned ({before:.3f} nats; then "
            f"{', '.join(f'{loss:.3f}' for loss in after[:4])}): try a lower learning_rate, or set tuning=none"
        )


class TuningTrainee:
    """A language model, the resumes it learns from and those that are held out (``harness.training.loop.Trainee``)."""

    watched = True

    def __init__(
        self, model: Any, learned: LearnedResumes, valid: Resumes, pad: int, options: TuningOptions, context: Context
    ) -> None:
        self.valid, self.pad, self.options = valid, pad, options
        self.device, self.group = context.device, process_group(context)
        sharded = options.sharded and self.group.size > 1
        self._shards = ShardedModel(model, layers_of(model), context.device) if sharded else None
        self._plain = model
        self.model = model if self._shards is None else self._shards.in_shards
        self.trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.optimizer = _optimizer(self.trained, options)
        schedule = options.schedule
        exchange = Exchange(schedule.exchange, schedule.exchange_across, context.seed)
        self.resumes = learned.exchanged(options.loss, exchange)
        self.tokens, self.windows = self.resumes.tokens, self.resumes.windows
        self._loss: TokenLoss | None = None  # of the training under way

    def key(self, schedule: Schedule) -> str:
        """Digest of weights, tokens, options, seed and the panel held out."""
        # Activations that are made again are the same ones: whether they are hangs on the memory of the day.
        plain_options = replace(self.options, gradient_checkpointing=False, sharded=False)
        how = replace(plain_options, schedule=replace(schedule, checkpoint_seconds=0.0))
        seed, learned = self.resumes.exchange.seed, self.resumes.learned()
        return training_key(self._plain, *learned, how, seed, self.valid.panel.fingerprint())

    @contextmanager
    def steps(self) -> Iterator[EpochSteps]:
        """Seeded dropout for all of the training; threads, and an attention of its own where packed, for an epoch."""
        free_large_blocks_at_once()
        options, seeded = self.options, SeededDropout()
        read = reading(self._plain)
        wanted = self.device != "cpu" if options.packing is None else options.packing
        packed = wanted and packs(self._plain, read)
        products = options.products
        self._loss = TokenLoss(model=self.model, pad=self.pad, read=read, packed=packed, products=products)
        again = checkpointing(self.model, seeded) if options.gradient_checkpointing else nullcontext()

        @contextmanager
        def epoch() -> Iterator[Stepping]:
            # Threads would take turns at one random generator in an order that no seed fixes.
            sharded = self._shards is not None
            most = 1 if sharded or draws_from_torch(self.model, seeded) else MOST_WORKERS
            attention = packed_attention(self.model) if packed else nullcontext()
            frozen = frozen_in(None if sharded else products, self.model)  # shards are of one type
            with workers(self.device, most) as (pool, count), attention, frozen:
                yield Stepping(
                    pool=pool,
                    workers=count,
                    dropout=seeded,
                    group=self.group,
                    stream=(self.group.rank,),
                    sharded=sharded,
                )

        with closing(self.resumes), dropout_by(seeded, self.model, options.hidden_dropout), again:
            yield epoch
        free_large_blocks_at_once()  # scoring begins without the holes of training

    def epoch(self, number: int, strength: float) -> EpochData:
        """Every resume of a window, a share of them with other occupations."""
        assert self._loss is not None
        of = self.resumes.epoch(number, strength)
        loss = self._loss.of(of) if self._shards is None else self._shards.loss(self._loss.of(of))
        return EpochData(
            lengths=of.tokens.lengths,
            loss=loss,
            packed=self._loss.packed,
            begin=lambda parts: self.resumes.read_ahead(number + 1),
        )

    def validation_loss(self) -> float:
        """Nats a transition."""
        loss = validation_loss(self.whole().to(self.device), self.valid, self.pad, self.group)
        if self._shards is not None:
            self._plain.cpu()  # leaves the device to the shards
        return loss

    def whole(self) -> Any:
        """The model in one piece, its weights as they are now."""
        return self._plain if self._shards is None else self._shards.update_whole()


def _optimizer(trained: dict[str, Any], options: TuningOptions) -> torch.optim.Optimizer:
    decay = options.schedule.weight_decay
    adapters = [p for name, p in trained.items() if "lora_" in name]
    tables = [p for name, p in trained.items() if "lora_" not in name]
    optimizer = adamw(adapters or tables, decay)
    if adapters and tables:
        optimizer.add_param_group({"params": tables, "weight_decay": decay, "factor": options.embedding_factor})
    return optimizer


def validation_loss(model: Any, valid: Resumes, pad: int, group: ProcessGroup = SINGLE) -> float:
    """Minus the mean ln P(next state) over the transitions, in nats; over all records where there is no transition.

    group: the processes that share the persons among them; all are told the same number.
    """
    model.eval()
    targets = valid.panel.transitions if len(valid.panel.transitions) else valid.panel.entries
    own = targets[valid.panel.person[targets] % group.size == group.rank]
    states = valid.panel.state[own].astype(np.int64)[:, None]
    found = Scorer(model, pad).log_prob(valid, own, states).astype(np.float64) if len(own) else np.zeros(0)
    total, count = group.sum([], float(found.sum()), len(own))
    return -float(total / count)
