"""Calibration slopes: a closed form, statsmodels' own Logit, and what a maximum must satisfy."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.contract import NoParams
from harness.model.scoring import score
from harness.model.task import Event
from harness.panel.careers import Panel
from harness.records.evidence import freeze
from harness.registry import Registry
from harness.stats.calibration import calibration
from harness.stats.figures import GRID, METRICS, Evidence, Scores, gather


def logit(p: float) -> float:
    return log(p / (1 - p))


def evidence_of(prob: np.ndarray, happened: np.ndarray, weight: np.ndarray | None = None) -> Evidence:
    log_event = np.log(prob)
    log_prob = Event.observed(log_event, happened)
    person = np.arange(len(prob)) % 7
    return gather(Scores(7, log_prob, person, log_event, happened, weight=weight), [f"p{i}" for i in range(7)])


def figure(evidence: Evidence, key: str) -> float | None:
    return next(metric.compute(evidence) for metric in METRICS if metric.key == key)


def test_two_cells_are_a_line_through_two_points() -> None:
    """The event came in 3 of 10 that were told 0.2, and in 6 of 8 that were told 0.9: two odds, two unknowns."""
    line = calibration(np.array([0.2, 0.9]), np.array([3, 6]), np.array([7, 2]))
    slope = (logit(6 / 8) - logit(3 / 10)) / (logit(0.9) - logit(0.2))
    assert line is not None
    assert line == pytest.approx((logit(3 / 10) - slope * logit(0.2), slope))


def test_right_probabilities_have_slope_one() -> None:
    prob = np.array([0.1, 0.25, 0.5, 0.8])
    line = calibration(prob, 1000 * prob, 1000 * (1 - prob))
    assert line is not None
    assert line == pytest.approx((0.0, 1.0), abs=1e-12)


def told_and_seen(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too extreme and too high, on the grid, and what happened."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(-1.0, 1.0, n)
    told = 1 / (1 + np.exp(-(1.6 * truth + 0.4)))
    prob = np.clip(np.rint(told * GRID), 1, GRID - 1) / GRID
    return prob, generator.random(n) < 1 / (1 + np.exp(-truth))


def test_is_the_logit_of_statsmodels_on_every_transition() -> None:
    prob, happened = told_and_seen(4000, 1)
    x = sm.add_constant(np.log(prob / (1 - prob)))
    fit = sm.Logit(happened.astype(float), x).fit(disp=0, tol=1e-12)
    evidence = evidence_of(prob, happened)
    found = [figure(evidence, "calibration_intercept"), figure(evidence, "calibration_slope")]
    assert found == pytest.approx(fit.params.tolist(), abs=2e-6)  # figures have six decimals
    assert found[1] == pytest.approx(1 / 1.6, abs=0.1)


def test_weights_are_frequencies_to_statsmodels() -> None:
    prob, happened = told_and_seen(1500, 2)
    weight = np.random.default_rng(3).gamma(2.0, 0.5, 1500)
    x = sm.add_constant(np.log(prob / (1 - prob)))
    fit = sm.GLM(happened.astype(float), x, family=sm.families.Binomial(), freq_weights=weight).fit(tol=1e-12)
    evidence = evidence_of(prob, happened, weight)
    found = [figure(evidence, "calibration_intercept"), figure(evidence, "calibration_slope")]
    assert found == pytest.approx(fit.params.tolist(), abs=2e-6)


tables = st.lists(
    st.tuples(st.integers(0, GRID), st.integers(0, 50), st.integers(0, 50)),
    min_size=2,
    max_size=8,
    unique_by=lambda r: r[0],
)


@settings(max_examples=200)
@given(tables)
def test_wherever_there_is_a_line_it_is_the_likeliest(rows: list[tuple[int, int, int]]) -> None:
    cells, events, others = (np.array(column) for column in zip(*sorted(rows), strict=True))
    prob = np.clip(cells / GRID, 0.5 / GRID, 1 - 0.5 / GRID)
    line = calibration(prob, events, others)
    x = np.log(prob / (1 - prob))
    if line is None:  # one outcome alone, or all events on one side of all others
        happened, not_happened = x[events > 0], x[others > 0]
        alone = not len(happened) or not len(not_happened)
        assert alone or happened.min() >= not_happened.max() or happened.max() <= not_happened.min()
        return
    fitted = 1 / (1 + np.exp(-(line[0] + line[1] * x)))
    total = events + others
    assert (events - total * fitted).sum() == pytest.approx(0.0, abs=1e-6 * total.sum())
    assert ((events - total * fitted) * x).sum() == pytest.approx(0.0, abs=1e-5 * total.sum())


@pytest.mark.parametrize(
    ("prob", "happened"),
    [
        ([0.2, 0.4, 0.9], [True, True, True]),
        ([0.2, 0.4, 0.9], [False, False, False]),
        ([0.3, 0.3, 0.3], [True, False, True]),
        ([0.2, 0.4, 0.9], [False, False, True]),
        ([0.2, 0.4, 0.4, 0.9], [False, False, True, True]),
        ([0.9, 0.2, 0.3], [False, True, True]),
    ],
    ids=["only events", "no event", "one probability", "separated", "separated but for a tie", "separated upside down"],
)
def test_without_a_maximum_there_is_no_figure(prob: list[float], happened: list[bool]) -> None:
    evidence = evidence_of(np.array(prob), np.array(happened))
    assert figure(evidence, "calibration_slope") is None
    assert figure(evidence, "calibration_intercept") is None


def test_other_tasks_have_none() -> None:
    evidence = gather(Scores(1, np.log([0.5, 0.25]), np.array([0, 0])), ["a"])
    assert figure(evidence, "calibration_slope") is None


def test_the_true_probabilities_are_calibrated(registry: Registry, market: Panel) -> None:
    spec, test = registry.model("oracle").item, market.part("test")
    model = spec.build(NoParams())
    for task in ("switch", "lf_exit"):
        scores = score(spec, model, registry.task(task), test)
        record = freeze(gather(scores, test.persons.tolist()))
        kept = record.model_dump(exclude={"ids"}).items()
        columns: dict[str, Any] = {name: None if values is None else np.array(values) for name, values in kept}
        evidence = Evidence(ids=tuple(record.ids), **columns)
        assert figure(evidence, "calibration_slope") == pytest.approx(1.0, abs=0.06)
        assert figure(evidence, "calibration_intercept") == pytest.approx(0.0, abs=0.1)
