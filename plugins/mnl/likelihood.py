"""statsmodels' Logit and MNLogit with weights and a ridge: its likelihoods, scores, Hessians, fits and sandwiches.

With weights of one and no penalty they are statsmodels' own, number by number (``tests/test_mnl.py``). Log-likelihood
sum w ln P - 1/2 sum penalty b^2, the score of an observation bearing its share of the penalty's slope, so that scores
sum to zero at the optimum as a sandwich supposes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from statsmodels.discrete.discrete_model import Logit, MNLogit

from harness.types import FloatArray, IntArray

ROWS_AT_ONCE = 1_000  # of a Hessian: 20 MB for 2,500 coefficients


class RidgeLogit(Logit):  # type: ignore[misc, no-any-unimported]
    """A Logit of y (0 or 1, int64 [n]) on X (float64 [n, d]).

    counts: float64 [n], what each observation counts for. ridge: float64 [d], the penalty of each coefficient.
    """

    def __init__(self, y: IntArray, X: FloatArray, counts: FloatArray, ridge: FloatArray) -> None:
        super().__init__(y, X, check_rank=False)
        self.counts, self.ridge = counts, ridge

    def cdf(self, X: FloatArray) -> FloatArray:
        """As statsmodels', without overflow."""
        return np.asarray(np.exp(-np.logaddexp(0.0, -X)))

    def loglikeobs(self, params: FloatArray) -> FloatArray:
        """float64 [n]: ln P of what was observed, unweighted."""
        return np.asarray(-np.logaddexp(0.0, -(2 * self.endog - 1) * (self.exog @ params)))

    def log_likelihood(self, params: FloatArray) -> float:
        """Weighted, without the penalty."""
        return float(self.counts @ self.loglikeobs(params))

    def loglike(self, params: FloatArray) -> float:
        """Weighted and penalised."""
        return self.log_likelihood(params) - float(self.ridge @ params**2) / 2

    def score(self, params: FloatArray) -> FloatArray:
        residual = self.counts * (self.endog - self.cdf(self.exog @ params))
        return np.asarray(residual @ self.exog - self.ridge * params)

    def score_obs(self, params: FloatArray) -> FloatArray:
        residual = self.counts * (self.endog - self.cdf(self.exog @ params))
        share = self.counts / self.counts.sum()
        return np.asarray(residual[:, None] * self.exog - share[:, None] * (self.ridge * params))

    def hessian(self, params: FloatArray) -> FloatArray:
        p = self.cdf(self.exog @ params)
        return np.asarray(-_moments(self.exog, self.counts * p * (1 - p)) - np.diag(self.ridge))


