"""oracle: the simulated market's own probabilities, given everything that a model may see and nothing else.

It knows the utilities of every latent type, not the type: that it infers, by Bayes, from the records so far. No model
can do better in expectation, so a model's log-likelihood less the oracle's is its regret. See ``market.posterior``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.hookspecs import hookimpl
from harness.model import Context, Model, ModelSpec, NoParams
from harness.panel import Panel
from harness.types import FloatArray, IntArray


class Oracle(Model):
    """P(next state | history) as the simulated market makes it."""

    def __init__(self, params: NoParams) -> None:
        self.params = params

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        """Nothing is estimated; RequestError where the panel is not simulated."""
        from harness.data.market.posterior import known_population

        known_population(train)

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        from harness.data.market.posterior import oracle_rows

        answer = np.empty(states.shape, dtype=np.float32)
        order = np.argsort(transitions, kind="stable")
        ordered = transitions[order]
        for records, rows in oracle_rows(panel, transitions):
            first = np.searchsorted(ordered, records, side="left")
            count = np.searchsorted(ordered, records, side="right") - first
            row = np.repeat(np.arange(len(records)), count)  # a transition may be asked for more than once
            within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
            place = order[np.repeat(first, count) + within]
            chosen = np.take_along_axis(rows[row], states[place], axis=1)
            answer[place] = np.log(np.maximum(chosen, 1e-30))
        return np.minimum(answer, np.float32(0.0))

    def save(self, folder: Path) -> None:
        """Nothing to write: the market is part of the harness."""

    def load(self, folder: Path) -> None:
        """Nothing to read."""


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "oracle",
            "the true probabilities of a simulated panel, latent types inferred by Bayes",
            Oracle,
            cite="after Keane and Wolpin (1997), The Career Decisions of Young Men, JPE 105(3)",
            simulated_only=True,
            uses_weights=True,  # nothing is estimated
        )
    ]
