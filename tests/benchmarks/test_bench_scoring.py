"""Scoring and bootstrap at one million transitions of 100,000 persons, each beside a named peer.

Within a group, pytest-benchmark prints every row's ratio to the fastest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers.timing import Benchmark
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from harness.model.task import Event
from harness.stats import figures as scoring
from harness.stats import inference
from harness.stats.figures import Scores, gather

pytestmark = pytest.mark.slow
TRANSITIONS, PERSONS, MODELS, REPLICATES = 1_000_000, 100_000, 7, 200


@pytest.fixture(scope="module")
def binary() -> Scores:
    generator = np.random.default_rng(0)
    log_event = np.log(generator.uniform(0.001, 0.999, TRANSITIONS))
    happened = generator.random(TRANSITIONS) < np.exp(log_event)
    person = np.sort(generator.integers(0, PERSONS, TRANSITIONS))
    return Scores(PERSONS, Event.observed(log_event, happened), person, log_event=log_event, happened=happened)


def ours(scores: Scores, ids: list[str]) -> list[float | None]:
    evidence = gather(scores, ids)
    return [scoring.log_loss(evidence), scoring.auc(evidence), scoring.brier_score(evidence)]


def scikit_learn(scores: Scores, ids: list[str]) -> list[float]:
    assert scores.log_event is not None
    prob = np.exp(scores.log_event)
    happened = scores.happened
    return [log_loss(happened, prob), roc_auc_score(happened, prob), brier_score_loss(happened, prob)]


@pytest.mark.benchmark(group="figures of a binary task, one million transitions")
@pytest.mark.parametrize("figures", [ours, scikit_learn], ids=["harness", "scikit-learn"])
def test_figures(benchmark: Benchmark, binary: Scores, figures: Callable[..., list[float]]) -> None:
    ids = [str(i) for i in range(PERSONS)]
    values = benchmark(figures, binary, ids)
    np.testing.assert_allclose(values, scikit_learn(binary, ids), atol=2e-5)


@pytest.fixture(scope="module")
def sums() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    transitions = generator.integers(1, 20, PERSONS)
    return -2.0 * transitions[:, None] - generator.normal(0, 3, (PERSONS, MODELS)), transitions


def matrix_product(log_likelihood: np.ndarray, transitions: np.ndarray) -> float:
    return inference.perplexities(log_likelihood, transitions, REPLICATES)[0].standard_error


def scipy_bootstrap(log_likelihood: np.ndarray, transitions: np.ndarray) -> float:
    def statistic(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.exp(-a.sum(axis=axis) / b.sum(axis=axis)))

    errors = []
    for model in log_likelihood.T:
        drawn = stats.bootstrap(
            (model, transitions.astype(float)),
            statistic,
            n_resamples=REPLICATES,
            paired=True,
            batch=40,
            method="percentile",
            rng=np.random.default_rng(0),  # the same draws for every model, as in ours
        )
        errors.append(float(drawn.standard_error))
    return errors[0]


@pytest.mark.benchmark(group=f"{REPLICATES} bootstrap replicates of {MODELS} models, 100,000 persons")
@pytest.mark.parametrize("error", [matrix_product, scipy_bootstrap], ids=["harness", "scipy.stats.bootstrap"])
def test_bootstrap(benchmark: Benchmark, sums: tuple[np.ndarray, np.ndarray], error: Callable[..., float]) -> None:
    value = benchmark.pedantic(error, args=sums, rounds=3, iterations=1)
    assert value == pytest.approx(matrix_product(*sums), rel=0.25)
