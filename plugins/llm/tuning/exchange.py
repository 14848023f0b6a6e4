"""What tuning reads in each epoch: resumes, a share of them with their occupations exchanged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.step import Examples, Loss, examples
from harness.training.exchange import exchanged


class Careers:
    """What tuning reads: the resumes of one panel or several, in each epoch with other occupations exchanged.

    within, across: the shares of careers whose occupations are exchanged within their major group, and for any other.
    """

    def __init__(self, resumes: Sequence[Resumes], loss: Loss, seed: int, within: float, across: float) -> None:
        self.resumes = resumes
        self.loss = loss
        self.seed = seed
        self.within = within
        self.across = across
        self.plain = Examples.joined([examples(part, loss) for part in resumes])

    def epoch(self, number: int, strength: float) -> Examples:
        """This epoch's examples, the same whenever they are asked for. strength: what is left of the shares, 0-1."""
        within, across = strength * self.within, strength * self.across
        if within + across == 0.0:
            return self.plain
        rng = np.random.default_rng((self.seed, number))
        parts = [part.with_states(exchanged(part.panel, within, across, rng)) for part in self.resumes]
        return Examples.joined([examples(part, self.loss) for part in parts])
