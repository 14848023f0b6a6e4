"""One optimiser step on a batch that threads and processes share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeAlias

import torch

from harness.training.dropout import SeededDropout, seed_of
from harness.training.process_group import SINGLE, ProcessGroup
from harness.types import IntArray

# A part of a batch -> the sum of its losses, in nats, and how many there are.
LossOf: TypeAlias = Callable[[IntArray], tuple[torch.Tensor, int]]


@dataclass(frozen=True, kw_only=True)
class Stepping:
    """The way steps are made: on ``workers`` threads of ``pool``, by the processes of ``group``.

    clip: the largest norm of a gradient. dropout: source of the model's draws, if it has any. stream: numbers that
    tell this process's draws from those of others, where they come from torch's own generator. sharded: the processes
    hold the weights in shards, and add gradients up where these are made (``harness.training.shards``).
    """

    pool: Executor
    workers: int
    clip: float = 1.0
    dropout: SeededDropout = field(default_factory=SeededDropout)
    group: ProcessGroup = SINGLE
    stream: tuple[int, ...] = ()
    sharded: bool = False


def take_step(
    optimizer: torch.optim.Optimizer,
    loss_of: LossOf,
    batch: IntArray,
    learning_rate: float,
    how: Stepping,
    key: tuple[int, ...] = (),
) -> float:
    """Train on these sequences (int64 [b]); the loss, in nats each. key: decides, alone, what is drawn at random."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("factor", 1.0)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    # Neighbours in length go to different workers, so that all have about the same to do.
    whole, batch = batch, how.group.share(batch)
    parts = [batch[i :: how.workers] for i in range(min(how.workers, len(batch)))]
    key = (*key, *how.stream)
    if key and how.workers == 1:  # what draws from torch's own generator is never shared among threads
        _seed(seed_of(key), parameters[0].device)
    # Parts are numbered over all processes: two with a thread each draw as one with two threads does.
    keys = [(*key, how.group.rank + how.group.size * i) for i in range(len(parts))]
    if how.sharded:
        sums = _add_up_shards(loss_of, (batch, whole), parameters=parameters, how=how, key=(*key, how.group.rank))
        return _stepped(optimizer, parameters, sums, how.clip)
    shares = list(
        how.pool.map(
            lambda part, key: _gradients(loss_of, part, parameters=parameters, dropout=how.dropout, key=key),
            parts,
            keys,
        )
    )
    gradients = list(shares[0].gradients) if shares else [torch.zeros_like(parameter) for parameter in parameters]
    for share in shares[1:]:
        torch._foreach_add_(gradients, share.gradients)
    own = (sum(share.loss for share in shares), sum(share.counted for share in shares))
    sums = how.group.sum(gradients, *own)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return _stepped(optimizer, parameters, sums, how.clip)


def _stepped(
    optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter], sums: list[float], clip: float
) -> float:
    """The mean loss, once the step is taken whose sums of gradients stand there. sums: of losses, and their number."""
    loss, counted = sums[0], max(sums[1], 1)
    for parameter in parameters:
        assert parameter.grad is not None
        parameter.grad.div_(counted)
    torch.nn.utils.clip_grad_norm_(parameters, clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss / counted)


def _add_up_shards(
    loss_of: LossOf,
    batches: tuple[IntArray, IntArray],
    parameters: list[torch.nn.Parameter],
    how: Stepping,
    key: tuple[int, ...],
) -> list[float]:
    """Sums over the processes: of losses and their number; those of the gradients are left where these belong.

    batches: this process's, and that of all. A process without a sequence takes part all the same, with one that counts
    for nothing: the others would wait for its shards.
    """
    own, everyones = batches
    with how.dropout.seeded(key, parameters[0].device):
        loss, counted = loss_of(own if len(own) else everyones[:1])
        if not len(own):
            loss, counted = loss * 0.0, 0
        loss.backward()  # type: ignore[no-untyped-call]
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    return how.group.sum([], float(loss.detach()), counted)


def _seed(seed: int, device: torch.device) -> None:
    """Seed torch's own generators.

    On a processor the one that draws there: ``torch.manual_seed`` writes the whole stack of calls down for every kind
    of device that is not there, which took up to a tenth of a small step.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


@dataclass(frozen=True)
class _Share:
    """One worker's sums over its part of a batch, and how many losses they are of."""

    loss: float
    counted: int
    gradients: tuple[torch.Tensor, ...]


def _gradients(
    loss_of: LossOf,
    part: IntArray,
    parameters: list[torch.nn.Parameter],
    dropout: SeededDropout,
    key: tuple[int, ...],
) -> _Share:
    with dropout.seeded(key, parameters[0].device):
        loss, counted = loss_of(part)
        # Returned, not added up in place: threads do not meet. Zero for what these sequences did not use: an expert
        # that none of them was sent to, an adapter of a layer whose weights the architecture reads in another way.
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return _Share(float(loss.detach()), counted, gradients)
