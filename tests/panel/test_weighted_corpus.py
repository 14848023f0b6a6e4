"""Weighted corpora: the weights of the panel of all shards, given to a shard when it is read."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.formats.corpus import read_corpus
from harness.data.write_corpus import parts_of, write_corpus
from harness.errors import RequestError
from harness.model import Context
from harness.panel import Corpus, Panel
from harness.panel.careers import SPLITS, Covariate
from harness.panel.weights import weighted, weighted_alike, weighted_corpus
from harness.registry import Registry
from harness.runs.request import PanelRequest
from harness.system.progress import Silent
from harness.types import FloatArray

QUICK = {"epochs": "1", "fewest_steps": "1", "pretrain_epochs": "1", "batch_tokens": "256"}


@pytest.fixture
def written(tmp_path: Path, resumes: Panel) -> Callable[..., tuple[Panel, Corpus]]:
    """Some resumes with a column of these values, and their corpus."""

    def write(values: FloatArray | float, shards: int = 4) -> tuple[Panel, Corpus]:
        few = resumes.select(np.arange(60)).in_order()
        column = np.broadcast_to(np.asarray(values, dtype=np.float64), few.year.shape).copy()
        panel = replace(few, name="resumes", covariates={**few.covariates, "w": Covariate("numeric", column)})
        return panel, write_corpus(parts_of(panel, shards), shards, tmp_path / "resumes")

    return write


def some_values(panel: Panel) -> FloatArray:
    """From zero up, larger in the later shards."""
    return np.random.default_rng(5).integers(0, 4, panel.n_records) * (1.0 + panel.person)


def test_shards_have_the_weights_of_the_whole_panel(
    written: Callable[..., tuple[Panel, Corpus]], resumes: Panel
) -> None:
    panel, corpus = written(some_values(resumes.select(np.arange(60)).in_order()))
    right, found = weighted(panel, "w"), weighted_corpus(corpus, "w")
    assert right.weight is not None
    assert (found.name, dict(found.source)["weights"]) == (right.name, "w")
    seen = 0
    for shard in found.panels():
        assert shard.weight is not None
        assert shard.name == right.name
        assert set(shard.covariates) == set(found.covariates) == set(right.covariates)
        place = {person: i for i, person in enumerate(right.persons.tolist())}
        same = right.select(np.array([place[person] for person in shard.persons.tolist()]))
        np.testing.assert_allclose(shard.weight, same.weights(np.arange(same.n_records)), rtol=1e-12)
        seen += shard.n_records
    assert seen == panel.n_records
    np.testing.assert_allclose(found.whole().weights(np.arange(seen)), right.weight, rtol=1e-12)
    assert found.whole().persons.tolist() == right.persons.tolist()
    sent = pickle.loads(pickle.dumps(found))  # as other processes are given it
    assert sent.panel(2).fingerprint() == found.panel(2).fingerprint()


def test_a_constant_gives_exactly_ones(written: Callable[..., tuple[Panel, Corpus]]) -> None:
    _, corpus = written(0.3)
    for shard in weighted_corpus(corpus, "w").panels():
        assert shard.weights(np.arange(shard.n_records)).tolist() == [1.0] * shard.n_records


def test_a_weighted_corpus_is_another_one(written: Callable[..., tuple[Panel, Corpus]]) -> None:
    _, corpus = written(2.0)
    found = weighted_corpus(corpus, "w")
    assert found.fingerprint() != corpus.fingerprint()
    again = read_corpus(Path(corpus.shards[0].place).parents[1])
    assert found.fingerprint() == weighted_corpus(again, "w").fingerprint()
    assert found.fingerprint() != replace(found, source=corpus.source).fingerprint()


def test_what_cannot_be_a_weight_is_refused_in_its_shard(
    written: Callable[..., tuple[Panel, Corpus]], resumes: Panel, tmp_path: Path
) -> None:
    few = resumes.select(np.arange(60)).in_order()
    values = np.ones(few.n_records)
    values[-1] = np.nan
    _, corpus = written(values)
    with pytest.raises(RequestError, match=rf"00003\.parquet: --weights w: person {few.persons[-1]}, .* has no value"):
        weighted_corpus(corpus, "w")
    with pytest.raises(RequestError, match="--weights other: 'resumes' has no such column"):
        weighted_corpus(corpus, "other")


@pytest.mark.parametrize(
    ("split", "said"),
    [("all", "every record of 'resumes' has weight zero"), ("valid", "every transition of the valid split has weight")],
)
def test_where_nothing_counts_is_told(
    written: Callable[..., tuple[Panel, Corpus]], resumes: Panel, split: str, said: str
) -> None:
    few = resumes.select(np.arange(60)).in_order()
    here = np.ones(few.n_records, dtype=bool)
    if split != "all":
        here = few.split[few.person] == SPLITS.index("valid")
    _, corpus = written(np.where(here, 0.0, 3.0))
    with pytest.raises(RequestError, match=said):
        weighted_corpus(corpus, "w")


def test_a_request_weighs_its_corpora_as_its_panel(
    written: Callable[..., tuple[Panel, Corpus]], market_30: Panel, registry: Registry
) -> None:
    """None of them is read whole."""
    ones = Covariate("numeric", np.ones(market_30.n_records))
    main = replace(market_30, covariates={**market_30.covariates, "w": ones})
    _, corpus = written(2.0)
    place = str(Path(corpus.shards[0].place).parents[1])
    request = PanelRequest(train_also=(place,), pretrain=place)
    for of, name in ((weighted(main, "w"), "resumes weighted by w"), (main, "resumes")):
        [further] = request.open_further(of, registry, Silent())
        found = request.open_resumes(of, registry, Silent())
        for one in (further, found):
            assert isinstance(one, Corpus)
            assert one.name == name


def test_a_weighted_corpus_of_one_shard_teaches_what_the_panel_does(
    written: Callable[..., tuple[Panel, Corpus]], registry: Registry, market_30: Panel, resumes: Panel, tmp_path: Path
) -> None:
    panel, corpus = written(some_values(resumes.select(np.arange(60)).in_order()), 1)
    spec = registry.model("markov-regression").item
    facts: list[dict[str, Any]] = []
    learned: tuple[Panel | Corpus, ...] = (weighted(panel, "w"), weighted_corpus(corpus, "w"), corpus)
    for number, careers in enumerate(learned):
        model = spec.build(spec.params.model_validate(QUICK))
        folder = tmp_path / str(number)
        folder.mkdir()
        context = Context(seed=3, scratch=folder, cache=folder / "cache", resumes=careers)
        model.fit(market_30.part("train"), market_30.part("valid"), context)
        facts.append(dict(model.facts()))
    assert facts[0]["pretraining_loss"] == facts[1]["pretraining_loss"] != facts[2]["pretraining_loss"]
    assert facts[0]["validation_loss"] == facts[1]["validation_loss"]


def test_without_the_column_every_record_counts_one(
    written: Callable[..., tuple[Panel, Corpus]], market_30: Panel
) -> None:
    _, corpus = written(2.0)
    assert weighted_alike(corpus, replace(market_30, source={"weights": "other"})) is corpus
    assert weighted_alike(corpus, market_30) is corpus
