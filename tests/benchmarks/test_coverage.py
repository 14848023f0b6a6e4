"""The coverage of 95% intervals: 500 markets, each with a test split like the default one's.

Models are estimated once, on the default market. Every further market is a test split of its own, drawn from the same
economy by another seed, with an interval of its own; the truth is what all of them together say. A share of 500 has a
Monte Carlo error of one point: the figures of a kind, over models and tasks, are held to 93-97%, and each one alone to
three errors.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from harness.data.market.simulate import draw_panel
from harness.model.contract import Context
from harness.model.scoring import score
from harness.model.task import Task
from harness.panel.careers import Panel
from harness.registry import load_registry
from harness.stats.figures import gather
from harness.stats.inference import Estimate, Resampled

pytestmark = pytest.mark.slow

PANELS, PERSONS, FIRST_SEED = 500, 467, 2  # seed 1 is the default market, which the models are estimated on
MODELS, TASKS = ("marginal", "markov", "mnl"), ("next_occ", "switch", "lf_exit")
LOW, HIGH, ERRORS = 0.93, 0.97, 3


@pytest.fixture(scope="module")
def panels(market: Panel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[np.ndarray]]:
    """By task, of each panel the persons' log-likelihoods by each model and transitions, float64 [P, M + 1]."""
    registry = load_registry()
    folder = tmp_path_factory.mktemp("coverage")
    context = Context(seed=0, scratch=folder, cache=folder)
    fitted = []
    for name in MODELS:
        spec = registry.model(name).item
        model = spec.build(spec.params())
        model.fit(market.part("train"), market.part("valid"), context)
        fitted.append((spec, model))
    found = defaultdict(list)
    for seed in range(FIRST_SEED, FIRST_SEED + PANELS):
        test = draw_panel("survey", PERSONS, seed)
        for name in TASKS:
            found[name].append(scored(fitted, registry.task(name), test))
    return found


def scored(fitted: list[tuple[Any, Any]], task: Task, test: Panel) -> np.ndarray:
    ids = [str(person) for person in test.persons]
    evidence = [gather(score(spec, model, task, test, ranks=False), ids) for spec, model in fitted]
    return np.column_stack([*(e.log_likelihood for e in evidence), evidence[0].transitions])


def covered(panels: list[np.ndarray]) -> dict[tuple[str, str], list[bool]]:
    """(kind, what) -> of each panel, whether its interval holds the truth."""
    total = np.sum([panel.sum(axis=0) for panel in panels], axis=0)
    truth = total[:-1] / total[-1]
    found = defaultdict(list)

    def note(kind: str, what: str, estimate: Estimate, true: float) -> None:
        found[kind, what].append(estimate.low <= true <= estimate.high)

    for panel in panels:
        drawn = Resampled(panel[:, :-1], panel[:, -1].astype(int))
        for i, estimate in enumerate(drawn.perplexities()):
            note("perplexity", MODELS[i], estimate, np.exp(-truth[i]))
        for reference in range(len(MODELS)):
            for i, estimate in list(enumerate(drawn.differences(reference)))[reference + 1 :]:
                note("difference", f"{MODELS[i]} less {MODELS[reference]}", estimate, truth[i] - truth[reference])
    return found


def test_intervals_cover(panels: dict[str, list[np.ndarray]], meter: Any) -> None:
    by_kind: dict[str, list[bool]] = defaultdict(list)
    error = np.sqrt(0.95 * 0.05 / PANELS)
    alone = {}
    for task in TASKS:
        for (kind, what), hits in covered(panels[task]).items():
            by_kind[kind] += hits
            alone[f"{task}, {kind} of {what}"] = np.mean(hits)
    told = {what: f"{share:.1%}" for what, share in alone.items()}
    meter.say("\n" + "\n".join(f"{what}: {share}" for what, share in told.items()))
    for kind, hits in by_kind.items():
        meter.say(f"{kind}, all: {np.mean(hits):.2%}")
        assert LOW <= np.mean(hits) <= HIGH
    far = {what: share for what, share in alone.items() if abs(share - 0.95) > ERRORS * error}
    assert far == {}
