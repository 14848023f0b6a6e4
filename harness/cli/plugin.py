"""harness audit and harness new-plugin: for those who bring a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import DataOption, SetOption
from harness.errors import RequestError, RunError
from harness.model.params import parse, validate
from harness.registry import Registry
from harness.system.machine import resolve_device


def audit(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model's name.")],
    data: DataOption = "market",
    settings: SetOption = None,
    persons: Annotated[int, typer.Option("--persons", help="Audit on so many persons of the data.", min=20)] = 300,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every random draw.", min=0)] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Fit a model and check what every model must satisfy; exit status 1 if something is wrong."""
    import numpy as np

    from harness.data.open import open_panel
    from harness.model.audit import AuditSetup
    from harness.model.audit import audit as checks

    registry: Registry = context.obj
    spec = registry.model(model).item
    given = parse(settings or [], [model])
    params = validate(spec.params, given.models[model], model)
    progress = console.TerminalProgress()
    with progress.bar(f"reading {data}", None):
        panel = open_panel(data, registry=registry, settings=given.data)
    panel = panel.select(np.arange(min(persons, panel.n_persons)))
    if min(np.bincount(panel.split, minlength=3)) == 0:
        raise RequestError(f"{persons} persons of '{panel.name}' leave a split empty; raise --persons")
    problems = 0
    setup = AuditSetup(
        seed=seed,
        device=resolve_device(device, spec.needs),
        progress=progress,
        open_panel=registry.open_panel,
    )
    for finding in checks(spec, params, panel, setup):
        problems += finding.problem is not None
        console.result(
            f"{'FAIL' if finding.problem else 'pass'}  {finding.check}" + f": {finding.problem}" * bool(finding.problem)
        )
    if problems:
        raise RunError(f"model '{model}' fails {problems} of its checks")


def new_plugin(
    name: Annotated[str, typer.Argument(help="The model's name, such as my-model.")],
    parent: Annotated[Path, typer.Option("--in", help="Folder to write it below.")] = Path(),
) -> None:
    """Write a third-party plugin that installs, is found, runs, and passes its own test."""
    from harness.cli.scaffold import write_plugin

    folder = write_plugin(name, parent)
    console.result(f"{folder}: now 'pip install -e {folder}', then 'harness run --task next_occ --model {name}'")
