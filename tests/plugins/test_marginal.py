"""marginal on four persons, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations, Status
from harness.plugins.marginal import Marginal, MarginalParams

CAREERS = [[0, 0, 1], [1, 1], [0, 1, 0, 0], [0]]  # targets: 0 1 | 1 | 1 0 0 |; state 2 is never seen


def four_persons() -> Panel:
    lengths = [len(career) for career in CAREERS]
    return Panel(
        name="four persons",
        persons=np.array(["a", "b", "c", "d"]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        year=np.concatenate([2000 + np.arange(n) for n in lengths]).astype(np.int32),
        state=np.concatenate(CAREERS).astype(np.int32),
        occupations=Occupations(("a", "b", "c"), ("A", "B", "C"), ("x", "x", "y"), (Status.EMPLOYED,) * 3),
        split=np.zeros(4, dtype=np.int8),
    )


def fitted(tmp_path: Path, panel: Panel, **params: float) -> Marginal:
    model = Marginal(MarginalParams(**params))
    model.fit(panel, panel, Context(seed=0, scratch=tmp_path, cache=tmp_path))
    return model


def whole_rows(panel: Panel, n: int) -> np.ndarray:
    return np.broadcast_to(np.arange(panel.n_states), (n, panel.n_states))


@pytest.mark.parametrize("pseudo_count", [0.5, 2.0])
def test_closed_form(tmp_path: Path, pseudo_count: float) -> None:
    panel = four_persons()
    model = fitted(tmp_path, panel, pseudo_count=pseudo_count)
    everything = np.arange(panel.n_records)  # first records too: the same frequencies
    rows = np.exp(model.log_prob(panel, everything, whole_rows(panel, panel.n_records)))
    expected = np.array([3, 3, 0]) + pseudo_count  # of six transitions
    np.testing.assert_allclose(rows, np.tile(expected / expected.sum(), (panel.n_records, 1)), rtol=1e-6)
    assert rows.dtype == np.float32


def test_no_transition_at_all(tmp_path: Path) -> None:
    panel = four_persons().select(np.array([3]))
    model = fitted(tmp_path, panel)
    rows = np.exp(model.log_prob(panel, panel.entries, whole_rows(panel, 1)))
    np.testing.assert_allclose(rows, 1 / 3, rtol=1e-6)


def test_save_and_load(tmp_path: Path) -> None:
    panel = four_persons()
    model = fitted(tmp_path, panel)
    model.save(tmp_path)
    again = Marginal(MarginalParams())
    again.load(tmp_path)
    states = whole_rows(panel, len(panel.transitions))
    np.testing.assert_array_equal(
        model.log_prob(panel, panel.transitions, states), again.log_prob(panel, panel.transitions, states)
    )
    assert model.facts()["parameters_trained"] == 2
