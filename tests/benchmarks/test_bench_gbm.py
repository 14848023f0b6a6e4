"""gbm's whole rows: trees that all pairs walk together, against LightGBM's own predictions of the same trees.

Real careers of the NLSY97 and the default settings of ``gbm``, but for rounds: as many as a fit on the survey keeps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.fits import fit_on
from helpers.timing import Benchmark

from harness.panel.careers import Panel
from harness.plugins.gbm.model import Gbm
from harness.plugins.gbm.params import GbmParams
from harness.plugins.gbm.walk import Forest
from harness.types import FloatArray

pytestmark = pytest.mark.slow

ROUNDS, ROWS, FEW, LEAST = 130, 6000, 600, 5.0  # FEW: for LightGBM alone; LEAST: times as fast


@pytest.fixture(scope="module")
def model(survey: Panel, tmp_path_factory: pytest.TempPathFactory) -> Gbm:
    params = GbmParams(rounds=ROUNDS, early_stopping=ROUNDS, threads=1)
    return fit_on(Gbm(params), survey, tmp_path_factory.mktemp("gbm"), seed=0)


def whole_rows(model: Gbm, panel: Panel, n: int) -> FloatArray:
    rows = panel.transitions[:n]
    return model.log_prob(panel, rows, np.broadcast_to(np.arange(panel.n_states), (len(rows), panel.n_states)))


def test_whole_rows(
    benchmark: Benchmark, survey: Panel, model: Gbm, meter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = survey.part("test")
    whole_rows(model, test, 10)  # the trees are read once a fit
    ours = meter.in_turns({"walk": (lambda: whole_rows(model, test, ROWS), ROWS)}, rounds=3)["walk"]
    for trees in (model.stay.trees, *model.trees.values()):
        trees.__dict__.pop("forest", None)
    with monkeypatch.context() as without:
        without.setattr(Forest, "of", lambda booster: None)
        theirs = meter.in_turns({"LightGBM": (lambda: whole_rows(model, test, FEW), FEW)}, rounds=3)["LightGBM"]
    np.testing.assert_allclose(ours.rows[:FEW], theirs.rows, rtol=0, atol=1e-9)
    ratio = theirs.cpu / ours.cpu
    kept = {step: trees.rounds for step, trees in model.trees.items()}
    meter.say(
        f"\nwhole rows of {survey.n_states} states, trees {kept}: {1000 * ours.cpu:.3f} processor seconds per 1,000 "
        f"transitions, {1000 * theirs.cpu:.3f} by LightGBM: {ratio:.1f} times as fast"
    )
    benchmark.extra_info["times as fast as LightGBM"] = round(ratio, 2)
    for trees in model.trees.values():
        trees.__dict__.pop("forest", None)
    benchmark.pedantic(whole_rows, args=(model, test, ROWS), rounds=1)
    assert ratio > LEAST


def test_growth_with_the_transitions(survey: Panel, model: Gbm, meter: Any) -> None:
    """The more transitions at once, the more they share; less than proportional growth."""
    train = survey.part("train")
    sizes = (1000, 4000, 16_000)
    methods = {str(n): (lambda n=n: whole_rows(model, train, n), 1) for n in sizes}
    costs = [cost.cpu for cost in meter.in_turns(methods, rounds=2).values()]
    exponent = float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
    told = ", ".join(f"{n:,} {cost:.2f}" for n, cost in zip(sizes, costs, strict=True))
    meter.say(f"\nwhole rows, processor seconds by transitions: {told}; exponent {exponent:.2f}")
    assert exponent < 1.1
