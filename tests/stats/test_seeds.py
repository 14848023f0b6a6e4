"""Means over seeds: two variances added by hand, seeds that change nothing, intervals that hold what they should."""

from __future__ import annotations

from dataclasses import astuple
from math import exp, sqrt

import numpy as np
import pytest

from harness.stats.confidence_set import confidence_set
from harness.stats.inference import Resampled
from harness.stats.jackknife import jackknifed
from harness.stats.seeds import interaction, variance_beyond_persons

PERSONS = 120
ONCE = np.ones(PERSONS, dtype=np.int64)
T_1, T_2 = 12.7062, 4.3027  # 97.5% quantiles of Student's t with one and two degrees of freedom


@pytest.fixture
def persons() -> np.ndarray:
    return -2 + 0.5 * np.random.default_rng(3).standard_normal(PERSONS)


def test_seeds_add_what_persons_do_not_explain() -> None:
    """Of -1 and -1.2 the mean square is .02; less .004 for persons, over two seeds, .008; never below zero."""
    assert variance_beyond_persons(np.array([-1.0, -1.2]), 0.004) == pytest.approx(0.008)
    assert variance_beyond_persons(np.array([-1.0, -1.2]), 0.05) == 0
    assert variance_beyond_persons(np.array([-1.0]), 0.0) == 0
    # Distances move from (.1, -.1) to (.3, -.3), by .2 each way; and where all seeds move alike, by nothing.
    moved = interaction(np.array([-1.0, -1.2]), np.array([[-0.7, -1.3], [-1.5, -1.7]]))
    assert moved.tolist() == pytest.approx([0.08, 0.0])


@pytest.mark.parametrize(("shifts", "t"), [((-0.1, 0.1), T_1), ((-0.1, 0.0, 0.1), T_2)])
def test_variances_add_where_seeds_favour_nobody(persons: np.ndarray, shifts: tuple[float, ...], t: float) -> None:
    """Each seed is better or worse for all alike, so that persons explain nothing of what is between seeds."""
    [alone] = Resampled(persons[:, None], ONCE).perplexities()
    [over] = Resampled(persons[:, None] + np.array(shifts), ONCE, model=[0] * len(shifts)).perplexities()
    of_seeds = float(np.var(shifts, ddof=1)) / len(shifts)
    assert over.value == pytest.approx(alone.value, rel=1e-12)
    assert over.standard_error**2 == pytest.approx(alone.standard_error**2 + over.value**2 * of_seeds, rel=1e-9)
    margin = sqrt((1.96 * alone.standard_error / alone.value) ** 2 + t**2 * of_seeds)
    assert over.low == pytest.approx(over.value * exp(-margin), rel=0.06)
    assert over.high == pytest.approx(over.value * exp(margin), rel=0.06)


def test_a_difference_has_the_seeds_of_both(persons: np.ndarray) -> None:
    other = persons + 0.05 * np.random.default_rng(4).standard_normal(PERSONS)
    [_, alone] = Resampled(np.column_stack([persons, other]), ONCE).differences(0)
    a, b = np.array([-0.1, 0.1]), np.array([-0.03, 0.01, 0.02])
    columns = np.column_stack([persons[:, None] + a, other[:, None] + b])
    [own, over] = Resampled(columns, ONCE, model=[0, 0, 1, 1, 1]).differences(0)
    expected = alone.standard_error**2 + a.var(ddof=1) / 2 + b.var(ddof=1) / 3
    assert over.value == pytest.approx(alone.value, abs=1e-12)
    assert over.standard_error**2 == pytest.approx(expected, rel=1e-9)
    assert astuple(own) == (0, 0, 0, 0, 1, 1)


def test_seeds_that_change_nothing_change_nothing(persons: np.ndarray) -> None:
    other = persons - 0.02 + 0.1 * np.random.default_rng(5).standard_normal(PERSONS)
    single = Resampled(np.column_stack([persons, other]), ONCE)
    several = Resampled(np.column_stack([persons] * 3 + [other] * 2), ONCE, model=[0, 0, 0, 1, 1])
    for one, same in zip(single.perplexities(), several.perplexities(), strict=True):
        assert astuple(same)[:4] == pytest.approx(astuple(one)[:4], rel=1e-12)
    assert astuple(several.differences(0)[1]) == pytest.approx(astuple(single.differences(0)[1]), rel=1e-9)
    assert confidence_set(several).p.tolist() == confidence_set(single).p.tolist()
    sums = np.random.default_rng(6).standard_normal((2, 10)) - 5
    counted = np.full(10, 4.0)
    once, thrice = jackknifed(sums, counted), jackknifed(sums[[0, 0, 1]], counted, model=[0, 0, 1])
    for alone, repeated in zip(once, thrice, strict=True):
        assert [astuple(e)[:4] for e in repeated] == [pytest.approx(astuple(e)[:4], abs=1e-12) for e in alone]


def test_the_order_of_seeds_and_models_is_nothing(persons: np.ndarray) -> None:
    fits = persons[:, None] + 0.2 * np.random.default_rng(7).standard_normal((PERSONS, 5))
    one = Resampled(fits, ONCE, model=[0, 0, 0, 1, 1])
    other = Resampled(fits[:, [4, 2, 0, 3, 1]], ONCE, model=[0, 1, 1, 0, 1])
    assert other.perplexities() == one.perplexities()[::-1]
    assert other.differences(1)[0].standard_error == one.differences(0)[1].standard_error
    [some] = one.only([1]).perplexities()
    assert astuple(some)[:4] == pytest.approx(astuple(one.perplexities()[1])[:4], rel=1e-12)


def test_slices_add_the_two_variances_as_boards_do() -> None:
    """Two seeds a tenth of a nat apart in every group: V / S is .01 / 2 / 2."""
    sums, counted = np.random.default_rng(8).standard_normal(10) - 20, np.full(10, 10.0)
    alone, _ = jackknifed(sums[None], counted)
    over, _ = jackknifed(np.vstack([sums - 0.5, sums + 0.5]), counted, model=[0, 0])
    variance = (alone[0].standard_error / alone[0].value) ** 2
    assert over[0].standard_error / over[0].value == pytest.approx(sqrt(variance + 0.0025), rel=1e-9)
    margin = sqrt(2.2622**2 * variance + T_1**2 * 0.0025)  # t with nine degrees of freedom
    assert over[0].high == pytest.approx(over[0].value * exp(margin), rel=1e-4)


def test_intervals_hold_the_mean_over_persons_and_seeds() -> None:
    """Where seeds differ as much as persons' chance does, persons alone hold it far less often than in 95 of 100."""
    generator, held, alone = np.random.default_rng(9), 0, 0
    for _ in range(100):
        fits = -3 + generator.standard_normal((60, 1)) + 0.2 * generator.standard_normal(3)
        fits += generator.standard_normal((60, 3))
        drawn = [Resampled(x, np.ones(60, np.int64), None, 200, model=[0] * x.shape[1]) for x in (fits, fits[:, :1])]
        [over], [one] = (of.perplexities() for of in drawn)
        held += over.low <= exp(3) <= over.high
        alone += one.low <= exp(3) <= one.high
    assert held >= 90
    assert alone < held
