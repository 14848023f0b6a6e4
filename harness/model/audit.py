"""Rules that every model must keep for its numbers to mean anything, checked from outside through the contract.

Each check is a function from a ``Subject`` to a sentence about what is wrong, or None.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.model import spot_check
from harness.model.answers import (
    CONTRACT_TOLERANCE,
    Inquiry,
    blaming,
    checked_log_event,
    checked_log_prob,
    whole_rows,
)
from harness.model.contract import Context, Estimator, ModelSpec, OutcomeModel, Params
from harness.model.scoring import score
from harness.model.task import Task
from harness.panel.careers import Covariate, Panel
from harness.system.cache import models_folder
from harness.system.progress import Progress, Silent
from harness.types import FloatArray, IntArray

TRANSITIONS = 24
STATES = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result; ``problem`` is None where it passed."""

    check: str
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class AuditSetup:
    """Settings of the audited model's fits, as ``Context`` has them. tasks: those whose spot check it must pass."""

    seed: int = 0
    device: str = "cpu"
    progress: Progress = field(default_factory=Silent)
    open_panel: Callable[[str], Panel] | None = None
    teacher: ModelSpec | None = None
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A fitted model and what it is asked about: up to 24 transitions of the test split, at most one a person.

    states: int64 [n, m], the observed state and random others, but never the redrawn target's.
    """

    spec: ModelSpec
    params: Params
    model: Estimator
    panel: Panel
    test: Panel
    transitions: IntArray
    states: IntArray
    setup: AuditSetup

    def ask(self, panel: Panel, transitions: IntArray, model: Estimator | None = None) -> FloatArray:
        """float64 [n, m], or [n, 1] of a model that predicts one task's event."""
        asked = model or self.model
        if isinstance(asked, OutcomeModel):
            return checked_log_event(self.spec, asked, Inquiry.of(panel, transitions))[:, None]
        question = Inquiry.of(panel, transitions)
        return checked_log_prob(self.spec, asked, question, self.states).astype(np.float64)

    def fit(self) -> Estimator:
        model = self.spec.build(self.params)
        with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
            context = Context(
                seed=self.setup.seed,
                scratch=Path(scratch),
                cache=models_folder(),
                device=self.setup.device,
                progress=self.setup.progress,
                open_panel=self.setup.open_panel,
                teacher=self.setup.teacher,
            )
            with blaming(self.spec.name, "fit"):
                model.fit(self.panel.part("train"), self.panel.part("valid"), context)
        return model


def audit(spec: ModelSpec, params: Params, panel: Panel, setup: AuditSetup | None = None) -> Iterator[Finding]:
    """Fit the model on ``panel`` and check it; a finding as each check ends. A model that cannot be fitted raises."""
    test = panel.part("test")
    setup = setup or AuditSetup()
    generator = np.random.default_rng(setup.seed)
    persons = np.unique(test.person[test.transitions])
    persons = np.sort(generator.choice(persons, min(TRANSITIONS, len(persons)), replace=False))
    transitions = np.array(
        [generator.integers(test.offsets[p] + 1, test.offsets[p + 1]) for p in persons], dtype=np.int64
    )
    others = generator.integers(0, panel.n_states, size=(len(persons), STATES))
    states = np.column_stack([test.state[transitions], others]).astype(np.int64)
    blank = Subject(
        spec=spec,
        params=params,
        model=spec.build(params),
        panel=panel,
        test=test,
        transitions=transitions,
        states=states,
        setup=setup,
    )
    subject = replace(blank, model=blank.fit())
    for name, check in CHECKS.items():
        try:
            yield Finding(name, check(subject))
        except HarnessError as error:
            yield Finding(name, str(error))


def passes_the_spot_check(subject: Subject) -> str | None:
    """The questions that every run asks of a model (``harness.model.spot_check``), on each task that it predicts."""
    spec, test = subject.spec, subject.test
    asked = [
        task for task in subject.setup.tasks if spec.only_task in (None, task.name) and len(task.transitions(test))
    ]
    for check in [spot_check.ask(spec, subject.model, task, test) for task in asked]:
        check.require_same(score(spec, subject.model, task=check.task, test=test))
    return None


def ignores_the_future(subject: Subject) -> str | None:
    """Re-draw the target's state and every later record of everyone: no prediction may move."""
    test, generator = subject.test, np.random.default_rng(subject.setup.seed + 1)
    first = np.full(test.n_persons, test.n_records)
    first[test.person[subject.transitions]] = subject.transitions
    future = np.arange(test.n_records) >= first[test.person]
    later = np.arange(test.n_records) > first[test.person]
    state = test.state.copy()
    state[future] = generator.integers(0, test.n_states, size=int(future.sum()))
    covariates = {name: _redrawn(c, later, generator) for name, c in test.covariates.items()}
    changed = replace(test, state=state, covariates=covariates)
    moved = _largest_move(subject.ask(test, subject.transitions), subject.ask(changed, subject.transitions))
    return (
        None
        if moved <= CONTRACT_TOLERANCE
        else f"predictions move by up to {moved:.2g} nats when the future is re-drawn"
    )


