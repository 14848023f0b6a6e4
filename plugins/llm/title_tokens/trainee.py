"""The training of ``TitleTokenNetwork`` (``harness.training.loop.Trainee``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from harness.model import Context
from harness.plugins.llm.title_tokens.layout import WIDTH, PieceCareers, Sequences
from harness.plugins.llm.title_tokens.network import CareerBatch, PieceVectors, TitleTokenNetwork
from harness.plugins.llm.title_tokens.params import TitleTokenParams
from harness.plugins.llm.tuning.dropout import draws_from_torch, dropout_by
from harness.plugins.llm.tuning.precision import checkpointing, frozen_in, products_in
from harness.system.machine import free_large_blocks_at_once
from harness.training.checkpoint import training_key
from harness.training.exchange import Exchange
from harness.training.loop import EpochData, EpochSteps
from harness.training.process_group import process_group
from harness.training.schedule import Schedule
from harness.training.step import LossOf, Stepping, adamw
from harness.training.workers import MOST_WORKERS, workers
from harness.types import FloatArray, IntArray

POSITIONS_READ = 8192  # in a batch of scoring
CONSTANTS_FACTOR = 5.0  # learning rate of constants, which have far to go in few steps, in multiples of the adapters'


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The careers of the validation split, and the vectors of their pieces."""

    careers: PieceCareers
    pieces: PieceVectors


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """The type of matrix products, None for float32; again: activations are made again rather than kept."""

    products: torch.dtype | None
    again: bool


class TitleTokenTrainee:
    """A network, the careers it learns from and those that are held out."""

    watched = True

    def __init__(
        self,
        network: TitleTokenNetwork,
        *,
        careers: PieceCareers,
        held_out: HeldOut,
        params: TitleTokenParams,
        how: StepOptions,
        context: Context,
    ) -> None:
        self.model, self.careers, self.params, self.how = network, careers, params, how
        self.held_out = held_out
        self.device, self.group, self.seeded = context.device, process_group(context), network.drop.seeded
        self.trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.optimizer = _optimizer(self.trained, params)
        self.exchange = Exchange(params.exchange, params.exchange_across, context.seed)
        self.plain = careers.sequences(np.arange(careers.panel.n_records, dtype=np.int64))
        self.tokens = int(self.plain.offsets[-1])

    def key(self, schedule: Schedule) -> str:
        """Digest of weights, sequences, parameters, seed and the panel held out."""
        # Activations that are made again are the same ones: whether they are hangs on the memory of the day.
        how = self.params.model_copy(update={"checkpoint_seconds": 0.0, "gradient_checkpointing": None})
        learned = (self.plain.pieces, self.plain.offsets, self.careers.panel.state)
        return training_key(self.model, *learned, how, self.exchange.seed, self.held_out.careers.panel.fingerprint())

    @contextmanager
    def steps(self) -> Iterator[EpochSteps]:
        """Seeded dropout for all of the training; threads, and frozen weights in the type of products, for an epoch."""
        free_large_blocks_at_once()
        language_model = self.model.model
        most = 1 if draws_from_torch(language_model, self.seeded) else MOST_WORKERS

        @contextmanager
        def epoch() -> Iterator[Stepping]:
            with workers(self.device, most) as (pool, count), frozen_in(self.how.products, language_model):
                stream = (self.group.rank,)
                yield Stepping(pool=pool, workers=count, dropout=self.seeded, group=self.group, stream=stream)

        again = checkpointing(language_model, self.seeded) if self.how.again else nullcontext()
        with dropout_by(self.seeded, language_model), again:
            yield epoch

    def epoch(self, number: int, strength: float) -> EpochData:
        """Every career, a share of them with other occupations."""
        states = self.exchange.states([self.careers.panel], number, strength)
        careers = self.careers if states is None else self.careers.with_states(states[0])
        of = self.plain if states is None else careers.sequences(self.plain.target)
        return EpochData(lengths=np.diff(of.offsets), loss=self._loss_of(of, careers), packed=False)

    def _loss_of(self, of: Sequences, careers: PieceCareers) -> LossOf:
        places = places_of(of)
        device = torch.device(self.device)

        def loss(part: IntArray) -> tuple[torch.Tensor, int]:
            batch, target = batch_of(careers, of, places, part)
            wanted = torch.from_numpy(careers.panel.state[target].astype(np.int64)).to(device)
            with products_in(self.how.products, device):
                scores = self.model(batch.to(device), self.model.table(self.model.pieces))
            return torch.nn.functional.cross_entropy(scores, wanted, reduction="sum"), len(target)

        return loss

    def validation_loss(self) -> float:
        """Nats a transition."""
        careers = self.held_out.careers
        panel = careers.panel
        targets = panel.transitions if len(panel.transitions) else panel.entries
        own = targets[panel.person[targets] % self.group.size == self.group.rank]
        with torch.no_grad():
            table = self.model.table(self.held_out.pieces)
        rows = log_rows(self.model, careers, own, table)
        found = np.take_along_axis(rows, panel.state[own].astype(np.int64)[:, None], axis=1).astype(np.float64)
        total, count = self.group.sum([], float(found.sum()), len(own))
        return -float(total / count)


