"""harness audit and harness new-plugin: for those who bring a model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import DeviceOption, SeedOption, SetOption
from harness.cli.panels import reads_careers
from harness.errors import RequestError, RunError
from harness.model.params import parse, validate
from harness.panel.pooling import open_apart
from harness.records.predictions import folder_of
from harness.registry import Registry
from harness.runs.isolation.hiding import hidden_paths
from harness.runs.request import PanelRequest
from harness.runs.teachers import teacher_of
from harness.system.hidden_files import hidden_files, named_paths
from harness.system.machine import cache_folder, resolve_device
from harness.system.progress import PROGRESS
from harness.system.time_limit import time_limit
from harness.system.words import counted


@reads_careers
def audit(
    context: typer.Context,
    panel: PanelRequest,
    records: Path,
    model: Annotated[str, typer.Argument(help="The model's name.")],
    settings: SetOption = None,
    persons: Annotated[int, typer.Option("--persons", help="Audit on so many persons of the data.", min=20)] = 300,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    limit: Annotated[
        float | None,
        typer.Option("--time-limit", help="Seconds that the audit may take.", min=0.001, metavar="SECONDS"),
    ] = None,
) -> None:
    """Check a model against the rules for every model.

    The model is fitted on the first persons of the data, weighted as the options say. No record is written. The exit
    status is 1 if a rule is broken.
    """
    import numpy as np

    from harness.model.audit import AuditSetup
    from harness.model.audit import audit as checks

    registry: Registry = context.obj
    spec = registry.model(model).item
    given = parse(settings or [], [model])
    params = validate(spec.params, given.models[model], model)
    teacher = teacher_of(spec, params, registry)
    request = panel.model_copy(update={"parameters": dict(given.data)})
    whole = request.open(registry, context.meta[PROGRESS])
    few = whole.select(np.arange(min(persons, whole.n_persons)))
    if min(np.bincount(few.split, minlength=3)) == 0:
        raise RequestError(f"{counted(persons, 'person')} of '{whole.name}' cannot fill all splits; raise --persons")
    problems = 0
    setup = AuditSetup(
        seed=seed,
        device=resolve_device(device, spec.needs),
        progress=context.meta[PROGRESS],
        open_panel=partial(open_apart, registry.open_panel, whole),
        teacher=None if teacher is None else teacher.item,
        tasks=tuple(entry.item for entry in registry.tasks.values()),
    )
    hidden = (*hidden_paths(registry, [panel.data]), folder_of(cache_folder()))
    with (
        time_limit(limit, f"the audit of model '{model}'"),
        hidden_files(f"model '{model}'", hidden, named_paths(params.model_dump())),
    ):
        for finding in checks(spec, params, few, setup):
            problems += finding.problem is not None
            told = f"pass  {finding.check}" if finding.problem is None else f"FAIL  {finding.check}: {finding.problem}"
            console.result(told)
    if problems:
        raise RunError(f"model '{model}' fails {problems} of its checks")


def new_plugin(
    name: Annotated[str, typer.Argument(help="The model's name, such as my-model.")],
    parent: Annotated[Path, typer.Option("--in", help="Folder to write it below.")] = Path(),
) -> None:
    """Write a plugin of one model and its test, to start from.

    It installs, is found, runs, and passes its test as it is.
    """
    from harness.cli.scaffold import write_plugin

    folder = write_plugin(name, parent)
    console.result(f"{folder}: now 'pip install -e {folder}', then 'harness run --task next_occ --model {name}'")
