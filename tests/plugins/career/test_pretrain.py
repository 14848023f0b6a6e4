"""Pre-training on resumes: what a survey's network takes over, what it is worth, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.fits import model_of

from harness.data.market import MarketParams, load_market
from harness.errors import RequestError
from harness.features.encoding import Encoding
from harness.model.contract import Context, Model
from harness.model.params import validate
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations
from harness.panel.pooling import require_apart
from harness.plugins.career.pretrain import matched
from harness.registry import Registry
from harness.runs.run import Run
from harness.training import loop

BRIEF = {
    "epochs": "3",
    "fewest_steps": "60",
    "batch_tokens": "512",
    "learning_rate": "5e-3",
    "pretrain_epochs": "6",
    "width": "32",
    "inner": "64",
    "layers": "1",
}


@pytest.fixture(scope="module")
def survey() -> Panel:
    return load_market(MarketParams(persons=400, train_persons=80))


@pytest.fixture(scope="module")
def few(resumes: Panel) -> Panel:
    return resumes.select(np.arange(300))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def fitted(
    registry: Registry, name: str, survey: Panel, cache: Path, resumes: Panel | None = None, **changes: str
) -> Any:
    spec = registry.model(name).item
    known = {key: value for key, value in {**BRIEF, **changes}.items() if key in spec.params.model_fields}
    model = model_of(spec, validate(spec.params, known, name))
    scratch = cache / "scratch"
    scratch.mkdir(exist_ok=True)
    model.fit(
        survey.part("train"), survey.part("valid"), Context(seed=0, scratch=scratch, cache=cache, resumes=resumes)
    )
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


@pytest.mark.parametrize("name", ["career", pytest.param("nemo", marks=pytest.mark.slow)])
def test_resumes_are_worth_something_to_a_small_survey(
    name: str, registry: Registry, survey: Panel, resumes: Panel, cache: Path
) -> None:
    alone = fitted(registry, name, survey, cache)
    tuned = fitted(registry, name, survey, cache, resumes)
    test = survey.part("test")
    assert loss(tuned, test) < loss(alone, test) - 0.05
    facts = tuned.facts()
    assert facts["states_matched"] == survey.n_states
    assert facts["pretraining_seconds"] > 0
    assert facts["validation_loss"][0] < alone.facts()["validation_loss"][0] - 0.05  # before any tuning
    assert facts["pretraining_loss"][-1] < facts["pretraining_loss"][0]


def test_resumes_are_read_once(
    registry: Registry, survey: Panel, few: Panel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = {"epochs": "1", "fewest_steps": "1"}  # what is learned of the survey does not matter
    fitted(registry, "bag-of-jobs", survey, cache, few, pretrain_epochs="2", **brief)
    labels: list[str] = []
    plain = loop.train

    def noted(*given: Any) -> Any:
        labels.append(given[-1])
        return plain(*given)

    monkeypatch.setattr("harness.plugins.career.pretrain.train", noted)
    fitted(registry, "bag-of-jobs", survey, cache, few, pretrain_epochs="2", **brief)
    assert labels == []
    fitted(registry, "bag-of-jobs", survey, cache, few, pretrain_epochs="1", **brief)
    assert labels == ["pre-training"]


def test_what_is_the_same_starts_the_same(registry: Registry, survey: Panel, few: Panel, cache: Path) -> None:
    """Before tuning, states, covariates and levels that resumes have are theirs; the others are the survey's own."""
    from harness.features.selection import names_of
    from harness.network.start import start_of
    from harness.plugins.career.network import Network
    from harness.plugins.career.pretrain import PretrainedNetwork, begin_from

    model = fitted(registry, "career", survey, cache, few, epochs="1", fewest_steps="1", pretrain_epochs="2")
    base: PretrainedNetwork = model._base(Context(seed=0, scratch=cache, cache=cache, resumes=few))
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
    heads: list[Any] = [network.head, base.network.head]
    level = [head.start + head.bias for head in heads]
    torch.testing.assert_close(level[0][5:], level[1][states[5:].copy()])
    torch.testing.assert_close(level[0][:5], start_of(train).log_margin[:5])
    own, other = encoding.labels.index("education: graduate"), base.encoding.labels.index("education: graduate")
    torch.testing.assert_close(network.columns.weight[:, own], base.network.columns.weight[:, other])
    new = encoding.labels.index("gender: female")
    torch.testing.assert_close(network.columns.weight[:, new], before["columns.weight"][:, new])
    readers: list[Any] = [network.reader, base.network.reader]
    torch.testing.assert_close(*(reader.blocks[0].qkv.weight for reader in readers))


