"""Requests of the arguments of a Python call, checked as those of the command line are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeGuard, TypeVar

from pydantic import ValidationError

from harness.data.reading import FileReading
from harness.errors import RequestError, did_you_mean
from harness.model.params import pairs
from harness.panel import Panel
from harness.panel.survey_design import surveyed
from harness.runs.faults import first_fault
from harness.runs.request import PanelRequest, Panels, Request, RunRequest

RequestT = TypeVar("RequestT", bound=Request)
Models = str | Sequence[str] | Mapping[str, Mapping[str, Any] | None]
_OF_RUN = ("seed", "seeds", "train_persons", "device", "reuse")
_OF_PANEL = ("occupations", "reading", "weights", "strata", "units", "train_also", "pretrain")


class ReadOptions(TypedDict, total=False):
    """Arguments of reading careers. settings: parameters of a data set by name. columns: part -> column (person, year,
    occupation; title, group, status, split), or 'part=column' pairs. occupations: a table of the states. reading:
    options of files by name, such as {"every": "year", "missing": "-5..-1"}. weights, strata, units: columns of a
    survey's design.
    """

    settings: Mapping[str, Any]
    columns: Mapping[str, str] | Sequence[str]
    occupations: str | Path
    reading: Mapping[str, Any]
    weights: str
    strata: str
    units: str


class RunOptions(ReadOptions, total=False):
    """Arguments of a run. params: model -> parameter -> value. seed, seeds: the first, and how many. train_persons:
    numbers of training persons to fit on, 0 for all. train_also, pretrain: further panels, by name or path. device:
    auto, cpu, cuda, cuda:N or mps. reuse: own, any or never. records: the folder of record files. time_limit: seconds
    for a fit, and again for each task. isolated: each model in a process of its own. score_jobs: processes that
    score the test split, each some of its persons. progress: False for silence.
    """

    params: Mapping[str, Mapping[str, Any]]
    seed: int
    seeds: int
    train_persons: Sequence[int]
    train_also: Sequence[str]
    pretrain: str
    device: str
    reuse: str
    records: str | Path
    time_limit: float
    isolated: bool
    score_jobs: int
    progress: bool


class ForecastOptions(ReadOptions, total=False):
    """Arguments of a forecast. samples: careers for each person. step: years from one sampled record to the next.
    The others are those of ``RunOptions``.
    """

    params: Mapping[str, Mapping[str, Any]]
    seed: int
    train_also: Sequence[str]
    pretrain: str
    device: str
    reuse: str
    records: str | Path
    progress: bool
    samples: int
    step: int


def is_open(data: str | Path | Panel) -> TypeGuard[Panel]:
    """True of a panel, False of a data set's name or a path. RequestError for a frame and whatever else is neither."""
    if isinstance(data, str | Path | Panel):
        return isinstance(data, Panel)
    raise RequestError(
        f"{type(data).__name__} is neither a data set's name, a path nor a Panel: of a frame, "
        "harness.from_frame(frame, name, columns=...) makes a Panel"
    )


def named_tasks(tasks: str | Sequence[str]) -> list[str]:
    """Names of tasks as a list. RequestError where there is none."""
    named = [tasks] if isinstance(tasks, str) else list(tasks or ())
    if not named:
        raise RequestError("tasks: none is named; give such as 'next_occ', or 'all'")
    return named


def panel_request(data: str | Path | Panel, options: Mapping[str, Any]) -> PanelRequest:
    """The careers of a call. RequestError, naming the argument, where a value is none that it takes."""
    columns = options.get("columns", {})
    if isinstance(columns, list | tuple | str):
        columns = pairs([columns] if isinstance(columns, str) else map(str, columns), "columns:")
    given = {"parameters": options.get("settings", {}), "columns": columns}
    given |= {name: options[name] for name in _OF_PANEL if name in options}
    return valid(PanelRequest, {"data": data.name if is_open(data) else str(data), **given})


def run_request(
    data: str | Path | Panel, models: Models, tasks: str | Sequence[str], options: Mapping[str, Any]
) -> RunRequest:
    """The request of a call. tasks: may be empty, of a forecast. RequestError as ``panel_request`` has it."""
    params, named = options.get("params", {}), _named_models(models)
    if astray := [name for name in params if name not in named]:
        raise RequestError(f"params: '{astray[0]}' is no model of this call; {did_you_mean(str(astray[0]), named)}")
    content = {name: options[name] for name in _OF_RUN if name in options}
    content |= {
        "panel": panel_request(data, options),
        "tasks": [tasks] if isinstance(tasks, str) else list(tasks),
        "models": {name: {**values, **params.get(name, {})} for name, values in named.items()},
    }
    return valid(RunRequest, content)


def _named_models(models: Models) -> Mapping[str, Mapping[str, Any]]:
    """Model -> its parameters. RequestError for what names no model."""
    known = models if isinstance(models, Mapping) else [models] if isinstance(models, str) else list(models or ())
    if not known or not all(isinstance(name, str) for name in known):
        raise RequestError("models: give names, ['mnl', 'gbm'], or names with parameters, {'gbm': {'rounds': 300}}")
    return {name: (models[name] or {}) if isinstance(models, Mapping) else {} for name in known}


def time_limit(options: Mapping[str, Any]) -> float | None:
    """Seconds that a fit may take, None for all. RequestError where they are none."""
    seconds = options.get("time_limit")
    if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
        raise RequestError(f"time_limit: {seconds!r} is no number of seconds above 0")
    return seconds


def valid(kind: type[RequestT], content: Mapping[str, Any]) -> RequestT:
    """A request. RequestError, naming the argument, where a value is none that it takes."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise RequestError(first_fault(kind, error)) from error


def require_known(options: Mapping[str, Any], kind: type) -> None:
    """RequestError for an argument that there is not. kind: the TypedDict of those that there are."""
    known = kind.__annotations__  # its own and those of its bases
    if astray := [name for name in options if name not in known]:
        name = astray[0]
        of_files = name in FileReading.model_fields
        right = f"say how a file is read as reading={{'{name}': ...}}" if of_files else did_you_mean(name, known)
        raise RequestError(f"there is no argument '{name}'; {right}")


def panels_of(panel: Panel, options: Mapping[str, Any]) -> Panels:
    """An open panel as the panels of a request, drawn and weighted as the options say."""
    if astray := [
        name for name in ("settings", "columns", "occupations", "reading", "train_also", "pretrain") if name in options
    ]:
        raise RequestError(f"{astray[0]}: is for careers by name or path, and the panel is open already")
    return Panels(scored=surveyed(panel, options.get("weights"), options.get("strata"), options.get("units")))
