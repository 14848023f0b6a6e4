"""Standard errors against formulas, p-values against the procedures they are named after, step by step."""

from __future__ import annotations

from dataclasses import astuple
from math import erfc, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RequestError
from harness.stats import inference
from harness.stats.inference import SurveyDesign


@pytest.fixture(scope="module")
def sums() -> tuple[np.ndarray, np.ndarray]:
    """400 persons' log-likelihood sums and transition counts."""
    generator = np.random.default_rng(3)
    transitions = generator.integers(1, 30, size=400)
    return -2.0 * transitions - generator.normal(0, 3, size=400), transitions


def test_standard_error_is_that_of_the_ratio_estimator(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    mean = log_likelihood.sum() / transitions.sum()
    residual = log_likelihood - mean * transitions  # linearised: Cochran (1977), eq. 6.13
    error_of_mean = np.sqrt((residual**2).sum()) / transitions.sum()
    estimate = inference.perplexity(log_likelihood, transitions, replicates=4000)
    assert estimate.value == pytest.approx(np.exp(-mean))
    assert estimate.standard_error == pytest.approx(np.exp(-mean) * error_of_mean, rel=0.05)
    assert estimate.low < estimate.value < estimate.high


def test_persons_are_the_unit(sums: tuple[np.ndarray, np.ndarray]) -> None:
    """The same transitions in fewer, larger clusters are less certain."""
    log_likelihood, transitions = sums
    fine = inference.perplexity(log_likelihood, transitions)
    lumps = np.arange(400) // 20
    order = np.argsort(log_likelihood / transitions)  # alike persons together
    coarse = inference.perplexity(
        np.bincount(lumps, log_likelihood[order]).astype(float), np.bincount(lumps, transitions[order]).astype(int)
    )
    assert coarse.standard_error > 2 * fine.standard_error


def test_differences_are_paired(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    better = log_likelihood + 0.01 * transitions
    [estimate] = inference.differences(better[:, None], log_likelihood, transitions)
    assert estimate.value == pytest.approx(0.01)
    assert estimate.standard_error < 1e-9  # the persons' own spread drops out
    assert estimate.p == 1 / 2001  # as small as 2,000 replicates can say


def test_no_difference_has_a_large_p(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    [same] = inference.differences(log_likelihood[:, None], log_likelihood, transitions)
    assert (same.value, same.p) == (0, 1)


def test_every_model_meets_the_same_draws(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    together = inference.perplexities(np.column_stack([log_likelihood, 2 * log_likelihood]), transitions)
    assert together[0] == inference.perplexity(log_likelihood, transitions)


def test_an_interval_is_that_of_the_replicates(sums: tuple[np.ndarray, np.ndarray]) -> None:
    """exp(-mean) of each replicate, and its 2.5% and 97.5% quantiles."""
    log_likelihood, transitions = sums
    drawn = inference.resampled_sums(np.column_stack([log_likelihood, transitions]))
    replicates = np.exp(-drawn[:, 0] / drawn[:, 1])
    estimate = inference.perplexity(log_likelihood, transitions)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(replicates, [0.025, 0.975])), rel=1e-9)
    assert estimate.standard_error == pytest.approx(replicates.std(ddof=1), rel=1e-9)


@pytest.fixture(scope="module")
def models() -> tuple[np.ndarray, np.ndarray]:
    """Seven models of 250 persons, some alike and some not; two are the same."""
    generator = np.random.default_rng(11)
    transitions = generator.integers(1, 30, size=250)
    level = -2 + np.array([0, -0.004, -0.01, 0.01, -0.03, -0.03, 0.002])
    spread = np.array([0.05, 0.05, 0.1, 0.02, 0.1, 0.1, 0.2])
    mean = level + generator.normal(0, 0.4, (250, 1)) + generator.normal(0, 1, (250, 7)) * spread
    mean[:, 5] = mean[:, 4]
    return mean * transitions[:, None], transitions


def test_p_is_that_of_the_normal_where_it_is_large_enough(models: tuple[np.ndarray, np.ndarray]) -> None:
    """250 persons are many: the bootstrap's shape is the normal one."""
    for estimate in inference.differences(models[0][:, 1:], models[0][:, 0], models[1]):
        assert estimate.p is not None
        normal = erfc(abs(estimate.value) / estimate.standard_error / sqrt(2))
        assert estimate.p == pytest.approx(normal, abs=0.03)


def test_adjusted_p_is_romano_and_wolf_by_hand(models: tuple[np.ndarray, np.ndarray]) -> None:
    """Stepdown as it is written down: the largest t, then without its model, and so on."""
    drawn = inference.Resampled(*models)
    estimates = drawn.differences(0)
    gap = drawn.mean - drawn.mean[0]
    away = np.abs((drawn.means - drawn.means[:, [0]]) - gap)[:, 1:]
    error = np.sqrt((away**2).mean(axis=0))
    t, t_drawn = np.abs(gap[1:]) / error, away / error
    left, wanted, largest = list(range(6)), {}, 0.0
    while left:
        i = max(left, key=lambda j: t[j])
        count = sum(row[left].max() >= t[i] for row in t_drawn)
        largest = max(largest, (1 + count) / 2001)
        wanted[i] = largest
        left.remove(i)
    assert [estimate.p_adjusted for estimate in estimates[1:]] == pytest.approx([wanted[i] for i in range(6)])
    assert drawn.adjusted(0).tolist() == [estimate.p_adjusted for estimate in estimates]
    assert len(set(wanted.values())) > 3  # the case tells steps apart


def test_the_reference_differs_from_itself_by_nothing(models: tuple[np.ndarray, np.ndarray]) -> None:
    own = inference.Resampled(*models).differences(3)[3]
    assert own == inference.Estimate(0.0, 0.0, 0.0, 0.0, 1.0, 1.0)


def test_equal_models_have_equal_p(models: tuple[np.ndarray, np.ndarray]) -> None:
    estimates = inference.Resampled(*models).differences(0)
    assert estimates[4] == estimates[5]


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 40))
def test_adjustment_never_makes_a_p_smaller(seed: int, count: int, persons: int) -> None:
    generator = np.random.default_rng(seed)
    transitions = generator.integers(1, 9, persons)
    values = np.round(generator.normal(-2, 1, (persons, 1)) + generator.normal(0, 0.1, (persons, count)), 1)
    drawn = inference.Resampled(values * transitions[:, None], transitions, replicates=99)
    for reference in (0, count - 1):
        p, adjusted = np.array([(e.p, e.p_adjusted) for e in drawn.differences(reference)]).T
        assert (p >= 1 / 100).all()
        assert (p <= adjusted).all()
        assert (adjusted <= 1).all()
        gap = drawn.mean - drawn.mean[reference]
        error = np.sqrt(((drawn.means - drawn.means[:, [reference]] - gap) ** 2).mean(axis=0))
        for i in range(count):
            smaller = error * abs(gap[i]) > (1 + 1e-9) * np.abs(gap) * error[i]  # |t| smaller than that of i
            assert (adjusted[smaller] >= adjusted[i]).all()
        if count == 2:
            assert p.tolist() == adjusted.tolist()
        others = np.arange(count) != reference
        np.testing.assert_array_equal(drawn.pairwise()[reference, others], p[others])


