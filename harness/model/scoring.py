"""Scores of a fitted model: its answers about every transition at risk, and the outcomes that happened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.errors import RunError
from harness.model.answers import (
    Inquiry,
    blaming,
    checked_bounds,
    checked_log_event,
    checked_log_prob,
    whole_rows,
)
from harness.model.contract import BoundedRows, Estimator, ModelSpec, OutcomeModel, UnnormalizedModel
from harness.model.task import EachState, Event, Task
from harness.panel.careers import Panel
from harness.panel.model_view import model_view
from harness.stats.figures import Scores
from harness.system.progress import Progress, Silent
from harness.types import FloatArray

CHUNK_RECORDS = 20_000
DEAR_RECORDS = 1_000  # where rows are dear: minutes, in which the bar should move
MASS_TRANSITIONS = 64
ROUNDING = 1e-4  # of a float32 row and of its bounds, relative


def score(
    spec: ModelSpec, model: Estimator, task: Task, test: Panel, progress: Progress | None = None, ranks: bool = True
) -> Scores:
    """Ask a model about every transition at risk in ``test``, in chunks of persons, and check its answers.

    ranks: ask for whole rows where the model has them, so that the place of what happened is known. The outcomes are
    read from careers that the model never holds, and so is what a transition counts for.
    """
    spec = spec if ranks else replace(spec, whole_rows=False)
    parts: list[Scores] = []
    with (progress or Silent()).bar(f"{spec.name}: {task.key}", test.n_records) as bar:
        for chunk, first in test.chunks(chunk_records(spec, model)):
            part = score_chunk(spec, model, task, chunk)
            if part is not None:
                parts.append(replace(part, person=test.person[first] + part.person))
            bar.advance(chunk.n_records)
    return Scores.concat(test.n_persons, parts)


def chunk_records(spec: ModelSpec, model: Estimator) -> int:
    """Records that a model is asked about at a time."""
    dear = isinstance(model, UnnormalizedModel) or not spec.whole_rows
    return DEAR_RECORDS if dear else CHUNK_RECORDS


def score_chunk(spec: ModelSpec, model: Estimator, task: Task, chunk: Panel) -> Scores | None:
    """The scores of every transition at risk in whole persons of a panel; None where there is none.

    ``person`` is a position among these persons.
    """
    transitions = task.transitions(chunk)
    if not len(transitions):
        return None
    scores = scores_of(spec, model, task, Inquiry.of(chunk, transitions))
    return replace(scores, weight=None if chunk.weight is None else chunk.weight[transitions])


def scores_of(spec: ModelSpec, model: Estimator, task: Task, question: Inquiry) -> Scores:
    """The scores of a question's transitions, of which there are some; ``person`` is a position in its panel."""
    partition, happened, transitions = task.partition, question.happened, question.transitions
    if isinstance(model, OutcomeModel):
        if not isinstance(partition, Event):
            raise RunError(
                f"model '{spec.name}' was asked for the next state, and says nothing but how likely an event is"
            )
        return scores_of_event(partition, question, checked_log_event(spec, model, question))
    states = partition.ask(happened, transitions)
    if isinstance(model, UnnormalizedModel):
        return renormalised_scores(task, question, checked_bounds(spec, model, question, states))
    if isinstance(partition, EachState) and spec.whole_rows:
        rows = checked_log_prob(spec, model, question, whole_rows(happened, transitions))
        return scores_of_rows(task, question, rows)
    return scores_of_states(task, question, checked_log_prob(spec, model, question, states))


def scores_of_states(task: Task, question: Inquiry, log_prob: FloatArray) -> Scores:
    """The scores that the states which the task asks about are enough for; log_prob: [n, m], of these."""
    partition, happened, transitions = task.partition, question.happened, question.transitions
    scores = _scores(question, partition.outcome(happened, transitions, log_prob))
    if isinstance(partition, Event):
        event, was = partition.event(log_prob), partition.happened(happened, transitions)
        return replace(scores, log_event=event, happened=was)
    return scores


