"""Several fits of one request, and the mean of what they say (Wang, Aitchison and Rudolph 2023, LoRA ensembles).

A survey leaves much undecided: tuned again from another seed, a model says something else of the careers it has not
seen, and the mean of the probabilities is better than any of them (by Jensen's inequality at least as good as their
geometric mean, at every transition).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.model.contract import (
    BoundedRows,
    Context,
    Estimator,
    Model,
    OutcomeModel,
    Table,
    UnnormalizedModel,
    unreported,
)
from harness.panel.careers import Panel
from harness.system.progress import Bar, Progress
from harness.types import FloatArray, IntArray

# Of the facts, those that every member has its own of.
OF_EACH = ("epochs", "best_epoch", "validation_loss", "validation_loss_of_head", "chosen_on_validation")


class _Members(Estimator):
    """members: models of the same parameters.

    The first is fitted from the run's own seed, as it would be alone, and the others from seeds drawn from it.
    """

    def __init__(self, members: Sequence[Estimator]) -> None:
        self.members = tuple(members)

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        for i, member in enumerate(self.members):
            scratch = context.scratch / f"member-{i + 1}"
            scratch.mkdir(exist_ok=True)
            progress = Numbered(context.progress, f"{i + 1} of {len(self.members)}")
            own = replace(
                context,
                seed=_seed(context.seed, i),
                scratch=scratch,
                progress=progress,
                soft_targets_folder=context.scratch,  # of one teacher: the first member's fits, which hold for all
            )
            # One validation curve: the first member's, which is that of the model alone.
            member.fit(train, valid, own if i == 0 else replace(own, report=unreported))

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        return self.members[0].unseen(panel, transitions)

    def save(self, folder: Path) -> None:
        """Each member in a folder of its own."""
        for member, own in self._folders(folder):
            own.mkdir()
            member.save(own)

    def load(self, folder: Path) -> None:
        for member, own in self._folders(folder):
            member.load(own)

    def place(self, device: str) -> None:
        for member in self.members:
            member.place(device)

    def facts(self) -> Mapping[str, Any]:
        """The first member's; parameters trained in all; each member's own, in a list, where they are found out."""
        each = [member.facts() for member in self.members]
        return {
            **each[0],
            "parameters_trained": sum(facts["parameters_trained"] for facts in each),
            **{name: [facts[name] for facts in each] for name in OF_EACH if name in each[0]},
        }

    def explain(self) -> Sequence[Table]:
        """The members' tables, one member after another, as stages of their own."""
        of = len(self.members)
        return [
            replace(table, title=f"{table.title}, member {i} of {of}", stage=f"{table.stage} {i}")
            for i, member in enumerate(self.members, 1)
            for table in member.explain()
        ]

    def _folders(self, folder: Path) -> Iterator[tuple[Estimator, Path]]:
        for i, member in enumerate(self.members):
            yield member, folder / f"member-{i + 1}"


class Ensemble(_Members, Model):
    """P(next state | history) is the mean of what the members say."""

    def __init__(self, members: Sequence[Model]) -> None:
        super().__init__(members)
        self.models = tuple(members)

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        said = [member.log_prob(panel, transitions, states) for member in self.models]
        return np.minimum(_log_mean(said), 0.0).astype(np.float32)


def mean_of(members: Sequence[Model]) -> Model:
    """The ensemble of these models; of one, itself."""
    return members[0] if len(members) == 1 else Ensemble(members)


class OutcomeEnsemble(_Members, OutcomeModel):
    """P(event | history) is the mean of what the members say."""

    def __init__(self, members: Sequence[OutcomeModel]) -> None:
        super().__init__(members)
        self.outcome_models = tuple(members)

    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        said = [member.log_event(panel, transitions) for member in self.outcome_models]
        return np.minimum(_log_mean(said), 0.0).astype(np.float32)


class UnnormalizedEnsemble(Ensemble, UnnormalizedModel):
    """An ensemble of members that also know how much probability their rows hold."""

    def __init__(self, members: Sequence[UnnormalizedModel]) -> None:
        super().__init__(members)
        self.unnormalized_members = tuple(members)

    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        """The means of the members' answers; the mean of bounds is a bound of the mean, and as tight."""
        answers = [member.bounded_log_prob(panel, transitions, states) for member in self.unnormalized_members]
        return BoundedRows(
            log_prob=_log_mean([answer.log_prob for answer in answers]),
            log_mass_low=_log_mean([answer.log_mass_low for answer in answers]),
            log_mass_high=_log_mean([answer.log_mass_high for answer in answers]),
            rows=_log_mean([answer.rows for answer in answers]).astype(np.float32),
        )


def _seed(seed: int, member: int) -> int:
    """The run's own seed for the first member, and for each other one drawn from it."""
    return seed if member == 0 else int(np.random.SeedSequence((seed, member)).generate_state(1)[0])


def _log_mean(logs: Sequence[FloatArray]) -> FloatArray:
    """float64: ln of the mean of exp, over the list."""
    mean = np.logaddexp.reduce(np.stack(logs).astype(np.float64), axis=0) - np.log(len(logs))
    return np.asarray(mean, dtype=np.float64)


@dataclass(frozen=True)
class Numbered:
    """A progress reporter whose bars say which of several fits is at work."""

    progress: Progress
    number: str

    @contextmanager
    def bar(self, text: str, total: float | None) -> Iterator[Bar]:
        with self.progress.bar(self._text(text), total) as bar:
            yield _NumberedBar(bar, self._text)

    def note(self, text: str) -> None:
        self.progress.note(self._text(text))

    def _text(self, text: str) -> str:
        return f"{self.number}: {text}"


@dataclass(frozen=True)
class _NumberedBar:
    bar: Bar
    text: Callable[[str], str]

    def advance(self, amount: float = 1) -> None:
        self.bar.advance(amount)

    def describe(self, text: str) -> None:
        self.bar.describe(self.text(text))
