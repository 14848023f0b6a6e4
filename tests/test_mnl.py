"""The logits under mnl: statsmodels' own optimum, known coefficients, and an optimiser that lies about converging."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from harness.errors import RunError
from harness.features_alternatives import Pairs
from harness.logits import Scaling, conditional_logit, fit_path, fit_ridge, log_shares
from harness.plugins.mnl import MnlParams, harness_models
from harness.types import FloatArray, IntArray

pytest.importorskip("statsmodels")
from statsmodels.discrete.discrete_model import Logit, MNLogit

TRUTH = np.array([[0.3, -0.5], [1.0, 0.2], [-0.7, 0.9]])  # [constant and two columns, two equations]


def drawn(n: int, coefficients: FloatArray, seed: int = 0) -> tuple[FloatArray, IntArray]:
    draw = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), draw.normal(size=(n, len(coefficients) - 1))])
    utility = np.column_stack([np.zeros(n), X @ coefficients]) + draw.gumbel(size=(n, coefficients.shape[1] + 1))
    return X, utility.argmax(axis=1)


def test_without_a_penalty_the_logit_is_statsmodels_own() -> None:
    X, y = drawn(800, TRUTH[:, :1])
    mine = fit_ridge(Logit(y, X), 0.0, 200, np.zeros((3, 1)))
    np.testing.assert_allclose(mine.coefficients[:, 0], Logit(y, X).fit(disp=0).params, atol=2e-3)
    assert mine.converged


def test_the_multinomial_logit_recovers_what_drew_the_choices() -> None:
    X, y = drawn(20_000, TRUTH)
    mine = fit_ridge(MNLogit(y, X), 1.0, 200, np.zeros((3, 2)))
    np.testing.assert_allclose(mine.coefficients, TRUTH, atol=0.08)
    shares = np.exp(log_shares(X, mine.coefficients))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    # With a free constant the mean share is the observed one, penalty or not.
    np.testing.assert_allclose(shares.mean(axis=0), np.bincount(y) / len(y), atol=2e-3)


def test_the_penalty_spares_the_constants() -> None:
    X, y = drawn(2_000, TRUTH)
    heavy = fit_ridge(MNLogit(y, X), 1e7, 200, np.zeros((3, 2))).coefficients
    np.testing.assert_allclose(heavy[1:], 0.0, atol=1e-3)
    np.testing.assert_allclose(heavy[0], np.log(np.bincount(y)[1:] / np.bincount(y)[0]), atol=0.01)


def test_separated_classes_have_a_finite_optimum() -> None:
    x = np.repeat([-1.0, 0.0, 1.0], 20)
    X, y = np.column_stack([np.ones(60), x]), np.repeat([0, 1, 2], 20)
    fitted = fit_ridge(MNLogit(y, X), 0.1, 500, np.zeros((2, 2)))
    assert np.isfinite(fitted.coefficients).all()
    assert (np.exp(log_shares(X, fitted.coefficients)).argmax(axis=1) == y).all()


@pytest.mark.parametrize("end", [np.nan, 50.0], ids=["not finite", "worse"])
def test_a_fit_that_says_converged_and_is_not_is_an_error(end: float) -> None:
    class Diverges(Logit):
        def fit(self, start_params: FloatArray, **_: object) -> SimpleNamespace:
            return SimpleNamespace(params=np.full(len(start_params), end), mle_retvals={"converged": True})

    X, y = drawn(100, TRUTH[:, :1])
    with pytest.raises(RunError, match="statsmodels' Diverges ended worse than it began at penalty 1"):
        fit_ridge(Diverges(y, X), 1.0, 10, np.zeros((3, 1)))


def test_the_path_takes_the_penalty_that_predicts_best() -> None:
    X, y = drawn(200, TRUTH, seed=1)
    noise = np.random.default_rng(2).normal(size=(2200, 40))  # columns that say nothing invite overfitting
    held_X, held_y = drawn(2_000, TRUTH, seed=3)
    X, held_X = np.column_stack([X, noise[:200]]), np.column_stack([held_X, noise[200:]])
    penalties = (0.01, 20.0, 1e6)
    best = fit_path(MNLogit(y, X), (held_X, held_y), penalties, 300)
    assert best.penalty == 20.0
    for penalty in penalties:
        other = fit_path(MNLogit(y, X), (held_X, held_y), [penalty], 300)
        assert best.loss <= other.loss + 1e-3


def test_conditional_logit_of_two_alternatives_is_a_logit_of_differences() -> None:
    draw = np.random.default_rng(0)
    n, weights = 4_000, np.array([1.5, -0.8])
    Z = draw.normal(size=(2 * n, 2))
    utility = (Z @ weights + draw.gumbel(size=2 * n)).reshape(n, 2)
    label = (utility == utility.max(axis=1, keepdims=True)).ravel()
    pairs = Pairs(np.repeat(np.arange(n), 2), np.tile([0, 1], n), np.arange(0, 2 * n, 2))
    found = conditional_logit(pairs, label, Z, 1e-6)
    difference = Z[1::2] - Z[::2]
    np.testing.assert_allclose(found, Logit(label[1::2], difference).fit(disp=0).params, atol=1e-4)
    np.testing.assert_allclose(found, weights, atol=0.1)


def test_scaling_leaves_out_what_does_not_vary_and_bounds_what_does() -> None:
    X = np.column_stack([np.arange(5.0), np.full(5, 3.0)])
    scaling = Scaling.of(X)
    assert scaling.kept.tolist() == [0]
    scaled = scaling.apply(X)
    np.testing.assert_allclose(scaled[:, 0], 1.0)
    np.testing.assert_allclose([scaled[:, 1].mean(), scaled[:, 1].std()], [0.0, 1.0], atol=1e-12)
    assert scaling.apply(np.array([[1e9, 0.0]]))[0, 1] == 8.0


def test_the_spec_says_how_to_install_and_what_can_be_set() -> None:
    spec = harness_models()[0]
    assert (spec.needs, spec.install) == (("statsmodels",), "pip install 'labor-harness[mnl]'")
    assert all(field.description for field in MnlParams.model_fields.values())