def scores_of_rows(task: Task, question: Inquiry, rows: FloatArray) -> Scores:
    """The scores of whole rows, [n, K], with the place of what happened where each state is an outcome."""
    partition, happened, transitions = task.partition, question.happened, question.transitions
    states = partition.ask(happened, transitions)
    scores = scores_of_states(task, question, np.take_along_axis(rows, states, axis=1))
    if not isinstance(partition, EachState):
        return scores
    return replace(
        scores,
        rank=partition.rank(happened, transitions, rows),
        log_likeliest=partition.likeliest(happened, transitions, rows),
    )


def renormalised_scores(task: Task, question: Inquiry, bounded: BoundedRows) -> Scores:
    """The scores of rows divided by their mass, and their log-probabilities before that."""
    partition, happened, transitions = task.partition, question.happened, question.transitions
    log_prob = np.minimum(bounded.log_prob - bounded.log_mass_high[:, None], 0.0)
    scores = replace(
        scores_of_states(task, question, log_prob),
        log_prob_unnormalized=partition.outcome(happened, transitions, bounded.log_prob),
        mass_low=np.exp(bounded.log_mass_low),
        mass_high=np.exp(bounded.log_mass_high),
    )
    if not isinstance(partition, EachState):
        return scores
    rows = np.minimum(bounded.rows - bounded.log_mass_high[:, None], 0.0)
    return replace(
        scores,
        rank=partition.rank(happened, transitions, bounded.rows),
        rank_least=partition.rank(happened, transitions, _surely_priced(question, bounded)),
        log_likeliest=partition.likeliest(happened, transitions, rows),
    )


def _surely_priced(question: Inquiry, bounded: BoundedRows) -> FloatArray:
    """float32 [n, K]: the rows without what may be a bound: all states that were not priced hold no more than is open.

    What happened was asked about, and so was priced.
    """
    left = np.exp(bounded.log_mass_high) - np.exp(bounded.log_mass_low)
    rows = np.where(np.exp(bounded.rows) > left[:, None] * (1 + ROUNDING), bounded.rows, -np.inf)
    at = np.arange(len(rows)), question.happened.state[question.transitions]
    rows[at] = bounded.rows[at]
    return rows


def _scores(question: Inquiry, log_prob: FloatArray) -> Scores:
    happened = question.happened
    return Scores(persons=happened.n_persons, person=happened.person[question.transitions], log_prob=log_prob)


def scores_of_event(partition: Event, question: Inquiry, log_event: FloatArray) -> Scores:
    """The scores of a model that prices the task's event alone; log_event: float64 [n]."""
    was = partition.happened(question.happened, question.transitions)
    return replace(_scores(question, partition.observed(log_event, was)), log_event=log_event, happened=was)


def row_sums(
    spec: ModelSpec, model: Estimator, task: Task, test: Panel, size: int = MASS_TRANSITIONS
) -> tuple[FloatArray, FloatArray | None]:
    """float64 [s]: sums of whole rows at a seeded sample of the transitions, for rows that may sum to less than one.

    And what these transitions count for, float64 [s], where the panel has weights.
    """
    at_risk = task.transitions(test)
    chosen = np.sort(np.random.default_rng(0).choice(at_risk, min(size, len(at_risk)), replace=False))
    part, chosen = test.select_transitions(chosen)
    rows = checked_log_prob(spec, model, Inquiry.of(part, chosen), whole_rows(part, chosen))
    sums = np.asarray(np.exp(rows.astype(np.float64)).sum(axis=1), dtype=np.float64)
    return sums, None if part.weight is None else part.weights(chosen)


def unseen(spec: ModelSpec, model: Estimator, task: Task, test: Panel) -> dict[str, int]:
    """Facts for the record: what of the careers that are scored the model had no room for; none where it has for all.

    records_unseen: records of ``test``, each once, that at least one transition at risk follows without the model
    seeing them. transitions_cut_short: how many transitions at risk that happens to.
    """
    records = cut_short = 0
    for chunk, _ in test.chunks(CHUNK_RECORDS):
        transitions = task.transitions(chunk)
        if not len(transitions):
            continue
        with blaming(spec.name, "unseen"):
            lost = model.unseen(model_view(chunk), transitions)
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
