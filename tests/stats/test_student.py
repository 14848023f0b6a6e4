"""Student's t and the normal distribution against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri, stdtr, stdtrit

from harness.stats.student import normal_quantile, quantile, two_sided

T = np.concatenate([[1e-3, 0.01], np.linspace(0.05, 60, 1500), [1e3]])


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 19, 39, 40, 200])
def test_tails_are_those_of_scipy(freedom: int) -> None:
    """To a part in 10^12, however small they are."""
    np.testing.assert_allclose(two_sided(T, freedom), 2 * stdtr(freedom, -T), rtol=1e-12)


def test_ends() -> None:
    assert two_sided(np.array([0.0, np.inf]), 39).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 19, 39, 40, 200])
def test_quantiles_are_those_of_scipy(freedom: int) -> None:
    for probability in (0.75, 0.9, 0.975, 0.999):
        assert quantile(probability, freedom) == pytest.approx(float(stdtrit(freedom, probability)), rel=1e-14)


def test_quantiles_of_the_normal_distribution() -> None:
    at = (np.arange(2000) + 0.5) / 2000
    np.testing.assert_allclose([normal_quantile(p) for p in at.tolist()], ndtri(at), rtol=2e-15)
    assert quantile(0.975) == normal_quantile(0.975)
