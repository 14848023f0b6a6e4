"""Ridge multinomial logit over hundreds of alternatives and a sparse design.

The utility of alternative k to row i is x_i'(b_k + c_g(k)) + z_ik'w: coefficients of its own, those that it shares with
its group, and weights of what is known of the pair. One alternative may be closed to a row, as the origin is to those
who leave it. What is maximised is the log-likelihood (McFadden 1974, "Conditional logit analysis of qualitative choice
behavior", eq. 12) less half the penalised squares.

The Hessian of 500 alternatives and 1,000 terms has 10^11 entries, so only gradients are taken: row by row in blocks
that stay in the processor's cache, by limited-memory BFGS on coefficients scaled by the curvature that they would have
were everybody to choose by the margin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.errors import RunError
from harness.estimation.columns import JoinedColumns, TransposedColumns, often_filled, squared, transposed
from harness.estimation.logits import down_the_path, log_softmax
from harness.system.processors import free_processors, one_thread_a_product
from harness.types import FloatArray, IntArray

BLOCK_CELLS = 250_000  # (row, alternative) cells at once: they stay in a core's own cache
LANES = 4  # partial sums, however many threads there are, so that no number depends on the machine's cores
SINGLE_CELLS = 4_000_000  # above it, cells are float32: half the time, and sums are float64 all the same


@dataclass(frozen=True)
class ChoiceRows:
    """n rows that choose among K alternatives.

    X: [n, d], CSR, dense or ``JoinedColumns``. row, alternative: int64 [q], rising by row, the pairs of which Z
    (float64 [q, f]) is known; zero for all others. member: [K, G], one where an alternative is of a group; G may be
    zero. closed: int64 [n], the one alternative that a row cannot choose; None where all are open.
    """

    X: Any
    row: IntArray
    alternative: IntArray
    Z: FloatArray
    member: Any
    closed: IntArray | None = None

    def __len__(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_alternatives(self) -> int:
        return int(self.member.shape[0])

    def blocks(self) -> Iterator[ChoiceRows]:
        """Consecutive rows, as many at a time as stay in the processor's cache."""
        size = max(64, BLOCK_CELLS // self.n_alternatives)
        begin = np.arange(0, len(self), size)
        edges = np.searchsorted(self.row, np.append(begin, len(self)))
        for i, start in enumerate(begin.tolist()):
            rows, pairs = slice(start, min(start + size, len(self))), slice(edges[i], edges[i + 1])
            closed = None if self.closed is None else self.closed[rows]
            row, alternative = self.row[pairs] - start, self.alternative[pairs]
            yield ChoiceRows(
                X=self.X[rows], row=row, alternative=alternative, Z=self.Z[pairs], member=self.member, closed=closed
            )


@dataclass(frozen=True)
class Coefficients:
    """alternative: float64 [d, K]. group: float64 [d, G]. pair: float64 [f].

    Also what is of the same shapes: penalties, slopes.
    """

    alternative: FloatArray
    group: FloatArray
    pair: FloatArray

    @classmethod
    def zeros(cls, choices: ChoiceRows) -> Coefficients:
        d = choices.X.shape[1]
        shapes = [(d, choices.n_alternatives), (d, choices.member.shape[1]), (choices.Z.shape[1],)]
        return cls(*(np.zeros(shape) for shape in shapes))

    def flat(self) -> FloatArray:
        return np.concatenate([self.alternative.ravel(), self.group.ravel(), self.pair])

    def like(self, flat: FloatArray) -> Coefficients:
        """The same shapes with other numbers."""
        first, second, pair = np.split(flat, np.cumsum([self.alternative.size, self.group.size]))
        return Coefficients(first.reshape(self.alternative.shape), second.reshape(self.group.shape), pair)

    def together(self, member: Any) -> FloatArray:
        """float64 [d, K]: an alternative's own and its group's."""
        return np.asarray(self.alternative + (member @ self.group.T).T, dtype=np.float64)


def log_rows(choices: ChoiceRows, coefficients: Coefficients) -> FloatArray:
    """float64 [n, K]: ln P of every alternative; rows sum to one."""
    parts = [log_softmax(_utilities(b, coefficients, coefficients.together(b.member))) for b in choices.blocks()]
    return np.concatenate(parts) if parts else np.zeros((0, choices.n_alternatives))


def _utilities(block: ChoiceRows, coefficients: Coefficients, together: FloatArray) -> FloatArray:
    """[n, K] in the precision of ``together``."""
    U = np.asarray(block.X @ together)
    U[block.row, block.alternative] += (block.Z @ coefficients.pair).astype(U.dtype)
    if block.closed is not None:
        U[np.arange(len(block)), block.closed] = -np.inf
    return U


@dataclass(frozen=True)
class Problem:
    """Choices that were made, and the ridge. chosen: int64 [n]. weight: float64 [n]. penalties: of every coefficient.

    The penalised log-likelihood is sum w ln P(chosen) - sum penalty / 2 times coefficient squared.
    """

    choices: ChoiceRows
    chosen: IntArray
    weight: FloatArray
    penalties: Coefficients
    threads: int = 0  # 0: as many as there are processors free

    @cached_property
    def _dense_first(self) -> tuple[IntArray, int]:
        """int64 [d], the order of the design's columns in products, and how many of them come first as dense ones."""
        often = often_filled(self.choices.X)
        return np.concatenate([often, np.setdiff1d(np.arange(self.choices.X.shape[1]), often)]), len(often)

    @cached_property
    def _lanes(self) -> list[list[tuple[ChoiceRows, Any, IntArray, FloatArray]]]:
        """Blocks with their transposed design, chosen alternatives and weights, dealt out to the lanes."""
        order, dense = self._dense_first
        sparse = not isinstance(self.choices.X, np.ndarray | JoinedColumns)
        lanes: list[list[tuple[ChoiceRows, Any, IntArray, FloatArray]]] = [[] for _ in range(LANES)]
        start = 0
        for i, block in enumerate(self.choices.blocks()):
            rows = slice(start, start + len(block))
            X = block.X.astype(self.precision)
            if sparse:
                X = JoinedColumns(X[:, order[:dense]].toarray(), X[:, order[dense:]])
            lanes[i % LANES].append((replace(block, X=X), transposed(X), self.chosen[rows], self.weight[rows]))
            start = rows.stop
        return lanes

    @property
    def precision(self) -> Any:
        return np.float32 if len(self.choices) * self.choices.n_alternatives > SINGLE_CELLS else np.float64

    def value_and_slope(self, coefficients: Coefficients) -> tuple[float, Coefficients]:
        """The penalised log-likelihood and its gradient."""
        together = coefficients.together(self.choices.member).astype(self.precision)[self._dense_first[0]]
        with ThreadPoolExecutor(self.threads or free_processors()) as pool:
            lanes = list(pool.map(lambda lane: self._lane(lane, coefficients, together), self._lanes))
        value = sum(lane[0] for lane in lanes)
        ordered, pair = (sum(lane[i] for lane in lanes) for i in (1, 2))
        slope = np.empty_like(ordered)
        slope[self._dense_first[0]] = ordered
        gradient = Coefficients(slope, np.asarray(slope @ self.choices.member), pair)
        flat, ridge = coefficients.flat(), self.penalties.flat()
        penalised = coefficients.like(gradient.flat() - ridge * flat)
        return float(value) - float(ridge @ flat**2) / 2, penalised

    def _lane(self, lane: Any, coefficients: Coefficients, together: FloatArray) -> tuple[Any, Any, Any]:
        value, slope, pair = 0.0, np.zeros(together.shape), np.zeros_like(coefficients.pair)
        for block, turned, chosen, weight in lane:
            U = _utilities(block, coefficients, together)
            value += _settle(U, chosen, weight)
            pair += block.Z.T @ U[block.row, block.alternative]
            if isinstance(turned, TransposedColumns):
                turned.add_product(U, slope)
            else:
                slope += turned @ U
        return value, slope, pair

    def curvature(self) -> FloatArray:
        """float64, as ``Coefficients.flat``: the diagonal of the Hessian were everybody to choose by the margin."""
        choices = self.choices
        counts = np.bincount(self.chosen, weights=self.weight, minlength=choices.n_alternatives) + 0.5
        share = counts / counts.sum()
        of_group = np.asarray(choices.member.T @ share)
        squares = np.asarray(squared(choices.X).T @ self.weight)
        pair = self.weight[choices.row] @ choices.Z**2
        told = Coefficients(
            np.outer(squares, share * (1 - share)), np.outer(squares, of_group * (1 - of_group)), pair / 8
        )
        return told.flat() + np.maximum(self.penalties.flat(), 1e-8)


def _settle(U: FloatArray, chosen: IntArray, weight: FloatArray) -> float:
    """The log-likelihood of utilities [n, K], which become w (y - P): what each would add to it."""
    i = np.arange(len(U))
    U -= U.max(axis=1, keepdims=True)
    mine = U[i, chosen].astype(np.float64)
    np.exp(U, out=U)
    total = U.sum(axis=1, dtype=np.float64)
    U *= (-weight / total).astype(U.dtype)[:, None]
    U[i, chosen] += weight.astype(U.dtype)
    return float(weight @ (mine - np.log(total)))


@dataclass(frozen=True)
class Optimum:
    """value: the penalised log-likelihood. steps: iterations taken. converged: whether it stopped by itself."""

    coefficients: Coefficients
    value: float
    steps: int
    converged: bool


def fit(problem: Problem, start: Coefficients, tolerance: float = 1e-6, iterations: int = 300) -> Optimum:
    """The maximum of the penalised log-likelihood.

    tolerance: the gain of a step, relative to the mean log-likelihood, below which it stops. RunError where what comes
    back is not finite or no better than the start.
    """
    with one_thread_a_product():
        return _climb(problem, start, tolerance, iterations)


def _climb(problem: Problem, start: Coefficients, tolerance: float, iterations: int) -> Optimum:
    from scipy.optimize import minimize

    scale = 1 / np.sqrt(problem.curvature())
    total = max(float(problem.weight.sum()), 1e-300)

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        value, slope = problem.value_and_slope(start.like(x * scale))
        return -value / total, -slope.flat() * scale / total

    x, steps, converged = start.flat() / scale, 0, False
    best = loss(x)[0]
    while steps < iterations and not converged:
        stop: Any = {"maxiter": iterations - steps, "maxfun": 2 * iterations, "ftol": tolerance, "gtol": tolerance / 10}
        found = minimize(loss, x, jac=True, method="L-BFGS-B", options=stop)
        if not np.isfinite(found.x).all() or not found.fun <= best + 1e-9:
            raise RunError("the multinomial logit ended worse than it began; try larger penalties")
        # From a warm start the first steps gain little and look like the last: only a whole climb tells.
        converged = bool(found.success) and best - found.fun <= 10 * tolerance * max(abs(found.fun), 1.0)
        x, best, steps = found.x, float(found.fun), steps + max(int(found.nit), 1)
    return Optimum(start.like(x * scale), -best * total, steps, converged)


@dataclass(frozen=True)
class ObservedChoices:
    """Choices that were made. rows: what each was made from. chosen: int64 [n]. weight: float64 [n]."""

    rows: ChoiceRows
    chosen: IntArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, kw_only=True)
