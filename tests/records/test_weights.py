"""Weighted records and boards: figures by hand, what a board says, what no model is shown, and older records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.paths import RESULTS
from helpers.toys import EXPECTED, Frequencies, entry_of, run_all, run_on

from harness.boards.board import boards
from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.store import Store, to_text
from harness.registry import Registry
from harness.render.boards.markdown import render
from harness.runs.execute import Workshop
from harness.stats.figures import Evidence
from harness.types import FloatArray, IntArray

WEIGHT = np.array([1, 1, 1, 1, 1, 1, 1, 1, 9, 2.0, 0.5, 1.5, 0.0])  # of d's transitions 2, 0.5, 1.5, 0


@pytest.fixture
def heavy(four_persons: Panel) -> Panel:
    return replace(four_persons, weight=WEIGHT, source={"weights": "w"})


def test_figures_by_hand(registry: Registry, workshop: Workshop, heavy: Panel) -> None:
    """The toy's fit counts no weights: d stays (.3), leaves (.2), stays (.2), and makes a move that counts nothing."""
    [record] = run_all(run_on(registry, heavy), workshop)
    log_likelihood = 2 * np.log(0.3) + 0.5 * np.log(0.2) + 1.5 * np.log(0.2)
    assert record.figures["log_likelihood"] == pytest.approx(log_likelihood, abs=1e-5)
    assert record.figures["perplexity"] == pytest.approx(np.exp(-log_likelihood / 4), rel=1e-5)
    assert record.evidence.transitions == [3]
    assert record.evidence.weight == [4.0]
    assert record.figures["log_likelihood"] != pytest.approx(EXPECTED["next_occ"], abs=0.1)
    assert record.facts["fitted_without_weights"] is True


def test_a_board_says_its_weights_and_who_had_none(registry: Registry, workshop: Workshop, heavy: Panel) -> None:
    made = run_all(run_on(registry, heavy), workshop)
    marginal = registry.model("marginal")
    made += run_all(run_on(registry, heavy, entry=marginal, params=marginal.item.params()), workshop)
    [board] = boards(made)
    assert board.weights == "w"
    text = render(board)
    assert "- Weighted by `w`, divided by its mean over all records of the panel" in text
    assert "- frequencies: fitted without the weights, each record counting one." in text
    assert "marginal: fitted without" not in text
    by_model = {row.model: row for row in board.rows}
    sums = {r.configuration.model: r.figures["log_likelihood"] or 0.0 for r in made}
    assert by_model["frequencies"].mcfadden_r2 == pytest.approx(1 - sums["frequencies"] / sums["marginal"])
    assert by_model["frequencies"].perplexity.value == pytest.approx(np.exp(-sums["frequencies"] / 4))


def test_a_board_without_weights_says_nothing_of_them(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    [record] = run_all(run_on(registry, four_persons), workshop)
    [board] = boards([record])
    assert board.weights is None
    assert "weight" not in render(board)
    assert '"weight": [' not in to_text(record)
    assert "fitted_without_weights" not in record.facts


def test_regret_is_over_weights(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    panel = replace(four_persons, split=np.array([0, 2, 2, 2]), weight=np.linspace(0.5, 2.0, 13))
    made = run_all(run_on(registry, panel), workshop)
    marginal = registry.model("marginal")
    made += run_all(run_on(registry, panel, entry=marginal, params=marginal.item.params()), workshop)
    [board] = boards([r.model_copy(update={"knows_truth": r.configuration.model == "marginal"}) for r in made])
    regret = {row.model: row.regret for row in board.rows}["frequencies"]
    gap = made[1].figures["log_likelihood"] - made[0].figures["log_likelihood"]  # type: ignore[operator]
    assert regret is not None
    assert regret.value == pytest.approx(gap / sum(made[0].evidence.weight or []), rel=1e-5)


def test_records_that_weigh_otherwise_share_no_board(registry: Registry, workshop: Workshop, heavy: Panel) -> None:
    [record] = run_all(run_on(registry, heavy), workshop)
    marginal = registry.model("marginal")
    [other] = run_all(run_on(registry, heavy, entry=marginal, params=marginal.item.params()), workshop)
    edited = other.evidence.model_copy(update={"weight": [4.5]})
    with pytest.raises(RequestError, match="do not count the same transitions"):
        boards([record, other.model_copy(update={"evidence": edited})])


def test_weighted_records_round_trip(registry: Registry, workshop: Workshop, heavy: Panel) -> None:
    for record in run_all(run_on(registry, heavy, "next_occ", "switch", "lf_exit"), workshop):
        path = workshop.store.path(record.configuration)
        again = workshop.store.read(path)
        assert again == record
        assert to_text(again) == path.read_text()


def test_records_older_than_weights_are_written_as_they_were() -> None:
    store, paths = Store(RESULTS), sorted(RESULTS.glob("*/*.json"))
    assert len(paths) > 50
    for path in paths:
        assert to_text(store.read(path)) == path.read_text(encoding="utf-8"), path.name


def test_no_model_is_shown_what_a_record_counts_for(registry: Registry, workshop: Workshop, heavy: Panel) -> None:
    class Curious(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            assert panel.weight is None
            return super().log_prob(panel, transitions, states)

    [record] = run_all(run_on(registry, heavy, entry=entry_of(Curious)), workshop)
    assert record.evidence.weight == [4.0]


def test_a_task_in_which_nothing_counts_is_empty(registry: Registry, workshop: Workshop, heavy: Panel) -> None:
    """d is out of the labor force but for the first two transitions."""
    weightless = replace(heavy, weight=np.where(heavy.year < 2003, 0.0, 1.0))
    with pytest.raises(RequestError, match="none of its test transitions is at risk and has a weight above zero"):
        run_all(run_on(registry, weightless, "lf_exit"), workshop)


def test_mass_is_weighted(registry: Registry, workshop: Workshop, heavy: Panel) -> None:
    class Leaking(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            """Half of the probability is lost after state 3."""
            lost = np.log(np.where(panel.origin(transitions) == 3, 0.5, 1.0)).astype(np.float32)
            return super().log_prob(panel, transitions, states) + lost[:, None]

    [record] = run_all(run_on(registry, heavy, entry=entry_of(Leaking, sums_to_one=False)), workshop)
    assert record.mass is not None
    assert record.mass.mean == pytest.approx((2 + 0.5 + 1.5 * 0.5 + 0.0) / 4, abs=1e-5)


def test_evidence_counts_transitions_where_there_are_no_weights() -> None:
    evidence = Evidence(("a",), np.array([3]), np.array([-1.0]))
    assert evidence.counted is evidence.transitions


def test_an_older_record_shows_figures_that_it_was_not_written_with(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    panel = replace(four_persons, split=np.array([0, 2, 2, 2]))
    marginal = registry.model("marginal")
    [record] = run_all(run_on(registry, panel, "switch", entry=marginal, params=marginal.item.params()), workshop)
    older = {key: value for key, value in record.figures.items() if not key.startswith("calibration")}
    assert record.figures["calibration_slope"] is not None
    [row] = boards([record.model_copy(update={"figures": older})])[0].rows
    assert row.figures == record.figures
