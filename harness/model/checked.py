"""Ask a model, and check what it says: the one place where a broken contract is caught before it becomes a number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from harness.errors import HarnessError, RunError
from harness.model.contract import Estimator, Model, ModelSpec, OpenModel, OutcomeModel, Within
from harness.model.task import EachState, Event, Task
from harness.panel.careers import Panel
from harness.stats.figures import Scores
from harness.system.progress import Progress, Silent
from harness.types import FloatArray, IntArray

CHUNK_RECORDS = 20_000
SEARCHED_RECORDS = 1_000  # where a model weighs its rows: minutes, in which the bar should move
MASS_TRANSITIONS = 64
TOLERANCE = 1e-4


def score(
    spec: ModelSpec, model: Estimator, task: Task, test: Panel, progress: Progress | None = None, ranks: bool = True
) -> Scores:
    """Ask a model about every transition at risk in ``test``, in chunks of persons, and check what it says.

    ranks: ask for whole rows where the model has them, so that the place of what happened is known. What a transition
    counts for is kept beside the answers, and no model is shown it.
    """
    spec = spec if ranks else replace(spec, whole_rows=False)
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    weight, test = test.weight, replace(test, weight=None)
    size = SEARCHED_RECORDS if isinstance(model, OpenModel) else CHUNK_RECORDS
    with (progress or Silent()).bar(f"{spec.name}: {task.key}", test.n_records) as bar:
        for chunk, first in test.chunks(size):
            transitions = task.transitions(chunk)
            if len(transitions):
                answers = _ask(spec, model, task, chunk, transitions)
                columns["person"].append(test.person[first + transitions])
                if weight is not None:
                    columns["weight"].append(weight[first + transitions])
                for name, values in answers.items():
                    columns[name].append(values)
            bar.advance(chunk.n_records)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    nobody = {"log_prob": np.zeros(0), "person": np.zeros(0, dtype=np.int64)}
    return Scores(persons=test.n_persons, **(joined or nobody))


def _ask(spec: ModelSpec, model: Estimator, task: Task, chunk: Panel, transitions: IntArray) -> dict[str, Any]:
    partition = task.partition
    if isinstance(model, OpenModel):
        states = partition.ask(chunk, transitions)
        within = checked_within(spec, model, chunk, transitions, states)
        if within is not None:
            return _renormalised(task, chunk, transitions, within)
    if isinstance(partition, Event):
        happened = partition.happened(chunk, transitions)
        if isinstance(model, OutcomeModel):
            with named(spec.name, "log_event"):
                log_event = model.log_event(chunk, transitions)
            _check(spec, chunk, transitions, log_event[:, None], 1)
            log_event = log_event.astype(np.float64)
        else:
            states = partition.ask(chunk, transitions)
            log_event = partition.event(checked_log_prob(spec, model, chunk, transitions, states))
        return {
            "log_prob": partition.observed(log_event, happened),
            "log_event": log_event,
            "happened": happened,
        }
    states = partition.ask(chunk, transitions)
    if not (spec.whole_rows and isinstance(partition, EachState)):
        log_prob = checked_log_prob(spec, model, chunk, transitions, states)
        return {"log_prob": partition.outcome(chunk, transitions, log_prob)}
    rows = checked_log_prob(spec, model, chunk, transitions, whole_rows(chunk, transitions))
    return {
        "log_prob": partition.outcome(chunk, transitions, np.take_along_axis(rows, states, axis=1)),
        "rank": partition.rank(chunk, transitions, rows),
        "log_likeliest": partition.likeliest(chunk, transitions, rows),
    }


def _renormalised(task: Task, chunk: Panel, transitions: IntArray, within: Within) -> dict[str, Any]:
    """The answers for rows divided by their mass, and what was said before that."""
    partition = task.partition
    log_prob = np.minimum(within.log_prob - within.log_mass_high[:, None], 0.0)
    answers = {
        "log_prob": partition.outcome(chunk, transitions, log_prob),
        "log_prob_open": partition.outcome(chunk, transitions, within.log_prob),
        "mass_low": np.exp(within.log_mass_low),
        "mass_high": np.exp(within.log_mass_high),
    }
    if isinstance(partition, Event):
        answers["log_event"] = partition.event(log_prob)
        answers["happened"] = partition.happened(chunk, transitions)
    elif isinstance(partition, EachState):
        answers["rank"] = partition.rank(chunk, transitions, within.rows)
        closed = np.minimum(within.rows - within.log_mass_high[:, None], 0.0)
        answers["log_likeliest"] = partition.likeliest(chunk, transitions, closed)
    return answers


def whole_rows(panel: Panel, transitions: IntArray) -> IntArray:
    """int64 [n, K]: every state for every transition, without a copy for each."""
    return np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))


def checked_log_prob(
    spec: ModelSpec, model: Estimator, panel: Panel, transitions: IntArray, states: IntArray
) -> FloatArray:
    """What the model answers, or RunError naming the model and the first row that breaks the contract."""
    if not isinstance(model, Model):
        raise RunError(f"model '{spec.name}' was asked for the next state, and says nothing but how likely an event is")
    with named(spec.name, "log_prob"):
        answer = model.log_prob(panel, transitions, states)
    if not isinstance(answer, np.ndarray) or answer.shape != states.shape:
        shape = getattr(answer, "shape", type(answer).__name__)
        raise RunError(f"model '{spec.name}' was asked for log-probabilities {states.shape} and returned {shape}")
    _check(spec, panel, transitions, answer, panel.n_states)
    return answer


def checked_within(
    spec: ModelSpec, model: OpenModel, panel: Panel, transitions: IntArray, states: IntArray
) -> Within | None:
    """As ``checked_log_prob``, with the bounds on the mass of the rows; None where the model does not weigh them."""
    with named(spec.name, "within"):
        within = model.within(panel, transitions, states)
    if within is None:
        return None
    n, k = len(transitions), panel.n_states
    wanted = {"log_prob": states.shape, "log_mass_low": (n,), "log_mass_high": (n,), "rows": (n, k)}
    for name, shape in wanted.items():
        if np.shape(getattr(within, name)) != shape:
            raise RunError(f"model '{spec.name}' returned {name} {np.shape(getattr(within, name))}, not {shape}")
    _check(spec, panel, transitions, within.log_prob, k)
    low, high = within.log_mass_low[:, None], within.log_mass_high[:, None]
    _check(spec, panel, transitions, high, 0)
    _check(spec, panel, transitions, np.minimum(low - high, 0.0), 0)
    distinct = [np.unique(row, return_index=True)[1] for row in states]
    asked = np.array([np.exp(row[first]).sum() for row, first in zip(within.log_prob, distinct, strict=True)])
    bad = (low > high + TOLERANCE)[:, 0] | (asked > np.exp(high[:, 0]) + TOLERANCE)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        record = int(transitions[row])
        raise RunError(
            f"model '{spec.name}' broke the contract at person {panel.persons[panel.person[record]]}, year "
            f"{panel.year[record]}: its states hold {asked[row]:.6f}, its whole row between "
            f"{np.exp(low[row, 0]):.6f} and {np.exp(high[row, 0]):.6f}"
        )
    return within


def _check(spec: ModelSpec, panel: Panel, transitions: IntArray, answer: FloatArray, whole: int) -> None:
    def refuse(bad: Any, what: Callable[[int], str]) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            record = int(transitions[row])
            where = f"person {panel.persons[panel.person[record]]}, year {panel.year[record]}"
            raise RunError(f"model '{spec.name}' broke the contract at {where}: {what(row)}")

    refuse(~np.isfinite(answer).all(axis=1), lambda i: f"a log-probability is not finite ({answer[i].min()})")
    refuse((answer > TOLERANCE).any(axis=1), lambda i: f"a probability is above one (ln P = {answer[i].max():.6f})")
    if answer.shape[1] == whole and whole > 1:
        total = np.exp(answer.astype(np.float64)).sum(axis=1)
        low = 1 - TOLERANCE if spec.sums_to_one else 0.0
        refuse((total < low) | (total > 1 + TOLERANCE), lambda i: f"the row sums to {total[i]:.6f}")


def row_sums(
    spec: ModelSpec, model: Estimator, task: Task, test: Panel, size: int = MASS_TRANSITIONS
) -> tuple[FloatArray, FloatArray | None]:
    """float64 [s]: sums of whole rows at a seeded sample of the transitions, for rows that may sum to less than one.

    And what these transitions count for, float64 [s], where the panel has weights.
    """
    at_risk = task.transitions(test)
    chosen = np.sort(np.random.default_rng(0).choice(at_risk, min(size, len(at_risk)), replace=False))
    persons = np.unique(test.person[chosen])
    part = test.select(persons)
    shift = test.offsets[:-1][persons] - part.offsets[:-1]
    chosen = chosen - shift[np.searchsorted(persons, test.person[chosen])]
    rows = checked_log_prob(spec, model, replace(part, weight=None), chosen, whole_rows(part, chosen))
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
        with named(spec.name, "unseen"):
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


class named:  # noqa: N801 - reads as a statement
    """Say whose code failed: an exception of a model that is not written for the user becomes a RunError."""

    def __init__(self, name: str, step: str) -> None:
        self.name, self.step = name, step

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, HarnessError):
            what = f"{type(error).__name__}: {error}"
            raise RunError(f"model '{self.name}' failed in {self.step}: {what}") from error
