"""Where a training stands, epoch by epoch, and which epoch was best: what a checkpoint carries beside the weights."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.training.order import Order


class Course:
    """done: epochs. losses: of validation, nats, before training and after each epoch. best: the epoch of the least.

    watched: whether there is anything to validate on; else the last epoch is the best. A subclass adds to ``KEPT`` what
    else decides how it goes on.
    """

    KEPT: ClassVar[tuple[str, ...]] = ("losses", "best", "done")

    def __init__(self, batch_tokens: int, seed: int, watched: bool = True) -> None:
        self.order = Order(batch_tokens, seed)
        self.watched = watched
        self.losses: list[float] = []
        self.best = 0
        self.done = 0

    def state(self) -> dict[str, Any]:
        """JSON-able; with it, ``restore`` makes a new run go on where this one is."""
        return {**self.order.state(), **{name: getattr(self, name) for name in self.KEPT}}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the run that ``state`` was asked of."""
        self.order.restore(state)
        for name in self.KEPT:
            setattr(self, name, state[name])

    def validated(self, loss: float) -> bool:
        """Ends the epoch with its validation loss; whether it is the best so far."""
        self.done += 1
        self.order.next_epoch()
        self.losses.append(loss)
        if loss < self.losses[self.best] or not self.watched:
            self.best = self.done
        return self.best == self.done
