"""Which transitions make the difference: the one test career worked by hand, and sums that hold for all inputs."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
from helpers.toys import Parameters, run_all, run_on
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.boards.transitions import DifferingTransitions, differing
from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.predictions import Predictions, load
from harness.records.slices import FIRST
from harness.registry import Registry
from harness.runs.execute import Workshop

# Of the four persons: with three added to each training count (2, 3, 0, 1) in place of one, the margin is
# (5, 6, 3, 4) / 18 in place of (3, 4, 1, 2) / 10. Test: d goes 0 -> 0 -> 3 -> 3 -> 1, in 2001, 2002, 2004 and 2005.
STAYS, TO_OUT, TO_CLERK = log(5 / 18 / 0.3), log(4 / 18 / 0.2), log(6 / 18 / 0.4)  # -0.077, +0.105, -0.182
NURSE, CLERK, OUT = "Registered nurses", "Office clerks", "Out of the labor force"


def said_by(
    registry: Registry, workshop: Workshop, panel: Panel, task: str = "next_occ"
) -> tuple[Predictions, Predictions]:
    pair = []
    for weight in (1.0, 3.0):
        [record] = run_all(run_on(registry, panel, task, params=Parameters(weight=weight)), workshop)
        pair.append(load(workshop.cache, record)["test"])
    return pair[0], pair[1]


def test_every_transition_of_a_career(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    found = differing(*said_by(registry, workshop, four_persons), most=5)
    assert [(t.person, t.year, t.age, t.origin, t.state) for t in found.for_other] == [
        ("d", 2002, "21 to 24", NURSE, OUT),
        ("d", 2004, "21 to 24", OUT, OUT),
    ]
    assert [(t.year, t.age, t.origin, t.state) for t in found.for_first] == [
        (2005, "21 to 24", OUT, CLERK),
        (2001, "18 to 20", NURSE, NURSE),
    ]
    assert [t.difference for t in found.for_other] == pytest.approx([TO_OUT, TO_OUT], abs=1e-6)
    assert [t.difference for t in found.for_first] == pytest.approx([TO_CLERK, STAYS], abs=1e-6)
    assert (found.for_first[0].p_first, found.for_first[0].p_other) == pytest.approx((0.4, 1 / 3))
    assert (found.better, found.worse) == (2, 2)
    assert (found.gained, found.lost) == pytest.approx((2 * TO_OUT, TO_CLERK + STAYS), abs=1e-6)
    assert found.total == pytest.approx(2 * TO_OUT + TO_CLERK + STAYS, abs=1e-6)
    assert found.kinds == 4
    assert [(k.origin, k.outcome, k.transitions) for k in found.kinds_for_first] == [(OUT, CLERK, 1), (NURSE, NURSE, 1)]


def test_at_most_so_many_each_way(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    found = differing(*said_by(registry, workshop, four_persons), most=1)
    assert [t.year for t in found.for_other + found.for_first] == [2002, 2005], "of equal ones, the earlier"
    assert len(found.kinds_for_other) == len(found.kinds_for_first) == 1
    assert found.kinds == 4


def test_kinds_of_a_binary_task_are_by_what_it_asks(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    """P(leaving a nurse's work) is 0.7, and 13/18; of staying out of the labor force 0.2, and 4/18."""
    found = differing(*said_by(registry, workshop, four_persons, "switch"), most=9)
    kinds = {(k.origin, k.outcome): k.difference for k in found.kinds_for_other + found.kinds_for_first}
    assert kinds == pytest.approx(
        {
            (NURSE, "no event"): STAYS,
            (NURSE, "event"): log(13 / 18 / 0.7),
            (OUT, "no event"): TO_OUT,
            (OUT, "event"): log(14 / 18 / 0.8),
        },
        abs=1e-6,
    )
    assert {(t.origin, t.state) for t in found.for_other + found.for_first} == {
        (NURSE, NURSE),
        (NURSE, OUT),
        (OUT, OUT),
        (OUT, CLERK),
    }


def test_weights_multiply(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    """A transition of weight zero is no transition, and one of weight two comes before one that differs more."""
    weight = np.ones(13)
    weight[9:] = [4.0, 0.5, 0.0, 1.0]
    found = differing(*said_by(registry, workshop, replace(four_persons, weight=weight)), most=5)
    assert [(t.year, t.weight) for t in found.for_first] == [(2001, 4.0), (2005, 1.0)]
    assert [t.difference for t in found.for_first] == pytest.approx([4 * STAYS, TO_CLERK], abs=1e-6)
    assert [(t.year, t.weight) for t in found.for_other] == [(2002, 0.5)]
    assert [k.difference for k in found.kinds_for_first] == pytest.approx([4 * STAYS, TO_CLERK], abs=1e-6)
    assert found.total == pytest.approx(4 * STAYS + 0.5 * TO_OUT + TO_CLERK, abs=1e-6)


def test_a_first_record_has_no_origin(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    task = registry.task("next_occ").with_entry(True)
    pair = []
    for weight in (1.0, 3.0):
        run = replace(run_on(registry, four_persons, params=Parameters(weight=weight)), tasks=(task,))
        [record] = run_all(run, workshop)
        pair.append(load(workshop.cache, record)["test"])
    found = differing(pair[0], pair[1], most=9)
    assert [(t.year, t.origin, t.state) for t in found.for_first if t.year == 2000] == [(2000, "first record", NURSE)]
    assert ("first record", NURSE) in {(k.origin, k.outcome) for k in found.kinds_for_first}


def test_what_the_cache_does_not_say_is_not_told(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    """Of a cache that is older than origins."""
    older = [
        replace(said, origin=None, state=None, titles=None, slicing=None)
        for said in said_by(registry, workshop, four_persons)
    ]
    found = differing(older[0], older[1], most=5)
    assert [(t.year, t.age, t.origin, t.state) for t in found.for_other] == [
        (2002, None, None, None),
        (2004, None, None, None),
    ]
    assert (found.kinds, found.kinds_for_other) == (0, ())


def test_other_transitions_are_refused(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    first, other = said_by(registry, workshop, four_persons)
    with pytest.raises(RequestError, match="not of the same transitions"):
        differing(first, replace(other, year=other.year + 1), most=5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Predictions, Predictions]:
    """Answers that two runs may give of transitions among three states, with weights or without."""
    n = draw(st.integers(1, 12))
    column = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    log_prob = st.lists(st.floats(-9, 0), min_size=n, max_size=n)
    weight = draw(st.none() | st.lists(st.floats(0, 5), min_size=n, max_size=n))
    first = Predictions(
        ids=np.array(["a"]),
        person=np.zeros(n, dtype=np.int64),
        year=np.arange(n, dtype=np.int32),
        log_prob=np.array(draw(log_prob)),
        weight=None if weight is None else np.array(weight),
        origin=np.array(draw(column), dtype=np.int32) - 1,
        state=np.array(draw(column), dtype=np.int32),
        titles=np.array(["x", "y", "z"]),
    )
    return first, replace(first, log_prob=np.array(draw(log_prob)))


@settings(max_examples=40)
@given(pairs())
def test_kinds_and_transitions_add_up(pair: tuple[Predictions, Predictions]) -> None:
    first, other = pair
    found = differing(first, other, most=100)
    gaps = (other.log_prob - first.log_prob) * first.counts()
    assert found.total == pytest.approx(gaps.sum(), abs=1e-9)
    assert found.gained + found.lost == pytest.approx(found.total, abs=1e-9)
    assert sum(t.difference for t in found.for_other) == pytest.approx(found.gained, abs=1e-9)
    assert sum(t.difference for t in found.for_first) == pytest.approx(found.lost, abs=1e-9)
    kinds = found.kinds_for_other + found.kinds_for_first
    assert sum(k.difference for k in kinds) == pytest.approx(found.total, abs=1e-9)
    assert len({(k.origin, k.outcome) for k in kinds}) == len(kinds)
    assert first.origin is not None
    assert first.state is not None
    titles = np.array(["x", "y", "z", FIRST])
    for kind in kinds:
        here = (titles[first.origin] == kind.origin) & (titles[first.state] == kind.outcome)
        counts = first.counts()[here]
        assert kind.p_first == pytest.approx((np.exp(first.log_prob[here]) * counts).sum() / counts.sum())
        assert kind.p_other == pytest.approx((np.exp(other.log_prob[here]) * counts).sum() / counts.sum())


@settings(max_examples=40)
@given(pairs())
def test_the_other_way_round_the_sides_change_places(pair: tuple[Predictions, Predictions]) -> None:
    there, back = differing(pair[0], pair[1], most=100), differing(pair[1], pair[0], most=100)

    def years(found: DifferingTransitions, other: bool) -> list[int]:
        return [t.year for t in (found.for_other if other else found.for_first)]

    assert years(there, True) == years(back, False)
    assert years(there, False) == years(back, True)
    assert there.total == pytest.approx(-back.total, abs=1e-12)
