"""Every registered model satisfies the contract: the audit, on a small market and on real careers of another shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.fits import model_of
from helpers.panels import open_once

from harness import open_panel
from harness.errors import RequestError
from harness.model.answers import Inquiry, checked_log_prob
from harness.model.audit import CHECKS, AuditSetup, Finding, audit
from harness.model.contract import Context, Model, ModelSpec
from harness.model.scoring import score
from harness.model.task import Event
from harness.panel.careers import Panel
from harness.registry import Registry, load_registry
from harness.system.cache import models_folder
from harness.types import FloatArray, IntArray

# What makes the dear ones small. A model of a plugin that is installed here by chance is audited as it comes.
BRIEF = {"epochs": 2, "fewest_steps": 6, "warmup": 0, "average": 0.5}  # few steps that count, not many small ones
SMALL_BASE = {
    "pool": "market",
    "base_layers": 1,
    "base_width": 64,
    "base_heads": 2,
    "base_tokens": 30_000,
    "base_symbols": 0,
}
SMALL: dict[str, dict[str, Any]] = {
    **{name: {"rounds": 10, "threads": 1} for name in ("gbm", "gbm-switch", "gbm-lf-exit")},
    "mnl": {"iterations": 8, "penalties": (10.0,)},
    "mlogit": {"formula": "tenure", "iterations": 15, "marginal_effects": False},
    "softmax": {"iterations": 8, "penalties": (16.0,)},
    **dict.fromkeys(("career", "career-titles", "nemo", "bag-of-jobs", "markov-regression"), BRIEF),
    "llm-lora": {**SMALL_BASE, "epochs": 1, "rank": 8},
    "llm-titles": {**SMALL_BASE, "epochs": 2, "head_epochs": 2, "fewest_steps": 10, "rank": 8},
    "llm-embed": {**SMALL_BASE, "penalties": (300.0,), "iterations": 8},
    "career-llm": {**BRIEF, "encoder_options": tuple(f"{name}={value}" for name, value in SMALL_BASE.items())},
}
ENOUGH = {"llm-lora": {"base_tokens": 120_000, "epochs": 4}}  # for rows that hold more than a hundredth
REGISTRY = load_registry()
MODELS = sorted(REGISTRY.models)


@pytest.fixture(scope="module")
def wage_panel(registry: Registry) -> Panel:
    panel = open_panel("wage-panel", registry=registry)
    return panel.select(np.arange(120))


def problems(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: finding.problem for finding in findings if finding.problem}


def costly_are_slow(names: Sequence[str]) -> list[Any]:
    """Names of models, those whose fits take seconds marked slow: another test of this file asks them much the same."""
    costly = ("career-llm", "career-titles", "llm-lora", "llm-titles", "softmax")
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in costly)) for name in names]


@pytest.mark.parametrize("name", MODELS)
def test_audit_on_the_market(name: str, registry: Registry, market_40: Panel) -> None:
    spec = registry.model(name).item
    findings = list(audit(spec, spec.params(**SMALL.get(name, {})), market_40, AuditSetup(open_panel=open_once)))
    assert [finding.check for finding in findings] == list(CHECKS)
    assert problems(findings) == {}


@pytest.mark.parametrize("name", costly_are_slow(MODELS))
def test_audit_on_a_panel_of_another_shape(name: str, registry: Registry, wage_panel: Panel) -> None:
    spec = registry.model(name).item
    params = spec.params(**SMALL.get(name, {}))
    if spec.simulated_only:
        with pytest.raises(RequestError, match="simulated"):
            list(audit(spec, params, wage_panel, AuditSetup(open_panel=open_once)))
        return
    if spec.only_task == "lf_exit":
        with pytest.raises(RequestError, match=r"at risk of leaving the labor force.*nothing to be fitted on"):
            list(audit(spec, params, wage_panel, AuditSetup(open_panel=open_once)))  # whose men all work
        return
    assert problems(list(audit(spec, params, wage_panel, AuditSetup(open_panel=open_once)))) == {}


@pytest.mark.parametrize("name", costly_are_slow([name for name in MODELS if not REGISTRY.model(name).item.only_task]))
def test_one_set_of_state_probabilities_answers_every_task(
    name: str, registry: Registry, market_40: Panel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The score on a binary task is the sum over the whole row, first records are priced, rows add up."""
    spec = registry.model(name).item
    model = fitted(spec, SMALL.get(name, {}) | ENOUGH.get(name, {}), market_40, tmp_path_factory)
    test = market_40.part("test").select(np.arange(2))
    transitions = test.transitions[:6]
    states = np.broadcast_to(np.arange(test.n_states), (len(transitions), test.n_states))
    rows = np.exp(checked_log_prob(spec, model, Inquiry.of(test, transitions), states).astype(np.float64))
    sums = rows.sum(axis=1)
    assert (np.abs(sums - 1) < 1e-4).all() if spec.sums_to_one else ((sums > 0.01) & (sums < 1 + 1e-4)).all()
    for task in ("switch", "lf_exit"):
        partition = registry.task(task).partition
        assert isinstance(partition, Event)
        asked = partition.ask(test, transitions)
        event = np.exp(partition.event(checked_log_prob(spec, model, Inquiry.of(test, transitions), asked)))
        summed = np.take_along_axis(rows, asked, axis=1).sum(axis=1)
        np.testing.assert_allclose(event, 1 - summed if partition.complement else summed, atol=1e-4)
    if spec.first_records:
        entry = registry.task("next_occ").with_entry(True)
        scores = score(spec, model, entry, test)
        assert len(scores.log_prob) == test.n_records
        assert np.isfinite(scores.log_prob).all()


