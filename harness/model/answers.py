"""A model's answers, checked: the one place where a broken contract is caught before it becomes a number."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import HarnessError, RunError, in_one_line
from harness.model.contract import BoundedRows, Estimator, Model, ModelSpec, OutcomeModel, UnnormalizedModel
from harness.panel.careers import Panel
from harness.panel.model_view import locked, model_view
from harness.system.supervisor import note_step
from harness.types import BoolArray, FloatArray, IntArray

CONTRACT_TOLERANCE = (
    1e-4  # that a probability, or a sum of them, may be off by; nats that two equal answers may differ by
)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Transitions that a model is asked about.

    happened: careers as they were. shown: the same, place by place, as the model is given them. transitions: int64 [n],
    target records of both.
    """

    happened: Panel
    shown: Panel
    transitions: IntArray

    @classmethod
    def of(cls, panel: Panel, transitions: IntArray) -> Inquiry:
        """A question about careers as they stand in ``panel``, of which the model is given a view."""
        return cls(panel, model_view(panel), transitions)


def whole_rows(panel: Panel, transitions: IntArray) -> IntArray:
    """int64 [n, K]: every state for every transition, without a copy for each."""
    return np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))


def checked_log_prob(spec: ModelSpec, model: Estimator, question: Inquiry, states: IntArray) -> FloatArray:
    """ln P of states (int64 [n, m]), float [n, m]; RunError names the model and the first row that breaks the contract.

    The answer is a copy, which the model cannot change any more.
    """
    if not isinstance(model, Model):
        raise RunError(f"model '{spec.name}' was asked for the next state, and says nothing but how likely an event is")
    with blaming(spec.name, "log_prob"):
        answer = model.log_prob(question.shown, locked(question.transitions), locked(states))
    asked = _Asked(spec, question)
    answer = asked.taken(answer, "log-probabilities", states.shape)
    asked.require_log_probabilities(answer)
    asked.require_row_sums(answer)
    return answer


def checked_log_event(spec: ModelSpec, model: OutcomeModel, question: Inquiry) -> FloatArray:
    """float64 [n]: ln P(event); RunError as of ``checked_log_prob``."""
    with blaming(spec.name, "log_event"):
        answer = model.log_event(question.shown, locked(question.transitions))
    asked = _Asked(spec, question)
    answer = asked.taken(answer, "log-probabilities of an event", question.transitions.shape)
    asked.require_log_probabilities(answer[:, None])
    return answer.astype(np.float64)


def checked_bounds(spec: ModelSpec, model: UnnormalizedModel, question: Inquiry, states: IntArray) -> BoundedRows:
    """As ``checked_log_prob``, with the bounds on the mass of the rows."""
    with blaming(spec.name, "bounded_log_prob"):
        bounded = model.bounded_log_prob(question.shown, locked(question.transitions), locked(states))
    asked = _Asked(spec, question)
    n, k = len(question.transitions), question.shown.n_states
    wanted = {"log_prob": states.shape, "log_mass_low": (n,), "log_mass_high": (n,), "rows": (n, k)}
    bounded = BoundedRows(**{name: asked.taken(getattr(bounded, name, None), name, wanted[name]) for name in wanted})
    low, high = bounded.log_mass_low[:, None], bounded.log_mass_high[:, None]
    for log_prob in (bounded.log_prob, high, np.minimum(low - high, 0.0)):
        asked.require_log_probabilities(log_prob)
    asked.require_row_sums(bounded.log_prob)
    distinct = [np.unique(row, return_index=True)[1] for row in states]
    held = np.array([np.exp(row[first]).sum() for row, first in zip(bounded.log_prob, distinct, strict=True)])
    asked.refuse(
        (low > high + CONTRACT_TOLERANCE)[:, 0] | (held > np.exp(high[:, 0]) + CONTRACT_TOLERANCE),
        lambda i: (
            f"its states hold {held[i]:.6f}, its whole row between {np.exp(low[i, 0]):.6f} and {np.exp(high[i, 0]):.6f}"
        ),
    )
    return bounded


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model and a question that it answered; RunError for the first answer that is bad."""

    spec: ModelSpec
    question: Inquiry

    def taken(self, answer: Any, kind: str, shape: tuple[int, ...]) -> FloatArray:
        """A copy of the answer, which must be real numbers of this shape in a plain array of numpy's."""
        named = f"model '{self.spec.name}' was asked for {kind} {shape} and returned"
        if type(answer) is not np.ndarray or answer.shape != shape:
            raise RunError(f"{named} {getattr(answer, 'shape', type(answer).__name__)}")
        if answer.dtype.kind != "f":
            raise RunError(f"{named} {answer.dtype}, which are no floats")
        return answer.copy()

    def refuse(self, bad: BoolArray, why: Callable[[int], str]) -> None:
        """bad: bool [n], transitions whose answers break the contract. why: says of one of them, by position, how."""
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            where = self.question.happened.name_of(int(self.question.transitions[row]))
            raise RunError(f"model '{self.spec.name}' broke the contract at {where}: {why(row)}")

    def require_log_probabilities(self, answer: FloatArray) -> None:
        """answer: float [n, m]."""
        self.refuse(
            np.asarray(~np.isfinite(answer).all(axis=1)),
            lambda i: f"a log-probability is not finite ({answer[i].min()})",
        )
        self.refuse(
            np.asarray((answer > CONTRACT_TOLERANCE).any(axis=1)),
            lambda i: f"a probability is above one (ln P = {answer[i].max():.6f})",
        )

    def require_row_sums(self, answer: FloatArray) -> None:
        """answer: float [n, m]; rows of as many states as the panel has sum to one, or to less if the spec says so."""
        states = self.question.shown.n_states
        if answer.shape[1] != states or states == 1:
            return
        total = np.exp(answer.astype(np.float64)).sum(axis=1)
        low = 1 - CONTRACT_TOLERANCE if self.spec.sums_to_one else 0.0
        bad = (total < low) | (total <= 0) | (total > 1 + CONTRACT_TOLERANCE)
        self.refuse(bad, lambda i: f"the row sums to {total[i]:.6f}")


class blaming:  # noqa: N801 - a context manager, called like a function
    """Blame a model and a step of it: whatever a model raises that is not written for the user becomes a RunError.

    So does an exit: a model that leaves would end the command with its own status, and without a word. An interrupt
    alone is the user's. The supervisor is told of the step, for ends that no exception announces. What the model
    prints goes to stderr: stdout is the command's.
    """

    def __init__(self, name: str, step: str) -> None:
        self.name, self.step = name, step
        self._printed = redirect_stdout(sys.stderr)

    def __enter__(self) -> None:
        note_step(f"{self.step} of model '{self.name}'")
        self._printed.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._printed.__exit__(None, None, None)
        note_step("")
        if error is not None and not isinstance(error, HarnessError | KeyboardInterrupt):
            raise RunError(f"model '{self.name}' failed in {self.step}: {in_one_line(error)}") from error
