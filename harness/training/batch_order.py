"""The order in which a training reads its sequences: one that was interrupted goes on in that order."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.types import IntArray


class BatchOrder:
    """Epoch after epoch, window after window, each in an order of its own.

    window: the one of this epoch that is under way, from 0. step: batches of it that are done.
    """

    def __init__(self, batch_tokens: int, seed: int) -> None:
        self.batch_tokens = batch_tokens
        self.rng = np.random.default_rng(seed)
        self.before: dict[str, Any] = dict(self.rng.bit_generator.state)  # the generator as this window found it
        self.step = self.window = 0

    def epoch(self, lengths: IntArray, packed: bool = False) -> list[IntArray]:
        """All batches of this window's sequences, those that are done included; asked for once a window."""
        return batches(lengths, self.batch_tokens, self.rng, packed)

    def next_window(self) -> None:
        """Every batch of the window is done."""
        self.before, self.step = dict(self.rng.bit_generator.state), 0
        self.window += 1

    def next_epoch(self) -> None:
        """Every window is done."""
        self.window = 0

    def state(self) -> dict[str, Any]:
        """JSON-able; with it, ``restore`` makes a new one go on where this one is."""
        return {"before": self.before, "step": self.step, "window": self.window}

    def restore(self, state: dict[str, Any]) -> None:
        """Stand where the order stood that ``state`` was asked of."""
        self.before, self.step, self.window = state["before"], state["step"], state["window"]
        self.rng.bit_generator.state = self.before


def batches(lengths: IntArray, batch_tokens: int, rng: np.random.Generator, packed: bool = False) -> list[IntArray]:
    """One epoch: every sequence once, in batches of similar length of at most ``batch_tokens``, padding included.

    packed: there is none, and a batch holds sequences of any length, at random.
    """
    if packed:
        order = rng.permutation(len(lengths))
        return _filled(order, lengths, batch_tokens)
    # A random tenth of noise on the length, so that the same sequences do not meet in every epoch.
    order = np.argsort(lengths * rng.uniform(0.95, 1.05, len(lengths)), kind="stable")
    found: list[IntArray] = []
    start, widest = 0, 0
    for i, sequence in enumerate(order):
        widest = max(widest, int(lengths[sequence]))
        if i > start and widest * (i - start + 1) > batch_tokens:
            found.append(order[start:i])
            start, widest = i, int(lengths[sequence])
    if len(order):
        found.append(order[start:])
    return [found[i] for i in rng.permutation(len(found))]


def _filled(order: IntArray, lengths: IntArray, batch_tokens: int) -> list[IntArray]:
    """The sequences in this order, as many to a batch as have ``batch_tokens`` together; the longest of it first."""
    found: list[list[int]] = []
    tokens = batch_tokens
    for sequence in order.tolist():
        tokens += int(lengths[sequence])
        if tokens > batch_tokens:
            found.append([])
            tokens = int(lengths[sequence])
        found[-1].append(sequence)
    return [np.array(sorted(batch, key=lambda i: -lengths[i]), dtype=np.int64) for batch in found]
