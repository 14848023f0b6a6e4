"""Finds plugins, and answers for names: what is there, whose it is, and why something is not available."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pluggy

from harness import hookspecs
from harness.errors import RequestError, did_you_mean, in_one_line, require_installed
from harness.system.entry import Entry
from harness.system.entry_points import points_by_distribution
from harness.system.sources import file_of

if TYPE_CHECKING:
    from harness.data.reading import FileReading
    from harness.model.contract import ModelSpec
    from harness.model.dataset import DatasetSpec
    from harness.model.encoder import EncoderSpec
    from harness.model.paper import Paper
    from harness.model.task import Task
    from harness.panel import Corpus, Panel
    from harness.stats.figures import Metric

GROUP = "harness"
COMMANDS_HOOK = b"harness_cli"
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("harness_"))
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
        entry = self._get(self.models, name, "model")
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
        reading: FileReading | None = None,
    ) -> Panel:
        """The panel of a data set's name or of a path; arguments and errors as of ``harness.data.open.open_panel``."""
        from harness.data.open import open_panel
        from harness.data.reading import FileReading

        return open_panel(
            source, settings, columns, occupations, reading=reading or FileReading(), datasets=self.datasets
        )

    def open_corpus(self, source: str | Path) -> Corpus | None:
        """The corpus of a path, of which nothing is read yet; None where the source is something else."""
        from harness.data.formats.corpus import is_corpus, read_corpus

        path = Path(source)
        return read_corpus(path) if source not in self.datasets and is_corpus(path) else None

    def task(self, name: str) -> Task:
        return self._get(self.tasks, name, "task").item

    def paper(self, name: str) -> Paper:
        return self._get(self.papers, name, "paper").item

    def dataset(self, name: str) -> DatasetSpec:
        return self._get(self.datasets, name, "data set").item

    def observers(self) -> list[str]:
        """The names of plugins that observe runs where they are asked to: entry points whose hooks ask who was."""
        return sorted(
            implementation.plugin_name.rpartition(":")[2]
            for implementation in implementations(self.manager, "harness_run_finished")
            if "observers" in implementation.argnames
        )

    def tell(self, hook: str, refusals: bool = False, **told: Any) -> list[Any]:
        """The answers of a hook that are not None; an implementation that fails is told in ``broken``, and passed over.

        told: the hook's arguments. refusals: a RequestError is raised.
        """
        answers = []
        for implementation in implementations(self.manager, hook):
            try:
                answer = implementation.function(*(told[name] for name in implementation.argnames))
            except (Exception, SystemExit) as error:
                if refusals and isinstance(error, RequestError):
                    raise
                self.broken[implementation.plugin_name] = f"{hook}: {in_one_line(error)}"
                continue
            if answer is not None:
                answers.append(answer)
        return answers

    def _get(self, entries: dict[str, Entry[T]], name: str, kind: str) -> Entry[T]:
        if name not in entries:
            lost = "".join(f"; plugin '{plugin}' could not be loaded: {why}" for plugin, why in self.broken.items())
            raise RequestError(f"no {kind} is called '{name}'; {did_you_mean(name, entries)}{lost}")
        return entries[name]


def load_registry() -> Registry:
    """Load every plugin of the entry-point group ``harness``, those that come with it first.

    A plugin that fails, in whatever way, is kept in ``broken`` with the reason, and leaves the others unharmed.
    """
    manager, owners, broken = _load()
    return collect(manager, owners, broken)


def load_commands() -> Registry:
    """The plugins that may add commands, for a page of help: no model, task or data set is asked for.

    Those are left out whose module does not so much as name the hook, and imports no names that it does not name.
    """
    manager, _, broken = _load(_may_add_commands)
    return Registry(
        manager=manager, encoders={}, models={}, tasks={}, datasets={}, metrics={}, papers={}, broken=broken
    )


def _may_add_commands(point: importlib.metadata.EntryPoint) -> bool:
    file = None if point.attr else file_of(point.module)
    try:
        text = None if file is None else file.read_bytes()
    except OSError:
        return True
    return text is None or COMMANDS_HOOK in text or b"import *" in text


