"""The line that makes a record again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.reading import FileReading
from harness.errors import RequestError
from harness.panel import Panel
from harness.panel.survey_design import drawn
from harness.records.kinds import MIX, is_submitted
from harness.records.record import PanelFacts, Record
from harness.registry import Registry
from harness.runs.request import PanelRequest
from harness.runs.verify import require_same
from harness.submission.statement import Statement
from harness.system.progress import Progress

FILES = ("folder", "file", "career")  # readers of files, whose names may be those of data sets


def command(record: Record, registry: Registry, records: Path) -> str:
    """``harness run`` as it was asked, fit and all; a panel that was read from files by its name.

    Of what was submitted, ``harness score``; of a mix, ``harness mix``.
    """
    asked = record.configuration
    if asked.model == MIX:
        of_board = asked.parameters["of"] == "board"
        parts = ["--task", asked.task, "--data", asked.panel.name] if of_board else asked.parameters["runs"]
        return shlex.join(["harness", "mix", *parts, "--records", str(records)])
    task = asked.task.removesuffix("-entry")
    if is_submitted(record):
        words = ["harness", "score", "FILE", "--name", asked.model, "--task", task, *_data(asked.panel, registry)]
        words += ["--set", "task.entry=true"] if task != asked.task else []
        words += [*_of_file(asked.parameters), *_stated(record)]
        return shlex.join([*words, "--records", str(records)])
    words = ["harness", "run", "--task", task, "--model", asked.model, *_data(asked.panel, registry)]
    words += ["--set", "task.entry=true"] if task != asked.task else []
    for name, value in sorted(asked.changed.items()):
        words += ["--set", f"{asked.model}.{name}={_typed(value)}"]
    words += [word for panel in asked.train_also for word in ("--train-also", panel.name)]
    words += ["--pretrain", asked.pretrain.name] if asked.pretrain else []
    words += ["--train-persons", str(asked.train_persons)] if asked.train_persons else []
    words += ["--seed", str(asked.seed)] if asked.seed else []
    return shlex.join([*words, "--records", str(records)])


def _of_file(parameters: Mapping[str, Any]) -> list[str]:
    """Options that read the file that was submitted."""
    words = [word for part, column in parameters["columns"].items() for word in ("--file-column", f"{part}={column}")]
    words += ["--log"] if parameters["log"] and "log_probability" not in parameters["columns"] else []
    return words + (["--floor", f"{parameters['floor']:g}"] if parameters["floor"] else [])


def _stated(record: Record) -> list[str]:
    """Options of what whoever submitted it says of it."""
    told = Statement.of(record.facts)
    words = ["--code", told.code] if told.code else []
    return words + (["--base-may-have-seen", told.seen] if told.seen else [])


def _typed(value: Any) -> str:
    """A parameter's value as --set takes it."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _data(panel: PanelFacts, registry: Registry) -> list[str]:
    opened = opened_by(panel, registry)
    words = ["--data", opened.source, *FileReading.of(panel.source.get("options", {})).words()]
    for option in ("weights", "strata", "units"):
        column = getattr(opened, option)
        words += [] if column is None else [f"--{option}", column]
    return words + [word for key, value in opened.settings.items() for word in ("--set", f"data.{key}={value}")]


@dataclass(frozen=True)
class Opened:
    """Options that open a record's panel again. source: the value of --data; of files, the panel's name.

    settings: parameters of a named data set that are not its defaults. weights, strata, units: the columns of the
    options of these names.
    """

    source: str
    settings: Mapping[str, Any]
    weights: str | None
    is_named: bool
    strata: str | None = None
    units: str | None = None


def opened_by(panel: PanelFacts, registry: Registry) -> Opened:
    """Options that opened the panel, as far as a record tells: of files it knows the name alone, and not the place."""
    column, strata, units = (panel.source.get(option) for option in ("weights", "strata", "units"))
    name = panel.name.removesuffix(drawn(strata, units)).removesuffix(f" weighted by {column}")
    # A data set that was asked for with parameters of its own puts them behind its name.
    from_files = panel.source.get("reader") in FILES
    named = [] if from_files else [known for known in registry.datasets if f"{name}-".startswith(f"{known}-")]
    called = max(named, key=len, default=name)
    settings = {}
    if called in named:
        defaults = registry.datasets[called].item.params.model_fields
        for key, value in sorted(panel.source.items()):
            if key in defaults and value != defaults[key].default:
                settings[key] = value
    return Opened(
        source=called, settings=settings, weights=column, is_named=called in named, strata=strata, units=units
    )


def _reading(facts: PanelFacts, told: PanelRequest | None) -> FileReading:
    """The way the panel's file was read, as the command line says, or else as the record does."""
    return (
        told.reading if told is not None and told.reading.given() else FileReading.of(facts.source.get("options", {}))
    )


def reopen(facts: PanelFacts, registry: Registry, progress: Progress, told: PanelRequest | None = None) -> Panel:
    """The panel of a record, the very one.

    told: where it lies and how its file is read, as the command line says; None where it says nothing. RequestError
    where it is not there, or is another.
    """
    how = opened_by(facts, registry)
    source = how.source if told is None else told.data
    if told is None and not how.is_named and not Path(source).exists():
        raise RequestError(f"the record's panel '{facts.name}' was read from files: say where they are, --data PATH")
    request = PanelRequest(
        data=source,
        parameters=dict(how.settings) if source == how.source and how.is_named else {},
        columns={} if told is None else told.columns,
        occupations=None if told is None else told.occupations,
        reading=_reading(facts, told),
        weights=how.weights,
        strata=how.strata,
        units=how.units,
    )
    panel = request.open(registry, progress)
    require_same(panel, facts, f"--data {source}")
    return panel