class RidgeMNLogit(MNLogit):  # type: ignore[misc, no-any-unimported]
    """A MNLogit of y (classes from 0, int64 [n]) on X (float64 [n, d]), the first class the reference.

    counts: float64 [n]. ridge: float64 [d], the penalty of each term: on the squared distances of its J coefficients,
    the reference's zero among them, from their mean, so that it is the same whichever class is the reference.
    Parameters are strung together equation by equation, as statsmodels has them.
    """

    def __init__(self, y: IntArray, X: FloatArray, counts: FloatArray, ridge: FloatArray) -> None:
        super().__init__(y, X, check_rank=False)
        self.counts = counts
        self.ridge = ridge

    def cdf(self, X: FloatArray) -> FloatArray:
        """As statsmodels', without overflow."""
        utility = np.column_stack([np.zeros(len(X)), X])
        utility = np.exp(utility - utility.max(axis=1, keepdims=True))
        return np.asarray(utility / utility.sum(axis=1, keepdims=True))

    def _shares(self, params: FloatArray) -> FloatArray:
        """float64 [n, J]"""
        return self.cdf(self.exog @ params.reshape(self.K, -1, order="F"))

    def _observed(self, shares: FloatArray) -> float:
        taken = shares[np.arange(len(shares)), self.endog]
        return float(self.counts @ np.log(np.maximum(taken, np.finfo(float).tiny)))

    def _slope(self, shares: FloatArray) -> FloatArray:
        return np.asarray(((self.wendog - shares)[:, 1:] * self.counts[:, None]).T @ self.exog)  # [J - 1, d]

    def _pull(self, params: FloatArray) -> FloatArray:
        """Minus the penalty's slope, float64 [parameters]; the penalty is half its product with the parameters."""
        equations = params.reshape(-1, self.K)
        return np.asarray((self.ridge * (equations - equations.sum(axis=0) / self.J)).ravel())

    def log_likelihood(self, params: FloatArray) -> float:
        """Weighted, without the penalty."""
        return self._observed(self._shares(np.ravel(params, order="F")))

    def loglike(self, params: FloatArray) -> float:
        """Weighted and penalised."""
        params = np.ravel(params, order="F")
        return self.log_likelihood(params) - float(self._pull(params) @ params) / 2

    def score(self, params: FloatArray) -> FloatArray:
        params = np.ravel(params, order="F")
        return np.asarray(self._slope(self._shares(params)).ravel() - self._pull(params))

    def loglike_and_score(self, params: FloatArray) -> tuple[float, FloatArray]:
        """Both at the price of one."""
        shares = self._shares(params)
        pull = self._pull(params)
        return self._observed(shares) - float(pull @ params) / 2, self._slope(shares).ravel() - pull

    def score_obs(self, params: FloatArray) -> FloatArray:
        params = np.ravel(params, order="F")
        residual = (self.wendog - self._shares(params))[:, 1:] * self.counts[:, None]
        share = self.counts / self.counts.sum()
        own = (residual[:, :, None] * self.exog[:, None, :]).reshape(len(residual), -1)
        return np.asarray(own - share[:, None] * self._pull(params))

    def score_sums(self, params: FloatArray, person: IntArray) -> FloatArray:
        """float64 [P, parameters]: ``score_obs`` summed by person, one equation at a time. person: int64 [n]."""
        from scipy.sparse import csr_array

        n, params = len(person), np.ravel(params, order="F")
        persons, place = np.unique(person, return_inverse=True)
        adds = csr_array((np.ones(n), (place, np.arange(n))), shape=(len(persons), n))
        residual = (self.wendog - self._shares(params))[:, 1:] * self.counts[:, None]
        sums = np.empty((len(persons), len(params)))
        for j in range(residual.shape[1]):
            sums[:, j * self.K : (j + 1) * self.K] = adds @ (residual[:, j, None] * self.exog)
        share = adds @ self.counts / self.counts.sum()
        return np.asarray(sums - share[:, None] * self._pull(params))

    def hessian(self, params: FloatArray) -> FloatArray:
        """As statsmodels', all pairs of equations in one product of some rows at a time: several times as fast."""
        from scipy.linalg.blas import dsyrk

        d, equations = self.K, self.J - 1
        shares = self._shares(np.ravel(params, order="F"))[:, 1:]
        H = np.asfortranarray(-np.kron(np.eye(equations) - 1 / self.J, np.diag(self.ridge)))
        for start in range(0, len(shares), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            heavy = shares[rows] * np.sqrt(self.counts[rows])[:, None]
            spread = (heavy[:, :, None] * self.exog[rows, None, :]).reshape(len(heavy), -1)
            H = dsyrk(1.0, spread.T, beta=1.0, c=H, lower=True, overwrite_c=True)  # below the diagonal alone
        for j in range(equations):
            own = slice(j * d, (j + 1) * d)
            H[own, own] -= _moments(self.exog, self.counts * shares[:, j])
        below = np.tril(H)
        return np.asarray(below + np.tril(below, -1).T)


def _moments(X: FloatArray, weight: FloatArray) -> FloatArray:
    """float64 [d, d]: X'WX of weights that are zero or more. A matrix by itself turned is half the work of any two."""
    heavy = X * np.sqrt(weight)[:, None]
    return np.asarray(heavy.T @ heavy)


Ridge = RidgeLogit | RidgeMNLogit


def fitted_results(model: Ridge, params: FloatArray, person: IntArray) -> Any:
    """statsmodels' own results at an optimum that is known, with standard errors clustered by person, int64 [n]."""
    groups = np.unique(person, return_inverse=True)[1]
    return model.fit(
        np.ravel(params, order="F"),
        method="newton",
        maxiter=0,
        disp=0,
        warn_convergence=False,
        cov_type="cluster",
        cov_kwds={"groups": groups},
    )
