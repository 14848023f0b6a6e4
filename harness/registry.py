"""Finds plugins, and answers for names: what is there, whose it is, and why something is not available."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from harness import hookspecs
from harness.errors import HarnessError, RequestError, did_you_mean, require_installed
from harness.model.contract import ModelSpec
from harness.model.dataset import DatasetSpec
from harness.model.encoder import EncoderSpec
from harness.model.paper import Paper
from harness.model.task import Task
from harness.panel import Panel
from harness.stats.figures import Metric
from harness.system.entry import Entry

GROUP = "harness"
NO_MODEL = "'mix' is no model but an ensemble of finished runs: 'harness mix --help' says how their records make one"
T = TypeVar("T")


@dataclass(frozen=True)
class Registry:
    """All that the installed plugins bring. ``broken``: plugin -> the reason why it could not be loaded."""

    manager: pluggy.PluginManager
    encoders: dict[str, Entry[EncoderSpec]]
    models: dict[str, Entry[ModelSpec]]
    tasks: dict[str, Entry[Task]]
    datasets: dict[str, Entry[DatasetSpec]]
    metrics: dict[str, Entry[Metric]]
    papers: dict[str, Entry[Paper]]
    broken: dict[str, str] = field(default_factory=dict)

    def model(self, name: str) -> Entry[ModelSpec]:
        """The model of this name, its libraries installed; RequestError with the install line otherwise."""
        if name == "mix" and name not in self.models:
            raise RequestError(NO_MODEL)
        entry = _get(self.models, name, "model")
        require_installed(f"model '{name}'", entry.item.missing(), entry.item.install)
        return entry

    @property
    def all_metrics(self) -> list[Metric]:
        """The metrics that plugins bring, beside the harness's own."""
        return [entry.item for entry in self.metrics.values()]

    def open_panel(
        self,
        source: str | Path,
        settings: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | Iterable[str] = (),
        occupations: str | Path | None = None,
    ) -> Panel:
        """The panel of a data set's name or of a path; arguments and errors as of ``harness.data.open.open_panel``."""
        from harness.data.open import open_panel

        return open_panel(source, settings, columns, occupations, datasets=self.datasets)

    def task(self, name: str) -> Task:
        return _get(self.tasks, name, "task").item

    def paper(self, name: str) -> Paper:
        return _get(self.papers, name, "paper").item

    def dataset(self, name: str) -> DatasetSpec:
        return _get(self.datasets, name, "data set").item


def _get(entries: dict[str, Entry[T]], name: str, kind: str) -> Entry[T]:
    if name not in entries:
        raise RequestError(f"no {kind} is called '{name}'; {did_you_mean(name, entries)}")
    return entries[name]


def load_registry() -> Registry:
    """Load every plugin of the entry-point group ``harness``.

    A plugin that fails to import is kept in ``broken`` and leaves the others usable. HarnessError where a plugin
    implements a hook that does not exist, or two plugins claim one name.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    broken: dict[str, str] = {}
    owners: dict[str, tuple[str, str]] = {}
    for distribution in importlib.metadata.distributions():
        for point in distribution.entry_points.select(group=GROUP):
            name = f"{distribution.name}:{point.name}"
            if name in owners or name in broken:
                continue  # the same distribution seen twice on sys.path
            try:
                manager.register(point.load(), name=name)
            except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
                broken[name] = f"{type(error).__name__}: {error}"
            else:
                owners[name] = (distribution.name, distribution.version)
    return collect(manager, owners, broken)


def collect(
    manager: pluggy.PluginManager,
    owners: dict[str, tuple[str, str]] | None = None,
    broken: dict[str, str] | None = None,
) -> Registry:
    """The registry of the plugins in ``manager``; owners: plugin name -> (distribution, version)."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        owner = manager.get_name(error.plugin)
        raise HarnessError(f"plugin '{owner}' implements a hook that does not exist: {error}") from error
    known = owners or {}
    encoders: dict[str, Entry[EncoderSpec]] = _gather(
        manager, "harness_career_encoders", kind="encoder of careers", owners=known, name_of=lambda e: e.name
    )
    return Registry(
        manager=manager,
        encoders=encoders,
        models=_gather(
            manager,
            "harness_models",
            kind="model",
            owners=known,
            name_of=lambda m: m.name,
            encoders={name: entry.item for name, entry in encoders.items()},
        ),
        tasks=_gather(manager, "harness_tasks", kind="task", owners=known, name_of=lambda t: t.name),
        datasets=_gather(manager, "harness_datasets", kind="data set", owners=known, name_of=lambda d: d.name),
        metrics=_gather(manager, "harness_metrics", kind="metric", owners=known, name_of=lambda m: m.key),
        papers=_gather(manager, "harness_papers", kind="paper", owners=known, name_of=lambda p: p.name),
        broken=broken or {},
    )


def _gather(
    manager: pluggy.PluginManager,
    hook: str,
    kind: str,
    owners: dict[str, tuple[str, str]],
    name_of: Callable[[T], str],
    **told: Any,
) -> dict[str, Entry[T]]:
    """All that implementations of a hook bring. told: arguments of the hook; each implementation takes those it has."""
    found: dict[str, Entry[T]] = {}
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        owner, version = owners.get(implementation.plugin_name, (implementation.plugin_name, ""))
        items: Iterable[T] = implementation.function(*(told[name] for name in implementation.argnames))
        for item in items:
            name = name_of(item)
            if name in found:
                raise HarnessError(
                    f"two plugins claim the {kind} '{name}': {found[name].owner} ({found[name].module}) "
                    f"and {owner} ({implementation.function.__module__}); uninstall one of them"
                )
            found[name] = Entry(item, owner, version, implementation.function.__module__)
    return dict(sorted(found.items()))