def fitted(spec: ModelSpec, given: dict[str, Any], panel: Panel, folders: pytest.TempPathFactory) -> Model:
    model = model_of(spec, spec.params(**given))
    # The cache of an audit's fits, so that a base is learned once for both.
    context = Context(seed=0, scratch=folders.mktemp("scratch"), cache=models_folder(), open_panel=open_once)
    model.fit(panel.part("train"), panel.part("valid"), context)
    return model


class _Spoiled(Model):
    """Wraps a model and spoils one thing; the audit must notice."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        self._model.fit(train, valid, context)

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return self._model.log_prob(panel, transitions, states)

    def save(self, folder: Path) -> None:
        self._model.save(folder)

    def load(self, folder: Path) -> None:
        self._model.load(folder)


class _Peeks(_Spoiled):
    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        answer = self._model.log_prob(panel, transitions, states)
        return np.asarray(answer - np.float32(0.01) * panel.state[transitions][:, None])


class _Crowd(_Spoiled):
    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return self._model.log_prob(panel, transitions, states) - np.float32(0.001 * panel.n_persons)


class _Moody(_Spoiled):
    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        self._model.fit(train, valid, context)
        self.mood = np.float32(np.random.default_rng().random())

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return self._model.log_prob(panel, transitions, states) - self.mood


class _Pickles(_Spoiled):
    def save(self, folder: Path) -> None:
        self._model.save(folder)
        (folder / "model.pkl").write_bytes(b"")


class _Forgets(_Spoiled):
    def load(self, folder: Path) -> None:
        self._model.load(folder)
        self._model.log_share = np.roll(self._model.log_share, 1)  # type: ignore[attr-defined]


class _Impossible(_Spoiled):
    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        answer = self._model.log_prob(panel, transitions, states)
        return np.where(answer < -7, -np.inf, answer)


SPOILED = [
    ("ignores the future", _Peeks),
    ("ignores other persons", _Crowd),
    ("repeats with a seed", _Moody),
    ("survives saving", _Pickles),
    ("survives saving", _Forgets),
    ("every state is possible", _Impossible),
]


@pytest.mark.parametrize(("check", "spoil"), SPOILED)
def test_the_audit_catches(check: str, spoil: type[_Spoiled], registry: Registry, market_40: Panel) -> None:
    from dataclasses import replace

    spec = registry.model("marginal").item
    loose = replace(spec, sums_to_one=False, build=lambda params: spoil(model_of(spec, params)))
    found = problems(list(audit(loose, spec.params(), market_40)))
    assert check in found
