"""Runs beside one another: levels worked by hand, Holm's rule for all inputs, and what must not be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest
from helpers.toys import Parameters, homeward, run_all, run_on
from hypothesis import given
from hypothesis import strategies as st

from harness.boards.compare import compare, names_of, require_comparable, slice_differences
from harness.errors import RequestError
from harness.panel.careers import Covariate, Panel
from harness.records.evidence import Part
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.stats import inference
from harness.stats.inference import holm

WEIGHTS = (1.0, 20.0, 1_000_000.0)  # added to each count: the last one's probabilities are all but equal


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Test persons of two genders, over 20 of each, all of whom go home again and again."""
    made = homeward(360)
    gender = np.repeat(np.arange(360) % 2, 12).astype(np.int32)
    return replace(made, covariates={"gender": Covariate("categorical", gender, ("female", "male"), fixed=True)})


@pytest.fixture(scope="module")
def records(registry: Registry, panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("comparing")
    workshop = Workshop(registry=registry, store=Store(folder / "results"), cache=folder / "cache")
    made = []
    for weight in WEIGHTS:
        made += run_all(run_on(registry, panel, params=Parameters(weight=weight)), workshop)
    return made


def test_differences_are_to_the_first_and_paired(records: Sequence[Record]) -> None:
    first, second, third = compare(records)
    assert first.difference is None
    for row, record in ((second, records[1]), (third, records[2])):
        sums = np.array(record.evidence.log_likelihood) - np.array(records[0].evidence.log_likelihood)
        assert row.difference is not None
        assert row.difference.value == pytest.approx(sums.sum() / sum(record.evidence.transitions))
        assert row.perplexity.value == pytest.approx(record.figures["perplexity"])
    [_, two] = inference.Resampled(
        np.column_stack([r.evidence.log_likelihood for r in records[:2]]), records[0].evidence.counted
    ).differences(0)
    assert second.difference is not None
    assert second.difference.low == pytest.approx(two.low)
    assert second.difference.p_adjusted is not None
    assert second.difference.p_adjusted >= (second.difference.p or 1)


def test_those_that_compete_are_ranked_by_their_figures(records: Sequence[Record]) -> None:
    truth = records[0].model_copy(update={"knows_truth": True})
    rows = compare([records[2], truth, records[1]])
    assert [row.rank for row in rows] == [2, None, 1]
    assert [row.in_confidence_set for row in rows] == [False, None, True]
    assert [row.tied for row in rows] == [(2, 2), None, (1, 1)]
    assert all(row.rank is None for row in compare(records[:2])), "of two, the p of their difference says it all"


def test_a_level_worked_by_hand(records: Sequence[Record]) -> None:
    """Groups of 1, 1 and 2 transitions differ by 0.5, 0 and 1 nats; one group is empty.

    The difference is 1.5 / 4; with each group left out 1/3, 1/2 and 1/4. Of t with two degrees of freedom,
    P(|T| > t) = 1 - t / sqrt(t² + 2), and the 97.5th percentile is 4.302653.
    """
    said = [[-1.0, -1.0, -2.0, 0.0], [-0.5, -1.0, -1.0, 0.0]]
    first, other = (
        record.model_copy(
            update={"slices": {"by": {"a": Part(persons=20, transitions=4, counted=[1, 1, 2, 0], log_likelihood=s)}}}
        )
        for record, s in zip(records[:2], said, strict=True)
    )
    [level] = slice_differences(first, other)
    gap = level.difference
    error = sqrt(2 / 3 * ((1 / 3 - 0.375) ** 2 + (1 / 2 - 0.375) ** 2 + (1 / 4 - 0.375) ** 2))
    assert gap is not None
    assert (gap.value, gap.standard_error) == pytest.approx((0.375, error))
    assert (gap.low, gap.high) == pytest.approx((0.375 - 4.302653 * error, 0.375 + 4.302653 * error), abs=1e-6)
    t = 0.375 / error
    assert gap.p == pytest.approx(1 - t / sqrt(t * t + 2))
    assert gap.p_adjusted == gap.p
    total = sum(first.evidence.transitions)
    assert (level.share, level.of_total) == pytest.approx((4 / total, 1.5 / total))


def test_levels_of_a_dimension_make_up_the_difference(records: Sequence[Record]) -> None:
    difference = compare(records[:2])[1].difference
    levels = slice_differences(records[0], records[1])
    assert {level.dimension for level in levels} >= {"gender", "decade", "origin group", "transition"}
    assert difference is not None
    for dimension in {level.dimension for level in levels}:
        of_it = [level for level in levels if level.dimension == dimension]
        assert sum(level.share for level in of_it) == pytest.approx(1)
        assert sum(level.of_total for level in of_it) == pytest.approx(difference.value, abs=1e-4)
        assert all(
            level.of_total == pytest.approx(level.share * level.difference.value) for level in of_it if level.difference
        )
    looked = [level.difference for level in levels if level.difference is not None]
    adjusted = holm(np.array([gap.p for gap in looked]))
    assert [gap.p_adjusted for gap in looked] == pytest.approx(adjusted.tolist()), (
        "for all levels, of whatever dimension"
    )
    [female, male] = slice_differences(records[0], records[1], "gender")
    assert (female.level, male.level) == ("female", "male")
    sexes = {level.level: level for level in levels if level.dimension == "gender"}
    assert female.difference is not None
    assert sexes["female"].difference is not None
    assert female.difference.value == sexes["female"].difference.value
    assert (female.difference.p_adjusted or 0) <= (sexes["female"].difference.p_adjusted or 0), "fewer were looked at"


def test_too_few_persons_have_no_interval(records: Sequence[Record]) -> None:
    few = Part(persons=19, transitions=40, counted=[20, 20], log_likelihood=[-1.0, -2.0])
    one_group = Part(persons=30, transitions=40, counted=[0, 40], log_likelihood=[0.0, -2.0])
    slices = {"by": {"a": few, "b": one_group}}
    first, other = (record.model_copy(update={"slices": slices}) for record in records[:2])
    assert [level.difference for level in slice_differences(first, other)] == [None, None]
    assert all(level.of_total == 0 for level in slice_differences(first, other))


def test_levels_that_count_otherwise_are_passed_over(records: Sequence[Record]) -> None:
    parts = [
        Part(persons=20, transitions=4, counted=counted, log_likelihood=[-1.0, -1.0]) for counted in ([2, 2], [1, 3])
    ]
    first, other = (
        record.model_copy(update={"slices": {"by": {"a": part}}})
        for record, part in zip(records[:2], parts, strict=True)
    )
    assert slice_differences(first, other) == ()


def test_a_dimension_that_is_not_there(records: Sequence[Record]) -> None:
    with pytest.raises(RequestError, match="no dimension of these records is called 'gander'; did you mean 'gender'"):
        slice_differences(records[0], records[1], "gander")
    assert slice_differences(records[0], records[1].model_copy(update={"slices": None})) == ()


def test_what_is_not_of_one_board_is_refused(registry: Registry, workshop: Workshop, records: Sequence[Record]) -> None:
    with pytest.raises(RequestError, match="two records or more"):
        compare(records[:1])
    with pytest.raises(RequestError, match=f"{records[0].id} is named twice"):
        compare([records[0], records[1], records[0]])
    [on_switch] = run_all(run_on(registry, homeward(360), "switch"), workshop)
    with pytest.raises(RequestError, match=r"switch version 1 on recall \w+\) and .* are not of one task on one panel"):
        require_comparable([records[0], on_switch])
    older = records[1].model_copy(
        update={"configuration": records[1].configuration.model_copy(update={"task_version": 0})}
    )
    with pytest.raises(RequestError, match="next_occ version 0"):
        require_comparable([records[0], older])


def test_runs_of_one_name_are_told_apart(records: Sequence[Record]) -> None:
    first, second, _ = records
    newer = first.model_copy(update={"id": "f" * 16})
    assert names_of([first, newer, second]) == [
        f"frequencies {first.id[:8]}",
        "frequencies ffffffff",
        "frequencies (weight=20.0)",
    ]


def test_holm_worked_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])).tolist() == [1, 1]
    assert holm(np.zeros(0)).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_what_its_steps_reject(p: list[float], level: float) -> None:
    """The rule as Holm states it: the smallest against level / m, the next against level / (m - 1), until one fails."""
    rejected = set()
    for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[i] * (len(p) - step) > level:
            break
        rejected.add(i)
    adjusted = holm(np.array(p))
    assert {i for i in range(len(p)) if adjusted[i] <= level} == rejected
    assert (adjusted >= np.array(p) - 1e-15).all()


def test_logs_of_two_margins(records: Sequence[Record]) -> None:
    """The last run's margin is all but 1/9 a state: its perplexity says so."""
    assert log(compare(records)[2].perplexity.value) == pytest.approx(log(9), abs=1e-3)
