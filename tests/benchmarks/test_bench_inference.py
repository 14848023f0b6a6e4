"""Replicates of many models at one million transitions, beside the bootstraps of scipy and of arch; ranks beside arch.

A peer is asked for as few replicates as tell its seconds a replicate, the sums by person given to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from arch.bootstrap import IIDBootstrap
from helpers.arch_set import p_by_arch
from helpers.timing import Benchmark
from scipy import stats

from harness.stats.confidence_set import confidence_set, ranks
from harness.stats.inference import REPLICATES, Resampled, SurveyDesign

pytestmark = pytest.mark.slow

TRANSITIONS, PERSONS, MODELS, FEW = 1_000_000, 100_000, 20, 20
Scored = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def scored() -> Scored:
    """ln P of each transition by each model, float64 [M, n], and whose transition it is, int64 [n]."""
    generator = np.random.default_rng(0)
    person = np.sort(generator.integers(0, PERSONS, TRANSITIONS))
    of_person = generator.normal(0, 0.5, PERSONS)[person]
    log_prob = of_person - 2 + generator.normal(0, 0.3, (MODELS, TRANSITIONS)) - 0.002 * np.arange(MODELS)[:, None]
    return log_prob, person


def by_person(scored: Scored) -> np.ndarray:
    """float64 [P, M + 1]: sums, and transitions."""
    log_prob, person = scored
    sums = [np.bincount(person, row, PERSONS) for row in log_prob]
    return np.column_stack([*sums, np.bincount(person, minlength=PERSONS)])


def ours(scored: Scored, design: SurveyDesign | None = None) -> np.ndarray:
    columns = by_person(scored)
    drawn = Resampled(columns[:, :-1], columns[:, -1], design)
    drawn.differences(0)
    return np.array([e.standard_error for e in drawn.perplexities()])


def by_scipy(columns: np.ndarray) -> np.ndarray:
    """All models and the transitions as paired samples of one call: indices are drawn once for all of them."""

    def perplexities(*samples: np.ndarray, axis: int) -> np.ndarray:
        sums = np.array([sample.sum(axis=axis) for sample in samples])
        return np.asarray(np.exp(-sums[:-1] / sums[-1]))

    samples = tuple(columns.T.copy())
    options: dict[str, Any] = {"paired": True, "vectorized": True, "method": "percentile", "batch": 5}
    return np.asarray(stats.bootstrap(samples, perplexities, n_resamples=FEW, rng=0, **options).standard_error)


def by_arch(columns: np.ndarray) -> np.ndarray:
    """Its loop, every replicate a gather of all the columns at once."""

    def perplexities(columns: np.ndarray) -> np.ndarray:
        sums = columns.sum(axis=0)
        return np.asarray(np.exp(-sums[:-1] / sums[-1]))

    return np.asarray(IIDBootstrap(columns, seed=0).apply(perplexities, FEW).std(axis=0, ddof=1))


def test_a_million_transitions(benchmark: Benchmark, scored: Scored, meter: Any) -> None:
    columns = by_person(scored)
    methods: dict[str, tuple[Callable[[], np.ndarray], int]] = {
        "harness": (lambda: ours(scored), REPLICATES),
        "scipy.stats.bootstrap": (lambda: by_scipy(columns), FEW),
        "arch": (lambda: by_arch(columns), FEW),
    }
    costs = meter.in_turns(methods, 3)
    memory = meter.peak(lambda: ours(scored)) + scored[0].nbytes / 2**20
    told = costs["harness"]
    meter.say(
        f"\n{REPLICATES:,} replicates of {MODELS} models, {TRANSITIONS:,} transitions of {PERSONS:,} persons: "
        f"{told.wall * REPLICATES:.2f} s, {told.cpu * REPLICATES:.2f} s of processor, {memory:,.0f} MB"
    )
    for name in ("scipy.stats.bootstrap", "arch"):
        ratio = costs[name].cpu / told.cpu
        benchmark.extra_info[f"times faster than {name}"] = round(ratio, 1)
        meter.say(f"{name}: {costs[name].cpu * 1000:.1f} ms of processor a replicate, {ratio:.0f} times as much")
        assert 0.7 < np.mean(costs[name].rows / told.rows) < 1.4  # the same error, but for its few replicates
        assert ratio > 5
    benchmark.pedantic(ours, args=(scored,), rounds=1)
    assert told.cpu * REPLICATES < 5  # of all threads: no fewer than on the clock of a machine that does nothing else
    assert memory < 2000


def test_units_in_strata_take_no_longer(scored: Scored, meter: Any) -> None:
    """Each person a unit of a hundred strata, so that there is as much to draw."""
    strata = SurveyDesign(np.arange(PERSONS), np.arange(PERSONS) % 100)
    costs = meter.in_turns({"none": (lambda: ours(scored), 1), "strata": (lambda: ours(scored, strata), 1)}, 3)
    meter.say(f"\nwithout strata {costs['none'].cpu:.2f} s of processor, in a hundred strata {costs['strata'].cpu:.2f}")
    assert costs["strata"].cpu < 1.6 * costs["none"].cpu


def board(models: int, gap: float) -> Resampled:
    """467 persons, as the market's test split has, and models that grow worse by ``gap`` nats all together."""
    generator = np.random.default_rng(0)
    transitions = generator.integers(1, 40, 467)
    level = -2 - np.linspace(0, gap, models) + generator.normal(0, 0.5, (467, 1))
    return Resampled((level + generator.normal(0, 0.1, (467, models))) * transitions[:, None], transitions)


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.5])
def test_ranks_of_two_hundred_models(benchmark: Benchmark, meter: Any, gap: float) -> None:
    drawn = board(200, gap)
    start = time.process_time()
    found = benchmark.pedantic(lambda: ranks(drawn, confidence_set(drawn)), rounds=3)
    seconds = (time.process_time() - start) / 3
    meter.say(f"\n200 models over {gap} nats: {len(set(found))} different ranks in {seconds:.2f} s of processor")
    assert seconds < 2


