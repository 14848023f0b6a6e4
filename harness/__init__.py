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
from typing import TYPE_CHECKING, Any

from harness.system.version import installed_version

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd

    from harness.data.describe import Description
    from harness.panel import Panel
    from harness.registry import Registry
    from harness.render.forecast_results import ForecastResults
    from harness.render.results import Results
    from harness.runs.arguments import ForecastOptions, Models, ReadOptions, RunOptions

__all__ = [
    "__version__",
    "board",
    "compare",
    "describe",
    "explain",
    "forecast",
    "from_frame",
    "open_panel",
    "run",
    "score",
]

RECORDS = "leaderboards/results"


def __getattr__(name: str) -> str:
    """``harness.__version__``, which is read from the metadata of the installation only where it is asked for."""
    if name == "__version__":
        return installed_version()
    raise AttributeError(f"module 'harness' has no attribute '{name}'")


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
    from harness.errors import RequestError
    from harness.registry import load_registry
    from harness.runs.arguments import is_open

    how = FileReading.of(reading or {})
    if is_open(source):
        raise RequestError(f"the panel '{source.name}' is open already")
    return (registry or load_registry()).open_panel(source, settings, columns, occupations, reading=how)


def from_frame(frame: Any, name: str = "frame", **options: Unpack[ReadOptions]) -> Panel:
    """The panel of a pandas or polars frame, or a pyarrow table, with a row for each record; checked as a file is."""
    from harness.data.frames import as_file
    from harness.registry import load_registry
    from harness.runs.arguments import ReadOptions, panel_request, require_known
    from harness.system.progress import Silent

    require_known(options, ReadOptions)
    with as_file(frame, name) as file:
        return panel_request(file, options).open(load_registry(), Silent())


def describe(data: str | Path | Panel, **options: Unpack[ReadOptions]) -> Description:
    """A panel in figures: persons, records, states, stay rate, splits, covariates."""
    from harness.data.describe import describe as description_of
    from harness.registry import load_registry
    from harness.runs.arguments import ReadOptions, is_open, panel_request, panels_of, require_known
    from harness.system.progress import Silent

    require_known(options, ReadOptions)
    if is_open(data):
        return description_of(panels_of(data, options).scored)
    return description_of(panel_request(data, options).open(load_registry(), Silent()))


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
    from harness.runs import arguments as given
    from harness.runs.batch import run_all
    from harness.runs.execute import Workshop
    from harness.runs.isolation.hiding import hidden_paths, isolation_of
    from harness.runs.study.sharded import scored_by
    from harness.system.machine import cache_folder, require_cache
    from harness.system.progress import Silent

    given.require_known(options, given.RunOptions)
    request = given.run_request(data, models, given.named_tasks(tasks), options)
    registry, progress = load_registry(), TerminalProgress() if options.get("progress", True) else Silent()
    request.require_known(registry)
    require_cache()
    hidden = () if given.is_open(data) else hidden_paths(registry, [str(data)])
    workshop = Workshop(
        registry=registry,
        store=Store(Path(options.get("records", RECORDS))),
        cache=cache_folder(),
        progress=progress,
        reuse=request.reuse,
        time_limit=given.time_limit(options),
        isolation=isolation_of(registry, hidden) if options.get("isolated") else None,
        hidden=hidden,
    )
    panels = given.panels_of(data, options) if given.is_open(data) else request.panel.open_all(registry, progress)
    workshop = scored_by(options.get("score_jobs", 1), workshop)
    done, failed = run_all(request, panels, workshop, progress.note)
    return Results(tuple(boards_with(done, workshop.store)), tuple(failed))


