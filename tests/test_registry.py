"""Plugins: what is found, what is refused, and what a missing library means."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pluggy
import pytest
import typer
from helpers.planted import plant
from helpers.toys import Frequencies

from harness import hookspecs
from harness.cli import build_app
from harness.errors import RequestError
from harness.hookspecs import hookimpl
from harness.model.contract import Context, Model, ModelSpec
from harness.panel import Panel
from harness.registry import Registry, collect, load_registry
from harness.stats.figures import METRICS

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


def test_what_is_installed_while_python_runs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that is known, and has been looked at before."""
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "planted" not in load_registry().models
    plant(tmp_path, "class Planted(Uniform):\n    pass\n")
    monkeypatch.setitem(sys.modules, "planted_model", None)  # known again when the test has ended
    monkeypatch.delitem(sys.modules, "planted_model")
    assert load_registry().models["planted"].owner == "planted"
    (tmp_path / "planted_model.py").unlink()
    shutil.rmtree(tmp_path / "planted-1.dist-info")
    assert "planted" not in load_registry().models


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


def hooked(**hooks: Callable[..., Any]) -> object:
    """A plugin with these functions as its hooks."""
    return type("Plugin", (), {name: staticmethod(hookimpl(function)) for name, function in hooks.items()})()


class Half(Model):
    """A model whose author has not written all of it."""

    def fit(self, train: Panel, valid: Panel, context: Context) -> None: ...


def specified(**fields: Any) -> object:
    """A plugin of one model, described by these fields beside or in the place of sound ones."""
    spec = ModelSpec(**{"name": "m", "summary": "", "build": Frequencies, **fields})
    return hooked(harness_models=lambda: [spec])


def leave() -> list[ModelSpec]:
    raise SystemExit(0)


def fail() -> list[ModelSpec]:
    raise ValueError("no such luck")


@pytest.mark.parametrize(
    ("plugin", "told"),
    [
        (bringing("x"), r"the model 'x' is that of good \(.*\): uninstall one of the two"),
        (bringing("mix"), "the model 'mix' comes with the harness: call it otherwise"),
        (hooked(harness_models=fail), "harness_models: ValueError: no such luck"),
        (hooked(harness_models=leave), "harness_models: SystemExit: 0"),
        (hooked(harness_models=lambda: None), "harness_models: returns NoneType, not a list of ModelSpec"),
        (hooked(harness_models=lambda: ["x"]), "harness_models: brings 'x', which is no ModelSpec"),
        (hooked(harness_metrics=lambda: [METRICS[0]]), "the metric '.*' comes with the harness"),
        (
            hooked(harness_modles=lambda: []),
            "hook that does not exist, 'harness_modles'; did you mean 'harness_models'",
        ),
        (specified(name="my model"), "the model 'my model': its name may have letters, digits"),
        (specified(needs="torch"), r"the model 'm': needs is 'torch': give names, as \('torch',\)"),
        (specified(params={"weight": 1}), r"params is \{'weight': 1\}: give a class that derives from .*Params"),
        (specified(runtime_params=("thread",)), "runtime_params names 'thread', which is no parameter; there are none"),
        (specified(build=Half), "the model 'm': Half lacks load, log_prob, save, which every model has"),
        (specified(build=lambda: None), "is to take the parameters as its one argument"),
    ],
)
def test_a_plugin_that_fails_is_named_and_harms_no_other(plugin: object, told: str) -> None:
    registry = collect(manager_of(("good", bringing("x", "y")), ("bad", plugin), ("late", bringing("z"))))
    assert sorted(registry.models) == ["x", "y", "z"]
    assert list(registry.broken) == ["bad"]
    assert re.search(told, registry.broken["bad"])
    with pytest.raises(RequestError, match=r"no model is called 'q'.*; plugin 'bad' could not be loaded: "):
        registry.model("q")


def test_a_plugin_that_fails_while_a_command_runs_is_passed_over() -> None:
    def failing(board: object, format: str) -> str:
        raise ValueError(format)

    def rendering(board: object, format: str) -> str:
        return f"in {format}"

    plugins = ("bad", hooked(harness_render=failing)), ("good", hooked(harness_render=rendering))
    registry = collect(manager_of(*plugins))
    assert registry.tell("harness_render", board=None, format="org") == ["in org"]
    assert registry.broken == {"bad": "harness_render: ValueError: org"}


def test_commands_of_a_plugin_that_fails_are_left_out() -> None:
    def take(app: typer.Typer) -> None:
        app.command("good-try")(lambda: None)
        app.command("run")(lambda: None)

    def add(app: typer.Typer) -> None:
        app.command("further")(lambda: None)

    registry = collect(manager_of(("bad", hooked(harness_cli=take)), ("good", hooked(harness_cli=add))))
    names = [command.name for command in build_app(registry).registered_commands]
    assert names.count("run") == 1
    assert "further" in names
    assert "good-try" not in names
    assert registry.broken == {"bad": "harness_cli: the command 'run' is there already"}


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