def test_some_of_the_models_meet_the_draws_of_all(models: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = models
    drawn = inference.Resampled(log_likelihood, transitions)
    some, every = drawn.only([6, 0, 2]), drawn.perplexities()
    for told, i in zip(some.perplexities(), (6, 0, 2), strict=True):
        assert astuple(told)[:4] == pytest.approx(astuple(every[i])[:4], rel=1e-12)
    assert some.differences(1) == inference.Resampled(log_likelihood[:, [6, 0, 2]], transitions).differences(1)


def test_more_comparisons_ask_for_more(models: tuple[np.ndarray, np.ndarray]) -> None:
    drawn = inference.Resampled(*models)
    assert drawn.only([0, 2]).adjusted(0)[1] < drawn.adjusted(0)[2]


def test_one_person_alone_tells_nothing() -> None:
    """Replicates cannot vary, and would make every difference look certain."""
    drawn = inference.Resampled(np.array([[-3.0, -2.0], [0.0, 0.0]]), np.array([2, 0]))
    assert drawn.units == 1
    assert [e.p for e in drawn.differences(0)] == [1, 1]
    assert drawn.adjusted(0).tolist() == [1, 1]


def test_replicates_without_a_transition_are_left_out() -> None:
    """Two of ten persons have any: both are missed in a tenth of the replicates, and 0 / 0 is no perplexity."""
    transitions = np.array([3, 2, *[0] * 8])
    log_likelihood = np.array([-3.0, -4.0, *[0.0] * 8])
    drawn = inference.Resampled(log_likelihood[:, None], transitions)
    assert 0.87 < len(drawn.means) / 2000 < 0.91  # 1 - .8^10 = .893
    [estimate] = drawn.perplexities()
    assert (estimate.low, estimate.high) == pytest.approx((np.exp(1), np.exp(2)))


def test_nothing_at_risk_is_refused() -> None:
    with pytest.raises(RequestError, match="no transition is at risk"):
        inference.perplexity(np.zeros(4), np.zeros(4, dtype=int))


def test_a_design_widens_what_persons_alone_would_narrow(sums: tuple[np.ndarray, np.ndarray]) -> None:
    """Alike persons in one sampling unit, as in ``test_persons_are_the_unit``; and strata take out what they explain.

    One stratum of all persons is no different from none, but that one less is drawn.
    """
    log_likelihood, transitions = sums
    order = np.argsort(log_likelihood / transitions)
    log_likelihood, transitions = log_likelihood[order], transitions[order]
    lumps = np.arange(400) // 20
    by_unit = inference.perplexity(log_likelihood, transitions, design=SurveyDesign(lumps))
    summed = inference.perplexity(
        np.bincount(lumps, log_likelihood).astype(float), np.bincount(lumps, transitions).astype(int)
    )
    assert astuple(by_unit)[:4] == pytest.approx(astuple(summed)[:4])
    alone = inference.perplexity(log_likelihood, transitions)
    one_stratum = inference.perplexity(
        log_likelihood, transitions, design=SurveyDesign(np.arange(400), np.zeros(400, int))
    )
    assert one_stratum.standard_error == pytest.approx(alone.standard_error, rel=0.06)
    stratified = inference.perplexity(log_likelihood, transitions, design=SurveyDesign(np.arange(400), lumps))
    assert stratified.standard_error < alone.standard_error / 2
    [gap] = inference.differences(
        (log_likelihood * 1.01)[:, None], log_likelihood, transitions, design=SurveyDesign(lumps)
    )
    assert (
        gap.standard_error
        > 2 * inference.differences((log_likelihood * 1.01)[:, None], log_likelihood, transitions)[0].standard_error
    )
