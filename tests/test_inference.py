"""Standard errors against formulas and against the plain loop they replace."""

from __future__ import annotations

import numpy as np
import pytest

from harness import inference


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


def test_equals_the_plain_loop(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    generator = np.random.default_rng([inference.SEED, 400])
    replicates = []
    for _ in range(50):
        drawn = generator.integers(0, 400, size=400, dtype=np.int32)
        replicates.append(np.exp(-log_likelihood[drawn].sum() / transitions[drawn].sum()))
    estimate = inference.perplexity(log_likelihood, transitions, replicates=50)
    assert estimate.standard_error == pytest.approx(np.std(replicates, ddof=1))


def test_persons_are_the_unit(sums: tuple[np.ndarray, np.ndarray]) -> None:
    """The same transitions in fewer, larger clusters are less certain."""
    log_likelihood, transitions = sums
    fine = inference.perplexity(log_likelihood, transitions)
    lumps = np.arange(400) // 20
    order = np.argsort(log_likelihood / transitions)  # alike persons together
    coarse = inference.perplexity(
        np.bincount(lumps, log_likelihood[order]), np.bincount(lumps, transitions[order]).astype(int)
    )
    assert coarse.standard_error > 2 * fine.standard_error


def test_differences_are_paired(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    better = log_likelihood + 0.01 * transitions
    [estimate] = inference.differences(better[:, None], log_likelihood, transitions)
    assert estimate.value == pytest.approx(0.01)
    assert estimate.standard_error < 1e-9  # the persons' own spread drops out
    assert estimate.p == pytest.approx(0)


def test_no_difference_has_a_large_p(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    [same] = inference.differences(log_likelihood[:, None], log_likelihood, transitions)
    assert (same.value, same.p) == (0, 1)


def test_every_model_meets_the_same_draws(sums: tuple[np.ndarray, np.ndarray]) -> None:
    log_likelihood, transitions = sums
    together = inference.perplexities(np.column_stack([log_likelihood, 2 * log_likelihood]), transitions)
    alone = inference.perplexity(log_likelihood, transitions)
    assert (together[0].value, together[0].standard_error) == pytest.approx((alone.value, alone.standard_error))


def test_batches_change_nothing(sums: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    log_likelihood, transitions = sums
    whole = inference.perplexity(log_likelihood, transitions)
    monkeypatch.setattr(inference, "BATCH_CELLS", 401)
    in_parts = inference.perplexity(log_likelihood, transitions)
    assert in_parts.standard_error == pytest.approx(whole.standard_error)
