"""Weights of an ensemble against closed forms, and against every other weights."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RunError
from harness.stats import mixture
from harness.stats.mixture import GAP, best_weights, log_mixture
from harness.types import FloatArray

# Two models of a coin: P(heads) = 0.8 and 0.2. A mixture says 0.2 + 0.6 w, so the share f of heads asks for
# w = (f - 0.2) / 0.6 where that is a weight, and for a model alone where it is not.
HEADS, TAILS = [log(0.8), log(0.2)], [log(0.2), log(0.8)]


def score(log_prob: FloatArray, counts: FloatArray, weights: FloatArray) -> float:
    """Mean ln P_mix, added up as the definition has it."""
    with np.errstate(divide="ignore"):
        return float(counts @ np.logaddexp.reduce(log_prob + np.log(weights), axis=1) / counts.sum())


@pytest.mark.parametrize(
    ("heads", "tails", "expected"), [(1, 1, 0.5), (7, 3, 5 / 6), (2, 3, 1 / 3), (9, 1, 1), (0, 4, 0)]
)
def test_two_models_of_a_coin(heads: int, tails: int, expected: float) -> None:
    found = best_weights(np.array([HEADS] * heads + [TAILS] * tails), np.ones(heads + tails))
    assert found.values == pytest.approx([expected, 1 - expected], abs=1e-6)
    assert 0 <= found.gap <= GAP


def test_a_weight_counts_as_so_many_transitions() -> None:
    plain = best_weights(np.array([HEADS] * 3 + [TAILS] * 2), np.ones(5))
    weighted = best_weights(np.array([HEADS, TAILS]), np.array([1.5, 1.0]))
    assert weighted.values == pytest.approx(plain.values, abs=1e-9)
    assert plain.values[0] == pytest.approx((3 / 5 - 0.2) / 0.6, abs=1e-6)


def test_a_transition_that_counts_for_nothing_is_not_looked_at() -> None:
    found = best_weights(np.array([HEADS, TAILS, HEADS]), np.array([1.0, 1.0, 0.0]))
    assert found.values == pytest.approx([0.5, 0.5], abs=1e-6)


def test_three_models_that_each_know_one_outcome() -> None:
    # Model m says 1 for outcome m and (nearly) 0 for the others: the best weights are the outcomes' shares.
    outcomes = np.repeat([0, 1, 2], [5, 3, 2])
    log_prob = np.where(outcomes[:, None] == np.arange(3), 0.0, -700.0)
    assert best_weights(log_prob, np.ones(10)).values == pytest.approx([0.5, 0.3, 0.2], abs=1e-9)


def test_one_run_gives_itself() -> None:
    log_prob = np.array([[-0.5], [-2.0]])
    found = best_weights(log_prob, np.ones(2))
    assert found.values.tolist() == [1.0]
    assert log_mixture(log_prob, found.values) == pytest.approx(log_prob[:, 0])


def test_a_mixture_by_hand() -> None:
    log_prob = np.log([[0.5, 0.1], [0.2, 0.6]])
    assert np.exp(log_mixture(log_prob, np.array([0.25, 0.75]))) == pytest.approx([0.2, 0.5])


def test_a_run_of_weight_zero_does_not_matter() -> None:
    assert log_mixture(np.array([[-1.0, -1e6]]), np.array([1.0, 0.0])) == pytest.approx([-1.0])


def test_a_mixture_of_what_no_float_holds() -> None:
    # e^-5000 is zero to a float; its logarithm is not
    assert log_mixture(np.array([[-5000.0, -5001.0]]), np.array([0.5, 0.5])) == pytest.approx(
        [-5000 + log((1 + np.exp(-1)) / 2)]
    )


tables = st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(0, 10_000)).map(
    lambda drawn: np.random.default_rng(drawn[2]).gumbel(-3, 2, size=drawn[:2]).clip(max=0)
)


@settings(max_examples=80)
@given(tables, st.integers(0, 1000))
def test_no_weights_do_better(log_prob: FloatArray, seed: int) -> None:
    generator = np.random.default_rng(seed)
    counts = generator.exponential(size=len(log_prob))
    found = best_weights(log_prob, counts)
    assert found.values.min() >= 0
    assert found.values.sum() == pytest.approx(1, abs=1e-12)
    best = score(log_prob, counts, found.values)
    others = [*np.eye(log_prob.shape[1]), *generator.dirichlet(np.full(log_prob.shape[1], 0.5), size=50)]
    near = [0.999 * found.values + 0.001 * other for other in others]
    assert best >= max(score(log_prob, counts, other) for other in others + near) - 2 * GAP


@settings(max_examples=40)
@given(tables)
def test_a_run_twice_and_a_useless_one_do_no_harm(log_prob: FloatArray) -> None:
    counts = np.ones(len(log_prob))
    alone = best_weights(log_prob, counts)
    worse = log_prob.min(axis=1, keepdims=True) - 1.0
    crowd = np.column_stack([log_prob, log_prob, worse])
    found = best_weights(crowd, counts)
    assert score(crowd, counts, found.values) == pytest.approx(score(log_prob, counts, alone.values), abs=2 * GAP)
    assert found.values[-1] <= 1e-6


def test_scipy_finds_no_more() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    generator = np.random.default_rng(3)
    log_prob = np.log(generator.dirichlet(np.ones(5), size=400)[:, :1] * generator.uniform(0.2, 1, size=(400, 8)))
    counts = generator.exponential(size=400)
    found = best_weights(log_prob, counts)
    told = optimize.minimize(
        lambda w: -score(log_prob, counts, np.maximum(w, 1e-300) / w.sum()),
        np.full(8, 1 / 8),
        method="SLSQP",
        bounds=[(0, 1)] * 8,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert score(log_prob, counts, found.values) >= -told.fun - 1e-9
    assert found.values == pytest.approx(told.x, abs=1e-3)


def test_weights_that_cannot_be_had_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "NEWTON_STEPS", 1)
    with pytest.raises(RunError, match="weights of 2 runs could not be found: after 1 steps"):
        best_weights(np.array([HEADS] * 7 + [TAILS] * 3), np.ones(10))
