"""The likelihoods under mnl: statsmodels' own numbers, weights that are counts, a ridge that no reference changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.errors import RequestError, RunError
from harness.estimation.logits import Chosen, Scaling, conditional_covariance, conditional_logit, log_shares
from harness.features.pairs import Pairs
from harness.model.params import validate
from harness.plugins.mnl import MnlParams, harness_models
from harness.types import BoolArray, FloatArray, IntArray

pytest.importorskip("statsmodels")
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.discrete.discrete_model import Logit, MNLogit

from harness.plugins.mnl.explained import About, explained
from harness.plugins.mnl.likelihood import RidgeLogit, RidgeMNLogit, fitted_results
from harness.plugins.mnl.linear import Linear
from harness.plugins.mnl.solve import Labelled, fit_path, fit_ridge

TRUTH = np.array([[0.3, -0.5], [1.0, 0.2], [-0.7, 0.9]])  # [constant and two columns, two equations]
MODELS: list[tuple[type[Any], type[Any], int]] = [(RidgeLogit, Logit, 1), (RidgeMNLogit, MNLogit, 2)]
BOTH = pytest.mark.parametrize(("ridge", "own", "equations"), MODELS, ids=["Logit", "MNLogit"])


def drawn(n: int, coefficients: FloatArray, seed: int = 0) -> tuple[FloatArray, IntArray]:
    draw = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), draw.normal(size=(n, len(coefficients) - 1))])
    utility = np.column_stack([np.zeros(n), X @ coefficients]) + draw.gumbel(size=(n, coefficients.shape[1] + 1))
    return X, utility.argmax(axis=1)


def labelled(X: FloatArray, y: IntArray, weight: FloatArray | None = None) -> Labelled:
    return Labelled(X, y, np.ones(len(y)) if weight is None else weight)


def slope(function: Callable[[FloatArray], Any], at: FloatArray) -> FloatArray:
    """Central differences, a row an argument."""
    steps = 1e-5 * np.eye(len(at))
    return np.array([(np.asarray(function(at + h)) - function(at - h)) / 2e-5 for h in steps])


@BOTH
def test_without_penalty_and_weights_all_is_statsmodels_own(ridge: type[Any], own: type[Any], equations: int) -> None:
    X, y = drawn(600, TRUTH[:, :equations])
    person = np.repeat(np.arange(100), 6)
    clusters = {"cov_type": "cluster", "cov_kwds": {"groups": person}}
    theirs = own(y, X).fit(method="newton", disp=0, **clusters)
    model = ridge(y, X, np.ones(600), np.zeros(3))
    at = np.ravel(theirs.params, order="F")
    for name in ("loglike", "score", "score_obs", "hessian"):
        np.testing.assert_allclose(getattr(model, name)(at), getattr(own(y, X), name)(at), rtol=1e-9, atol=1e-9)
    mine = fitted_results(model, at, person)
    np.testing.assert_allclose(mine.bse, theirs.bse, rtol=1e-9)
    found = fit_ridge(labelled(X, y), 0.0, 50, np.zeros((3, equations)))
    assert found.converged
    np.testing.assert_allclose(found.coefficients.ravel(order="F"), at, rtol=1e-7)


@BOTH
def test_slopes_of_the_weighted_and_penalised_likelihood(ridge: type[Any], own: type[Any], equations: int) -> None:
    draw = np.random.default_rng(1)
    X, y = drawn(200, TRUTH[:, :equations])
    model = ridge(y, X, draw.uniform(0, 3, 200), np.array([0.0, 4.0, 1.0]))
    at = draw.normal(size=3 * equations)
    np.testing.assert_allclose(slope(model.loglike, at), model.score(at), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(slope(model.score, at), model.hessian(at), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.score_obs(at).sum(axis=0), model.score(at), atol=1e-9)
    if equations == 2:
        value, gradient = model.loglike_and_score(at)
        np.testing.assert_allclose(value, model.loglike(at))
        np.testing.assert_allclose(gradient, model.score(at))
        person = draw.integers(20, size=200)
        sums = np.stack([model.score_obs(at)[person == p].sum(axis=0) for p in np.unique(person)])
        np.testing.assert_allclose(model.score_sums(at, person), sums, atol=1e-9)


@BOTH
def test_a_weight_of_two_is_the_same_observation_twice(ridge: type[Any], own: type[Any], equations: int) -> None:
    X, y = drawn(300, TRUTH[:, :equations])
    twice = np.arange(300) % 3 == 0
    copied = labelled(np.vstack([X, X[twice]]), np.append(y, y[twice]))
    weighted = labelled(X, y, 1.0 + twice)
    start = np.zeros((3, equations))
    one, other = (fit_ridge(data, 2.0, 100, start).coefficients for data in (copied, weighted))
    np.testing.assert_allclose(one, other, atol=1e-8)
    np.testing.assert_allclose(copied.loss(one), weighted.loss(one), rtol=1e-12)


def test_the_penalty_is_the_same_whichever_class_is_the_reference() -> None:
    X, y = drawn(400, TRUTH)
    order = np.array([2, 0, 1])  # class k is called order[k]
    first = fit_ridge(labelled(X, y), 25.0, 100, np.zeros((3, 2))).coefficients
    other = fit_ridge(labelled(X, order[y]), 25.0, 100, np.zeros((3, 2))).coefficients
    np.testing.assert_allclose(log_shares(X, first), log_shares(X, other)[:, order], atol=1e-7)


def test_the_penalty_is_that_of_a_softmax_over_all_classes() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = drawn(400, TRUTH)
    mine = fit_ridge(labelled(X, y), 5.0, 100, np.zeros((3, 2))).coefficients
    theirs = linear_model.LogisticRegression(C=1 / 5.0, tol=1e-10, max_iter=2000).fit(X[:, 1:], y)
    np.testing.assert_allclose(np.exp(log_shares(X, mine)), theirs.predict_proba(X[:, 1:]), atol=1e-6)


def test_lbfgs_ends_where_newton_does() -> None:
    draw = np.random.default_rng(4)
    n, d, classes = 800, 45, 10  # more coefficients than Newton's method is used for
    X = np.column_stack([np.ones(n), draw.normal(size=(n, d))])
    y = np.append(np.arange(classes), draw.integers(classes, size=n - classes))
    found = fit_ridge(labelled(X, y), 10.0, 500, np.zeros((d + 1, classes - 1)))
    ridge = np.append(0.0, np.full(d, 10.0))
    model = RidgeMNLogit(y, X, np.ones(n), ridge)
    newton = np.asarray(model.fit(method="newton", disp=0).params)
    np.testing.assert_allclose(np.exp(log_shares(X, found.coefficients)), np.exp(log_shares(X, newton)), atol=1e-3)
    # What a path ends with is the optimum itself, from wherever lbfgs stopped.
    data = labelled(X, y)
    short = fit_path(data, data, [10.0], 8)
    assert not fit_ridge(data, 10.0, 8, np.zeros((d + 1, classes - 1))).converged
    assert short.converged
    np.testing.assert_allclose(short.coefficients, newton, atol=1e-4)


def test_the_multinomial_logit_recovers_what_drew_the_choices() -> None:
    X, y = drawn(20_000, TRUTH)
    mine = fit_ridge(labelled(X, y), 1.0, 200, np.zeros((3, 2)))
    np.testing.assert_allclose(mine.coefficients, TRUTH, atol=0.08)
    shares = np.exp(log_shares(X, mine.coefficients))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    # With a free constant the mean share is the observed one, penalty or not.
    np.testing.assert_allclose(shares.mean(axis=0), np.bincount(y) / len(y), atol=2e-3)


def test_the_penalty_spares_the_constants() -> None:
    X, y = drawn(2_000, TRUTH)
    heavy = fit_ridge(labelled(X, y), 1e7, 200, np.zeros((3, 2))).coefficients
    np.testing.assert_allclose(heavy[1:], 0.0, atol=1e-3)
    np.testing.assert_allclose(heavy[0], np.log(np.bincount(y)[1:] / np.bincount(y)[0]), atol=0.01)


def test_separated_classes_have_an_optimum_with_a_penalty_alone() -> None:
    x = np.repeat([-1.0, 0.0, 1.0], 20)
    X, y = np.column_stack([np.ones(60), x]), np.repeat([0, 1, 2], 20)
    fitted = fit_ridge(labelled(X, y), 0.1, 500, np.zeros((2, 2)))
    assert np.isfinite(fitted.coefficients).all()
    assert (np.exp(log_shares(X, fitted.coefficients)).argmax(axis=1) == y).all()
    with pytest.raises(RunError, match="statsmodels' MNLogit found no optimum without a penalty"):
        fit_ridge(labelled(X, y), 0.0, 500, np.zeros((2, 2)))


@pytest.mark.parametrize("equations", [1, 2])
def test_collinear_terms_have_no_optimum_without_a_penalty(equations: int) -> None:
    X, y = drawn(200, TRUTH[:, :equations])
    with pytest.raises(RunError, match="collinear"):
        fit_ridge(labelled(np.column_stack([X, X[:, 1]]), y), 0.0, 100, np.zeros((4, equations)))


@pytest.mark.parametrize("end", [np.nan, 50.0], ids=["not finite", "worse"])
def test_a_fit_that_says_converged_and_is_not_is_an_error(end: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(self: Any, start_params: FloatArray, **_: object) -> Any:
        class Result:
            params = np.full(len(start_params), end)
            mle_retvals = {"converged": True}  # noqa: RUF012

        return Result()

    X, y = drawn(100, TRUTH[:, :1])
    monkeypatch.setattr(Logit, "fit", diverges)
    with pytest.raises(RunError, match="statsmodels' Logit ended worse than it began at penalty 1"):
        fit_ridge(labelled(X, y), 1.0, 10, np.zeros((3, 1)))


def test_the_path_takes_the_penalty_that_predicts_best() -> None:
    X, y = drawn(200, TRUTH, seed=1)
    noise = np.random.default_rng(2).normal(size=(2200, 40))  # columns that say nothing invite overfitting
    held_X, held_y = drawn(2_000, TRUTH, seed=3)
    data, held = (
        labelled(np.column_stack([X, noise[:200]]), y),
        labelled(np.column_stack([held_X, noise[200:]]), held_y),
    )
    penalties = (0.01, 20.0, 1e6)
    best = fit_path(data, held, penalties, 300)
    assert best.penalty == 20.0
    for penalty in penalties:
        other = fit_path(data, held, [penalty], 300)
        assert held.loss(best.coefficients) <= held.loss(other.coefficients) + 1e-3


def test_errors_of_a_multinomial_logit_are_statsmodels_clustered_ones() -> None:
    X, y = drawn(600, TRUTH)
    person, weight = np.repeat(np.arange(100), 6), np.ones(600)
    own = MNLogit(y, X).fit(method="newton", disp=0, cov_type="cluster", cov_kwds={"groups": person})
    scaling = Scaling.of(X[:, 1:], weight)
    data = Labelled(scaling.apply(X[:, 1:]), y, weight)
    fitted = fit_ridge(data, 0.0, 100, np.zeros((3, 2)))
    linear = Linear((), scaling, fitted.coefficients)
    about = About("group", "MNLogit", ("a", "b", "c"), (), (), errors=True)
    told = explained(linear, data, person, fitted, about)
    np.testing.assert_allclose(np.array(told.value), own.params, rtol=1e-6)
    np.testing.assert_allclose(np.array(told.error), own.bse, rtol=1e-6)
    assert any(f"log-likelihood {own.llf:,.2f}, {own.llnull:,.2f} with nothing" in note for note in told.notes)
    without = explained(linear, data, person, fitted, About("group", "MNLogit", ("a", "b", "c"), (), (), errors=False))
    assert {error for row in without.error for error in row} == {None}


# The conditional logit


def choices(n: int, alternatives: int, seed: int = 0) -> tuple[Pairs, BoolArray, FloatArray]:
    draw, weights = np.random.default_rng(seed), np.array([1.5, -0.8])
    Z = draw.normal(size=(alternatives * n, 2))
    utility = (Z @ weights + draw.gumbel(size=alternatives * n)).reshape(n, alternatives)
    label = (utility == utility.max(axis=1, keepdims=True)).ravel()
    row, alternative = np.repeat(np.arange(n), alternatives), np.tile(np.arange(alternatives), n)
    return Pairs(row, alternative, np.arange(0, alternatives * n, alternatives)), label, Z


def test_conditional_logit_of_two_is_a_logit_of_differences() -> None:
    pairs, label, Z = choices(4_000, 2)
    weight = np.random.default_rng(1).uniform(0.5, 2, 4_000)
    chosen, person = Chosen(pairs, label, Z, weight), np.repeat(np.arange(500), 8)
    found = conditional_logit(chosen, 2.0)
    model = RidgeLogit(label[1::2].astype(np.int64), Z[1::2] - Z[::2], weight, np.full(2, 2.0))
    own = model.fit(disp=0, method="newton", tol=1e-10, cov_type="cluster", cov_kwds={"groups": person})
    np.testing.assert_allclose(found.estimates, own.params, rtol=1e-6)
    covariance = conditional_covariance(chosen, found, 2.0, person)
    np.testing.assert_allclose(covariance, own.cov_params(), rtol=1e-4)
    np.testing.assert_allclose(found.estimates, [1.5, -0.8], atol=0.1)


def test_conditional_logit_of_many_alternatives_is_statsmodels_own() -> None:
    pairs, label, Z = choices(300, 5)
    found = conditional_logit(Chosen(pairs, label, Z, np.ones(300)), 1e-9)
    own = ConditionalLogit(label.astype(np.float64), Z, groups=pairs.row).fit(disp=0)
    np.testing.assert_allclose(found.estimates, own.params, rtol=1e-3)  # theirs stops at a gradient of 1e-5
    np.testing.assert_allclose(np.linalg.inv(found.curvature), own.cov_params(), rtol=1e-3)
    np.testing.assert_allclose(found.log_likelihood, own.llf, rtol=1e-7)


def test_a_choice_of_weight_two_is_the_same_choice_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, label, Z = choices(100, 3)
    monkeypatch.setattr("harness.estimation.logits.PAIRS_AT_ONCE", 40)  # in several parts
    twice = Pairs(np.tile(pairs.row, 2), np.tile(pairs.alternative, 2), np.append(pairs.begin, pairs.begin + 300))
    one = conditional_logit(Chosen(pairs, label, Z, np.full(100, 2.0)), 1.0)
    other = conditional_logit(Chosen(twice, np.tile(label, 2), np.tile(Z, (2, 1)), np.ones(200)), 1.0)
    np.testing.assert_allclose(one.estimates, other.estimates, rtol=1e-9)
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-12)


def test_scaling_leaves_out_what_does_not_vary_and_bounds_what_does() -> None:
    X = np.column_stack([np.arange(5.0), np.full(5, 3.0)])
    scaling = Scaling.of(X)
    assert scaling.kept.tolist() == [0]
    scaled = scaling.apply(X)
    np.testing.assert_allclose(scaled[:, 0], 1.0)
    np.testing.assert_allclose([scaled[:, 1].mean(), scaled[:, 1].std()], [0.0, 1.0], atol=1e-12)
    # What was not seen in estimation counts as the nearest that was, and what was far out as eight deviations.
    seen = np.sqrt(2.0)
    np.testing.assert_allclose(scaling.apply(np.array([[1e9, 0.0], [-3.0, 0.0], [2.0, 3.0]]))[:, 1], [seen, -seen, 0.0])
    far = Scaling.of(np.append(np.zeros(199), 1.0)[:, None])
    assert far.apply(np.ones((1, 1)))[0, 1] == 8.0
    np.testing.assert_allclose(scaling.to_natural @ np.array([1.0, 2.0]), [1 - 2 * 2 / np.sqrt(2), 2 / np.sqrt(2)])
    heavy = Scaling.of(X, np.array([1.0, 0, 0, 0, 1]))
    np.testing.assert_allclose([heavy.center[0], heavy.scale[0]], [2.0, 2.0])


def test_the_spec_says_how_to_install_and_what_can_be_set() -> None:
    spec = harness_models()[0]
    assert (spec.needs, spec.install) == (("statsmodels", "threadpoolctl"), "pip install 'labor-harness[mnl]'")
    assert spec.uses_weights
    assert all(field.description for field in MnlParams.model_fields.values())
    one = MnlParams.model_validate({"stages": "one", "penalties": "30, 10", "terms": "age,age squared"})
    assert (one.penalties, one.terms) == ((30.0, 10.0), ("age", "age squared"))
    with pytest.raises(RequestError, match="mnl: terms are those of the MNLogit over all states: add stages=one"):
        validate(MnlParams, {"terms": "age"}, "mnl")
    with pytest.raises(RequestError, match=r"mnl\.penalties=-1"):
        validate(MnlParams, {"penalties": "-1"}, "mnl")
