"""The resumes of every epoch of tuning, a share of them with their occupations exchanged."""

from __future__ import annotations

from collections.abc import Sequence

from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.loss import Examples, Loss, examples
from harness.training.exchange import Exchange
from harness.types import BoolArray, IntArray


class ExchangedResumes:
    """The resumes of one panel or several, in each epoch with other occupations exchanged. plain: with none.

    windows: of an epoch, all of which is in memory. tokens: of an epoch.
    """

    windows = 1

    def __init__(self, resumes: Sequence[Resumes], loss: Loss, exchange: Exchange) -> None:
        self.resumes = resumes
        self.loss = loss
        self.exchange = exchange
        self.plain = Examples.joined([examples(part, loss) for part in resumes])
        self.tokens = len(self.plain.tokens.ids)

    def learned(self) -> tuple[IntArray | BoolArray, ...]:
        """All that tells these resumes from others."""
        return (self.plain.tokens.ids, self.plain.tokens.offsets, self.plain.counts)

    def epoch(self, number: int, strength: float) -> Examples:
        """This epoch's examples, the same whenever they are asked for. strength: what is left of the shares, 0-1."""
        states = self.exchange.states([part.panel for part in self.resumes], number, strength)
        if states is None:
            return self.plain
        parts = [part.with_states(state) for part, state in zip(self.resumes, states, strict=True)]
        return Examples.joined([examples(part, self.loss) for part in parts])

    def read_ahead(self, number: int) -> None:
        """Nothing is left to read."""

    def close(self) -> None:
        """Nothing is being read."""
