"""Likelihoods of every task, worked by hand, and the rules that tie tasks to state probabilities."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.task import EachState, Event, Task, log_rest, log_sum
from harness.panel.careers import Panel
from harness.panel.occupations import Status
from harness.registry import load_registry


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return load_tasks()


# P(next state | origin) of a model that looks no further back; rows are origins. Each row sums to one.
ROWS = np.array(
    [
        [0.5, 0.2, 0.1, 0.2],
        [0.1, 0.6, 0.1, 0.2],
        [0.1, 0.3, 0.4, 0.2],
        [0.05, 0.15, 0.1, 0.7],
    ]
)


def log_likelihood(task: Task, panel: Panel) -> list[float]:
    transitions = task.transitions(panel)
    states = task.partition.ask(panel, transitions)
    rows = np.log(ROWS)[panel.origin(transitions)]
    outcome = task.partition.outcome(panel, transitions, np.take_along_axis(rows, states, axis=1))
    return [float(value) for value in outcome]


# Person d goes nurse -> nurse -> out -> out (two years later) -> clerk.
BY_HAND = {
    "next_occ": [log(0.5), log(0.2), log(0.7), log(0.15)],
    "switch": [log(0.5), log(1 - 0.5), log(0.7), log(1 - 0.7)],
    "lf_exit": [log(1 - 0.2), log(0.2)],  # from nurse twice; whoever is out is not at risk
    "next_occ_switchers": [log(0.2 / (1 - 0.5)), log(0.15 / (1 - 0.7))],
}


@pytest.mark.parametrize("name", BY_HAND)
def test_worked_by_hand(name: str, tasks: dict[str, Task], four_persons: Panel) -> None:
    assert log_likelihood(tasks[name], four_persons.part("test")) == pytest.approx(BY_HAND[name], abs=1e-12)


def test_every_task_is_worked_by_hand(tasks: dict[str, Task]) -> None:
    assert set(BY_HAND) == set(tasks)


def test_all_four_persons(tasks: dict[str, Task], four_persons: Panel) -> None:
    # a: nurse nurse clerk; b: clerk out clerk; c: unemployed clerk
    others = [log(0.5), log(0.2), log(0.2), log(0.15), log(0.3)]
    assert log_likelihood(tasks["next_occ"], four_persons) == pytest.approx(others + BY_HAND["next_occ"])


def test_entry_adds_each_first_record(tasks: dict[str, Task], four_persons: Panel) -> None:
    entry = tasks["next_occ"].with_entry(True)
    added = np.setdiff1d(entry.transitions(four_persons), tasks["next_occ"].transitions(four_persons))
    assert added.tolist() == four_persons.entries.tolist()
    assert entry.key != tasks["next_occ"].key
    assert four_persons.origin(added).tolist() == [-1, -1, -1, -1]


@pytest.mark.parametrize("name", ["switch", "lf_exit", "next_occ_switchers"])
def test_entry_is_refused_where_an_origin_is_needed(name: str, tasks: dict[str, Task]) -> None:
    with pytest.raises(ValueError, match="first record"):
        tasks[name].with_entry(True)


def test_lf_exit_is_empty_where_nobody_can_leave(tasks: dict[str, Task], four_persons: Panel) -> None:
    statuses = (Status.EMPLOYED, Status.EMPLOYED, Status.UNEMPLOYED, Status.EDUCATION)
    panel = replace(four_persons, occupations=replace(four_persons.occupations, statuses=statuses))
    assert len(tasks["lf_exit"].transitions(panel)) == 0


def test_joint_status_counts_as_leaving_and_education_does_not(tasks: dict[str, Task], four_persons: Panel) -> None:
    statuses = (Status.EMPLOYED, Status.EDUCATION, Status.EMPLOYED, Status.OUT_OR_UNEMPLOYED)
    panel = replace(four_persons, occupations=replace(four_persons.occupations, statuses=statuses))
    task = tasks["lf_exit"]
    assert isinstance(task.partition, Event)
    transitions = task.transitions(panel)
    happened = task.partition.happened(panel, transitions)
    # nurse->nurse, nurse->education, unemployed(now employed)->education, nurse->nurse, nurse->out
    assert happened.tolist() == [False, False, False, False, True]


probabilities = st.lists(st.floats(1e-6, 1.0), min_size=4, max_size=4).map(lambda v: np.array(v) / sum(v))


@given(st.lists(probabilities, min_size=4, max_size=4))
def test_coarsening_equals_summing(rows: list[np.ndarray]) -> None:
    """P(event) read from few states is the sum over a whole row; the two outcomes add up to one."""
    panel = _panel()
    log_rows = np.log(np.array(rows))[panel.origin(panel.transitions)]
    for name, inside in {"switch": panel.origin(panel.transitions)[:, None], "lf_exit": np.full((6, 1), 3)}.items():
        partition = load_tasks()[name].partition
        assert isinstance(partition, Event)
        asked = partition.ask(panel, panel.transitions)
        event = np.exp(partition.event(np.take_along_axis(log_rows, asked, axis=1)))
        summed = np.exp(np.take_along_axis(log_rows, inside, axis=1)).sum(axis=1)
        expected = 1 - summed if name == "switch" else summed
        np.testing.assert_allclose(event, expected, atol=2e-7)


@given(probabilities)
def test_switchers_outcomes_sum_to_one(row: np.ndarray) -> None:
    """Renormalised without the origin, the remaining outcomes are a distribution."""
    panel = _panel()
    origin = panel.origin(panel.transitions)[:1]
    total = 0.0
    for state in set(range(4)) - set(origin.tolist()):
        state_of_target = panel.state.copy()
        state_of_target[panel.transitions[0]] = state
        changed = replace(panel, state=state_of_target)
        asked = np.log(row)[[[state, origin[0]]]]
        total += exp(EachState(given_switch=True).outcome(changed, panel.transitions[:1], asked)[0])
    assert total == pytest.approx(1, abs=1e-6)


@given(st.floats(-700, -1e-7))
def test_log_rest_is_the_other_side(log_prob: float) -> None:
    both = exp(log_prob) + exp(log_rest(np.array([log_prob]))[0])
    assert both == pytest.approx(1, abs=2**-24)


def test_a_stay_is_priced_as_the_model_priced_it_however_small(tasks: dict[str, Task]) -> None:
    """P(stay) = e^-40 is asked for and known; P(leave) is what is left of one, and has the floor of a float32."""
    panel = _panel()
    at = panel.transitions
    for log_stay in (-40.0, -1e-12):
        asked = np.full((len(at), 1), log_stay)
        found = tasks["switch"].partition.outcome(panel, at, asked)
        stays = panel.state[at] == panel.origin(at)
        assert stays.any()
        assert not stays.all()
        np.testing.assert_allclose(found[stays], log_stay, rtol=1e-12)
        left = -exp(log_stay) if log_stay == -40.0 else -24 * log(2)
        np.testing.assert_allclose(found[~stays], left, rtol=1e-6)


def test_a_certain_model_that_errs_is_priced_finitely() -> None:
    assert log_rest(np.array([0.0], dtype=np.float32))[0] == pytest.approx(-24 * log(2))


def test_log_sum_never_passes_one() -> None:
    assert log_sum(np.log(np.array([[0.7, 0.3 + 1e-9]])))[0] <= 0


def test_rank_counts_ties_half() -> None:
    panel = _panel()
    rank = EachState().rank(panel, panel.transitions, np.zeros((6, 4)))
    assert rank.tolist() == [3] * 6  # three others tie: the middle of 1..4, rounded against the model


def test_rank_given_a_switch_leaves_out_the_origin() -> None:
    panel = _panel()
    rows = np.log(np.tile([0.4, 0.3, 0.2, 0.1], (6, 1)))
    rank = EachState(given_switch=True).rank(panel, panel.transitions, rows)
    assert rank[1] == 1  # nurse -> clerk: only nurse is likelier, and it is the origin


@cache
def load_tasks() -> dict[str, Task]:
    return {name: entry.item for name, entry in load_registry().tasks.items()}


def _panel() -> Panel:
    """Careers a, b and c of the hand-worked panel, with one more year for c."""
    from harness.panel.occupations import Occupations

    lengths = [3, 3, 3]
    return Panel(
        name="three",
        persons=np.array(["a", "b", "c"]),
        offsets=np.array([0, 3, 6, 9]),
        year=np.tile([2000, 2001, 2002], 3),
        state=np.array([0, 0, 1, 1, 3, 1, 2, 1, 1]),
        occupations=Occupations(
            ("n", "c", "u", "o"),
            ("N", "C", "U", "O"),
            ("1", "2", "3", "4"),
            (Status.EMPLOYED, Status.EMPLOYED, Status.UNEMPLOYED, Status.OUT),
        ),
        split=np.zeros(len(lengths), dtype=np.int8),
    )