class PenaltyPath:
    """A search for a ridge. penalties: to try. ridge: a penalty's of every coefficient, from coefficients of the shape.

    tolerance, iterations: as of ``fit``. threads: 0: as many as there are processors free. done: told after every fit.
    """

    penalties: Sequence[float]
    ridge: Callable[[Coefficients, float], Coefficients]
    tolerance: float = 1e-6
    iterations: int = 300
    threads: int = 0
    done: Callable[[], None] = lambda: None

    def best(self, known: ObservedChoices, held_out: ObservedChoices) -> tuple[float, Optimum]:
        """The penalty whose fit to what is known gives what is held out the highest likelihood, and that fit."""
        zeros = Coefficients.zeros(known.rows)

        def climb(penalty: float, before: tuple[float, Optimum] | None) -> tuple[float, Optimum]:
            problem = Problem(
                choices=known.rows,
                chosen=known.chosen,
                weight=known.weight,
                penalties=self.ridge(zeros, penalty),
                threads=self.threads,
            )
            start = zeros if before is None else before[1].coefficients
            found = fit(problem, start, self.tolerance, self.iterations)
            self.done()
            return penalty, found

        return down_the_path(self.penalties, climb, lambda found: mean_loss(held_out, found[1].coefficients))


def mean_loss(choices: ObservedChoices, coefficients: Coefficients) -> float:
    """Minus the mean ln P(chosen), nats a choice, each counting for its weight; infinite where there is none."""
    if not len(choices):
        return np.inf
    log_prob = log_rows(choices.rows, coefficients)[np.arange(len(choices)), choices.chosen]
    return -float(choices.weight @ log_prob) / float(choices.weight.sum())