def test_states_are_matched_by_title_or_by_code(market: Panel) -> None:
    own = market.occupations
    order = np.arange(len(own))[::-1]
    turned = Occupations(
        *(tuple(np.array(x, dtype=object)[order]) for x in (own.codes, own.titles, own.groups, own.statuses))
    )
    np.testing.assert_array_equal(matched(own, turned, "title"), order)
    np.testing.assert_array_equal(matched(own, turned, "code"), order)
    renamed = replace(turned, titles=tuple(f"{title} (m/f)" for title in turned.titles))
    np.testing.assert_array_equal(matched(own, renamed, "code"), order)
    with pytest.raises(RequestError, match="no title of the panel is one of theirs: try pretrain_match=code"):
        matched(own, renamed, "title")
    recoded = replace(turned, codes=tuple(f"x{code}" for code in turned.codes))
    with pytest.raises(RequestError, match="try pretrain_match=title"):
        matched(own, recoded, "code")


def renamed(panel: Panel, **levels: tuple[str, ...]) -> Panel:
    """The panel with other levels, in place of those of its covariates."""
    covariates = {name: replace(c, levels=levels.get(name, c.levels)) for name, c in panel.covariates.items()}
    return replace(panel, covariates=covariates)


def test_what_resumes_lack_may_stand_in_order(registry: Registry, survey: Panel, few: Panel, cache: Path) -> None:
    brief = {"epochs": "1", "fewest_steps": "1", "pretrain_epochs": "1"}
    fitted(registry, "nemo", survey, cache, few, ordered="region, education", **brief)
    with pytest.raises(RequestError, match="no categorical covariate 'regoin'; did you mean"):
        fitted(registry, "nemo", survey, cache, few, ordered="regoin")


def test_levels_in_another_order_are_another_covariate(survey: Panel) -> None:
    train = survey.part("train")
    levels = train.covariates["education"].levels
    turned = Encoding.fit(renamed(train, education=levels[::-1]), ["education"], ["education"])
    own = Encoding.fit(train, ["education"], ["education"], turned)
    assert set(own.labels) & set(turned.labels) == {"education: missing"}
    same = Encoding.fit(train, ["education"], ["education"], Encoding.fit(train, ["education"], ["education"]))
    assert same.labels[1] == f"education: {levels[0]} to {levels[1]}"


def test_a_number_that_reaches_further_keeps_what_it_meant(survey: Panel) -> None:
    """Between the ends of the resumes everything stays; beyond them there is one interval more."""
    train = survey.part("train")
    birth = train.covariates["birth_year"]
    older = replace(birth, values=birth.values - 5)
    base = Encoding.fit(replace(train, covariates={"birth_year": older}), ["age"])
    own = Encoding.fit(train, ["age"], known=base)
    assert set(own.labels) > set(base.labels)
    assert len(own.labels) == len(base.labels) + 1
    assert own.columns[0].knots[1:] == base.columns[0].knots


@pytest.mark.parametrize("match", ["title", "code"])
def test_a_career_that_is_held_out_is_not_learned_first(match: str, market: Panel) -> None:
    """Titles or codes of the resumes' own make no other career of it."""
    survey = market.select(np.arange(40))
    leak = replace(survey, split=np.zeros(40, dtype=np.int8))
    own = leak.occupations
    if match == "code":
        leak = replace(leak, occupations=replace(own, titles=tuple(f"x{title}" for title in own.titles)))
    else:
        leak = replace(leak, occupations=replace(own, codes=tuple(f"x{code}" for code in own.codes)))
    with pytest.raises(RequestError, match="whom --data holds out with the same career"):
        require_apart(survey, leak, "--pretrain")
    require_apart(survey, survey.part("train"), "--pretrain")


def test_the_request_is_of_the_resumes_too(registry: Registry, market: Panel, resumes: Panel) -> None:
    """Other resumes are another record and another fit; without any, ids are what they were."""
    entry, tasks = registry.model("career"), (registry.task("next_occ"),)
    runs = [
        Run(model=entry, params=entry.item.params(), tasks=tasks, panel=market, resumes=panel)
        for panel in (None, resumes, resumes.select(np.arange(50)))
    ]
    asked = [run.configuration(tasks[0]) for run in runs]
    assert len({configuration.id() for configuration in asked}) == 3
    assert len({run.fit_name for run in runs}) == 3
    assert "pretrain" not in asked[0].model_dump()
    assert asked[1].model_dump()["pretrain"]["fingerprint"] == resumes.fingerprint()
