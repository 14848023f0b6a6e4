"""Ask a model, and check its answers: the one place where a broken contract is caught before it becomes a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.errors import HarnessError, RunError
from harness.model.contract import BoundedRows, Estimator, Model, ModelSpec, OutcomeModel, UnnormalizedModel
from harness.model.task import EachState, Event, Task
from harness.panel.careers import Panel
from harness.stats.figures import Scores
from harness.system.progress import Progress, Silent
from harness.types import BoolArray, FloatArray, IntArray

CHUNK_RECORDS = 20_000
DEAR_RECORDS = 1_000  # where rows are dear: minutes, in which the bar should move
MASS_TRANSITIONS = 64
CONTRACT_TOLERANCE = (
    1e-4  # that a probability, or a sum of them, may be off by; nats that two equal answers may differ by
)


def score(
    spec: ModelSpec, model: Estimator, task: Task, test: Panel, progress: Progress | None = None, ranks: bool = True
) -> Scores:
    """Ask a model about every transition at risk in ``test``, in chunks of persons, and check its answers.

    ranks: ask for whole rows where the model has them, so that the place of what happened is known. What a transition
    counts for is kept beside the answers, and no model is shown it.
    """
    parts: list[Scores] = []
    shown = replace(test, weight=None)
    dear = isinstance(model, UnnormalizedModel) or not spec.whole_rows
    size = DEAR_RECORDS if dear else CHUNK_RECORDS
    spec = spec if ranks else replace(spec, whole_rows=False)
    with (progress or Silent()).bar(f"{spec.name}: {task.key}", test.n_records) as bar:
        for chunk, first in shown.chunks(size):
            transitions = task.transitions(chunk)
            if len(transitions):
                part = _ask(spec, model, task=task, chunk=chunk, transitions=transitions)
                weight = None if test.weight is None else test.weight[first + transitions]
                parts.append(replace(part, person=test.person[first + transitions], weight=weight))
            bar.advance(chunk.n_records)
    return Scores.concat(test.n_persons, parts)


def _ask(spec: ModelSpec, model: Estimator, task: Task, chunk: Panel, transitions: IntArray) -> Scores:
    """The scores of a chunk's transitions at risk, of which there are some; ``person`` is a position in the chunk."""
    partition = task.partition
    scores = partial(Scores, persons=chunk.n_persons, person=chunk.person[transitions])
    if isinstance(model, UnnormalizedModel):
        states = partition.ask(chunk, transitions)
        return _renormalised(
            task, chunk, transitions, checked_bounds(spec, model, panel=chunk, transitions=transitions, states=states)
        )
    if isinstance(partition, Event):
        happened = partition.happened(chunk, transitions)
        if isinstance(model, OutcomeModel):
            with blaming(spec.name, "log_event"):
                log_event = model.log_event(chunk, transitions)
            _Asked(spec, chunk, transitions).require_log_probabilities(log_event[:, None])
            log_event = log_event.astype(np.float64)
            return scores(log_prob=partition.observed(log_event, happened), log_event=log_event, happened=happened)
        states = partition.ask(chunk, transitions)
        members = checked_log_prob(spec, model, panel=chunk, transitions=transitions, states=states)
        log_prob = partition.outcome(chunk, transitions, members)
        return scores(log_prob=log_prob, log_event=partition.event(members), happened=happened)
    states = partition.ask(chunk, transitions)
    if not (spec.whole_rows and isinstance(partition, EachState)):
        log_prob = checked_log_prob(spec, model, panel=chunk, transitions=transitions, states=states)
        return scores(log_prob=partition.outcome(chunk, transitions, log_prob))
    rows = checked_log_prob(spec, model, panel=chunk, transitions=transitions, states=whole_rows(chunk, transitions))
    return scores(
        log_prob=partition.outcome(chunk, transitions, np.take_along_axis(rows, states, axis=1)),
        rank=partition.rank(chunk, transitions, rows),
        log_likeliest=partition.likeliest(chunk, transitions, rows),
    )


def _renormalised(task: Task, chunk: Panel, transitions: IntArray, bounded: BoundedRows) -> Scores:
    """The scores of rows divided by their mass, and their log-probabilities before that."""
    partition = task.partition
    log_prob = np.minimum(bounded.log_prob - bounded.log_mass_high[:, None], 0.0)
    scores = Scores(
        persons=chunk.n_persons,
        person=chunk.person[transitions],
        log_prob=partition.outcome(chunk, transitions, log_prob),
        log_prob_unnormalized=partition.outcome(chunk, transitions, bounded.log_prob),
        mass_low=np.exp(bounded.log_mass_low),
        mass_high=np.exp(bounded.log_mass_high),
    )
    if isinstance(partition, Event):
        return replace(scores, log_event=partition.event(log_prob), happened=partition.happened(chunk, transitions))
    if isinstance(partition, EachState):
        rows = np.minimum(bounded.rows - bounded.log_mass_high[:, None], 0.0)
        return replace(
            scores,
            rank=partition.rank(chunk, transitions, bounded.rows),
            log_likeliest=partition.likeliest(chunk, transitions, rows),
        )
    return scores


def whole_rows(panel: Panel, transitions: IntArray) -> IntArray:
    """int64 [n, K]: every state for every transition, without a copy for each."""
    return np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))


