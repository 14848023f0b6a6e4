"""Dropout that no other thread disturbs, and whose draws a step's number alone decides.

Torch's dropout draws from one generator that all threads share, in an order that no seed fixes. Here every thread has
a generator of its own, seeded for the part of the step that it works on: any number of workers repeat for a seed, and
training that was interrupted goes on with the draws that it would have had.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 65536  # shares that are dropped are multiples of one in so many


class SeededDropout:
    """Random numbers of training passes, from a generator a thread; torch's own where none has been seeded."""

    def __init__(self) -> None:
        self._own = threading.local()

    @property
    def generator(self) -> torch.Generator | None:
        """This thread's."""
        found: torch.Generator | None = getattr(self._own, "generator", None)
        return found

    @contextmanager
    def using(self, generator: torch.Generator | None) -> Iterator[None]:
        """This thread draws from it meanwhile."""
        before = self.generator
        self._own.generator = generator
        try:
            yield
        finally:
            self._own.generator = before

    @contextmanager
    def seeded(self, key: Sequence[int], device: torch.device) -> Iterator[None]:
        """``key`` alone decides what this thread draws meanwhile. key: whole numbers, zero or more each."""
        with self.using(torch.Generator(device).manual_seed(seed_of(key))):
            yield

    def replay(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """For a pass that begins now, and for the same pass again, in whatever thread: both draw the same."""
        own = self.generator
        if own is None:  # torch.utils.checkpoint sees to its own generator
            return nullcontext(), nullcontext()
        again = torch.Generator(own.device)
        again.set_state(own.get_state())
        return nullcontext(), self.using(again)

    def drop(self, values: Tensor, share: float) -> Tensor:
        """A share of the values set to zero, the others divided by what is left of one (Srivastava et al. 2014).

        The share is rounded to one in 65,536: one random number of 64 bits decides over four values.
        """
        bits = torch.empty(-(-values.numel() // 4), dtype=torch.int64, device=values.device)
        bits.random_(-(2**63), None, generator=self.generator)
        dropped = round(share * LEVELS)
        kept = (bits.view(torch.int16)[: values.numel()] >= dropped - LEVELS // 2).view(values.shape)
        return values * kept.to(values.dtype).mul_(LEVELS / (LEVELS - dropped))


class DropoutLayer(nn.Dropout):
    """A layer that drops a share of its input in training, by draws of ``seeded``."""

    def __init__(self, share: float, seeded: SeededDropout) -> None:
        super().__init__(share)
        self.seeded = seeded

    def forward(self, values: Tensor) -> Tensor:
        return self.seeded.drop(values, self.p) if self.training and self.p else values


def seed_of(key: Sequence[int]) -> int:
    """A seed of 64 bits for a sequence of whole numbers; neighbours have nothing in common."""
    return int(np.random.SeedSequence(list(key)).generate_state(1, np.uint64)[0])
