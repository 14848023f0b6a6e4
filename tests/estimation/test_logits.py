"""Linear algebra of the logits: the inverse of a curvature."""

from __future__ import annotations

import numpy as np
import pytest

from harness.estimation.logits import inverse_of


@pytest.mark.parametrize("signs", [[1, 1, 1, 1], [1, 1, 1, -1]])  # Cholesky's way, and where it has none
def test_a_curvature_times_its_inverse_is_one(signs: list[int]) -> None:
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    curvature = basis @ np.diag(np.array(signs) * [1e-3, 1.0, 7.0, 1e4]) @ basis.T
    found = inverse_of(curvature)
    np.testing.assert_allclose(curvature @ found, np.eye(4), atol=1e-8)
    np.testing.assert_allclose(found, found.T, rtol=1e-9, atol=1e-9)


def test_a_curvature_without_an_inverse_is_told() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        inverse_of(np.zeros((3, 3)))