def checked_log_prob(
    spec: ModelSpec, model: Estimator, panel: Panel, transitions: IntArray, states: IntArray
) -> FloatArray:
    """The model's answer, float32 [n, m]; RunError names the model and the first row that breaks the contract."""
    if not isinstance(model, Model):
        raise RunError(f"model '{spec.name}' was asked for the next state, and says nothing but how likely an event is")
    with blaming(spec.name, "log_prob"):
        answer = model.log_prob(panel, transitions, states)
    if not isinstance(answer, np.ndarray) or answer.shape != states.shape:
        shape = getattr(answer, "shape", type(answer).__name__)
        raise RunError(f"model '{spec.name}' was asked for log-probabilities {states.shape} and returned {shape}")
    asked = _Asked(spec, panel, transitions)
    asked.require_log_probabilities(answer)
    asked.require_row_sums(answer)
    return answer


def checked_bounds(
    spec: ModelSpec, model: UnnormalizedModel, panel: Panel, transitions: IntArray, states: IntArray
) -> BoundedRows:
    """As ``checked_log_prob``, with the bounds on the mass of the rows."""
    with blaming(spec.name, "bounded_log_prob"):
        bounded = model.bounded_log_prob(panel, transitions, states)
    n, k = len(transitions), panel.n_states
    wanted = {"log_prob": states.shape, "log_mass_low": (n,), "log_mass_high": (n,), "rows": (n, k)}
    for name, shape in wanted.items():
        if np.shape(getattr(bounded, name)) != shape:
            raise RunError(f"model '{spec.name}' returned {name} {np.shape(getattr(bounded, name))}, not {shape}")
    low, high = bounded.log_mass_low[:, None], bounded.log_mass_high[:, None]
    asked = _Asked(spec, panel, transitions)
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
    """A model and the transitions, int64 [n], that it was asked about; RunError for the first answer that is bad."""

    spec: ModelSpec
    panel: Panel
    transitions: IntArray

    def refuse(self, bad: BoolArray, why: Callable[[int], str]) -> None:
        """bad: bool [n], transitions whose answers break the contract. why: says of one of them, by position, how."""
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            where = self.panel.name_of(int(self.transitions[row]))
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
        if answer.shape[1] != self.panel.n_states or self.panel.n_states == 1:
            return
        total = np.exp(answer.astype(np.float64)).sum(axis=1)
        low = 1 - CONTRACT_TOLERANCE if self.spec.sums_to_one else 0.0
        self.refuse((total < low) | (total > 1 + CONTRACT_TOLERANCE), lambda i: f"the row sums to {total[i]:.6f}")


def row_sums(
    spec: ModelSpec, model: Estimator, task: Task, test: Panel, size: int = MASS_TRANSITIONS
) -> tuple[FloatArray, FloatArray | None]:
    """float64 [s]: sums of whole rows at a seeded sample of the transitions, for rows that may sum to less than one.

    And what these transitions count for, float64 [s], where the panel has weights.
    """
    at_risk = task.transitions(test)
    chosen = np.sort(np.random.default_rng(0).choice(at_risk, min(size, len(at_risk)), replace=False))
    part, chosen = test.select_transitions(chosen)
    rows = checked_log_prob(
        spec, model, panel=replace(part, weight=None), transitions=chosen, states=whole_rows(part, chosen)
    )
    sums = np.asarray(np.exp(rows.astype(np.float64)).sum(axis=1), dtype=np.float64)
    return sums, None if part.weight is None else part.weights(chosen)


def unseen(spec: ModelSpec, model: Estimator, task: Task, test: Panel) -> dict[str, int]:
    """Facts for the record: what of the careers that are scored the model had no room for; none where it has for all.

    records_unseen: records of ``test``, each once, that at least one transition at risk follows without the model
    seeing them. transitions_cut_short: how many transitions at risk that happens to.
    """
    records = cut_short = 0
    for chunk, _ in replace(test, weight=None).chunks(CHUNK_RECORDS):
        transitions = task.transitions(chunk)
        if not len(transitions):
            continue
        with blaming(spec.name, "unseen"):
            lost = model.unseen(chunk, transitions)
        if lost is None:
            return {}
        if np.shape(lost) != transitions.shape or (lost < 0).any():
            raise RunError(
                f"model '{spec.name}' was asked what it cannot see and returned {np.shape(lost)}, or below 0"
            )
        most = np.zeros(chunk.n_persons, dtype=np.int64)  # what is unseen later was unseen before: the oldest go first
        np.maximum.at(most, chunk.person[transitions], lost)
        records += int(most.sum())
        cut_short += int((lost > 0).sum())
    return {"records_unseen": records, "transitions_cut_short": cut_short}


class blaming:  # noqa: N801 - a context manager, called like a function
    """Blame a model and a step of it: an exception of a model that is not written for the user becomes a RunError.

    So does an exit: a model that leaves would end the command with its own status, and without a word.
    """

    def __init__(self, name: str, step: str) -> None:
        self.name, self.step = name, step

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, HarnessError):
            what = f"{type(error).__name__}: {error}"
            raise RunError(f"model '{self.name}' failed in {self.step}: {what}") from error
