"""Plugins: what is found, what is refused, and what a missing library means."""

from __future__ import annotations

from dataclasses import replace

import pluggy
import pytest
from helpers.toys import Frequencies

from harness import hookspecs
from harness.errors import HarnessError, RequestError
from harness.hookspecs import hookimpl
from harness.model.contract import ModelSpec
from harness.registry import Registry, collect

BUILT_IN = {"uniform", "marginal", "markov", "mnl", "gbm", "llm-lora", "oracle"}


def manager_of(*plugins: tuple[str, object]) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for name, plugin in plugins:
        manager.register(plugin, name=name)
    return manager


def bringing(*names: str) -> object:
    class Plugin:
        @hookimpl
        def harness_models(self) -> list[ModelSpec]:
            return [ModelSpec(name, "", Frequencies) for name in names]

    return Plugin()


def test_what_comes_with_the_harness(registry: Registry) -> None:
    assert registry.broken == {}
    assert set(registry.models) >= BUILT_IN
    assert set(registry.tasks) >= {"next_occ", "switch", "lf_exit", "next_occ_switchers"}
    assert set(registry.datasets) >= {"market", "market-resumes", "wage-panel"}
    assert {entry.owner for name, entry in registry.models.items() if name in BUILT_IN} == {"labor-harness"}


def test_every_built_in_model_says_what_it_is(registry: Registry) -> None:
    for name in BUILT_IN:
        spec = registry.models[name].item
        assert spec.summary
        assert spec.params()  # every parameter has a default
        assert all(info.description for info in spec.params.model_fields.values()), name
        assert not spec.needs or spec.install


def test_two_plugins_that_claim_one_name_are_both_named() -> None:
    with pytest.raises(HarnessError, match=r"two plugins claim the model 'x': first .* and second"):
        collect(manager_of(("first", bringing("x", "y")), ("second", bringing("x"))))


def test_a_misspelled_hook_is_an_error() -> None:
    class Plugin:
        @hookimpl
        def harness_modles(self) -> list[ModelSpec]:
            return []

    with pytest.raises(HarnessError, match="plugin 'typo' implements a hook that does not exist"):
        collect(manager_of(("typo", Plugin())))


def test_a_missing_library_is_said_with_the_line_that_installs_it() -> None:
    registry = collect(manager_of(("p", bringing("x"))))
    spec = replace(registry.models["x"].item, needs=("no_such_module",), install="pip install 'x[all]'")
    registry.models["x"] = replace(registry.models["x"], item=spec)
    with pytest.raises(RequestError, match=r"needs no_such_module, which is not installed: pip install 'x\[all\]'"):
        registry.model("x")


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [("model", "markow", "markov"), ("task", "next_ocu", "next_occ"), ("dataset", "markt", "market")],
)
def test_did_you_mean(kind: str, wrong: str, right: str, registry: Registry) -> None:
    with pytest.raises(RequestError, match=f"did you mean '{right}'"):
        getattr(registry, kind)(wrong)
