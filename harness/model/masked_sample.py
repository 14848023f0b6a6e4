"""A masked question, and all the ways in which it is asked: single states, whole rows, alone.

Its answers must agree with one another before the scores of a run are held against them (``harness.model.spot_check``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.errors import RunError
from harness.model.answers import (
    CONTRACT_TOLERANCE,
    Inquiry,
    checked_bounds,
    checked_log_event,
    checked_log_prob,
    whole_rows,
)
from harness.model.contract import Estimator, ModelSpec, OutcomeModel, UnnormalizedModel
from harness.model.scoring import renormalised_scores, scores_of_event, scores_of_rows, scores_of_states
from harness.model.task import EachState, Event, Task, log_rest, log_sum
from harness.panel.careers import Panel
from harness.panel.model_view import model_view
from harness.stats.figures import Scores
from harness.types import FloatArray, IntArray, StrArray

RELATIVE = 1e-5  # of a log-probability: float32 logits are rounded by so much where they are large


@dataclass(frozen=True, slots=True)
class SampleSizes:
    """Numbers of transitions: asked about at all, in whole rows, and alone."""

    transitions: int
    rows: int
    alone: int


@dataclass(frozen=True, slots=True)
class MaskedSample:
    """A masked question and all that is asked about it."""

    spec: ModelSpec
    model: Estimator
    task: Task
    question: Inquiry
    sizes: SampleSizes

    def answers(self, generator: np.random.Generator) -> tuple[Scores, FloatArray]:
        """The sample's scores, and the share of the row, float64 [s], that each outcome is a share of."""
        partition, question = self.task.partition, self.question
        if isinstance(self.model, OutcomeModel) and isinstance(partition, Event):
            log_event = checked_log_event(self.spec, self.model, question)
            for i, one in self._alone():
                self._require_near(i, checked_log_event(self.spec, self.model, one), log_event[i : i + 1], "alone")
            return scores_of_event(partition, question, log_event), np.ones(len(log_event))
        wanted = partition.ask(question.happened, question.transitions)
        states, place = _with_decoys(wanted, question.shown.n_states, generator)
        log_prob, scores = self._few(states, place[: wanted.shape[1]])
        rows = self._rows(states, log_prob, scores)
        for i, one in self._alone():
            said = self._asked(one, states[i : i + 1])
            self._require_near(i, said, log_prob[i : i + 1], "alone")
        if isinstance(partition, EachState) and len(rows) == len(states) and scores.mass_low is None:
            scores = scores_of_rows(self.task, question, rows)
        priced = log_prob[:, place[: wanted.shape[1]]]
        if scores.mass_high is not None:  # shares of the row's mass, as the scores are
            priced = np.minimum(priced - np.log(scores.mass_high)[:, None], 0.0)
        return scores, _rest(self.task, priced)

    def _few(self, states: IntArray, wanted: IntArray) -> tuple[FloatArray, Scores]:
        """ln P of the states, and the scores; wanted: the columns of those that the task asks about, in its order."""
        if isinstance(self.model, UnnormalizedModel):
            bounded = checked_bounds(self.spec, self.model, self.question, states)
            own = replace(bounded, log_prob=bounded.log_prob[:, wanted])
            return bounded.log_prob.astype(np.float64), renormalised_scores(self.task, self.question, own)
        log_prob = self._asked(self.question, states)
        held = np.exp(log_prob).sum(axis=1)
        if (held > 1 + CONTRACT_TOLERANCE).any():
            i = int(np.argmax(held))
            raise self._contradiction(i, f"{states.shape[1]} states hold {held[i]:.6f} together")
        return log_prob, scores_of_states(self.task, self.question, log_prob[:, wanted])

    def _asked(self, question: Inquiry, states: IntArray) -> FloatArray:
        if isinstance(self.model, UnnormalizedModel):
            bounded = checked_bounds(self.spec, self.model, question, states)
            return np.asarray(bounded.log_prob, dtype=np.float64)
        return checked_log_prob(self.spec, self.model, question, states).astype(np.float64)

    def _rows(self, states: IntArray, log_prob: FloatArray, scores: Scores) -> FloatArray:
        """float64 [r, K]: whole rows, held against the answers about single states, and against their own mass."""
        if not self.sizes.rows:
            return np.zeros((0, self.question.shown.n_states))
        some = replace(self.question, transitions=self.question.transitions[: self.sizes.rows])
        rows = checked_log_prob(self.spec, self.model, some, whole_rows(some.shown, some.transitions))
        rows = rows.astype(np.float64)
        for i, row in enumerate(rows):
            self._require_near(i, row[states[i]], log_prob[i], "in whole rows")
        if scores.mass_low is not None and scores.mass_high is not None:
            held = np.exp(rows).sum(axis=1)
            low, high = scores.mass_low[: len(rows)], scores.mass_high[: len(rows)]
            outside = np.maximum(low - held, held - high) > CONTRACT_TOLERANCE
            if outside.any():
                i = int(np.flatnonzero(outside)[0])
                raise self._contradiction(
                    i, f"its row holds {held[i]:.6f}, and is said to hold {low[i]:.6f} to {high[i]:.6f}"
                )
        return rows

    def _alone(self) -> list[tuple[int, Inquiry]]:
        """The first transitions of the sample, each as the only one of a panel of one person."""
        made = []
        for i in range(min(self.sizes.alone, len(self.question.transitions))):
            happened, shown = (panel.select(np.array([i])) for panel in (self.question.happened, self.question.shown))
            made.append((i, Inquiry(happened, model_view(shown), shown.offsets[1:] - 1)))
        return made

    def _require_near(self, i: int, said: FloatArray, before: FloatArray, way: str) -> None:
        off = np.abs(said - before) - RELATIVE * np.abs(before)
        if (off > CONTRACT_TOLERANCE).any():
            j = np.unravel_index(int(np.argmax(off)), off.shape)
            raise self._contradiction(i, f"ln P is {said[j]:.4f} when asked {way}, and {before[j]:.4f} with others")

    def _contradiction(self, i: int, why: str) -> RunError:
        where = self.question.happened.name_of(int(self.question.transitions[i]))
        return RunError(f"model '{self.spec.name}' failed the spot check of '{self.task.key}' at {where}: {why}")


