"""The state of a training: what a checkpoint carries beside the weights."""

from __future__ import annotations

from typing import Any

from harness.training.batch_order import BatchOrder

KEPT = ("losses", "best", "epochs", "tokens")


class TrainingState:
    """Epochs and steps that are done, and how they went.

    epochs: that are done. tokens: that were learned from. losses: of validation, nats, before training and after each
    epoch. best: the epoch of the least. steps: batches that an epoch has, about. watched: False where there is nothing
    to validate on, and the last epoch is the best. windows: of an epoch.
    """

    def __init__(self, order: BatchOrder, steps: int, watched: bool = True, windows: int = 1) -> None:
        self.order = order
        self.steps = steps
        self.watched = watched
        self.windows = windows
        self.losses: list[float] = []
        self.best = 0
        self.epochs = 0
        self.tokens = 0

    def plain(self) -> dict[str, Any]:
        """JSON-able; with it, ``restore`` makes a new training go on where this one is."""
        return {**self.order.state(), **{name: getattr(self, name) for name in KEPT}}

    def restore(self, plain: dict[str, Any]) -> None:
        """Become the state that ``plain`` was asked of."""
        self.order.restore(plain)
        for name in KEPT:
            setattr(self, name, plain[name])

    @property
    def window(self) -> int:
        """The window under way, counted from the first one of the first epoch."""
        return self.epochs * self.windows + self.order.window

    def done(self, steps: int) -> float:
        """Epochs that are done, this one's part included. steps: of the window under way."""
        return self.epochs + (self.order.window + self.order.step / steps) / self.windows

    def trained_on(self, tokens: int) -> None:
        """Count a batch as done."""
        self.order.step += 1
        self.tokens += tokens

    def validated(self, loss: float) -> bool:
        """End the epoch with its validation loss; True where it is the best so far."""
        self.epochs += 1
        self.order.next_epoch()
        self.losses.append(loss)
        if loss < self.losses[self.best] or not self.watched:
            self.best = self.epochs
        return self.best == self.epochs
