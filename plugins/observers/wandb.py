"""Finished runs as runs of Weights & Biases: offline, in a folder here, unless WANDB_MODE says otherwise."""

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

NAME = "wandb"
INSTALL = "pip install 'labor-harness[wandb]'"


@hookimpl
def harness_run_started(observers: tuple[str, ...]) -> None:
    if NAME in observers:
        require_installed("--observe wandb", missing_modules((NAME,)), INSTALL)


@hookimpl
def harness_run_finished(record: Record, observers: tuple[str, ...], path: Path) -> None:
    if NAME in observers:
        log(record, path)


def log(record: Record, path: Path) -> None:
    """A run of the project WANDB_PROJECT, 'harness' without it, in the group of the record's board. path: its file.

    Neither the code here, nor what is printed, nor the machine is told of.
    """
    import wandb

    told = ToldRun.of(record)
    quiet = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, x_disable_meta=True, x_save_requirements=False
    )
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "harness"),
        name=told.name,
        group=told.board,
        job_type=record.configuration.task,
        config=dict(told.parameters),
        mode="offline" if "WANDB_MODE" not in os.environ else None,
        reinit="create_new",
        settings=quiet,
    )
    try:
        for step in range(max(map(len, told.curves.values()), default=0)):
            run.log({name: curve[step] for name, curve in told.curves.items() if step < len(curve)}, step=step)
        run.summary.update(dict(told.figures))
        file = wandb.Artifact(f"record-{record.id}", "record")
        file.add_file(str(path))
        run.log_artifact(file)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()