def _with_decoys(wanted: IntArray, n_states: int, generator: np.random.Generator) -> tuple[IntArray, IntArray]:
    """int64 [s, m + 1]: the states with one that was not wanted, columns in random order; and the place of each column.

    Where a task asks about every state there is none to add.
    """
    if n_states > wanted.shape[1]:
        free = generator.random((len(wanted), n_states))
        np.put_along_axis(free, wanted, -1.0, axis=1)
        wanted = np.column_stack([wanted, free.argmax(axis=1)])
    order = generator.permutation(wanted.shape[1])
    return np.ascontiguousarray(wanted[:, order], dtype=np.int64), np.argsort(order)


def redrawn(panel: Panel, targets: IntArray, generator: np.random.Generator) -> IntArray:
    """The panel's states with another one at each of these records, where there is another."""
    state = panel.state.copy()
    if panel.n_states > 1:
        state[targets] = (state[targets] + generator.integers(1, panel.n_states, len(targets))) % panel.n_states
    return state


def renamed(n: int, generator: np.random.Generator) -> StrArray:
    """str [n]: names that say nothing."""
    return np.array([f"person-{number:016x}" for number in generator.integers(0, 1 << 62, n)])


def _rest(task: Task, log_prob: FloatArray) -> FloatArray:
    """float64 [s]: one, or 1 - P(origin) where a switch is given; log_prob: [s, m], of the states asked for."""
    if isinstance(task.partition, EachState) and task.partition.given_switch:
        return np.exp(log_rest(log_sum(log_prob[:, 1:])))
    return np.ones(len(log_prob))
