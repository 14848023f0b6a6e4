"""Limits that no honest forecast passes: how often the truth's are passed by chance, and where the others lie."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.figures import Evidence
from harness.stats.plausibility import (
    certainty,
    loss_left,
    loss_of_shares,
    odds_against_truth,
    surprises_left,
)
from harness.types import FloatArray

PERSONS = 200


def evidence(log_likelihood: FloatArray, n: int = 10, **more: object) -> Evidence:
    """Of persons with ten transitions each."""
    persons = len(log_likelihood)
    ids = tuple(str(i) for i in range(persons))
    return Evidence(ids=ids, transitions=np.full(persons, n), log_likelihood=log_likelihood, **more)  # type: ignore[arg-type]


def test_honest_forecasts_beat_the_truth_once_in_a_thousand_times_at_most() -> None:
    """Of 4,000 worlds: forecasts near the truth, whose luck is the largest, and bold ones."""
    random, worlds = np.random.default_rng(0), 4_000
    for noise in (0.1, 0.5):
        truth = random.dirichlet(np.ones(4), size=(40, 1)).repeat(worlds, axis=1)
        outcome = (random.random((40, worlds, 1)) > truth.cumsum(axis=2)).sum(axis=2).clip(max=3)
        said = truth * np.exp(noise * random.standard_normal(truth.shape))
        said /= said.sum(axis=2, keepdims=True)
        of = np.take_along_axis(np.stack([said, truth]), outcome[None, :, :, None], axis=3)[..., 0]
        gap = np.log(of[0] / of[1]).sum(axis=0)
        found = [odds_against_truth(evidence(np.array([g])), evidence(np.zeros(1)), None) for g in gap]
        assert sum(one is not None for one in found) <= 0.001 * worlds + 3 * np.sqrt(0.001 * worlds)
    assert odds_against_truth(evidence(np.array([6.95])), evidence(np.zeros(1)), None) == 6.95
    assert odds_against_truth(evidence(np.array([6.85])), evidence(np.zeros(1)), None) is None


def test_of_a_weighted_panel_the_error_decides() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(-20, 3, PERSONS)
    weight = random.uniform(0.5, 1.5, PERSONS) * 10
    for gain, passed in ((0.1, False), (2.0, True), (-2.0, False)):
        claimed = truth + random.normal(gain, 3, PERSONS)
        found = odds_against_truth(evidence(claimed, weight=weight), evidence(truth, weight=weight), None)
        assert (found is not None) == passed


@pytest.mark.parametrize(("share", "passed"), [(0.6, True), (0.66, False), (0.7, False), (1.0, False)])
def test_a_third_of_the_loss_is_more_than_any_model_knows_beyond_the_best(share: float, passed: bool) -> None:
    random = np.random.default_rng(2)
    reference = -random.gamma(20, 1, PERSONS)
    claimed = reference * share + random.normal(0, 1, PERSONS)
    found = loss_left(evidence(claimed), evidence(reference), None)
    assert found is not None
    assert found.claimed / found.reference == pytest.approx(share, abs=0.02)
    assert found.passed == passed
    assert loss_left(evidence(claimed[:19]), evidence(reference[:19]), None) is None, "of 19 persons nothing is said"


@pytest.mark.parametrize(("misses", "passed"), [(0, True), (1, True), (2, False), (3, False)])
def test_half_of_the_surprises(misses: int, passed: bool) -> None:
    random = np.random.default_rng(3)
    noise = random.integers(0, 2, PERSONS)
    reference = evidence(np.full(PERSONS, -20.0), top_1=10 - 3 - noise)
    claimed = evidence(np.full(PERSONS, -20.0), top_1=np.full(PERSONS, 10 - misses))
    found = surprises_left(claimed, reference, None)
    assert found is not None
    assert (found.claimed, found.reference, found.passed) == pytest.approx((misses / 10, 0.35, passed), abs=0.01)
    assert surprises_left(evidence(np.full(PERSONS, -20.0)), reference, None) is None


def event(cells: list[int], events: list[int], others: list[int], persons: int = PERSONS) -> Evidence:
    columns = {"cells": np.array(cells), "event_counts": np.array(events), "other_counts": np.array(others)}
    n = (sum(events) + sum(others)) // persons
    return evidence(np.full(persons, -1.0), n=n, brier=np.zeros(persons), **columns)


def test_pairs_of_an_event_and_none() -> None:
    reference = event([1000, 5000], [100, 100], [1400, 400])
    claimed = event([1000, 9000], [2, 198], [1790, 10])
    found = surprises_left(claimed, reference, None)
    assert found is not None
    assert found.reference == pytest.approx(1 - (0.5 * 7 / 9 / 2 + 0.5 * (7 / 9 + 2 / 9 / 2)))
    assert found.passed
    same = surprises_left(reference, reference, None)
    assert same is not None
    assert not same.passed
    few = surprises_left(event([1000, 9000], [1, 3], [36, 0], 20), event([1000, 5000], [2, 2], [28, 8], 20), None)
    assert few is not None
    assert not few.passed, "of four events nothing is certain"


def test_sure_and_right() -> None:
    reference = event([300, 1000, 5000], [0, 100, 100], [200, 1200, 400])
    right = event([5, 9995], [0, 200], [1800, 0])
    often_wrong = event([5, 9995], [40, 160], [1790, 10])
    unsure = event([1500, 8500], [0, 200], [1800, 0])
    found = {
        name: certainty(one, reference) for name, one in (("right", right), ("wrong", often_wrong), ("no", unsure))
    }
    assert {name: one.passed for name, one in found.items() if one} == {"right": True, "wrong": False, "no": False}
    assert found["right"] is not None
    assert (found["right"].sure, found["right"].wrong, found["right"].reference) == pytest.approx((1.0, 0.0, 0.75))
    assert certainty(right, evidence(np.full(PERSONS, -20.0))) is None
    smoothed = certainty(event([50, 9950], [0, 1000], [1000, 0]), event([200, 9800], [0, 1000], [1000, 0]))
    assert smoothed is not None
    assert not smoothed.passed, "who is sure where the checked model is passes nothing"


def test_the_loss_of_who_knows_shares_alone() -> None:
    whole = evidence(np.full(PERSONS, -20.0))
    assert loss_of_shares(whole, 0.5, 3) == pytest.approx(np.log(2) + 0.5 * np.log(2))
    assert loss_of_shares(whole, 0.0, 9) == pytest.approx(np.log(8))
    assert loss_of_shares(whole, None, 9) is None
    assert loss_of_shares(event([5000], [500], [1500]), None, 9) == pytest.approx(
        -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    )