def test_the_same_p_as_arch_sooner(meter: Any) -> None:
    drawn = board(40, 0.0)
    methods = {"harness": (lambda: confidence_set(drawn).p, 1), "arch": (lambda: p_by_arch(drawn), 1)}
    costs = meter.in_turns(methods, 3)
    assert costs["harness"].rows.tolist() == costs["arch"].rows.tolist()
    ratio = costs["arch"].cpu / costs["harness"].cpu
    meter.say(f"\nconfidence set of 40 models, {costs['harness'].cpu * 1000:.0f} ms; by arch {ratio:.0f} times as long")
    assert ratio > 5


def test_ranks_of_two_thousand_models(meter: Any) -> None:
    """Of 1,400 persons: eight times as many models take not nearly the sixty-four times of all their pairs."""
    generator = np.random.default_rng(0)
    transitions = generator.integers(5, 30, 1400)
    level = generator.normal(-2, 0.5, (1400, 1)) + generator.normal(0, 0.02, 2000)
    many = Resampled((level + generator.normal(0, 0.3, (1400, 2000))) * transitions[:, None], transitions)
    few = many.only(range(0, 2000, 8))

    def of(drawn: Resampled) -> np.ndarray:
        return np.array(ranks(drawn, confidence_set(drawn)))

    costs = meter.in_turns({"2,000": (lambda: of(many), 1), "250": (lambda: of(few), 1)}, 3)
    ratio = costs["2,000"].cpu / costs["250"].cpu
    meter.say(f"\n2,000 models ranked in {costs['2,000'].cpu:.1f} s of processor, {ratio:.0f} times as long as 250")
    assert ratio < 24
    assert costs["2,000"].cpu < 6