def forecast(
    data: str | Path | Panel,
    models: Models,
    since: str | int | None = None,
    horizon: int | None = None,
    **options: Unpack[ForecastOptions],
) -> ForecastResults:
    """Sample the careers of the test split past a year, and compare them with what happened.

    data, models: as ``run`` has them. since: the last time that is known, such as 1998 or '1998-07'; where None, the
    last years of the panel are forecast. horizon: years ahead. A model that fails while others do not is told in
    ``ForecastResults.failed``. No record is written.
    """
    from harness.cli.console import TerminalProgress
    from harness.forecasts.request import ForecastRequest, forecast_all
    from harness.records.store import Store
    from harness.registry import load_registry
    from harness.render.forecast_results import ForecastResults
    from harness.runs.arguments import ForecastOptions, is_open, panels_of, require_known, run_request, valid
    from harness.runs.execute import Workshop
    from harness.system.machine import cache_folder, require_cache
    from harness.system.progress import Silent

    require_known(options, ForecastOptions)
    given: dict[str, Any] = {name: options[name] for name in ("samples", "step") if name in options}
    given |= {"run": run_request(data, models, (), options), "year": None if since is None else str(since)}
    request = valid(ForecastRequest, {**given, "horizon": horizon})
    registry, progress = load_registry(), TerminalProgress() if options.get("progress", True) else Silent()
    request.require_known(registry)
    require_cache()
    workshop = Workshop(
        registry=registry,
        store=Store(Path(options.get("records", RECORDS))),
        cache=cache_folder(),
        progress=progress,
        reuse=request.run.reuse,
    )
    opened = panels_of(data, options).scored if is_open(data) else None
    return ForecastResults(forecast_all(request, workshop, opened))


def board(records: str | Path = RECORDS, task: str | None = None, data: str | None = None) -> Results:
    """The boards that the record files of a folder make. task, data: of this task, of this panel alone.

    RequestError for a folder that is not there, and for a task or a panel that no record has.
    """
    from harness.boards.board import boards_in
    from harness.boards.chosen import of_task_and_panel
    from harness.records.store import existing_store
    from harness.render.results import Results

    return Results(tuple(of_task_and_panel(boards_in(existing_store(Path(records))), task, data)))


def compare(*runs: str, records: str | Path = RECORDS) -> pd.DataFrame:
    """Runs of one board, paired on persons: log-likelihood per transition less the first run's, in nats.

    runs: two or more ids, beginnings of ids, files, or panel/task/model.
    """
    from harness.boards.compare import compare as compare_records
    from harness.errors import RequestError
    from harness.records.naming import record_named
    from harness.render.results import compared_frame

    if astray := [run for run in runs if not isinstance(run, str | Path)]:
        raise RequestError(f"{type(astray[0]).__name__} is no name of a run: write compare('RUN', 'RUN')")
    return compared_frame(compare_records([record_named(str(name), Path(records)) for name in runs]))


def explain(run: str, records: str | Path = RECORDS) -> dict[str, pd.DataFrame]:
    """Estimates of a finished run: title -> table. The fit is read from this machine's cache."""
    import pandas as pd

    from harness.cli.reproduce import command
    from harness.records.naming import record_named
    from harness.registry import load_registry
    from harness.runs.explain import Explainer
    from harness.system.machine import cache_folder

    registry = load_registry()
    record = record_named(run, Path(records))
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
    from harness.boards.board import boards_with
    from harness.data.frames import file_of
    from harness.records.store import Store
    from harness.registry import load_registry
    from harness.render.results import Results
    from harness.runs.arguments import RunOptions, is_open, named_tasks, panel_request, panels_of, require_known
    from harness.runs.execute import Workshop
    from harness.runs.tasks import at_risk, tasks_of
    from harness.submission import Submission, check, submitted
    from harness.system.machine import cache_folder, require_cache
    from harness.system.progress import Silent

    require_known(options, RunOptions)
    registry = load_registry()
    require_cache()
    opened = panels_of(data, options).scored if is_open(data) else None
    panel = panel_request(data, options).open(registry, Silent()) if opened is None else opened
    store = Store(Path(options.get("records", RECORDS)))
    workshop = Workshop(registry=registry, store=store, cache=cache_folder())
    asked = named_tasks(tasks)
    with file_of(probabilities, "probabilities") as file:
        submission = Submission(name=name, file=file, columns={})
        check(submission, registry)
        some = at_risk(tasks_of(asked, {}, registry), panel, everything="all" in asked, tell=workshop.progress.note)
        done = list(submitted(submission, some, panel, workshop))
    return Results(tuple(boards_with(done, store)))
