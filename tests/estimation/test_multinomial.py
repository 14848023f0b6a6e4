"""The ridge multinomial logit: slopes by differences, shares by hand, and scikit-learn's optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RunError
from harness.estimation.multinomial import ChoiceRows, Coefficients, Problem, fit, log_rows
from harness.types import FloatArray

sparse = pytest.importorskip("scipy.sparse")


def drawn(seed: int, n: int = 300, alternatives: int = 5, closes: bool = True) -> Problem:
    """Random rows, pairs, groups, closed alternatives and choices, every part of the likelihood among them."""
    draw = np.random.default_rng(seed)
    X = sparse.csr_matrix(np.column_stack([np.ones(n), draw.normal(size=(n, 2)) * (draw.random((n, 2)) < 0.7)]))
    known = draw.random((n, alternatives)) < 0.4
    chosen = draw.integers(0, alternatives, size=n)
    closed = (chosen + draw.integers(1, alternatives, size=n)) % alternatives if closes else None
    row, alternative = np.nonzero(known)
    Z = draw.normal(size=(len(row), 2))
    member = sparse.csr_matrix(np.eye(2)[np.arange(alternatives) % 2])
    choices = ChoiceRows(X, row, alternative, Z, member, closed)
    zeros = Coefficients.zeros(choices)
    penalties = zeros.like(draw.uniform(0.5, 2.0, size=zeros.flat().size))
    weight = draw.uniform(0.5, 2.0, size=n)
    return Problem(choices, chosen, weight, penalties, threads=1)


def utilities(problem: Problem, c: Coefficients) -> FloatArray:
    """float64 [n, K], one row and alternative at a time, as the formula is written."""
    choices = problem.choices
    X, member = choices.X.toarray(), choices.member.toarray()
    pairs = {(r, k): z for r, k, z in zip(choices.row, choices.alternative, choices.Z, strict=True)}
    U = np.empty((len(X), len(member)))
    for i in range(len(X)):
        for k in range(len(member)):
            if choices.closed is not None and choices.closed[i] == k:
                U[i, k] = -np.inf
            else:
                U[i, k] = X[i] @ (c.alternative[:, k] + c.group @ member[k]) + pairs.get((i, k), np.zeros(2)) @ c.pair
    return U


@pytest.mark.parametrize("closes", [True, False])
def test_the_likelihood_is_the_formula(closes: bool) -> None:
    problem = drawn(0, n=25, closes=closes)
    zeros = Coefficients.zeros(problem.choices)
    c = zeros.like(np.random.default_rng(1).normal(size=zeros.flat().size))
    U = utilities(problem, c)
    log_share = U - np.log(np.exp(U).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_rows(problem.choices, c), log_share, atol=1e-10)
    by_hand = problem.weight @ log_share[np.arange(25), problem.chosen] - problem.penalties.flat() @ c.flat() ** 2 / 2
    assert problem.value_and_slope(c)[0] == pytest.approx(by_hand, abs=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.booleans())
def test_the_slope_is_that_of_the_value(seed: int, closes: bool) -> None:
    problem = drawn(seed, n=40, closes=closes)
    zeros = Coefficients.zeros(problem.choices)
    flat = np.random.default_rng(seed).normal(size=zeros.flat().size)
    slope = problem.value_and_slope(zeros.like(flat))[1].flat()
    for j in range(len(flat)):
        step = np.eye(len(flat))[j] * 1e-5
        up, down = (problem.value_and_slope(zeros.like(flat + d))[0] for d in (step, -step))
        assert slope[j] == pytest.approx((up - down) / 2e-5, abs=1e-4)


def test_at_the_optimum_nothing_is_left_to_gain() -> None:
    problem = drawn(3)
    found = fit(problem, Coefficients.zeros(problem.choices), tolerance=1e-13, iterations=500)
    assert found.converged
    assert np.abs(problem.value_and_slope(found.coefficients)[1].flat()).max() < 1e-3
    again = fit(problem, found.coefficients, tolerance=1e-13)
    assert again.steps <= 2


def test_a_row_of_weight_two_is_two_rows() -> None:
    problem = drawn(4)
    twice = replace(problem, weight=np.where(np.arange(300) < 100, 2.0, 1.0))
    rows = np.concatenate([np.arange(300), np.arange(100)])
    c = problem.choices
    pairs = [np.flatnonzero(c.row == i) for i in rows]
    row = np.repeat(np.arange(len(rows)), [len(p) for p in pairs])
    chosen = np.concatenate(pairs)
    repeated = ChoiceRows(c.X[rows], row, c.alternative[chosen], c.Z[chosen], c.member, c.closed[rows])  # type: ignore[index]
    copied = Problem(repeated, problem.chosen[rows], np.ones(400), problem.penalties, threads=1)
    coefficients = Coefficients.zeros(c).like(np.random.default_rng(0).normal(size=problem.penalties.flat().size))
    one, other = twice.value_and_slope(coefficients), copied.value_and_slope(coefficients)
    assert one[0] == pytest.approx(other[0])
    np.testing.assert_allclose(one[1].flat(), other[1].flat(), atol=1e-9)


@pytest.mark.parametrize("penalty", [0.5, 20.0])
def test_scikit_learn_ends_at_the_same_place(penalty: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    draw = np.random.default_rng(0)
    X = draw.normal(size=(800, 4))
    y = (X @ draw.normal(size=(4, 6)) + draw.gumbel(size=(800, 6))).argmax(axis=1)
    nothing = np.zeros(0, dtype=np.int64)
    design = sparse.csr_matrix(np.column_stack([np.ones(800), X]))
    choices = ChoiceRows(design, nothing, nothing, np.zeros((0, 0)), sparse.csr_matrix((6, 0)))
    ridge = np.full((5, 6), penalty)
    ridge[0] = 0.0
    penalties = replace(Coefficients.zeros(choices), alternative=ridge)
    mine = fit(Problem(choices, y, np.ones(800), penalties), Coefficients.zeros(choices), 1e-14, 500)
    theirs = linear_model.LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(log_rows(choices, mine.coefficients), theirs.predict_log_proba(X), atol=1e-5)
    np.testing.assert_allclose(mine.coefficients.alternative[1:].T, theirs.coef_, atol=1e-5)


def test_constants_alone_give_the_observed_shares_whatever_the_weights() -> None:
    y, weight = np.array([0, 0, 1, 2, 2, 2]), np.array([1.0, 3.0, 2.0, 1.0, 1.0, 2.0])
    nothing = np.zeros(0, dtype=np.int64)
    choices = ChoiceRows(
        sparse.csr_matrix(np.ones((6, 1))), nothing, nothing, np.zeros((0, 0)), sparse.csr_matrix((3, 0))
    )
    zeros = Coefficients.zeros(choices)
    found = fit(Problem(choices, y, weight, zeros), zeros, 1e-14)
    np.testing.assert_allclose(np.exp(log_rows(choices, found.coefficients)[0]), [0.4, 0.2, 0.4], atol=1e-6)


def test_single_precision_cells_do_not_change_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = drawn(5)
    exact = fit(problem, Coefficients.zeros(problem.choices), 1e-7)
    monkeypatch.setattr("harness.estimation.multinomial.SINGLE_CELLS", 0)
    single = fit(problem, Coefficients.zeros(problem.choices), 1e-7)
    assert problem.precision is np.float32
    assert single.value == pytest.approx(exact.value, rel=1e-5)


def test_a_fit_that_ends_nowhere_is_an_error() -> None:
    problem = drawn(6)
    broken = replace(problem, weight=np.full(300, np.nan))
    with pytest.raises(RunError, match="ended worse than it began"):
        fit(broken, Coefficients.zeros(problem.choices))


def test_columns_that_are_seldom_filled_count_as_the_others_do() -> None:
    """Dense and rare columns in any order, some of them empty, in several blocks: as of the same design, dense."""
    draw = np.random.default_rng(5)
    n, filled = 900, np.array([1.0, 0.01, 0.6, 0.0, 0.03, 0.2, 0.004])
    X = draw.normal(size=(n, len(filled))) * (draw.random((n, len(filled))) < filled)
    problem = drawn(2, n=n, alternatives=400)
    rare = replace(problem.choices, X=sparse.csr_matrix(X))
    zeros = Coefficients.zeros(rare)
    at = zeros.like(draw.normal(size=zeros.flat().size))
    told = (
        replace(problem, choices=rare, penalties=zeros),
        replace(problem, choices=replace(rare, X=X), penalties=zeros),
    )
    (value, slope), (same_value, same_slope) = (one.value_and_slope(at) for one in told)
    assert value == pytest.approx(same_value, rel=1e-12)
    np.testing.assert_allclose(slope.flat(), same_slope.flat(), atol=1e-8)
    np.testing.assert_allclose(told[0].curvature(), told[1].curvature(), rtol=1e-10)
