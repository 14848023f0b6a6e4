"""CAREER and its family through the contract: what they learn, what a preset says, and training that was killed."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.fits import model_of, observed, whole_rows
from pydantic import ValidationError

from harness.errors import RequestError, RunError
from harness.model.contract import Context, Model
from harness.model.params import validate
from harness.panel.careers import Covariate, Panel, split_by_hash
from harness.panel.occupations import Occupations, Status
from harness.plugins.career.params import CareerParams
from harness.registry import Registry

QUICK = {
    "epochs": "4",
    "fewest_steps": "80",
    "batch_tokens": "512",
    "learning_rate": "2e-2",
    "warmup": "15",
    "average": "0.9",
    "exchange": "0",
    "exchange_across": "0",
    "layers": "1",
    "width": "32",
    "inner": "64",
    "tied": "false",
}
SEQUENCES = ("career", "nemo")
FAMILY = (*SEQUENCES, "bag-of-jobs", "markov-regression")


def build(registry: Registry, name: str, **changes: str) -> Model:
    spec = registry.model(name).item
    known = {key: value for key, value in {**QUICK, **changes}.items() if key in spec.params.model_fields}
    return model_of(spec, validate(spec.params, known, name))


def fitted(registry: Registry, name: str, panel: Panel, folder: Path, **changes: str) -> Model:
    model = build(registry, name, **changes)
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=scratch, cache=folder / "cache"))
    return model


def loss(model: Model, panel: Panel) -> float:
    """Nats a transition."""
    return -float(observed(model, panel).astype(np.float64).mean())


def simulated(step: Any, persons: int = 150, records: int = 12, states: int = 4, **covariates: Covariate) -> Panel:
    """Careers of states that ``step(history, rng, person)`` chooses one by one."""
    rng = np.random.default_rng(0)
    careers = []
    for person in range(persons):
        history: list[int] = []
        for _ in range(records):
            history.append(step(history, rng, person))
        careers.append(history)
    names = tuple(f"state {k}" for k in range(states))
    ids = np.array([f"p{i}" for i in range(persons)])
    return Panel(
        name="simulated",
        persons=ids,
        offsets=np.arange(persons + 1) * records,
        year=np.tile(np.arange(2000, 2000 + records), persons),
        state=np.array(careers).reshape(-1),
        occupations=Occupations(names, names, names, (Status.EMPLOYED,) * states),
        split=split_by_hash(ids),
        covariates=covariates,
    )


def two_back(history: list[int], rng: np.random.Generator, person: int) -> int:
    """The state before the present spell, nine times in ten: known to who sees further back than the origin."""
    others = [k for k in reversed(history) if k != history[-1]]
    if len(history) < 2 or not others or rng.random() > 0.9:
        return int(rng.integers(4))
    return others[0]


@pytest.mark.parametrize("name", [*SEQUENCES, "markov-regression"])
def test_what_came_before_the_origin_is_learned(name: str, registry: Registry, tmp_path: Path) -> None:
    panel = simulated(two_back)
    how = {"history": "learned", "recall": "learned", "fewest_steps": "80" if name in SEQUENCES else "160"}
    model = fitted(registry, name, panel, tmp_path, **how)
    # After the first move: .925 for one state and .025 for each of three others.
    entropy = -(0.925 * log(0.925) + 3 * 0.025 * log(0.025))
    test = panel.part("test")
    late = test.transitions[test.transitions % 12 > 4]
    said = -model.log_prob(test, late, test.state[late].astype(np.int64)[:, None]).astype(np.float64).mean()
    assert said < entropy + 0.25  # the origin alone leaves ln 3 and more
    if name == "markov-regression":
        first_order = fitted(registry, "bag-of-jobs", panel, tmp_path / "bag", fewest_steps="160")
        assert loss(first_order, test) > said + 0.2  # a mean knows no order


def first_state(history: list[int], rng: np.random.Generator, person: int) -> int:
    """Everyone has a state of their own, found anew in half of the years."""
    return person % 4 if rng.random() < 0.5 else int(rng.integers(4))


def test_a_bag_counts_what_was_before(registry: Registry, tmp_path: Path) -> None:
    panel = simulated(first_state, 250)
    test = panel.part("test")
    bag = loss(fitted(registry, "bag-of-jobs", panel, tmp_path / "bag", stay="origin"), test)
    other = fitted(registry, "markov-regression", panel, tmp_path / "regression", stay="origin")
    assert bag < loss(other, test) - 0.05


def by_covariate(persons: int = 100, records: int = 12) -> Panel:
    """The next state is the number that a covariate says, and 3 where it is missing: as level and as number."""
    rng = np.random.default_rng(1)
    value = rng.integers(-1, 3, persons * records)

    def step(history: list[int], rng: np.random.Generator, person: int) -> int:
        own = value[person * records + len(history)]
        return int(own) if own >= 0 else 3

    return replace(
        simulated(step, persons, records),
        covariates={
            "level": Covariate("categorical", value, ("a", "b", "c")),
            "number": Covariate("numeric", np.where(value < 0, np.nan, value * 10.0)),
        },
    )


@pytest.mark.parametrize("kept", ["level", "number"])
@pytest.mark.parametrize("ordered", [False, True])
def test_covariates_of_every_kind_are_used_and_missing_ones_too(
    kept: str, ordered: bool, registry: Registry, tmp_path: Path
) -> None:
    panel = by_covariate()
    panel = replace(panel, covariates={kept: panel.covariates[kept]})
    if ordered and kept == "number":
        with pytest.raises(RequestError, match="no categorical covariate 'number'"):
            fitted(registry, "career", panel, tmp_path, ordered="number")
        return
    model = fitted(registry, "career", panel, tmp_path, ordered="level" if ordered else "")
    assert exp(loss(model, panel.part("test"))) < 1.2  # of four


@pytest.mark.parametrize("name", FAMILY)
def test_saved_and_loaded_it_says_the_same(name: str, registry: Registry, market: Panel, tmp_path: Path) -> None:
    panel = market.select(np.arange(60))
    model = fitted(registry, name, panel, tmp_path, epochs="1", fewest_steps="5", members="2")
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")
    files = [path for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".npz"}
    again = build(registry, name, members="2")
    again.load(tmp_path / "saved")
    np.testing.assert_array_equal(whole_rows(again, panel), whole_rows(model, panel))
    assert again.facts() == model.facts()
    assert model.facts()["parameters_trained"] > 1000


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("stop", [1, 7])
def test_a_killed_fit_goes_on_to_the_same_weights(
    name: str, stop: int, registry: Registry, market: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.training import loop, step

    panel = market.select(np.arange(80))
    how = {"epochs": "4", "fewest_steps": "1", "batch_tokens": "512", "checkpoint_seconds": "0", "exchange": "0.5"}
    plain, done, steps = step.take_step, [0], [0]

    def counted(*given: Any, **named: Any) -> float:
        steps[0] += 1
        return plain(*given, **named)

    monkeypatch.setattr(loop, "take_step", counted)
    whole = whole_rows(fitted(registry, name, panel, tmp_path / "whole", **how), panel)
    of_all, steps[0] = steps[0], 0

    def interrupted(*given: Any, **named: Any) -> float:
        done[0] += 1
        if done[0] > stop:
            raise KeyboardInterrupt
        return plain(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fitted(registry, name, panel, tmp_path / "killed", **how)
    np.testing.assert_array_equal(whole_rows(fitted(registry, name, panel, tmp_path / "killed", **how), panel), whole)
    assert steps[0] == of_all - stop  # only what was left


def test_the_best_epoch_is_kept(registry: Registry, tmp_path: Path) -> None:
    """Careers of chance: the longer the training, the worse; what is kept is no worse than what it started from."""
    panel = simulated(lambda history, rng, person: int(rng.integers(4)), 60)
    model = fitted(registry, "career", panel, tmp_path, epochs="20", fewest_steps="60", dropout="0", state_dropout="0")
    facts = model.facts()
    assert len(facts["validation_loss"]) == facts["epochs"] + 1
    assert min(facts["validation_loss"]) == facts["validation_loss"][facts["best_epoch"]]
    assert facts["best_epoch"] < facts["epochs"]
    assert loss(model, panel.part("valid")) == pytest.approx(min(facts["validation_loss"]), abs=1e-5)


def test_without_anyone_to_validate_on_the_last_weights_are_kept(registry: Registry, tmp_path: Path) -> None:
    panel = simulated(two_back, 60)
    model = build(registry, "career", fewest_steps="20")
    (tmp_path / "scratch").mkdir()
    nobody = panel.part("valid").select(np.arange(1))
    nobody = replace(nobody, offsets=np.array([0, 1]), year=nobody.year[:1], state=nobody.state[:1])
    model.fit(panel.part("train"), nobody, Context(seed=0, scratch=tmp_path / "scratch", cache=tmp_path))
    assert model.facts()["best_epoch"] == model.facts()["epochs"] > 0
    assert model.facts()["validation_loss"] == []


def test_training_that_diverges_says_so(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"epoch \d+: the validation loss is .* lower learning_rate"):
        fitted(registry, "career", simulated(two_back, 60), tmp_path, learning_rate="1e4", average="0", warmup="0")


def test_presets_say_what_is_not_set() -> None:
    paper = CareerParams.model_validate({"preset": "paper"})
    shape = (paper.layers, paper.width, paper.heads, paper.dropout, paper.schedule, paper.weight_decay)
    assert shape == (12, 192, 3, 0.1, "inverse-sqrt", 0.01)
    assert (paper.stay, paper.history, paper.recall, paper.exchange, paper.two_stage) == (
        "origin",
        "learned",
        "learned",
        0.0,
        True,
    )
    assert CareerParams.model_validate({"preset": "paper", "layers": "2"}).layers == 2
    assert CareerParams.model_validate({}) == CareerParams()
    with pytest.raises(ValidationError, match="cannot be divided"):
        CareerParams.model_validate({"width": 50, "heads": 3})
    with pytest.raises(ValidationError, match="sum to at most 1"):
        CareerParams.model_validate({"exchange": 0.8, "exchange_across": 0.3})


def test_the_published_network_trains(registry: Registry, market: Panel, tmp_path: Path) -> None:
    panel = market.select(np.arange(30))
    spec = registry.model("career").item
    params = validate(spec.params, {"preset": "paper", "epochs": "3", "warmup": "2", "batch_tokens": "512"}, "career")
    model: Any = spec.build(params)
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=tmp_path, cache=tmp_path))
    network = model._network
    assert network.plan.shape.layers == 12
    assert network.head.states is network.states  # one embedding to read and to predict by
    layers = 12 * (4 * 192 * 192 + 2 * 192 * 768 + 13 * 192)  # attention, feed-forward, biases and norms
    assert sum(p.numel() for p in network.reader.parameters()) == layers + 2 * 192
    losses = model.facts()["validation_loss"]
    assert losses[model.facts()["best_epoch"]] < losses[0]


def test_a_single_state_and_a_panel_without_transitions_are_no_trouble(registry: Registry, tmp_path: Path) -> None:
    lonely = simulated(lambda history, rng, person: 0, 20, states=1)
    assert (whole_rows(fitted(registry, "career", lonely, tmp_path / "one"), lonely) == 0).all()
    short = simulated(two_back, 40, records=1)
    model = fitted(registry, "career", short, tmp_path / "short")
    longer = simulated(two_back, 40)
    np.testing.assert_allclose(np.exp(whole_rows(model, longer)).sum(axis=1), 1.0, atol=1e-5)


def test_torch_own_generator_is_left_alone(registry: Registry, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    fitted(registry, "career", simulated(two_back, 30), tmp_path, fewest_steps="3", epochs="1")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", FAMILY)
def test_one_softmax_is_trained_too(name: str, registry: Registry, tmp_path: Path) -> None:
    panel = simulated(two_back, 60)
    model = fitted(registry, name, panel, tmp_path, two_stage="false", fewest_steps="60")
    losses = model.facts()["validation_loss"]
    assert min(losses) < losses[0]


def test_odd_covariates_do_no_harm(registry: Registry, tmp_path: Path) -> None:
    """Nothing but missing values, one value, an infinite one, no level, and names that features have."""
    panel = simulated(two_back, 60)
    n = panel.n_records
    values = np.arange(n, dtype=np.float64)
    odd = {
        "missing": Covariate("numeric", np.full(n, np.nan)),
        "constant": Covariate("numeric", np.ones(n)),
        "infinite": Covariate("numeric", np.where(values % 5 == 0, np.inf, values)),
        "nobody": Covariate("categorical", np.full(n, -1), ()),
        "tenure": Covariate("numeric", values % 7),
        "year": Covariate("categorical", (values % 3).astype(np.int64), ("a", "b", "c")),
    }
    panel = replace(panel, covariates=odd)
    for name in FAMILY:
        model = fitted(registry, name, panel, tmp_path / name, epochs="1", fewest_steps="5")
        rows = whole_rows(model, panel)
        assert np.isfinite(rows).all()
        for read in ("infinite", "tenure", "year"):  # what holds a value is read
            changed = replace(odd[read], values=odd[read].values[::-1].copy())
            other = replace(panel, covariates=odd | {read: changed})
            assert np.abs(whole_rows(model, other) - rows).max() > 1e-4, (name, read)
