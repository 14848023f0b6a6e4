"""Several fits of one request from seeds of their own, and the mean of their probabilities.

A seed decides which rows and columns each tree sees. The mean of what several fits say is at least as good, in
expectation over seeds, as one of them (Jensen's inequality), and moves less with the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.model import Context, Model, OutcomeModel, Table
from harness.panel import Panel
from harness.types import FloatArray, IntArray


class Members(Model):
    """P(next state | history) is the mean of what the members say.

    The first is fitted from the run's own seed, as it would be alone, and the others from seeds drawn from it.
    """

    def __init__(self, members: Sequence[Model]) -> None:
        self.members = tuple(members)

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        for i, member in enumerate(self.members):
            member.fit(train, valid, replace(context, seed=member_seed(context.seed, i)))

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return _log_mean([member.log_prob(panel, transitions, states) for member in self.members])

    def save(self, folder: Path) -> None:
        """Each member in a folder of its own."""
        for i, member in enumerate(self.members):
            (folder / f"member-{i + 1}").mkdir()
            member.save(folder / f"member-{i + 1}")

    def load(self, folder: Path) -> None:
        for i, member in enumerate(self.members):
            member.load(folder / f"member-{i + 1}")

    def facts(self) -> Mapping[str, Any]:
        """Parameters trained in all, and what each member chose."""
        each = [member.facts() for member in self.members]
        return {
            "parameters_trained": sum(facts["parameters_trained"] for facts in each),
            "chosen_on_validation": [facts["chosen_on_validation"] for facts in each],
        }

    def explain(self) -> Sequence[Table]:
        of = len(self.members)
        return [
            replace(table, title=f"{table.title}, member {i} of {of}", stage=f"{table.stage} {i}")
            for i, member in enumerate(self.members, 1)
            for table in member.explain()
        ]


class EventMembers(Members, OutcomeModel):
    """P(event | history) is the mean of what the members say."""

    def __init__(self, members: Sequence[OutcomeModel]) -> None:
        super().__init__(members)
        self.event_members = tuple(members)

    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        return _log_mean([member.log_event(panel, transitions) for member in self.event_members])


def member_seed(seed: int, member: int) -> int:
    """The run's own seed for the first member, and for each other one drawn from it."""
    return seed if member == 0 else int(np.random.SeedSequence((seed, member)).generate_state(1)[0])


def _log_mean(logs: Sequence[FloatArray]) -> FloatArray:
    """float32: ln of the mean of exp, over the list; none above zero."""
    mean = np.logaddexp.reduce(np.stack(logs).astype(np.float64), axis=0) - np.log(len(logs))
    return np.asarray(np.minimum(mean, 0.0), dtype=np.float32)
