"""Pre-training on resumes: what a survey's network takes over, what it is worth, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.data.market import MarketParams, load_market
from harness.data.write import write_panel
from harness.errors import RequestError
from harness.model import Context, Model
from harness.panel import Occupations, Panel
from harness.plugins.career import train as training
from harness.plugins.career.pretrain import matched
from harness.registry import Registry
from harness.settings import validate

BRIEF = {
    "epochs": "3",
    "fewest_steps": "100",
    "batch_tokens": "512",
    "learning_rate": "5e-3",
    "pretrain_epochs": "8",
    "width": "32",
    "inner": "64",
    "layers": "1",
}


@pytest.fixture(scope="module")
def pool(resumes: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    write_panel(resumes, folder)
    return folder


@pytest.fixture(scope="module")
def survey() -> Panel:
    return load_market(MarketParams(persons=600, train_persons=100))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def fitted(registry: Registry, name: str, survey: Panel, cache: Path, **changes: str) -> Any:
    spec = registry.model(name).item
    known = {key: value for key, value in {**BRIEF, **changes}.items() if key in spec.params.model_fields}
    model: Model = spec.build(validate(spec.params, known, name))
    scratch = cache / "scratch"
    scratch.mkdir(exist_ok=True)
    model.fit(survey.part("train"), survey.part("valid"), Context(0, scratch, cache))
    for left in scratch.glob("*"):
        left.unlink()
    return model


def loss(model: Model, panel: Panel) -> float:
    at = panel.transitions
    return -float(model.log_prob(panel, at, panel.state[at].astype(np.int64)[:, None]).astype(np.float64).mean())


def test_the_survey_keeps_its_size_and_its_test_split() -> None:
    whole, small = load_market(MarketParams(persons=600)), load_market(MarketParams(persons=600, train_persons=70))
    assert small.part("train").n_persons == 70
    assert small.part("valid").n_persons == 10
    assert small.part("test").persons.tolist() == whole.part("test").persons.tolist()
    assert small.part("train").persons.tolist() == whole.part("train").persons[:70].tolist()
    assert small.name == "market-persons-600-seed-1-train_persons-70"
    assert whole.name == "market-persons-600-seed-1"


@pytest.mark.parametrize("name", ["career", "nemo"])
def test_resumes_are_worth_something_to_a_small_survey(
    name: str, registry: Registry, survey: Panel, pool: Path, cache: Path
) -> None:
    alone = fitted(registry, name, survey, cache)
    tuned = fitted(registry, name, survey, cache, pretrain=str(pool))
    test = survey.part("test")
    assert loss(tuned, test) < loss(alone, test) - 0.05
    facts = tuned.facts()
    assert facts["states_matched"] == survey.n_states
    assert facts["validation_loss"][0] < alone.facts()["validation_loss"][0] - 0.05  # before any tuning
    assert facts["pretraining_loss"][-1] < facts["pretraining_loss"][0]


def test_resumes_are_read_once(
    registry: Registry, survey: Panel, pool: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(registry, "nemo", survey, cache, pretrain=str(pool))
    labels: list[str] = []
    plain = training.train

    def noted(*given: Any) -> Any:
        labels.append(given[-1])
        return plain(*given)

    monkeypatch.setattr("harness.plugins.career.pretrain.train", noted)
    fitted(registry, "nemo", survey, cache, pretrain=str(pool))
    assert labels == []
    fitted(registry, "nemo", survey, cache, pretrain=str(pool), pretrain_epochs="1")
    assert labels == ["pre-training"]


def test_what_is_the_same_starts_the_same(registry: Registry, survey: Panel, pool: Path, cache: Path) -> None:
    """Before tuning, states, covariates and levels that resumes have are theirs; the others are the survey's own."""
    from harness.plugins.career.encoding import Encoding
    from harness.plugins.career.features import names_of
    from harness.plugins.career.network import Network
    from harness.plugins.career.pretrain import Base, begin_from
    from harness.plugins.career.start import start_of

    model = fitted(registry, "career", survey, cache, pretrain=str(pool))
    base: Base = model._base(Context(0, cache, cache))
    assert not [label for label in base.encoding.labels if label.startswith(("gender", "ethnicity", "region"))]
    train = survey.part("train")
    encoding = Encoding.fit(train, names_of(train, "history"), known=base.encoding)
    torch.manual_seed(1)
    network = Network(replace(base.network.plan, columns=encoding.width), start_of(train))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    states = np.arange(survey.n_states)[::-1].copy()  # as if the resumes had the states the other way round
    states[:5] = -1
    begin_from(base, network, encoding, train.occupations, states)
    torch.testing.assert_close(network.states.own[5:], base.network.states.own[states[5:].copy()])
    torch.testing.assert_close(network.states.own[:5], before["states.own"][:5])
    level = [net.head.start + net.head.bias for net in (network, base.network)]
    torch.testing.assert_close(level[0][5:], level[1][states[5:].copy()])
    torch.testing.assert_close(level[0][:5], start_of(train).log_margin[:5])
    own, other = encoding.labels.index("education: graduate"), base.encoding.labels.index("education: graduate")
    torch.testing.assert_close(network.columns.weight[:, own], base.network.columns.weight[:, other])
    new = encoding.labels.index("gender: female")
    torch.testing.assert_close(network.columns.weight[:, new], before["columns.weight"][:, new])
    torch.testing.assert_close(network.reader.blocks[0].qkv.weight, base.network.reader.blocks[0].qkv.weight)


def test_states_are_matched_by_title_or_by_code(market: Panel) -> None:
    own = market.occupations
    order = np.arange(len(own))[::-1]
    turned = Occupations(
        *(tuple(np.array(x, dtype=object)[order]) for x in (own.codes, own.titles, own.groups, own.statuses))
    )
    np.testing.assert_array_equal(matched(own, turned, "title", "pool"), order)
    np.testing.assert_array_equal(matched(own, turned, "code", "pool"), order)
    renamed = replace(turned, titles=tuple(f"{title} (m/f)" for title in turned.titles))
    np.testing.assert_array_equal(matched(own, renamed, "code", "pool"), order)
    with pytest.raises(RequestError, match="no title of the panel is one of 'pool': try pretrain_match=code"):
        matched(own, renamed, "title", "pool")
    recoded = replace(turned, codes=tuple(f"x{code}" for code in turned.codes))
    with pytest.raises(RequestError, match="try pretrain_match=title"):
        matched(own, recoded, "code", "pool")


def test_resumes_that_are_not_there_are_refused(registry: Registry, survey: Panel, cache: Path) -> None:
    with pytest.raises(RequestError, match="nowhere"):
        fitted(registry, "career", survey, cache, pretrain="nowhere")