def places_of(of: Sequences) -> IntArray:
    """int64 [W + 1]: where the targets of each sequence begin among all, which are in the order of the sequences."""
    return np.searchsorted(of.window, np.arange(len(of.offsets)))


def batch_of(careers: PieceCareers, of: Sequences, places: IntArray, part: IntArray) -> tuple[CareerBatch, IntArray]:
    """Some of the sequences (int64 [B]), padded, and their targets, int64 [c]."""
    lengths = np.diff(of.offsets)[part]
    pieces = np.zeros((len(part), int(lengths.max()), WIDTH), dtype=np.int64)
    where = np.zeros(pieces.shape[:2], dtype=bool)
    held, targets = [], []
    for row, window in enumerate(part.tolist()):
        pieces[row, : lengths[row]] = of.pieces[of.offsets[window] : of.offsets[window + 1]]
        own = slice(places[window], places[window + 1])
        where[row, of.at[own]] = True
        targets.append(of.target[own])
        held.append(_held(careers, int(of.first[window]), of.target[own]))
    target = np.concatenate(targets)
    origin = np.where(careers.panel.origin(target) >= 0, careers.panel.origin(target), careers.n_states)
    batch = CareerBatch(
        pieces=torch.from_numpy(pieces),
        where=torch.from_numpy(where),
        origin=torch.from_numpy(origin.astype(np.int64)),
        tenure=torch.from_numpy(np.log1p(careers.tenure(target)).astype(np.float32)),
        held=torch.from_numpy(np.log1p(np.concatenate(held))),
    )
    return batch, target


def _held(careers: PieceCareers, first: int, targets: IntArray) -> FloatArray:
    """float32 [t, K]: records of each state from ``first`` to the one before each target."""
    last = int(targets.max())
    seen = np.zeros((last - first + 1, careers.n_states), dtype=np.float32)
    seen[np.arange(1, last - first + 1), careers.panel.state[first:last]] = 1.0
    found: FloatArray = seen.cumsum(axis=0)[targets - first]
    return found


def log_rows(network: TitleTokenNetwork, careers: PieceCareers, targets: IntArray, table: torch.Tensor) -> FloatArray:
    """float32 [n, K]: ln P(state | history) of every state, in float32. targets: int64 [n], distinct, increasing.

    table: float32 [P, D], the vectors of the careers' pieces.
    """
    rows = np.empty((len(targets), careers.n_states), dtype=np.float32)
    if not len(targets):
        return rows
    of = careers.sequences(targets)
    places, device = places_of(of), table.device
    order = np.argsort(np.diff(of.offsets), kind="stable")
    network.eval()

    def read(part: IntArray) -> None:
        batch, target = batch_of(careers, of, places, part)
        with torch.inference_mode():
            scores = network(batch.to(device), table)
            rows[np.searchsorted(targets, target)] = scores.log_softmax(dim=-1).cpu().numpy()

    with workers(device.type) as (pool, count):
        list(pool.map(read, _batches(np.diff(of.offsets), order, POSITIONS_READ // (4 * count))))
    return rows


def _batches(lengths: IntArray, order: IntArray, limit: int) -> Iterator[IntArray]:
    """The sequences in this order, as many at a time as fit ``limit`` positions, padding included."""
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > limit:
            yield order[start:stop]
            start = stop


def _optimizer(trained: dict[str, torch.nn.Parameter], p: TitleTokenParams) -> torch.optim.Optimizer:
    adapters = [value for name, value in trained.items() if name.startswith("model.")]
    tables = [value for name, value in trained.items() if not name.startswith("model.")]
    optimizer = adamw(adapters or tables, p.weight_decay)
    if adapters:
        matrices, rest = [t for t in tables if t.ndim > 1], [t for t in tables if t.ndim <= 1]
        for params, decay, factor in ((matrices, p.weight_decay, p.token_factor), (rest, 0.0, CONSTANTS_FACTOR)):
            optimizer.add_param_group({"params": params, "weight_decay": decay, "factor": factor})
    return optimizer
