"""CAREER and its family on weighted panels: ones change nothing, zero teaches nothing, and a weight is a pull."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fits import model_of, whole_rows

from harness.model.contract import Context, Model
from harness.model.params import validate
from harness.panel.careers import Panel
from harness.registry import Registry

QUICK = {
    "epochs": "2",
    "fewest_steps": "10",
    "warmup": "0",
    "average": "0.5",
    "pretrain_epochs": "2",
    "batch_tokens": "256",
    "exchange": "0",
    "exchange_across": "0",
    "layers": "1",
    "width": "16",
    "inner": "32",
}
FAMILY = ("career", "nemo", "bag-of-jobs", "markov-regression")


@pytest.fixture(scope="module")
def small(market: Panel) -> Panel:
    return market.select(np.arange(80))


def fitted(registry: Registry, name: str, panel: Panel, folder: Path, resumes: Panel | None = None) -> Model:
    spec = registry.model(name).item
    known = {key: value for key, value in QUICK.items() if key in spec.params.model_fields}
    model = model_of(spec, validate(spec.params, known, name))
    folder.mkdir()
    context = Context(seed=0, scratch=folder, cache=folder / "cache", resumes=resumes)
    model.fit(panel.part("train"), panel.part("valid"), context)
    return model


@pytest.fixture(scope="module")
def plain(registry: Registry, small: Panel, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """``career`` of the panel without weights."""
    return fitted(registry, "career", small, tmp_path_factory.mktemp("plain") / "fit")


def rows(model: Model, panel: Panel) -> np.ndarray:
    return whole_rows(model, panel, np.arange(panel.n_records))


@pytest.mark.parametrize("name", FAMILY)
def test_weights_of_one_change_no_bit(name: str, registry: Registry, small: Panel, tmp_path: Path) -> None:
    assert registry.model(name).item.uses_weights
    ones = replace(small, weight=np.ones(small.n_records))
    without, with_ones = (fitted(registry, name, p, tmp_path / f"{i}") for i, p in enumerate((small, ones)))
    np.testing.assert_array_equal(rows(without, small), rows(with_ones, small))
    assert without.facts() == with_ones.facts()


def test_what_has_weight_zero_teaches_nothing(registry: Registry, small: Panel, tmp_path: Path) -> None:
    """Other last states of some persons, which nobody's history holds, make another model only where they count."""
    last = small.offsets[1:] - 1
    changed = last[::3]
    state = small.state.copy()
    state[changed] = (state[changed] + 7) % small.n_states
    weight = np.ones(small.n_records)
    weight[changed] = 0.0
    found = {}
    for name, counts in (("zero", weight), ("one", np.ones(small.n_records))):
        pair = [replace(small, weight=counts), replace(small, weight=counts, state=state)]
        models = [fitted(registry, "career", p, tmp_path / f"{name}-{i}") for i, p in enumerate(pair)]
        found[name] = float(np.abs(rows(models[0], small) - rows(models[1], small)).max())
    assert found["zero"] < 1e-4  # but for the order in which float32 numbers are added up
    assert found["one"] > 1e-2


def test_a_weight_pulls_towards_those_who_have_it(registry: Registry, small: Panel, tmp_path: Path) -> None:
    test = small.part("test")
    before = small.state[np.maximum(np.arange(small.n_records) - 1, 0)]
    stayers = np.where(small.state == before, 4.0, 0.25)
    leavers = np.where(small.state == before, 0.25, 4.0)
    at, origin = test.transitions, test.origin(test.transitions)
    stay = [
        np.exp(
            fitted(registry, "career", replace(small, weight=w), tmp_path / f"{i}").log_prob(test, at, origin[:, None])
        )
        for i, w in enumerate((stayers, leavers))
    ]
    assert stay[0].mean() > stay[1].mean() + 0.3


def test_resumes_are_learned_with_their_weights(
    registry: Registry, small: Panel, resumes: Panel, tmp_path: Path
) -> None:
    pool = resumes.select(np.arange(60))
    weight = np.linspace(0.1, 3.0, pool.n_records)
    bases = [
        fitted(registry, "career", small, tmp_path / f"{i}", resumes=replace(pool, weight=w)).facts()
        for i, w in enumerate((None, np.ones(pool.n_records), weight))
    ]
    assert bases[0]["pretraining_loss"] == bases[1]["pretraining_loss"]
    assert bases[0]["pretraining_loss"] != bases[2]["pretraining_loss"]


def test_where_nothing_that_is_watched_counts_all_count_the_same(
    registry: Registry, small: Panel, plain: Model, tmp_path: Path
) -> None:
    weight = np.where(np.isin(small.split[small.person], [1]), 0.0, 1.0)  # as a forecast's first years may be
    model = fitted(registry, "career", replace(small, weight=weight), tmp_path / "fit")
    assert model.facts()["validation_loss"] == plain.facts()["validation_loss"]


def test_the_best_epoch_is_that_of_weighted_validation(
    registry: Registry, small: Panel, plain: Model, tmp_path: Path
) -> None:
    """Weights of the persons held out move what is watched, and from the same training come other numbers."""
    held_out = small.split[small.person] == 1
    weight = np.where(held_out, np.linspace(0.0, 4.0, small.n_records), 1.0)
    model = fitted(registry, "career", replace(small, weight=weight), tmp_path / "fit")
    start = [m.facts()["validation_loss"][0] for m in (plain, model)]  # before training: one network, two means
    assert start[0] != pytest.approx(start[1], abs=1e-4)
