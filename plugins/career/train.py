"""The trainer that CAREER and its family share: epochs, validation, the best weights, and going on after a kill."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.errors import RunError
from harness.plugins.career.tokens import AT_ONCE, Tokens
from harness.training.average import Average
from harness.training.checkpoint import Checkpoint, live_tensors, training_key
from harness.training.exchange import exchanged
from harness.training.state import Course
from harness.training.step import Stepping, adamw, take_step
from harness.training.workers import workers
from harness.types import FloatArray

if TYPE_CHECKING:
    from harness.model import Context
    from harness.panel import Panel
    from harness.plugins.career.network import Network
    from harness.system.progress import Bar
    from harness.types import IntArray


MOST_NATS = 100.0  # a transition: the logarithm of a perplexity that no state space has


@dataclass(frozen=True)
class Schedule:
    """How to train; names as in ``FamilyParams``. patience counts epochs, and only where the shape is inverse-sqrt."""

    shape: Literal["linear", "inverse-sqrt"]
    epochs: int
    learning_rate: float
    warmup: int
    weight_decay: float
    batch_tokens: int
    fewest_steps: int
    patience: int
    average: float
    exchange: float
    exchange_across: float
    checkpoint_seconds: float

    def share(self, step: int, steps: int) -> float:
        """Of the peak learning rate: at a step (from 0) of that many in all."""
        rising = (step + 1) / (self.warmup + 1)
        if self.shape == "linear":
            return min(rising, 1 - step / steps)
        return min(rising, math.sqrt((self.warmup + 1) / (step + 1)))

    def strength(self, share_done: float) -> float:
        """How strongly occupations are exchanged: falling where the learning rate falls in a straight line."""
        return 1 - share_done if self.shape == "linear" else 1.0


@dataclass(frozen=True)
class Fit:
    """What training came to. validation: mean -ln P, nats a transition, before training and after each epoch; empty
    where nobody was held out. epochs: how many. best: the one whose weights were kept, 0 for those it began with."""

    validation: tuple[float, ...]
    epochs: int
    best: int


class Careers:
    """The training careers, in each epoch a share of them with other occupations."""

    def __init__(self, panel: Panel, tokens: Tokens, schedule: Schedule, seed: int) -> None:
        self.panel, self.tokens, self.schedule, self.seed = panel, tokens, schedule, seed

    def epoch(self, number: int, strength: float) -> Tokens:
        """The same whenever it is asked for."""
        within, across = strength * self.schedule.exchange, strength * self.schedule.exchange_across
        if within + across == 0.0:
            return self.tokens
        state = exchanged(self.panel, within, across, np.random.default_rng((self.seed, number)))
        return self.tokens.with_states(replace(self.panel, state=state))


class _Course(Course):
    """And how many epochs there will be."""

    def __init__(self, schedule: Schedule, lengths: IntArray, seed: int, watched: bool) -> None:
        super().__init__(schedule.batch_tokens, seed, watched)
        self.schedule = schedule
        steps = max(1, math.ceil(int(lengths.sum()) / schedule.batch_tokens))
        self.epochs = schedule.epochs
        if schedule.shape == "linear":
            self.epochs = max(self.epochs, math.ceil(schedule.fewest_steps / steps))

    def more(self) -> bool:
        stalled = self.schedule.shape != "linear" and self.done - self.best >= self.schedule.patience
        return self.done < self.epochs and not stalled


def train(network: Network, careers: Careers, valid: Tokens, context: Context, label: str) -> Fit:
    """Train in place, and leave the weights of the lowest validation loss in evaluation mode.

    label: of the progress bar and of the checkpoint, from which a killed call with the same arguments goes on to the
    same weights.
    """
    schedule = careers.schedule
    network.to(context.device)
    named = dict(network.named_parameters())
    optimizer = adamw(list(named.values()), schedule.weight_decay, beta_2=0.98)
    average = Average(list(named.values()), schedule.average)
    kept = average.copy()
    course = _Course(schedule, careers.tokens.lengths, careers.seed, len(valid) > 0)
    tensors = live_tensors(named, optimizer, average=average.values, kept=kept)
    key = _key(network, careers, valid)
    path = context.scratch / f"{label}.safetensors"
    checkpoint = Checkpoint(path, key, tensors, course.state, schedule.checkpoint_seconds, context.progress)
    if not checkpoint.load(course.restore):
        course.losses.append(mean_loss(network, valid))
    total = course.epochs * len(careers.tokens)
    with context.progress.bar(label, total) as bar, _stepping(network, context) as how:
        bar.advance(course.done * len(careers.tokens))
        while course.more():
            _epoch(network, optimizer, careers, course, how, _After(average, checkpoint, bar))
            with average.in_place():
                improved = course.validated(mean_loss(network, valid))
            _require_sane(course.losses[-1], f"{label}: epoch {course.done}")
            bar.describe(f"{label}: epoch {course.done}, validation perplexity {math.exp(course.losses[-1]):.3f}")
            if improved:
                average.copy_to(kept)
            checkpoint.save_if_due()
    average.put(kept)
    network.eval()
    return Fit(tuple(course.losses) if course.watched else (), course.done, course.best)


def _require_sane(loss: float, when: str) -> None:
    """RunError where training has left all reason, which no later epoch mends."""
    if not loss < MOST_NATS:
        raise RunError(f"{when}: the validation loss is {loss:g} nats; try a lower learning_rate, or a longer warmup")


@contextmanager
def _stepping(network: Network, context: Context) -> Iterator[Stepping]:
    import torch

    with torch.random.fork_rng(), workers(context.device) as (pool, count):
        yield Stepping(pool, count, draws=network.draws)


@dataclass(frozen=True)
class _After:
    """What every step is followed by."""

    average: Average
    checkpoint: Checkpoint
    bar: Bar


def _epoch(
    network: Network,
    optimizer: Any,
    careers: Careers,
    course: _Course,
    how: Stepping,
    after: _After,
) -> None:
    """Every career once, but for those of the batches that a killed run has done already."""
    schedule, device = careers.schedule, str(next(network.parameters()).device)
    tokens = careers.epoch(course.done, schedule.strength(course.done / course.epochs))

    def loss_of(part: IntArray) -> tuple[Any, int]:
        batch = tokens.batch(part, device)
        found = network(batch)
        # Over their number, not over the sum of their weights: the mean step is then that of the weighted likelihood.
        return -(found if batch.weight is None else found * batch.weight).sum(), len(batch.origin)

    network.train()
    batches = course.order.epoch(tokens.lengths, packed=True)
    after.bar.advance(sum(int(tokens.lengths[done].sum()) for done in batches[: course.order.step]))
    for i in range(course.order.step, len(batches)):
        step, steps = course.done * len(batches) + i, course.epochs * len(batches)
        learning_rate = schedule.learning_rate * schedule.share(step, max(steps, step + 1))
        take_step(optimizer, loss_of, batches[i], learning_rate, how, (careers.seed, course.done, i))
        after.average.update()
        course.order.step = i + 1
        after.checkpoint.save_if_due()
        after.bar.advance(int(tokens.lengths[batches[i]].sum()))


def log_likelihood(network: Network, tokens: Tokens) -> FloatArray:
    """float32 [T]: ln P(target) of every token, in evaluation mode."""
    import torch

    device = str(next(network.parameters()).device)
    network.eval()
    with torch.no_grad():
        parts = [network(tokens.batch(some, device)).cpu().numpy() for some in tokens.pieces(AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def mean_loss(network: Network, tokens: Tokens) -> float:
    """Minus the mean ln P(target), nats a transition, each counting for its weight; zero where there is none."""
    if not len(tokens):
        return 0.0
    found, weight = log_likelihood(network, tokens).astype(np.float64), tokens.weight
    if weight is None or not weight.any():  # where nothing counts, all count the same
        return -float(found.mean())
    return -float((found * weight).sum() / weight.sum(dtype=np.float64))


def _key(network: Network, careers: Careers, valid: Tokens) -> str:
    schedule = asdict(careers.schedule) | {"checkpoint_seconds": None}
    watched = (valid.origin, valid.target, valid.columns, *(() if valid.weight is None else (valid.weight,)))
    key: str = training_key(
        network, careers.panel.fingerprint(), careers.tokens.columns, schedule, careers.seed, *watched
    )
    return key
