"""The boosted conditional logit under gbm: gradients by differences, early stopping, recall that trees can see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import homeward

from harness.estimation.choices import thinned
from harness.features.pairs import Pairs
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.gbm import harness_models
from harness.plugins.gbm.model import Gbm
from harness.plugins.gbm.params import GbmParams
from harness.plugins.gbm.trees import Rows, splittable

pytest.importorskip("lightgbm")


def choice_sets(n: int, size: int) -> Pairs:
    return Pairs(np.repeat(np.arange(n), size), np.tile(np.arange(size), n), np.arange(0, n * size, size))


@pytest.mark.parametrize("of_choices", [True, False], ids=["choice sets", "binary"])
def test_the_objective_is_the_gradient_of_the_loss(of_choices: bool) -> None:
    draw = np.random.default_rng(0)
    pairs = choice_sets(3, 4) if of_choices else None
    label = np.zeros(12, dtype=bool)
    label[[1, 4, 11]] = True
    scores = draw.normal(size=12)
    weight = draw.uniform(0, 3, size=3)
    table = Rows(np.zeros((12, 1)), label, np.zeros(12), np.repeat(weight, 4), pairs)
    worth = weight if of_choices else np.repeat(weight, 4)
    gradient, hessian = table.gradients(scores, None)
    step = 1e-4
    for j in range(12):
        moved = np.eye(12)[j] * step
        up, here, down = (-(worth * table.log_prob(scores + d)).sum() for d in (moved, 0, -moved))
        np.testing.assert_allclose(gradient[j], (up - down) / (2 * step), atol=1e-6)
        np.testing.assert_allclose(hessian[j], (up - 2 * here + down) / step**2, atol=1e-5)


def fitted(panel: Panel, folder: Path, **params: float) -> Gbm:
    model = Gbm(GbmParams(threads=1, **params))
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=1, scratch=folder, cache=folder))
    return model


def test_trees_learn_that_people_return(tmp_path: Path) -> None:
    panel = homeward(500)
    model, test = fitted(panel, tmp_path), panel.part("test")
    transitions = test.transitions
    home = np.array([test.state[a:b].max() for a, b in zip(test.offsets[:-1], test.offsets[1:], strict=True)])
    been = np.maximum.accumulate(np.where(test.state > 0, np.arange(test.n_records), -1))[transitions - 1]
    back = transitions[(test.origin(transitions) == 0) & (been >= test.offsets[test.person[transitions]])]
    log_prob = model.log_prob(test, back, home[test.person[back]][:, None].astype(np.int64))
    assert np.exp(log_prob).mean() > 0.4  # half of them do leave; without recall it is at most an eighth of a half


def test_no_trees_where_they_do_not_gain(tmp_path: Path) -> None:
    panel = homeward(60)
    noise = replace(panel, state=np.random.default_rng(0).integers(0, 9, size=panel.n_records).astype(np.int32))
    model = fitted(noise, tmp_path, learning_rate=1.0, min_weight=0.0, min_data=3)
    chosen = model.facts()["chosen_on_validation"]
    assert [chosen[f"{step}_rounds"] for step in ("stay", "group", "state")] == [0, 0, 0]
    assert model.facts()["parameters_trained"] == 0


def test_splittable_is_what_lightgbm_can_split() -> None:
    column = np.r_[np.zeros(20), np.ones(4), np.nan]
    assert splittable(np.column_stack([np.zeros(25), column]), 5)  # four ones and a missing value on one side
    assert not splittable(column[:, None], 6)
    assert not splittable(np.zeros((100, 1)), 5)


def test_early_stopping_keeps_fewer_rounds_than_allowed(tmp_path: Path) -> None:
    panel = homeward(200)
    chosen = fitted(panel, tmp_path, early_stopping=5).facts()["chosen_on_validation"]
    assert all(chosen[f"{step}_rounds"] < 1000 for step in ("stay", "group", "state"))
    assert chosen["group_rounds"] > 0


def test_thinning_keeps_whole_choice_sets() -> None:
    pairs = choice_sets(1000, 5)
    label = pairs.alternative == 2
    some, some_label = thinned(pairs, label, 1000, seed=0)
    assert 500 < len(some) < 1500
    np.testing.assert_array_equal(np.diff(np.append(some.begin, len(some))), 5)
    np.testing.assert_array_equal(some_label, some.alternative == 2)
    assert thinned(pairs, label, 5000, seed=0)[0] is pairs


def test_the_spec_says_how_to_install_and_what_can_be_set() -> None:
    spec = harness_models()[0]
    assert (spec.needs, spec.install) == (("lightgbm",), "pip install 'labor-harness[gbm]'")
    assert all(field.description for field in GbmParams.model_fields.values())
