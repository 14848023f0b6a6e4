"""Harness: models of a worker's next occupation, side by side on one split with one likelihood.

From Python::

    import harness

    results = harness.run("market", ["markov", "mnl", "gbm"], ["next_occ", "switch"])
    results                 # the boards' page in a notebook, the tables elsewhere
    results.to_frame()      # a pandas frame, a row for each model of each board
    results.plot("forest")  # a matplotlib figure

Everything here makes the requests that the command line makes, leaves the same records, and reads those it left. Errors
are ``harness.errors.HarnessError`` with one line on what is wrong, where, and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from harness.system.version import __version__

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd

    from harness.data.describe import Description
    from harness.panel import Panel
    from harness.registry import Registry
    from harness.render.results import Results
    from harness.runs.request import PanelRequest, Request, RunRequest

__all__ = ["__version__", "board", "compare", "describe", "explain", "from_frame", "open_panel", "run", "score"]

RECORDS = "leaderboards/results"
Models = Sequence[str] | Mapping[str, Mapping[str, Any]]
RequestT = TypeVar("RequestT", bound="Request")


class ReadOptions(TypedDict, total=False):
    """How careers are read. settings: parameters of a data set by name. columns: part -> column (person, year,
    occupation; title, group, status, split). occupations: a table of the states. reading: options of files by name,
    such as {"every": "year", "missing": "-5..-1"}. weights, strata, units: columns of a survey's design.
    """

    settings: Mapping[str, Any]
    columns: Mapping[str, str]
    occupations: str | Path
    reading: Mapping[str, Any]
    weights: str
    strata: str
    units: str


class RunOptions(ReadOptions, total=False):
    """How a request is run. params: model -> parameter -> value. seed, seeds: the first, and how many. train_persons:
    numbers of training persons to fit on, 0 for all. train_also, pretrain: further panels, by name or path. device:
    auto, cpu, cuda, cuda:N or mps. reuse: own, any or never. records: the folder of record files. time_limit: seconds
    for a fit, and again for each task. isolated: each model in a process of its own. progress: False for silence.
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
    progress: bool