def _redrawn(covariate: Covariate, records: np.ndarray, generator: np.random.Generator) -> Covariate:
    if covariate.fixed:
        return covariate  # known from the first record on, so not the future's alone
    values = covariate.values.copy()
    values[records] = generator.permutation(values[records])
    return replace(covariate, values=values)


def ignores_other_persons(subject: Subject) -> str | None:
    """Reverse half of the persons who are asked about and leave out everyone else: no prediction may move."""
    test, half = subject.test, subject.transitions[: (len(subject.transitions) + 1) // 2]
    asked = test.person[half]
    alone = test.select(asked[::-1])
    reordered = (alone.offsets[:-1] + (half - test.offsets[asked])[::-1])[::-1]
    part = replace(subject, states=subject.states[: len(half)])
    moved = _largest_move(part.ask(test, half), part.ask(alone, reordered))
    return (
        None if moved <= CONTRACT_TOLERANCE else f"predictions move by up to {moved:.2g} nats when other persons leave"
    )


def repeats_with_a_seed(subject: Subject) -> str | None:
    """Fit again with the same seed: predictions are the same."""
    again = subject.fit()
    moved = _largest_move(
        subject.ask(subject.test, subject.transitions), subject.ask(subject.test, subject.transitions, again)
    )
    return None if moved <= CONTRACT_TOLERANCE else f"a second fit with the same seed differs by up to {moved:.2g} nats"


def survives_saving(subject: Subject) -> str | None:
    """Save, load into a new model, and compare; nothing that is saved may be a pickle."""
    loaded = subject.spec.build(subject.params)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        with blaming(subject.spec.name, "save"):
            subject.model.save(Path(folder))
        pickled = [p.name for p in Path(folder).rglob("*") if p.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".bin"}]
        with blaming(subject.spec.name, "load"):
            loaded.load(Path(folder))
        moved = _largest_move(
            subject.ask(subject.test, subject.transitions), subject.ask(subject.test, subject.transitions, loaded)
        )
    if pickled:
        return f"save wrote a pickle: {', '.join(pickled)}"
    return None if moved <= CONTRACT_TOLERANCE else f"predictions move by up to {moved:.2g} nats after save and load"


def rows_sum_to_one(subject: Subject) -> str | None:
    """Whole rows sum to one (at most one where declared), and agree with what is answered for a few states."""
    if isinstance(subject.model, OutcomeModel):
        return None
    rows = _rows(subject)
    few = subject.ask(subject.test, subject.transitions)[: len(rows)]
    moved = _largest_move(np.take_along_axis(rows, subject.states[: len(rows)], axis=1), few)
    return None if moved <= CONTRACT_TOLERANCE else f"whole rows and single states differ by up to {moved:.2g} nats"


def every_state_is_possible(subject: Subject) -> str | None:
    """States that no training career holds still have positive probability."""
    if isinstance(subject.model, OutcomeModel):
        return None
    unseen = np.setdiff1d(np.arange(subject.panel.n_states), subject.panel.part("train").state)
    if not len(unseen):
        return None
    lowest = float(_rows(subject)[:, unseen].min())
    return None if np.exp(lowest) > 0 else f"ln P of a state unseen in training is {lowest}"


def describes_its_parameters(subject: Subject) -> str | None:
    """Every parameter has a description, which ``harness show`` prints."""
    fields = subject.spec.params.model_fields
    bare = [name for name, field in fields.items() if not field.description]
    return f"no description of {', '.join(bare)}: Field(..., description='its meaning and unit')" if bare else None


def tells_facts_as_json(subject: Subject) -> str | None:
    """The facts of the fit can be written into a record."""
    with blaming(subject.spec.name, "facts"):
        json.dumps(dict(subject.model.facts()))
    return None


CHECKS: dict[str, Callable[[Subject], str | None]] = {
    "passes a run's spot check": passes_the_spot_check,  # first: the model has met nothing of the test split
    "ignores the future": ignores_the_future,
    "ignores other persons": ignores_other_persons,
    "repeats with a seed": repeats_with_a_seed,
    "survives saving": survives_saving,
    "rows sum to one": rows_sum_to_one,
    "every state is possible": every_state_is_possible,
    "tells facts as JSON": tells_facts_as_json,
    "describes its parameters": describes_its_parameters,
}


def _rows(subject: Subject) -> FloatArray:
    """float64 [r, K]: whole rows; of eight transitions only where they are dear."""
    chosen = subject.transitions if subject.spec.whole_rows else subject.transitions[:8]
    states = whole_rows(subject.test, chosen)
    question = Inquiry.of(subject.test, chosen)
    return checked_log_prob(subject.spec, subject.model, question, states).astype(np.float64)


def _largest_move(before: FloatArray, after: FloatArray) -> float:
    return float(np.abs(before - after).max())
