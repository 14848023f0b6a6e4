"""Finished runs as runs of MLflow: in its own store, a file of the working folder unless it is told otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import require_installed
from harness.hookspecs import hookimpl
from harness.model import missing_modules
from harness.plugins.observers.told import ToldRun

if TYPE_CHECKING:
    from harness.records.record import Record

NAME = "mlflow"
NEEDS = ("mlflow", "sqlalchemy", "alembic")
INSTALL = "pip install 'labor-harness[mlflow]'"
LONGEST = 6000  # characters of a parameter that MLflow takes


@hookimpl
def harness_run_started(observers: tuple[str, ...]) -> None:
    if NAME in observers:
        require_installed("--observe mlflow", missing_modules(NEEDS), INSTALL)


@hookimpl
def harness_run_finished(record: Record, observers: tuple[str, ...], path: Path) -> None:
    if NAME in observers:
        log(record, path)


def log(record: Record, path: Path) -> None:
    """A run of the experiment that is called after the record's board. path: the record file.

    In the store that MLFLOW_TRACKING_URI names, else in MLflow's own default, ``mlflow.db`` and ``mlruns`` here.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported: no word leaves the machine
    from mlflow.entities import Metric, Param, RunStatus
    from mlflow.tracking import MlflowClient

    told, client = ToldRun.of(record), MlflowClient()
    known = client.get_experiment_by_name(told.board)
    experiment = client.create_experiment(told.board) if known is None else known.experiment_id
    start, end = (round(at.timestamp() * 1000) for at in (record.measured.started, record.measured.finished))
    tags = {"mlflow.source.name": "harness", "record": record.id}
    run = client.create_run(experiment, start_time=start, tags=tags, run_name=told.name).info.run_id
    try:
        metrics = [Metric(name, value, end, 0) for name, value in told.figures.items()]
        metrics += [Metric(name, v, end, step) for name, curve in told.curves.items() for step, v in enumerate(curve)]
        for first in range(0, len(metrics), 1000):  # as many as one call takes
            client.log_batch(run, metrics=metrics[first : first + 1000])
        params = [Param(name, value[:LONGEST]) for name, value in told.parameters.items()]
        for first in range(0, len(params), 100):
            client.log_batch(run, params=params[first : first + 100])
        client.log_artifact(run, str(path))
    except BaseException:
        client.set_terminated(run, RunStatus.to_string(RunStatus.FAILED))
        raise
    client.set_terminated(run, end_time=end)