def open_panel(
    source: str | Path,
    settings: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | Iterable[str] = (),
    occupations: str | Path | None = None,
    registry: Registry | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Panel:
    """The panel of a registered name or of a path; every installed plugin is known where no registry is given.

    Arguments and errors are those of ``harness.data.open.open_panel``; reading: options by name, such as
    ``{"every": "year", "missing": "-5..-1"}``.
    """
    from harness.data.reading import FileReading
    from harness.registry import load_registry

    how = FileReading.of(reading or {})
    return (registry or load_registry()).open_panel(source, settings, columns, occupations, reading=how)


def from_frame(frame: Any, name: str = "frame", **options: Unpack[ReadOptions]) -> Panel:
    """The panel of a pandas or polars frame, or a pyarrow table, with a row for each record; checked as a file is."""
    from harness.data.frames import as_file
    from harness.registry import load_registry
    from harness.system.progress import Silent

    _require_known(options, ReadOptions)
    with as_file(frame, name) as file:
        return _panel_request(file, options).open(load_registry(), Silent())


def describe(data: str | Path | Panel, **options: Unpack[ReadOptions]) -> Description:
    """A panel in figures: persons, records, states, stay rate, splits, covariates."""
    from harness.data.describe import describe as description_of
    from harness.registry import load_registry
    from harness.system.progress import Silent

    _require_known(options, ReadOptions)
    if not isinstance(data, str | Path):
        return description_of(data)
    return description_of(_panel_request(data, options).open(load_registry(), Silent()))


def run(
    data: str | Path | Panel,
    models: Models,
    tasks: str | Sequence[str] = "next_occ",
    **options: Unpack[RunOptions],
) -> Results:
    """Fit each model once, score it on each task of the test split, and return the boards where they stand.

    data: a data set's name, a path, or an open panel. models: names, or names with their parameters. tasks: names, or
    'all'. Requests that this machine has answered are read from their records. A model that fails while others do not
    is told in ``Results.failed``; alone, it raises ``RunError``.
    """
    from harness.boards.board import boards_with
    from harness.cli.console import TerminalProgress
    from harness.records.store import Store
    from harness.registry import load_registry
    from harness.render.results import Results
    from harness.runs.batch import run_all
    from harness.runs.execute import Workshop
    from harness.runs.isolation.hiding import hidden_paths, isolation_of
    from harness.system.machine import cache_folder, require_cache
    from harness.system.progress import Silent

    _require_known(options, RunOptions)
    request = _run_request(data, models, tasks, options)
    registry, progress = load_registry(), TerminalProgress() if options.get("progress", True) else Silent()
    request.require_known(registry)
    require_cache()
    hidden = hidden_paths(registry, [str(data)]) if isinstance(data, str | Path) else ()
    workshop = Workshop(
        registry=registry,
        store=Store(Path(options.get("records", RECORDS))),
        cache=cache_folder(),
        progress=progress,
        reuse=request.reuse,
        time_limit=options.get("time_limit"),
        isolation=isolation_of(registry, hidden) if options.get("isolated") else None,
        hidden=hidden,
    )
    panels = request.panel.open_all(registry, progress) if isinstance(data, str | Path) else _panels(data, options)
    done, failed = run_all(request, panels, workshop, progress.note)
    return Results(tuple(boards_with(done, workshop.store)), tuple(failed))


def board(records: str | Path = RECORDS, task: str | None = None, data: str | None = None) -> Results:
    """The boards that the record files of a folder make. task, data: of this task, of this panel alone."""
    from harness.boards.board import boards_in
    from harness.records.store import Store
    from harness.render.results import Results

    found = boards_in(Store(Path(records)))
    return Results(tuple(b for b in found if task in (None, b.task) and data in (None, b.panel)))


def compare(*runs: str, records: str | Path = RECORDS) -> pd.DataFrame:
    """Runs of one board, paired on persons: log-likelihood per transition less the first run's, in nats.

    runs: two or more ids, beginnings of ids, files, or panel/task/model.
    """
    from harness.boards.compare import compare as compare_records
    from harness.records.naming import named
    from harness.records.store import Store
    from harness.render.results import compared_frame

    store = Store(Path(records))
    return compared_frame(compare_records([named(store, name) for name in runs]))


def explain(run: str, records: str | Path = RECORDS) -> dict[str, pd.DataFrame]:
    """What a finished run estimated: title -> table. The fit is read from this machine's cache."""
    import pandas as pd

    from harness.cli.reproduce import command
    from harness.records.naming import named
    from harness.records.store import Store
    from harness.registry import load_registry
    from harness.runs.explain import Explainer
    from harness.system.machine import cache_folder

    registry = load_registry()
    record = named(Store(Path(records)), run)
    tables = Explainer(registry, cache_folder()).tables(record, command(record, registry, Path(records)))
    return {table.title: pd.DataFrame(list(table.rows), columns=list(table.headings)) for table in tables}


def score(
    probabilities: str | Path | pd.DataFrame,
    name: str,
    data: str | Path | Panel,
    tasks: str | Sequence[str] = "next_occ",
    **options: Unpack[RunOptions],
) -> Results:
    """Score probabilities that were made elsewhere, a file's or a frame's, as ``harness score`` does."""
    import tempfile

    from harness.boards.board import boards_with
    from harness.records.store import Store
    from harness.registry import load_registry
    from harness.render.results import Results
    from harness.runs.execute import Workshop
    from harness.runs.tasks import at_risk, tasks_of
    from harness.submission import Submission, check, submitted
    from harness.system.machine import cache_folder, require_cache
    from harness.system.progress import Silent

    _require_known(options, RunOptions)
    registry = load_registry()
    require_cache()
    panel = _panel_request(data, options).open(registry, Silent()) if isinstance(data, str | Path) else data
    store = Store(Path(options.get("records", RECORDS)))
    workshop = Workshop(registry=registry, store=store, cache=cache_folder())
    asked = [tasks] if isinstance(tasks, str) else list(tasks)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        if isinstance(probabilities, str | Path):
            file = Path(probabilities)
        else:
            file = Path(folder) / "probabilities.parquet"
            probabilities.to_parquet(file, index=False)
        submission = Submission(name=name, file=file, columns={})
        check(submission, registry)
        some = at_risk(tasks_of(asked, {}, registry), panel, everything="all" in asked, tell=workshop.progress.note)
        done = list(submitted(submission, some, panel, workshop))
    return Results(tuple(boards_with(done, store)))


_OF_RUN = ("seed", "seeds", "train_persons", "device", "reuse")
_OF_PANEL = ("occupations", "reading", "weights", "strata", "units", "train_also", "pretrain")


def _panel_request(data: str | Path | Panel, options: Any) -> PanelRequest:
    from harness.runs.request import PanelRequest

    given = {"parameters": options.get("settings", {}), "columns": dict(options.get("columns", {}))}
    given |= {name: options[name] for name in _OF_PANEL if name in options}
    return _valid(PanelRequest, {"data": str(data) if isinstance(data, str | Path) else data.name, **given})


def _run_request(data: str | Path | Panel, models: Models, tasks: str | Sequence[str], options: Any) -> RunRequest:
    from harness.runs.request import RunRequest

    params = options.get("params", {})
    named = models if isinstance(models, Mapping) else {name: {} for name in models}
    content = {name: options[name] for name in _OF_RUN if name in options}
    content |= {
        "panel": _panel_request(data, options),
        "tasks": [tasks] if isinstance(tasks, str) else list(tasks),
        "models": {name: {**values, **params.get(name, {})} for name, values in named.items()},
    }
    return _valid(RunRequest, content)


def _valid(kind: type[RequestT], content: Mapping[str, Any]) -> RequestT:
    """A request. RequestError, naming the argument, where a value is none that it takes."""
    from pydantic import ValidationError

    from harness.errors import RequestError

    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _require_known(options: Any, kind: Any) -> None:
    """RequestError for an argument that there is not."""
    from harness.errors import RequestError, did_you_mean

    known = kind.__annotations__  # of a TypedDict: its own and those of its bases
    if astray := [name for name in options if name not in known]:
        raise RequestError(f"there is no argument '{astray[0]}'; {did_you_mean(astray[0], known)}")


def _panels(panel: Panel, options: Any) -> Any:
    """An open panel as the panels of a request, drawn and weighted as the options say."""
    from harness.errors import RequestError
    from harness.panel.survey_design import surveyed
    from harness.runs.request import Panels

    if astray := [
        name for name in ("settings", "columns", "occupations", "reading", "train_also", "pretrain") if name in options
    ]:
        raise RequestError(f"{astray[0]}: is for careers by name or path, and the panel is open already")
    return Panels(scored=surveyed(panel, options.get("weights"), options.get("strata"), options.get("units")))
