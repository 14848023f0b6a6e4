"""Every extension point. Built-in models, tasks and data sets use these same hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import typer

    from harness.boards.board import Board
    from harness.model.contract import ModelSpec
    from harness.model.dataset import DatasetSpec
    from harness.model.encoder import EncoderSpec
    from harness.model.paper import Paper
    from harness.model.task import Task
    from harness.records.record import Record
    from harness.runs.run import Run
    from harness.stats.figures import Metric

PROJECT = "harness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def harness_career_encoders() -> list[EncoderSpec]:  # type: ignore[empty-body]
    """Encoders of careers that this plugin brings, for models of other plugins."""


@hookspec
def harness_models(encoders: Mapping[str, EncoderSpec]) -> list[ModelSpec]:  # type: ignore[empty-body]
    """Models that this plugin brings. encoders: what all plugins bring, by name; an implementation may leave it out."""


@hookspec
def harness_tasks() -> list[Task]:  # type: ignore[empty-body]
    """Tasks that this plugin brings."""


@hookspec
def harness_datasets() -> list[DatasetSpec]:  # type: ignore[empty-body]
    """Data sets that this plugin brings, loadable by name."""


@hookspec
def harness_metrics() -> list[Metric]:  # type: ignore[empty-body]
    """Further figures to compute for every run."""


@hookspec
def harness_papers() -> list[Paper]:  # type: ignore[empty-body]
    """Papers whose claims on a model ``harness claims`` tests."""


@hookspec
def harness_run_started(run: Run, observers: tuple[str, ...]) -> None:
    """A run begins.

    observers: the entry points of plugins that the user asked to observe it, by --observe or HARNESS_OBSERVE; an
    implementation that takes them is one to ask for. RequestError ends the command; whatever else fails is told and
    passed over.
    """


@hookspec
def harness_run_finished(run: Run, record: Record, observers: tuple[str, ...], path: Path) -> None:
    """A run has scored one task and its record is on disk. path: its file. observers: as in ``harness_run_started``."""


@hookspec(firstresult=True)
def harness_render(board: Board, format: str) -> str | None:
    """The text of a board in this format, or None to leave it to the next plugin; never the page of all boards."""


@hookspec
def harness_cli(app: typer.Typer) -> None:
    """Add commands to the ``harness`` command.

    A command's context holds the registry as ``obj``, whose ``open_panel`` opens data sets and paths, and under
    ``harness.system.progress.PROGRESS`` in its ``meta`` the ``Progress`` that long work tells how far it is.
    """
