"""The training of ``TitleTokenNetwork`` (``harness.training.loop.Trainee``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from harness.model import Context
from harness.plugins.llm.title_tokens.layout import Sequences
from harness.plugins.llm.title_tokens.network import TitleTokenNetwork
from harness.plugins.llm.title_tokens.params import TitleTokenParams
from harness.plugins.llm.title_tokens.reader import TitleCareers, log_rows
from harness.plugins.llm.tuning.attention import short_attention
from harness.plugins.llm.tuning.compiled import CompiledLayers
from harness.plugins.llm.tuning.dropout import draws_from_torch, dropout_by
from harness.plugins.llm.tuning.precision import checkpointing, frozen_in, products_in
from harness.system.machine import free_large_blocks_at_once
from harness.training.checkpoint import training_key
from harness.training.exchange import Exchange
from harness.training.loop import EpochData, EpochSteps
from harness.training.optimizer import adamw
from harness.training.process_group import process_group
from harness.training.schedule import Schedule
from harness.training.step import LossOf, Stepping
from harness.training.workers import MOST_WORKERS, workers
from harness.types import IntArray


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """The type of matrix products, None for float32; again: activations are made again rather than kept.

    exchanged: a share of the careers are read with their occupations exchanged.
    """

    products: torch.dtype | None
    again: bool
    exchanged: bool


class TitleTokenTrainee:
    """A network, the careers it learns from and those that are held out."""

    windows = 1

    def __init__(
        self,
        network: TitleTokenNetwork,
        *,
        careers: TitleCareers,
        held_out: TitleCareers,
        params: TitleTokenParams,
        how: StepOptions,
        context: Context,
    ) -> None:
        self.model, self.careers, self.params, self.how = network, careers, params, how
        self.held_out, self.context = held_out, context
        self.watched = len(held_out.panel.transitions) > 0
        self.device, self.group, self.seeded = context.device, process_group(context), network.drop.seeded
        named = network.named_parameters()
        self.trained = {name: p for name, p in named if p.requires_grad and self._trains(name)}
        self.optimizer = self._optimizer()
        shares = (params.exchange, params.exchange_across) if how.exchanged else (0.0, 0.0)
        self.exchange = Exchange(*shares, context.seed)
        self.plain = careers.pieces.sequences(careers.panel.transitions)
        self.tokens = int(self.plain.offsets[-1])

    def _trains(self, name: str) -> bool:
        """True of the parameters that are trained."""
        return True

    def _optimizer(self) -> torch.optim.Optimizer:
        """Of adapters, and of the tokens' embeddings and the head at a rate and a decay of their own."""
        p = self.params
        adapters = [value for name, value in self.trained.items() if name.startswith("model.")]
        own = [value for name, value in self.trained.items() if not name.startswith("model.")]
        optimizer = adamw(adapters, p.weight_decay)
        matrices, vectors = [t for t in own if t.ndim > 1], [t for t in own if t.ndim <= 1]
        for params, decay in ((matrices, p.head_decay), (vectors, 0.0)):
            optimizer.add_param_group({"params": params, "weight_decay": decay, "factor": p.head_factor})
        return optimizer

    def key(self, schedule: Schedule) -> str:
        """Digest of weights, sequences, parameters, seed and the panel held out."""
        # Activations that are made again are the same ones: whether they are hangs on the memory of the day. And the
        # first of several members is the fit alone.
        same = {"checkpoint_seconds": 0.0, "gradient_checkpointing": None, "members": 1}
        how = self.params.model_copy(update=same)
        of = self.careers.transitions
        taught = () if of.taught is None else (of.taught.probability,)
        learned = (self.plain.pieces, self.plain.offsets, self.careers.panel.state, of.columns, *taught)
        return training_key(self.model, *learned, how, self.exchange.seed, self.held_out.panel.fingerprint())

    @contextmanager
    def steps(self) -> Iterator[EpochSteps]:
        """Seeded dropout for all of the training; threads, and frozen weights in the type of products, for an epoch."""
        free_large_blocks_at_once()
        language_model = self.model.model
        most = 1 if draws_from_torch(language_model, self.seeded) else MOST_WORKERS
        longest = int(np.diff(self.plain.offsets).max())

        @contextmanager
        def epoch() -> Iterator[Stepping]:
            frozen = frozen_in(self.how.products, language_model)
            layers = nullcontext() if compiled is None else compiled.in_use()
            with workers(self.device, most) as (pool, count), frozen, short_attention(language_model, longest), layers:
                stream = (self.group.rank,)
                yield Stepping(pool=pool, workers=count, dropout=self.seeded, group=self.group, stream=stream)

        again = checkpointing(language_model, self.seeded) if self.how.again else nullcontext()
        compiled = CompiledLayers(language_model) if self.params.compiled else None
        with dropout_by(self.seeded, language_model), again:
            yield epoch
        free_large_blocks_at_once()  # scoring begins without the holes of training

    def epoch(self, number: int, strength: float) -> EpochData:
        """Every career, a share of them with other occupations."""
        panel, careers, of = self.careers.panel, self.careers, self.plain
        if (states := self.exchange.states([panel], number, strength)) is not None:
            taught = self.careers.transitions.taught is not None
            permutations = self.exchange.permutations(panel, number, strength) if taught else None
            careers = careers.with_states(states[0], permutations)
            of = careers.pieces.sequences(of.target)
        return EpochData(lengths=np.diff(of.offsets), loss=self._loss_of(of, careers), packed=False)

    def _loss_of(self, of: Sequences, careers: TitleCareers) -> LossOf:
        device = torch.device(self.device)

        def loss(part: IntArray) -> tuple[torch.Tensor, int]:
            batch, target = careers.batch(of, part, device)
            with products_in(self.how.products, device):
                found = self.model(batch, self.model.table(self.model.pieces))
            return -found.sum(), len(target)

        return loss

    def validation_loss(self) -> float:
        """Nats a transition."""
        panel = self.held_out.panel
        targets = panel.transitions
        own = targets[panel.person[targets] % self.group.size == self.group.rank]
        rows = log_rows(self.model, self.held_out, own)
        found = np.take_along_axis(rows, panel.state[own].astype(np.int64)[:, None], axis=1).astype(np.float64)
        total, count = self.group.sum([], float(found.sum()), len(own))
        return -float(total / max(count, 1))