def _load(
    wanted: Callable[[importlib.metadata.EntryPoint], bool] = lambda point: True,
) -> tuple[pluggy.PluginManager, dict[str, tuple[str, str]], dict[str, str]]:
    """The plugins of the entry points wanted; the owner, distribution and version, of each; and what failed."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    broken: dict[str, str] = {}
    owners: dict[str, tuple[str, str]] = {}
    for (distribution, version), points in points_by_distribution(GROUP).items():
        for point in filter(wanted, points):
            name = f"{distribution}:{point.name}"
            try:
                plugin = point.load()
                manager.register(plugin, name=name)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module may raise anything
                broken[name] = in_one_line(error)
                continue
            if manager.get_hookcallers(plugin):
                owners[name] = (distribution, version)
            else:
                manager.unregister(name=name)
                broken[name] = _of_no_hooks(plugin)
    return manager, owners, broken


def _of_no_hooks(plugin: object) -> str:
    """A sentence on a plugin that implements no hook: those of its functions that were to."""
    undecorated = [name for name in HOOKS if callable(getattr(plugin, name, None))]
    return f"{', '.join(undecorated) or 'nothing in it'} has no @hookimpl (harness.hookspecs), so it brings nothing"


def collect(
    manager: pluggy.PluginManager,
    owners: dict[str, tuple[str, str]] | None = None,
    broken: dict[str, str] | None = None,
) -> Registry:
    """The registry of the plugins in ``manager``; owners: plugin name -> (distribution, version).

    A plugin that breaks a rule of the hooks is taken out of the manager and told in ``broken``. Of two that claim one
    name the one that was registered first has it: names of what comes with the harness cannot be taken.
    """
    found = dict(broken or {})
    while True:
        try:
            return _collected(manager, owners or {}, found)
        except _PluginError as error:
            found[error.plugin] = str(error)
            manager.unregister(name=error.plugin)


class _PluginError(Exception):
    def __init__(self, plugin: str, why: str) -> None:
        super().__init__(why)
        self.plugin = plugin


def _collected(manager: pluggy.PluginManager, owners: dict[str, tuple[str, str]], broken: dict[str, str]) -> Registry:
    from harness.model.contract import ModelSpec
    from harness.model.dataset import DatasetSpec
    from harness.model.encoder import EncoderSpec
    from harness.model.paper import Paper
    from harness.model.soundness import fault_of
    from harness.model.task import Task
    from harness.stats.figures import METRICS, Metric

    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        owner = manager.get_name(error.plugin) or "?"
        astray = next((c.name for c in manager.get_hookcallers(error.plugin) or () if c.name not in HOOKS), "")
        near = did_you_mean(astray, HOOKS)
        raise _PluginError(owner, f"implements a hook that does not exist, '{astray}'; {near}") from error

    def gathered(hook: str, kind: HookItems[T], **told: Any) -> dict[str, Entry[T]]:
        return _gather(manager, hook, kind=kind, owners=owners, told=told)

    encoders = gathered("harness_career_encoders", HookItems("encoder of careers", EncoderSpec))
    by_name = {name: entry.item for name, entry in encoders.items()}
    return Registry(
        manager=manager,
        encoders=encoders,
        models=gathered(
            "harness_models", HookItems("model", ModelSpec, taken=("mix",), fault_of=fault_of), encoders=by_name
        ),
        tasks=gathered("harness_tasks", HookItems("task", Task)),
        datasets=gathered("harness_datasets", HookItems("data set", DatasetSpec)),
        metrics=gathered("harness_metrics", HookItems("metric", Metric, tuple(m.key for m in METRICS), "key")),
        papers=gathered("harness_papers", HookItems("paper", Paper)),
        broken=broken,
    )


@dataclass(frozen=True)
class HookItems(Generic[T]):
    """The things that a hook brings: their name for users, their type, names that no plugin may take, the attribute
    that holds a thing's name, and a sentence on a thing's fault, or None.
    """

    name: str
    type: type[T]
    taken: tuple[str, ...] = ()
    named_by: str = "name"
    fault_of: Callable[[T], str | None] = lambda item: None

    def name_of(self, item: T) -> str:
        found: str = getattr(item, self.named_by)
        return found


def _gather(
    manager: pluggy.PluginManager,
    hook: str,
    kind: HookItems[T],
    owners: dict[str, tuple[str, str]],
    told: Mapping[str, Any],
) -> dict[str, Entry[T]]:
    """All that implementations of a hook bring. told: arguments of the hook; each implementation takes those it has."""
    found: dict[str, Entry[T]] = {}
    for implementation in implementations(manager, hook):
        plugin = implementation.plugin_name
        owner, version = owners.get(plugin, (plugin, ""))
        try:
            brought: Any = implementation.function(*(told[name] for name in implementation.argnames))
            items = list(brought) if isinstance(brought, Iterable) else None
        except (Exception, SystemExit) as error:
            raise _PluginError(plugin, f"{hook}: {in_one_line(error)}") from error
        if items is None:
            raise _PluginError(plugin, f"{hook}: returns {type(brought).__name__}, not a list of {kind.type.__name__}")
        for item in items:
            if not isinstance(item, kind.type):
                raise _PluginError(plugin, f"{hook}: brings {item!r}, which is no {kind.type.__name__}")
            name = kind.name_of(item)
            if (fault := kind.fault_of(item)) is not None:
                raise _PluginError(plugin, f"the {kind.name} '{name}': {fault}")
            if name in kind.taken:
                raise _PluginError(plugin, f"the {kind.name} '{name}' comes with the harness: call it otherwise")
            if name in found:
                first = found[name]
                raise _PluginError(
                    plugin,
                    f"the {kind.name} '{name}' is that of {first.owner} ({first.module}): uninstall one of the two",
                )
            found[name] = Entry(item, owner, version, implementation.function.__module__)
    return dict(sorted(found.items()))


def implementations(manager: pluggy.PluginManager, hook: str) -> list[pluggy.HookImpl]:
    """Of a hook, those of plugins that were registered first before the others."""
    found: list[pluggy.HookImpl] = getattr(manager.hook, hook).get_hookimpls()
    return found
